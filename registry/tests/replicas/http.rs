//! What clients of replicas see over HTTP: nothing older than they know, and true answers while the store is away.

use crate::{
    common::{example, read},
    flaky::{Flaky, Mode},
    world::{embedded, until},
};
use registry::{
    service::{Backing, Service},
    settings::Settings,
    store::Store,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value as Json, json};
use simulator::{Issuer, IssuerOptions, Subject};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A second of what is promised, as a machine that builds and tests beside it keeps it.
const SECOND: Duration = Duration::from_secs(3);

pub struct Served {
    url: String,
    admin: String,
    client: reqwest::Client,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Served {
    pub async fn start(issuer: &Issuer, store: Arc<dyn Store>, snapshot: Option<PathBuf>) -> Self {
        let settings: Settings = serde_json::from_value(json!({
            "listen": "127.0.0.1:0",
            "limits": { "notice_seconds": 0, "drain_seconds": 1 },
            "auth": {
                "issuers": [{ "issuer": issuer.url() }],
                "administrators": [{ "issuer": issuer.url(), "group": "admins" }],
            },
        }))
        .unwrap();
        let backing = Backing { store, shared: true, snapshot };
        let service = Service::start_on(&settings, backing).await.unwrap();
        let address = service.address().unwrap();
        let stop = CancellationToken::new();
        Self {
            url: format!("http://{address}"),
            admin: issuer.token(&Subject::new("admin").groups(["admins"])).unwrap(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            running: tokio::spawn(service.run(stop.clone())),
            stop,
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.admin)
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Json) {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn ready(&self) -> (StatusCode, Json) {
        read(self.client.get(format!("{}/readyz", self.url)).send().await.unwrap()).await
    }

    pub async fn create(&self, name: &str) -> Response {
        let mut document = example("post_provider_openstack")["request"]["body"].clone();
        document["name"] = name.into();
        self.request(Method::POST, "/api/v1/providers").json(&document).send().await.unwrap()
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn head<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

async fn issuer() -> Issuer {
    Issuer::start(IssuerOptions::default()).await.unwrap()
}

#[tokio::test]
async fn what_one_replica_answered_another_never_contradicts() {
    let (issuer, (store, _folder)) = (issuer().await, embedded(1000));
    let one = Served::start(&issuer, Arc::clone(&store), None).await;
    let two = Served::start(&issuer, store, None).await;
    for n in 0..10 {
        let (writer, other) = if n % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let created = writer.create(&format!("SITE-{n}")).await;
        assert_eq!(created.status(), StatusCode::CREATED);
        let (tag, revision) = (head(&created, "etag").to_owned(), head(&created, "x-revision").to_owned());
        let path = format!("/api/v1/providers/?name=SITE-{n}");
        for known in [&revision, &tag] {
            let seen =
                other.request(Method::GET, &path).header("X-Min-Revision", known).send().await.unwrap();
            assert_eq!(seen.status(), StatusCode::OK);
            assert_eq!(head(&seen, "etag"), tag, "replicas give a state the same name");
            assert_eq!(read(seen).await.1.as_array().unwrap().len(), 1);
        }
        let uid = read(created).await.1["uid"].as_str().unwrap().to_owned();
        // If-Match waits by itself
        let patched = other
            .request(Method::PATCH, &format!("/api/v1/providers/{uid}"))
            .header(header::IF_MATCH, &tag)
            .json(&json!({ "description": n.to_string() }));
        let patched = patched.send().await.unwrap();
        assert_eq!(patched.status(), StatusCode::OK);
        let newest = head(&patched, "etag").to_owned();
        let unchanged = writer.request(Method::GET, &path).header(header::IF_NONE_MATCH, &newest);
        assert_eq!(
            unchanged.send().await.unwrap().status(),
            StatusCode::NOT_MODIFIED,
            "so does If-None-Match"
        );
        let stale = writer.request(Method::DELETE, &format!("/api/v1/providers/{uid}"));
        let stale = stale.header(header::IF_MATCH, &tag).send().await.unwrap();
        assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
        let deleted =
            other.request(Method::DELETE, &format!("/api/v1/providers/{uid}")).send().await.unwrap();
        assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
        let known = head(&deleted, "x-revision").to_owned();
        let gone = writer.request(Method::GET, &path).header("X-Min-Revision", known).send().await.unwrap();
        assert_eq!(read(gone).await.1, json!([]));
    }
    let (epoch, _) = {
        let answer = one.request(Method::GET, "/api/v1/regions").send().await.unwrap();
        let text = head(&answer, "x-revision").to_owned();
        text.split_once('-').map(|(epoch, rest)| (epoch.to_owned(), rest.to_owned())).unwrap()
    };
    for (known, status) in [
        (format!("{epoch}-9999"), StatusCode::SERVICE_UNAVAILABLE),
        ("00000000-1".to_owned(), StatusCode::PRECONDITION_FAILED),
        ("soon".to_owned(), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = one.request(Method::GET, "/api/v1/regions").header("X-Min-Revision", &known);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), status, "{known}");
        let retry = answer.headers().contains_key(header::RETRY_AFTER);
        assert_eq!(retry, status == StatusCode::SERVICE_UNAVAILABLE);
        assert!(!read(answer).await.1["detail"].is_null());
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn without_its_store_it_starts_says_so_and_comes_up_by_itself() {
    let (issuer, (store, _folder)) = (issuer().await, embedded(1000));
    let flaky = Flaky::new(store, 1);
    flaky.set(Mode::Gone);
    let served = Served::start(&issuer, Arc::clone(&flaky) as Arc<dyn Store>, None).await;
    let (status, body) = served.ready().await;
    assert_eq!(
        (status, &body["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("no graph yet")),
        "{body}"
    );
    assert!(body["since"].is_string(), "{body}");
    let answer = served.request(Method::GET, "/api/v1/providers").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(served.create("SITE-A").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(served.get("/healthz").await.0, StatusCode::OK);
    flaky.set(Mode::Well);
    until("ready", SECOND * 2, async || served.ready().await.0 == StatusCode::OK).await;
    assert_eq!(served.create("SITE-A").await.status(), StatusCode::CREATED);
    assert_eq!(served.ready().await.1.get("since"), None);
    served.stop().await;
}

#[tokio::test]
async fn with_a_file_it_serves_what_was_known_last_until_the_store_is_there() {
    let (issuer, (store, _folder)) = (issuer().await, embedded(1000));
    let files = tempfile::tempdir().unwrap();
    let file = Some(files.path().join("last.jsonl"));
    let flaky = Flaky::new(store, 1);
    let start = async || Served::start(&issuer, Arc::clone(&flaky) as Arc<dyn Store>, file.clone()).await;
    let served = start().await;
    let tag = head(&served.create("SITE-A").await, "etag").to_owned();
    served.stop().await;
    assert_eq!(std::fs::read_dir(files.path()).unwrap().count(), 1, "nothing else is left beside it");

    flaky.set(Mode::Gone);
    let served = start().await;
    let (status, body) = served.ready().await;
    assert_eq!((status, body["store"].is_string()), (StatusCode::OK, true), "{body}");
    let answer = served.request(Method::GET, "/api/v1/providers/").send().await.unwrap();
    assert_eq!(head(&answer, "etag"), tag, "the state has its name");
    assert_eq!(read(answer).await.1[0]["name"], "SITE-A");
    let refused = served.create("SITE-B").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    flaky.set(Mode::Well);
    let created = async || served.create("SITE-B").await.status() == StatusCode::CREATED;
    until("written again", SECOND * 2, created).await;
    served.stop().await;

    flaky.set(Mode::Hung);
    let served = start().await;
    let (_, providers) = served.get("/api/v1/providers/").await;
    assert_eq!(providers.as_array().unwrap().len(), 2, "a store that hangs is no better than none");
    std::fs::write(file.as_ref().unwrap(), "{\"federation_registry\":").unwrap();
    let damaged = start().await;
    assert_eq!(damaged.ready().await.0, StatusCode::SERVICE_UNAVAILABLE, "half a file is not served");
    flaky.set(Mode::Well);
    until("ready", SECOND * 2, async || damaged.ready().await.0 == StatusCode::OK).await;
    served.stop().await;
    damaged.stop().await;
}

#[tokio::test]
async fn while_the_store_is_away_every_read_is_answered_and_every_write_refused_within_two_seconds() {
    let (issuer, (store, _folder)) = (issuer().await, embedded(1000));
    let flaky = Flaky::new(store, 1);
    let served = Served::start(&issuer, Arc::clone(&flaky) as Arc<dyn Store>, None).await;
    assert_eq!(served.create("SITE-A").await.status(), StatusCode::CREATED);
    for mode in [Mode::Gone, Mode::Hung] {
        flaky.set(mode);
        let began = std::time::Instant::now();
        let mut n = 0;
        while began.elapsed() < Duration::from_secs(2) {
            n += 1;
            let sent = std::time::Instant::now();
            let refused = served.create(&format!("SITE-{n}")).await;
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(refused.headers().contains_key(header::RETRY_AFTER));
            assert!(sent.elapsed() < SECOND * 2, "{mode:?}: {:?}", sent.elapsed());
            let (status, providers) = served.get("/api/v1/providers/").await;
            assert_eq!(status, StatusCode::OK);
            assert!(!providers.as_array().unwrap().is_empty());
        }
        assert!(n > 3);
        flaky.set(Mode::Well);
        let name = format!("BACK-{mode:?}");
        let back = async || served.create(&name).await.status() == StatusCode::CREATED;
        let took = until("written again", SECOND * 2, back).await;
        println!("{mode:?}: {n} writes refused, back after {took:?}");
    }
    let metrics = read_text(&served, "/metrics").await;
    for name in ["fedreg_store_up 1", "fedreg_store_commits_total", "fedreg_store_commit_seconds_bucket"] {
        assert!(metrics.contains(name), "{name}");
    }
    served.stop().await;
}

async fn read_text(served: &Served, path: &str) -> String {
    served.request(Method::GET, path).send().await.unwrap().text().await.unwrap()
}
