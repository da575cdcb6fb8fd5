//! 2: the orchestrator. Its parameters in its order, unescaped where it leaves them so, XML among what it accepts.

use super::{
    common::Registry,
    raw::{self, Answer},
    world::{federation, groups, items, text, there},
};
use reqwest::StatusCode;
use serde_json::Value as Json;
use simulator::Subject;

const ACCEPT: &str = "application/json, application/xml, text/xml, application/*+json, application/*+xml";

async fn with_token(registry: &Registry, target: &str, token: &str) -> Answer {
    let token = format!("Bearer {token}");
    raw::get(registry, target, &[("Accept", ACCEPT), ("Authorization", &token), ("User-Agent", "Java/17")])
        .await
}

async fn ask(registry: &Registry, target: &str) -> Vec<Json> {
    let answer = with_token(registry, target, &registry.reader).await;
    assert_eq!(answer.status, StatusCode::OK, "{target}: {}", answer.body);
    assert!(answer.head.contains("content-type: application/json"), "an XML answer would be read as XML");
    match answer.body {
        Json::Array(items) => items,
        other => panic!("{target}: no list: {other}"),
    }
}

/// Every number of quotas and flavors is read into 32 bits.
fn fits(item: &Json) {
    for (name, value) in item.as_object().unwrap() {
        let numbers = value.as_object().map_or_else(|| vec![value], |counts| counts.values().collect());
        for number in numbers.into_iter().filter(|number| number.is_number()) {
            assert!(number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()), "{name} of {item}");
        }
    }
}

fn good_quota(quota: &Json) {
    const TYPES: [&str; 5] = ["compute", "block-storage", "object-store", "network", "storage"];
    fits(quota);
    assert!(quota["usage"].is_boolean() && quota["per_user"].is_boolean());
    there(quota, "/service/uid");
    let ty = text(there(quota, "/service/type"));
    assert!(TYPES.contains(&ty.as_str()), "{ty} ends the deployment");
}

fn good_group(group: &Json) {
    there(group, "/uid");
    for sla in items(group, "slas") {
        for way in ["/uid", "/start_date", "/end_date"] {
            there(sla, way);
        }
        for project in items(sla, "projects") {
            there(project, "/provider/uid");
            items(project, "quotas").iter().for_each(good_quota);
        }
    }
}

fn good_project(project: &Json) {
    for way in ["/name", "/provider/uid", "/provider/name"] {
        there(project, way);
    }
    assert!(project["provider"]["is_public"].is_boolean());
    assert!(!items(&project["provider"], "regions").is_empty());
    for region in items(&project["provider"], "regions") {
        there(region, "/name");
        there(region, "/identity_services/0/endpoint");
    }
    for quota in items(project, "quotas") {
        good_quota(quota);
        there(quota, "/service/name");
        there(quota, "/service/region/name");
    }
    let idp = there(project, "/sla/user_group/identity_provider");
    there(idp, "/endpoint");
    let relationship = there(idp, "/providers/0/relationship");
    for key in ["idp_name", "protocol"] {
        assert!(relationship.as_object().unwrap().contains_key(key));
    }
    assert!(items(project, "images").iter().all(|image| !there(image, "/uuid").is_null()));
    for flavor in items(project, "flavors") {
        fits(flavor);
        there(flavor, "/ram");
        there(flavor, "/disk");
    }
    for network in items(project, "networks") {
        there(network, "/name");
        there(network, "/service/region/name");
        assert!(network["is_default"].is_boolean() && network["is_shared"].is_boolean());
        for key in ["proxy_host", "proxy_user"] {
            assert!(network.as_object().unwrap().contains_key(key));
        }
    }
}

#[tokio::test]
async fn a_deployment() {
    let registry = federation().await;
    let mut projects = 0;
    for (group, issuer) in groups() {
        let group = group.replace(' ', "%20");
        let found = ask(
            &registry,
            &format!("/user_groups?with_conn=true&name={group}&idp_endpoint={issuer}&provider_status=active"),
        )
        .await;
        let group = &found[0];
        good_group(group);
        let uid = text(&group["uid"]);
        let mut providers: Vec<String> = items(group, "slas")
            .iter()
            .flat_map(|sla| items(sla, "projects"))
            .map(|project| text(&project["provider"]["uid"]))
            .collect();
        providers.dedup();
        for provider in providers {
            let found = ask(
                &registry,
                &format!("/projects?with_conn=true&user_group_uid={uid}&provider_uid={provider}"),
            )
            .await;
            let project = &found[0];
            good_project(project);
            assert_eq!(project["provider"]["uid"], provider.as_str());
            assert_eq!(project["sla"]["user_group"]["uid"], uid.as_str());
            assert_eq!(project["sla"]["user_group"]["identity_provider"]["endpoint"], issuer.as_str());
            let trusted = items(&project["sla"]["user_group"]["identity_provider"], "providers");
            assert_eq!(trusted.len(), 1, "the protocol is that of this provider alone");
            assert_eq!(trusted[0]["uid"], provider.as_str());
            projects += 1;
        }
    }
    assert!(projects > 20, "{projects}");
    for nothing in [
        "/user_groups?with_conn=true&name=nobody&idp_endpoint=https://iam-1.example.org/&provider_status=active",
        "/user_groups?with_conn=true&name=g1&idp_endpoint=https://elsewhere.example.org/&provider_status=active",
        "/projects?with_conn=true&user_group_uid=x&provider_uid=y",
        "/projects?with_conn=true&region_name=nowhere&identity_service_endpoint=https://nowhere.example.org",
    ] {
        assert_eq!(ask(&registry, nothing).await, Vec::<Json>::new(), "200 with an empty list");
    }
}

#[tokio::test]
async fn an_update() {
    let registry = federation().await;
    for document in super::world::documents() {
        for region in items(&document, "regions") {
            let name = text(&region["name"]);
            let endpoint = text(&region["identity_services"][0]["endpoint"]);
            let with = |region: &str| {
                format!("/projects?with_conn=true{region}&identity_service_endpoint={endpoint}")
            };
            let found = ask(&registry, &with(&format!("&region_name={name}"))).await;
            assert!(!found.is_empty());
            for project in found.iter().filter(|project| !project["sla"].is_null()) {
                good_project(project);
                assert_eq!(project["provider"]["name"], document["name"]);
                let regions = items(&project["provider"], "regions");
                assert_eq!((regions.len(), &regions[0]["name"]), (1, &region["name"]));
                assert_eq!(regions[0]["identity_services"][0]["endpoint"], endpoint.as_str());
                for quota in items(project, "quotas") {
                    assert_eq!(quota["service"]["region"]["name"], name.as_str());
                }
                for network in items(project, "networks") {
                    assert_eq!(network["service"]["region"]["name"], name.as_str());
                }
            }
            // without a region it still sends the parameter's name
            let any = ask(&registry, &with("&region_name")).await;
            assert_eq!(any, ask(&registry, &with("")).await);
            assert!(any.len() >= found.len());
        }
    }
}

#[tokio::test]
async fn only_401_refreshes_its_token() {
    let registry = federation().await;
    let target =
        "/user_groups?with_conn=true&name=g1&idp_endpoint=https://iam-1.example.org/&provider_status=active";
    let old = registry.issuer.token(&Subject::new("orchestrator").ttl(-100)).unwrap();
    let answer = with_token(&registry, target, &old).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
    assert!(answer.body["detail"].is_string());
    let new = registry.issuer.token(&Subject::new("orchestrator")).unwrap();
    let answer = with_token(&registry, target, &new).await;
    assert_eq!((answer.status, answer.body.as_array().unwrap().len()), (StatusCode::OK, 1));
}
