//! Asking an Open Policy Agent that behaves badly, and policy files that change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use registry::auth::{NoDecision, Policy, PolicySettings, Question};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::clock::ManualClock;

const DATA: &str = "/v1/data/fed_reg";

struct Asked {
    policy: Policy,
    clock: Arc<ManualClock>,
    user_info: serde_json::Map<String, Value>,
}

impl Asked {
    fn new(settings: &PolicySettings) -> Self {
        let clock = Arc::new(ManualClock::default());
        let user_info = json!({"sub": "ada", "groups": ["/admins"], "email": "ada@example.org"});
        let Value::Object(user_info) = user_info else { panic!("no object") };
        Self { policy: Policy::new(settings, clock.clone()).unwrap(), clock, user_info }
    }

    fn opa(server: &MockServer) -> Self {
        let opa = Some(format!("{}{DATA}", server.uri()).parse().unwrap());
        Self::new(&PolicySettings { opa, answer_seconds: 1, ..PolicySettings::default() })
    }

    async fn allows(&self, method: &str, path: &str) -> Result<bool, NoDecision> {
        let question = Question { user_info: &self.user_info, path, method, has_body: method != "GET" };
        self.policy.allows(&question).await
    }
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST")).and(path(DATA)).respond_with(template).mount(&server).await;
    server
}

fn answer(result: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "result": result }))
}

/// The contract: exactly this, and nothing else, is what deployed policies are written for.
#[tokio::test]
async fn the_input_is_that_of_the_earlier_registry() {
    let server = MockServer::start().await;
    let input = json!({"input": {
        "user_info": {"sub": "ada", "groups": ["/admins"], "email": "ada@example.org"},
        "path": "/api/v1/providers/",
        "method": "POST",
        "has_body": true,
    }});
    Mock::given(method("POST"))
        .and(path(DATA))
        .and(body_json(input))
        .respond_with(answer(&json!({"allow": true})))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(Asked::opa(&server).allows("POST", "/api/v1/providers/").await, Ok(true));
}

#[tokio::test]
async fn what_is_not_a_yes_is_a_no() {
    for template in [
        answer(&json!({"allow": false})),
        answer(&json!({})),
        answer(&json!({"allow": "yes"})),
        ResponseTemplate::new(200).set_body_json(json!({})),
        ResponseTemplate::new(200).set_body_json(json!([])),
    ] {
        let server = answering(template).await;
        assert_eq!(Asked::opa(&server).allows("GET", "/").await, Ok(false));
    }
}

#[tokio::test]
async fn without_an_answer_there_is_no_decision_and_it_takes_no_longer_than_allowed() {
    for template in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(404),
        ResponseTemplate::new(204),
        ResponseTemplate::new(302).insert_header("location", DATA),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200)
            .set_body_string(format!(r#"{{"result":{{"allow":true}},"x":"{}"}}"#, "x".repeat(70_000))),
        answer(&json!({"allow": true})).set_delay(Duration::from_secs(30)),
    ] {
        let server = answering(template).await;
        let asked = Asked::opa(&server);
        let start = Instant::now();
        assert_eq!(asked.allows("GET", "/").await, Err(NoDecision { retry_after_seconds: 1 }));
        // who comes next is told so at once
        for _ in 0..100 {
            assert!(asked.allows("POST", "/").await.is_err());
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
        // and it is asked again after a second
        server.reset().await;
        Mock::given(path(DATA)).respond_with(answer(&json!({"allow": true}))).mount(&server).await;
        asked.clock.advance(1);
        assert_eq!(asked.allows("GET", "/").await, Ok(true));
    }
    let nobody = PolicySettings {
        opa: Some("http://127.0.0.1:1/v1/data/fed_reg".parse().unwrap()),
        ..PolicySettings::default()
    };
    let asked = Asked::new(&nobody);
    assert!(asked.allows("GET", "/").await.is_err());
    let why = asked.policy.check().await.unwrap_err();
    assert!(why.contains("cannot be asked: Connection refused") && why.contains("auth.policy.opa"), "{why}");
}

#[tokio::test]
async fn decisions_about_reads_are_remembered_for_a_moment_and_about_writes_never() {
    let server = answering(answer(&json!({"allow": true}))).await;
    let asked = Asked::opa(&server);
    let count = async || server.received_requests().await.unwrap().len();
    for _ in 0..10 {
        assert_eq!(asked.allows("GET", "/api/v1/providers/").await, Ok(true));
    }
    assert_eq!(count().await, 1);
    assert_eq!(asked.allows("GET", "/api/v1/projects/").await, Ok(true));
    assert_eq!(count().await, 2, "another path is another question");
    for _ in 0..3 {
        assert_eq!(asked.allows("DELETE", "/api/v1/providers/").await, Ok(true));
    }
    assert_eq!(count().await, 5);
    asked.clock.advance(5);
    assert_eq!(asked.allows("GET", "/api/v1/providers/").await, Ok(true));
    assert_eq!(count().await, 6);
    // a change of mind is noticed in time
    server.reset().await;
    Mock::given(path(DATA)).respond_with(answer(&json!({"allow": false}))).mount(&server).await;
    asked.clock.advance(4);
    assert_eq!(asked.allows("GET", "/api/v1/providers/").await, Ok(true));
    asked.clock.advance(1);
    assert_eq!(asked.allows("GET", "/api/v1/providers/").await, Ok(false));
}

#[tokio::test]
async fn a_policy_that_is_not_there_is_told_at_the_start() {
    let server = answering(ResponseTemplate::new(200).set_body_json(json!({}))).await;
    let why = Asked::opa(&server).policy.check().await.unwrap_err();
    assert!(why.contains("has no policy there: everything would be denied"), "{why}");
}

#[tokio::test]
async fn a_token_for_the_agent_is_read_from_its_file() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::header("authorization", "Bearer s3cret"))
        .respond_with(answer(&json!({"allow": true})))
        .mount(&server)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let opa = Some(format!("{}{DATA}", server.uri()).parse().unwrap());
    let asked =
        Asked::new(&PolicySettings { opa, opa_token_file: Some(file.clone()), ..PolicySettings::default() });
    assert!(asked.allows("POST", "/").await.is_err(), "no file");
    std::fs::write(&file, "s3cret\n").unwrap();
    asked.clock.advance(1);
    assert_eq!(asked.allows("POST", "/").await, Ok(true));
}

#[tokio::test]
async fn a_policy_file_is_read_anew_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.rego");
    let settings = PolicySettings {
        file: Some(file.clone()),
        cache_seconds: 0,
        reload_seconds: 1,
        ..PolicySettings::default()
    };
    let policy = |rule: &str| {
        std::fs::write(&file, format!("package fed_reg\nallow if input.method == \"{rule}\"\n")).unwrap();
    };
    policy("GET");
    let asked = Arc::new(Asked::new(&settings));
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn({
        let (asked, stop) = (asked.clone(), stop.clone());
        async move { asked.policy.keep_current(stop).await }
    });
    assert_eq!((asked.allows("GET", "/").await, asked.allows("POST", "/").await), (Ok(true), Ok(false)));
    std::fs::write(&file, "package fed_reg\nallow if {").unwrap();
    let seen = tokio::time::timeout(Duration::from_secs(20), async {
        // the broken one is noticed, and then the next
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!((asked.allows("GET", "/").await, asked.allows("POST", "/").await), (Ok(true), Ok(false)));
        policy("POST");
        while asked.allows("POST", "/").await != Ok(true) {
            tokio::task::yield_now().await;
        }
    });
    seen.await.unwrap();
    assert_eq!(asked.allows("GET", "/").await, Ok(false));
    stop.cancel();
    task.await.unwrap();
}

#[test]
fn files_that_cannot_be_used_are_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.rego");
    let why = || {
        let settings = PolicySettings { file: Some(file.clone()), ..PolicySettings::default() };
        Policy::new(&settings, Arc::new(ManualClock::default())).unwrap_err().to_string()
    };
    assert!(why().contains("policy.rego cannot be read: No such file"), "{}", why());
    std::fs::write(&file, "package fed_reg\nallow if {").unwrap();
    let sentence = why();
    assert!(sentence.contains("policy.rego) cannot be used") && sentence.contains("opa check"), "{sentence}");
}
