//! An OpenStack cloud of which a part does not answer, or answers wrongly.

use std::time::Duration;

use feeder::{
    limits::Limits,
    reading::{FaultClass, Listing, Reading},
};
use serde_json::json;
use wiremock::{MockServer, ResponseTemplate, matchers};

use super::{
    openstack::{ALPHA, Cloud, reader},
    support::{
        NEVER, count, fault_of, half_a_body, impatient, instead, limits, list, ok, on, once_instead,
        requests, status, unknown,
    },
};

const NETWORKS: &str = "/9696/v2.0/networks";

/// Every list, and the request that it stands on.
fn lists() -> [(&'static str, &'static str, String); 7] {
    let get = |path: &str| path.to_owned();
    [
        ("flavors", "GET", get("/8774/v2.1/flavors/detail")),
        ("images", "GET", get("/9292/v2/images")),
        ("networks", "GET", get(NETWORKS)),
        ("compute quotas", "GET", format!("/8774/v2.1/os-quota-sets/{ALPHA}/detail")),
        ("network quotas", "GET", format!("/9696/v2.0/quotas/{ALPHA}/details")),
        ("volume quotas", "GET", format!("/8776/v3/{ALPHA}/os-quota-sets/{ALPHA}")),
        ("object quotas", "HEAD", format!("/8080/v1/AUTH_{ALPHA}")),
    ]
}

async fn read(cloud: &Cloud, limits: Limits) -> Reading {
    let connection = cloud.connection();
    reader(&connection, limits).read(&connection).await
}

#[tokio::test]
async fn a_list_that_fails_is_unknown_and_the_others_are_not() {
    for (name, method, path) in lists() {
        for (code, class, tries) in [
            (302, FaultClass::Garbage, 1),
            (400, FaultClass::Garbage, 1),
            (401, FaultClass::Unauthorized, 2),
            (403, FaultClass::Forbidden, 1),
            (404, FaultClass::Garbage, 1),
            (429, FaultClass::Unavailable, 2),
            (500, FaultClass::Unavailable, 2),
            (503, FaultClass::Unavailable, 2),
        ] {
            let cloud = Cloud::start().await;
            instead(&cloud.server, method, &path, status(code)).await;
            let reading = read(&cloud, limits()).await;
            assert_eq!(unknown(&reading), [(name.to_owned(), class)], "{code}");
            assert_eq!(count(&cloud.server, &format!("{method} {path}")).await, tries, "{name} {code}");
            assert!(fault_of(list(&reading, name)).why.starts_with(&format!("HTTP {code}")));
        }
    }
}

#[tokio::test]
async fn answers_that_are_not_what_the_api_promises() {
    for (name, _, path) in lists().into_iter().filter(|(_, method, _)| *method == "GET") {
        for body in [
            "",
            "<html>busy</html>",
            "[]",
            "{\"unexpected\": true}",
            "{\"networks\": [{\"id\": 5}], \"flavors\": 7}",
        ] {
            let cloud = Cloud::start().await;
            cloud.instead(&path, status(200).set_body_string(body)).await;
            let reading = read(&cloud, limits()).await;
            assert_eq!(unknown(&reading), [(name.to_owned(), FaultClass::Garbage)], "{body}");
        }
    }
}

#[tokio::test]
async fn what_comes_too_late_is_unknown_and_the_others_are_not() {
    let cloud = Cloud::start().await;
    cloud.instead(NETWORKS, ok(json!({"networks": []})).set_delay(NEVER)).await;
    let patient = Limits { request: Duration::from_secs(2), retries: 0, ..limits() };
    let reading = read(&cloud, patient).await;
    assert_eq!(unknown(&reading), [("networks".to_owned(), FaultClass::Timeout)]);
    assert_eq!(fault_of(list(&reading, "networks")).why, "no answer within 2.0 s");
}

#[tokio::test]
async fn the_time_of_a_connection_bounds_all_of_it() {
    let cloud = Cloud::start().await;
    for (_, method, path) in lists() {
        instead(&cloud.server, method, &path, ok(json!({})).set_delay(NEVER)).await;
    }
    let short = Limits { connection: Duration::from_secs(2), retries: 9, ..limits() };
    let reading = read(&cloud, short).await;
    let unknown = unknown(&reading);
    assert_eq!(unknown.len(), 7);
    assert!(unknown.iter().all(|(_, class)| *class == FaultClass::Timeout), "{unknown:?}");
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let cloud = Cloud::start().await;
    once_instead(&cloud.server, NETWORKS, status(503).insert_header("retry-after", "0")).await;
    assert_eq!(unknown(&read(&cloud, limits()).await), []);
    assert_eq!(count(&cloud.server, &format!("GET {NETWORKS}")).await, 2);
}

#[tokio::test]
async fn a_site_that_asks_for_a_long_pause_is_left_alone() {
    let cloud = Cloud::start().await;
    once_instead(&cloud.server, NETWORKS, status(429).insert_header("retry-after", "3600")).await;
    assert_eq!(unknown(&read(&cloud, limits()).await), [("networks".to_owned(), FaultClass::Unavailable)]);
    assert_eq!(count(&cloud.server, &format!("GET {NETWORKS}")).await, 1);
}

/// Networks in two pages, of which the second is given.
async fn second_page(second: ResponseTemplate) -> Cloud {
    let cloud = Cloud::start().await;
    let networks = &cloud.capture("networks")["body"]["networks"];
    let links =
        json!([{"rel": "next", "href": format!("{}{NETWORKS}?limit=500&marker=m", cloud.server.uri())}]);
    cloud.instead(NETWORKS, ok(json!({"networks": networks, "networks_links": links}))).await;
    let marked = on("GET", NETWORKS).and(matchers::query_param("marker", "m"));
    marked.respond_with(second).with_priority(1).mount(&cloud.server).await;
    cloud
}

#[tokio::test]
async fn half_a_list_is_no_list() {
    for (second, class) in [
        (status(500), FaultClass::Unavailable),
        (status(403), FaultClass::Forbidden),
        (status(200).set_body_string("{\"networks\": ["), FaultClass::Garbage),
    ] {
        let cloud = second_page(second).await;
        assert_eq!(unknown(&read(&cloud, limits()).await), [("networks".to_owned(), class)]);
    }
    let cloud = second_page(ok(json!({"networks": []})).set_delay(NEVER)).await;
    let patient = Limits { request: Duration::from_secs(2), ..impatient() };
    assert_eq!(unknown(&read(&cloud, patient).await), [("networks".to_owned(), FaultClass::Timeout)]);
}

#[tokio::test]
async fn pages_are_bounded() {
    let again = json!([{"rel": "next", "href": "?marker=m"}]);
    let circle = second_page(ok(json!({"networks": [], "networks_links": again}))).await;
    let reading = read(&circle, limits()).await;
    assert_eq!(unknown(&reading), [("networks".to_owned(), FaultClass::Garbage)]);
    assert!(fault_of(list(&reading, "networks")).why.contains("circle"));

    let cloud = second_page(ok(json!({"networks": []}))).await;
    let reading = read(&cloud, Limits { pages: 1, ..limits() }).await;
    assert!(fault_of(list(&reading, "networks")).why.contains("more than 1 pages"));
    assert_eq!(unknown(&read(&cloud, Limits { pages: 2, ..limits() }).await), []);
}

#[tokio::test]
async fn sizes_are_bounded_over_all_pages() {
    let page = |size: usize| json!({"networks": [], "filler": "x".repeat(size)});
    let cloud = second_page(ok(page(30_000))).await;
    let bounded = |bytes| read(&cloud, Limits { bytes, ..limits() });
    assert_eq!(unknown(&bounded(60_000).await), []);
    let reading = bounded(31_000).await;
    assert_eq!(unknown(&reading), [("networks".to_owned(), FaultClass::Garbage)]);
    assert!(fault_of(list(&reading, "networks")).why.contains("too large"));
}

#[tokio::test]
async fn half_a_body_is_no_answer() {
    let cloud = Cloud::start().await;
    let broken = half_a_body().await;
    cloud
        .with_catalog(|catalog| {
            let network = catalog.iter_mut().find(|service| service["type"] == "network").unwrap();
            network["endpoints"] = json!([{"interface": "public", "region": "RegionOne", "url": broken}]);
        })
        .await;
    let reading = read(&cloud, limits()).await;
    let expected = ["networks", "network quotas"].map(|name| (name.to_owned(), FaultClass::Unreachable));
    assert_eq!(unknown(&reading), expected);
}

#[tokio::test]
async fn nothing_leads_to_another_host() {
    let other = MockServer::start().await;
    let cloud = second_page(ok(json!({"networks": []}))).await;
    let elsewhere = status(307).insert_header("location", format!("{}{NETWORKS}", other.uri()).as_str());
    cloud.instead("/9292/v2/images", elsewhere).await;
    let links = json!([{"rel": "next", "href": format!("{}/v2.0/networks?marker=m", other.uri())}]);
    once_instead(&cloud.server, NETWORKS, ok(json!({"networks": [], "networks_links": links}))).await;
    let reading = read(&cloud, limits()).await;
    assert_eq!(unknown(&reading), [("images".to_owned(), FaultClass::Garbage)]);
    assert_eq!(requests(&other).await, Vec::<String>::new());
}

#[tokio::test]
async fn one_private_item_whose_projects_cannot_be_read_leaves_the_list_unknown() {
    let cloud = Cloud::start().await;
    let access = matchers::path_regex("os-flavor-access$");
    wiremock::Mock::given(access).respond_with(status(500)).with_priority(1).mount(&cloud.server).await;
    let members = matchers::path_regex("/members$");
    wiremock::Mock::given(members).respond_with(status(401)).with_priority(1).mount(&cloud.server).await;
    let reading = read(&cloud, limits()).await;
    let expected = [("flavors", FaultClass::Unavailable), ("images", FaultClass::Unauthorized)];
    assert_eq!(unknown(&reading), expected.map(|(name, class)| (name.to_owned(), class)));
}

#[tokio::test]
async fn a_project_that_cannot_be_read_is_unknown() {
    let cloud = Cloud::start().await;
    cloud.instead(&format!("/5000/v3/projects/{ALPHA}"), status(502)).await;
    let reading = read(&cloud, limits()).await;
    assert_eq!(fault_of(&reading.project).class, FaultClass::Unavailable);
    assert!(matches!(reading.services, Listing::Complete(_)));
    assert_eq!(unknown(&reading), []);
}
