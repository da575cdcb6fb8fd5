//! One line for every write and every refusal, and none for what was read. A program of its own, since it hears the log
//! of the whole process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{Registry, example};
use reqwest::{Method, StatusCode};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// The fields of each line of the target `audit`.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<BTreeMap<&'static str, String>>>>);

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}").trim_matches('"').to_owned();
        self.0.lock().unwrap().last_mut().unwrap().insert(field.name(), text);
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "audit"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(BTreeMap::new());
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_and_refusals_leave_one_line_each() {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).unwrap();
    let registry = Registry::start().await;
    let document = example("post_provider_openstack")["request"]["body"].clone();
    let (status, provider) = registry.send(Method::POST, "/providers/", Some(&document)).await;
    assert_eq!(status, StatusCode::CREATED, "{provider}");
    let one = format!("/providers/{}", provider["uid"].as_str().unwrap());
    let reader = registry.reader.clone();
    let bad = format!("{}x", &reader[..reader.len() - 5]);

    registry.get("/providers?secret=query", Some(&reader)).await;
    registry.get(&one, None).await;
    registry.get("/providers", Some(&bad)).await;
    let ask = |method, token| registry.request(method, &one, token).header("x-request-id", "the-request");
    let patch = serde_json::json!({ "description": "audited" });
    for token in [None, Some(reader.as_str()), Some(registry.admin.as_str()), Some(registry.admin.as_str())] {
        ask(Method::PATCH, token).json(&patch).send().await.unwrap();
    }
    ask(Method::DELETE, Some(&registry.admin)).send().await.unwrap();

    let lines = lines.0.lock().unwrap().clone();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let of = |name| line.get(name).map_or("", String::as_str);
            assert_eq!(of("client"), "127.0.0.1", "{line:?}");
            (of("method"), of("status"), of("outcome"), of("subject"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("POST", "201", "done", "admin"),
            ("GET", "401", "refused", ""),
            ("PATCH", "401", "refused", ""),
            ("PATCH", "403", "refused", "reader"),
            ("PATCH", "200", "done", "admin"),
            ("PATCH", "304", "unchanged", "admin"),
            ("DELETE", "204", "done", "admin"),
        ]
    );
    assert!(lines[2..].iter().all(|line| line["request"] == "the-request"), "{lines:?}");
    assert!(
        lines
            .iter()
            .filter(|line| line["subject"] == "admin")
            .all(|line| line["issuer"] == registry.issuer.url())
    );
    let all = format!("{lines:?}");
    for secret in [&registry.admin, &reader, &bad] {
        assert!(!all.contains(secret.as_str()), "a token is in the log");
    }
    assert!(!all.contains("query"));
}
