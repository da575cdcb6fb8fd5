//! What a database may hold although no document could have made it: 10 and 26.

use super::{
    common::{Registry, store::TestStore},
    world::{entities, texts, uid},
};
use registry::{graph::change::ChangeSet, store::Entry};
use reqwest::StatusCode;
use schema::{Kind, Schema};
use serde_json::{Value as Json, json};

fn numbered(n: usize) -> String {
    format!("{n:032x}")
}

fn node(n: usize, kind: &str, values: Json) -> Json {
    json!({ "uid": numbered(n), "kind": kind, "values": values })
}

fn link(ty: &str, from: usize, to: usize) -> Json {
    json!({ "type": ty, "from": numbered(from), "to": numbered(to) })
}

/// A registry over a store that holds exactly this.
async fn holding(nodes: &[Json], links: &[Json]) -> Registry {
    let changes = ChangeSet::from_json(Schema::get(), &json!({ "created": nodes, "linked": links })).unwrap();
    let entry = Entry {
        revision: 1,
        id: "the first".to_owned(),
        at: chrono::DateTime::UNIX_EPOCH,
        who: "the database".to_owned(),
        what: "as it was found".to_owned(),
        request: String::new(),
        changes,
        by_hand: false,
        digest: None,
    };
    let test = TestStore::new().await;
    let store = test.open();
    store.commit(entry).await.unwrap();
    drop(store);
    Registry::start_on(test, |_| {}).await
}

/// Each kind once without any relation and without any value, and once with values that break rules.
fn broken() -> (Vec<Json>, Vec<Json>) {
    let mut nodes: Vec<Json> = Kind::ALL
        .iter()
        .enumerate()
        .map(|(n, kind)| node(n, Schema::get().entity(*kind).decl.name, json!({})))
        .collect();
    nodes.extend([
        node(
            101,
            "Provider",
            json!({ "name": "S", "type": "cloud", "status": "broken", "support_emails": ["nobody"] }),
        ),
        node(102, "Region", json!({ "name": "R" })),
        node(103, "Project", json!({ "name": "p", "uuid": "p" })),
        node(104, "ComputeService", json!({ "endpoint": "no url", "name": "no such name", "type": "other" })),
        node(105, "Flavor", json!({ "name": "f", "uuid": "f", "gpu_model": "A100", "gpus": 0, "ram": -5 })),
        node(106, "Image", json!({ "name": "i", "uuid": "i" })),
        node(107, "Network", json!({ "name": "n", "uuid": "n", "mtu": 0 })),
        node(108, "ComputeQuota", json!({ "cores": -7 })),
        node(109, "UserGroup", json!({ "name": "g" })),
        node(110, "SLA", json!({ "doc_uuid": "s", "start_date": "2029-01-01", "end_date": "2024-01-01" })),
        node(111, "IdentityProvider", json!({ "endpoint": "idp" })),
        node(112, "Location", json!({ "site": "L", "country": "Atlantis", "latitude": 400.0 })),
        node(113, "NetworkService", json!({ "endpoint": "https://n" })),
        node(114, "SLA", json!({ "doc_uuid": "t" })),
    ]);
    let links = vec![
        link("DIVIDED_INTO", 101, 102),
        link("BOOK_PROJECT_FOR_SLA", 101, 103),
        link("SUPPLY", 102, 104),
        link("SUPPLY", 102, 113),
        link("LOCATED_AT", 102, 112),
        link("AVAILABLE_VM_FLAVOR", 104, 105),
        link("AVAILABLE_VM_IMAGE", 104, 106),
        link("AVAILABLE_NETWORK", 113, 107),
        link("APPLY_TO", 108, 104),
        link("USE_SERVICE_WITH", 103, 108),
        link("AGREE", 109, 110),
        link("BELONG_TO", 109, 111),
        link("REFER_TO", 110, 103),
        // what should have one of something has two
        link("REFER_TO", 114, 103),
        link("BELONG_TO", 109, 2),
        link("LOCATED_AT", 102, 6),
        link("ALLOW_AUTH_THROUGH", 101, 111),
    ];
    (nodes, links)
}

#[tokio::test]
async fn p10_data_that_breaks_a_rule_of_writing_is_still_answered() {
    let (nodes, links) = broken();
    let registry = holding(&nodes, &links).await;
    for token in [Some(registry.admin.as_str()), None] {
        for entity in &Schema::get().entities {
            let path = entity.decl.path;
            let (status, all) = registry.get(&format!("/{path}"), token).await;
            assert_eq!(status, StatusCode::OK, "{path}: {all}");
            let all = all.as_array().unwrap();
            assert!(!all.is_empty(), "{path}");
            for query in ["?with_conn=true", "?short=true&with_conn=true", "?sort=-description"] {
                let (status, items) = registry.get(&format!("/{path}{query}"), token).await;
                assert_eq!(
                    (status, items.as_array().unwrap().len()),
                    (StatusCode::OK, all.len()),
                    "{path}{query}"
                );
            }
            for item in all {
                for query in ["", "?with_conn=true"] {
                    let (status, body) = registry.get(&format!("/{path}/{}{query}", uid(item)), token).await;
                    assert_eq!(status, StatusCode::OK, "{path}: {body}");
                }
            }
            if token.is_some() {
                for field in entity.fields.iter().map(|field| field.name) {
                    assert_eq!(
                        registry.list(&format!("/{path}?sort={field}")).await.len(),
                        all.len(),
                        "{path} {field}"
                    );
                }
            }
        }
    }
    let sla = registry.only("/slas?doc_uuid=s&with_conn=true").await;
    assert_eq!((&sla["start_date"], &sla["end_date"]), (&json!("2029-01-01"), &json!("2024-01-01")));
    let flavor = registry.only("/flavors?name=f&with_conn=true").await;
    assert_eq!((&flavor["projects"], &flavor["is_shared"]), (&json!([]), &json!(false)), "without project");
    let bare = registry.list("/flavors?with_conn=true").await;
    assert_eq!(bare[0]["service"], Json::Null, "without service");
    for query in ["region_name=R", "provider_uid=x", "user_group_uid=x", "identity_service_endpoint=x"] {
        registry.list(&format!("/projects?with_conn=true&{query}")).await;
    }
    for query in [
        "region_name=R",
        "provider_name=S",
        "provider_type=openstack",
        "provider_status=active",
        "idp_endpoint=x",
    ] {
        registry.list(&format!("/user_groups?with_conn=true&{query}")).await;
    }
    assert_eq!(registry.texts("/user_groups?provider_name=S&region_name=R", "name").await, ["g"]);
}

#[tokio::test]
async fn p10_what_is_broken_can_be_mended_and_deleted() {
    let (nodes, links) = broken();
    let registry = holding(&nodes, &links).await;
    // a patch looks at the rules of what it makes, not at all that was wrong before
    let (status, body) = registry.patch(&format!("/flavors/{}", numbered(105)), &json!({ "gpus": 1 })).await;
    assert_eq!((status, &body["gpu_model"]), (StatusCode::OK, &json!("A100")));
    let (status, _) =
        registry.patch(&format!("/slas/{}", numbered(110)), &json!({ "end_date": "2030-01-01" })).await;
    assert_eq!(status, StatusCode::OK);
    let document = json!({ "name": "S", "type": "openstack", "projects": [{ "name": "p", "uuid": "p" }], "regions": [],
        "identity_providers": [] });
    let (status, body) = registry.put(&numbered(101), &document).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["regions"], json!([]));
    let (status, body) = registry.put(&numbered(101), &document).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED, "{body}");
    for path in entities() {
        for item in registry.list(&format!("/{path}")).await {
            registry.delete(&format!("/{path}/{}", uid(&item))).await;
        }
        assert_eq!(registry.list(&format!("/{path}")).await, [Json::Null; 0]);
    }
}

#[tokio::test]
async fn p26_several_nodes_with_one_key_are_all_served_and_none_stands_in_the_way() {
    let twice =
        |n: usize, kind: &str, values: Json| [node(n, kind, values.clone()), node(n + 1, kind, values)];
    let nodes: Vec<Json> = [
        twice(1, "Provider", json!({ "name": "S", "type": "openstack", "description": "found" })),
        twice(3, "IdentityProvider", json!({ "endpoint": "https://idp.example.org/", "group_claim": "groups" })),
        twice(5, "Location", json!({ "site": "L", "country": "Italy" })),
        twice(7, "Region", json!({ "name": "R", "overbooking_cpu": 1.0, "overbooking_ram": 1.0, "bandwidth_in": 10.0, "bandwidth_out": 10.0 })),
        twice(9, "UserGroup", json!({ "name": "g" })),
        twice(11, "SLA", json!({ "doc_uuid": "s", "start_date": "2024-01-01", "end_date": "2029-01-01" })),
        twice(13, "Project", json!({ "name": "p", "uuid": "p" })),
    ]
    .concat();
    let links: Vec<Json> = (0..2)
        .flat_map(|n| {
            [
                json!({ "type": "ALLOW_AUTH_THROUGH", "from": numbered(1 + n), "to": numbered(3 + n),
                    "properties": { "idp_name": "idp", "protocol": "openid" } }),
                link("DIVIDED_INTO", 1 + n, 7 + n),
                link("LOCATED_AT", 7 + n, 5 + n),
                link("BELONG_TO", 9 + n, 3 + n),
                link("AGREE", 9 + n, 11 + n),
                link("REFER_TO", 11 + n, 13 + n),
                link("BOOK_PROJECT_FOR_SLA", 1 + n, 13 + n),
            ]
        })
        .collect();
    let registry = holding(&nodes, &links).await;
    for path in ["providers?name=S", "identity_providers", "locations?site=L", "slas?doc_uuid=s"] {
        assert_eq!(registry.list(&format!("/{path}")).await.len(), 2, "{path}");
    }
    let document = |description: &str| {
        json!({ "name": "S", "type": "openstack", "description": description,
        "projects": [{ "name": "p", "uuid": "p" }],
        "identity_providers": [{ "endpoint": "https://idp.example.org/", "group_claim": "groups",
            "relationship": { "idp_name": "idp", "protocol": "openid" },
            "user_groups": [{ "name": "g", "sla": { "doc_uuid": "s", "start_date": "2024-01-01", "end_date": "2029-01-01", "project": "p" } }] }],
        "regions": [{ "name": "R", "location": { "site": "L", "country": "Italy" } }] })
    };
    // each of them is what its document says already, with its own relations
    for n in [1, 2] {
        let (status, body) = registry.put(&numbered(n), &document("found")).await;
        assert_eq!(status, StatusCode::NOT_MODIFIED, "{n}: {body}");
    }
    let (status, _) = registry.put(&numbered(2), &document("changed")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(texts(&registry.list("/providers").await, "description"), ["found", "changed"]);
    // a third one is refused, and so is a change of key to theirs
    assert_eq!(
        registry.send(reqwest::Method::POST, "/providers", Some(&document("third"))).await.0,
        StatusCode::CONFLICT
    );
    let (status, _) =
        registry.patch(&format!("/providers/{}", numbered(1)), &json!({ "description": "mine" })).await;
    assert_eq!(status, StatusCode::OK, "what does not touch the key is not refused for it");
    registry.delete(&format!("/providers/{}", numbered(1))).await;
    assert_eq!(registry.texts("/slas", "uid").await, [numbered(12)], "the other one keeps its own");
    assert_eq!(registry.list("/identity_providers").await.len(), 2);
}
