//! Time, audience and kind of a token with a good signature, as the clock goes on.

use registry::auth::AuthError;
use serde_json::json;

use super::Setup;
use super::clock::START;

#[tokio::test]
async fn a_remembered_token_ends_when_it_ends() {
    let setup = Setup::new().await;
    let token = setup.issuer.token("ada");
    setup.clock.advance(299);
    assert_eq!(setup.ask(&token).await.unwrap().expires_at, START + 300);
    setup.clock.advance(1);
    assert_eq!(setup.ask(&token).await, Err(AuthError::Expired));
    // a clock that is set back within the token's life makes it valid again, as it would for any verifier
    setup.clock.set_by(-10);
    assert!(setup.ask(&token).await.is_ok());
}

#[tokio::test]
async fn clocks_may_differ_a_little() {
    let setup = Setup::new().await;
    let token = |nbf: i64| setup.issuer.token_with("ada", json!({"nbf": nbf}));
    assert!(setup.ask(&token(START + 60)).await.is_ok());
    assert_eq!(setup.ask(&token(START + 61)).await, Err(AuthError::NotYetValid));
    setup.clock.set_by(1);
    assert!(setup.ask(&token(START + 61)).await.is_ok());
    let strict = Setup::with(|settings| settings.leeway_seconds = 0).await;
    assert!(strict.ask(&strict.issuer.token_with("ada", json!({"nbf": START}))).await.is_ok());
    let early = strict.issuer.token_with("ada", json!({"nbf": START + 1}));
    assert_eq!(strict.ask(&early).await, Err(AuthError::NotYetValid));
}

#[tokio::test]
async fn audiences() {
    let setup = Setup::new().await;
    for (aud, expected) in [
        (json!("federation-registry"), None),
        (json!(["other", "federation-registry"]), None),
        (json!("other"), Some(AuthError::Audience)),
        (json!(null), Some(AuthError::Audience)),
    ] {
        let answer = setup.ask(&setup.issuer.token_with("ada", json!({"aud": aud}))).await;
        assert_eq!(answer.err(), expected, "{aud}");
    }
    let any = Setup::with(|settings| settings.issuers[0].audiences.clear()).await;
    for aud in [json!("other"), json!(null)] {
        assert!(any.ask(&any.issuer.token_with("ada", json!({"aud": aud}))).await.is_ok(), "{aud}");
    }
}

#[tokio::test]
async fn other_kinds_of_tokens() {
    let setup = Setup::new().await;
    let refused = Some(AuthError::NotAnAccessToken);
    // as Keycloak and oidc-provider make them
    for (header, more, expected) in [
        (json!({"typ": "at+jwt"}), json!({"client_id": "orchestrator"}), None),
        (json!({"typ": null}), json!({}), None),
        (json!({}), json!({"typ": "Bearer", "azp": "orchestrator"}), None),
        (json!({}), json!({"typ": "ID", "azp": "orchestrator", "scope": null}), refused),
        (json!({}), json!({"typ": "Offline"}), refused),
        (json!({}), json!({"at_hash": "x", "scope": null}), refused),
        (json!({}), json!({"nonce": "x", "scope": null}), refused),
        (json!({"typ": "logout+jwt"}), json!({}), refused),
    ] {
        let claims = super::issuer::merge(setup.issuer.claims("ada"), more.clone());
        let token = setup.issuer.key().sign_with(&header, &claims.to_string());
        assert_eq!(setup.ask(&token).await.err(), expected, "{header} {more}");
    }
}

#[tokio::test]
async fn what_every_token_must_have() {
    let setup = Setup::new().await;
    for (more, expected) in [
        (json!({"exp": null}), AuthError::Malformed),
        (json!({"sub": null}), AuthError::NoSubject),
        (json!({"wlcg.ver": "2.0"}), AuthError::Profile),
    ] {
        assert_eq!(setup.ask(&setup.issuer.token_with("ada", more.clone())).await, Err(expected), "{more}");
    }
    assert!(setup.ask(&setup.issuer.token_with("ada", json!({"wlcg.ver": "1.7"}))).await.is_ok());
}
