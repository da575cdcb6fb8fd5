//! An Open Policy Agent, and the same policy evaluated here.

use super::{
    common::Registry,
    lab::{Good, Own, good_for, until, variable},
};
use registry::{
    auth::{Policy, PolicySettings, Question, SystemClock},
    settings::Settings,
};
use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use serde_json::json;
use simulator::Subject;
use std::{path::PathBuf, sync::Arc};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/lab/opa").join(name)
}

fn asked(url: &str) -> PolicySettings {
    PolicySettings { opa: Some(url.parse().unwrap()), cache_seconds: 0, ..PolicySettings::default() }
}

fn here() -> PolicySettings {
    PolicySettings {
        file: Some(file("policy.rego")),
        data: Some(file("data.json")),
        cache_seconds: 0,
        ..PolicySettings::default()
    }
}

/// Every combination of what the policy looks at, and of what it does not expect.
#[tokio::test]
async fn both_decide_alike() {
    let policy = |settings| Policy::new(&settings, Arc::new(SystemClock::new())).unwrap();
    let (there, here) = (policy(asked(&variable("OPA_URL"))), policy(here()));
    assert_eq!(there.check().await, Ok(()));
    let site = "/api/v1/providers/11111111111111111111111111111111";
    let paths = ["/api/v1/providers/", "/api/v1/slas/", &format!("{site}/"), &format!("{site}/x"), ""];
    let emails = [json!(null), json!("admin@example.org"), json!(7)];
    let verified = [json!(null), json!(true), json!(false)];
    let groups = [
        json!(null),
        json!(["/users"]),
        json!(["/admins"]),
        json!(["/sites/one"]),
        json!(["/sites/two", "/Admins"]),
        json!("/admins"),
        json!({"a": "/admins"}),
    ];
    let (mut asked, mut allowed) = (0, 0);
    for path in paths {
        for (method, has_body) in [("GET", false), ("POST", true), ("PATCH", true), ("PATCH", false)] {
            for email in &emails {
                for verified in &verified {
                    for groups in &groups {
                        let mut info = json!({"iss": "https://iam.example.org/", "sub": "ada", "email": email, "email_verified": verified, "groups": groups});
                        let info = info.as_object_mut().unwrap();
                        info.retain(|_, value| !value.is_null());
                        let question = Question { user_info: info, path, method, has_body };
                        let decision = there.allows(&question).await;
                        assert_eq!(here.allows(&question).await, decision, "{question:?}");
                        asked += 1;
                        allowed += usize::from(decision == Ok(true));
                    }
                }
            }
        }
    }
    assert!(allowed * 10 > asked && allowed * 10 < asked * 9, "{allowed} of {asked}");
}

fn with(policy: PolicySettings) -> impl FnOnce(&mut Settings) {
    |settings| {
        settings.auth.administrators.clear();
        settings.auth.policy = Some(policy);
    }
}

fn token(registry: &Registry, groups: &[&str]) -> String {
    registry.issuer.token(&Subject::new("ada").groups(groups.iter().copied())).unwrap()
}

#[tokio::test]
async fn the_policy_decides_about_requests() {
    for policy in [asked(&variable("OPA_URL")), here()] {
        let registry = Registry::start_with(with(policy)).await;
        let good = async |groups: &[&str]| good_for(&registry, &token(&registry, groups)).await;
        assert_eq!(good(&["/admins"]).await, Good::Writing);
        assert_eq!(good(&["/users"]).await, Good::Reading);
        assert_eq!(good(&[]).await, Good::Nothing(StatusCode::FORBIDDEN));
        // nobody is asked about those who do not say who they are
        assert_eq!(registry.get("/providers/", None).await.0, StatusCode::OK);
        // one path among others
        let users = token(&registry, &["/users"]);
        let (status, body) = registry.get("/slas/", Some(&users)).await;
        assert_eq!(
            (status, body["detail"].as_str()),
            (StatusCode::FORBIDDEN, Some("The policy of this registry does not allow this."))
        );
        let site = token(&registry, &["/sites/one"]);
        let patch = async |uid: &str| {
            let request = registry.request(Method::PATCH, &format!("/providers/{uid}"), Some(&site));
            request.json(&json!({"description": "x"})).send().await.unwrap().status()
        };
        assert_eq!(patch(&"1".repeat(32)).await, StatusCode::NOT_FOUND);
        assert_eq!(patch(&"2".repeat(32)).await, StatusCode::FORBIDDEN);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_answer_nothing_is_done() {
    const PORT: u16 = 8191;
    let own = Own::start("opa", PORT);
    let registry =
        Registry::start_with(with(asked(&format!("http://127.0.0.1:{PORT}/v1/data/fed_reg")))).await;
    let admin = token(&registry, &["/admins"]);
    assert_eq!(good_for(&registry, &admin).await, Good::Writing);
    own.kill();
    for _ in 0..10 {
        let answer = registry.request(Method::GET, "/providers/", Some(&admin)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key(RETRY_AFTER));
    }
    assert_eq!(registry.get("/providers/", None).await.0, StatusCode::OK, "the public shapes need nobody");
    own.up();
    until(async || good_for(&registry, &admin).await == Good::Writing).await;
}
