//! In which order a list comes: 7 and 38.

use super::{
    common::Registry,
    world::{site_b, small, texts, uid},
};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn p07_sorting() {
    let registry = Registry::start().await;
    let flavor = |name: &str, ram: i64, model: Json| json!({ "name": name, "uuid": format!("u-{name}"), "ram": ram, "gpus": 1, "gpu_model": model });
    let flavors = json!([
        flavor("b", 1, "y".into()),
        flavor("a", 10, Json::Null),
        flavor("c", 9, "x".into()),
        flavor("d", 2, Json::Null),
    ]);
    registry.post(&small("S", flavors, json!([]))).await;
    let names = async |sort: &str| registry.texts(&format!("/flavors?sort={sort}"), "name").await.concat();
    for sort in ["name", "name_asc"] {
        assert_eq!(names(sort).await, "abcd", "{sort}");
    }
    for sort in ["-name", "name_desc", "-name_asc", "-name_desc"] {
        assert_eq!(names(sort).await, "dcba", "{sort}");
    }
    assert_eq!(names("ram").await, "bdca", "numbers as numbers");
    assert_eq!(names("").await, "bacd", "an empty one is none");

    // missing values last, ties by uid; all the other way round when descending
    let up = registry.list("/flavors?sort=gpu_model").await;
    assert_eq!(texts(&up, "gpu_model"), ["x", "y", "null", "null"]);
    assert!(uid(&up[2]) < uid(&up[3]));
    let mut down = registry.list("/flavors?sort=-gpu_model").await;
    down.reverse();
    assert_eq!(up, down);
    let ties = registry.list("/flavors?sort=description").await;
    assert!(ties.is_sorted_by_key(uid), "all equal: by uid");
    assert_eq!(ties, registry.list("/flavors?sort=uid").await);
    let ties = registry.list("/flavors?sort=-gpus").await;
    assert!(ties.iter().rev().is_sorted_by_key(uid));
}

#[tokio::test]
async fn p38_without_sort_a_list_comes_in_order_of_creation_whatever_happens_to_it() {
    let registry = Registry::start().await;
    registry.post(&super::world::site_a()).await;
    let paths: Vec<&str> = super::world::entities().collect();
    let before: Vec<Vec<String>> = lists(&registry, &paths).await;
    assert!(before.iter().any(|list| list.len() > 3));
    // more nodes come after those that are there
    registry.post(&site_b()).await;
    let projects = registry.texts("/projects", "name").await;
    assert_eq!(projects, ["p1", "p2", "p3", "ns1", "ns2", "ns3"]);
    // changed ones stay where they are
    let first = uid(&registry.list("/projects").await[0]);
    registry.patch(&format!("/projects/{first}"), &json!({ "name": "zzz" })).await;
    assert_eq!(registry.texts("/projects", "name").await, ["zzz", "p2", "p3", "ns1", "ns2", "ns3"]);
    let all = lists(&registry, &paths).await;
    for (before, after) in before.iter().zip(&all) {
        assert_eq!(after[..before.len()], before[..]);
    }
    // the same at every call, and after a restart
    assert_eq!(lists(&registry, &paths).await, all);
    let registry = Registry::start_on(registry.stopped().await, |_| {}).await;
    assert_eq!(lists(&registry, &paths).await, all);
}

async fn lists(registry: &Registry, paths: &[&str]) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    for path in paths {
        lists.push(registry.texts(&format!("/{path}"), "uid").await);
    }
    lists
}

#[tokio::test]
async fn p38_there_is_no_default_limit() {
    let registry = Registry::start().await;
    let flavors: Vec<Json> = (0..1500).map(|n| json!({ "name": "f", "uuid": format!("f{n}") })).collect();
    registry.post(&small("S", flavors.into(), json!([]))).await;
    assert_eq!(registry.list("/flavors").await.len(), 1500);
    let first = registry.list("/flavors?limit=3").await;
    assert_eq!(texts(&first, "uuid"), ["f0", "f1", "f2"]);
}
