//! Reading everything: nodes as one stream, relations as two lists for each type.
//!
//! What is found is served as far as it can be. What cannot be served is left out and told; nothing in the database is
//! touched for it.

use super::{
    connect::{Connection, Fault, STATEMENT},
    log::{self, Meta},
    names::{self, GRAPH, Labels, META, NOTE, ORDER},
    property::Property,
};
use crate::{
    graph::{
        change::{Created, Link, Note, Unreadable},
        uid::Uid,
    },
    progress::Progress,
    store::{Changed, Loaded, StoreError},
};
use neo4rs::{Row, query};
use schema::{EntityInfo, Field, Kind, RelationId, Schema, Value};
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

/// How often a load begins anew because others wrote meanwhile, before it makes them wait.
const TRIES: usize = 3;
/// The statements that name internal ids say which Cypher they are: later ones have no number for a node.
const CYPHER: &str = "CYPHER 5";

/// Everything, as of one revision.
pub(super) async fn load(connection: &Connection, schema: &'static Schema) -> Result<Loaded, StoreError> {
    let failed = |fault: Fault| connection.explain(fault);
    for _ in 0..TRIES {
        let before = log::meta(connection).await.map_err(failed)?;
        let loaded = read(connection, schema, before.as_ref()).await?;
        let after = log::meta(connection).await.map_err(failed)?;
        if before.map(|meta| meta.head) == after.map(|meta| meta.head) {
            return Ok(loaded);
        }
        tracing::debug!("the graph changed while it was loaded; once more");
    }
    // others write all the time: they wait while it is read
    let graph = connection.writing();
    let mut transaction = connection.within(STATEMENT, graph.start_txn()).await.map_err(failed)?;
    let lock = query(&format!("MATCH (m:{META} {{key: '{GRAPH}'}}) SET m.lock = true"));
    let locked = connection.within(STATEMENT, transaction.run(lock)).await.map_err(failed);
    let loaded = match locked {
        Ok(()) => match log::meta(connection).await {
            Ok(meta) => read(connection, schema, meta.as_ref()).await,
            Err(fault) => Err(failed(fault)),
        },
        Err(error) => Err(error),
    };
    if connection.within(STATEMENT, transaction.rollback()).await.is_err() {
        connection.renew_writing();
    }
    loaded
}

/// Everything as it is found now.
pub(super) async fn read(
    connection: &Connection,
    schema: &'static Schema,
    meta: Option<&Meta>,
) -> Result<Loaded, StoreError> {
    let mut reader = Reader::new(schema);
    let failed = |fault: Fault| connection.explain(fault);
    reader.nodes(connection).await.map_err(failed)?;
    reader.links(connection).await.map_err(failed)?;
    let notes = notes(connection).await?;
    reader.nodes.sort_by_key(|(order, _)| *order);
    Ok(Loaded {
        revision: meta.map_or(0, |meta| meta.head.revision),
        epoch: meta.map(|meta| meta.head.epoch.clone()).unwrap_or_default(),
        changed: meta.map_or(Changed::default(), |meta| meta.changed),
        nodes: reader.nodes.into_iter().map(|(_, node)| node).collect(),
        links: reader.links,
        notes,
        faults: reader.faults,
    })
}

async fn notes(connection: &Connection) -> Result<Vec<Note>, StoreError> {
    let failed = |fault: Fault| connection.explain(fault);
    let text = format!("MATCH (n:{NOTE}) RETURN n.key AS key, n.value AS value ORDER BY n.key");
    let mut rows = connection.rows(query(&text)).await.map_err(failed)?;
    let mut notes = Vec::new();
    while let Some(row) = rows.next().await.map_err(failed)? {
        let key: String = row.get("key").map_err(|error| failed(error.into()))?;
        let value: &str = row.get("value").map_err(|error| failed(error.into()))?;
        let damaged = |_| Unreadable { what: format!("note {key}") };
        let value = Some(serde_json::from_str(value).map_err(damaged)?);
        notes.push(Note { key, value });
    }
    Ok(notes)
}

/// A node as it comes.
#[derive(Deserialize)]
struct Found<'a> {
    id: i64,
    #[serde(borrow)]
    labels: Vec<&'a str>,
    #[serde(borrow)]
    properties: HashMap<&'a str, Property<'a>>,
}

struct Reader {
    schema: &'static Schema,
    /// With their place in the order of creation: first those that the earlier registry made.
    nodes: Vec<((i64, i64), Created)>,
    /// By the number that relations name.
    places: HashMap<i64, (Kind, Uid)>,
    left_out: HashSet<i64>,
    links: Vec<Link>,
    faults: Vec<String>,
}

impl Reader {
    fn new(schema: &'static Schema) -> Self {
        Self {
            schema,
            nodes: Vec::new(),
            places: HashMap::new(),
            left_out: HashSet::new(),
            links: Vec::new(),
            faults: Vec::new(),
        }
    }

    async fn nodes(&mut self, connection: &Connection) -> Result<(), Fault> {
        let mut labels: Vec<String> = self
            .schema
            .entities
            .iter()
            .flat_map(|entity| [entity.labels(false), entity.labels(true)].concat())
            .collect();
        labels.sort();
        labels.dedup();
        let counts =
            names::bases(self.schema).iter().map(|base| format!("COUNT {{ (:{base}) }}")).collect::<Vec<_>>();
        let count = connection.row(query(&format!("RETURN {} AS count", counts.join(" + ")))).await?;
        let count: usize = count.map_or(Ok(0), |row| row.get("count"))?;
        self.nodes.reserve_exact(count);
        self.places.reserve(count);
        let mut seen: HashSet<Uid> = HashSet::with_capacity(count);
        let text = format!(
            "{CYPHER} MATCH (n:{}) RETURN id(n) AS id, labels(n) AS labels, properties(n) AS properties",
            labels.join("|")
        );
        let mut rows = connection.rows(query(&text)).await?;
        let progress = Progress::new("loading nodes", count);
        while let Some(row) = rows.next().await? {
            self.node(&row, &mut seen)?;
            progress.add(1);
        }
        Ok(())
    }

    fn node(&mut self, row: &Row, seen: &mut HashSet<Uid>) -> Result<(), Fault> {
        let found: Found = row.to_strict()?;
        let (id, labels) = (found.id, Labels(&found.labels));
        let mut faults = Vec::new();
        let kind = labels.kind(self.schema).or_else(|| self.guess(&labels, &found, &mut faults));
        let uid = match found.properties.get("uid") {
            Some(Property::Text(text)) => text
                .parse::<Uid>()
                .map_err(|_| format!("uid is '{text}', but must be 32 lower-case hexadecimal characters")),
            Some(_) => Err("uid is no text".to_owned()),
            None => Err("has no uid".to_owned()),
        };
        let left = match (kind, uid) {
            (_, Err(what)) => Err(what),
            (None, Ok(uid)) => Err(format!("(uid {uid}) has no label that says which kind it is")),
            (Some(_), Ok(uid)) if !seen.insert(uid) => {
                Err(format!("(uid {uid}) has the uid of another node"))
            }
            (Some((kind, shared)), Ok(uid)) => Ok((kind, shared, uid)),
        };
        let (kind, shared, uid) = match left {
            Ok(found) => found,
            Err(what) => {
                let labels = found.labels.join(":");
                self.faults.push(format!(
                    "node {id} (:{labels}) {what}; it is left out of all answers and stays in the database as it is"
                ));
                self.left_out.insert(id);
                return Ok(());
            }
        };
        let entity = self.schema.entity(kind);
        let base = names::base(entity);
        if !found.labels.contains(&base.as_str()) {
            faults.push(format!("has no label {base}; it is served, but cannot be changed before it has"));
        }
        let read = |field: &Field| value(field, found.properties.get(field.name), &mut faults);
        let values = entity.fields.iter().map(read).collect();
        self.faults.extend(faults.into_iter().map(|what| format!("{} {uid}: {what}", entity.decl.name)));
        let order = match found.properties.get(ORDER) {
            Some(Property::Int(place)) => *place,
            // made by the earlier registry, or by hand
            _ => i64::MIN,
        };
        self.nodes.push(((order, id), Created { uid, kind, shared, values }));
        self.places.insert(id, (kind, uid));
        Ok(())
    }

    /// The kind of a node that only has the label of its family.
    fn guess(&self, labels: &Labels, found: &Found, faults: &mut Vec<String>) -> Option<(Kind, bool)> {
        let family = labels.family(self.schema);
        let entity = match family.as_slice() {
            [one] => *one,
            several => {
                let same = |entity: &&&EntityInfo| {
                    let mut constants = entity.fields.iter().filter(|field| field.constant);
                    constants.any(|field| {
                        let said = found.properties.get(field.name).and_then(Property::text);
                        said.map(|text| Value::text(&*text)) == Some(field.default_value())
                    })
                };
                *several.iter().find(same)?
            }
        };
        let label = entity.labels(false).swap_remove(0);
        faults.push(format!("has no label that says which of its family it is; it is served as a {label}"));
        Some((entity.kind, false))
    }

    async fn links(&mut self, connection: &Connection) -> Result<(), Fault> {
        let schema = self.schema;
        for (place, relation) in (0..).zip(&schema.relations) {
            let ty = relation.decl.ty;
            if relation.decl.properties.is_empty() {
                let text = format!(
                    "{CYPHER} MATCH (a)-[:{ty}]->(b) RETURN collect(id(a)) AS from, collect(id(b)) AS to"
                );
                let mut rows = connection.rows(query(&text)).await?;
                while let Some(row) = rows.next().await? {
                    let (from, to): (Vec<i64>, Vec<i64>) = (row.get("from")?, row.get("to")?);
                    drop(row);
                    self.all_of(place, from.into_iter().zip(to).map(|ends| (ends, Vec::new())).collect());
                }
            } else {
                let text = format!(
                    "{CYPHER} MATCH (a)-[r:{ty}]->(b) RETURN id(a) AS from, id(b) AS to, properties(r) AS properties"
                );
                let mut rows = connection.rows(query(&text)).await?;
                let mut all = Vec::new();
                while let Some(row) = rows.next().await? {
                    let properties: HashMap<Cow<str>, Property> = row.get("properties")?;
                    let mut faults = Vec::new();
                    let read = |field: &Field| value(field, properties.get(field.name), &mut faults);
                    let values: Vec<Value> = relation.decl.properties.iter().map(read).collect();
                    let (from, to): (i64, i64) = (row.get("from")?, row.get("to")?);
                    self.faults.extend(
                        faults.into_iter().map(|what| format!("{ty} from node {from} to {to}: {what}")),
                    );
                    all.push(((from, to), values));
                }
                self.all_of(place, all);
            }
        }
        Ok(())
    }

    /// Takes in all relations of a type.
    fn all_of(&mut self, relation: RelationId, mut all: Vec<((i64, i64), Vec<Value>)>) {
        let ty = self.schema.relation(relation).decl.ty;
        all.sort_by_key(|(ends, _)| *ends);
        self.links.reserve(all.len());
        let mut last = None;
        for ((a, b), properties) in all {
            let (Some((from_kind, from)), Some((to_kind, to))) = (self.places.get(&a), self.places.get(&b))
            else {
                if [a, b].iter().any(|id| self.left_out.contains(id)) {
                    self.faults
                        .push(format!("{ty} from node {a} to {b}: one of them is left out, and so is this"));
                }
                continue;
            };
            let fits = |kind: &Kind, outgoing| self.schema.entity(*kind).end(relation, outgoing).is_some();
            let named = || {
                let name = |kind: &Kind| self.schema.entity(*kind).decl.name;
                format!("{ty} from {} {from} to {} {to}", name(from_kind), name(to_kind))
            };
            if !fits(from_kind, true) || !fits(to_kind, false) {
                let fault = format!("{}: these kinds have no such relation; it is left out", named());
                self.faults.push(fault);
            } else if last == Some((a, b)) {
                let fault = format!("{}: is there more than once; it counts once", named());
                self.faults.push(fault);
            } else {
                self.links.push(Link { relation, from: *from, to: *to, properties });
                last = Some((a, b));
            }
        }
    }
}

/// What a field holds; its default where nothing is there or nothing that it can hold.
fn value(field: &Field, found: Option<&Property>, faults: &mut Vec<String>) -> Value {
    let Some(found) = found.filter(|found| **found != Property::Null) else { return field.default_value() };
    match found.read(field.ty) {
        Some((value, true)) => value,
        Some((value, false)) => {
            faults.push(format!(
                "{} is not written as it should be; it is read as {}",
                field.name,
                value.to_json()
            ));
            value
        }
        None => {
            let value = field.default_value();
            faults.push(format!(
                "{} holds what it cannot hold; {} is served instead",
                field.name,
                value.to_json()
            ));
            value
        }
    }
}
