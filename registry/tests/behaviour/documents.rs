//! What a document may say: 20, 21, 23 and 25.

use super::{
    common::Registry,
    world::{filled, locs, site_a, small, uid},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn p20_a_service_has_at_most_one_quota_of_each_kind_for_a_project() {
    let registry = Registry::start().await;
    let quota = |usage: bool, per_user: bool| json!({ "project": "p", "usage": usage, "per_user": per_user });
    let three = json!([quota(true, false), quota(false, true), quota(false, false), { "project": "q" }]);
    let provider = registry.post(&small("S", json!([]), three.clone())).await;
    assert_eq!(registry.list("/compute_quotas").await.len(), 4);
    // usage wins when both flags are set
    for (more, refused) in [
        (quota(true, true), true),
        (quota(true, false), true),
        (quota(false, true), true),
        (quota(false, false), true),
        (json!({ "project": "p" }), true),
        (json!({ "project": "q", "usage": true, "per_user": true }), false),
    ] {
        let mut quotas = three.clone();
        quotas.as_array_mut().unwrap().push(more.clone());
        let (status, body) = registry.put(&provider, &small("S", json!([]), quotas)).await;
        let place = json!(["body", "regions", 0, "compute_services", 0, "quotas", 4, "project"]);
        assert_eq!(locs(&body), if refused { vec![place] } else { vec![] }, "{more}");
        assert_eq!(status, if refused { 422 } else { 200 }, "{more}: {body}");
    }
}

#[tokio::test]
async fn p21_unlimited_and_unknown() {
    let registry = Registry::start().await;
    let service = |endpoint: &str, name: &str, quota: Json| json!([{ "endpoint": format!("https://{endpoint}"), "name": name, "quotas": [quota] }]);
    let mut unlimited = 0;
    let mut limits = |kind: schema::Kind, n: i64| {
        let mut quota = json!({ "project": "p" });
        for field in &schema::Schema::get().entity(kind).fields {
            if matches!(field.ty, schema::field::Type::Int { unlimited: true, .. }) {
                quota[field.name] = n.into();
                unlimited += 1;
            }
        }
        quota
    };
    let mut document = |n: i64| {
        let mut document = small("S", json!([]), json!([limits(schema::Kind::ComputeQuota, n)]));
        let region = &mut document["regions"][0];
        region["network_services"] =
            service("n", "org.openstack.neutron", limits(schema::Kind::NetworkQuota, n));
        region["object_store_services"] =
            service("o", "org.openstack.swift", limits(schema::Kind::ObjectStoreQuota, n));
        region["block_storage_services"] =
            service("b", "org.openstack.cinder", limits(schema::Kind::BlockStorageQuota, n));
        region["block_storage_services"][0]["storage_classes"] = json!([{ "name": "c", "provisioner": "x",
            "quotas": [limits(schema::Kind::StorageClassQuota, n)] }]);
        document
    };
    let provider = registry.post(&document(-1)).await;
    let compute = registry.only("/compute_quotas").await;
    for name in [
        "cores",
        "instances",
        "ram",
        "limits_cpu",
        "requests_cpu",
        "limits_memory",
        "requests_memory",
        "pods",
    ] {
        assert_eq!(compute[name], Json::Null, "{name}: the shape's minimum is 0");
    }
    let volumes = registry.only("/block_storage_quotas").await;
    for name in ["pvcs", "storage", "requests_ephemeral_storage", "limits_ephemeral_storage"] {
        assert_eq!(volumes[name], Json::Null, "{name}");
    }
    for name in ["gigabytes", "per_volume_gigabytes", "volumes"] {
        assert_eq!(volumes[name], -1, "{name}");
    }
    let network = registry.only("/network_quotas").await;
    let objects = registry.only("/object_store_quotas").await;
    for (quota, name) in [
        (&network, "public_ips"),
        (&network, "security_group_rules"),
        (&objects, "bytes"),
        (&objects, "objects"),
    ] {
        assert_eq!(quota[name], -1, "{name}");
    }
    // what is shown as missing is missing for filters and order too
    for query in ["cores__lt=5", "cores__gte=0", "cores__ne=3"] {
        assert_eq!(registry.list(&format!("/compute_quotas?{query}")).await, [Json::Null; 0], "{query}");
    }
    assert_eq!(registry.list("/network_quotas?ports__lt=5").await.len(), 1);
    assert_eq!(registry.list("/network_quotas?ports=-1").await.len(), 1);
    assert_eq!(registry.faults("/compute_quotas?cores=-1").await, (422, vec![json!(["query", "cores"])]));
    // null is unknown: another thing, although v1 shows both alike
    let (status, _) = registry.put(&provider, &document(-1)).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    let mut unknown = document(-1);
    unknown["regions"][0]["compute_services"][0]["quotas"][0]["cores"] = Json::Null;
    assert_eq!(registry.put(&provider, &unknown).await.0, StatusCode::OK);
    let (status, body) = registry.put(&provider, &document(-2)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let places = locs(&body);
    assert_eq!(document(0).to_string().matches(":0").count(), places.len(), "every limit once");
    let (status, body) =
        registry.patch(&format!("/compute_quotas/{}", uid(&compute)), &json!({ "ram": 5, "pods": -1 })).await;
    assert_eq!((status, &body["ram"], &body["pods"]), (StatusCode::OK, &json!(5), &Json::Null));
    assert!(unlimited > 20 * 4, "{unlimited}");
}

#[tokio::test]
async fn p23_unknown_fields_are_named_with_the_nearest_known_one() {
    let registry = filled().await;
    let mut document = site_a();
    document["name"] = "OTHER".into();
    document["regons"] = json!([]);
    document["x"] = json!(1);
    document["regions"][0]["compute_services"][0]["flavors"][0]["vcpu"] = json!(2);
    document["regions"][0]["compute_services"][0]["quotas"][0]["projects"] = json!([]);
    document["regions"][0]["location"]["lattitude"] = json!(1);
    document["identity_providers"][0]["relationship"]["idpname"] = json!("x");
    document["projects"][0]["uid"] = json!("x");
    let (status, body) = registry.send(Method::POST, "/providers", Some(&document)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let said: Vec<String> = body["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| {
            let last = fault["loc"].as_array().unwrap().last().unwrap().as_str().unwrap();
            assert!(
                fault["msg"].as_str().unwrap().starts_with(&format!("unknown field '{last}'")),
                "{fault}"
            );
            fault["msg"].as_str().unwrap().split("did you mean ").nth(1).unwrap_or("nothing").to_owned()
        })
        .collect();
    let mut said = said;
    said.sort();
    assert_eq!(
        said,
        ["'idp_name'?", "'latitude'?", "'project'?", "'regions'?", "'uuid'?", "'vcpus'?", "nothing"]
    );

    let flavor = format!("/flavors/{}", uid(&registry.list("/flavors").await[0]));
    let (status, body) = registry.patch(&flavor, &json!({ "rma": 1, "disc": 1, "ram": 2 })).await;
    assert_eq!(
        (status, locs(&body)),
        (StatusCode::UNPROCESSABLE_ENTITY, vec![json!(["body", "rma"]), json!(["body", "disc"])])
    );
}

#[tokio::test]
async fn p23_lenient_documents_ignore_unknown_fields_and_nothing_else() {
    let registry = Registry::start_with(|settings| settings.lenient_documents = true).await;
    let mut document = site_a();
    document["regons"] = json!([]);
    document["regions"][0]["compute_services"][0]["flavors"][0]["vcpu"] = json!(2);
    let provider = registry.post(&document).await;
    assert_eq!(registry.put(&provider, &site_a()).await.0, StatusCode::NOT_MODIFIED);
    let (status, _) = registry.patch(&format!("/providers/{provider}"), &json!({ "colour": "red" })).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    document["regions"][0]["compute_services"][0]["flavors"][0]["vcpus"] = json!("two");
    let (_, body) = registry.put(&provider, &document).await;
    assert_eq!(locs(&body), [json!(["body", "regions", 0, "compute_services", 0, "flavors", 0, "vcpus"])]);
}

#[tokio::test]
async fn p23_types_are_strict_but_for_integers_and_offsets() {
    let registry = filled().await;
    let provider = uid(&registry.only("/providers?name=SITE-A").await);
    let with = |change: &dyn Fn(&mut Json)| {
        let mut document = site_a();
        change(&mut document["regions"][0]["compute_services"][0]);
        document
    };
    for (number, read) in [
        (json!(12.0), Some(12)),
        (json!("12"), Some(12)),
        (json!(1.2e1), Some(12)),
        (json!("-0"), Some(0)),
        (json!(12.5), None),
        (json!("12.0"), None),
        (json!(" 12"), None),
        (json!("twelve"), None),
        (json!(true), None),
        (json!([12]), None),
        (json!({}), None),
        (json!(1e300), None),
        (json!(""), None),
        (json!(18_446_744_073_709_551_615_u64), None),
    ] {
        let document = with(&|compute| compute["flavors"][0]["vcpus"] = number.clone());
        let (status, body) = registry.put(&provider, &document).await;
        if let Some(read) = read {
            assert_ne!(status, StatusCode::UNPROCESSABLE_ENTITY, "{number}: {body}");
            assert!(
                registry.texts(&format!("/flavors?vcpus={read}"), "name").await.contains(&"small".to_owned()),
                "{number}"
            );
        } else {
            assert_eq!(
                locs(&body),
                [json!(["body", "regions", 0, "compute_services", 0, "flavors", 0, "vcpus"])],
                "{number}"
            );
        }
    }
    for (time, shown) in [
        ("2024-05-06T07:08:09.5+05:30", "2024-05-06T01:38:09+00:00"),
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00"),
        ("2024-05-06T00:00:00-01:00", "2024-05-06T01:00:00+00:00"),
        ("2024-05-06T07:08:09", "2024-05-06T07:08:09+00:00"),
    ] {
        let document = with(&|compute| compute["images"][1]["created_at"] = time.into());
        assert_ne!(registry.put(&provider, &document).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{time}");
        assert_eq!(registry.only("/images?name=priv1").await["created_at"], shown, "{time}");
    }
    let place = |list: &str, name: &str| json!(["body", "regions", 0, "compute_services", 0, list, 0, name]);
    for (list, name, bad) in [
        ("images", "created_at", json!("2024-05-06")),
        ("images", "created_at", json!(1_714_979_289)),
        ("images", "created_at", json!("2024-13-06T07:08:09Z")),
        ("images", "created_at", json!("0000-01-01T00:00:00+01:00")),
        ("images", "cuda_support", json!("true")),
        ("images", "cuda_support", json!(1)),
        ("images", "name", json!(1)),
        ("images", "os_type", json!("linux")),
        ("images", "tags", json!("base")),
        ("images", "is_shared", json!("yes")),
        ("flavors", "name", Json::Null),
        ("flavors", "uuid", json!(["x"])),
        ("flavors", "infiniband", json!("False")),
        ("flavors", "ram", json!(-1)),
        ("quotas", "gpus", json!([1])),
        ("quotas", "usage", json!(0)),
        ("quotas", "project", json!(3)),
    ] {
        let document = with(&|compute| compute[list][0][name] = bad.clone());
        let (_, body) = registry.put(&provider, &document).await;
        assert_eq!(locs(&body), [place(list, name)], "{bad}");
    }
    let document = with(&|compute| {
        compute["images"][0]["tags"] = json!(["a", 1, null]);
        compute["quotas"][0]["gpus"] = json!({ "A100": "2", "H100": "two", "L4": null });
    });
    let (_, body) = registry.put(&provider, &document).await;
    let compute = ["body", "regions"].map(Json::from).into_iter().chain([
        0.into(),
        "compute_services".into(),
        0.into(),
    ]);
    let at = |more: &[Json]| Json::Array(compute.clone().chain(more.iter().cloned()).collect());
    assert_eq!(
        locs(&body),
        [
            at(&["images".into(), 0.into(), "tags".into(), 1.into()]),
            at(&["images".into(), 0.into(), "tags".into(), 2.into()]),
            at(&["quotas".into(), 0.into(), "gpus".into(), "H100".into()]),
            at(&["quotas".into(), 0.into(), "gpus".into(), "L4".into()]),
        ]
    );
}

#[tokio::test]
async fn p25_uuids_are_kept_as_written_and_names_of_flavors_may_repeat() {
    let registry = Registry::start().await;
    let dashed = "A0000000-0000-4000-8000-000000000001";
    let bare = dashed.replace('-', "");
    let flavor = |uuid: &str| json!({ "name": "same", "uuid": uuid });
    let flavors = json!([flavor(dashed), flavor(&bare), flavor(&dashed.to_lowercase()), flavor(" spaced ")]);
    let mut document = small("S", flavors, json!([]));
    document["projects"] = json!([{ "name": "p", "uuid": dashed }, { "name": "q", "uuid": bare }]);
    registry.post(&document).await;
    assert_eq!(
        registry.texts("/flavors?name=same", "uuid").await,
        [dashed, &bare, &dashed.to_lowercase(), " spaced "]
    );
    assert_eq!(registry.only(&format!("/projects?uuid={dashed}")).await["name"], "p");
    assert_eq!(registry.only(&format!("/projects?uuid={bare}")).await["name"], "q");
}

/// What the API's page offers to send is good as it stands.
#[tokio::test]
async fn p12_the_examples_of_the_openapi_document_work() {
    let registry = Registry::start().await;
    let document = registry::api::openapi("/api/v1").unwrap();
    let example = |place: &str| {
        let place =
            format!("/paths/{}/requestBody/content/application~1json/example", place.replace(' ', "/"));
        document.pointer(&place).unwrap_or_else(|| panic!("no example at {place}")).clone()
    };
    let provider = registry.post(&example("~1providers~1 post")).await;
    let (status, body) = registry.put(&provider, &example("~1providers~1{provider_uid} put")).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED, "{body}");
    for entity in schema::Schema::get().entities.iter().filter(|entity| entity.decl.v1) {
        let path = entity.decl.path;
        let item = registry.only(&format!("/{path}")).await;
        let body = example(&format!("~1{path}~1{{{}}} patch", entity.decl.uid_name));
        let (status, patched) = registry.patch(&format!("/{path}/{}", uid(&item)), &body).await;
        assert_eq!((status, &patched["description"]), (StatusCode::OK, &body["description"]), "{path}");
    }
}
