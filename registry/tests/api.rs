//! What holds for every endpoint: who may, conditional requests, limits, health, stopping.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{Registry, example, read, store::TestStore};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value as Json, json};
use simulator::Subject;
use std::time::Duration;

async fn filled() -> (Registry, String) {
    let registry = Registry::start().await;
    let document = &example("post_provider_openstack")["request"]["body"];
    let response = registry
        .request(Method::POST, "/providers", Some(&registry.admin))
        .json(document)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    let location = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    assert!(response.headers().contains_key(header::ETAG));
    let (_, body) = read(response).await;
    let uid = body["uid"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/api/v1/providers/{uid}"));
    (registry, uid)
}

#[tokio::test]
async fn reading_and_writing_need_what_the_contract_says() {
    let (registry, uid) = filled().await;
    let expired = registry.issuer.token(&Subject::new("admin").groups(["admins"]).ttl(-10)).unwrap();
    let path = format!("/providers/{uid}");
    let body = json!({ "description": "x" });
    let expect = [
        // 1: no token on a write and a bad one anywhere are 401, known but not allowed is 403
        (Method::PATCH, None, 401),
        (Method::PATCH, Some("no.token.atall"), 401),
        (Method::PATCH, Some(expired.as_str()), 401),
        (Method::PATCH, Some(registry.reader.as_str()), 403),
        (Method::DELETE, None, 401),
        (Method::DELETE, Some(registry.reader.as_str()), 403),
        (Method::PUT, Some(registry.reader.as_str()), 403),
        (Method::GET, None, 200),
        (Method::GET, Some("no.token.atall"), 401),
        (Method::GET, Some(expired.as_str()), 401),
        (Method::GET, Some(registry.reader.as_str()), 200),
    ];
    for (method, token, status) in expect {
        let response = registry.request(method.clone(), &path, token).json(&body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} with {token:?}");
        let challenge =
            response.headers().get(header::WWW_AUTHENTICATE).map(|text| text.to_str().unwrap().to_owned());
        assert_eq!(challenge.is_some(), status == 401 || (status == 403 && challenge.is_some()), "{method}");
        if status >= 400 {
            assert!(read(response).await.1["detail"].is_string(), "detail is a text");
        }
    }
    // 2: who may not is told so before anything is said of the body or the uid
    let (status, _) = read(
        registry.request(Method::PUT, "/providers/x", Some(&registry.reader)).body("{").send().await.unwrap(),
    )
    .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // 3: anonymous callers learn no private attribute by filter or order
    for query in ["is_public=true", "sort=status", "support_emails__contains=ops"] {
        assert_eq!(
            registry.get(&format!("/providers/?{query}"), None).await.0,
            StatusCode::UNAUTHORIZED,
            "{query}"
        );
    }
    assert_eq!(registry.get("/providers/?name=SITE-A&sort=-type", None).await.0, StatusCode::OK);
    let (_, anonymous) = registry.get(&path, None).await;
    assert_eq!(anonymous["schema_type"], "public");
    assert!(anonymous.get("status").is_none());
}

#[tokio::test]
async fn conditional_requests() {
    let (registry, uid) = filled().await;
    let path = format!("/providers/{uid}");
    let get = async |tag: Option<&str>| {
        let request = registry.request(Method::GET, "/flavors?with_conn=true", Some(&registry.admin));
        let request = match tag {
            Some(tag) => request.header(header::IF_NONE_MATCH, tag),
            None => request,
        };
        request.send().await.unwrap()
    };
    let first = get(None).await;
    let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    let again = get(Some(&tag)).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.bytes().await.unwrap().len(), 0);
    assert_eq!(get(Some("W/\"other\"")).await.status(), StatusCode::OK);

    let patch = async |tag: &str, text: &str| {
        let request =
            registry.request(Method::PATCH, &path, Some(&registry.admin)).header(header::IF_MATCH, tag);
        request.json(&json!({ "description": text })).send().await.unwrap()
    };
    let changed = patch(&tag, "one").await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_eq!(patch(&tag, "two").await.status(), StatusCode::PRECONDITION_FAILED, "somebody was faster");
    let now = changed.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(patch(&now, "one").await.status(), StatusCode::NOT_MODIFIED, "it is so already");
    assert_eq!(patch("*", "three").await.status(), StatusCode::OK);
    assert_eq!(get(Some(&tag)).await.status(), StatusCode::OK, "the state moved on");
}

#[tokio::test]
async fn methods_slashes_and_unknown_paths() {
    let (registry, uid) = filled().await;
    for path in ["/flavors", "/flavors/"] {
        assert_eq!(registry.get(path, None).await.0, StatusCode::OK, "{path}");
        let response = registry.request(Method::POST, path, Some(&registry.admin)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "GET,HEAD");
    }
    let head = registry.request(Method::HEAD, &format!("/providers/{uid}/"), None).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.bytes().await.unwrap().len(), 0);
    let (status, body) = registry.get("/nothing", None).await;
    assert_eq!((status, body), (StatusCode::NOT_FOUND, json!({ "detail": "Not Found" })));
    for uid in [uid.to_uppercase(), format!("{}-{}", &uid[..8], &uid[8..]), "%00".to_owned(), "é".to_owned()]
    {
        let (status, body) = registry.get(&format!("/providers/{uid}"), None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{uid}: {body}");
    }
}

#[tokio::test]
async fn bad_bodies_and_queries_are_told_and_never_fail() {
    let (registry, uid) = filled().await;
    let registry = &registry;
    let send = async |body: &str| {
        let request =
            registry.request(Method::POST, "/providers/", Some(&registry.admin)).body(body.to_owned());
        read(request.header(header::CONTENT_TYPE, "application/json").send().await.unwrap()).await
    };
    for (body, loc) in [
        ("", json!(["body"])),
        ("{\"name\": ", json!(["body", 9])),
        ("[1, 2]", json!(["body"])),
        ("{\"name\": \"a\\u0000b\", \"type\": \"openstack\"}", json!(["body", "name"])),
    ] {
        let (status, answer) = send(body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {answer}");
        assert_eq!(answer["detail"][0]["loc"], loc, "{body}");
    }
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert_eq!(send(&deep).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    for query in [
        "name=%zz",
        "name=%ff",
        "name__regex=(",
        "name__regex=(a{1000}){1000}",
        "limit=-1",
        "size=0",
        "page=x",
        "sort=colour",
        "short=maybe",
    ] {
        let (status, answer) = registry.get(&format!("/flavors/?{query}"), Some(&registry.admin)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {answer}");
    }
    for body in
        [json!({ "uid": "x" }), json!({ "name": null }), json!({ "type": "cloud" }), json!({ "regions": [] })]
    {
        let (status, answer) = registry.send(Method::PATCH, &format!("/providers/{uid}"), Some(&body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {answer}");
    }
}

#[tokio::test]
async fn a_body_larger_than_configured_is_refused() {
    let registry = Registry::start_with(|settings| settings.limits.body_bytes = 1000).await;
    let body = json!({ "name": "x".repeat(2000), "type": "openstack" });
    let (status, answer) = registry.send(Method::POST, "/providers/", Some(&body)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
}

#[tokio::test]
async fn the_page_and_the_document_need_nothing_from_outside() {
    let registry = Registry::start().await;
    let page = registry.request(Method::GET, "/docs/", None).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(page.contains("swagger"), "{page}");
    let outside = page.match_indices("http").map(|(at, _)| &page[at..page.len().min(at + 40)]);
    assert_eq!(outside.collect::<Vec<_>>(), Vec::<&str>::new(), "no outside address in the page");
    let (status, api) = registry.get("/openapi.json", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(api["openapi"], "3.1.0");
    assert!(api["paths"].as_object().unwrap().len() > 42, "two paths for each of 21 entities, and others");
}

#[tokio::test]
async fn health_metrics_and_an_orderly_end() {
    let mut registry = Registry::start_with(|settings| settings.limits.notice_seconds = 1).await;
    let root = registry.url.trim_end_matches("/api/v1").to_owned();
    let client = registry.client.clone();
    let get = async |path: &str| client.get(format!("{root}{path}")).send().await;
    assert_eq!(get("/healthz").await.unwrap().status(), StatusCode::OK);
    let ready: Json = get("/readyz").await.unwrap().json().await.unwrap();
    assert_eq!(ready["status"], "ready");
    registry.get("/flavors/?name=x", None).await;
    let metrics = get("/metrics").await.unwrap().text().await.unwrap();
    for line in ["fedreg_graph_nodes{kind=\"Flavor\"} 0", "path=\"/api/v1/flavors\""] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }

    registry.stop.cancel();
    let withdrawn = async {
        loop {
            let answer = get("/readyz").await.unwrap();
            if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), withdrawn).await.expect("not ready first");
    assert_eq!(
        registry.get("/providers/", None).await.0,
        StatusCode::OK,
        "still answering while it is noticed"
    );
    tokio::time::timeout(Duration::from_secs(10), &mut registry.running)
        .await
        .expect("then it stops")
        .unwrap();
    assert!(get("/healthz").await.is_err(), "and is gone");
}

#[tokio::test]
async fn a_second_registry_on_the_same_folder_or_port_is_told_so() {
    let registry = Registry::start_on(TestStore::embedded(), |_| {}).await;
    let settings = |listen: &str, path: &std::path::Path| -> registry::settings::Settings {
        serde_json::from_value(json!({
            "listen": listen,
            "store": { "kind": "embedded", "path": path },
            "auth": { "issuers": [{ "issuer": registry.issuer.url() }] },
        }))
        .unwrap()
    };
    let start =
        async |settings| registry::service::Service::start(&settings).await.err().unwrap().to_string();
    let other = tempfile::tempdir().unwrap();
    let sentence = start(settings("127.0.0.1:0", registry.store.folder.path())).await;
    assert!(sentence.contains("is in use by another process: stop that one"), "{sentence}");
    let address = registry.url.trim_start_matches("http://").trim_end_matches("/api/v1");
    let sentence = start(settings(address, other.path())).await;
    assert!(sentence.contains("Another process has this port"), "{sentence}");
    let file = other.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let sentence = start(settings("127.0.0.1:0", &file)).await;
    assert!(sentence.contains("Give a folder that this user may write to"), "{sentence}");
    registry.issuer.stop().await;
    let sentence = start(settings("127.0.0.1:0", other.path())).await;
    assert!(sentence.contains("issuers_required_at_start"), "{sentence}");
}
