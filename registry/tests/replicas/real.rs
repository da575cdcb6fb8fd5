//! The same against a real Neo4j, which these tests start, freeze and kill; between it and the registries proxies that
//! cut, delay and hang connections.

use crate::{
    common::read,
    http::Served,
    model::{self, Disturbed},
    proxy::{Pass, Proxy},
    server::Server,
    world::{Replica, alone, documents, note, put, replica, timed, until},
};
use futures::future::BoxFuture;
use neo4rs::{ConfigBuilder, Graph as Client, query};
use registry::{
    federation::WriteError,
    progress::Progress,
    store::{Contents, Store, neo4j::Neo4j},
    transfer,
};
use reqwest::{Method, StatusCode, header};
use schema::Schema;
use serde_json::json;
use simulator::{Issuer, IssuerOptions};
use std::{sync::Arc, time::Duration};

/// A second of what is promised, as a machine that builds and tests beside it keeps it.
const SECOND: Duration = Duration::from_secs(3);
/// Not those of the lab's own server: this one is killed.
const BOLT: u16 = 7697;
const HTTP: u16 = 7484;

fn store(port: u16) -> Arc<dyn Store> {
    let settings = json!({ "url": format!("bolt://127.0.0.1:{port}"), "password": "labpassword" });
    let settings = serde_json::from_value(settings).unwrap();
    Arc::new(Neo4j::new(Schema::get(), &settings, 100_000).unwrap())
}

/// Nothing in it, and never was.
async fn wipe() -> Arc<dyn Store> {
    let store = store(BOLT);
    let mut nothing = Contents::default();
    nothing.loaded.epoch = registry::store::new_epoch();
    let filled = async || store.fill(nothing.clone(), Arc::new(Progress::new("wiping", 0))).await.is_ok();
    // a server that was just started answers its first questions late
    until("wiped", SECOND * 60, filled).await;
    store
}

/// The suite's scenarios share one server, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_on_a_real_server() {
    let began = std::time::Instant::now();
    let server = Server::start(BOLT, HTTP, false);
    let step = |name: &str| println!("{:>6.1} s  {name}", began.elapsed().as_secs_f64());
    step("the first use of each statement, which takes a cold server seconds");
    warm_up().await;
    step("absent at the start, comes up by itself");
    absent_at_the_start().await;
    for pass in [Pass::Cut, Pass::Hung, Pass::HalfOpen] {
        step(&format!("{pass:?} while running"));
        away_while_running(&format!("{pass:?}"), async |proxy, away| {
            proxy.set(if away { pass } else { Pass::Through });
        })
        .await;
    }
    step("frozen while running");
    away_while_running("frozen", async |_, away| server.signal(if away { "STOP" } else { "CONT" })).await;
    step("answers of commits get lost");
    lost_answers().await;
    step("deadlocks with other clients");
    deadlocks().await;
    step("edited with Cypher");
    edited_with_cypher().await;
    step("moved to a folder and back");
    moved_and_back().await;
    step("killed in the middle of commits");
    killed(&server).await;
    step("model check");
    let store = wipe().await;
    let member = |seed: u64| -> BoxFuture<'static, (Replica, Disturbed)> {
        Box::pin(async move {
            let proxy = Proxy::start(BOLT).await;
            let replica = replica(self::store(proxy.port), seed).await;
            (replica, Disturbed::Proxy(proxy))
        })
    };
    model::check(store, 25, member).await;
    step("done");
}

async fn warm_up() {
    let one = replica(wipe().await, 9).await;
    let documents = documents();
    for (n, delete) in [(0, false), (1, false), (0, true), (1, true)] {
        let written = async || put(&one.federation, documents[n].clone(), delete, None).await.is_ok();
        until("written for the first time", SECOND * 60, written).await;
    }
}

async fn absent_at_the_start() {
    wipe().await;
    let (issuer, proxy) = (Issuer::start(IssuerOptions::default()).await.unwrap(), Proxy::start(BOLT).await);
    proxy.set(Pass::Cut);
    let served = Served::start(&issuer, store(proxy.port), None).await;
    assert_eq!(served.ready().await.0, StatusCode::SERVICE_UNAVAILABLE);
    proxy.set(Pass::Through);
    let took = until("ready", SECOND * 3, async || served.ready().await.0 == StatusCode::OK).await;
    println!("          ready {took:?} after it appeared");
    assert_eq!(served.create("SITE-A").await.status(), StatusCode::CREATED);
    served.stop().await;
}

async fn away_while_running(name: &str, away: impl AsyncFn(&Proxy, bool)) {
    wipe().await;
    let (issuer, proxy) = (Issuer::start(IssuerOptions::default()).await.unwrap(), Proxy::start(BOLT).await);
    let served = Served::start(&issuer, store(proxy.port), None).await;
    assert_eq!(served.create("SITE-A").await.status(), StatusCode::CREATED);
    away(&proxy, true).await;
    let (mut writes, mut slowest) = (0, Duration::ZERO);
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        let (refused, took) = timed(served.create(&format!("SITE-{writes}"))).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key(header::RETRY_AFTER));
        assert!(took < SECOND * 2, "{name}: a write was refused after {took:?}");
        slowest = slowest.max(took);
        writes += 1;
        let (status, providers) = served.get("/api/v1/providers/").await;
        assert_eq!((status, providers.as_array().unwrap().len()), (StatusCode::OK, 1), "reads go on");
    }
    away(&proxy, false).await;
    let back = async || served.create("BACK").await.status() == StatusCode::CREATED;
    let took = until("written again", SECOND * 2, back).await;
    println!(
        "          {writes} writes refused, the slowest after {slowest:?}; written again after {took:?}"
    );
    // what was sent when it went away is there whole or not at all
    let providers = read(served.request(Method::GET, "/api/v1/providers/").send().await.unwrap()).await.1;
    assert!(matches!(providers.as_array().unwrap().len(), 2 | 3), "{providers}");
    served.stop().await;
}

async fn lost_answers() {
    let direct = wipe().await;
    let proxy = Proxy::start(BOLT).await;
    let one = replica(store(proxy.port), 1).await;
    put(&one.federation, documents().remove(0), false, None).await.unwrap();
    let (mut done, mut unknown) = (0, 0);
    for n in 0..15 {
        let federation = Arc::clone(&one.federation);
        let write = tokio::spawn(async move { note(&federation, &format!("n{n}")).await.map(|_| ()) });
        tokio::time::sleep(Duration::from_micros(300 * n)).await;
        proxy.set(Pass::AnswerLost);
        tokio::time::sleep(Duration::from_millis(5)).await;
        proxy.set(Pass::Through);
        match write.await.unwrap() {
            Ok(()) => {
                done += 1;
                assert!(one.federation.snapshot().notes.get(&format!("n{n}")).is_some());
            }
            Err(WriteError::Unknown) => unknown += 1,
            Err(_) => {}
        }
        let again = async || note(&one.federation, "between").await.is_ok();
        until("it can be written again", SECOND * 3, again).await;
    }
    println!("          {done} acknowledged, {unknown} of unknown outcome");
    let log = direct.log_after(0, 1000).await.unwrap();
    let mut notes: Vec<_> = log.iter().flat_map(|entry| &entry.changes.notes).map(|note| &note.key).collect();
    notes.retain(|key| key.starts_with('n'));
    let all = notes.len();
    notes.sort();
    notes.dedup();
    assert_eq!(notes.len(), all, "nothing was written twice");
    assert!(notes.len() >= done);
}

fn client() -> Client {
    let config = ConfigBuilder::default().uri(format!("bolt://127.0.0.1:{BOLT}")).user("neo4j");
    Client::connect(config.password("labpassword").db("neo4j").build().unwrap()).unwrap()
}

async fn cypher(text: &str) {
    let (client, text) = (client(), query(text));
    let mut rows = client.execute(text).await.unwrap();
    while rows.next().await.unwrap().is_some() {}
}

async fn deadlocks() {
    let direct = wipe().await;
    let one = replica(Arc::clone(&direct), 1).await;
    put(&one.federation, documents().remove(0), false, None).await.unwrap();
    let other = client();
    let mut met = 0;
    for n in 0..4 {
        // it locks the provider, the commit the revision; then each wants the other's
        let mut transaction = other.start_txn().await.unwrap();
        transaction.run(query("MATCH (p:Provider) SET p.description = p.description")).await.unwrap();
        let federation = Arc::clone(&one.federation);
        let mut json = documents().remove(0);
        json["description"] = json!(format!("round {n}"));
        let write = tokio::spawn(async move { put(&federation, json, false, None).await.map(|_| ()) });
        tokio::time::sleep(Duration::from_millis(150)).await;
        let locked = transaction.run(query("MATCH (m:FedRegMeta) SET m.lock = true")).await;
        met += u32::from(locked.is_err());
        let _ = if locked.is_ok() { transaction.commit().await } else { transaction.rollback().await };
        write.await.unwrap().unwrap();
    }
    println!("          4 writes succeeded; of the deadlocks {met} ended the other client's transaction");
}

async fn edited_with_cypher() {
    let direct = wipe().await;
    let (one, two) = (replica(store(BOLT), 1).await, replica(store(BOLT), 2).await);
    put(&one.federation, documents().remove(0), false, None).await.unwrap();
    let audit = async || {
        let loaded = direct.load().await.unwrap();
        let graph = registry::graph::Graph::build(Schema::get(), loaded.nodes, loaded.links).unwrap();
        registry::audit::audit(&*direct, &graph, loaded.revision).await.unwrap()
    };
    assert_eq!(audit().await, [""; 0]);
    cypher("MATCH (p:Provider) SET p.description = 'edited by hand'").await;
    cypher("MATCH (f:Flavor) WITH f LIMIT 1 DETACH DELETE f").await;
    let told = audit().await.join("\n");
    assert!(told.contains("has another description") && told.contains("is gone"), "{told}");
    let before = one.federation.snapshot();
    let taken = one.federation.take_in(crate::world::author("reload")).await.unwrap();
    assert!(taken.changes >= 2, "{taken:?}");
    assert_ne!(before.state(), one.federation.snapshot().state());
    let followed = async || two.federation.snapshot().revision == taken.revision;
    until("others follow", SECOND, followed).await;
    assert_eq!(transfer::difference(&one.federation.snapshot(), &two.federation.snapshot()), None);
    assert_eq!(audit().await, [""; 0]);
    put(&two.federation, documents().remove(1), false, None).await.unwrap();
    // a change of what is not there any more shows it too
    cypher("MATCH (p:Provider) DETACH DELETE p").await;
    let mut another = documents().remove(1);
    another["description"] = "of a provider that is gone".into();
    put(&two.federation, another, false, None).await.unwrap();
    let followed =
        async || transfer::difference(&one.federation.snapshot(), &two.federation.snapshot()).is_none();
    until("both have it", SECOND * 2, followed).await;
    assert_eq!(audit().await, [""; 0]);
    // a database that is emptied is no new truth
    cypher("MATCH (n) DETACH DELETE n").await;
    until("noticed", SECOND * 2, async || one.federation.standing().trouble.is_some()).await;
    assert!(!one.federation.snapshot().graph.is_empty());
}

async fn moved_and_back() {
    let direct = wipe().await;
    let one = alone(Arc::clone(&direct), 1).await;
    for (n, json) in documents().into_iter().enumerate() {
        put(&one, json, false, None).await.unwrap();
        note(&one, &format!("runs/{n}")).await.unwrap();
    }
    let there = transfer::take(&*direct, true).await.unwrap();
    let (folder, _guard) = crate::world::embedded(1000);
    let moved = transfer::put(Schema::get(), &*folder, there.clone(), false).await.unwrap();
    assert_eq!(transfer::difference(&one.snapshot(), &moved), None);
    let back = transfer::take(&*folder, true).await.unwrap();
    let refused = transfer::put(Schema::get(), &*direct, back.clone(), false).await;
    assert!(matches!(refused, Err(transfer::TransferError::NotEmpty { .. })));
    let moved = transfer::put(Schema::get(), &*direct, back, true).await.unwrap();
    assert_eq!(transfer::difference(&one.snapshot(), &moved), None);
    assert_eq!(direct.log_after(0, 1000).await.unwrap(), there.log);
}

async fn killed(server: &Server) {
    let direct = wipe().await;
    let replicas = [replica(store(BOLT), 1).await, replica(store(BOLT), 2).await];
    let acknowledged = Arc::new(std::sync::Mutex::new(Vec::new()));
    let stop = tokio_util::sync::CancellationToken::new();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let federation = Arc::clone(&replicas[writer % 2].federation);
            let (acknowledged, stop) = (Arc::clone(&acknowledged), stop.clone());
            tokio::spawn(async move {
                let mut n = 0;
                while !stop.is_cancelled() {
                    let key = format!("w{writer}/{n}");
                    n += 1;
                    if let Ok(written) = note(&federation, &key).await {
                        acknowledged.lock().unwrap().push((key, written.snapshot.revision));
                    } else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            })
        })
        .collect();
    let count = || acknowledged.lock().unwrap().len();
    until("writing", SECOND * 10, async || count() > 20).await;
    server.down("KILL");
    let before = count();
    server.up();
    let took = until("writing again", SECOND * 10, async || count() > before + 20).await;
    stop.cancel();
    for writer in writers {
        writer.await.unwrap();
    }
    let log = direct.log_after(0, 100_000).await.unwrap();
    for (place, entry) in (1..).zip(&log) {
        assert_eq!(entry.revision, place);
    }
    let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap());
    for (key, revision) in &acknowledged {
        let entry = &log[usize::try_from(*revision).unwrap() - 1];
        assert!(entry.changes.notes.iter().any(|note| note.key == *key), "{key} was acknowledged");
    }
    println!(
        "          {} acknowledged, {} in the log; writing again {took:?} after the start",
        acknowledged.len(),
        log.len()
    );
    for replica in &replicas {
        let head = direct.head().await.unwrap().revision;
        until("followed", SECOND * 2, async || replica.federation.snapshot().revision == head).await;
        let stored = transfer::take(&*direct, false).await.unwrap();
        let stored = registry::federation::Snapshot::of(Schema::get(), stored.loaded, 0).unwrap();
        assert_eq!(transfer::difference(&stored, &replica.federation.snapshot()), None);
    }
}
