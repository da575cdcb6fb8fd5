//! 1: the dashboard. No trailing slash, booleans as `True`; it expects lists of one.

use super::{
    common::Registry,
    raw,
    world::{federation, groups, items, text, there},
};
use reqwest::StatusCode;
use serde_json::Value as Json;

/// As Python's `requests` sends a dictionary of parameters.
async fn ask(registry: &Registry, path: &str, params: &[(&str, &str)]) -> Json {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let token = format!("Bearer {}", registry.reader);
    let headers =
        [("User-Agent", "python-requests/2.32"), ("Accept", "*/*"), ("Authorization", token.as_str())];
    let answer = raw::get(registry, &target, &headers).await;
    assert_eq!(answer.status, StatusCode::OK, "{target}: {}", answer.body);
    assert!(!answer.head.contains("location:"), "no redirect");
    answer.body
}

fn one(list: &Json) -> &Json {
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 1, "exactly one");
    &list[0]
}

#[tokio::test]
async fn agreements_forms_and_the_vault() {
    let registry = federation().await;
    let mut agreements = 0;
    for (name, issuer) in groups() {
        let params = [
            ("name", name.as_str()),
            ("idp_endpoint", &issuer),
            ("with_conn", "True"),
            ("provider_status", "active"),
        ];
        let answer = ask(&registry, "/user_groups", &params).await;
        let group = one(&answer);
        assert_eq!(group["name"], name.as_str());
        assert!(!items(group, "slas").is_empty());
        for sla in items(group, "slas") {
            there(sla, "/uid");
            assert!(
                !items(sla, "projects").is_empty(),
                "one without project at an active provider is not shown"
            );
            for project in items(sla, "projects") {
                agreements += 1;
                for way in ["/uid", "/name", "/provider/uid", "/provider/name"] {
                    there(project, way);
                }
                for quota in items(project, "quotas") {
                    assert!(quota["usage"].is_boolean());
                    for way in [
                        "/service/uid",
                        "/service/type",
                        "/service/name",
                        "/service/endpoint",
                        "/service/region/name",
                    ] {
                        // of a public region the name is shown as well
                        there(quota, way);
                    }
                }
            }
        }
    }
    assert!(agreements > 20, "{agreements}");
    // what is not there is an empty list, not an error
    let nothing = [
        ("name", "nobody"),
        ("idp_endpoint", "https://iam-1.example.org/"),
        ("with_conn", "True"),
        ("provider_status", "active"),
    ];
    assert_eq!(ask(&registry, "/user_groups", &nothing).await, Json::Array(Vec::new()));
}

#[tokio::test]
async fn flavors_and_images_of_a_form() {
    let registry = federation().await;
    let flavors = ask(&registry, "/flavors", &[("with_conn", "True")]).await;
    assert!(flavors.as_array().unwrap().len() > 50);
    for flavor in flavors.as_array().unwrap() {
        for way in [
            "/name",
            "/ram",
            "/vcpus",
            "/disk",
            "/gpus",
            "/service/region/name",
            "/service/region/provider/uid",
        ] {
            there(flavor, way);
        }
        for key in ["gpu_model", "gpu_vendor"] {
            assert!(flavor.as_object().unwrap().contains_key(key));
        }
        assert!(flavor["is_shared"].is_boolean());
        assert!(items(flavor, "projects").iter().all(|project| !there(project, "/uid").is_null()));
    }
    let images = ask(&registry, "/images", &[("with_conn", "True")]).await;
    let (mut shown, mut sent) = (0, 0);
    for image in images.as_array().unwrap() {
        there(image, "/name");
        for key in ["os_distro", "os_version", "description", "gpu_driver", "created_at"] {
            assert!(image.as_object().unwrap().contains_key(key), "{key}");
        }
        assert!(image["is_shared"].is_boolean());
        assert!(items(image, "projects").iter().all(|project| !there(project, "/uid").is_null()));
        assert!(!items(image, "services").is_empty());
        for service in items(image, "services") {
            there(service, "/region/name");
            there(service, "/region/provider/uid");
        }
        // strptime with "%Y-%m-%dT%H:%M:%S%z": no fraction of a second, an offset
        shown += usize::from(!image["created_at"].is_null());
        if let Some(time) = image["created_at"].as_str() {
            assert!(chrono::DateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%z").is_ok(), "{time}");
            assert!(time.ends_with("+00:00") && time.len() == 25, "{time}");
        }
    }
    for document in super::world::documents() {
        for region in items(&document, "regions") {
            for service in region["compute_services"].as_array().into_iter().flatten() {
                let images = service["images"].as_array().into_iter().flatten();
                sent += images.filter(|image| !image["created_at"].is_null()).count();
            }
        }
    }
    // never null where a document says it (the example's ubuntu is one image in two services)
    assert_eq!(shown, sent - 1);
}

#[tokio::test]
async fn opening_a_cloud_connection() {
    let registry = federation().await;
    let user_groups = ask(&registry, "/user_groups", &[("with_conn", "True")]).await;
    let mut opened = 0;
    for document in super::world::documents() {
        let (name, ty) = (text(&document["name"]), text(&document["type"]));
        let untyped = ask(&registry, "/providers", &[("with_conn", "True"), ("name", &name)]).await;
        let answer =
            ask(&registry, "/providers", &[("with_conn", "True"), ("name", &name), ("type", &ty)]).await;
        assert_eq!(answer, untyped, "the type is left out when it is not known");
        let provider = one(&answer);
        for idp in items(provider, "identity_providers") {
            there(idp, "/endpoint");
            let relationship = there(idp, "/relationship").as_object().unwrap();
            assert!(relationship.contains_key("idp_name") && relationship.contains_key("protocol"));
            if ty == "openstack" {
                there(idp, "/relationship/idp_name");
                there(idp, "/relationship/protocol");
            }
            for group in items(idp, "user_groups") {
                there(group, "/uid");
                there(group, "/name");
            }
        }
        for (region, sent) in items(provider, "regions").iter().zip(items(&document, "regions")) {
            assert_eq!(region["name"], sent["name"]);
            let endpoint = |service: &&Json| service["type"] == "identity";
            let identity = items(region, "services").iter().find(endpoint).unwrap();
            assert_eq!(
                identity["endpoint"], sent["identity_services"][0]["endpoint"],
                "exactly as it was written"
            );
        }
        // then the project of the user's group at that provider
        let provider = text(&provider["uid"]);
        for group in user_groups.as_array().unwrap() {
            let projects = items(group, "slas").iter().flat_map(|sla| items(sla, "projects"));
            if projects.filter(|project| project["provider"]["uid"] == provider.as_str()).count() == 1 {
                let group = text(&group["uid"]);
                let params =
                    [("with_conn", "True"), ("provider_uid", provider.as_str()), ("user_group_uid", &group)];
                there(one(&ask(&registry, "/projects", &params).await), "/uuid");
                opened += 1;
            }
        }
    }
    assert!(opened > 20, "{opened}");
}

#[tokio::test]
async fn ec2_credentials() {
    let registry = federation().await;
    for (name, issuer) in groups() {
        let params = [("with_conn", "True"), ("name", name.as_str()), ("idp_endpoint", &issuer)];
        let answer = ask(&registry, "/user_groups", &params).await;
        for project in items(one(&answer), "slas").iter().flat_map(|sla| items(sla, "projects")) {
            let uid = text(there(project, "/provider/uid"));
            let provider = ask(&registry, &format!("/providers/{uid}"), &[("with_conn", "True")]).await;
            assert_eq!(provider["uid"], uid.as_str());
            let plain = ask(&registry, &format!("/providers/{uid}"), &[]).await;
            assert_eq!(plain["name"], provider["name"]);
        }
    }
}
