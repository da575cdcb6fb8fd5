//! What a Kubernetes namespace says, as captured from kube-apiserver 1.36, and a server that fails.

use std::time::Duration;

use feeder::{
    Commons,
    inventory::{Connection, Credentials, ProviderKind},
    kubernetes::Reader,
    limits::Limits,
    reading::{FaultClass, Listing, Reading},
};
use serde_json::{Value, json};
use wiremock::{MockServer, ResponseTemplate, matchers};

use super::support::{
    self, NEVER, answer, count, fault_of, fixture, half_a_body, instead, items, limits, list, nobody, ok, on,
    once_instead, shown, site, status, unknown,
};

const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";

fn quotas_of(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/resourcequotas")
}

/// A cluster that answers as the captured one did to the federation's feeder.
async fn cluster() -> MockServer {
    let server = MockServer::start().await;
    for namespace in ["alpha", "beta", "delta"] {
        let quotas = fixture(&format!("kubernetes/quotas-{namespace}"), &server);
        answer(&server, "GET", &quotas_of(namespace), ok(quotas)).await;
    }
    answer(&server, "GET", CLASSES, ok(fixture("kubernetes/storageclasses", &server))).await;
    server
}

fn connection(server: &MockServer, namespace: &str) -> Connection {
    let credentials = Credentials::BearerToken { token: "access-token".into() };
    support::connection(ProviderKind::Kubernetes, server.uri(), "default", namespace, credentials)
}

fn reader(connection: &Connection, limits: Limits) -> Reader {
    Reader::new(&connection.site, limits, &Commons::default())
}

async fn read(server: &MockServer, namespace: &str) -> Reading {
    read_within(server, namespace, limits()).await
}

async fn read_within(server: &MockServer, namespace: &str, limits: Limits) -> Reading {
    let connection = connection(server, namespace);
    reader(&connection, limits).read(&connection).await
}

#[tokio::test]
async fn a_namespace_with_plain_quotas() {
    let server = cluster().await;
    let connection = connection(&server, "alpha");
    let reader = reader(&connection, limits());
    // readings are spawned side by side
    let reading = tokio::spawn(async move { reader.read(&connection).await }).await.unwrap();
    insta::assert_json_snapshot!(shown(&reading, &server));
    support::check_by_schema("kubernetes", &reading);
    for request in server.received_requests().await.unwrap() {
        assert_eq!(request.headers["user-agent"], format!("fedreg/{}", env!("CARGO_PKG_VERSION")).as_str());
        assert_eq!(request.headers["authorization"], "Bearer access-token");
        assert_eq!(request.url.query(), Some("limit=500"));
    }
}

#[tokio::test]
async fn a_namespace_with_overlapping_and_scoped_quotas_in_odd_numbers() {
    let server = cluster().await;
    let reading = read(&server, "beta").await;
    insta::assert_json_snapshot!(shown(&reading, &server));
    support::check_by_schema("kubernetes", &reading);
}

#[tokio::test]
async fn a_namespace_without_quotas() {
    let server = cluster().await;
    let reading = read(&server, "delta").await;
    assert!(items(&reading, "compute quotas").is_empty());
    assert!(items(&reading, "volume quotas").is_empty());
    assert_eq!(items(&reading, "storage_classes").len(), 4);
}

#[tokio::test]
async fn quotas_that_no_controller_has_looked_at() {
    let server = cluster().await;
    let fresh = fixture("kubernetes/quotas-alpha-no-status", &server);
    instead(&server, "GET", &quotas_of("alpha"), ok(fresh)).await;
    let reading = read(&server, "alpha").await;
    let of = |list| items(&reading, list).iter().map(|quota| quota["usage"].clone()).collect::<Vec<_>>();
    assert_eq!(of("compute quotas"), [json!(false)]);
    assert_eq!(items(&reading, "compute quotas")[0]["requests_memory"], 125);
    assert_eq!(of("volume quotas"), [json!(false)]);
}

/// The six pages that the server gives of beta's quotas when asked for one at a time.
async fn paged(server: &MockServer) {
    let mut token = None;
    for page in 1..=6 {
        let page = fixture(&format!("kubernetes/page-{page}"), server);
        let next = page["metadata"]["continue"].as_str().map(str::to_owned);
        let mock = on("GET", &quotas_of("beta"));
        let mock = match token {
            None => mock.and(matchers::query_param_is_missing("continue")),
            Some(token) => mock.and(matchers::query_param("continue", token)),
        };
        mock.respond_with(ok(page)).with_priority(3).mount(server).await;
        token = next;
    }
    assert_eq!(token, None);
}

#[tokio::test]
async fn all_pages_of_a_list_are_read() {
    let server = cluster().await;
    let whole = read(&server, "beta").await;
    paged(&server).await;
    assert_eq!(read(&server, "beta").await, whole);
    let reading = read_within(&server, "beta", Limits { pages: 5, ..limits() }).await;
    assert_eq!(fault_of(list(&reading, "compute quotas")).class, FaultClass::Garbage);
}

fn expired(server: &MockServer) -> ResponseTemplate {
    status(410).set_body_json(fixture("kubernetes/410-continue", server))
}

#[tokio::test]
async fn a_continuation_that_is_too_old_starts_the_list_again() {
    let server = cluster().await;
    let whole = read(&server, "beta").await;
    paged(&server).await;
    let third = fixture("kubernetes/page-3", &server)["metadata"]["continue"].as_str().unwrap().to_owned();
    on("GET", &quotas_of("beta"))
        .and(matchers::query_param("continue", third))
        .respond_with(expired(&server))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    assert_eq!(read(&server, "beta").await, whole);
}

#[tokio::test]
async fn a_list_that_changes_all_the_time_is_unknown() {
    let server = cluster().await;
    paged(&server).await;
    let second = fixture("kubernetes/page-1", &server)["metadata"]["continue"].as_str().unwrap().to_owned();
    let mock = on("GET", &quotas_of("beta")).and(matchers::query_param("continue", second));
    mock.respond_with(expired(&server)).with_priority(1).expect(4).mount(&server).await;
    let reading = read(&server, "beta").await;
    assert_eq!(fault_of(list(&reading, "compute quotas")).class, FaultClass::Unavailable);
}

#[tokio::test]
async fn a_cluster_whose_classes_may_not_be_read() {
    let server = cluster().await;
    let forbidden = status(403).set_body_json(fixture("kubernetes/403-storageclasses", &server));
    instead(&server, "GET", CLASSES, forbidden).await;
    let reading = read(&server, "alpha").await;
    assert_eq!(unknown(&reading), [("storage_classes".to_owned(), FaultClass::Forbidden)]);
    let why = &fault_of(list(&reading, "storage_classes")).why;
    assert!(
        why.starts_with("HTTP 403 (storageclasses.storage.k8s.io is forbidden: User \"oidc:alice\""),
        "{why}"
    );
}

#[tokio::test]
async fn a_namespace_that_may_not_be_read() {
    let server = cluster().await;
    let forbidden = status(403).set_body_json(fixture("kubernetes/403-other-namespace", &server));
    answer(&server, "GET", &quotas_of("gamma"), forbidden).await;
    let reading = read(&server, "gamma").await;
    assert_eq!(fault_of(&reading.project).class, FaultClass::Forbidden);
    // a class is known only with what the namespace may use of it
    let expected = ["compute quotas", "volume quotas", "storage_classes"];
    assert_eq!(unknown(&reading), expected.map(|name| (name.to_owned(), FaultClass::Forbidden)));
}

#[tokio::test]
async fn a_token_that_is_refused() {
    let server = cluster().await;
    let refused = || status(401).set_body_json(fixture("kubernetes/401-expired", &server));
    instead(&server, "GET", &quotas_of("alpha"), refused()).await;
    instead(&server, "GET", CLASSES, refused()).await;
    let reading = read(&server, "alpha").await;
    assert_eq!(fault_of(&reading.project).class, FaultClass::Unauthorized);
    assert_eq!(fault_of(&reading.services), fault_of(&reading.project));
    assert!(!format!("{reading:?}").contains("access-token"));
}

#[tokio::test]
async fn a_list_that_fails_is_unknown() {
    let wrong_number: Value =
        json!({"items": [{"metadata": {"name": "q"}, "spec": {"hard": {"pods": "many"}}}]});
    let page = json!({"metadata": {"continue": "c"}, "items": []});
    for (failing, class, tries) in [
        (status(302), FaultClass::Garbage, 1),
        (status(404), FaultClass::Garbage, 1),
        (status(410), FaultClass::Garbage, 1),
        (status(429), FaultClass::Unavailable, 2),
        (status(500), FaultClass::Unavailable, 2),
        (ok("text"), FaultClass::Garbage, 1),
        (ok(json!({"kind": "Status", "status": "Success"})), FaultClass::Garbage, 1),
        (status(200).set_body_string("{\"items\": ["), FaultClass::Garbage, 1),
        (ok(wrong_number), FaultClass::Garbage, 1),
        (ok(page), FaultClass::Garbage, 2),
        (status(204), FaultClass::Garbage, 1),
    ] {
        let server = cluster().await;
        instead(&server, "GET", &quotas_of("alpha"), failing).await;
        let reading = read(&server, "alpha").await;
        let faults = unknown(&reading);
        assert!(
            faults.iter().all(|(_, found)| *found == class) && faults.len() == 3,
            "{class:?}: {faults:?}"
        );
        assert_eq!(count(&server, &format!("GET {}", quotas_of("alpha"))).await, tries, "{class:?}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_a_long_pause_is_not_waited_for() {
    let server = cluster().await;
    once_instead(&server, CLASSES, status(429).insert_header("retry-after", "0")).await;
    assert_eq!(unknown(&read(&server, "alpha").await), []);
    once_instead(&server, CLASSES, status(503).insert_header("retry-after", "3600")).await;
    let expected = [("storage_classes".to_owned(), FaultClass::Unavailable)];
    assert_eq!(unknown(&read(&server, "alpha").await), expected);
}

#[tokio::test]
async fn what_comes_too_late_is_unknown() {
    let server = cluster().await;
    instead(&server, "GET", CLASSES, ok(json!({"items": []})).set_delay(NEVER)).await;
    let patient = Limits { request: Duration::from_secs(2), retries: 0, ..limits() };
    let expected = [("storage_classes".to_owned(), FaultClass::Timeout)];
    assert_eq!(unknown(&read_within(&server, "alpha", patient).await), expected);
}

#[tokio::test]
async fn sizes_are_bounded() {
    let server = cluster().await;
    let large = json!({"items": [], "filler": "x".repeat(50_000)});
    instead(&server, "GET", CLASSES, ok(large)).await;
    let reading = read_within(&server, "alpha", Limits { bytes: 40_000, ..limits() }).await;
    assert_eq!(unknown(&reading), [("storage_classes".to_owned(), FaultClass::Garbage)]);
    assert!(fault_of(list(&reading, "storage_classes")).why.contains("too large"));
}

#[tokio::test]
async fn servers_that_are_not_there_or_break_off() {
    let server = cluster().await;
    for address in [nobody().await, half_a_body().await] {
        let mut connection = connection(&server, "alpha");
        site(&mut connection).auth_url = address;
        let reading = reader(&connection, limits()).read(&connection).await;
        assert_eq!(fault_of(&reading.project).class, FaultClass::Unreachable, "{reading:?}");
        assert_eq!(fault_of(&reading.services).class, FaultClass::Unreachable);
    }
}

#[tokio::test]
async fn what_the_provider_file_has_wrong() {
    let server = cluster().await;
    let mut no_certificates = connection(&server, "alpha");
    site(&mut no_certificates).ca_path = Some("/nowhere/ca.pem".into());
    let mut password = connection(&server, "alpha");
    password.credentials = Credentials::ApplicationCredential { id: "a".into(), secret: "s".into() };
    let mut address = connection(&server, "alpha");
    site(&mut address).auth_url = "not an address".into();
    for (connection, word) in
        [(no_certificates, "/nowhere/ca.pem"), (password, "token"), (address, "auth_url")]
    {
        let reading = reader(&connection, limits()).read(&connection).await;
        let fault = fault_of(&reading.services);
        assert_eq!(fault.class, FaultClass::Configuration, "{fault}");
        assert!(fault.to_string().contains(word), "{fault}");
        assert!(matches!(reading.project, Listing::Unknown(_)));
    }
}
