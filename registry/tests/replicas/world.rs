//! Federations on one store, and writes to them.

use rand::{Rng, SeedableRng, rngs::StdRng};
use registry::{
    federation::{Author, Federation, WriteError, Written},
    graph::{change::Note, plan},
    store::{Store, embedded::Embedded},
};
use schema::{Kind, Schema, document};
use serde_json::Value as Json;
use simulator::Params;
use std::{
    convert::Infallible,
    fmt::Debug,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A federation that follows its store for as long as it lives.
pub struct Replica {
    pub federation: Arc<Federation>,
    _stop: DropGuard,
}

pub async fn replica(store: Arc<dyn Store>, seed: u64) -> Replica {
    let federation = alone(store, seed).await;
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&federation).keep_up(stop.clone()));
    Replica { federation, _stop: stop.drop_guard() }
}

/// One that does not follow.
pub async fn alone(store: Arc<dyn Store>, seed: u64) -> Arc<Federation> {
    let mut bytes = [0; 32];
    StdRng::seed_from_u64(seed).fill(&mut bytes);
    let opened = Federation::open(Schema::get(), store, chrono::Utc::now, bytes, 0).await;
    Arc::new(opened.unwrap())
}

pub fn embedded(log: u64) -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(Schema::get(), folder.path(), log).unwrap();
    (Arc::new(store), folder)
}

pub fn author(what: &str) -> Author {
    Author { who: "test".to_owned(), what: what.to_owned(), request: String::new() }
}

pub fn documents() -> Vec<Json> {
    simulator::documents(1, &Params::tiny()).collect()
}

pub fn edited(json: &Json, seed: u64) -> Json {
    simulator::edit(json, &mut StdRng::seed_from_u64(seed))
}

/// Makes the provider of this name equal to a document; deletes it when told so. The note goes with it.
pub async fn put(
    federation: &Arc<Federation>,
    json: Json,
    delete: bool,
    note: Option<Note>,
) -> Result<Written<()>, WriteError<plan::Refused>> {
    let what = format!("put {}", json["name"]);
    let write = federation.write(author(&what), move |snapshot, fresh| {
        let graph = &snapshot.graph;
        let same = |id: &u32| graph.value(*id, "name").as_str() == json["name"].as_str();
        let provider = graph.all(Kind::Provider).iter().find(same);
        let item = document::provider(graph.schema, &json, document::Reading::default(), &[]).unwrap();
        let mut changes = match provider {
            Some(id) if delete => plan::delete(graph, id),
            Some(id) => plan::replace(graph, id, &item, fresh)?,
            None => plan::create(graph, &item, fresh)?.1,
        };
        changes.notes.extend(note.clone());
        Ok(((), changes))
    });
    write.await
}

/// Writes a note, which says nothing of the graph.
pub async fn note(federation: &Arc<Federation>, key: &str) -> Result<Written<()>, WriteError<Infallible>> {
    let note = Note { key: key.to_owned(), value: Some(true.into()) };
    let write = federation.write(author(key), move |_, _| {
        let changes = registry::graph::change::ChangeSet { notes: vec![note.clone()], ..Default::default() };
        Ok(((), changes))
    });
    write.await
}

/// Waits until it is so, at most so long. Says how long it took.
pub async fn until(what: &str, most: Duration, so: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < most, "{what}: not within {most:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

/// The result, and how long it took.
pub async fn timed<T: Debug>(work: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    (work.await, began.elapsed())
}
