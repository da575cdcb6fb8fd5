//! The federation that most tests look at: the two providers of the contract's examples.

use super::common::{Registry, example};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

/// An OpenStack provider with two regions.
pub fn site_a() -> Json {
    example("post_provider_openstack")["request"]["body"].clone()
}

/// A Kubernetes provider that shares an SLA, an identity provider and a location with the first.
pub fn site_b() -> Json {
    example("post_provider_kubernetes")["request"]["body"].clone()
}

/// The uuid of the nth project of the first provider, as the examples count.
pub fn project(n: u8) -> String {
    format!("a000000000004000800000000000000{n}")
}

pub async fn filled() -> Registry {
    let registry = Registry::start().await;
    registry.post(&site_a()).await;
    registry.post(&site_b()).await;
    registry
}

/// A provider of one region with one compute service.
pub fn small(name: &str, flavors: Json, quotas: Json) -> Json {
    json!({
        "name": name, "type": "openstack",
        "projects": [{ "name": "p", "uuid": "p" }, { "name": "q", "uuid": "q" }],
        "regions": [{ "name": "R", "compute_services": [{
            "endpoint": "https://nova.example.org", "name": "org.openstack.nova",
            "flavors": flavors, "quotas": quotas,
        }] }],
    })
}

impl Registry {
    /// Adds a provider; its uid.
    pub async fn post(&self, document: &Json) -> String {
        let (status, body) = self.send(Method::POST, "/providers/", Some(document)).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        uid(&body)
    }

    pub async fn put(&self, uid: &str, document: &Json) -> (StatusCode, Json) {
        self.send(Method::PUT, &format!("/providers/{uid}"), Some(document)).await
    }

    pub async fn patch(&self, path: &str, body: &Json) -> (StatusCode, Json) {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) {
        let (status, body) = self.send(Method::DELETE, path, None).await;
        assert_eq!((status, body), (StatusCode::NO_CONTENT, Json::Null), "{path}");
    }

    /// What an administrator sees of a list.
    pub async fn list(&self, path: &str) -> Vec<Json> {
        match self.admin_get(path).await {
            Json::Array(items) => items,
            other => panic!("{path} is no list: {other}"),
        }
    }

    /// The only item of a list.
    pub async fn only(&self, path: &str) -> Json {
        let mut items = self.list(path).await;
        assert_eq!(items.len(), 1, "{path}: {items:?}");
        items.remove(0)
    }

    /// One text of each item of a list, in its order.
    pub async fn texts(&self, path: &str, name: &str) -> Vec<String> {
        texts(&self.list(path).await, name)
    }

    /// The status of a reading request, and the places of the faults.
    pub async fn faults(&self, path: &str) -> (u16, Vec<Json>) {
        let (status, body) = self.get(path, Some(&self.admin)).await;
        (status.as_u16(), locs(&body))
    }
}

pub fn uid(item: &Json) -> String {
    item["uid"].as_str().unwrap_or_else(|| panic!("no uid: {item}")).to_owned()
}

pub fn texts(items: &[Json], name: &str) -> Vec<String> {
    items.iter().map(|item| item[name].as_str().unwrap_or("null").to_owned()).collect()
}

/// The texts of a list within an item, sorted.
pub fn inner(item: &Json, list: &str, name: &str) -> Vec<String> {
    let items = item[list].as_array().unwrap_or_else(|| panic!("no list {list} in {item}"));
    let mut texts = texts(items, name);
    texts.sort();
    texts
}

/// The places of the faults in an answer.
pub fn locs(body: &Json) -> Vec<Json> {
    let faults = body["detail"].as_array().map(Vec::as_slice).unwrap_or_default();
    for fault in faults {
        let msg = fault["msg"].as_str().unwrap_or_default();
        assert!(msg.len() > 5, "every message says what is wrong: {fault}");
        assert!(fault["type"].is_string(), "{fault}");
    }
    faults.iter().map(|fault| fault["loc"].clone()).collect()
}

/// The entities by the name of their list.
pub fn entities() -> impl Iterator<Item = &'static str> {
    schema::Schema::get().entities.iter().map(|entity| entity.decl.path)
}
