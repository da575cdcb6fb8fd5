//! The one value that a write is: what is committed, logged, replayed and printed.
//!
//! It also says what was before ([`ChangeSet::remember`]): nothing needs that to move the graph forward, but whoever
//! reads the log, or a dry run, wants to see it.

use super::{Graph, uid::Uid};
use schema::{Kind, RelationId, Schema, Value};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::HashSet;

/// What turns one revision of the graph into the next. Deleting a node takes its relations along.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChangeSet {
    /// New nodes, in the order in which lists will show them.
    pub created: Vec<Created>,
    /// Changed nodes.
    pub updated: Vec<Updated>,
    /// Nodes that go.
    pub deleted: Vec<Deleted>,
    /// New relations, and known ones with new properties.
    pub linked: Vec<Link>,
    /// Relations that go although both ends stay.
    pub unlinked: Vec<Link>,
    /// Those of `linked` that are there already, with the properties that they lose.
    pub replaced: Vec<Link>,
    /// Documents beside the graph.
    pub notes: Vec<Note>,
}

/// A document that the registry keeps beside the graph: how fresh what is, runs of the feeder, leases. No shape of v1
/// shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    /// Its path: `runs/...`, `freshness/...`.
    pub key: String,
    /// What it says from now on; `None` when it goes.
    pub value: Option<Json>,
}

/// A new node.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// Its identity.
    pub uid: Uid,
    /// Its entity.
    pub kind: Kind,
    /// Whether all projects may use it (flavors, images, networks).
    pub shared: bool,
    /// All its values, in declared order.
    pub values: Box<[Value]>,
}

/// A changed node.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// Its identity.
    pub uid: Uid,
    /// Its entity.
    pub kind: Kind,
    /// Places of fields with their new values.
    pub set: Vec<(usize, Value)>,
    /// What these fields held, in the same order; empty in what earlier versions logged.
    pub was: Vec<Value>,
    /// Set when it becomes shared or private.
    pub shared: Option<bool>,
}

/// A node that goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Deleted {
    /// Its identity.
    pub uid: Uid,
    /// Its entity.
    pub kind: Kind,
    /// What it was; none in what earlier versions logged.
    pub was: Option<Was>,
}

/// What a node was when it went.
#[derive(Debug, Clone, PartialEq)]
pub struct Was {
    /// Whether all projects might use it.
    pub shared: bool,
    /// All its values, in declared order.
    pub values: Box<[Value]>,
    /// The relations that go along with it, each at the first of the nodes that lose it.
    pub links: Vec<Link>,
}

/// A relation between two nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Which one.
    pub relation: RelationId,
    /// Where it starts.
    pub from: Uid,
    /// Where it ends.
    pub to: Uid,
    /// What it holds, in declared order; empty when that is nothing.
    pub properties: Vec<Value>,
}

impl ChangeSet {
    /// Nothing changes: a write that answers 304.
    pub fn is_empty(&self) -> bool {
        !self.touches_graph() && self.notes.is_empty()
    }

    /// Whether nodes or relations change, not only notes.
    pub fn touches_graph(&self) -> bool {
        let Self { created, updated, deleted, linked, unlinked, replaced: _, notes: _ } = self;
        !(created.is_empty()
            && updated.is_empty()
            && deleted.is_empty()
            && linked.is_empty()
            && unlinked.is_empty())
    }

    /// Takes down what it replaces and removes, as it is in the graph that it was computed from.
    pub fn remember(&mut self, graph: &Graph) {
        let held = |link: &Link| {
            let (from, to) = (graph.find(link.from)?, graph.find(link.to)?);
            let properties = graph.properties(link.relation, from, to).to_vec();
            graph.has_link(link.relation, from, to).then(|| Link { properties, ..link.clone() })
        };
        let gone: HashSet<Uid> = self.deleted.iter().map(|node| node.uid).collect();
        let stay = |link: &&Link| !gone.contains(&link.from) && !gone.contains(&link.to);
        self.replaced = self.linked.iter().filter(stay).filter_map(held).collect();
        for link in &mut self.unlinked {
            *link = held(link).unwrap_or_else(|| link.clone());
        }
        for node in &mut self.updated {
            let Some(record) = graph.find(node.uid).map(|id| graph.record(id)) else { continue };
            node.was = node.set.iter().map(|(place, _)| record.values[*place].clone()).collect();
        }
        let mut told = HashSet::new();
        for node in &mut self.deleted {
            let Some(id) = graph.find(node.uid) else { continue };
            told.insert(node.uid);
            let record = graph.record(id);
            let links = graph.links_of(id).filter(|link| {
                let other = if link.from == node.uid { link.to } else { link.from };
                other == node.uid || !told.contains(&other)
            });
            node.was =
                Some(Was { shared: record.shared, values: record.values.clone(), links: links.collect() });
        }
    }

    /// The entity of a node, where the change says it.
    pub fn kind_of(&self, uid: Uid) -> Option<Kind> {
        let created = self.created.iter().map(|node| (node.uid, node.kind));
        let updated = self.updated.iter().map(|node| (node.uid, node.kind));
        let deleted = self.deleted.iter().map(|node| (node.uid, node.kind));
        created.chain(updated).chain(deleted).find(|(known, _)| *known == uid).map(|(_, kind)| kind)
    }

    /// The nodes that change themselves or by their relations; some of them several times.
    pub fn uids(&self) -> impl Iterator<Item = Uid> + '_ {
        let nodes = self.created.iter().map(|node| node.uid);
        let nodes = nodes.chain(self.updated.iter().map(|node| node.uid));
        let nodes = nodes.chain(self.deleted.iter().map(|node| node.uid));
        let along = self.deleted.iter().filter_map(|node| node.was.as_ref()).flat_map(|was| &was.links);
        let links = self.linked.iter().chain(&self.unlinked).chain(along);
        nodes.chain(links.flat_map(|link| [link.from, link.to]))
    }

    /// Whether a node or one of its relations changes.
    pub fn is_about(&self, uid: Uid) -> bool {
        self.uids().any(|known| known == uid)
    }

    /// How many nodes and relations change; notes do not count.
    pub fn len(&self) -> usize {
        self.created.len() + self.updated.len() + self.deleted.len() + self.linked.len() + self.unlinked.len()
    }

    /// Reads what [`Stored`](super::stored::Stored) wrote, by this or an earlier version.
    pub fn from_json(schema: &Schema, json: &Json) -> Result<Self, Unreadable> {
        Ok(Self {
            created: list(json, "created", |json| Created::from_json(schema, json))?,
            updated: list(json, "updated", |json| Updated::from_json(schema, json))?,
            deleted: list(json, "deleted", |json| Deleted::from_json(schema, json))?,
            linked: list(json, "linked", |json| Link::from_json(schema, json))?,
            unlinked: list(json, "unlinked", |json| Link::from_json(schema, json))?,
            replaced: list(json, "replaced", |json| Link::from_json(schema, json))?,
            notes: list(json, "notes", |json| {
                let key = json.get("key").and_then(Json::as_str);
                let key = key.ok_or_else(|| unreadable("a note without key"))?.to_owned();
                Ok(Note { key, value: json.get("value").filter(|value| !value.is_null()).cloned() })
            })?,
        })
    }
}

fn list<T>(
    json: &Json,
    name: &str,
    read: impl Fn(&Json) -> Result<T, Unreadable>,
) -> Result<Vec<T>, Unreadable> {
    json.get(name).and_then(Json::as_array).into_iter().flatten().map(read).collect()
}

/// A stored change or node that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read stored {what} (written by another version, or damaged)")]
pub struct Unreadable {
    /// What could not be read.
    pub what: String,
}

fn unreadable(what: impl Into<String>) -> Unreadable {
    Unreadable { what: what.into() }
}

fn read_uid(json: &Json, name: &str) -> Result<Uid, Unreadable> {
    let text = json.get(name).and_then(Json::as_str);
    text.and_then(|text| text.parse().ok()).ok_or_else(|| unreadable(format!("{name} of {json}")))
}

fn read_head(schema: &Schema, json: &Json) -> Result<(Uid, Kind), Unreadable> {
    let kind = json.get("kind").and_then(Json::as_str);
    let kind =
        kind.and_then(|name| schema.kind(name)).ok_or_else(|| unreadable(format!("kind of {json}")))?;
    Ok((read_uid(json, "uid")?, kind))
}

impl Created {
    /// Reads what was written. Fields that were not there yet get their defaults.
    pub fn from_json(schema: &Schema, json: &Json) -> Result<Self, Unreadable> {
        let (uid, kind) = read_head(schema, json)?;
        let (shared, values) = read_values(schema, uid, kind, json)?;
        Ok(Self { uid, kind, shared, values })
    }
}

fn read_values(
    schema: &Schema,
    uid: Uid,
    kind: Kind,
    json: &Json,
) -> Result<(bool, Box<[Value]>), Unreadable> {
    let values = json.get("values").and_then(Json::as_object);
    let values = values.ok_or_else(|| unreadable(format!("values of {uid}")))?;
    let read = |field: &schema::Field| match values.get(field.name) {
        Some(value) => {
            Value::from_json(field.ty, value).ok_or_else(|| unreadable(format!("{} of {uid}", field.name)))
        }
        None => Ok(field.default_value()),
    };
    let values = schema.entity(kind).fields.iter().map(read).collect::<Result<_, _>>()?;
    Ok((json.get("shared") == Some(&Json::Bool(true)), values))
}

impl Deleted {
    fn from_json(schema: &Schema, json: &Json) -> Result<Self, Unreadable> {
        let (uid, kind) = read_head(schema, json)?;
        if json.get("values").is_none() {
            return Ok(Self { uid, kind, was: None });
        }
        let (shared, values) = read_values(schema, uid, kind, json)?;
        let links = list(json, "links", |json| Link::from_json(schema, json))?;
        Ok(Self { uid, kind, was: Some(Was { shared, values, links }) })
    }
}

impl Updated {
    fn from_json(schema: &Schema, json: &Json) -> Result<Self, Unreadable> {
        let (uid, kind) = read_head(schema, json)?;
        let entity = schema.entity(kind);
        let mut set = Vec::new();
        let mut was = Vec::new();
        for (name, value) in json.get("set").and_then(Json::as_object).into_iter().flatten() {
            let read = |place: usize, value: &Json| {
                let value = Value::from_json(entity.fields[place].ty, value);
                value.ok_or_else(|| unreadable(format!("{name} of {uid}")))
            };
            let place = entity.field(name).ok_or_else(|| unreadable(format!("{name} of {uid}")))?;
            set.push((place, read(place, value)?));
            if let Some(value) = json.get("was").and_then(|was| was.get(name)) {
                was.push(read(place, value)?);
            }
        }
        if was.len() != set.len() {
            was.clear();
        }
        Ok(Self { uid, kind, set, was, shared: json.get("shared").and_then(Json::as_bool) })
    }
}

impl Link {
    /// Whether it relates the same nodes in the same way.
    pub fn same_ends(&self, other: &Self) -> bool {
        (self.relation, self.from, self.to) == (other.relation, other.from, other.to)
    }

    /// Reads what was written.
    pub fn from_json(schema: &Schema, json: &Json) -> Result<Self, Unreadable> {
        let ty = json.get("type").and_then(Json::as_str).unwrap_or_default();
        let relation =
            schema.relation_of_type(ty).ok_or_else(|| unreadable(format!("relation type '{ty}'")))?;
        let fields = json.get("properties").map_or(&[][..], |_| schema.relation(relation).decl.properties);
        let read = |field: &schema::Field| {
            let said =
                json.get("properties").and_then(|said| Value::from_json(field.ty, said.get(field.name)?));
            said.unwrap_or_default()
        };
        Ok(Self {
            relation,
            from: read_uid(json, "from")?,
            to: read_uid(json, "to")?,
            properties: fields.iter().map(read).collect(),
        })
    }
}
