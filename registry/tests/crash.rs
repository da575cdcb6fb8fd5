//! Kills a writing process 200 times (20 on Neo4j), at any moment: no acknowledged write is lost, none is there by half,
//! and none of its locks is in the way of the next process.
//!
//! This file has its own `main`: the same program is the process that is killed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use rand::{Rng, SeedableRng, rngs::StdRng};
#[path = "common/store.rs"]
mod store;

use registry::{
    federation::{Author, Federation},
    graph::{Graph, plan},
    service::open_store,
    settings::StoreSettings,
    store::{Store, StoreError},
};
use schema::{Kind, Schema, document};
use serde_json::Value as Json;
use simulator::Params;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};
use store::{TestStore, is_shared, neo4j_settings};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match arguments.iter().position(|argument| argument == "--write-in") {
        Some(at) => runtime
            .block_on(write_for_ever(Path::new(&arguments[at + 1]), arguments[at + 2].parse().unwrap())),
        None => runtime.block_on(kill_and_look()),
    }
}

/// The store of this run; embedded, in this folder.
fn store_of(folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
    let settings = if is_shared() {
        StoreSettings::Neo4j(neo4j_settings())
    } else {
        StoreSettings::Embedded { path: folder.to_owned() }
    };
    open_store(&settings, u64::MAX)
}

async fn open(folder: &Path, seed: u64) -> Arc<Federation> {
    let store = store_of(folder).unwrap();
    let mut bytes = [0; 32];
    StdRng::seed_from_u64(seed).fill(&mut bytes);
    Arc::new(Federation::open(Schema::get(), store, chrono::Utc::now, bytes, 0).await.unwrap())
}

/// Adds, edits and deletes providers, and says each revision once it is acknowledged.
async fn write_for_ever(folder: &Path, seed: u64) {
    let federation = open(folder, seed).await;
    let mut random = StdRng::seed_from_u64(seed);
    let documents: Vec<Json> = simulator::documents(1, &Params::tiny()).collect();
    println!("open {}", federation.snapshot().revision);
    loop {
        let json = simulator::edit(&documents[random.random_range(0..documents.len())], &mut random);
        let delete = random.random_bool(0.2);
        let author = Author { who: "crash".to_owned(), what: "write".to_owned(), request: String::new() };
        let written = federation
            .write(author, move |snapshot, fresh| {
                let graph = &snapshot.graph;
                let same = |id: &u32| graph.value(*id, "name").as_str() == json["name"].as_str();
                let provider = graph.all(Kind::Provider).iter().find(same);
                let item =
                    document::provider(graph.schema, &json, document::Reading::default(), &[]).unwrap();
                let changes = match provider {
                    Some(id) if delete => plan::delete(graph, id),
                    Some(id) => plan::replace(graph, id, &item, fresh)?,
                    None => plan::create(graph, &item, fresh)?.1,
                };
                Ok::<_, plan::Refused>(((), changes))
            })
            .await
            .unwrap();
        println!("acknowledged {}", written.snapshot.revision);
        std::io::stdout().flush().unwrap();
    }
}

async fn kill_and_look() {
    let test = TestStore::new().await;
    let folder = test.folder.path();
    let mut random = StdRng::seed_from_u64(7);
    let mut revision = 0;
    let kills = if is_shared() { 20 } else { 200 };
    for kill in 0..kills {
        let acknowledged = kill_while_writing(folder, kill, &mut random);
        let store = store_of(folder).unwrap();
        assert!(
            is_shared() || matches!(store_of(folder), Err(StoreError::InUse { .. })),
            "a second process on the folder is told so"
        );
        let acknowledged = acknowledged.unwrap_or(revision);
        // what the killed one sent is done with once this has answered
        store.settle(acknowledged + 1, "nobody's").await.unwrap();
        let loaded = store.load().await.unwrap();
        assert!(
            loaded.revision >= acknowledged,
            "kill {kill}: {acknowledged} was acknowledged, {} is there",
            loaded.revision
        );
        assert!(loaded.revision <= acknowledged + 1, "kill {kill}: only one write was under way");
        revision = loaded.revision;
        if kill % 20 == 19 || kill < 5 {
            equals_its_log(&*store, loaded.nodes, loaded.links, revision).await;
        }
    }
    assert!(revision * 2 > kills, "the killed processes wrote: {revision} revisions");
    println!(
        "killed {kills} times over {revision} revisions: nothing acknowledged is lost, nothing is there by half"
    );
    println!("1 passed, 0 failed");
}

/// Runs a writer, kills it at some moment, and says the last revision that it acknowledged.
fn kill_while_writing(folder: &Path, seed: u64, random: &mut StdRng) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([std::ffi::OsStr::new("--write-in"), folder.as_os_str(), seed.to_string().as_ref()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said: Vec<String> =
        lines.by_ref().take(random.random_range(0..6)).map_while(Result::ok).collect();
    // not to wait for anything: to hit a different moment of a commit each time
    std::thread::sleep(Duration::from_micros(random.random_range(0..8_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(lines.map_while(Result::ok));
    let number = |line: &String| {
        line.strip_prefix("acknowledged ").or_else(|| line.strip_prefix("open "))?.parse().ok()
    };
    said.iter().filter_map(number).next_back()
}

async fn equals_its_log(
    store: &dyn Store,
    nodes: Vec<registry::graph::change::Created>,
    links: Vec<registry::graph::change::Link>,
    revision: u64,
) {
    let loaded = Graph::build(Schema::get(), nodes, links).unwrap();
    let mut replayed = Graph::empty(Schema::get());
    for entry in store.log_after(0, 1_000_000).await.unwrap() {
        replayed = replayed.apply(&entry.changes).unwrap();
    }
    assert!(loaded.indices_hold());
    assert_eq!(loaded.export(), replayed.export(), "revision {revision} is what its changes say");
}
