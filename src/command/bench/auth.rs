//! What it costs to know who asks, and whether they may.

use super::{
    client::{Load, Target},
    fill, listen,
    report::median,
};
use axum::Router;
use rand::seq::SliceRandom;
use registry::{
    api::{self, Again, App, Options, Readiness, Throttle},
    auth::{Access, AuthSettings, Authenticator, IssuerSettings, Rule, SystemClock},
    federation::Federation,
    graph::Graph,
    settings::Settings,
    store::embedded::Embedded,
};
use schema::{Kind, Schema};
use serde_json::json;
use simulator::{Issuer, IssuerOptions, Params, Signing, Subject};
use std::{
    error::Error,
    fmt::Write,
    hint::black_box,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

/// Batches, of which the one in the middle counts.
const BATCHES: usize = 20;
/// Tokens in one batch of unseen ones, and questions in one of seen ones.
const UNSEEN: usize = 100;
const SEEN: usize = 10_000;
/// Rounds in which a read is measured with what, in an order by chance; and those before that are not counted.
const ROUNDS: usize = 41;
const WARMING: usize = 3;
/// How often that is done which is measured, beside the once that it always is: so much smaller is what else varies.
const MORE: u32 = 4;

/// The figures, each with its bound.
pub async fn measure(connections: usize, time: Duration) -> Result<String, Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("fedreg-bench-{}-auth", std::process::id()));
    let result = rows(&folder, connections, time).await;
    std::fs::remove_dir_all(&folder)?;
    result
}

async fn rows(folder: &Path, connections: usize, time: Duration) -> Result<String, Box<dyn Error>> {
    let mut text = "| what | measured | bound | |\n|---|---|---|---|\n".to_owned();
    let mut row = |what: &str, measured: f64, bound: f64, unit: &str| {
        let kept = if measured < bound { "kept" } else { "NOT KEPT" };
        writeln!(text, "| {what} | {measured:.2} {unit} | below {bound} {unit} | {kept} |")
    };
    for (name, signing) in [("RS256", Signing::Rs256), ("ES256", Signing::Es256)] {
        eprintln!("tokens signed by {name} ...");
        let (unseen, seen) = tokens(signing).await?;
        row(&format!("verify an unseen {name} token"), 1e6 * unseen.as_secs_f64(), 150.0, "µs")?;
        row(&format!("know a seen {name} token again"), 1e6 * seen.as_secs_f64(), 2.0, "µs")?;
    }
    eprintln!("a read with and without authorization ...");
    let Added { without, gate, decision } = read(folder, connections, time).await?;
    row("what authorization adds to the cheapest read", 100.0 * decision / without, 5.0, "%")?;
    for (what, seconds) in [
        ("the cheapest read without, processor time of the server", without),
        ("authorization, likewise", decision),
        ("authorization, and knowing a seen token again, likewise", gate),
    ] {
        writeln!(text, "| {what} | {:.2} µs | | |", 1e6 * seconds)?;
    }
    Ok(text)
}

fn settings(issuer: &str) -> Result<AuthSettings, Box<dyn Error>> {
    let mut trusted = IssuerSettings::new(issuer.parse()?);
    trusted.audiences = vec!["federation-registry".to_owned()];
    Ok(AuthSettings {
        issuers: vec![trusted],
        administrators: vec![Rule::group(issuer, "/admins"), Rule::email("admin@example.org")],
        ..AuthSettings::default()
    })
}

fn subject(name: &str) -> Subject {
    let groups = ["/users", "/beta/testers", "/federation/members"];
    Subject::new(name).email("ada@example.org").groups(groups).audience(["federation-registry"])
}

/// The time for one unseen and for one seen token.
async fn tokens(signing: Signing) -> Result<(Duration, Duration), Box<dyn Error>> {
    let issuer = Issuer::start(IssuerOptions { signing, ..IssuerOptions::default() }).await?;
    let authenticator = Authenticator::new(&settings(issuer.url())?, Arc::new(SystemClock::new()))?;
    let header = |n: usize| Ok(format!("Bearer {}", issuer.token(&subject(&format!("user-{n}")))?));
    let headers: Vec<String> = (0..BATCHES * UNSEEN).map(header).collect::<Result<_, Box<dyn Error>>>()?;
    // the issuer's keys are at hand from here on
    authenticator.authenticate(Some(&header(headers.len())?)).await?;
    let mut unseen = Vec::new();
    for batch in headers.chunks(UNSEEN) {
        let start = Instant::now();
        for header in batch {
            black_box(authenticator.authenticate_for(Some(header), Access::Private).await?);
        }
        unseen.push(start.elapsed() / u32::try_from(UNSEEN)?);
    }
    let mut seen = Vec::new();
    for _ in 0..BATCHES {
        let start = Instant::now();
        for header in headers.iter().cycle().take(SEEN) {
            black_box(authenticator.authenticate_for(Some(header), Access::Private).await?);
        }
        seen.push(start.elapsed() / u32::try_from(SEEN)?);
    }
    Ok((median(&unseen), median(&seen)))
}

/// Processor time of the server for one read, in seconds.
struct Added {
    /// Before anybody is asked who they are.
    without: f64,
    /// For finding out who asks, and deciding.
    gate: f64,
    /// For deciding alone.
    decision: f64,
}

/// A server on a thread of its own, so that the processor time that it spends is known: unlike the time on a clock, that
/// does not depend on what else the machine does, nor on the client.
struct Server {
    address: SocketAddr,
    /// What the system says of the thread.
    statistics: PathBuf,
}

impl Server {
    async fn start(
        router: Router,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> Result<Self, Box<dyn Error>> {
        let (tell, told) = oneshot::channel();
        let (settings, stop) = (settings.clone(), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let address = listen(router, &settings, &stop).await.map_err(|error| error.to_string());
                let thread = std::fs::read_link("/proc/thread-self").map_err(|error| error.to_string());
                // nobody listens any more when the benchmark failed
                let _ = tell.send(address.and_then(|address| Ok((address, thread?))));
                stop.cancelled().await;
            });
        });
        let (address, thread) = told.await??;
        Ok(Self { address, statistics: Path::new("/proc").join(thread).join("schedstat") })
    }

    /// Processor time of the thread so far, in seconds.
    fn spent(&self) -> Result<f64, Box<dyn Error>> {
        let statistics = std::fs::read_to_string(&self.statistics)?;
        let nanoseconds = statistics.split(' ').next().unwrap_or_default().parse()?;
        Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
    }

    /// Processor time for one request, in seconds.
    async fn cost(&self, load: Load) -> Result<f64, Box<dyn Error>> {
        let (time, before) = (load.time, self.spent()?);
        let rate = load.run().await?;
        Ok((self.spent()? - before) / (rate * time.as_secs_f64()))
    }
}

/// The cheapest read: one small entity, its answer kept. Turn about it is let in once, let in some times more, and decided
/// about some times more, by the same server on the same connections.
async fn read(folder: &Path, connections: usize, time: Duration) -> Result<Added, Box<dyn Error>> {
    let graph = fill(folder, &Params::benchmark(10), &mut super::Report::default()).await?;
    let path = cheapest(&graph)?;
    drop(graph);
    let issuer = Issuer::start(IssuerOptions::default()).await?;
    let token = issuer.token(&subject("bench"))?;
    let store = Arc::new(Embedded::open(Schema::get(), folder, 100)?);
    let federation = Federation::open(Schema::get(), store, chrono::Utc::now, [7; 32], 8 << 20).await?;
    // loopback is counted as well
    let many = 1_000_000_000_u32;
    let rates = json!({
        "exempt": [], "client_per_second": many, "client_burst": many, "identity_per_second": many, "identity_burst": many,
    });
    let settings: Settings =
        serde_json::from_value(json!({ "limits": { "rates": rates, "notice_seconds": 0 } }))?;
    let clock = Arc::new(SystemClock::new());
    let app = Arc::new(App {
        federation: Arc::new(federation),
        authenticator: Arc::new(Authenticator::new(&self::settings(issuer.url())?, clock.clone())?),
        options: Options::from(&settings),
        throttle: Arc::new(Throttle::new(&settings.limits.rates, clock)),
        followers: Arc::new(Semaphore::new(0)),
        readiness: Readiness::default(),
        metrics: api::metrics_handle()?,
    });
    let stop = CancellationToken::new();
    let again = Arc::new(Again::default());
    let server = Server::start(api::router_for_benchmark(app, &again), &settings, &stop).await?;
    let mut costs: [Vec<f64>; 3] = Default::default();
    for round in 0..WARMING + ROUNDS {
        let mut turn = [(0, 0), (MORE, 0), (0, MORE)].into_iter().enumerate().collect::<Vec<_>>();
        turn.shuffle(&mut rand::rng());
        for (place, (gate, decision)) in turn {
            again.gate.store(gate, Ordering::Relaxed);
            again.decision.store(decision, Ordering::Relaxed);
            let target = Target { address: server.address, path: path.clone(), token: token.clone() };
            let cost = server.cost(Load { target, vary: false, connections, time }).await?;
            if round >= WARMING {
                costs[place].push(cost);
            }
        }
    }
    stop.cancel();
    let [one, gates, decisions] = costs.map(|mut all| {
        all.sort_by(f64::total_cmp);
        all[ROUNDS / 2]
    });
    let [gate, decision] = [gates, decisions].map(|more| (more - one) / f64::from(MORE));
    Ok(Added { without: one - gate, gate, decision })
}

fn cheapest(graph: &Graph) -> Result<String, Box<dyn Error>> {
    let place = graph.all(Kind::Location).first().ok_or("no place")?;
    Ok(format!("/api/v1/locations/{}", graph.record(place).uid))
}
