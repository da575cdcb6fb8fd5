//! The feeder, pointed at a simulated federation by its provider file, sends exactly the documents that the simulator
//! says it must: what is read over HTTP and what is derived from the model are the same.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use feeder::{Report, Settings, Silent, run_once};
use schema::Schema;
use schema::document::{Item, Reading, provider};
use serde_json::{Map, Value, json};
use simulator::{Fault, Federation, Issuer, IssuerOptions, Params, Running, Signing};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

type Sent = Arc<Mutex<Vec<Value>>>;

/// A registry that has nothing and takes everything.
async fn registry() -> (String, Sent) {
    async fn take(State(sent): State<Sent>, Json(mut body): Json<Value>) -> (StatusCode, Json<Value>) {
        sent.lock().unwrap().push(body["document"].take());
        let done = json!({
            "uid": "u", "outcome": "created", "added": 1, "changed": 0, "removed": 0, "held_back": null,
            "status": "active", "recorded": true, "digest": "d",
        });
        (StatusCode::CREATED, Json(done))
    }
    let sent = Sent::default();
    let router = Router::new()
        .route("/api/v1/providers", get(|| async { Json(json!([])) }))
        .route("/api/v1/feeder/providers", put(take))
        .route(
            "/api/v1/feeder/lease",
            put(|| async { Json(json!({"holder": "h", "fence": 1, "expires": "2030-01-01T00:00:00Z"})) }),
        )
        .route("/api/v1/feeder/runs/{id}", put(|| async { StatusCode::NO_CONTENT }))
        .with_state(Arc::clone(&sent));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    (url, sent)
}

/// One run of the feeder; what it reports, and what it sent, by provider.
async fn feed(running: &Running) -> (Report, BTreeMap<String, Value>) {
    let folder = tempfile::tempdir().unwrap();
    let providers = folder.path().join("providers.yaml");
    let token = running.issuer().token(&running.feeder()).unwrap();
    std::fs::write(&providers, running.providers_yaml(&token)).unwrap();
    let (registry, sent) = registry().await;
    let settings = Settings { providers, registry, ..Settings::default() };
    let report = run_once(&settings, Arc::new(Silent), CancellationToken::new()).await.unwrap();
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    (
        report,
        sent.into_iter().map(|document| (document["name"].as_str().unwrap().to_owned(), document)).collect(),
    )
}

/// A document as the registry understands it: defaults filled in, order gone.
fn understood(document: &Value) -> Value {
    fn plain(item: &Item) -> Value {
        let entity = Schema::get().entity(item.kind);
        let mut out = Map::new();
        for (place, field) in entity.fields.iter().enumerate() {
            out.insert(field.name.to_owned(), item.value(entity, place).to_json());
        }
        let mut projects = item.projects.clone();
        projects.sort();
        out.insert("#shared".to_owned(), item.shared.into());
        out.insert("#projects".to_owned(), projects.into());
        let relationship: Vec<_> = item.relationship.iter().map(schema::Value::to_json).collect();
        out.insert("#relationship".to_owned(), relationship.into());
        for child in entity.decl.children {
            let mut children: Vec<_> =
                item.children_named(Schema::get(), child.name).iter().map(plain).collect();
            children.sort_by_key(Value::to_string);
            out.insert(child.name.to_owned(), children.into());
        }
        Value::Object(out)
    }
    match provider(Schema::get(), document, Reading::default(), &[]) {
        Ok(item) => plain(&item),
        Err(faults) => panic!("{faults:?}\n{document:#}"),
    }
}

/// Where two documents differ first.
fn difference(one: &Value, other: &Value, path: &str) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            a.iter().find_map(|(key, value)| difference(value, b.get(key)?, &format!("{path}.{key}")))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut both = a.iter().zip(b).enumerate();
            both.find_map(|(place, (one, other))| difference(one, other, &format!("{path}[{place}]")))
        }
        _ => (one != other).then(|| format!("{path}: {one:#} must be {other:#}")),
    }
}

async fn issuer() -> Issuer {
    Issuer::start(IssuerOptions { signing: Signing::Es256, ..IssuerOptions::default() }).await.unwrap()
}

fn assert_all_sent(running: &Running, sent: &BTreeMap<String, Value>) {
    for wanted in running.documents() {
        let name = wanted["name"].as_str().unwrap();
        let got = sent.get(name).unwrap_or_else(|| panic!("nothing was sent for {name}"));
        let difference = difference(&understood(got), &understood(&wanted), name);
        assert_eq!(difference, None);
    }
    assert_eq!(sent.len(), running.sites().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sends_what_the_simulator_says_it_must() {
    let params = Params { openstack: 8, kubernetes: 2, regions: 2, projects: 3, ..Params::demo() };
    for page_size in [1000, 3] {
        let running = Federation::new(21, params.clone()).start(&issuer().await).await.unwrap();
        running.sites().iter().for_each(|site| site.configure(|settings| settings.page_size = page_size));
        let (report, sent) = feed(&running).await;
        assert!(!report.failed(), "{}", report.table());
        assert_all_sent(&running, &sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_is_left_out_and_all_else_is_sent() {
    let running = Federation::new(4, Params::demo()).start(&issuer().await).await.unwrap();
    running.sites()[1].faults().set("/flavors", Fault::HalfBody);
    let broken = running.sites()[1].provider().name.clone();
    let (report, mut sent) = feed(&running).await;
    assert!(report.failed());
    let told = report.providers.iter().find(|provider| provider.key.name == broken).unwrap();
    assert!(
        !told.unread.is_empty()
            && told.unread.iter().all(|unread| unread.list.as_ref().unwrap().name == "flavors")
    );
    running.sites()[1].faults().clear();
    let (report, again) = feed(&running).await;
    assert!(!report.failed(), "{}", report.table());
    assert_ne!(sent[&broken], again[&broken]);
    sent.insert(broken.clone(), again[&broken].clone());
    assert_all_sent(&running, &sent);
}
