//! The one value that a write is: what is committed, logged, replayed and printed.

use super::uid::Uid;
use schema::{Kind, RelationId, Schema, Value};
use serde_json::{Map, Value as Json, json};

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
    /// Documents beside the graph.
    pub notes: Vec<Note>,
}

/// A document that the registry keeps beside the graph: how fresh what is, runs of the feeder, leases. No shape of v1
/// shows it.
#[derive(Debug, Clone, PartialEq)]
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
        let Self { created, updated, deleted, linked, unlinked, notes: _ } = self;
        !(created.is_empty()
            && updated.is_empty()
            && deleted.is_empty()
            && linked.is_empty()
            && unlinked.is_empty())
    }

    /// How many nodes and relations change; notes do not count.
    pub fn len(&self) -> usize {
        self.created.len() + self.updated.len() + self.deleted.len() + self.linked.len() + self.unlinked.len()
    }

    /// With names instead of places: for the change log.
    pub fn to_json(&self, schema: &Schema) -> Json {
        let mut whole = Map::new();
        let mut part = |name: &str, items: Vec<Json>| {
            if !items.is_empty() {
                whole.insert(name.to_owned(), Json::Array(items));
            }
        };
        part("created", self.created.iter().map(|node| node.to_json(schema)).collect());
        part("updated", self.updated.iter().map(|node| node.to_json(schema)).collect());
        part("deleted", self.deleted.iter().map(|node| head(schema, node.uid, node.kind).into()).collect());
        part("linked", self.linked.iter().map(|link| link.to_json(schema)).collect());
        part("unlinked", self.unlinked.iter().map(|link| link.to_json(schema)).collect());
        part(
            "notes",
            self.notes.iter().map(|note| json!({ "key": note.key, "value": note.value })).collect(),
        );
        Json::Object(whole)
    }

    /// Reads what [`ChangeSet::to_json`] wrote, by this or an earlier version.
    pub fn from_json(schema: &Schema, json: &Json) -> Result<Self, Unreadable> {
        fn list<T>(
            json: &Json,
            name: &str,
            read: impl Fn(&Json) -> Result<T, Unreadable>,
        ) -> Result<Vec<T>, Unreadable> {
            json.get(name).and_then(Json::as_array).into_iter().flatten().map(read).collect()
        }
        Ok(Self {
            created: list(json, "created", |json| Created::from_json(schema, json))?,
            updated: list(json, "updated", |json| Updated::from_json(schema, json))?,
            deleted: list(json, "deleted", |json| {
                let (uid, kind) = read_head(schema, json)?;
                Ok(Deleted { uid, kind })
            })?,
            linked: list(json, "linked", |json| Link::from_json(schema, json))?,
            unlinked: list(json, "unlinked", |json| Link::from_json(schema, json))?,
            notes: list(json, "notes", |json| {
                let key = json.get("key").and_then(Json::as_str);
                let key = key.ok_or_else(|| unreadable("a note without key"))?.to_owned();
                Ok(Note { key, value: json.get("value").filter(|value| !value.is_null()).cloned() })
            })?,
        })
    }
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

fn head(schema: &Schema, uid: Uid, kind: Kind) -> Map<String, Json> {
    let mut object = Map::new();
    object.insert("uid".to_owned(), uid.to_string().into());
    object.insert("kind".to_owned(), schema.entity(kind).decl.name.into());
    object
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
    /// With names instead of places. Values that are null are left out.
    pub fn to_json(&self, schema: &Schema) -> Json {
        let mut object = head(schema, self.uid, self.kind);
        if self.shared {
            object.insert("shared".to_owned(), true.into());
        }
        let fields = &schema.entity(self.kind).fields;
        let said = fields.iter().zip(&self.values).filter(|(_, value)| !value.is_null());
        object.insert(
            "values".to_owned(),
            said.map(|(field, value)| (field.name.to_owned(), value.to_json())).collect(),
        );
        object.into()
    }

    /// Reads what [`Created::to_json`] wrote. Fields that were not there yet get their defaults.
    pub fn from_json(schema: &Schema, json: &Json) -> Result<Self, Unreadable> {
        let (uid, kind) = read_head(schema, json)?;
        let values = json
            .get("values")
            .and_then(Json::as_object)
            .ok_or_else(|| unreadable(format!("values of {uid}")))?;
        let read = |field: &schema::Field| match values.get(field.name) {
            Some(value) => Value::from_json(field.ty, value)
                .ok_or_else(|| unreadable(format!("{} of {uid}", field.name))),
            None => Ok(field.default_value()),
        };
        Ok(Self {
            uid,
            kind,
            shared: json.get("shared") == Some(&Json::Bool(true)),
            values: schema.entity(kind).fields.iter().map(read).collect::<Result<_, _>>()?,
        })
    }
}

impl Updated {
    fn to_json(&self, schema: &Schema) -> Json {
        let mut object = head(schema, self.uid, self.kind);
        let fields = &schema.entity(self.kind).fields;
        let set = self.set.iter().map(|(place, value)| (fields[*place].name.to_owned(), value.to_json()));
        object.insert("set".to_owned(), set.collect());
        if let Some(shared) = self.shared {
            object.insert("shared".to_owned(), shared.into());
        }
        object.into()
    }

    fn from_json(schema: &Schema, json: &Json) -> Result<Self, Unreadable> {
        let (uid, kind) = read_head(schema, json)?;
        let entity = schema.entity(kind);
        let mut set = Vec::new();
        for (name, value) in json.get("set").and_then(Json::as_object).into_iter().flatten() {
            let value = entity
                .field(name)
                .and_then(|place| Some((place, Value::from_json(entity.fields[place].ty, value)?)));
            set.push(value.ok_or_else(|| unreadable(format!("{name} of {uid}")))?);
        }
        Ok(Self { uid, kind, set, shared: json.get("shared").and_then(Json::as_bool) })
    }
}

impl Link {
    /// With names instead of places.
    pub fn to_json(&self, schema: &Schema) -> Json {
        let relation = &schema.relation(self.relation).decl;
        let mut json = json!({
            "type": relation.ty,
            "from": self.from.to_string(),
            "to": self.to.to_string(),
        });
        if self.properties.iter().any(|value| !value.is_null()) {
            let said = relation.properties.iter().zip(&self.properties);
            json["properties"] =
                said.map(|(field, value)| (field.name.to_owned(), value.to_json())).collect();
        }
        json
    }

    /// Reads what [`Link::to_json`] wrote.
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
