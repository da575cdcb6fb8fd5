//! The parameters of `user_groups` and `projects` that look beyond the node: 4, 9, 30, and of 37 those without value.

use super::{
    common::Registry,
    world::{filled, inner, project, texts, uid},
};
use serde_json::{Value as Json, json};

fn region(name: &str, quotas: &[&str]) -> Json {
    let quotas: Vec<Json> = quotas.iter().map(|project| json!({ "project": project, "cores": 1 })).collect();
    json!({ "name": name, "compute_services": [{
        "endpoint": format!("https://{name}.example.org"), "name": "org.openstack.nova", "quotas": quotas,
    }] })
}

fn group(name: &str, sla: &str, project: &str) -> Json {
    json!({ "name": name, "sla": {
        "doc_uuid": sla, "start_date": "2024-01-01", "end_date": "2029-01-01", "project": project,
    } })
}

fn provider(name: &str, ty: &str, status: &str, projects: &[&str], groups: Json, regions: Json) -> Json {
    let projects: Vec<Json> = projects.iter().map(|uuid| json!({ "name": uuid, "uuid": uuid })).collect();
    json!({
        "name": name, "type": ty, "status": status, "projects": projects, "regions": regions,
        "identity_providers": [{
            "endpoint": "https://iam.example.org/", "group_claim": "groups",
            "relationship": { "idp_name": "iam", "protocol": "openid" }, "user_groups": groups,
        }],
    })
}

/// Group `both` has one SLA at two sites: in R1 at `one`, in R2 at `two`. Group `wide` has a project in both regions
/// of `one`. The groups without SLA stand next to each other.
async fn two_sites() -> Registry {
    let registry = Registry::start().await;
    let bare = |name: &str| json!({ "name": name });
    let groups = json!([
        bare("bare1"),
        bare("bare2"),
        bare("bare3"),
        group("both", "s1", "a"),
        group("wide", "s2", "b"),
        bare("bare4"),
    ]);
    let regions = json!([region("R1", &["a", "b"]), region("R2", &["b"])]);
    registry.post(&provider("one", "openstack", "active", &["a", "b"], groups, regions)).await;
    let groups = json!([group("both", "s1", "c"), group("far", "s3", "d")]);
    let regions = json!([region("R2", &["c"]), region("R3", &["d"])]);
    registry.post(&provider("two", "kubernetes", "maintenance", &["c", "d"], groups, regions)).await;
    registry
}

/// Groups with their SLAs, projects and the regions of their quotas, as `group: sla(project: region region)`.
async fn seen(registry: &Registry, query: &str) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for group in registry.list(&format!("/user_groups?with_conn=true&{query}")).await {
        let slas = group["slas"].as_array().unwrap().iter().map(|sla| {
            let projects = sla["projects"].as_array().unwrap().iter().map(|project| {
                let quotas = project["quotas"].as_array().unwrap();
                let mut regions: Vec<&str> =
                    quotas.iter().map(|quota| quota["service"]["region"]["name"].as_str().unwrap()).collect();
                regions.sort_unstable();
                format!("{}: {}", project["name"].as_str().unwrap(), regions.join(" "))
            });
            format!("{}({})", sla["doc_uuid"].as_str().unwrap(), projects.collect::<Vec<_>>().join(", "))
        });
        seen.push(format!("{}: {}", group["name"].as_str().unwrap(), slas.collect::<Vec<_>>().join(" ")));
    }
    seen
}

#[tokio::test]
async fn p04_groups_show_what_matches_all_conditions_at_once_and_go_when_nothing_is_left() {
    let registry = two_sites().await;
    let all = [
        "bare1: ",
        "bare2: ",
        "bare3: ",
        "both: s1(a: R1, c: R2)",
        "wide: s2(b: R1 R2)",
        "bare4: ",
        "far: s3(d: R3)",
    ];
    assert_eq!(seen(&registry, "").await, all, "nothing asked, nothing pruned");
    assert_eq!(seen(&registry, "idp_endpoint=https://iam.example.org/").await, all, "no condition on SLAs");
    assert_eq!(seen(&registry, "idp_endpoint=https://iam.example.org").await, [""; 0]);
    for (query, expected) in [
        ("provider_name=one", &["both: s1(a: R1)", "wide: s2(b: R1 R2)"][..]),
        ("provider_name=two", &["both: s1(c: R2)", "far: s3(d: R3)"]),
        ("provider_type=kubernetes", &["both: s1(c: R2)", "far: s3(d: R3)"]),
        ("provider_status=active", &["both: s1(a: R1)", "wide: s2(b: R1 R2)"]),
        ("provider_status=limited", &[]),
        ("provider_name=one&provider_type=kubernetes", &[]),
        ("region_name=R1", &["both: s1(a: R1)", "wide: s2(b: R1)"]),
        ("region_name=R2", &["both: s1(c: R2)", "wide: s2(b: R2)"]),
        // the group has a project at that provider and one in that region, but none is both
        ("provider_name=one&region_name=R2", &["wide: s2(b: R2)"]),
        ("provider_name=two&region_name=R1", &[]),
        (
            "provider_status=maintenance&region_name=R2&idp_endpoint=https://iam.example.org/",
            &["both: s1(c: R2)"],
        ),
        ("name=both&provider_status=active", &["both: s1(a: R1)"]),
    ] {
        assert_eq!(seen(&registry, query).await, expected, "{query}");
        let shown = registry.texts(&format!("/user_groups?{query}"), "name").await;
        let names: Vec<&str> = expected.iter().map(|text| text.split(':').next().unwrap()).collect();
        assert_eq!(shown, names, "the plain list is of the same groups: {query}");
    }
}

#[tokio::test]
async fn p05_special_conditions_come_before_skip_limit_and_page() {
    let registry = two_sites().await;
    let names = async |query: &str| registry.texts(&format!("/user_groups?{query}"), "name").await;
    assert_eq!(names("region_name=R2&limit=1").await, ["both"]);
    assert_eq!(names("region_name=R2&skip=1&limit=1").await, ["wide"]);
    assert_eq!(names("provider_status=active&sort=-name&limit=1").await, ["wide"]);
    assert_eq!(names("skip=1&limit=5&page=1&size=2").await, ["both", "wide"]);
    assert_eq!(registry.texts("/projects?region_name=R2&skip=1", "name").await, ["c"]);
}

#[tokio::test]
async fn p09_an_extended_project_shows_shared_resources_once_and_only_what_lies_in_the_region() {
    let registry = filled().await;
    let with = async |query: &str| registry.list(&format!("/projects?with_conn=true&{query}")).await;

    // three compute quotas, one copy
    let whole = with(&format!("uuid={}", project(1))).await.remove(0);
    assert_eq!(inner(&whole, "flavors", "name"), ["big", "gpu", "small"]);
    assert_eq!(inner(&whole, "images", "name"), ["priv1", "priv12", "ubuntu"]);
    assert_eq!(inner(&whole["provider"], "regions", "name"), ["R1", "R2"]);
    let whole = with(&format!("uuid={}", project(2))).await.remove(0);
    assert_eq!(inner(&whole, "flavors", "name"), ["big", "small", "small"], "one of each region");
    assert_eq!(inner(&whole, "images", "name"), ["priv12", "ubuntu"]);

    let there = with("region_name=R2").await;
    assert_eq!(texts(&there, "name"), ["p2"]);
    assert_eq!(inner(&there[0], "flavors", "name"), ["small"], "private and shared ones of R1 are left out");
    assert_eq!(there[0]["flavors"][0]["is_shared"], true);
    assert_eq!(inner(&there[0], "images", "name"), ["ubuntu"], "offered in both regions");
    assert_eq!(inner(&there[0], "networks", "name"), [""; 0]);
    assert_eq!(inner(&there[0]["provider"], "regions", "name"), ["R2"]);
    let quotas = there[0]["quotas"].as_array().unwrap();
    assert_eq!(quotas.len(), 1);
    assert_eq!(quotas[0]["service"]["region"]["name"], "R2");
    let here = with("region_name=R1").await;
    assert_eq!(texts(&here, "name"), ["p1", "p2", "p3"]);
    assert_eq!(inner(&here[1], "flavors", "name"), ["big", "small"]);
    assert_eq!(inner(&here[1]["provider"], "regions", "name"), ["R1"]);

    // with a provider, the identity provider lists that one alone
    let site = uid(&registry.only("/providers?name=SITE-A").await);
    let trusted = |project: &Json| {
        let idp = &project["sla"]["user_group"]["identity_provider"];
        inner(idp, "providers", "name")
    };
    let free = with(&format!("uuid={}", project(1))).await;
    assert_eq!(trusted(&free[0]), ["SITE-A", "SITE-B"]);
    let bound = with(&format!("uuid={}&provider_uid={site}", project(1))).await;
    assert_eq!(trusted(&bound[0]), ["SITE-A"]);
    let relationship = &bound[0]["sla"]["user_group"]["identity_provider"]["providers"][0]["relationship"];
    assert_eq!(*relationship, json!({ "idp_name": "iam1", "protocol": "openid", "audience": null }));

    // by group; a project without SLA fails no list
    let group = uid(&registry.only("/user_groups?name=g1").await);
    assert_eq!(texts(&with(&format!("user_group_uid={group}")).await, "name"), ["p1", "ns1"]);
    assert_eq!(texts(&with(&format!("user_group_uid={group}&provider_uid={site}")).await, "name"), ["p1"]);
    assert_eq!(with("user_group_uid=nothing").await, [Json::Null; 0]);
    let all = with("").await;
    assert_eq!(all.last().unwrap()["name"], "ns3");
    assert_eq!(all.last().unwrap()["sla"], Json::Null);
    assert_eq!(all.len(), 6);
}

#[tokio::test]
async fn p30_the_endpoint_of_an_identity_service_is_not_that_of_any_other() {
    let registry = filled().await;
    let at = async |endpoint: &str, more: &str| {
        registry.texts(&format!("/projects?identity_service_endpoint={endpoint}{more}"), "name").await
    };
    assert_eq!(at("https://a.example.org:5000/v3", "").await, ["p1", "p2", "p3"]);
    assert_eq!(at("https://b.example.org:6443", "").await, ["ns1", "ns2", "ns3"]);
    assert_eq!(at("https://a.example.org:8774/v2.1", "").await, [""; 0], "a compute service");
    assert_eq!(at("https://a.example.org:5000/v3/", "").await, [""; 0], "URLs are compared as text");
    assert_eq!(at("https://a.example.org:5000/v3", "&region_name=R2").await, ["p2"]);
}

#[tokio::test]
async fn p37_a_special_parameter_without_value_counts_as_not_given() {
    let registry = filled().await;
    for (path, names) in [
        ("projects", &["region_name", "provider_uid", "user_group_uid", "identity_service_endpoint"][..]),
        (
            "user_groups",
            &["idp_endpoint", "region_name", "provider_name", "provider_type", "provider_status"],
        ),
    ] {
        let all = registry.admin_get(&format!("/{path}?with_conn=true")).await;
        for name in names {
            for query in [format!("{name}&with_conn=true"), format!("{name}=&with_conn=True")] {
                assert_eq!(registry.admin_get(&format!("/{path}?{query}")).await, all, "{query}");
            }
            let last = format!("/{path}?{name}=nothing&{name}=&with_conn=1");
            let (status, body) = registry.get(&last, Some(&registry.admin)).await;
            assert_eq!(
                (status.as_u16(), body),
                (200, all.clone()),
                "of a repeated one the last wins: {last}"
            );
        }
    }
}
