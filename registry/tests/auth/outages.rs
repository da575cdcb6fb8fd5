//! Issuers that do not answer, or answer with something else.

use std::sync::Arc;

use registry::auth::{AuthError, FetchError};
use serde_json::json;

use super::Setup;
use super::clock::START;
use super::issuer::{DISCOVERY, KEYS, Reply};

const DAYS: u64 = 86_400;

fn unavailable(retry_after_seconds: u64) -> AuthError {
    AuthError::IssuerUnavailable { retry_after_seconds }
}

#[tokio::test]
async fn keys_outlive_their_issuer_for_two_days() {
    let setup = Setup::new().await;
    let long = |subject: &str| setup.issuer.token_with(subject, json!({"exp": START + 1_000_000_000}));
    let seen = long("ada");
    assert!(setup.ask(&seen).await.is_ok());
    setup.issuer.reply(DISCOVERY, Reply::Status(503));
    setup.clock.advance(2 * DAYS - 1);
    assert!(setup.ask(&seen).await.is_ok());
    assert!(setup.ask(&long("bob")).await.is_ok());
    // the fetch that this caused failed; after its cool-down nothing keeps the keys alive
    setup.issuer.wait_for_hits(DISCOVERY, 2).await;
    setup.clock.advance(10);
    for token in [seen.clone(), long("bob"), long("eve")] {
        let refused = setup.ask(&token).await.unwrap_err();
        assert_eq!(refused, unavailable(10));
        assert_eq!((refused.status(), refused.retry_after_seconds()), (503, Some(10)));
    }
    setup.clock.advance(4);
    assert_eq!(setup.ask(&seen).await, Err(unavailable(6)));
    setup.issuer.behave();
    assert_eq!(setup.ask(&seen).await, Err(unavailable(6)));
    setup.clock.advance(6);
    assert!(setup.ask(&seen).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_asked_again_after_the_cooldown() {
    let setup = Setup::new().await;
    setup.issuer.reply(KEYS, Reply::Status(500));
    let token = setup.issuer.token("ada");
    assert_eq!(setup.ask(&token).await, Err(unavailable(10)));
    setup.issuer.behave();
    for _ in 0..20 {
        assert_eq!(setup.ask(&token).await, Err(unavailable(10)));
    }
    assert_eq!(setup.issuer.hits(KEYS), 1);
    setup.clock.advance(10);
    assert!(setup.ask(&token).await.is_ok());
}

/// Whether the key exists cannot be known: that is not the token's fault.
#[tokio::test]
async fn an_unknown_key_while_the_issuer_is_down() {
    let setup = Setup::new().await;
    assert!(setup.ask(&setup.issuer.token("ada")).await.is_ok());
    setup.issuer.rotate("second");
    setup.issuer.reply(KEYS, Reply::Status(502));
    let new = setup.issuer.token("ada");
    assert_eq!(setup.ask(&new).await, Err(unavailable(10)));
    assert_eq!(setup.ask(&new).await, Err(unavailable(10)));
    setup.issuer.behave();
    setup.clock.advance(10);
    assert!(setup.ask(&new).await.is_ok());
}

async fn problem(path: &'static str, reply: Reply) -> FetchError {
    let seconds = if matches!(reply, Reply::Silence | Reply::Drip) { 1 } else { 5 };
    let setup = Setup::with(|settings| settings.keys.fetch_seconds = seconds).await;
    setup.issuer.reply(path, reply);
    let mut problems = setup.authenticator.check().await.unwrap_err();
    assert_eq!(problems.len(), 1);
    // and a token is answered with 503, not with a guess
    setup.clock.advance(10);
    assert_eq!(setup.ask(&setup.issuer.token("ada")).await, Err(unavailable(10)));
    assert_eq!(setup.issuer.hits("/elsewhere"), 0);
    problems.remove(0).error
}

#[tokio::test]
async fn answers_without_end_are_cut_off() {
    for path in [DISCOVERY, KEYS] {
        assert!(matches!(problem(path, Reply::Endless).await, FetchError::TooLong { .. }));
    }
}

#[tokio::test]
async fn slow_answers_are_cut_off() {
    for (path, reply) in [(DISCOVERY, Reply::Silence), (KEYS, Reply::Drip)] {
        match problem(path, reply).await {
            FetchError::Unreachable { reason, .. } => assert_eq!(reason, "it took too long"),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    for path in [DISCOVERY, KEYS] {
        for to in ["/elsewhere", "http://169.254.169.254/latest/meta-data/"] {
            let found = problem(path, Reply::Redirect(to.into())).await;
            assert!(matches!(found, FetchError::Redirect { status: 302, .. }), "{found}");
        }
    }
}

#[tokio::test]
async fn documents_that_are_something_else() {
    for (path, reply) in [
        (DISCOVERY, Reply::Text("<html>".into())),
        (DISCOVERY, Reply::Json(json!({"issuer": "x"}))),
        (KEYS, Reply::Text(String::new())),
        (KEYS, Reply::Json(json!({"keys": []}))),
        (KEYS, Reply::Json(json!({"keys": vec![json!({"kty": "RSA"}); 101]}))),
    ] {
        let found = problem(path, reply).await;
        assert!(matches!(found, FetchError::Document { .. }), "{found}");
    }
    for keys in ["http://192.0.2.1/jwks", "file:///etc/passwd", "/jwks", "gopher://127.0.0.1/"] {
        let setup = Setup::new().await;
        setup.issuer.reply(DISCOVERY, Reply::Json(json!({"issuer": setup.issuer.url(), "jwks_uri": keys})));
        let problems = setup.authenticator.check().await.unwrap_err();
        assert!(matches!(problems[0].error, FetchError::Address { member: "jwks_uri", .. }), "{keys}");
    }
}

/// The slow answer of one issuer holds up nobody else.
#[tokio::test]
async fn other_requests_go_on_while_an_issuer_is_slow() {
    let setup = Arc::new(Setup::with(|settings| settings.keys.fetch_seconds = 6).await);
    let token = setup.issuer.token("ada");
    assert!(setup.ask(&token).await.is_ok());
    setup.issuer.reply(KEYS, Reply::Silence);
    let made_up =
        setup.issuer.key().sign_with(&json!({"kid": "made-up"}), &setup.issuer.claims("eve").to_string());
    let slow = tokio::spawn({
        let setup = setup.clone();
        async move { setup.ask(&made_up).await }
    });
    setup.issuer.wait_for_hits(KEYS, 2).await;
    for n in 0..30 {
        assert!(setup.ask(&token).await.is_ok());
        assert!(setup.ask(&setup.issuer.token(&format!("user-{n}"))).await.is_ok());
    }
    assert!(!slow.is_finished());
    assert_eq!(slow.await.unwrap(), Err(unavailable(10)));
}
