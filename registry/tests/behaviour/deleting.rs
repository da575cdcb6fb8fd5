//! What goes with what is deleted: 24. (`changes.rs` compares the cascade of any node of random federations with the
//! sentences of the contract; here they are read one by one, as clients see them.)

use super::{
    common::Registry,
    world::{filled, inner, uid},
};
use serde_json::{Value as Json, json};

async fn gone(registry: &Registry, query: &str) {
    let path =
        format!("/{}/{}", query.split('?').next().unwrap(), uid(&registry.only(&format!("/{query}")).await));
    registry.delete(&path).await;
    assert_eq!(registry.get(&path, None).await.0, 404);
}

async fn count(registry: &Registry, paths: &[&str]) -> Vec<usize> {
    let mut counts = Vec::new();
    for path in paths {
        counts.push(registry.list(&format!("/{path}")).await.len());
    }
    counts
}

#[tokio::test]
async fn p24_a_project_takes_its_quotas_and_leaves_what_only_it_could_use() {
    let registry = filled().await;
    let all = ["flavors", "images", "networks", "user_groups", "identity_providers"];
    let before = count(&registry, &all).await;
    gone(&registry, "projects?name=p1").await;
    assert_eq!(count(&registry, &all).await, before);
    for (query, left) in [
        ("flavors?name=gpu", 0),
        ("images?name=priv1", 0),
        ("networks?name=priv", 0),
        ("flavors?name=big", 1),
    ] {
        let item = registry.only(&format!("/{query}&with_conn=true")).await;
        assert_eq!(item["projects"].as_array().unwrap().len(), left, "{query}");
        assert_eq!(item["is_shared"], false);
    }
    assert_eq!(count(&registry, &["network_quotas", "object_store_quotas"]).await, [0, 0]);
    // its SLA stays for the project of the other provider; one that referred to it alone goes
    assert_eq!(registry.list("/slas?doc_uuid=a0000000000040008000000000000065").await.len(), 1);
    gone(&registry, "projects?name=p2").await;
    assert_eq!(registry.list("/slas?doc_uuid=a0000000000040008000000000000066").await, [Json::Null; 0]);
    assert_eq!(registry.only("/user_groups?name=g2&with_conn=true").await["slas"], json!([]));
}

#[tokio::test]
async fn p24_an_identity_provider_takes_its_groups_and_their_slas_for_all_providers() {
    let registry = filled().await;
    gone(&registry, "identity_providers?endpoint=https://iam-1.example.org/").await;
    assert_eq!(registry.texts("/user_groups", "name").await, ["g3"]);
    assert_eq!(registry.texts("/slas", "doc_uuid").await, ["a0000000000040008000000000000067"]);
    assert_eq!(registry.list("/projects").await.len(), 6, "projects stay");
    let slas: Vec<Json> = registry
        .list("/projects?with_conn=true&sort=name")
        .await
        .iter()
        .map(|project| project["sla"]["doc_uuid"].clone())
        .collect();
    assert_eq!(slas.iter().filter(|sla| !sla.is_null()).count(), 1);
    let provider = registry.only("/providers?name=SITE-B&with_conn=true").await;
    assert_eq!(provider["identity_providers"], json!([]));
}

#[tokio::test]
async fn p24_a_provider_keeps_what_others_share() {
    let registry = filled().await;
    let common = ["user_groups", "identity_providers", "locations"];
    let before = count(&registry, &common).await;
    gone(&registry, "providers?name=SITE-A").await;
    assert_eq!(count(&registry, &common).await, before);
    assert_eq!(
        registry.texts("/slas?sort=doc_uuid", "doc_uuid").await,
        ["a0000000000040008000000000000065", "a0000000000040008000000000000069"]
    );
    assert_eq!(registry.texts("/projects?sort=name", "name").await, ["ns1", "ns2", "ns3"]);
    assert_eq!(registry.texts("/regions", "name").await, ["default"]);
    gone(&registry, "providers?name=SITE-B").await;
    assert_eq!(count(&registry, &common).await, before);
    for path in super::world::entities().filter(|path| !common.contains(path)) {
        assert_eq!(count(&registry, &[path]).await, [0], "{path}");
    }
}

#[tokio::test]
async fn p24_regions_services_groups_and_storage_classes() {
    let registry = filled().await;
    gone(&registry, "storage_classes?name=fast").await;
    assert_eq!(
        count(&registry, &["storage_class_quotas", "storage_classes", "block_storage_services"]).await,
        [0, 1, 2]
    );
    gone(&registry, "user_groups?name=g4").await;
    assert_eq!(registry.list("/slas?doc_uuid=a0000000000040008000000000000069").await, [Json::Null; 0]);
    // a service takes the images that no other service offers
    gone(&registry, "compute_services?endpoint=https://a.example.org:8774/v2.1").await;
    assert_eq!(registry.texts("/images", "name").await, ["ubuntu"]);
    let image = registry.only("/images?with_conn=true").await;
    assert_eq!(inner(&image, "services", "endpoint"), ["https://a2.example.org:8774/v2.1"]);
    assert_eq!(registry.texts("/flavors", "name").await, ["small"]);
    gone(&registry, "regions?name=R2").await;
    assert_eq!(count(&registry, &["images", "flavors", "locations", "regions"]).await, [0, 0, 2, 2]);
    gone(&registry, "locations?site=Site-Y").await;
    gone(&registry, "slas?doc_uuid=a0000000000040008000000000000066").await;
    assert_eq!(registry.list("/projects").await.len(), 6);
    assert_eq!(registry.only("/projects?name=p2&with_conn=true").await["sla"], Json::Null);
}
