//! Who is an administrator.

use registry::auth::{AuthError, Identity, IssuerSettings, Role, Rule, require};
use serde_json::{Value, json};

use super::{Issuer, Setup};

async fn role(setup: &Setup, subject: &str, more: Value) -> Role {
    let known = setup.ask(&setup.issuer.token_with(subject, more)).await.unwrap();
    assert_eq!(known.rule.is_some(), known.role == Role::Administrator);
    known.role
}

#[tokio::test]
async fn rules_by_subject_group_and_email() {
    let setup = Setup::new().await;
    for (subject, more, expected) in [
        ("root", json!({}), Role::Administrator),
        ("Root", json!({}), Role::Reader),
        ("ada", json!({"groups": ["/users", "/admins"]}), Role::Administrator),
        ("ada", json!({"wlcg.groups": ["/admins"]}), Role::Administrator),
        ("ada", json!({"eduperson_entitlement": "/admins"}), Role::Administrator),
        ("ada", json!({"roles": ["/admins"]}), Role::Reader),
        ("ada", json!({"groups": ["/users"]}), Role::Reader),
        ("ada", json!({"groups": ["/admins/sub", "/Admins", "admins", "/\u{430}dmins"]}), Role::Reader),
        ("ada", json!({"groups": {"/admins": true}}), Role::Reader),
        ("ada", json!({"email": "admin@example.org", "email_verified": true}), Role::Administrator),
        ("ada", json!({"email": "admin@example.org", "email_verified": false}), Role::Reader),
        ("ada", json!({"email": "admin@example.org", "email_verified": "true"}), Role::Reader),
        ("ada", json!({"email": "admin@example.org"}), Role::Reader),
        ("ada", json!({"email": "Admin@example.org", "email_verified": true}), Role::Reader),
        ("ada", json!({"email": "admin@example.org.evil.org", "email_verified": true}), Role::Reader),
        ("ada", json!({"email": "admin@ex\u{430}mple.org", "email_verified": true}), Role::Reader),
        ("admin@example.org", json!({"preferred_username": "root"}), Role::Reader),
    ] {
        assert_eq!(role(&setup, subject, more.clone()).await, expected, "{subject} {more}");
    }
}

#[tokio::test]
async fn issuers_that_are_trusted_for_email() {
    let setup = Setup::with(|settings| settings.issuers[0].trust_email = true).await;
    assert_eq!(role(&setup, "ada", json!({"email": "admin@example.org"})).await, Role::Administrator);
    let unverified = json!({"email": "admin@example.org", "email_verified": false});
    assert_eq!(role(&setup, "ada", unverified).await, Role::Reader);
}

/// Two issuers: what one says about its people says nothing about those of the other.
#[tokio::test]
async fn rules_are_about_their_issuer() {
    let other = Issuer::start().await;
    let setup = Setup::with(|settings| {
        settings.issuers.push(IssuerSettings::new(other.url().parse().unwrap()));
        let named = settings.issuers[0].issuer.to_string();
        settings.administrators.pop();
        settings.administrators.push(Rule::Email { issuer: Some(named), email: "admin@example.org".into() });
    })
    .await;
    let all = json!({"groups": ["/admins"], "email": "admin@example.org", "email_verified": true});
    let known = setup.ask(&other.token_with("root", all.clone())).await.unwrap();
    assert_eq!((known.role, &*known.issuer), (Role::Reader, other.url()));
    assert_eq!(role(&setup, "ada", all).await, Role::Administrator);
    // the other issuer's key does not sign for this one
    let crossed = other.key().sign(&setup.issuer.claims("root"));
    assert!(setup.ask(&crossed).await.is_err());
}

#[tokio::test]
async fn group_claims_are_those_of_the_configuration() {
    let setup = Setup::with(|settings| settings.issuers[0].group_claims = vec!["roles".into()]).await;
    assert_eq!(role(&setup, "ada", json!({"groups": ["/admins"]})).await, Role::Reader);
    assert_eq!(role(&setup, "ada", json!({"roles": ["/admins"]})).await, Role::Administrator);
}

#[tokio::test]
async fn answers_that_say_what_is_missing() {
    let setup = Setup::new().await;
    let reader =
        Identity::Known(setup.ask(&setup.issuer.token_with("ada", json!({"groups": []}))).await.unwrap());
    assert_eq!(require(&reader, Role::Reader), Ok(()));
    let refused = require(&reader, Role::Administrator).unwrap_err();
    assert_eq!(refused, AuthError::Forbidden { needed: Role::Administrator, held: Role::Reader });
    assert_eq!(require(&Identity::Anonymous, Role::Administrator), Err(AuthError::Missing));
    assert_eq!(setup.authenticator.read_role(), Role::Anonymous);
    let closed = Setup::with(|settings| settings.anonymous_reads = false).await;
    assert_eq!(closed.authenticator.read_role(), Role::Reader);
}

#[tokio::test]
async fn the_rule_that_held_is_named() {
    let setup = Setup::new().await;
    let known = setup.ask(&setup.issuer.token_with("ada", json!({"groups": ["/admins"]}))).await.unwrap();
    assert_eq!(known.rule.as_deref(), Some(format!("group /admins of {}", setup.issuer.url()).as_str()));
}
