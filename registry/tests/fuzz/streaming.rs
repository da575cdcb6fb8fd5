//! Answers of several megabytes: in pieces, of one snapshot, the same as their parts, compressed when asked for.

use super::common::Registry;
use axum::{
    body::{Body, HttpBody},
    extract::Request,
};
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::BodyExt;
use registry::{
    api::{self, App, Options, Readiness, Throttle},
    auth::{Authenticator, SystemClock},
    federation::{Author, Federation, Snapshot},
    graph::{plan, uid::Uid},
    settings::Settings,
    store::embedded::Embedded,
};
use reqwest::{Client, Method, StatusCode, header};
use schema::{Schema, document};
use serde_json::{Value as Json, json};
use simulator::Params;
use std::sync::Arc;
use tower::ServiceExt;

/// What the first piece of an answer may weigh: the largest answer that is kept, and one node more. So much of each
/// answer is in memory at once, and no more.
const PIECE: usize = 5 << 20;

async fn large() -> Registry {
    let registry = Registry::start().await;
    for document in simulator::documents(1, &Params::benchmark(100)) {
        let (status, body) = registry.send(Method::POST, "/providers", Some(&document)).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
    registry
}

/// A client that asks for no compression: it would take most of a test's time.
fn plain() -> Client {
    Client::builder().no_proxy().no_gzip().build().unwrap()
}

async fn bytes(registry: &Registry, client: &Client, target: &str) -> Bytes {
    let request = client.get(format!("{}{target}", registry.url)).bearer_auth(&registry.admin);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{target}");
    response.bytes().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers() {
    let registry = large().await;
    equals_its_parts(&registry).await;
    comes_in_pieces_of_one_snapshot(&registry).await;
    is_compressed_when_asked_for(&registry).await;
    costs_nothing_when_known(&registry).await;
}

async fn equals_its_parts(registry: &Registry) {
    let client = plain();
    for path in ["providers", "user_groups"] {
        let get = async |target: &str| bytes(registry, &client, target).await;
        let whole = get(&format!("/{path}?with_conn=true")).await;
        assert!(whole.len() > 1 << 20, "{path}: {}", whole.len());
        let uids: Json = serde_json::from_slice(&get(&format!("/{path}")).await).unwrap();
        let mut at = 0;
        for (i, item) in uids.as_array().unwrap().iter().enumerate() {
            assert_eq!(whole[at], if i == 0 { b'[' } else { b',' });
            at += 1;
            let part = get(&format!("/{path}/{}?with_conn=true", item["uid"].as_str().unwrap())).await;
            assert!(whole[at..].starts_with(&part), "{path} {i}");
            at += part.len();
        }
        assert_eq!(&whole[at..], b"]");
        // and of its pages
        let mut pages = Vec::new();
        for page in 0..20 {
            let page = get(&format!("/{path}?with_conn=true&size=7&page={page}")).await;
            if &page[..] == b"[]" {
                break;
            }
            pages.push(page[1..page.len() - 1].to_vec());
        }
        assert!(whole[1..whole.len() - 1] == pages.join(&b','), "{path}");
    }
}

async fn comes_in_pieces_of_one_snapshot(registry: &Registry) {
    let path = "/providers?with_conn=true";
    let client = plain();
    let before = bytes(registry, &client, path).await;
    let request = client.get(format!("{}{path}", registry.url)).bearer_auth(&registry.admin);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[header::TRANSFER_ENCODING], "chunked");
    assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
    let tag = response.headers()[header::ETAG].clone();
    let mut pieces = response.bytes_stream();
    let mut whole = pieces.next().await.unwrap().unwrap().to_vec();
    // everything changes while the answer is on its way
    let providers: Json = registry.admin_get("/providers").await;
    for provider in providers.as_array().unwrap() {
        let uid = provider["uid"].as_str().unwrap();
        let (status, _) = registry
            .send(Method::PATCH, &format!("/providers/{uid}"), Some(&json!({ "description": "changed" })))
            .await;
        assert_eq!(status, StatusCode::OK);
    }
    let first = providers[0]["uid"].as_str().unwrap();
    let (status, _) = registry.send(Method::DELETE, &format!("/providers/{first}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece.unwrap());
    }
    assert!(whole == before, "as it was when it was asked for");
    assert!(whole.len() > PIECE, "large enough to be written while it is sent");
    let now =
        client.head(format!("{}{path}", registry.url)).bearer_auth(&registry.admin).send().await.unwrap();
    assert_ne!(now.headers()[header::ETAG], tag);
    assert!(bytes(registry, &client, path).await != before);
    let left = registry.admin_get("/providers").await;
    assert_eq!(left.as_array().unwrap().len(), providers.as_array().unwrap().len() - 1);
}

async fn is_compressed_when_asked_for(registry: &Registry) {
    for path in ["/providers?with_conn=true", "/flavors", "/providers?limit=1"] {
        let get = |encoding: &'static str| {
            let request = plain().get(format!("{}{path}", registry.url)).bearer_auth(&registry.admin);
            async move { request.header(header::ACCEPT_ENCODING, encoding).send().await.unwrap() }
        };
        let raw = get("identity").await;
        assert!(!raw.headers().contains_key(header::CONTENT_ENCODING));
        let raw = raw.bytes().await.unwrap();
        let packed = get("deflate, gzip;q=0.8").await;
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip", "{path}");
        let vary: Vec<_> = packed
            .headers()
            .get_all(header::VARY)
            .iter()
            .map(|text| text.to_str().unwrap().to_lowercase())
            .collect();
        assert!(vary.join(",").contains("accept-encoding"), "{vary:?}");
        let packed = packed.bytes().await.unwrap();
        assert_eq!(&packed[..2], b"\x1f\x8b");
        assert!(packed.len() < raw.len(), "{path}: {} of {}", packed.len(), raw.len());
        // this client asks for gzip and unpacks it
        let unpacked = registry.request(Method::GET, path, Some(&registry.admin)).send().await.unwrap();
        assert!(unpacked.bytes().await.unwrap() == raw, "{path}");
    }
}

async fn costs_nothing_when_known(registry: &Registry) {
    for path in ["/providers?with_conn=true", "/flavors", "/projects?with_conn=true"] {
        let head = registry.request(Method::HEAD, path, Some(&registry.admin)).send().await.unwrap();
        let tag = head.headers()[header::ETAG].clone();
        for method in [Method::GET, Method::HEAD] {
            let request =
                plain().request(method, format!("{}{path}", registry.url)).bearer_auth(&registry.admin);
            let answer = request.header(header::IF_NONE_MATCH, &tag).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(answer.headers()[header::ETAG], tag);
            assert!(!answer.headers().contains_key(header::TRANSFER_ENCODING));
            assert_eq!(answer.bytes().await.unwrap().len(), 0);
        }
    }
}

/// What leaves the server, piece by piece as it is asked for: that much memory a request takes, whatever its answer.
#[tokio::test]
async fn pieces_are_made_one_at_a_time_and_small() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(Schema::get(), folder.path(), 10).unwrap());
    for (kept, first_piece) in [(0, 1 << 20), (8 << 20, PIECE)] {
        let federation =
            Federation::open(Schema::get(), store.clone(), chrono::Utc::now, [1; 32], kept).await.unwrap();
        let federation = Arc::new(federation);
        if federation.snapshot().graph.is_empty() {
            for json in simulator::documents(1, &Params::benchmark(60)) {
                let item =
                    document::provider(Schema::get(), &json, document::Reading::default(), &[]).unwrap();
                let author =
                    Author { who: "test".to_owned(), what: "test".to_owned(), request: String::new() };
                let plan = move |now: &Snapshot, fresh: &mut dyn FnMut() -> Uid| {
                    plan::create(&now.graph, &item, fresh)
                };
                federation.write(author, plan).await.unwrap();
            }
        }
        let settings = Settings { base_path: String::new(), ..Settings::default() };
        let clock = Arc::new(SystemClock::new());
        let app = App {
            federation,
            authenticator: Arc::new(Authenticator::new(&settings.auth, clock.clone()).unwrap()),
            options: Options::from(&settings),
            throttle: Arc::new(Throttle::new(&settings.limits.rates, clock)),
            followers: Arc::new(tokio::sync::Semaphore::new(1)),
            readiness: Readiness::default(),
            metrics: api::metrics_handle().unwrap(),
        };
        let request = Request::get("/providers?with_conn=true").body(Body::empty()).unwrap();
        let response = api::router(Arc::new(app)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body();
        assert_eq!(body.size_hint().exact(), None, "the length is not known: nobody has written it all");
        let (mut pieces, mut whole) = (0, Vec::new());
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(
                piece.len() < if pieces == 0 { first_piece } else { 1 << 20 },
                "{pieces}: {}",
                piece.len()
            );
            whole.extend_from_slice(&piece);
            pieces += 1;
        }
        assert!(
            body.frame().await.is_none(),
            "whoever asks once more after the end is told that it is the end"
        );
        assert!(pieces > 2, "{pieces}");
        let items: Json = serde_json::from_slice(&whole).unwrap();
        assert_eq!(items.as_array().unwrap().len(), 60);
    }
}
