//! One request for each operation of the OpenAPI document.

use super::common::{Registry, example};
use reqwest::Method;
use schema::Schema;
use serde_json::{Value as Json, json};

/// Asking for the lease.
pub const LEASE: &str = "/feeder/lease";
/// The record of a run, which gives the lease back.
pub const RUN: &str = "/feeder/runs/20260101-table?fence=";

/// One row of the table.
pub struct Case {
    /// Method and path as the document writes them, and what is special.
    pub name: String,
    pub method: Method,
    pub path: String,
    pub body: Option<Json>,
    /// Names another state of the graph, so that nothing is done.
    pub stale: bool,
}

/// Every operation of the document. One that is not known here fails the test: who may ask it must be decided.
pub async fn cases(registry: &Registry) -> Vec<Case> {
    let document = registry::api::openapi("/api/v1").unwrap();
    let site_a = registry.admin_get("/providers/?name=SITE-A").await[0]["uid"].as_str().unwrap().to_owned();
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let made = match schema_path(path) {
                Some((list, single)) => entity(registry, &method, path, list, single).await,
                None => vec![other(&method, path, &site_a)],
            };
            all.extend(made);
        }
    }
    assert!(all.len() > 80, "{}", all.len());
    all
}

/// The list of an entity, and what follows the uid if the path is that of one of them.
fn schema_path(path: &str) -> Option<(&'static str, Option<&str>)> {
    let (list, rest) = path.strip_prefix('/')?.split_once('/')?;
    let entity = Schema::get().entities.iter().find(|entity| entity.decl.path == list)?;
    match rest.strip_prefix(&format!("{{{}}}", entity.decl.uid_name)) {
        Some(below) if ["", "/history"].contains(&below) => Some((entity.decl.path, Some(below))),
        None if rest.is_empty() => Some((entity.decl.path, None)),
        _ => None,
    }
}

/// Operations that no declaration of an entity makes.
fn other(method: &str, path: &str, site_a: &str) -> Case {
    let at = "2026-01-01T00:00:00Z";
    let of_site_a = path.replace("{provider_uid}", site_a);
    let fixed = |path: &'static str| path.to_owned();
    let (path_and_query, body) = match (method, path) {
        ("GET", "/whoami") => (fixed("/whoami"), None),
        ("GET", "/changes") => (fixed("/changes?limit=1"), None),
        ("PUT", "/feeder/providers") => {
            let mut document = example("post_provider_openstack")["request"]["body"].clone();
            document["description"] = json!("read by a feeder");
            let sent = json!({"document": document, "read": {"at": at}, "removal_limit": 1.0});
            (fixed("/feeder/providers?dry_run=true"), Some(sent))
        }
        ("DELETE", "/feeder/providers/{provider_uid}") => (format!("{of_site_a}?dry_run=true"), None),
        ("PUT", "/feeder/lease") => (fixed(LEASE), Some(json!({"holder": "table", "seconds": 60}))),
        ("POST", "/feeder/runs") => (fixed("/feeder/runs"), Some(json!({}))),
        // the caller's lease is added when it has got one
        ("PUT", "/feeder/runs/{run_id}") => {
            (fixed(RUN), Some(json!({"started": at, "finished": at, "failed": false})))
        }
        // whoever is let through is told that it is not there
        ("GET", "/feeder/runs/{run_id}") => (fixed("/feeder/runs/nothing-at-all"), None),
        ("GET", "/feeder/lease" | "/feeder/runs" | "/freshness") => (path.to_owned(), None),
        ("GET", "/providers/{provider_uid}/freshness" | "/providers/{provider_uid}/offer") => {
            (of_site_a, None)
        }
        ("PUT", "/providers/{provider_uid}/offer") => (of_site_a, Some(json!({"at": at, "regions": {}}))),
        _ => panic!(
            "{method} {path} is not in the authorization table: add a request for it to `other`, look at the statuses, \
             and accept the table with INSTA_UPDATE=always"
        ),
    };
    Case {
        name: format!("{method} {path}"),
        method: method.parse().unwrap(),
        path: path_and_query,
        body,
        stale: false,
    }
}

async fn entity(
    registry: &Registry,
    method: &str,
    path: &str,
    list: &'static str,
    single: Option<&str>,
) -> Vec<Case> {
    let case = |special: &str, path_and_query: String, body: Option<Json>| Case {
        name: format!("{method} {path}{special}"),
        method: method.parse().unwrap(),
        path: path_and_query,
        body,
        stale: method == "DELETE",
    };
    let provider = || example("post_provider_openstack")["request"]["body"].clone();
    let Some(below) = single else {
        let body = (method == "POST")
            .then(|| json!({"name": "SITE-A", "type": "kubernetes", "projects": [], "regions": []}));
        return vec![case("", format!("/{list}/"), body)];
    };
    let mut made = Vec::new();
    for (special, uid) in targets(registry, list).await {
        let entity = registry.admin_get(&format!("/{list}/{uid}")).await;
        let body = match method {
            "PUT" => Some(provider()),
            "PATCH" => Some(json!({"description": entity["description"]})),
            _ => None,
        };
        made.push(case(special, format!("/{list}/{uid}{below}"), body));
    }
    made
}

/// An entity of SITE-A (storage classes are SITE-B's), and for kinds that providers share one that SITE-B has too.
async fn targets(registry: &Registry, list: &str) -> Vec<(&'static str, String)> {
    let (alone, shared) = match list {
        "providers" => ("name=SITE-A", None),
        "locations" => ("site=Site-Y", Some("site=Site-X")),
        "identity_providers" => {
            ("endpoint=https://iam-2.example.org/", Some("endpoint=https://iam-1.example.org/"))
        }
        "user_groups" => ("name=g3", Some("name=g1")),
        "slas" => {
            ("doc_uuid=a0000000000040008000000000000067", Some("doc_uuid=a0000000000040008000000000000065"))
        }
        "projects" => ("uuid=a0000000000040008000000000000001", None),
        "regions" => ("name=R1", None),
        _ => ("", None),
    };
    let mut found = Vec::new();
    for (special, query) in [("", Some(alone)), (" that SITE-B shares", shared)] {
        let Some(query) = query else { continue };
        let items = registry.admin_get(&format!("/{list}/?{query}&with_conn=true")).await;
        let items = items.as_array().unwrap();
        // the first provider was made first, and so were its entities
        let first = items.first().unwrap_or_else(|| panic!("no {list} with {query}"));
        let special = if list.starts_with("storage_class") { " of SITE-B" } else { special };
        found.push((special, first["uid"].as_str().unwrap().to_owned()));
    }
    found
}
