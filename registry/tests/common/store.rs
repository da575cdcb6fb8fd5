//! The store of a test: a folder of its own, or the Neo4j of the lab, one test after the other.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use neo4rs::{ConfigBuilder, Graph, Query, Row, query};
use registry::{
    service::open_store,
    settings::StoreSettings,
    store::{Store, neo4j::Neo4jSettings},
};
use serde_json::json;
use std::sync::{Arc, LazyLock};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Community edition has one database: whoever uses it has it alone.
static TURN: LazyLock<Arc<Mutex<()>>> = LazyLock::new(Arc::default);

/// Set to `neo4j`, all suites that have a store run on it.
const CHOICE: &str = "FEDREG_TEST_STORE";
/// Where the lab's server is: `bolt://127.0.0.1:7687`.
const ADDRESS: &str = "FEDREG_TEST_NEO4J";

/// An empty store, wiped or removed at the end.
pub struct TestStore {
    pub settings: StoreSettings,
    pub folder: tempfile::TempDir,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl TestStore {
    /// Whichever this run of the tests is about.
    pub async fn new() -> Self {
        if is_shared() { Self::neo4j().await } else { Self::embedded() }
    }

    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = StoreSettings::Embedded { path: folder.path().to_owned() };
        Self { settings, folder, _turn: None }
    }

    pub async fn neo4j() -> Self {
        let turn = Arc::clone(&TURN).lock_owned().await;
        let graph = Cypher::new();
        graph.run("MATCH (n) DETACH DELETE n").await;
        let settings = StoreSettings::Neo4j(neo4j_settings());
        Self { settings, folder: tempfile::tempdir().unwrap(), _turn: Some(turn) }
    }

    pub fn open(&self) -> Arc<dyn Store> {
        open_store(&self.settings, 10_000).unwrap()
    }
}

/// Whether this run of the tests is about the shared store.
pub fn is_shared() -> bool {
    match std::env::var(CHOICE).as_deref() {
        Ok("neo4j") => true,
        Ok(other) if other != "embedded" => panic!("{CHOICE}: '{other}' is neither embedded nor neo4j"),
        _ => false,
    }
}

pub fn neo4j_settings() -> Neo4jSettings {
    let url = std::env::var(ADDRESS).unwrap_or_else(|_| {
        panic!(
            "{ADDRESS} is not set: start the server with tests/lab/lab up neo4j, then set it to its NEO4J_URL"
        )
    });
    serde_json::from_value(json!({ "url": url, "password": "labpassword" })).unwrap()
}

/// The database as somebody with another client sees it.
pub struct Cypher(Graph);

impl Cypher {
    pub fn new() -> Self {
        let settings = neo4j_settings();
        let config =
            ConfigBuilder::default().uri(settings.url).user("neo4j").password("labpassword").db("neo4j");
        Self(Graph::connect(config.build().unwrap()).unwrap())
    }

    pub async fn rows(&self, asked: impl Into<Query>) -> Vec<Row> {
        let mut stream = self.0.execute(asked).await.unwrap();
        let mut rows = Vec::new();
        while let Some(row) = stream.next().await.unwrap() {
            rows.push(row);
        }
        rows
    }

    pub async fn run(&self, text: &str) {
        self.rows(query(text)).await;
    }

    /// The values of the only column, as JSON.
    pub async fn column(&self, text: &str) -> Vec<serde_json::Value> {
        let rows = self.rows(query(text)).await;
        rows.iter().map(|row| row.to::<serde_json::Value>().unwrap()).collect()
    }
}
