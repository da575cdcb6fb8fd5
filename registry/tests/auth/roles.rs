//! Who is an administrator.

use registry::auth::{Access, AuthError, Identity, IssuerSettings, Reach, Role, Rule, Statement, require};
use serde_json::{Value, json};

use super::{Issuer, Setup};

async fn role(setup: &Setup, subject: &str, more: Value) -> Role {
    let known = setup.ask(&setup.issuer.token_with(subject, more)).await.unwrap();
    known.role()
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
        settings.administrators.push(Rule { issuer: Some(named), ..Rule::email("admin@example.org") });
    })
    .await;
    let all = json!({"groups": ["/admins"], "email": "admin@example.org", "email_verified": true});
    let known = setup.ask(&other.token_with("root", all.clone())).await.unwrap();
    assert_eq!((known.role(), &*known.issuer), (Role::Reader, other.url()));
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
    assert_eq!(require(&reader, Access::Private), Ok(Reach::Everywhere));
    let refused = require(&reader, Access::Federation).unwrap_err();
    assert_eq!(refused, AuthError::Forbidden { needed: Access::Federation, held: Role::Reader });
    assert_eq!(require(&Identity::Anonymous, Access::Federation), Err(AuthError::Missing));
    assert_eq!(setup.authenticator.needed(Access::Public), Access::Public);
    let closed = Setup::with(|settings| settings.anonymous_reads = false).await;
    assert_eq!(closed.authenticator.needed(Access::Public), Access::Private);
}

#[tokio::test]
async fn the_rule_that_held_is_named() {
    let setup = Setup::new().await;
    let known = setup.ask(&setup.issuer.token_with("ada", json!({"groups": ["/admins"]}))).await.unwrap();
    assert_eq!(*known.grants[0].rule, format!("group /admins of {}", setup.issuer.url()));
}

/// Each list of rules gives its role, for the providers that it names; the strongest comes first.
#[tokio::test]
async fn every_list_of_rules_gives_its_role() {
    let setup = Setup::with(|settings| {
        let issuer = settings.issuers[0].issuer.to_string();
        settings.site_administrators = vec![Rule::group(&issuer, "/site-a").of(["SITE-A"])];
        settings.feeders =
            vec![Rule::subject(&issuer, "feeder"), Rule::group(&issuer, "/feeders").of(["SITE-B", "SITE-C"])];
        settings.readers = vec![
            Rule { entitlement: Some("urn:reader".into()), issuer: Some(issuer.clone()), ..Rule::default() },
            Rule { role: Some("reader".into()), issuer: Some(issuer), ..Rule::default() },
        ];
    })
    .await;
    for (subject, more, expected) in [
        ("ada", json!({}), ""),
        ("ada", json!({"entitlements": ["urn:other"], "roles": ["other"]}), ""),
        ("ada", json!({"entitlements": ["urn:reader"]}), "reader"),
        ("ada", json!({"realm_access": {"roles": ["reader"]}}), "reader"),
        ("ada", json!({"groups": ["/site-a"]}), "site administrator of SITE-A"),
        ("ada", json!({"groups": ["/feeders"]}), "feeder of SITE-B SITE-C"),
        ("feeder", json!({}), "feeder"),
        (
            "feeder",
            json!({"groups": ["/site-a"], "roles": "reader"}),
            "site administrator of SITE-A, feeder, reader",
        ),
        ("root", json!({"groups": ["/feeders"]}), "administrator, feeder of SITE-B SITE-C"),
    ] {
        let known = setup.ask(&setup.issuer.token_with(subject, more.clone())).await.unwrap();
        let grants = known.grants.iter().map(|grant| {
            let of: Vec<_> =
                grant.providers.iter().flat_map(|named| named.iter()).map(ToString::to_string).collect();
            let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(" ")) };
            format!("{}{of}", grant.role)
        });
        assert_eq!(grants.collect::<Vec<_>>().join(", "), expected, "{subject} {more}");
        let needed = if expected.is_empty() { Err(403) } else { Ok(()) };
        let read =
            require(&Identity::Known(known), Access::Private).map(|_| ()).map_err(|error| error.status());
        assert_eq!(read, needed, "{subject} {more}");
    }
}

/// Where rules say who is a reader, a read may have to ask: what a slow issuer would say is not guessed.
#[tokio::test]
async fn readers_by_rule_are_looked_up_when_they_read() {
    let setup = Setup::with(|settings| {
        settings.readers = vec![Rule::group(settings.issuers[0].issuer.as_str(), "/users")];
    })
    .await;
    let header = |subject: &str| format!("Bearer {}", setup.issuer.token(subject));
    setup.issuer.set_userinfo(json!({"sub": "ada", "groups": ["/users"]}));
    let ada = setup.authenticator.authenticate_for(Some(&header("ada")), Access::Public).await.unwrap();
    assert_eq!(ada.role(), Role::Reader);
    setup.issuer.set_userinfo(json!({"sub": "eve", "groups": ["/others"]}));
    let eve = setup.authenticator.authenticate_for(Some(&header("eve")), Access::Public).await.unwrap();
    assert_eq!(require(&eve, Access::Public), Ok(Reach::Everywhere));
    assert_eq!(
        require(&eve, Access::Private),
        Err(AuthError::Forbidden { needed: Access::Private, held: Role::Anonymous })
    );
    setup.issuer.reply(super::issuer::USERINFO, super::issuer::Reply::Status(503));
    let bob = setup.authenticator.authenticate_for(Some(&header("bob")), Access::Public).await.unwrap();
    let undecided = AuthError::Undecided { needed: Access::Private, retry_after_seconds: 5 };
    assert_eq!(require(&bob, Access::Public), Err(undecided));
}

#[tokio::test]
async fn whoami_says_which_rule_matched_and_what_it_allows() {
    let setup = Setup::with(|settings| {
        let issuer = settings.issuers[0].issuer.to_string();
        settings.site_administrators = vec![Rule::group(issuer, "/site-a").of(["SITE-A"])];
    })
    .await;
    let more = json!({"groups": ["/site-a"], "email": "ada@example.org", "email_verified": true});
    let known = setup.ask(&setup.issuer.token_with("ada", more)).await.unwrap();
    let mut said = serde_json::to_value(Statement::new(&Identity::Known(known))).unwrap();
    assert_eq!(said["issuer"].take(), setup.issuer.url());
    said["grants"][0]["rule"] =
        said["grants"][0]["rule"].as_str().unwrap().replace(setup.issuer.url(), "ISSUER").into();
    assert_eq!(
        said,
        json!({
            "role": "site administrator", "issuer": null, "subject": "ada", "email": "ada@example.org",
            "groups": ["/site-a"], "entitlements": [], "roles": [], "expires_at": "2026-11-21T08:05:00Z",
            "grants": [{"role": "site administrator", "rule": "group /site-a of ISSUER", "providers": ["SITE-A"]}],
            "allows": [
                "read the public shapes", "read the private shapes",
                "add, replace, change and remove providers, as far as they belong to SITE-A alone",
                "change and delete entities, as far as they belong to SITE-A alone",
            ],
        })
    );
    let anonymous = Statement::new(&Identity::Anonymous);
    assert_eq!((anonymous.role.as_str(), anonymous.allows.len()), ("anonymous", 1));
}
