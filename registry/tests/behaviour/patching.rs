//! What a PATCH sets and what it refuses: 22 and 28.

use super::{
    common::Registry,
    world::{filled, locs, small, uid},
};
use reqwest::StatusCode;
use schema::{Schema, field::Type};
use serde_json::{Value as Json, json};

async fn path_of(registry: &Registry, query: &str) -> String {
    let item = registry.only(&format!("/{query}")).await;
    format!("/{}/{}", query.split('?').next().unwrap(), uid(&item))
}

/// Another value of a field's type.
fn other(field: &schema::Field, now: &Json) -> Json {
    match field.ty {
        Type::Text => "another".into(),
        Type::Url => "https://another.example.org/x/".into(),
        Type::Country => if now == "France" { "Italy" } else { "France" }.into(),
        Type::Enum { members, .. } => {
            (*members.iter().find(|member| now != **member).unwrap_or(&members[0])).into()
        }
        Type::Bool => (now != true).into(),
        Type::Int { .. } => json!(now.as_i64().unwrap_or(0) + 7),
        Type::Float { .. } => json!(now.as_f64().unwrap_or(0.0) + 0.5),
        Type::Texts { .. } => json!(["another@example.org"]),
        Type::Date => if field.name == "start_date" { "2020-02-02" } else { "2035-02-02" }.into(),
        Type::Time => "2020-02-02T02:02:02+00:00".into(),
        Type::Counts => json!({ "L4": 7 }),
    }
}

#[tokio::test]
async fn p22_a_patch_sets_exactly_what_it_names_of_every_entity() {
    let registry = filled().await;
    for entity in &Schema::get().entities {
        // the last one: no other stands in the way of a change of key
        let mut now = registry.list(&format!("/{}", entity.decl.path)).await.pop().unwrap();
        let path = format!("/{}/{}", entity.decl.path, uid(&now));
        let related = |extended: &Json| {
            let lists = extended
                .as_object()
                .unwrap()
                .iter()
                .filter(|(_, value)| value.is_array() || value.is_object());
            lists
                .filter(|(name, _)| entity.field(name).is_none())
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        let before = registry.admin_get(&format!("{path}?with_conn=true")).await;
        // numbers first: a model of GPUs wants some
        let mut fields: Vec<_> = entity.fields.iter().collect();
        fields.sort_by_key(|field| !matches!(field.ty, Type::Int { .. }));
        for field in fields {
            let value = other(field, &now[field.name]);
            let changes = now[field.name] != value;
            let (status, body) = registry.patch(&path, &json!({ field.name: value })).await;
            assert_eq!(status, if changes { 200 } else { 304 }, "{path} {} {body}", field.name);
            if changes {
                now[field.name] = value;
                if field.ty == Type::Country {
                    now["country_code"] = body["country_code"].clone();
                }
                assert_eq!(body, now, "nothing but {} of {path}", field.name);
            }
            assert_eq!(registry.patch(&path, &json!({ field.name: now[field.name] })).await.0, 304);
        }
        assert_eq!(registry.admin_get(&path).await, now);
        let after = registry.admin_get(&format!("{path}?with_conn=true")).await;
        for name in related(&before) {
            if !name.ends_with("services") && name != "service" {
                assert_eq!(after[&name], before[&name], "relations stay: {name} of {path}");
            }
        }
        assert_eq!(registry.patch(&path, &json!({})).await.0, StatusCode::NOT_MODIFIED);
    }
}

#[tokio::test]
async fn p22_defaults_false_zero_null_and_empty_lists_are_set_too() {
    let registry = filled().await;
    let gpu = path_of(&registry, "flavors?name=gpu").await;
    let image = path_of(&registry, "images?name=ubuntu").await;
    let network = path_of(&registry, "networks?name=public").await;
    let provider = path_of(&registry, "providers?name=SITE-A").await;
    let quota = path_of(&registry, "compute_quotas?cores=10").await;
    let sla = path_of(&registry, "slas?doc_uuid=a0000000000040008000000000000066").await;
    for (path, body) in [
        (&gpu, json!({ "gpus": 0, "gpu_model": null, "gpu_vendor": null, "ram": 0, "disk": 0 })),
        (&image, json!({ "tags": [], "os_version": null, "os_type": null, "created_at": null })),
        (&network, json!({ "is_router_external": false, "is_default": false, "mtu": null })),
        (&provider, json!({ "support_emails": [], "description": "" })),
        (&quota, json!({ "cores": 0, "ram": null, "gpus": null })),
        (&sla, json!({ "description": "", "start_date": "2024-02-02" })),
    ] {
        let before = registry.admin_get(path).await;
        let (status, after) = registry.patch(path, &body).await;
        assert_eq!(status, StatusCode::OK, "{after}");
        for (name, value) in before.as_object().unwrap() {
            assert_eq!(after[name], *body.get(name).unwrap_or(value), "{name} of {path}");
        }
        assert_eq!(registry.patch(path, &body).await.0, StatusCode::NOT_MODIFIED);
    }
    // null where nothing is no value: the default
    let (status, body) = registry.patch(&provider, &json!({ "status": null, "is_public": null })).await;
    assert_eq!((status, body), (StatusCode::NOT_MODIFIED, Json::Null), "they are so already");
    registry.patch(&provider, &json!({ "status": "limited", "is_public": true })).await;
    let (_, body) = registry.patch(&provider, &json!({ "status": null, "is_public": null })).await;
    assert_eq!((&body["status"], &body["is_public"]), (&json!("active"), &json!(false)));
}

#[tokio::test]
async fn p22_a_result_that_breaks_a_rule_or_a_key_is_refused_and_nothing_is_written() {
    let registry = filled().await;
    let refused = async |path: &str, body: Json, status: u16, place: &str| {
        let before = registry.admin_get(path).await;
        let (found, answer) = registry.patch(path, &body).await;
        assert_eq!(found, status, "{path} {body}: {answer}");
        if status == 422 {
            assert_eq!(locs(&answer), [json!(["body", place])], "{body}");
        } else {
            assert!(answer["detail"].as_str().unwrap().contains(place), "{answer} names {place}");
        }
        assert_eq!(registry.admin_get(path).await, before);
    };
    let gpu = path_of(&registry, "flavors?name=gpu").await;
    let big = path_of(&registry, "flavors?name=big").await;
    let sla = path_of(&registry, "slas?doc_uuid=a0000000000040008000000000000066").await;
    // with the stored values for what it does not name
    refused(&gpu, json!({ "gpus": 0, "gpu_vendor": null }), 422, "gpu_model").await;
    refused(&big, json!({ "gpu_vendor": "nvidia" }), 422, "gpu_vendor").await;
    refused(&sla, json!({ "start_date": "2030-01-01" }), 422, "end_date").await;
    refused(&sla, json!({ "end_date": "2023-12-31", "description": "x" }), 422, "end_date").await;
    refused(&big, json!({ "ram": -1, "name": "x" }), 422, "ram").await;
    for name in ["uid", "is_shared", "projects", "service", "schema_type"] {
        refused(&big, json!({ name: "x", "ram": 5 }), 422, name).await;
    }
    refused(&sla, json!({ "projects": [] }), 422, "projects").await;

    // keys
    refused(
        &big,
        json!({ "uuid": "a0000000-0000-4000-8000-0000000000ca" }),
        409,
        "'a0000000-0000-4000-8000-0000000000ca'",
    )
    .await;
    refused(
        &sla,
        json!({ "doc_uuid": "a0000000000040008000000000000069" }),
        409,
        "'a0000000000040008000000000000069'",
    )
    .await;
    for (query, body, value) in [
        (
            "images?name=priv1",
            json!({ "uuid": "a0000000-0000-4000-8000-00000000012d" }),
            "a0000000-0000-4000-8000-00000000012d",
        ),
        (
            "networks?name=priv",
            json!({ "uuid": "a0000000-0000-4000-8000-000000000191" }),
            "a0000000-0000-4000-8000-000000000191",
        ),
        ("regions?name=R1", json!({ "name": "R2" }), "R2"),
        ("locations?site=Site-X", json!({ "site": "Site-Y" }), "Site-Y"),
        (
            "identity_providers?endpoint=https://iam-1.example.org/",
            json!({ "endpoint": "https://iam-2.example.org/" }),
            "https://iam-2.example.org/",
        ),
        ("user_groups?name=g1", json!({ "name": "g2" }), "g2"),
        ("storage_classes?name=slow", json!({ "name": "fast" }), "fast"),
    ] {
        refused(&path_of(&registry, query).await, body, 409, &format!("'{value}' already registered")).await;
    }
    let site_b = path_of(&registry, "providers?name=SITE-B").await;
    refused(
        &site_b,
        json!({ "name": "SITE-A", "type": "openstack" }),
        409,
        "Provider with name 'SITE-A' and type 'openstack' already exists.",
    )
    .await;
    assert_eq!(
        registry.patch(&site_b, &json!({ "name": "SITE-A" })).await.0,
        StatusCode::OK,
        "of another type"
    );
    // what is a key in one place is free in another
    let group = path_of(&registry, "user_groups?name=g3").await;
    assert_eq!(registry.patch(&group, &json!({ "name": "g1" })).await.0, StatusCode::OK, "of another issuer");
    assert_eq!(
        registry.patch(&big, &json!({ "name": "gpu" })).await.0,
        StatusCode::OK,
        "names of flavors may repeat"
    );
}

#[tokio::test]
async fn p22_a_quota_cannot_become_the_second_of_its_kind() {
    let registry = Registry::start().await;
    let quota = |usage: bool, per_user: bool, cores: u8| json!({ "project": "p", "usage": usage, "per_user": per_user, "cores": cores });
    let quotas = json!([quota(false, false, 1), quota(true, false, 2), { "project": "q", "cores": 4 }]);
    registry.post(&small("S", json!([]), quotas)).await;
    let limit = path_of(&registry, "compute_quotas?cores=1").await;
    let usage = path_of(&registry, "compute_quotas?cores=2").await;
    let alone = path_of(&registry, "compute_quotas?cores=4").await;
    for (path, body, status) in [
        (&limit, json!({ "usage": true }), 409),
        (&limit, json!({ "usage": true, "per_user": true }), 409),
        (&usage, json!({ "usage": false }), 409),
        (&usage, json!({ "per_user": true }), 200),
        (&usage, json!({ "usage": false }), 200),
        (&limit, json!({ "per_user": true }), 409),
        (&limit, json!({ "usage": true }), 200),
        (&alone, json!({ "usage": true }), 200),
        (&alone, json!({ "per_user": true, "usage": false }), 200),
    ] {
        let (found, answer) = registry.patch(path, &body).await;
        assert_eq!(found, status, "{body}: {answer}");
        if status == 409 {
            let detail = answer["detail"].as_str().unwrap();
            assert!(
                detail.contains("ComputeQuota") && detail.contains("usage"),
                "31: names what is refused: {detail}"
            );
        }
    }
}

#[tokio::test]
async fn p22_the_endpoint_of_a_service_can_be_changed() {
    let registry = filled().await;
    let service = path_of(&registry, "compute_services?endpoint=https://a.example.org:8774/v2.1").await;
    let before = registry.admin_get(&format!("{service}?with_conn=true")).await;
    let (status, body) = registry.patch(&service, &json!({ "endpoint": "https://new.example.org/" })).await;
    assert_eq!((status, &body["endpoint"]), (StatusCode::OK, &json!("https://new.example.org/")));
    let after = registry.admin_get(&format!("{service}?with_conn=true")).await;
    for list in ["flavors", "images", "quotas", "region"] {
        assert_eq!(after[list], before[list], "{list}");
    }
    assert_eq!(
        registry.list("/compute_services?endpoint=https://a.example.org:8774/v2.1").await,
        [Json::Null; 0]
    );
    assert_eq!(registry.list("/compute_services?endpoint=https://new.example.org/").await.len(), 1);
    let (status, body) = registry.patch(&service, &json!({ "endpoint": "not a url" })).await;
    assert_eq!((status, locs(&body)), (StatusCode::UNPROCESSABLE_ENTITY, vec![json!(["body", "endpoint"])]));
}

#[tokio::test]
async fn p28_names_and_uuids_of_projects_are_unique_at_a_provider_and_null_is_no_name() {
    let registry = filled().await;
    let p1 = path_of(&registry, "projects?name=p1").await;
    for (body, value) in [
        (json!({ "name": "p2" }), "p2"),
        (json!({ "uuid": super::world::project(2) }), "a0000000000040008000000000000002"),
    ] {
        let (status, answer) = registry.patch(&p1, &body).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(answer["detail"].as_str().unwrap().contains(&format!("'{value}'")), "{answer}");
    }
    assert_eq!(
        registry.patch(&p1, &json!({ "name": "ns1" })).await.0,
        StatusCode::OK,
        "a name of another provider"
    );
    let (_, body) = registry.patch(&p1, &json!({ "description": "x" })).await;
    assert_eq!(body["description"], "x");
    let (status, body) = registry.patch(&p1, &json!({ "description": "" })).await;
    assert_eq!((status, &body["description"]), (StatusCode::OK, &json!("")));
    for entity in &Schema::get().entities {
        let path = format!(
            "/{}/{}",
            entity.decl.path,
            uid(&registry.list(&format!("/{}", entity.decl.path)).await[0])
        );
        let required =
            entity.fields.iter().filter(|field| field.otherwise == schema::field::Otherwise::Required);
        let names: Vec<&str> = required.map(|field| field.name).collect();
        let body: Json = names
            .iter()
            .map(|name| ((*name).to_owned(), Json::Null))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let expected: Vec<Json> = names.iter().map(|name| json!(["body", name])).collect();
        let (_, answer) = registry.patch(&path, &body).await;
        assert_eq!(locs(&answer), expected, "{path}");
    }
}
