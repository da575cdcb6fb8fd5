use std::fmt::Write;
use std::time::Duration;

use schema::feeding;
use serde_json::{Value, json};
use wiremock::matchers::{bearer_token, body_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{How, Registry, RegistryError, Stored};
use crate::inventory::{ProviderKey, ProviderKind};
use crate::limits::Limits;
use crate::testing;

const TOKEN: &str = "eyJ.sesame.sig";

fn limits() -> Limits {
    Limits {
        retries: 2,
        pause: Duration::from_millis(1),
        longest_pause: Duration::from_secs(2),
        ..Limits::default()
    }
}

fn registry(server: &MockServer) -> Registry {
    Registry::new(&format!("{}/api/v1/", server.uri()), Some(TOKEN), limits()).unwrap()
}

fn stored(uid: &str) -> Stored {
    Stored {
        uid: uid.to_owned(),
        key: ProviderKey { name: "site-a".to_owned(), kind: ProviderKind::Openstack },
    }
}

async fn answering(status: u16, body: Value) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&server)
        .await;
    server
}

fn answer(outcome: &str) -> Value {
    json!({
        "uid": "u1", "outcome": outcome, "added": 1, "changed": 0, "removed": 0, "held_back": null, "status": "active",
        "recorded": true, "digest": "d",
    })
}

#[tokio::test]
async fn what_was_read_is_put_under_the_lease_and_what_is_gone_is_deleted() {
    let server = MockServer::start().await;
    let document = json!({"name": "site-a", "type": "openstack"});
    let listed = json!([
        {"uid": "u1", "name": "site-a", "type": "openstack", "status": "active", "schema_type": "private"},
        {"uid": "u2", "name": "site-a", "type": "kubernetes"},
        {"uid": "u3", "name": "of-the-future", "type": "slurm"},
    ]);
    let is = |verb: &str, place: &str, status: u16, body: Value| {
        Mock::given(method(verb))
            .and(path(format!("/api/v1{place}")))
            .and(bearer_token(TOKEN))
            .respond_with(ResponseTemplate::new(status).set_body_json(body))
            .mount(&server)
    };
    is("GET", "/providers", 200, listed).await;
    is("DELETE", "/feeder/providers/u1", 200, answer("removed")).await;
    is("DELETE", "/feeder/providers/u9", 204, json!(null)).await;
    is("PUT", "/feeder/lease", 200, json!({"holder": "me", "fence": 7, "expires": "2026-01-01T00:00:00Z"}))
        .await;
    Mock::given(method("PUT"))
        .and(path("/api/v1/feeder/providers"))
        .and(query_param("fence", "7"))
        .and(body_json(&document))
        .respond_with(ResponseTemplate::new(201).set_body_json(answer("created")))
        .mount(&server)
        .await;

    let registry = registry(&server);
    let listed = registry.list().await.unwrap();
    let uids: Vec<_> = listed.iter().map(|stored| stored.uid.as_str()).collect();
    assert_eq!(uids, ["u1", "u2"], "what this feeder does not know it leaves alone");
    assert_eq!(listed[0], stored("u1"));
    let lease = registry.lease("me", 60, None).await.unwrap();
    let how = How { fence: Some(lease.fence), ..How::default() };
    assert_eq!(registry.reconcile(&document, &how).await.unwrap().outcome, feeding::Outcome::Created);
    assert_eq!(
        registry.remove(&stored("u1"), &how).await.unwrap().unwrap().outcome,
        feeding::Outcome::Removed
    );
    assert_eq!(registry.remove(&stored("u9"), &how).await, Ok(None), "gone already");
}

#[tokio::test]
async fn a_lease_that_others_have_and_one_that_is_lost() {
    let server = answering(409, json!({"detail": "the feeder a has the lease until then"})).await;
    let held = registry(&server).lease("me", 60, None).await.unwrap_err();
    assert!(
        matches!(&held, RegistryError::Held(why) if why == "the feeder a has the lease until then"),
        "{held}"
    );
    let server = answering(412, json!({"detail": "the fencing token 1 is no longer the current one"})).await;
    let lost = registry(&server).reconcile(&json!({}), &How::default()).await.unwrap_err();
    assert!(matches!(&lost, RegistryError::Superseded(why) if why.contains("token 1")), "{lost}");
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let faults = json!({"detail": [{
        "loc": ["body", "regions", 0, "compute_services", 0, "flavors", 3, "ram"], "msg": "value is not a valid integer",
        "type": "type_error.integer",
    }]});
    let mut said = String::new();
    for (status, body) in [
        (401, json!({"detail": "the token is expired"})),
        (403, json!({"detail": "not an administrator"})),
        (404, json!({"message": "no such route"})),
        (409, json!({"detail": "Provider with name 'site-a' and type 'openstack' already exists."})),
        (422, faults),
        (500, json!({"detail": "boom"})),
        (503, json!({"detail": "the store cannot commit"})),
    ] {
        let server = answering(status, body).await;
        let error = registry(&server).reconcile(&json!({}), &How::default()).await.unwrap_err();
        let shown = error.to_string().replace(&server.uri(), "http://registry");
        assert!(!shown.contains("sesame") && !format!("{error:?}").contains("sesame"), "{shown}");
        writeln!(said, "{status} {:?}: {shown}\n", error.class()).unwrap();
    }
    let redirect = MockServer::start().await;
    let to =
        ResponseTemplate::new(307).insert_header("location", "https://registry.example.org/api/v1/providers");
    Mock::given(wiremock::matchers::any()).respond_with(to).mount(&redirect).await;
    let error = registry(&redirect).list().await.unwrap_err();
    writeln!(said, "{}\n", error.to_string().replace(&redirect.uri(), "http://registry")).unwrap();

    let html = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200).set_body_string("<html>"))
        .mount(&html)
        .await;
    let error = registry(&html).list().await.unwrap_err();
    writeln!(said, "{}\n", error.to_string().replace(&html.uri(), "http://registry")).unwrap();

    let nobody = Registry::new("http://127.0.0.1:1/api/v1", None, limits()).unwrap();
    writeln!(said, "{}\n", nobody.list().await.unwrap_err()).unwrap();
    let wrong = Registry::new("registry.example.org", None, limits()).err().unwrap();
    writeln!(said, "{wrong}").unwrap();
    insta::assert_snapshot!("errors", said);
}

#[tokio::test]
async fn faults_of_a_document_lead_to_the_entry_of_the_file() {
    let provider = testing::provider(1, 1);
    let detail = json!({"detail": [
        {"loc": ["body", "regions", 0, "name"], "msg": "field required", "type": "value_error.missing"},
        {"loc": ["body", "identity_providers", 0, "user_groups", 0, "sla", "doc_uuid"], "msg": "taken", "type": "x"},
        {"loc": ["body", "identity_providers", 0, "relationship", "idp_name"], "msg": "taken", "type": "x"},
        {"loc": ["body", "projects", 0, "uuid"], "msg": "taken", "type": "x"},
        {"loc": ["body", "regions", 0, "compute_services", 0, "flavors", 3, "ram"], "msg": "not good", "type": "x"},
        {"loc": ["body", "regions", 0, "identity_services", 0, "endpoint"], "msg": "not good", "type": "x"},
    ]});
    let server = answering(422, detail).await;
    let error = registry(&server).reconcile(&json!({}), &How::default()).await.unwrap_err();
    let messages: Vec<_> =
        error.problems(Some(&provider)).into_iter().map(|problem| problem.message).collect();
    let at = |message: &str, place: &str| {
        assert!(message.contains(&format!("site.config.yaml:{place}: ")), "{message} is not at {place}");
    };
    at(&messages[0], "15:15: openstack[0].regions[0].name");
    at(&messages[1], "8:24: trusted_idps[0].user_groups[0].slas[0].doc_uuid");
    at(&messages[2], "13:52: openstack[0].identity_providers[0].name");
    at(&messages[3], "17:13: openstack[0].projects[0].id");
    at(&messages[5], "11:15: openstack[0].auth_url");
    assert_eq!(messages[4], "the registry refused regions[0].compute_services[0].flavors[3].ram: not good");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_nothing_else() {
    let tries = async |status: u16, once: bool| {
        let server = answering(status, json!({})).await;
        let how = How { digest: once.then(|| "d".to_owned()), ..How::default() };
        let result = registry(&server).reconcile(&json!({}), &how).await;
        assert!(result.is_err());
        server.received_requests().await.unwrap().len()
    };
    for (status, again, once) in
        [(503, 3, 3), (429, 3, 3), (502, 3, 1), (504, 3, 1), (500, 1, 1), (401, 1, 1), (422, 1, 1)]
    {
        assert_eq!(tries(status, false).await, again, "{status}");
        assert_eq!(tries(status, true).await, once, "{status} for a change that can be made once");
    }
}

#[tokio::test]
async fn a_registry_that_comes_back_is_used_and_retry_after_is_kept() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "1");
    Mock::given(wiremock::matchers::any()).respond_with(busy).up_to_n_times(1).mount(&server).await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(200).set_body_json(answer("updated")))
        .mount(&server)
        .await;
    let clock = std::time::Instant::now();
    assert!(registry(&server).reconcile(&json!({}), &How::default()).await.is_ok());
    assert!(clock.elapsed() >= Duration::from_secs(1), "it asked for a second");

    let late = MockServer::start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "3600");
    Mock::given(wiremock::matchers::any()).respond_with(busy).mount(&late).await;
    let error = registry(&late).list().await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Unavailable { status: 503, .. }),
        "nobody waits for an hour: {error}"
    );
    assert_eq!(late.received_requests().await.unwrap().len(), 1);
}
