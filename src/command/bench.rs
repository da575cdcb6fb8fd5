//! `fedreg bench`: where we stand, as ratios within one run. `docs/performance.md` explains the figures.

mod auth;
mod client;
mod feeder;
mod neo4j;
mod process;
mod report;

use clap::Args;
use client::{Load, Target};
use process::Process;
use registry::{
    api::{self, Options, Readiness, Throttle, server},
    auth::SystemClock,
    federation::{Author, Federation},
    graph::{Graph, change::ChangeSet, plan, uid::Uid},
    service::Service,
    settings::Settings,
    store::embedded::Embedded,
};
use report::{Report, Row};
use schema::{Kind, Schema, document};
use serde_json::{Value as Json, json};
use simulator::{Issuer, IssuerOptions, Params, Subject};
use std::{
    error::Error,
    fmt::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Measure: reads against constants, change sets, memory, start-up.
#[derive(Args)]
pub struct Bench {
    /// Nodes of the graph, about: one table for each.
    #[arg(long, value_delimiter = ',', default_value = "2000,20000,200000")]
    nodes: Vec<usize>,
    /// Seconds for each measured read.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Connections that ask at once.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Measure the feeder instead, over this many simulated sites of five projects each.
    #[arg(long, value_name = "SITES")]
    feeder: Option<usize>,
    /// Measure what it costs to know who asks and whether they may, against bounds.
    #[arg(long)]
    auth: bool,
    /// Measure the shared store instead: a settings file whose store is an empty Neo4j. All in it is deleted at the end.
    #[arg(long, value_name = "SETTINGS")]
    neo4j: Option<PathBuf>,
}

const NODES_OF_A_PROVIDER: usize = 190;
const ROUNDS: u32 = 5;

impl Bench {
    /// Measures and prints.
    pub async fn run(self) -> ExitCode {
        if let Some(sites) = self.feeder {
            return match feeder::measure(sites, 5).await {
                Ok(figures) => {
                    super::print(&figures);
                    ExitCode::SUCCESS
                }
                Err(error) => super::failed(&format!("the benchmark of {sites} sites failed: {error}")),
            };
        }
        if self.auth {
            let time = Duration::from_secs_f64(self.seconds / f64::from(ROUNDS));
            return match auth::measure(self.connections, time).await {
                Ok(figures) => {
                    super::print(&figures);
                    ExitCode::SUCCESS
                }
                Err(error) => super::failed(&format!("the benchmark of authorization failed: {error}")),
            };
        }
        if let Some(file) = &self.neo4j {
            return match neo4j::measure(file, &self.nodes).await {
                Ok(sizes) => {
                    for figures in &sizes {
                        super::print(figures);
                    }
                    ExitCode::SUCCESS
                }
                Err(error) => super::failed(&format!("the benchmark of the database failed: {error}")),
            };
        }
        for nodes in &self.nodes {
            match self.measure(*nodes).await {
                Ok(report) => super::print(&report),
                Err(error) => {
                    return super::failed(&format!("the benchmark of {nodes} nodes failed: {error}"));
                }
            }
        }
        ExitCode::SUCCESS
    }

    async fn measure(&self, nodes: usize) -> Result<Report, Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("fedreg-bench-{}-{nodes}", std::process::id()));
        let result = self.measure_in(nodes, &folder).await;
        std::fs::remove_dir_all(&folder)?;
        result
    }

    async fn measure_in(&self, nodes: usize, folder: &Path) -> Result<Report, Box<dyn Error>> {
        let providers = (nodes / NODES_OF_A_PROVIDER).max(1);
        let params = Params::benchmark(providers);
        eprintln!("{nodes} nodes: filling a store with {providers} providers ...");
        let mut report = Report::default();
        let graph = fill(folder, &params, &mut report).await?;
        report.nodes = graph.len();
        report.relations = graph.iter().map(|id| graph.links_from(id).count()).sum();
        changes(&graph, &params, &mut report)?;
        let urls = urls(&graph)?;
        drop(graph);
        self.reads(folder, urls, &mut report).await?;
        memory(folder, &mut report).await?;
        Ok(report)
    }

    /// Each read against the same bytes as a constant, behind the same layers.
    async fn reads(
        &self,
        folder: &Path,
        urls: Vec<(&'static str, String)>,
        report: &mut Report,
    ) -> Result<(), Box<dyn Error>> {
        let issuer = Issuer::start(IssuerOptions::default()).await?;
        let token = issuer.token(&Subject::new("bench").groups(["admins"]))?;
        let stop = CancellationToken::new();
        let time = Duration::from_secs_f64(self.seconds / f64::from(ROUNDS));
        let settings = settings(folder, issuer.url())?;
        let start = Instant::now();
        let address = serve(&settings, &stop).await?;
        report.start = start.elapsed();
        eprintln!("{} nodes: reading ...", report.nodes);
        for (name, path) in urls {
            let target = Target { address, path, token: token.clone() };
            let body = client::fetch(&target).await?;
            let bytes = body.len();
            let constant = constant(body, &stop).await?;
            let constant = Target { address: constant, path: "/constant".to_owned(), token: token.clone() };
            let mut row = Row { name, bytes, ..Row::default() };
            // turn about, so that what else the machine does hits all three
            for _ in 0..ROUNDS {
                for (target, vary, rate) in [
                    (&target, true, &mut row.rate),
                    (&constant, false, &mut row.constant),
                    (&target, false, &mut row.kept),
                ] {
                    let load = Load { target: target.clone(), vary, connections: self.connections, time };
                    *rate += load.run().await? / f64::from(ROUNDS);
                }
            }
            report.reads.push(row);
        }
        stop.cancel();
        while client::fetch(&Target { address, path: "/healthz".to_owned(), token: token.clone() })
            .await
            .is_ok()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        issuer.stop().await;
        Ok(())
    }
}

fn settings(folder: &Path, issuer: &str) -> Result<Settings, serde_json::Error> {
    serde_json::from_value(json!({
        "listen": "127.0.0.1:0",
        "limits": { "notice_seconds": 0, "drain_seconds": 1 },
        "store": { "kind": "embedded", "path": folder },
        "auth": {
            "issuers": [{ "issuer": issuer }],
            "administrators": [{ "issuer": issuer, "group": "admins" }],
        },
    }))
}

async fn serve(settings: &Settings, stop: &CancellationToken) -> Result<SocketAddr, Box<dyn Error>> {
    let service = Service::start(settings).await?;
    let address = service.address()?;
    tokio::spawn(service.run(stop.clone()));
    Ok(address)
}

/// A server of the same stack that answers with the same bytes always.
async fn constant(body: bytes::Bytes, stop: &CancellationToken) -> Result<SocketAddr, Box<dyn Error>> {
    let settings = Settings::default();
    let options = Options::from(&settings);
    let throttle = Throttle::new(&settings.limits.rates, Arc::new(SystemClock::new()));
    let answer = axum::routing::get(move || async move { ([("content-type", "application/json")], body) });
    let router = api::layered(axum::Router::new().route("/constant", answer), &options, &Arc::new(throttle));
    listen(router, &settings, stop).await
}

/// Serves routes until told to stop.
async fn listen(
    router: axum::Router,
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<std::net::SocketAddr, Box<dyn Error>> {
    let listener = server::bind(([127, 0, 0, 1], 0).into()).await?;
    let address = listener.local_addr()?;
    let stop = stop.clone();
    let bounds = server::Bounds {
        notice_time: Duration::ZERO,
        drain_time: Duration::from_secs(1),
        ..server::Bounds::from(settings)
    };
    tokio::spawn(async move {
        server::serve(listener, None, router, &Readiness::default(), bounds, stop).await;
    });
    Ok(address)
}

fn read(json: &Json) -> Result<document::Item, Box<dyn Error>> {
    let item = document::provider(Schema::get(), json, document::Reading::default(), &[]);
    item.map_err(|faults| faults.first().map(ToString::to_string).unwrap_or_default().into())
}

/// Writes the federation as the feeder would: one document after the other.
async fn fill(folder: &Path, params: &Params, report: &mut Report) -> Result<Graph, Box<dyn Error>> {
    let store = Arc::new(Embedded::open(Schema::get(), folder, 100)?);
    let federation = Arc::new(Federation::open(Schema::get(), store, chrono::Utc::now, [7; 32], 0).await?);
    let mut times = Vec::new();
    for json in simulator::documents(7, params) {
        let item = read(&json)?;
        let author = Author { who: "bench".to_owned(), what: "fill".to_owned(), request: String::new() };
        let start = Instant::now();
        let written =
            federation.write(author, move |snapshot, fresh| plan::create(&snapshot.graph, &item, fresh));
        written.await.map_err(|error| format!("{error:?}"))?;
        times.push(start.elapsed());
    }
    // how long one more provider takes when the graph has its full size
    report.commit = report::median(&times[times.len().saturating_sub(50)..]);
    Ok(federation.snapshot().graph.clone())
}

/// Computing and applying change sets, without a store.
fn changes(graph: &Graph, params: &Params, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let json = simulator::documents(7, params).next().ok_or("no document")?;
    let mut changed = json.clone();
    changed["regions"][0]["compute_services"][0]["flavors"][0]["ram"] = json!(12_345);
    let mut renamed = json.clone();
    renamed["name"] = json!("one more");
    let provider = graph.all(Kind::Provider).first().ok_or("no provider")?;
    let mut random = rand::rng();
    let mut fresh = || Uid::random(&mut random);
    let (same, one, more) = (read(&json)?, read(&changed)?, read(&renamed)?);
    let mut times: [Vec<Duration>; 7] = Default::default();
    for _ in 0..100 {
        let mut lap = {
            let mut last = Instant::now();
            move || std::mem::replace(&mut last, Instant::now()).elapsed()
        };
        let parsed = read(&json)?;
        times[0].push(lap());
        drop(parsed);
        lap();
        let unchanged = plan::replace(graph, provider, &same, &mut fresh)?;
        times[1].push(lap());
        let one = plan::replace(graph, provider, &one, &mut fresh)?;
        times[2].push(lap());
        let applied = graph.apply(&one)?;
        times[3].push(lap());
        drop(applied);
        lap();
        let (_, created) = plan::create(graph, &more, &mut fresh)?;
        times[4].push(lap());
        let applied = graph.apply(&created)?;
        times[5].push(lap());
        drop(applied);
        lap();
        let deleted = plan::delete(graph, provider);
        times[6].push(lap());
        if !unchanged.is_empty() || one.len() != 1 || deleted.is_empty() {
            return Err("a change set is not what was measured".into());
        }
        report.created = size(&created);
    }
    let names = [
        "read and check one document",
        "compute: unchanged document",
        "compute: one flavor changed",
        "apply: one flavor changed",
        "compute: a new provider",
        "apply: a new provider",
        "compute: delete a provider",
    ];
    report.changes = names.into_iter().zip(times.iter().map(|times| report::median(times))).collect();
    Ok(())
}

fn size(changes: &ChangeSet) -> (usize, usize) {
    (changes.created.len(), changes.linked.len())
}

/// What clients ask, on a group and a provider of this federation.
fn urls(graph: &Graph) -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let first = |kind| graph.all(kind).first().ok_or("an empty federation");
    let group = first(Kind::UserGroup)?;
    let text = |id, name| graph.value(id, name).as_str().unwrap_or_default().to_owned();
    let encode = |text: String| {
        text.bytes().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "%{byte:02X}");
            out
        })
    };
    let issuer = graph.neighbour(group, "identity_provider").ok_or("a group without issuer")?;
    let who =
        format!("name={}&idp_endpoint={}", encode(text(group, "name")), encode(text(issuer, "endpoint")));
    let provider = graph.record(first(Kind::Provider)?).uid;
    Ok(vec![
        (
            "orchestrator: user_groups",
            format!("/api/v1/user_groups?with_conn=true&{who}&provider_status=active"),
        ),
        ("flavors?with_conn=true", "/api/v1/flavors?with_conn=true".to_owned()),
        ("one provider with_conn", format!("/api/v1/providers/{provider}?with_conn=true")),
        (
            "images, filtered",
            "/api/v1/images?os_distro=ubuntu&name__icontains=22&sort=-name&limit=100".to_owned(),
        ),
        ("providers", "/api/v1/providers".to_owned()),
    ])
}

/// A registry in a process of its own, with a store in this folder.
fn registry_process(folder: &Path, issuer: &str) -> Result<(Process, SocketAddr), Box<dyn Error>> {
    // free a moment ago
    let address = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let config = folder.join("fedreg.yaml");
    let settings = json!({
        "listen": address.to_string(),
        "store": { "kind": "embedded", "path": folder },
        "limits": { "notice_seconds": 0, "drain_seconds": 1 },
        "auth": {
            "issuers": [{ "issuer": issuer }],
            "administrators": [{ "issuer": issuer, "group": "admins" }],
        },
        "log": { "level": "error" },
    });
    // JSON is YAML
    std::fs::write(&config, settings.to_string())?;
    Ok((Process::start(&["serve"], &config, Stdio::null())?, address))
}

/// Memory of a registry process of its own: after its start, and after reads.
async fn memory(folder: &Path, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let issuer = Issuer::start(IssuerOptions::default()).await?;
    let token = issuer.token(&Subject::new("bench").groups(["admins"]))?;
    let (registry, address) = registry_process(folder, issuer.url())?;
    let ready = Target { address, path: "/readyz".to_owned(), token: token.clone() };
    report.process_start = registry.ready(&ready).await?;
    report.idle_kib = client::memory_kib(registry.pid, "VmRSS:")?;
    for path in ["user_groups", "flavors", "images", "networks", "regions"] {
        let path = format!("/api/v1/{path}?with_conn=true&limit=2000");
        client::fetch(&Target { address, path, token: token.clone() }).await?;
    }
    report.used_kib = client::memory_kib(registry.pid, "VmRSS:")?;
    registry.kill().await?;
    issuer.stop().await;
    Ok(())
}
