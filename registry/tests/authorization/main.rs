//! Who may do what: every operation of the OpenAPI document, asked by everybody, against one golden file.
#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod lists;

use cases::{Case, LEASE, RUN, cases};
use common::{Registry, example, read};
use registry::{auth::PolicySettings, settings::Settings};
use reqwest::{Method, StatusCode};
use serde_json::json;
use simulator::{Issuer, IssuerOptions, Signing, Subject};
use std::fmt::Write as _;

/// Everybody who asks. The tokens that are not valid would be an administrator's.
struct World {
    registry: Registry,
    callers: Vec<(&'static str, Option<String>)>,
}

impl World {
    /// SITE-A and SITE-B share an identity provider, a user group, an agreement and a place; each has others alone.
    async fn new(anonymous_reads: bool) -> Self {
        Self::with(anonymous_reads, |_| {}).await
    }

    async fn with(anonymous_reads: bool, change: impl FnOnce(&mut Settings)) -> Self {
        let registry = Registry::start_with(|settings| {
            let issuer = settings.auth.issuers[0].issuer.to_string();
            let rule = |group: &str, provider: Option<&str>| {
                serde_json::from_value(match provider {
                    Some(provider) => json!({"issuer": issuer, "group": group, "providers": [provider]}),
                    None => json!({"issuer": issuer, "group": group}),
                })
                .unwrap()
            };
            settings.auth.anonymous_reads = anonymous_reads;
            settings.auth.issuers[0].audiences = vec!["federation-registry".to_owned()];
            settings.auth.readers = ["users", "auditors"].map(|group| rule(group, None)).into();
            settings.auth.feeders = vec![
                rule("feeders", None),
                rule("feeders-a", Some("SITE-A")),
                rule("feeders-b", Some("SITE-B")),
            ];
            settings.auth.site_administrators =
                vec![rule("site-a", Some("SITE-A")), rule("site-b", Some("SITE-B"))];
            change(settings);
        })
        .await;
        let token = |group: &str, ttl: i64, audience: &str| {
            let subject = Subject::new(group).groups([group]).ttl(ttl).audience([audience]);
            registry.issuer.token(&subject).unwrap()
        };
        let ours = |group| token(group, 3600, "federation-registry");
        let foreign = Issuer::start(IssuerOptions { signing: Signing::Es256, ..IssuerOptions::default() });
        let foreign = foreign.await.unwrap();
        let subject = Subject::new("admins").groups(["admins"]).audience(["federation-registry"]);
        let (signed, other) = (ours("admins"), ours("users"));
        let crossed = format!("{}.{}", signed.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
        let callers = vec![
            ("no token", None),
            ("expired", Some(token("admins", -100, "federation-registry"))),
            ("wrong signature", Some(crossed)),
            ("wrong audience", Some(token("admins", 3600, "somebody-else"))),
            ("unknown issuer", Some(foreign.token(&subject).unwrap())),
            ("no role", Some(ours("strangers"))),
            ("reader", Some(ours("users"))),
            ("feeder", Some(ours("feeders"))),
            ("feeder of SITE-A", Some(ours("feeders-a"))),
            ("feeder of SITE-B", Some(ours("feeders-b"))),
            ("site administrator of SITE-A", Some(ours("site-a"))),
            ("site administrator of SITE-B", Some(ours("site-b"))),
            ("administrator", Some(ours("admins"))),
        ];
        let admin = ours("admins");
        let world = Self { registry: Registry { admin, ..registry }, callers };
        for name in ["post_provider_openstack", "post_provider_kubernetes"] {
            let body = &example(name)["request"]["body"];
            let (status, answer) = world.registry.send(Method::POST, "/providers/", Some(body)).await;
            assert_eq!(status, StatusCode::CREATED, "{answer}");
        }
        world
    }

    async fn ask(&self, case: &Case, token: Option<&str>) -> (u16, Option<String>, String) {
        let put = |path: &str, body: serde_json::Value| {
            self.registry.request(Method::PUT, path, token).json(&body).send()
        };
        let mut path = case.path.clone();
        if path == RUN {
            let lease = put(LEASE, json!({"holder": "table", "seconds": 60})).await.unwrap();
            let lease: serde_json::Value = lease.json().await.unwrap();
            path += &lease["fence"].as_u64().unwrap_or(1).to_string();
        }
        let mut request = self.registry.request(case.method.clone(), &path, token);
        if let Some(body) = &case.body {
            request = request.json(body);
        }
        if case.stale {
            request = request.header("if-match", "\"another-state\"");
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let challenge =
            response.headers().get("www-authenticate").map(|text| text.to_str().unwrap().to_owned());
        let body = response.text().await.unwrap();
        if status == 200 && path == LEASE && case.method == Method::PUT {
            // given back, for the next one
            let lease: serde_json::Value = serde_json::from_str(&body).unwrap();
            let at = "2026-01-01T00:00:00Z";
            let run = json!({"started": at, "finished": at, "failed": false});
            let record = format!("/feeder/runs/20260101-{}?fence={0}", lease["fence"]);
            assert_eq!(put(&record, run).await.unwrap().status(), 204);
        }
        if status == 201 {
            let made: serde_json::Value = serde_json::from_str(&body).unwrap();
            let made = format!("/providers/{}", made["uid"].as_str().unwrap());
            let (gone, _) = self.registry.send(Method::DELETE, &made, None).await;
            assert_eq!(gone, StatusCode::NO_CONTENT);
        }
        (status, challenge, body)
    }
}

/// The table. Whoever is let through gets 200, 201 (POST of a provider named SITE-A), 202, 204, 304 (a write of what is
/// there already), 404 (a run that is not there) or 412 (a DELETE that names another state of the graph).
#[tokio::test]
async fn every_operation_is_let_through_for_those_who_may_and_for_nobody_else() {
    let world = World::new(true).await;
    let mut table = String::new();
    for (number, (name, _)) in world.callers.iter().enumerate() {
        writeln!(table, "{}{name}", " |  ".repeat(number)).unwrap();
    }
    for case in cases(&world.registry).await {
        for (name, token) in &world.callers {
            let (status, challenge, body) = world.ask(&case, token.as_deref()).await;
            write!(table, "{status} ").unwrap();
            let detail = || {
                let body: serde_json::Value = serde_json::from_str(&body).unwrap();
                body["detail"].as_str().unwrap().to_owned()
            };
            let told = format!("{name}: {} {}: {status} {body}", case.method, case.path);
            match (status, name) {
                // RFC 6750, section 3.1: who sent nothing is told the scheme only
                (401, &"no token") => {
                    assert_eq!(challenge.as_deref(), Some("Bearer realm=\"fedreg\""), "{told}");
                }
                (401, _) => assert!(challenge.unwrap().contains("error=\"invalid_token\""), "{told}"),
                (403, _) => {
                    assert!(challenge.unwrap().contains("error=\"insufficient_scope\""), "{told}");
                    assert!(detail().contains("This needs the role "), "{told}");
                }
                (200 | 201 | 202 | 204 | 304 | 404 | 412, _) => {}
                _ => panic!("{told}"),
            }
        }
        writeln!(table, " {}", case.name).unwrap();
    }
    insta::assert_snapshot!("table", table);
}

#[tokio::test]
async fn a_closed_registry_shows_nothing_without_a_role() {
    let world = World::new(false).await;
    for case in cases(&world.registry).await {
        for (name, token) in &world.callers {
            let (status, _, body) = world.ask(&case, token.as_deref()).await;
            match *name {
                "no token" | "expired" | "wrong signature" | "wrong audience" | "unknown issuer" => {
                    assert_eq!(status, 401, "{name}: {} {body}", case.name);
                }
                "no role" => assert_eq!(status, 403, "{name}: {} {body}", case.name),
                _ if case.method == Method::GET && status == 401 => panic!("{name}: {} {body}", case.name),
                _ => {}
            }
        }
    }
}

/// A policy that decides alone allows what no rule does, but whom the rules bind to a provider stays bound to it.
#[tokio::test]
async fn a_policy_does_not_let_loose_whom_the_rules_bind() {
    let policy = tempfile::NamedTempFile::with_suffix(".rego").unwrap();
    std::fs::write(policy.path(), "package fed_reg\n\nallow := true\n").unwrap();
    let file = policy.path().to_owned();
    let world = World::with(true, |settings| {
        settings.auth.policy = Some(PolicySettings { file: Some(file), ..PolicySettings::default() });
    })
    .await;
    let providers = world.registry.admin_get("/providers/?sort=name").await;
    let path = |name: &str| {
        let all = providers.as_array().unwrap();
        let one = all.iter().find(|provider| provider["name"] == name).unwrap();
        format!("/providers/{}", one["uid"].as_str().unwrap())
    };
    for (name, of_a, of_b) in [
        ("no role", true, true),
        ("reader", true, true),
        ("feeder", true, true),
        ("administrator", true, true),
        ("feeder of SITE-A", true, false),
        ("site administrator of SITE-A", true, false),
        ("site administrator of SITE-B", false, true),
    ] {
        let token = world.callers.iter().find(|(caller, _)| *caller == name).unwrap().1.clone();
        for (site, allowed) in [("SITE-A", of_a), ("SITE-B", of_b)] {
            let request = world.registry.request(Method::PATCH, &path(site), token.as_deref());
            let (status, body) =
                read(request.json(&json!({"description": name})).send().await.unwrap()).await;
            let expected = if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(status, expected, "{name}, {site}: {body}");
        }
    }
}

/// A site administrator cannot get at what is not theirs by way of a document, nor by giving theirs another name.
#[tokio::test]
async fn documents_reach_no_further_than_the_right() {
    let world = World::new(true).await;
    let registry = &world.registry;
    let token = |name: &str| world.callers.iter().find(|(caller, _)| *caller == name).unwrap().1.clone();
    let providers = registry.admin_get("/providers/?name=SITE-A").await;
    let path = format!("/providers/{}", providers[0]["uid"].as_str().unwrap());
    let document = example("post_provider_openstack")["request"]["body"].clone();
    let with = |place: &str, value: serde_json::Value| {
        let mut document = document.clone();
        *document.pointer_mut(place).unwrap() = value;
        document
    };
    let mut moved = with("/regions/1/location/site", json!("Site-X"));
    moved["regions"][1]["location"]["country"] = json!("Italy");
    for (what, document, status, detail) in [
        ("what is theirs", with("/regions/1/location/country", json!("France")), 200, ""),
        ("a shared place as it is", moved, 200, ""),
        ("a shared place", with("/regions/0/location/latitude", json!(1.0)), 403, "Location"),
        (
            "a shared identity provider",
            with("/identity_providers/0/group_claim", json!("x")),
            403,
            "IdentityProvider",
        ),
        (
            "a shared group",
            with("/identity_providers/0/user_groups/0/description", json!("x")),
            403,
            "UserGroup",
        ),
        (
            "a shared agreement",
            with("/identity_providers/0/user_groups/0/sla/end_date", json!("2030-01-01")),
            403,
            "SLA",
        ),
        ("another name", with("/name", json!("SITE-C")), 403, "Provider"),
        ("the other one's name", with("/name", json!("SITE-B")), 403, "Provider"),
    ] {
        for name in ["site administrator of SITE-A", "feeder of SITE-A"] {
            let request = registry.request(Method::PUT, &path, token(name).as_deref()).json(&document);
            let (found, body) = read(request.send().await.unwrap()).await;
            assert!(found == status || (status == 200 && found == 304), "{name}: {what}: {found} {body}");
            let said = body["detail"].as_str().unwrap_or_default();
            assert!(status == 200 || said.starts_with(detail), "{name}: {what}: {body}");
        }
        let back = registry
            .send(Method::PUT, &path, Some(&example("post_provider_openstack")["request"]["body"]))
            .await;
        assert!(back.0.is_success() || back.0 == 304, "{}", back.1);
    }
    let patch = registry.request(Method::PATCH, &path, token("site administrator of SITE-A").as_deref());
    let (status, body) = read(patch.json(&json!({"name": "SITE-B"})).send().await.unwrap()).await;
    assert_eq!(status, 403, "{body}");
    // what is deleted along goes only as far, and what is shared stays
    let delete = registry.request(Method::DELETE, &path, token("site administrator of SITE-A").as_deref());
    assert_eq!(delete.send().await.unwrap().status(), 204);
    let places = registry.admin_get("/locations/?site=Site-X").await;
    assert_eq!(places.as_array().unwrap().len(), 1);
}
