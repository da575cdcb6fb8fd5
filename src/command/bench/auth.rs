//! What it costs to know who asks, and whether they may.

use super::{client, client::Load, client::Target, fill, listen, report::median};
use registry::{
    api::{self, App, Options, Readiness, Throttle, Twice},
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
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Batches, of which the one in the middle counts.
const BATCHES: usize = 20;
/// Tokens in one batch of unseen ones, and questions in one of seen ones.
const UNSEEN: usize = 100;
const SEEN: usize = 10_000;
/// Rounds in which the two routers are asked turn about.
const ROUNDS: usize = 31;

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
    let Added { gate, decision } = read(folder, connections, time).await?;
    row("what authorization adds to the cheapest read", 100.0 * decision, 5.0, "%")?;
    writeln!(text, "| that, and knowing a seen token again | {:.2} % | | |", 100.0 * gate)?;
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

/// By which part a read is longer than without.
struct Added {
    /// For finding out who asks, and deciding.
    gate: f64,
    /// For deciding alone.
    decision: f64,
}

/// The cheapest read: one small entity, its answer kept. Everybody is let in by one gate, at another address by two,
/// at a third decided about twice; what the second one costs the first one does.
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
    let one = listen(api::router(Arc::clone(&app)), &settings, &stop).await?;
    let gates = listen(api::router_for_benchmark(Arc::clone(&app), Twice::Gate), &settings, &stop).await?;
    let decisions = listen(api::router_for_benchmark(app, Twice::Decision), &settings, &stop).await?;
    let target = |address| Target { address, path: path.clone(), token: token.clone() };
    let addresses = [one, gates, decisions];
    for address in addresses {
        client::fetch(&target(address)).await?;
    }
    let (mut gate, mut decision) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut times = [0.0; 3];
        // turn about in changing order, so that what else the machine does hits all
        for place in 0..3 {
            let place = (place + round) % 3;
            let rate =
                Load { target: target(addresses[place]), vary: false, connections, time }.run().await?;
            times[place] = 1.0 / rate;
        }
        let [one, gates, decisions] = times;
        let without = 2.0 * one - gates;
        gate.push((gates - one) / without);
        decision.push((decisions - one) / without);
    }
    stop.cancel();
    let middle = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[ROUNDS / 2]
    };
    Ok(Added { gate: middle(gate), decision: middle(decision) })
}

fn cheapest(graph: &Graph) -> Result<String, Box<dyn Error>> {
    let place = graph.all(Kind::Location).first().ok_or("no place")?;
    Ok(format!("/api/v1/locations/{}", graph.record(place).uid))
}
