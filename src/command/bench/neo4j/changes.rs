//! Commits beside the barest transaction that writes the same rows.

use super::super::report;
use neo4rs::{BoltList, BoltType, Graph as Driver, query};
use registry::{
    federation::{Author, Federation},
    graph::{
        Graph,
        change::{ChangeSet, Created, Deleted, Link, Updated},
        stored::Stored,
        uid::Uid,
    },
};
use schema::{Kind, Schema, Value};
use serde_json::{Value as Json, json};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

/// Changed nodes, and how often that is measured.
const SIZES: [(usize, usize); 4] = [(1, 41), (10, 41), (100, 31), (1_000, 11)];
/// Rounds that are not counted: each statement is planned once, and the server compiles what it does often.
const WARMING: usize = 5;
/// Bytes of rows, as JSON, in a message that the driver sends in one piece.
const PIECE: usize = 7_000;

/// One kind of change.
pub struct Measured {
    /// What changes.
    pub what: &'static str,
    /// How many nodes.
    pub nodes: usize,
    /// A write of ours: computed, committed, entered in the log, acknowledged.
    pub ours: Duration,
    /// One bare transaction, one statement for each label and relation.
    pub bare: Duration,
    /// The same in messages that the driver sends in one piece.
    pub cut: Duration,
}

impl Measured {
    /// Against the faster of the two.
    pub fn ratio(&self) -> f64 {
        self.ours.as_secs_f64() / self.bare.min(self.cut).as_secs_f64()
    }
}

/// A statement and its rows.
type Step = (String, Vec<Json>);
/// What a person would write.
type Bare = Vec<Step>;

/// Measures flavors that come, change and go.
pub async fn measure(federation: &Arc<Federation>, driver: &Driver) -> Result<Vec<Measured>, Box<dyn Error>> {
    let mut measured = Vec::new();
    for (nodes, rounds) in SIZES {
        let mut times: [[Vec<Duration>; 3]; 3] = Default::default();
        for round in 0..WARMING + rounds {
            let mut turn = [Vec::new(), Vec::new(), Vec::new()];
            for (who, times) in turn.iter_mut().enumerate() {
                let graph = federation.snapshot().graph.clone();
                for (changes, bare) in three(&graph, nodes, round)? {
                    times.push(match who {
                        0 => ours(federation, changes).await?,
                        1 => transaction(driver, bare, usize::MAX).await?,
                        _ => transaction(driver, bare, PIECE).await?,
                    });
                }
            }
            for (who, lap) in turn.into_iter().enumerate().filter(|_| round >= WARMING) {
                for (what, time) in lap.into_iter().enumerate() {
                    times[what][who].push(time);
                }
            }
        }
        for (what, times) in ["created", "changed", "deleted"].into_iter().zip(times) {
            let [ours, bare, cut] = times.map(|times| report::median(&times));
            measured.push(Measured { what, nodes, ours, bare, cut });
        }
    }
    Ok(measured)
}

/// So many flavors that come with their relations, change, and go again.
fn three(graph: &Graph, nodes: usize, round: usize) -> Result<[(ChangeSet, Bare); 3], Box<dyn Error>> {
    let model = graph.all(Kind::Flavor).first().ok_or("no flavor")?;
    let record = graph.record(model);
    let (mut random, ram) = (rand::rng(), graph.entity(model).field("ram").ok_or("no ram")?);
    let place = |name: &str| graph.entity(model).field(name).ok_or("no such field");
    let (name, uuid) = (place("name")?, place("uuid")?);
    let new = |n: usize| {
        let mut created = Created { uid: Uid::random(&mut random), ..record.to_created() };
        created.values[name] = Value::text(format!("bench-{round}-{n}"));
        created.values[uuid] = Value::text(created.uid.to_string());
        created
    };
    let created: Vec<Created> = (0..nodes).map(new).collect();
    let uids: Vec<Uid> = created.iter().map(|node| node.uid).collect();
    let links = |uid: &Uid| {
        let own = record.uid;
        let end = |of: Uid| if of == own { *uid } else { of };
        graph
            .links_of(model)
            .map(|link| Link { from: end(link.from), to: end(link.to), ..link })
            .collect::<Vec<_>>()
    };
    let linked: Vec<Link> = uids.iter().flat_map(links).collect();
    let bare_created = bare_created(graph, &created, &linked);
    let value = i64::try_from(round)? + 1;
    let update = |uid: &Uid| Updated {
        uid: *uid,
        kind: Kind::Flavor,
        set: vec![(ram, Value::Int(value))],
        was: Vec::new(),
        shared: None,
    };
    let bare_updated = vec![(
        "UNWIND $rows AS r MATCH (n:Flavor {uid: r.uid}) SET n.ram = r.ram".to_owned(),
        uids.iter().map(|uid| json!({ "uid": uid.to_string(), "ram": value })).collect(),
    )];
    let bare_deleted = vec![(
        "UNWIND $rows AS u MATCH (n:Flavor {uid: u}) DETACH DELETE n".to_owned(),
        uids.iter().map(|uid| uid.to_string().into()).collect(),
    )];
    let updated = uids.iter().map(update).collect();
    let gone = |uid: &Uid| Deleted { uid: *uid, kind: Kind::Flavor, was: None };
    let deleted = uids.iter().map(gone).collect();
    Ok([
        (ChangeSet { created, linked, ..ChangeSet::default() }, bare_created),
        (ChangeSet { updated, ..ChangeSet::default() }, bare_updated),
        (ChangeSet { deleted, ..ChangeSet::default() }, bare_deleted),
    ])
}

fn bare_created(graph: &Graph, created: &[Created], linked: &[Link]) -> Bare {
    let schema = Schema::get();
    let mut bare: Bare = Vec::new();
    let mut add = |text: String, row: Json| match bare.iter_mut().find(|(known, _)| *known == text) {
        Some((_, rows)) => rows.push(row),
        None => bare.push((text, vec![row])),
    };
    for node in created {
        let entity = schema.entity(node.kind);
        let mut row = Stored(schema, node).tree()["values"].take();
        row["uid"] = node.uid.to_string().into();
        let labels = entity.labels(node.shared).join(":");
        add(format!("UNWIND $rows AS r CREATE (n:{labels}) SET n = r"), row);
    }
    let label = |uid: Uid| {
        let kind = graph.find(uid).map_or(Kind::Flavor, |id| graph.record(id).kind);
        schema.entity(kind).labels(false).pop().unwrap_or_default()
    };
    for link in linked {
        let ty = schema.relation(link.relation).decl.ty;
        let (from, to) = (label(link.from), label(link.to));
        add(
            format!(
                "UNWIND $rows AS r MATCH (a:{from} {{uid: r.a}}) MATCH (b:{to} {{uid: r.b}}) CREATE (a)-[:{ty}]->(b)"
            ),
            json!({ "a": link.from.to_string(), "b": link.to.to_string() }),
        );
    }
    bare
}

async fn ours(federation: &Arc<Federation>, mut changes: ChangeSet) -> Result<Duration, Box<dyn Error>> {
    let author = Author { who: "bench".to_owned(), what: "commit".to_owned(), request: String::new() };
    let began = Instant::now();
    let written = federation
        .write(author, move |_, _| Ok::<_, std::convert::Infallible>(((), std::mem::take(&mut changes))));
    let written = written.await?;
    let took = began.elapsed();
    if written.changed { Ok(took) } else { Err("another registry writes to this database".into()) }
}

/// Nothing but the rows, in one transaction, so many bytes in a message.
async fn transaction(driver: &Driver, bare: Bare, most: usize) -> Result<Duration, Box<dyn Error>> {
    let mut queries = Vec::new();
    for (text, rows) in bare {
        let mut rows = rows.into_iter().map(|row| (row.to_string().len(), row)).peekable();
        while let Some((mut bytes, row)) = rows.next() {
            let mut part = vec![BoltType::try_from(row)?];
            while let Some((more, row)) = rows.next_if(|(more, _)| bytes + more <= most) {
                bytes += more;
                part.push(BoltType::try_from(row)?);
            }
            queries.push(query(&text).param("rows", BoltType::List(BoltList { value: part })));
        }
    }
    let began = Instant::now();
    let mut transaction = driver.start_txn().await?;
    for query in queries {
        transaction.run(query).await?;
    }
    transaction.commit().await?;
    Ok(began.elapsed())
}
