//! A federation as a feeder makes it: clouds and clusters of several sites, two issuers, shared agreements.

use super::common::{Registry, example};
use reqwest::{Method, StatusCode};
use serde_json::Value as Json;
use simulator::Params;

/// The documents of a whole federation, and the two of the contract's examples. All describe alike what they share:
/// else each would change what the one before it wrote.
pub fn documents() -> Vec<Json> {
    let examples = ["post_provider_openstack", "post_provider_kubernetes"];
    let mut examples = examples.map(|name| example(name)["request"]["body"].clone());
    for shared in ["/identity_providers/0", "/identity_providers/0/user_groups/0", "/regions/0/location"] {
        examples[0].pointer_mut(shared).unwrap().as_object_mut().unwrap().remove("description");
    }
    examples[0]["identity_providers"][1]["group_claim"] = "groups".into();
    simulator::documents(7, &Params::demo()).chain(examples).collect()
}

pub async fn federation() -> Registry {
    let registry = Registry::start().await;
    for document in documents() {
        let (status, body) = registry.send(Method::POST, "/providers", Some(&document)).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
    }
    registry
}

/// Group and issuer of every agreement, once.
pub fn groups() -> Vec<(String, String)> {
    let mut groups = Vec::new();
    for document in documents() {
        for idp in document["identity_providers"].as_array().unwrap() {
            for group in idp["user_groups"].as_array().unwrap() {
                groups.push((text(&group["name"]), text(&idp["endpoint"])));
            }
        }
    }
    groups.sort();
    groups.dedup();
    groups
}

pub fn text(json: &Json) -> String {
    json.as_str().unwrap_or_else(|| panic!("no text: {json}")).to_owned()
}

/// The items of a list whose key must be there.
pub fn items<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    json[name].as_array().unwrap_or_else(|| panic!("no list {name} in {json}"))
}

/// What is there and not null.
pub fn there<'a>(json: &'a Json, way: &str) -> &'a Json {
    let found = json.pointer(way).filter(|found| !found.is_null());
    found.unwrap_or_else(|| panic!("{way} is missing or null in {json}"))
}
