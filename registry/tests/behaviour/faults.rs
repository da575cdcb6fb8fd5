//! Faults of documents: 13.

use super::{
    common::Registry,
    world::{locs, project, site_a, site_b},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

async fn refused(registry: &Registry, document: &Json) -> Vec<String> {
    let (status, body) = registry.send(Method::POST, "/providers", Some(document)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    let mut places: Vec<String> = locs(&body).iter().map(ToString::to_string).collect();
    places.sort();
    places
}

/// Every place is that of the fault: what stands before it is in the document.
fn stands(document: &Json, place: &str) -> bool {
    let place: Vec<Json> = serde_json::from_str(place).unwrap();
    let mut at = document;
    for (i, step) in place[1..].iter().enumerate() {
        let next = match step {
            Json::String(name) => at.get(name),
            Json::Number(n) => at.get(usize::try_from(n.as_u64().unwrap()).unwrap()),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return i + 2 == place.len() && step.is_string(),
        }
    }
    true
}

fn sorted(places: &[Json]) -> Vec<String> {
    let mut places: Vec<String> = places.iter().map(ToString::to_string).collect();
    places.sort();
    places
}

/// What a document breaks, by changing one that breaks nothing, and the places where that is told.
type Case = (&'static str, fn(&mut Json), Vec<Json>);

async fn each_is_told(cases: Vec<Case>) {
    let registry = Registry::start().await;
    for (what, change, expected) in cases {
        let mut document = site_a();
        change(&mut document);
        let places = refused(&registry, &document).await;
        assert_eq!(places, sorted(&expected), "{what}");
        assert!(places.iter().all(|place| stands(&document, place)), "{what}: {places:?}");
    }
    assert_eq!(registry.list("/providers").await, [Json::Null; 0], "all or nothing");
}

/// Appends the first item of a list to it.
fn repeat(document: &mut Json, list: &str) {
    let list = document.pointer_mut(list).unwrap().as_array_mut().unwrap();
    list.push(list[0].clone());
}

fn idps(more: Json) -> Json {
    let start = ["body".into(), "identity_providers".into()];
    start.into_iter().chain(more.as_array().unwrap().iter().cloned()).collect()
}

fn nova(more: Json) -> Json {
    let start = ["body".into(), "regions".into(), 0.into(), "compute_services".into(), 0.into()];
    start.into_iter().chain(more.as_array().unwrap().iter().cloned()).collect()
}

#[tokio::test]
async fn p13_keys_that_repeat_are_told_at_the_item_that_repeats_them() {
    each_is_told(vec![
        (
            "two projects share a uuid",
            |d| d["projects"][2]["uuid"] = project(1).into(),
            vec![
                json!(["body", "projects", 2, "uuid"]),
                idps(json!([1, "user_groups", 0, "sla", "project"])),
                nova(json!(["quotas", 4, "project"])),
            ],
        ),
        (
            "two projects share a name",
            |d| d["projects"][2]["name"] = "p1".into(),
            vec![json!(["body", "projects", 2, "name"])],
        ),
        (
            "two identity providers share an endpoint",
            |d| {
                d["identity_providers"][1]["endpoint"] = d["identity_providers"][0]["endpoint"].clone();
            },
            vec![idps(json!([1, "endpoint"]))],
        ),
        (
            "two groups share a name",
            |d| d["identity_providers"][0]["user_groups"][1]["name"] = "g1".into(),
            vec![idps(json!([0, "user_groups", 1, "name"]))],
        ),
        (
            "two regions share a name",
            |d| d["regions"][1]["name"] = "R1".into(),
            vec![json!(["body", "regions", 1, "name"])],
        ),
        (
            "two services share an endpoint",
            |d| repeat(d, "/regions/1/compute_services"),
            vec![json!(["body", "regions", 1, "compute_services", 1, "endpoint"])],
        ),
        (
            "two flavors share a uuid",
            |d| repeat(d, "/regions/0/compute_services/0/flavors"),
            vec![nova(json!(["flavors", 3, "uuid"]))],
        ),
        (
            "two images share a uuid",
            |d| repeat(d, "/regions/0/compute_services/0/images"),
            vec![nova(json!(["images", 3, "uuid"]))],
        ),
        (
            "two networks share a uuid",
            |d| repeat(d, "/regions/0/network_services/0/networks"),
            vec![json!(["body", "regions", 0, "network_services", 0, "networks", 2, "uuid"])],
        ),
        (
            "two quotas are of one kind",
            |d| repeat(d, "/regions/0/compute_services/0/quotas"),
            vec![nova(json!(["quotas", 5, "project"]))],
        ),
        (
            "an SLA is used by two groups",
            |d| {
                d["identity_providers"][1]["user_groups"][0]["sla"]["doc_uuid"] =
                    d["identity_providers"][0]["user_groups"][0]["sla"]["doc_uuid"].clone();
            },
            vec![idps(json!([1, "user_groups", 0, "sla", "doc_uuid"]))],
        ),
        (
            "a project is used by two groups",
            |d| {
                d["identity_providers"][1]["user_groups"][0]["sla"]["project"] = project(1).into();
            },
            vec![idps(json!([1, "user_groups", 0, "sla", "project"]))],
        ),
    ])
    .await;
}

#[tokio::test]
async fn p13_each_rule_names_the_item_that_breaks_it() {
    each_is_told(vec![
        (
            "an SLA names no project of the provider",
            |d| {
                d["identity_providers"][1]["user_groups"][0]["sla"]["project"] = "elsewhere".into();
            },
            vec![idps(json!([1, "user_groups", 0, "sla", "project"]))],
        ),
        (
            "a quota names none",
            |d| d["regions"][0]["compute_services"][0]["quotas"][1]["project"] = "elsewhere".into(),
            vec![nova(json!(["quotas", 1, "project"]))],
        ),
        (
            "a private flavor names none",
            |d| {
                d["regions"][0]["compute_services"][0]["flavors"][2]["projects"] =
                    json!([project(1), project(1), "elsewhere"]);
            },
            vec![nova(json!(["flavors", 2, "projects", 2]))],
        ),
        (
            "a private image has no project",
            |d| {
                d["regions"][0]["compute_services"][0]["images"][1]
                    .as_object_mut()
                    .unwrap()
                    .remove("projects");
            },
            vec![nova(json!(["images", 1, "projects"]))],
        ),
        (
            "a private network's projects are no list",
            |d| {
                d["regions"][0]["network_services"][0]["networks"][1]["projects"] = "p1".into();
            },
            vec![json!(["body", "regions", 0, "network_services", 0, "networks", 1, "projects"])],
        ),
        (
            "an SLA ends before it starts",
            |d| {
                d["identity_providers"][0]["user_groups"][0]["sla"]["end_date"] = "2023-12-31".into();
            },
            vec![idps(json!([0, "user_groups", 0, "sla", "end_date"]))],
        ),
        (
            "gpu fields contradict each other",
            |d| d["regions"][0]["compute_services"][0]["flavors"][1]["gpus"] = 0.into(),
            vec![nova(json!(["flavors", 1, "gpu_model"])), nova(json!(["flavors", 1, "gpu_vendor"]))],
        ),
        (
            "no such country",
            |d| d["regions"][1]["location"]["country"] = "DEU".into(),
            vec![json!(["body", "regions", 1, "location", "country"])],
        ),
        (
            "a relationship of neither kind",
            |d| d["identity_providers"][0]["relationship"] = json!({ "protocol": "openid" }),
            vec![idps(json!([0, "relationship", "idp_name"]))],
        ),
    ])
    .await;
}

#[tokio::test]
async fn p13_all_faults_at_once_and_none_that_only_follows_from_another() {
    let registry = Registry::start().await;
    let mut document = site_a();
    let compute = &mut document["regions"][0]["compute_services"][0];
    // what is no object at all keeps its place: the faults behind it are counted as they stand
    compute["flavors"].as_array_mut().unwrap().insert(0, json!("small"));
    compute["flavors"][1]["gpus"] = json!("many");
    compute["flavors"][1]["gpu_model"] = json!("A100");
    let copy = json!({ "name": "copy", "uuid": compute["flavors"][1]["uuid"] });
    compute["flavors"].as_array_mut().unwrap().push(copy);
    // two that are both without project are not two of one kind
    for quota in [0, 1, 3, 4] {
        compute["quotas"][quota].as_object_mut().unwrap().remove("project");
    }
    compute["quotas"][2]["per_user"] = json!("yes");
    // two SLAs without number are not the same; the dates are wrong although a field is unknown
    for (idp, group) in [(0, 0), (0, 1)] {
        let sla = &mut document["identity_providers"][idp]["user_groups"][group]["sla"];
        sla.as_object_mut().unwrap().remove("doc_uuid");
        sla["end_date"] = "2000-01-01".into();
        sla["colour"] = "red".into();
    }
    // the start is not known, so nothing ends before it
    let sla = &mut document["identity_providers"][1]["user_groups"][0]["sla"];
    sla["start_date"] = "soon".into();
    sla["end_date"] = "2000-01-01".into();
    document["support_emails"] = json!(["nobody", "ops@a.example.org", "no body@example.org"]);

    let sla = |idp: usize, group: usize, name: &str| {
        json!(["body", "identity_providers", idp, "user_groups", group, "sla", name])
    };
    let mut expected = vec![
        nova(json!(["flavors", 0])),
        nova(json!(["flavors", 1, "gpus"])),
        nova(json!(["flavors", 4, "uuid"])),
        nova(json!(["quotas", 2, "per_user"])),
        sla(1, 0, "start_date"),
        json!(["body", "support_emails", 0]),
        json!(["body", "support_emails", 2]),
    ];
    expected.extend([0, 1, 3, 4].map(|n| nova(json!(["quotas", n, "project"]))));
    for group in [0, 1] {
        expected.extend(["doc_uuid", "end_date", "colour"].map(|name| sla(0, group, name)));
    }
    assert_eq!(refused(&registry, &document).await, sorted(&expected));
}

#[tokio::test]
async fn p13_a_project_that_cannot_be_read_may_be_any_that_others_name() {
    let registry = Registry::start().await;
    for (broken, place) in [
        (json!({ "name": "p1", "uuid": 1 }), json!(["body", "projects", 0, "uuid"])),
        (json!({ "name": "p1" }), json!(["body", "projects", 0, "uuid"])),
        (json!("p1"), json!(["body", "projects", 0])),
    ] {
        let mut document = site_a();
        document["projects"][0] = broken;
        assert_eq!(refused(&registry, &document).await, sorted(&[place]), "and not each that names it");
    }
}

#[tokio::test]
async fn p13_shared_and_private_variants_do_not_double_a_fault() {
    let registry = Registry::start().await;
    let document = |name: &str, list: &str, item: Json| {
        let mut document = site_b();
        let region = &mut document["regions"][0];
        let service = json!([{ "endpoint": "https://x", "name": name, list: [item] }]);
        let services = if list == "networks" { "network_services" } else { "compute_services" };
        region[services] = service;
        document
    };
    for (name, list) in [("v1", "flavors"), ("v1", "images"), ("org.openstack.neutron", "networks")] {
        for sharing in [
            json!({ "is_shared": true }),
            json!({}),
            json!({ "projects": ["ns1"] }),
            json!({ "is_shared": false, "projects": ["ns1"] }),
        ] {
            let mut item = json!({ "name": "x", "uuid": "x", "description": 5, "colour": "red" });
            item.as_object_mut().unwrap().extend(sharing.as_object().unwrap().clone());
            let places = refused(&registry, &document(name, list, item)).await;
            let services = if list == "networks" { "network_services" } else { "compute_services" };
            let at = |field: &str| json!(["body", "regions", 0, services, 0, list, 0, field]);
            assert_eq!(places, sorted(&[at("description"), at("colour")]), "{list} {sharing}");
        }
    }
}
