//! What a token does not say, its issuer is asked for: only when it matters, and not for long.

use std::sync::Arc;

use futures::future::join_all;
use registry::auth::{Access, AuthError, Identity, Reach, Role, require};
use serde_json::{Value, json};

use super::Setup;
use super::issuer::{Reply, USERINFO};

fn admin(subject: &str) -> Value {
    json!({"sub": subject, "email": "admin@example.org", "email_verified": true, "groups": ["/users"]})
}

#[tokio::test]
async fn email_and_groups_are_asked_for_once() {
    let setup = Setup::new().await;
    setup.issuer.set_userinfo(admin("ada"));
    let token = setup.issuer.token("ada");
    for _ in 0..10 {
        let known = setup.ask(&token).await.unwrap();
        assert_eq!(known.role(), Role::Administrator);
        assert_eq!(known.email.as_ref().unwrap().as_str(), "admin@example.org");
        assert!(known.groups.contains("/users"));
    }
    assert_eq!(setup.issuer.hits(USERINFO), 1);
}

#[tokio::test]
async fn many_requests_with_one_token_ask_once() {
    let setup = Setup::new().await;
    setup.issuer.set_userinfo(admin("ada"));
    let token = setup.issuer.token("ada");
    for answer in join_all((0..40).map(|_| setup.ask(&token))).await {
        assert_eq!(answer.unwrap().role(), Role::Administrator);
    }
    assert_eq!(setup.issuer.hits(USERINFO), 1);
}

#[tokio::test]
async fn reads_do_not_ask() {
    let setup = Setup::new().await;
    setup.issuer.set_userinfo(admin("ada"));
    let header = format!("Bearer {}", setup.issuer.token("ada"));
    for needed in [Access::Public, Access::Private] {
        let identity = setup.authenticator.authenticate_for(Some(&header), needed).await.unwrap();
        assert_eq!(identity.role(), Role::Reader);
    }
    assert_eq!(setup.issuer.hits(USERINFO), 0);
    let identity = setup.authenticator.authenticate_for(Some(&header), Access::Federation).await.unwrap();
    assert_eq!(identity.role(), Role::Administrator);
    assert_eq!(setup.issuer.hits(USERINFO), 1);
}

#[tokio::test]
async fn tokens_that_say_it_all_are_believed() {
    let setup = Setup::new().await;
    setup.issuer.set_userinfo(admin("ada"));
    for (subject, more) in [
        ("root", json!({})),
        ("ada", json!({"groups": ["/admins"]})),
        ("ada", json!({"groups": [], "email": "x@example.org", "email_verified": true})),
        // said to be unverified: userinfo is not asked for a better answer
        ("ada", json!({"groups": [], "email": "admin@example.org", "email_verified": false})),
    ] {
        setup.ask(&setup.issuer.token_with(subject, more)).await.unwrap();
    }
    assert_eq!(setup.issuer.hits(USERINFO), 0);
    // no rule could hold
    let ruleless = Setup::with(|settings| settings.administrators.clear()).await;
    ruleless.ask(&ruleless.issuer.token("ada")).await.unwrap();
    assert_eq!(ruleless.issuer.hits(USERINFO), 0);
}

#[tokio::test]
async fn a_minute_later_it_is_asked_again() {
    let setup = Setup::new().await;
    setup.issuer.set_userinfo(admin("ada"));
    let token = setup.issuer.token("ada");
    assert_eq!(setup.ask(&token).await.unwrap().role(), Role::Administrator);
    setup.issuer.set_userinfo(json!({"sub": "ada", "email": "ada@example.org", "email_verified": true}));
    setup.clock.advance(59);
    assert_eq!(setup.ask(&token).await.unwrap().role(), Role::Administrator);
    setup.clock.advance(1);
    assert_eq!(setup.ask(&token).await.unwrap().role(), Role::Reader);
    assert_eq!(setup.issuer.hits(USERINFO), 2);
}

#[tokio::test]
async fn an_expired_token_is_not_asked_about() {
    let setup = Setup::new().await;
    setup.issuer.set_userinfo(admin("ada"));
    let token = setup.issuer.token("ada");
    assert!(setup.ask(&token).await.is_ok());
    // userinfo of a moment ago is no use to a token that has ended since
    setup.clock.set_by(300);
    assert_eq!(setup.ask(&token).await, Err(AuthError::Expired));
    assert_eq!(setup.issuer.hits(USERINFO), 1);
}

#[tokio::test]
async fn answers_that_must_not_be_used() {
    for reply in [
        // about somebody else (OIDC Core 5.3.2), or about nobody
        Reply::Json(admin("eve")),
        Reply::Json(json!({"email": "admin@example.org", "email_verified": true})),
        // not verified
        Reply::Json(json!({"sub": "ada", "email": "admin@example.org"})),
        Reply::Json(json!({"sub": "ada", "email": "admin@example.org", "email_verified": false})),
        Reply::Text(r#"{"sub":"ada","email":"x","email":"admin@example.org","email_verified":true}"#.into()),
        Reply::Text("eyJhbGciOiJub25lIn0.e30.".into()),
        Reply::Endless,
        Reply::Redirect("/jwks".into()),
        // as Keycloak answers to lightweight tokens, oidc-provider to tokens that are meant for others
        Reply::Status(401),
        Reply::Status(403),
        Reply::Status(404),
    ] {
        let setup = Setup::new().await;
        setup.issuer.reply(USERINFO, reply);
        let known = setup.ask(&setup.issuer.token("ada")).await.unwrap();
        let refused = require(&Identity::Known(known), Access::Federation).unwrap_err();
        assert_eq!(refused.status(), 403);
        assert_eq!(setup.issuer.hits(USERINFO), 1);
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_leaves_it_undecided() {
    for reply in [Reply::Status(500), Reply::Status(429), Reply::Silence] {
        let setup = Setup::with(|settings| settings.keys.fetch_seconds = 1).await;
        setup.issuer.reply(USERINFO, reply);
        let token = setup.issuer.token("ada");
        for _ in 0..5 {
            let identity = Identity::Known(setup.ask(&token).await.unwrap());
            assert_eq!(require(&identity, Access::Private), Ok(Reach::Everywhere));
            let undecided = AuthError::Undecided { needed: Access::Federation, retry_after_seconds: 5 };
            assert_eq!(require(&identity, Access::Federation), Err(undecided));
            assert_eq!(undecided.status(), 503);
        }
        assert_eq!(setup.issuer.hits(USERINFO), 1);
        setup.issuer.behave();
        setup.issuer.set_userinfo(admin("ada"));
        setup.clock.advance(5);
        assert_eq!(setup.ask(&token).await.unwrap().role(), Role::Administrator);
    }
}

#[tokio::test]
async fn addresses_that_may_not_be_asked_mean_nobody_is_asked() {
    let setup = Setup::new().await;
    let keys = format!("{}/jwks", setup.issuer.url());
    let discovery = json!({
        "issuer": setup.issuer.url(), "jwks_uri": keys, "userinfo_endpoint": "http://169.254.169.254/latest",
    });
    setup.issuer.reply(super::issuer::DISCOVERY, Reply::Json(discovery));
    let known = setup.ask(&setup.issuer.token("ada")).await.unwrap();
    assert_eq!((known.role(), known.undecided_for_seconds), (Role::Reader, None));
}

/// A caller who goes away while userinfo is asked leaves nothing half done.
#[tokio::test]
async fn callers_who_go_away() {
    let setup = Arc::new(Setup::new().await);
    setup.issuer.set_userinfo(admin("ada"));
    setup.issuer.reply(USERINFO, Reply::Silence);
    let token = setup.issuer.token("ada");
    let caller = tokio::spawn({
        let (setup, token) = (setup.clone(), token.clone());
        async move { setup.ask(&token).await }
    });
    setup.issuer.wait_for_hits(USERINFO, 1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    setup.issuer.behave();
    assert_eq!(setup.ask(&token).await.unwrap().role(), Role::Administrator);
}
