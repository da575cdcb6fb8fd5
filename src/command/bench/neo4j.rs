//! The shared store against its real server: what a commit costs beside the same rows written bare, how long filling and
//! a start take, how much memory a load needs.

mod changes;
mod figures;

use super::client::{self, Target};
use changes::Measured;
use figures::{Figures, Start};
use neo4rs::{Graph as Driver, query};
use registry::{
    api::server,
    federation::Federation,
    graph::{Graph, change::Updated, plan, uid::Uid},
    progress::Progress,
    settings::{Settings, StoreSettings},
    store::{
        Changed, Contents, Entry, Loaded, Store,
        neo4j::{Neo4j, Neo4jSettings},
        new_epoch,
    },
};
use schema::{Kind, Schema, Value};
use simulator::Params;
use std::{
    error::Error,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::io::AsyncReadExt;

/// Entries of the change log, as many as are kept by default.
const LOG: u64 = 10_000;
/// How often a registry is started.
const STARTS: usize = 3;
/// Longer than a start may take by far.
const LONG: Duration = Duration::from_mins(2);

/// Measures with graphs of these sizes, in the database that the settings file names. It must be empty, and is so again
/// at the end.
pub async fn measure(file: &Path, sizes: &[usize]) -> Result<Vec<Figures>, Box<dyn Error>> {
    let settings = Settings::load(Some(file))?.settings;
    let StoreSettings::Neo4j(store) = settings.store else {
        return Err(format!("the store of {} is not Neo4j (store.kind)", file.display()).into());
    };
    let bench = Bench { file, driver: store.pool(1)?, store };
    let before = bench.take().await?;
    let measured = tokio::select! {
        measured = bench.all(sizes) => measured,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    let left = bench.leave(&before).await;
    measured.and_then(|measured| left.map(|()| measured))
}

struct Bench<'a> {
    file: &'a Path,
    store: Neo4jSettings,
    driver: Driver,
}

impl Bench<'_> {
    async fn rows(&self, text: &str) -> Result<Vec<neo4rs::Row>, neo4rs::Error> {
        let mut stream = self.driver.execute(query(text)).await?;
        let mut rows = Vec::new();
        while let Some(row) = stream.next().await? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Makes sure that nothing of somebody else's is there, and marks the database as ours: what an interrupted run left
    /// may go. Gives the names of the constraints that were there.
    async fn take(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let rows =
            self.rows("RETURN COUNT { MATCH (n) } AS nodes, EXISTS { (:FedRegBench) } AS ours").await?;
        let row = rows.first().ok_or("no answer")?;
        let (nodes, ours): (i64, bool) = (row.get("nodes")?, row.get("ours")?);
        if nodes > 0 && !ours {
            let address = self.store.address();
            return Err(format!(
                "the database at {address} holds {nodes} nodes, and the benchmark deletes all: give it an empty one"
            )
            .into());
        }
        self.empty().await?;
        self.rows("CREATE (:FedRegBench)").await?;
        self.constraints().await
    }

    async fn constraints(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let rows = self.rows("SHOW CONSTRAINTS YIELD name RETURN name").await?;
        rows.iter().map(|row| Ok(row.get("name")?)).collect()
    }

    async fn empty(&self) -> Result<(), neo4rs::Error> {
        let text = "MATCH (n) CALL { WITH n DETACH DELETE n } IN TRANSACTIONS OF 2000 ROWS";
        self.rows(text).await.map(|_| ())
    }

    /// Takes away what was made.
    async fn leave(&self, before: &[String]) -> Result<(), Box<dyn Error>> {
        eprintln!("emptying the database ...");
        self.empty().await?;
        for name in self.constraints().await?.iter().filter(|name| !before.contains(name)) {
            self.rows(&format!("DROP CONSTRAINT {name}")).await?;
        }
        Ok(())
    }

    async fn all(&self, sizes: &[usize]) -> Result<Vec<Figures>, Box<dyn Error>> {
        let mut figures = Vec::new();
        for size in sizes {
            figures.push(self.one(*size).await?);
        }
        Ok(figures)
    }

    async fn one(&self, size: usize) -> Result<Figures, Box<dyn Error>> {
        let providers = (size / super::NODES_OF_A_PROVIDER).max(1);
        let (graph, log) = history(&Params::benchmark(providers))?;
        let (nodes, relations) = (graph.len(), graph.iter().map(|id| graph.links_from(id).count()).sum());
        eprintln!("{nodes} nodes: filling the database ...");
        let store = Arc::new(Neo4j::new(Schema::get(), &self.store, LOG)?);
        let fill = self.fill(&*store, &graph, Vec::new()).await?;
        let fill_with_log = self.fill(&*store, &graph, log).await?;
        drop(graph);
        eprintln!("{nodes} nodes: starting a registry {STARTS} times ...");
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            starts.push(self.start().await?);
        }
        let began = Instant::now();
        let loaded = store.load().await?;
        let load = began.elapsed();
        drop(loaded);
        eprintln!("{nodes} nodes: committing ...");
        let federation =
            Arc::new(Federation::open(Schema::get(), store, chrono::Utc::now, [7; 32], 0).await?);
        let changes: Vec<Measured> = changes::measure(&federation, &self.store.pool(1)?).await?;
        Ok(Figures { nodes, relations, log: LOG, fill, fill_with_log, load, starts, changes })
    }

    async fn fill(
        &self,
        store: &dyn Store,
        graph: &Graph,
        log: Vec<Entry>,
    ) -> Result<Duration, Box<dyn Error>> {
        let loaded = Loaded {
            revision: LOG,
            epoch: new_epoch(),
            changed: Changed { revision: LOG, at: Some(chrono::Utc::now()) },
            nodes: graph.iter().map(|id| graph.record(id).to_created()).collect(),
            links: graph.iter().flat_map(|id| graph.links_from(id)).collect(),
            ..Loaded::default()
        };
        let contents = Contents { loaded, log };
        let progress = Arc::new(Progress::new("filling the database", contents.len()));
        let began = Instant::now();
        store.fill(contents, progress).await?;
        Ok(began.elapsed())
    }

    /// A registry process of its own, until it is ready.
    async fn start(&self) -> Result<Start, Box<dyn Error>> {
        let address = server::bind(([127, 0, 0, 1], 0).into()).await?.local_addr()?;
        let began = Instant::now();
        let mut child = tokio::process::Command::new(std::env::current_exe()?)
            .args([std::ffi::OsStr::new("serve"), "--config".as_ref(), self.file.as_ref()])
            .env("FEDREG__LISTEN", address.to_string())
            .env("FEDREG__LOG__LEVEL", "info")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or("the registry ended at once")?;
        let mut stderr = child.stderr.take().ok_or("no log")?;
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stderr.read_to_string(&mut log).await.map(|_| log)
        });
        let ready = Target { address, path: "/readyz".to_owned(), token: String::new() };
        while client::fetch(&ready).await.is_err() {
            if child.try_wait()?.is_some() || began.elapsed() > LONG {
                child.kill().await?;
                return Err(format!("the registry did not become ready:\n{}", log.await??).into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let took = began.elapsed();
        let (peak_kib, kib) = (client::memory_kib(pid, "VmHWM:")?, client::memory_kib(pid, "VmRSS:")?);
        child.kill().await?;
        let log = log.await??;
        let progress = log.lines().filter(|line| line.contains("loading nodes")).map(str::to_owned).collect();
        Ok(Start { took, peak_kib, kib, progress })
    }
}

/// A graph of so many providers, and a log as long as it is kept: first the providers, then flavors one by one.
fn history(params: &Params) -> Result<(Graph, Vec<Entry>), Box<dyn Error>> {
    let (mut graph, mut random) = (Graph::empty(Schema::get()), rand::rng());
    let mut log = Vec::new();
    let mut enter = |graph: &mut Graph, mut changes: registry::graph::change::ChangeSet| {
        changes.remember(graph);
        *graph = graph.apply(&changes)?;
        log.push(Entry {
            revision: log.len() as u64 + 1,
            id: Uid::random(&mut rand::rng()).to_string(),
            at: chrono::Utc::now(),
            who: "bench".to_owned(),
            what: "fill".to_owned(),
            request: String::new(),
            changes,
            by_hand: false,
            digest: Some(graph.digest()),
        });
        Ok::<_, Box<dyn Error>>(log.len() as u64)
    };
    let mut length = 0;
    for json in simulator::documents(7, params) {
        let (_, changes) = plan::create(&graph, &super::read(&json)?, &mut || Uid::random(&mut random))?;
        length = enter(&mut graph, changes)?;
    }
    let flavors: Vec<u32> = graph.all(Kind::Flavor).iter().collect();
    let ram = Schema::get().entity(Kind::Flavor).field("ram").ok_or("flavors without ram")?;
    for (id, n) in flavors.iter().cycle().zip(1..) {
        if length >= LOG {
            break;
        }
        let uid = graph.record(*id).uid;
        let set = vec![(ram, Value::Int(n))];
        let updated = vec![Updated { uid, kind: Kind::Flavor, set, was: Vec::new(), shared: None }];
        length = enter(&mut graph, registry::graph::change::ChangeSet { updated, ..Default::default() })?;
    }
    Ok((graph, log))
}
