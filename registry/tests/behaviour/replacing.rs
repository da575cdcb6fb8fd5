//! What a PUT keeps and what it changes: 14, 15, 16, 19, 27 and 34.

use super::{
    common::Registry,
    world::{filled, inner, locs, project, site_a, uid},
};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

async fn site(registry: &Registry) -> String {
    uid(&registry.only("/providers?name=SITE-A").await)
}

/// Uids by what an item is called.
async fn uids(registry: &Registry, path: &str, key: &str) -> BTreeMap<String, String> {
    registry.list(path).await.iter().map(|item| (item[key].as_str().unwrap().to_owned(), uid(item))).collect()
}

/// Twice the same document: the second time nothing changes.
async fn settles(registry: &Registry, provider: &str, document: &Json) -> Json {
    let (status, body) = registry.put(provider, document).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (status, again) = registry.put(provider, document).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED, "{again}");
    body
}

#[tokio::test]
async fn p14_a_fault_in_a_child_is_422_and_nothing_is_written() {
    let registry = filled().await;
    let provider = site(&registry).await;
    let before = registry.admin_get("/providers?with_conn=true").await;
    let mut document = site_a();
    document["description"] = "changed".into();
    document["regions"][1]["compute_services"][0]["flavors"][0]["ram"] = json!(-1);
    let (status, body) = registry.put(&provider, &document).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(locs(&body), [json!(["body", "regions", 1, "compute_services", 0, "flavors", 0, "ram"])]);
    assert_eq!(registry.admin_get("/providers?with_conn=true").await, before);
}

#[tokio::test]
async fn p14_lists_that_a_document_does_not_name_stay_and_empty_ones_empty() {
    let registry = filled().await;
    let provider = site(&registry).await;
    let bare = json!({ "name": "SITE-A", "type": "openstack", "description": "site A", "support_emails": ["ops@a.example.org"] });
    assert_eq!(registry.put(&provider, &bare).await.0, StatusCode::NOT_MODIFIED);
    let mut nulls = bare.clone();
    for name in ["projects", "regions", "identity_providers"] {
        nulls[name] = Json::Null;
    }
    assert_eq!(registry.put(&provider, &nulls).await.0, StatusCode::NOT_MODIFIED, "null is not named");

    // regions alone, over the stored projects
    let mut regions = bare.clone();
    regions["regions"] = site_a()["regions"].clone();
    regions["regions"].as_array_mut().unwrap().pop();
    let body = settles(&registry, &provider, &regions).await;
    assert_eq!(inner(&body, "regions", "name"), ["R1"]);
    assert_eq!(inner(&body, "projects", "name"), ["p1", "p2", "p3"]);
    assert_eq!(body["identity_providers"].as_array().unwrap().len(), 2);
    regions["regions"][0]["compute_services"][0]["quotas"][0]["project"] = "ns1".into();
    let (_, body) = registry.put(&provider, &regions).await;
    assert_eq!(
        locs(&body),
        [json!(["body", "regions", 0, "compute_services", 0, "quotas", 0, "project"])],
        "of another provider"
    );

    // projects alone: the SLAs of those that stay are as they were
    let mut projects = bare.clone();
    projects["projects"] = json!([site_a()["projects"][0], site_a()["projects"][1]]);
    let body = settles(&registry, &provider, &projects).await;
    assert_eq!(inner(&body, "projects", "name"), ["p1", "p2"]);
    assert_eq!(registry.list("/slas").await.len(), 3, "only the SLA of the dropped project is gone");

    for (name, left) in [("identity_providers", 2), ("regions", 1), ("projects", 2)] {
        let before = registry.admin_get(&format!("/providers/{provider}?with_conn=true")).await;
        assert_eq!(before[name].as_array().unwrap().len(), left, "{name}");
        let mut empty = bare.clone();
        empty[name] = json!([]);
        let body = settles(&registry, &provider, &empty).await;
        assert_eq!(body[name], json!([]));
    }
    assert_eq!(registry.list("/identity_providers").await.len(), 2, "disconnected, not deleted");
    assert_eq!(registry.list("/user_groups").await.len(), 4);
}

#[tokio::test]
async fn p15_what_a_document_does_not_say_of_shared_entities_stays() {
    let registry = filled().await;
    let provider = site(&registry).await;
    let mut document = site_a();
    document["regions"][0]["location"] = json!({ "site": "Site-X", "country": "Italy", "latitude": null });
    let idp = &mut document["identity_providers"][0];
    idp.as_object_mut().unwrap().remove("description");
    idp["user_groups"][0].as_object_mut().unwrap().remove("description");
    assert_eq!(
        registry.put(&provider, &document).await.0,
        StatusCode::NOT_MODIFIED,
        "absent and null say nothing"
    );
    let location = registry.only("/locations?site=Site-X").await;
    assert_eq!((&location["latitude"], &location["description"]), (&json!(41.1), &json!("room 1")));

    document["regions"][0]["location"]["latitude"] = json!(1.5);
    document["regions"][0]["location"]["description"] = json!("");
    document["identity_providers"][0]["group_claim"] = "roles".into();
    document["identity_providers"][0]["user_groups"][0]["description"] = "the first".into();
    settles(&registry, &provider, &document).await;
    let location = registry.only("/locations?site=Site-X").await;
    assert_eq!(
        (&location["latitude"], &location["longitude"], &location["description"]),
        (&json!(1.5), &json!(16.9), &json!(""))
    );
    let idp = registry.only("/identity_providers?endpoint=https://iam-1.example.org/").await;
    assert_eq!((&idp["group_claim"], &idp["description"]), (&json!("roles"), &json!("idp one")));
    assert_eq!(registry.only("/user_groups?name=g1").await["description"], "the first");

    // PATCH clears
    let path = format!("/locations/{}", uid(&location));
    let (status, body) = registry.patch(&path, &json!({ "latitude": null, "longitude": null })).await;
    assert_eq!((status, &body["latitude"], &body["longitude"]), (StatusCode::OK, &Json::Null, &Json::Null));
}

#[tokio::test]
async fn p16_304_means_that_nothing_changed_and_relationships_are_updated() {
    let registry = filled().await;
    let provider = site(&registry).await;
    // every single value of the document, changed alone, is a change
    let changes: &[(&str, Json)] = &[
        ("/description", "x".into()),
        ("/status", "limited".into()),
        ("/is_public", true.into()),
        ("/support_emails/0", "x@x.example.org".into()),
        ("/projects/1/name", "x".into()),
        ("/projects/1/description", "x".into()),
        ("/identity_providers/0/relationship/idp_name", "x".into()),
        ("/identity_providers/0/relationship/protocol", "x".into()),
        ("/identity_providers/0/relationship/audience", "x".into()),
        ("/identity_providers/1/group_claim", "x".into()),
        ("/identity_providers/0/user_groups/0/description", "x".into()),
        ("/identity_providers/0/user_groups/1/sla/end_date", "2028-01-01".into()),
        ("/regions/0/overbooking_cpu", 3.0.into()),
        ("/regions/0/bandwidth_in", 3.into()),
        ("/regions/0/location/longitude", 3.into()),
        ("/regions/0/compute_services/0/description", "x".into()),
        ("/regions/0/compute_services/0/flavors/0/ram", 3.into()),
        ("/regions/0/compute_services/0/images/0/tags/1", "x".into()),
        ("/regions/0/compute_services/0/images/0/tags", json!([])),
        ("/regions/0/compute_services/0/images/1/projects", json!([project(2)])),
        ("/regions/0/compute_services/0/quotas/0/gpus", json!({ "A100": 3 })),
        ("/regions/0/compute_services/0/quotas/0/gpus", Json::Null),
        ("/regions/0/network_services/0/networks/1/proxy_host", Json::Null),
        ("/regions/0/object_store_services/0/quotas/0/bytes", 3.into()),
    ];
    for (place, value) in changes {
        let mut document = site_a();
        let (parent, name) = place.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        match parent {
            Json::Array(list) => list[name.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[name] = value.clone(),
        }
        // an image is one in all services that offer it
        if place.contains("/images/0/") {
            document["regions"][1]["compute_services"][0]["images"][0] =
                document["regions"][0]["compute_services"][0]["images"][0].clone();
        }
        settles(&registry, &provider, &document).await;
        if place.ends_with("audience") {
            let shown = registry.admin_get(&format!("/providers/{provider}?with_conn=true")).await;
            let expected = json!({ "idp_name": "iam1", "protocol": "openid", "audience": "x" });
            assert_eq!(shown["identity_providers"][0]["relationship"], expected);
        }
        settles(&registry, &provider, &site_a()).await;
    }
}

#[tokio::test]
async fn p19_what_is_matched_keeps_its_uid() {
    let registry = filled().await;
    let provider = site(&registry).await;
    let paths = [
        ("flavors", "uuid"),
        ("images", "uuid"),
        ("networks", "uuid"),
        ("projects", "uuid"),
        ("regions", "name"),
        ("compute_services", "endpoint"),
        ("network_services", "endpoint"),
        ("slas", "doc_uuid"),
    ];
    let before = async |path: &str, key: &str| uids(&registry, &format!("/{path}"), key).await;
    let quotas = registry.texts("/compute_quotas", "uid").await;
    let mut old = BTreeMap::new();
    for (path, key) in paths {
        old.insert(path, before(path, key).await);
    }
    // all that is no key, changed
    let mut document = site_a();
    for flavor in document["regions"][0]["compute_services"][0]["flavors"].as_array_mut().unwrap() {
        flavor["name"] = "renamed".into();
    }
    for image in [0, 1, 2] {
        document["regions"][0]["compute_services"][0]["images"][image]["name"] = "renamed".into();
    }
    document["regions"][0]["network_services"][0]["networks"][0]["name"] = "renamed".into();
    document["projects"][0]["name"] = "renamed".into();
    document["regions"][0]["compute_services"][0]["name"] = "v1".into();
    document["regions"][0]["compute_services"][0]["quotas"][0]["cores"] = 99.into();
    document["regions"][0]["compute_services"][0]["quotas"].as_array_mut().unwrap().reverse();
    settles(&registry, &provider, &document).await;
    for (path, key) in paths {
        assert_eq!(before(path, key).await, old[path], "{path}");
    }
    assert_eq!(registry.texts("/compute_quotas", "uid").await, quotas);

    // a renamed region: new uids below, but for images
    document["regions"][0]["name"] = "R1-new".into();
    settles(&registry, &provider, &document).await;
    assert_eq!(before("images", "uuid").await, old["images"]);
    assert_eq!(before("projects", "uuid").await, old["projects"]);
    for path in ["regions", "compute_services", "network_services", "networks"] {
        let (_, key) = paths.iter().find(|(name, _)| *name == path).unwrap();
        let new = before(path, key).await;
        let of_a: Vec<&String> =
            new.values().filter(|uid| !old[path].values().any(|known| known == *uid)).collect();
        assert!(!of_a.is_empty(), "{path}");
    }
    let flavors = before("flavors", "uuid").await;
    assert!(flavors.iter().any(|(uuid, uid)| old["flavors"].get(uuid) != Some(uid)));
    // a changed endpoint: the same
    let middle = before("flavors", "uuid").await;
    let services = registry.list("/compute_services").await.len();
    document["regions"][0]["compute_services"][0]["endpoint"] = "https://moved.example.org".into();
    settles(&registry, &provider, &document).await;
    assert_eq!(registry.list("/compute_services").await.len(), services);
    assert_eq!(before("images", "uuid").await, old["images"]);
    assert!(before("flavors", "uuid").await.iter().any(|(uuid, uid)| middle.get(uuid) != Some(uid)));
}

#[tokio::test]
async fn p27_of_two_descriptions_the_last_holds_and_a_region_keeps_the_location_it_has() {
    let registry = filled().await;
    let provider = site(&registry).await;
    let mut document = site_a();
    document["regions"][0].as_object_mut().unwrap().remove("location");
    assert_eq!(registry.put(&provider, &document).await.0, StatusCode::NOT_MODIFIED);
    document["regions"][0]["location"] = Json::Null;
    assert_eq!(registry.put(&provider, &document).await.0, StatusCode::NOT_MODIFIED);

    // two regions describe one site differently
    let mut document = site_a();
    document["regions"][1]["location"] = json!({ "site": "Site-X", "country": "France", "latitude": 2.0 });
    settles(&registry, &provider, &document).await;
    let location = registry.only("/locations?site=Site-X").await;
    assert_eq!(
        (&location["country"], &location["latitude"], &location["longitude"]),
        (&json!("France"), &json!(2.0), &json!(16.9))
    );
    assert_eq!(
        registry.list("/locations?site=Site-Y").await.len(),
        1,
        "locations are never deleted by a document"
    );

    // one image is described differently, and private in one service and shared in the other
    let mut document = site_a();
    let other = &mut document["regions"][1]["compute_services"][0]["images"][0];
    other["os_version"] = "24.04".into();
    other["is_shared"] = false.into();
    other["projects"] = json!([project(3)]);
    let before = uid(&registry.only("/images?name=ubuntu").await);
    settles(&registry, &provider, &document).await;
    let image = registry.only("/images?name=ubuntu&with_conn=true").await;
    assert_eq!((&image["os_version"], &image["is_shared"]), (&json!("24.04"), &json!(false)));
    assert_eq!(inner(&image, "projects", "name"), ["p3"]);
    assert_eq!((uid(&image), image["services"].as_array().unwrap().len()), (before, 2));
}

#[tokio::test]
async fn p34_a_put_resets_what_it_does_not_say_of_the_provider_itself() {
    let registry = Registry::start().await;
    let full = json!({ "name": "S", "type": "openstack", "description": "d", "status": "maintenance", "is_public": true,
        "support_emails": ["a@b.example.org"], "projects": [{ "name": "p", "uuid": "p" }] });
    let provider = registry.post(&full).await;
    let body = settles(&registry, &provider, &json!({ "name": "S", "type": "openstack" })).await;
    assert_eq!((&body["description"], &body["status"]), (&json!(""), &json!("active")));
    assert_eq!((&body["is_public"], &body["support_emails"]), (&json!(false), &json!([])));
    assert_eq!(inner(&body, "projects", "name"), ["p"]);

    // services of different type, or of other regions, may share an endpoint
    let service = |name: &str| json!([{ "endpoint": "https://one.example.org", "name": name }]);
    let region = |name: &str| {
        json!({ "name": name, "compute_services": service("v1"), "identity_services": service("v1"),
            "block_storage_services": service("storage.k8s.io/v1"), "object_store_services": service("org.openstack.swift"),
            "network_services": service("org.openstack.neutron") })
    };
    let document = json!({ "name": "S", "type": "openstack", "regions": [region("A"), region("B")] });
    settles(&registry, &provider, &document).await;
    for path in ["compute", "identity", "block_storage", "object_store", "network"] {
        let services = registry.texts(&format!("/{path}_services"), "endpoint").await;
        assert_eq!(services, ["https://one.example.org"; 2], "{path}");
    }
}
