//! What an answer looks like: 8, 11, 35, 36 and 39.

use super::{
    common::Registry,
    world::{entities, filled, inner, project, site_a, site_b, small, uid},
};
use reqwest::StatusCode;
use serde_json::{Map, Value as Json, json};
use std::{
    fmt::{self, Write},
    sync::{Arc, Mutex},
};

/// Sees an object, and the keys that lead to it.
type See<'s, 'a> = &'s mut dyn FnMut(&[&str], &'a Map<String, Json>);

/// Shows every object of an answer.
fn each_object<'a>(json: &'a Json, way: &mut Vec<&'a str>, see: See<'_, 'a>) {
    match json {
        Json::Object(object) => {
            see(way, object);
            for (name, value) in object {
                way.push(name);
                each_object(value, way, see);
                way.pop();
            }
        }
        Json::Array(items) => items.iter().for_each(|item| each_object(item, way, see)),
        _ => {}
    }
}

#[tokio::test]
async fn p08_nested_items_carry_their_own_plain_schema_type_and_some_are_always_public() {
    let registry = filled().await;
    for (token, known) in [(Some(registry.admin.as_str()), true), (None, false)] {
        for path in entities() {
            let (_, body) = registry.get(&format!("/{path}?with_conn=true"), token).await;
            each_object(&body, &mut Vec::new(), &mut |way, object| {
                let Some(schema_type) = object.get("schema_type").and_then(Json::as_str) else { return };
                let public_region = matches!(path, "projects" | "user_groups")
                    && way.last() == Some(&"region")
                    && way.contains(&"service");
                let identity = way.last() == Some(&"identity_services");
                let trusting = path == "projects" && way.last() == Some(&"providers");
                let expected = match (way, known) {
                    ([], true) => "private_extended",
                    ([], false) => "public_extended",
                    (_, true) if !public_region && !identity && !trusting => "private",
                    _ => "public",
                };
                assert_eq!(schema_type, expected, "{path} {way:?}");
                let location = object.contains_key("site");
                assert_eq!(
                    object.contains_key("country_code"),
                    location && schema_type.starts_with("private"),
                    "{path} {way:?}"
                );
            });
        }
    }
    let (_, plain) = registry.get("/locations?short=true", Some(&registry.admin)).await;
    assert_eq!(plain[0]["schema_type"], "public");
    let code = registry.only("/locations?site=Site-Y").await;
    assert_eq!(code["country_code"], "DEU");
}

#[tokio::test]
async fn p08_an_extended_provider_lists_all_groups_and_slas_of_its_identity_providers() {
    let registry = filled().await;
    let expected = json!([
        ["g1", ["a0000000000040008000000000000065"]],
        ["g2", ["a0000000000040008000000000000066"]],
        ["g4", ["a0000000000040008000000000000069"]]
    ]);
    for name in ["SITE-A", "SITE-B"] {
        for token in [Some(registry.admin.as_str()), None] {
            let (_, body) = registry.get(&format!("/providers?name={name}&with_conn=true"), token).await;
            let idp = body[0]["identity_providers"].as_array().unwrap();
            let first = idp.iter().find(|idp| idp["endpoint"] == "https://iam-1.example.org/").unwrap();
            let groups = first["user_groups"].as_array().unwrap().iter();
            let seen: Json =
                groups.map(|group| json!([group["name"], inner(group, "slas", "doc_uuid")])).collect();
            assert_eq!(seen, expected, "other providers' included, shown to {token:?}");
            let own = if name == "SITE-A" { "protocol" } else { "audience" };
            assert!(
                first["relationship"][own].is_string(),
                "the relationship is shown to anonymous callers too"
            );
        }
    }
}

#[tokio::test]
async fn p11_storage_classes_and_their_quotas_are_entities_of_their_own() {
    let registry = filled().await;
    let class = registry.only("/storage_classes?name=fast").await;
    assert_eq!(class["provisioner"], "csi.example.org");
    assert_eq!(class["is_default"], true);
    let quota = registry.only("/storage_class_quotas").await;
    assert_eq!((&quota["pvcs"], &quota["storage"]), (&json!(3), &json!(50)), "kept on POST");
    let path = format!("/storage_classes/{}", uid(&class));
    let extended = registry.admin_get(&format!("{path}?with_conn=true")).await;
    assert_eq!(extended["quotas"][0]["project"]["name"], "ns1");
    assert_eq!(extended["service"]["region"]["provider"]["name"], "SITE-B");
    let of_quota = registry.admin_get(&format!("/storage_class_quotas/{}?with_conn=true", uid(&quota))).await;
    assert_eq!(of_quota["project"]["name"], "ns1");
    assert_eq!(of_quota["storage_class"]["name"], "fast");
    assert_eq!(of_quota["storage_class"]["service"]["type"], "block-storage");
    // in the manner of the others: filters, order, audiences, PATCH with its conflicts, DELETE with its cascade
    assert_eq!(
        registry.texts("/storage_classes?sort=-name&provisioner__startswith=csi", "name").await,
        ["slow", "fast"]
    );
    let (_, anonymous) = registry.get("/storage_classes?name=fast", None).await;
    assert_eq!(
        anonymous,
        json!([{ "description": "", "name": "fast", "schema_type": "public", "uid": uid(&class) }])
    );
    let (status, body) = registry.patch(&path, &json!({ "name": "slow" })).await;
    assert_eq!(
        (status, &body["detail"]),
        (StatusCode::CONFLICT, &json!("StorageClass with name 'slow' already registered"))
    );
    let (status, body) = registry.patch(&path, &json!({ "is_default": false })).await;
    assert_eq!((status, &body["is_default"]), (StatusCode::OK, &json!(false)));
    registry.delete(&path).await;
    assert_eq!(registry.list("/storage_class_quotas").await, [Json::Null; 0]);
}

#[tokio::test]
async fn p39_no_v1_shape_gains_a_quota_or_service_of_another_kind_and_keys_of_lists_are_always_there() {
    let registry = filled().await;
    registry
        .post(&json!({ "name": "EMPTY", "type": "kubernetes", "projects": [{ "name": "p", "uuid": "p" }],
        "identity_providers": [{ "endpoint": "https://iam-3.example.org/", "group_claim": "groups",
            "user_groups": [{ "name": "nobody" }] }],
        "regions": [{ "name": "R", "location": { "site": "S", "country": "Italy" } }] }))
        .await;
    let lists = [
        ("providers", &["identity_providers", "projects", "regions"][..]),
        ("regions", &["services"]),
        ("projects", &["flavors", "images", "networks", "quotas"]),
        ("user_groups", &["slas"]),
        ("identity_providers", &["providers", "user_groups"]),
        ("slas", &["projects"]),
        ("locations", &["regions"]),
        ("flavors", &["projects"]),
        ("images", &["projects", "services"]),
        ("networks", &["projects"]),
        ("compute_services", &["flavors", "images", "quotas"]),
        ("network_services", &["networks", "quotas"]),
        ("block_storage_services", &["quotas"]),
        ("object_store_services", &["quotas"]),
        ("identity_services", &[]),
    ];
    for token in [Some(registry.admin.as_str()), None] {
        for (path, names) in lists {
            let (_, items) = registry.get(&format!("/{path}?with_conn=true"), token).await;
            assert!(!items.as_array().unwrap().is_empty(), "{path}");
            for item in items.as_array().unwrap() {
                for name in names {
                    assert!(item[*name].is_array(), "{name} of {item}");
                }
                assert!(item.get("storage_classes").is_none(), "{item}");
            }
            each_object(&items, &mut Vec::new(), &mut |way, object| {
                let ty = object.get("type").and_then(Json::as_str).unwrap_or_default();
                assert_ne!(ty, "storageclass", "{path} {way:?}");
                if way.last() == Some(&"projects") && path == "user_groups" {
                    assert!(object["quotas"].is_array());
                }
            });
        }
        let (_, bare) = registry.get("/projects?name=p&with_conn=true", token).await;
        assert!(bare[0].as_object().unwrap().contains_key("sla"), "there although null");
        assert_eq!(bare[0]["sla"], Json::Null);
    }
    let quotas = registry.only(&format!("/projects?uuid={}&with_conn=true", project(1))).await;
    assert!(inner(&quotas, "quotas", "type").contains(&"object-store".to_owned()));
}

#[tokio::test]
async fn p36_date_times_have_whole_seconds_and_the_offset_of_utc() {
    let registry = filled().await;
    let shown = registry.texts("/images?sort=name", "created_at").await;
    assert_eq!(shown, ["null", "2024-05-06T05:08:09+00:00", "2024-05-06T07:08:09+00:00"]);
    // what is shown is what is compared, although the fraction is kept
    let names = async |query: &str| registry.texts(&format!("/images?sort=name&{query}"), "name").await;
    assert_eq!(names("created_at=2024-05-06T05:08:09%2B00:00").await, ["priv12"]);
    assert_eq!(names("created_at=2024-05-06T05:08:09+00:00").await, ["priv12"], "+ as orchestrators send it");
    assert_eq!(names("created_at=2024-05-06T07:08:09%2B02:00").await, ["priv12"]);
    assert_eq!(names("created_at__lte=2024-05-06T05:08:09Z").await, ["priv12"]);
    assert_eq!(names("created_at__gt=2024-05-06T05:08:09Z").await, ["ubuntu"]);
    assert_eq!(
        names("created_at__ne=2024-05-06T05:08:09Z").await,
        ["ubuntu"],
        "missing values match nothing"
    );
    let (status, _) = registry.put(&uid(&registry.only("/providers?name=SITE-A").await), &site_a()).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    assert_eq!(registry.texts("/slas?sort=doc_uuid&limit=1", "end_date").await, ["2029-12-31"]);
}

/// Keeps the messages of warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<String>>);

impl tracing::field::Visit for Warnings {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            writeln!(self.0.lock().unwrap(), "{value:?}").unwrap();
        }
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn p35_numbers_beyond_32_bits_are_shown_as_the_largest_and_logged_once() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let registry = Registry::start().await;
    let flavors = json!([
        { "name": "f", "uuid": "f", "ephemeral": 2_147_483_648_i64, "swap": 2_147_483_647 },
        { "name": "g", "uuid": "g", "ephemeral": 9_223_372_036_854_775_807_i64 },
    ]);
    let quotas =
        json!([{ "project": "p", "cores": 5_000_000_000_i64, "gpus": { "A": 3_000_000_000_i64, "B": 1 } }]);
    let provider = registry.post(&small("S", flavors, quotas)).await;
    for _ in 0..2 {
        for path in ["/flavors", "/flavors?with_conn=true"] {
            let all = registry.list(path).await;
            assert_eq!(all[0]["ephemeral"], 2_147_483_647);
            assert_eq!(all[0]["swap"], 2_147_483_647);
            assert_eq!(all[1]["ephemeral"], 2_147_483_647);
        }
        let quota = registry.only("/compute_quotas").await;
        assert_eq!(
            (&quota["cores"], &quota["gpus"]),
            (&json!(2_147_483_647), &json!({ "A": 2_147_483_647, "B": 1 }))
        );
        let flavor = uid(&registry.list("/flavors").await[0]);
        registry.patch(&format!("/flavors/{flavor}"), &json!({ "description": "again" })).await;
    }
    // filters still know the number itself
    assert_eq!(registry.texts("/flavors?ephemeral__gt=2147483648", "name").await, ["g"]);
    let log = warnings.0.lock().unwrap().clone();
    for (field, times) in
        [("ephemeral of Flavor", 1), ("cores of ComputeQuota", 1), ("gpus of ComputeQuota", 1), ("swap", 0)]
    {
        assert_eq!(log.matches(field).count(), times, "{field} in {log}");
    }
    // and the document that says it is the stored one
    let (_, body) = registry.get(&format!("/providers/{provider}"), None).await;
    assert_eq!(body["name"], "S");
}

#[tokio::test]
async fn p39_kubernetes_and_openstack_services_show_their_own_lists() {
    let registry = filled().await;
    for (name, document) in [("SITE-A", site_a()), ("SITE-B", site_b())] {
        let provider = registry.only(&format!("/providers?name={name}&with_conn=true")).await;
        for region in provider["regions"].as_array().unwrap() {
            assert!(region.as_object().unwrap().contains_key("location"));
            for service in region["services"].as_array().unwrap() {
                let keys: Vec<&str> = match service["type"].as_str().unwrap() {
                    "compute" => vec!["flavors", "images", "quotas"],
                    "network" => vec!["networks", "quotas"],
                    "identity" => vec![],
                    _ => vec!["quotas"],
                };
                let lists = service.as_object().unwrap().iter().filter(|(_, value)| value.is_array());
                assert_eq!(lists.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), keys, "{name}");
            }
        }
        assert_eq!(
            provider["regions"].as_array().unwrap().len(),
            document["regions"].as_array().unwrap().len()
        );
    }
}
