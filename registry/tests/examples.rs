//! The recorded examples of the contract, replayed: our answers are equal to them, in value and in the order of
//! keys, after uids and the order of lists; what differs on purpose is named here with the number of
//! `behaviour.md` that says so.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{Registry, example};
use reqwest::{Method, StatusCode};
use serde_json::Value as Json;

/// The state in which the `read_*` examples were recorded.
async fn filled() -> Registry {
    let registry = Registry::start().await;
    for name in ["post_provider_openstack", "post_provider_kubernetes"] {
        let example = example(name);
        let (status, body) =
            registry.send(Method::POST, "/providers/", Some(&example["request"]["body"])).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        assert_same(&body, &example["response"]["body"], name);
    }
    registry
}

/// Equal after uids and the order of lists. Keys come in the recorded order.
fn assert_same(ours: &Json, theirs: &Json, what: &str) {
    let difference = difference(&canonical(ours), &canonical(theirs), "");
    assert!(difference.is_none(), "{what}: {}", difference.unwrap_or_default());
}

fn canonical(json: &Json) -> Json {
    match json {
        Json::Object(object) => {
            let value = |(name, value): (&String, &Json)| match (name.as_str(), value.as_str()) {
                ("uid", _) => (name.clone(), "uid".into()),
                // 36: whole seconds
                ("created_at", Some(time)) => {
                    let whole = time.split_once('.').map(|(whole, _)| format!("{whole}+00:00"));
                    (name.clone(), whole.unwrap_or_else(|| time.to_owned()).into())
                }
                _ => (name.clone(), canonical(value)),
            };
            Json::Object(object.iter().map(value).collect())
        }
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(canonical).collect();
            items.sort_by_key(ToString::to_string);
            // 9: an extended project lists a shared resource once, not once for each of its quotas
            items.dedup();
            items.into()
        }
        other => other.clone(),
    }
}

fn difference(ours: &Json, theirs: &Json, at: &str) -> Option<String> {
    match (ours, theirs) {
        (Json::Object(a), Json::Object(b)) if a.keys().eq(b.keys()) => {
            a.iter().find_map(|(name, value)| difference(value, &b[name], &format!("{at}.{name}")))
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| difference(a, b, &format!("{at}[{i}]")))
        }
        _ => (ours != theirs).then(|| format!("at {at}: ours {ours} theirs {theirs}")),
    }
}

/// The key by which an entity of an example is found among ours.
fn natural_key(item: &Json) -> String {
    ["doc_uuid", "uuid", "site", "endpoint", "name"]
        .iter()
        .find_map(|name| item[*name].as_str().map(|text| format!("{name}={text}")))
        .unwrap_or_else(|| {
            format!(
                "{} {} {} {} {}",
                item["type"], item["usage"], item["per_user"], item["cores"], item["gigabytes"]
            )
        })
}

#[tokio::test]
async fn reads_equal_the_recorded_ones() {
    let registry = filled().await;
    let mut replayed = 0;
    for path in ["compute_quotas", "flavors", "images", "projects", "providers", "regions", "user_groups"] {
        let all = registry.admin_get(&format!("/{path}/")).await;
        for (name, recorded) in recorded(&format!("read_{path}_")) {
            let asked = recorded["request"]["path"].as_str().unwrap().trim_start_matches("/api/v1");
            let anonymous = recorded["request"]["authorization"].as_str().is_none_or(|who| who == "none");
            let body = &recorded["response"]["body"];
            let asked = if name.contains("_one_") {
                // several plain quotas have no natural key of their own: their cores tell them apart
                let same = |ours: &&Json| path == "compute_quotas" || natural_key(ours) == natural_key(body);
                let private = |ours: &&Json| body.get("cores").is_none_or(|cores| ours["cores"] == *cores);
                let ours = all.as_array().unwrap().iter().filter(same).find(private).unwrap();
                let (before, after) = asked.split_at(asked.find(path).unwrap() + path.len() + 1);
                let rest = after.find('?').map_or("", |at| &after[at..]);
                format!("{before}{}{rest}", ours["uid"].as_str().unwrap())
            } else if name.ends_with("_404") {
                asked.to_owned()
            } else {
                let limit =
                    asked.split(&['?', '&'][..]).find_map(|part| part.strip_prefix("limit=")).unwrap();
                let (_, cut) = registry.get(asked, (!anonymous).then_some(registry.admin.as_str())).await;
                let most: usize = limit.parse().unwrap();
                assert_eq!(cut.as_array().unwrap().len(), most.min(all.as_array().unwrap().len()), "{name}");
                // which ones a limit leaves is the database's mood: ours keeps the order of creation (38)
                asked.replace(&format!("limit={limit}"), "")
            };
            let token = (!anonymous).then_some(registry.admin.as_str());
            let (status, ours) = registry.get(&asked, token).await;
            assert_eq!(u64::from(status.as_u16()), recorded["response"]["status"], "{name}");
            if status == StatusCode::NOT_FOUND {
                // 31: the kind of the README's table instead of a Python class
                let detail = ours["detail"].as_str().unwrap();
                assert!(
                    detail.ends_with(" with uid '00000000000000000000000000000000' not found"),
                    "{detail}"
                );
                assert!(!detail.contains("class"), "{detail}");
            } else if name.contains("_one_anon") && path == "compute_quotas" {
                let quotas = all.as_array().unwrap().len();
                assert!(quotas > 1, "any of several equal public quotas is right: their shape is compared");
                assert!(ours.as_object().unwrap().keys().eq(body.as_object().unwrap().keys()), "{name}");
            } else if let Some(items) = body.as_array() {
                let ours = canonical(&ours);
                for item in items {
                    let item = canonical(item);
                    let same = |ours: &Json| *ours == item;
                    assert!(ours.as_array().unwrap().iter().any(same), "{name}: not among ours: {item}");
                }
            } else {
                assert_same(&ours, body, &name);
            }
            replayed += 1;
        }
    }
    assert_eq!(replayed, recorded("read_").len());
}

fn recorded(prefix: &str) -> Vec<(String, Json)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/contract/examples");
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), example(&name))).collect()
}

#[tokio::test]
async fn filters_and_order_equal_the_recorded_ones() {
    let registry = filled().await;
    for name in ["filter_int_bad", "filter_two_bad"] {
        let recorded = example(name);
        let path = recorded["request"]["path"].as_str().unwrap().trim_start_matches("/api/v1");
        let (status, body) = registry.get(path, Some(&registry.admin)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(body, recorded["response"]["body"], "{name}");
    }
    for name in ["filter_sort_nulls", "filter_sort_nulls_desc"] {
        let recorded = example(name);
        let path = recorded["request"]["path"].as_str().unwrap().trim_start_matches("/api/v1");
        let ours = registry.admin_get(path).await;
        let sites = |json: &Json| {
            json.as_array().unwrap().iter().map(|item| item["site"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(sites(&ours), sites(&recorded["response"]["body"]), "{name}");
    }
}

#[tokio::test]
async fn writes_answer_as_recorded() {
    let registry = filled().await;
    let openstack = &example("post_provider_openstack")["request"]["body"];
    let providers = registry.admin_get("/providers/?name=SITE-A").await;
    let uid = providers[0]["uid"].as_str().unwrap().to_owned();

    // again: 409 with the recorded text
    let (status, body) = registry.send(Method::POST, "/providers/", Some(openstack)).await;
    assert_eq!((status, &body), (StatusCode::CONFLICT, &example("post_duplicate")["response"]["body"]));

    // unchanged, and in another order: 304
    for document in [openstack.clone(), reversed(openstack)] {
        let (status, body) = registry.send(Method::PUT, &format!("/providers/{uid}"), Some(&document)).await;
        assert_eq!((status, body), (StatusCode::NOT_MODIFIED, Json::Null));
    }

    // PATCH of a quota
    let quotas = registry.admin_get("/compute_quotas/?cores=10").await;
    let quota = quotas[0]["uid"].as_str().unwrap();
    let recorded = example("patch_quota");
    let (status, body) = registry
        .send(Method::PATCH, &format!("/compute_quotas/{quota}"), Some(&recorded["request"]["body"]))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_same(&body, &recorded["response"]["body"], "patch_quota");

    // 31: the refused value is named, not the stored one
    let flavors = registry.admin_get("/flavors/?name=big").await;
    let recorded = example("patch_flavor_uuid_taken");
    let path = format!("/flavors/{}", flavors[0]["uid"].as_str().unwrap());
    let (status, body) = registry.send(Method::PATCH, &path, Some(&recorded["request"]["body"])).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(body["detail"], "Flavor with uuid 'a0000000-0000-4000-8000-0000000000ca' already registered");

    // DELETE with the recorded cascade
    let (status, _) = registry.send(Method::DELETE, &format!("/providers/{uid}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    for path in ["/flavors/", "/images/", "/networks/", "/network_services/", "/network_quotas/"] {
        assert_eq!(registry.admin_get(path).await, Json::Array(Vec::new()), "{path}");
    }
    let groups = registry.admin_get("/user_groups/").await;
    assert_eq!(groups.as_array().unwrap().len(), 4, "groups stay: {groups}");
    let slas = registry.admin_get("/slas/?sort=doc_uuid").await;
    let docs: Vec<&str> =
        slas.as_array().unwrap().iter().map(|sla| sla["doc_uuid"].as_str().unwrap()).collect();
    assert_eq!(
        docs,
        ["a0000000000040008000000000000065", "a0000000000040008000000000000069"],
        "shared SLAs stay"
    );
    // deleting what is not there
    let (status, _) = registry.send(Method::DELETE, &format!("/providers/{uid}"), None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

/// The same content in another order.
fn reversed(json: &Json) -> Json {
    match json {
        Json::Object(object) => {
            Json::Object(object.iter().rev().map(|(name, value)| (name.clone(), reversed(value))).collect())
        }
        Json::Array(items) => items.iter().rev().map(reversed).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn every_fault_of_a_document_is_told_at_once_with_its_place() {
    let registry = Registry::start().await;
    let mut document = example("post_provider_openstack")["request"]["body"].clone();
    document["status"] = "alive".into();
    document["nmae"] = "x".into();
    document["projects"][1]["uuid"] = document["projects"][0]["uuid"].clone();
    document["regions"][0]["location"]["country"] = "Itlay".into();
    document["regions"][0]["compute_services"][0]["flavors"][0]["ram"] = (-1).into();
    document["regions"][0]["compute_services"][0]["flavors"][1]["projects"] = Json::Array(Vec::new());
    document["regions"][0]["compute_services"][0]["flavors"][2]["gpu_model"] = "A100".into();
    document["regions"][0]["compute_services"][0]["quotas"][0]["project"] = "nowhere".into();
    document["identity_providers"][0]["user_groups"][0]["sla"]["end_date"] = "2001-01-01".into();
    let (status, body) = registry.send(Method::POST, "/providers/", Some(&document)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    insta::assert_json_snapshot!(body);
    assert_eq!(registry.admin_get("/projects/").await, Json::Array(Vec::new()), "all or nothing");
}
