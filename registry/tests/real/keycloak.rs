//! Keycloak, as many sites run it.

use super::{
    common::Registry,
    lab::{Good, Tokens, access, good_for, registry, until, variable},
};
use futures::future::join_all;
use registry::settings::Settings;
use reqwest::{Method, StatusCode, header::WWW_AUTHENTICATE};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, MutexGuard};

/// There is one, and tests change its keys: one after the other.
static LAB: Mutex<()> = Mutex::const_new(());

struct Lab {
    tokens: Tokens,
    registry: Registry,
    handle: String,
    _alone: MutexGuard<'static, ()>,
}

impl Lab {
    async fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let alone = LAB.lock().await;
        let tokens = Tokens::of(&variable("KEYCLOAK_ISSUER")).await;
        let registry = registry(&tokens.issuer, change).await;
        Self { tokens, registry, handle: variable("KEYCLOAK_LAB"), _alone: alone }
    }

    async fn good_for(&self, token: &str) -> Good {
        good_for(&self.registry, token).await
    }

    async fn rotate(&self, mode: &str, algorithm: &str) -> Json {
        self.tokens.tell(&self.handle, &json!({ "rotate": mode, "alg": algorithm })).await
    }
}

const REFUSED: Good = Good::Nothing(StatusCode::UNAUTHORIZED);

#[tokio::test]
async fn people_services_and_tokens_that_last() {
    let lab = Lab::new(|_| {}).await;
    assert_eq!(lab.good_for(&lab.tokens.user("orchestrator", "admin").await).await, Good::Writing);
    assert_eq!(lab.good_for(&lab.tokens.user("orchestrator", "user").await).await, Good::Reading);
    assert_eq!(lab.good_for(&lab.tokens.user("orchestrator", "nogroup").await).await, Good::Reading);
    assert_eq!(lab.good_for(&lab.tokens.service().await).await, Good::Writing);
    // an offline token is exchanged for access tokens; itself it is none, and neither is the ID token beside it
    let answer = lab.tokens.user_with("orchestrator", "admin", "openid email profile offline_access").await;
    let offline = answer["refresh_token"].as_str().unwrap();
    for wrong in [offline, answer["id_token"].as_str().unwrap()] {
        assert_eq!(lab.good_for(wrong).await, REFUSED);
    }
    for _ in 0..2 {
        let form =
            [("grant_type", "refresh_token"), ("client_id", "orchestrator"), ("refresh_token", offline)];
        assert_eq!(lab.good_for(&access(&lab.tokens.grant(&form).await)).await, Good::Writing);
    }
    assert_eq!(lab.good_for(&lab.tokens.user("stranger", "admin").await).await, REFUSED, "no audience");
}

/// Without e-mail and groups in the token: userinfo says them.
#[tokio::test]
async fn tokens_that_say_little() {
    let lab = Lab::new(|_| {}).await;
    let bare = |user| lab.tokens.user_with("orchestrator-bare", user, "openid");
    assert_eq!(lab.good_for(&access(&bare("admin").await)).await, Good::Writing);
    assert_eq!(lab.good_for(&access(&bare("user").await)).await, Good::Reading);
}

/// Lightweight tokens name nobody: introspection does, to the client that is their audience.
#[tokio::test]
async fn tokens_that_name_nobody() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "registry-secret\n").unwrap();
    for (client, admin, user) in
        [("federation-registry", Good::Writing, Good::Reading), ("registry", REFUSED, REFUSED)]
    {
        let lab = Lab::new(|settings| {
            let introspection = json!({ "client_id": client, "client_secret_file": secret.path() });
            settings.auth.issuers[0].introspection = Some(serde_json::from_value(introspection).unwrap());
        })
        .await;
        assert_eq!(lab.good_for(&lab.tokens.user("orchestrator-light", "admin").await).await, admin);
        let token = lab.tokens.user("orchestrator-light", "user").await;
        assert_eq!(lab.good_for(&token).await, user);
        let (status, body) = lab.registry.get("/whoami", Some(&token)).await;
        match user {
            Good::Reading => assert_eq!(body["groups"], json!(["/beta/testers", "/users"])),
            _ => assert!(body["detail"].as_str().unwrap().contains("not active"), "{status} {body}"),
        }
        assert_eq!(lab.good_for("a-guess").await, REFUSED);
        // tokens that say enough are not asked about
        assert_eq!(lab.good_for(&lab.tokens.user("orchestrator", "admin").await).await, Good::Writing);
    }
    let lab = Lab::new(|_| {}).await;
    assert_eq!(lab.good_for(&lab.tokens.user("orchestrator-light", "admin").await).await, REFUSED);
}

#[tokio::test]
async fn addresses_count_when_they_are_verified() {
    let lab = Lab::new(|settings| {
        settings.auth.administrators = serde_json::from_value(
            json!([{ "email": "unverified@example.org" }, { "email": "user@example.org" }]),
        )
        .unwrap();
    })
    .await;
    assert_eq!(lab.good_for(&lab.tokens.user("orchestrator", "unverified").await).await, Good::Reading);
    assert_eq!(lab.good_for(&lab.tokens.user("orchestrator", "user").await).await, Good::Writing);
}

#[tokio::test]
async fn what_clients_are_told_when_their_token_ends() {
    let lab = Lab::new(|_| {}).await;
    let token = lab.tokens.user("orchestrator-short", "user").await;
    assert_eq!(lab.good_for(&token).await, Good::Reading);
    until(async || {
        let answer = lab.registry.request(Method::GET, "/providers/", Some(&token)).send().await.unwrap();
        let challenge =
            answer.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
        match answer.status() {
            StatusCode::OK => false,
            StatusCode::UNAUTHORIZED => {
                let challenge = challenge.unwrap();
                assert!(
                    challenge.contains(r#"error="invalid_token""#) && challenge.contains("expired"),
                    "{challenge}"
                );
                true
            }
            other => panic!("{other}"),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_keys_change() {
    let lab = Lab::new(|_| {}).await;
    let over = AtomicBool::new(false);
    let rotations = async {
        for algorithm in ["ES256", "EdDSA", "PS256", "RS512", "RS256"] {
            let state = lab.rotate("keep", algorithm).await;
            let keys = state["keys"].as_array().unwrap();
            assert!(
                keys.iter().any(|key| key["use"] == "enc"),
                "a key that signs nothing is among them: {keys:?}"
            );
            // with the new key
            assert_eq!(
                lab.good_for(&lab.tokens.user("orchestrator", "admin").await).await,
                Good::Writing,
                "{algorithm}"
            );
        }
        over.store(true, Ordering::SeqCst);
    };
    let requests = join_all((0..3).map(|_| async {
        let mut count = 0;
        while !over.load(Ordering::SeqCst) {
            let token = lab.tokens.user("orchestrator", "user").await;
            for _ in 0..10 {
                assert_eq!(lab.good_for(&token).await, Good::Reading);
            }
            count += 1;
        }
        count
    }));
    let ((), counts) = tokio::join!(rotations, requests);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[tokio::test]
async fn keys_are_withdrawn() {
    let lab = Lab::new(|settings| {
        settings.auth.keys.refresh_seconds = 1;
        settings.auth.keys.cooldown_seconds = 1;
    })
    .await;
    let old = lab.tokens.user("orchestrator", "user").await;
    assert_eq!(lab.good_for(&old).await, Good::Reading);
    lab.rotate("drop", "RS256").await;
    assert_eq!(lab.good_for(&lab.tokens.user("orchestrator", "user").await).await, Good::Reading);
    until(async || lab.good_for(&old).await == REFUSED).await;
}
