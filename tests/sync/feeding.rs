//! The feeder against simulated sites that fail, and what the registry tells of it.

use crate::parts::Parts;
use feeder::report::Outcome;
use schema::feeding::Action;
use serde_json::{Value as Json, json};
use simulator::{Fault, Params, Site, model::Technology};
use std::sync::Arc;

fn two() -> Params {
    Params { openstack: 2, kubernetes: 1, regions: 1, projects: 2, ..Params::tiny() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_stays_is_told_and_comes_back() {
    let parts = Parts::start(two()).await;
    let report = parts.feed().await;
    assert!(!report.failed(), "{report}");
    for site in parts.sites.sites() {
        let name = site.provider().name.clone();
        let uid = parts.named("/providers", &name).await["uid"].as_str().unwrap().to_owned();
        let offer = parts.get(&format!("/providers/{uid}/offer")).await;
        assert!(!offer.as_object().unwrap().is_empty(), "with the very first run: {offer}");
    }
    let openstack = |site: &&Arc<Site>| site.provider().technology == Technology::OpenStack;
    let site = parts.sites.sites().iter().find(openstack).unwrap();
    site.configure(|settings| settings.page_size = 2);
    let name = site.provider().name.clone();
    let before = parts.whole(&name).await;

    for (path, fault, class, list) in [
        ("/flavors", Fault::Status(403), "forbidden", Some("flavors")),
        ("/flavors", Fault::PageTwoFails, "unavailable", Some("flavors")),
        ("/images", Fault::Status(429), "unavailable", Some("images")),
        ("/networks", Fault::Garbage, "garbage", Some("networks")),
        ("/auth/tokens", Fault::Status(401), "forbidden", None),
        ("", Fault::Status(500), "unavailable", None),
    ] {
        site.faults().set(path, fault);
        let report = parts.feed().await;
        assert!(report.failed());
        assert_eq!(parts.whole(&name).await, before, "{path}: everything stays, with its uids");
        let fresh = parts.named("/freshness", &name).await;
        assert_eq!(fresh["status"], "limited", "{path}");
        let stale = fresh["stale"].as_array().unwrap();
        assert!(!stale.is_empty());
        for scope in stale {
            assert_eq!(
                (&scope["class"], scope.get("list").and_then(Json::as_str)),
                (&json!(class), list),
                "{path}: {scope}"
            );
            assert!(scope["succeeded"].is_string() && scope["since"].is_string(), "{scope}");
        }
        let uid = fresh["uid"].as_str().unwrap();
        let scopes = parts.get(&format!("/providers/{uid}/freshness")).await["scopes"].clone();
        let of =
            |state: &str| scopes.as_array().unwrap().iter().filter(|scope| scope["state"] == state).count();
        assert!(of("stale") > 0 && (list.is_none() || of("fresh") > 0), "{path}: {scopes}");
        let groups = parts.get("/user_groups?with_conn=true&provider_status=active").await;
        assert!(groups.to_string().contains(&name), "{path}: it is still offered");

        site.faults().clear();
        assert!(!parts.feed().await.failed(), "{path}");
        let fresh = parts.named("/freshness", &name).await;
        assert_eq!(
            (&fresh["status"], &fresh["stale"]),
            (&json!("active"), &json!([])),
            "{path}: back by itself"
        );
        assert_eq!(parts.whole(&name).await, before);
    }
    let runs = parts.get("/feeder/runs?limit=2").await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    assert_eq!((&runs["runs"][0]["failed"], &runs["runs"][1]["failed"]), (&json!(false), &json!(true)));
    let id = runs["runs"][1]["id"].as_str().unwrap();
    let record = parts.get(&format!("/feeder/runs/{id}")).await;
    let told =
        record["providers"].as_array().unwrap().iter().find(|one| one["name"] == name.as_str()).unwrap();
    assert!(!told["unread"].as_array().unwrap().is_empty(), "{told}");
    let revision = || async { parts.get("/feeder/lease").await["fence"].as_u64().unwrap() };
    let fence = revision().await;
    parts.feed().await;
    assert_eq!(revision().await, fence + 1, "each run has a lease of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_the_files_keeps_its_provider_and_is_told() {
    let parts = Parts::start(two()).await;
    parts.feed().await;
    let good = std::fs::read_to_string(parts.files()).unwrap();
    let name = parts.sites.sites()[0].provider().name.clone();
    let before = parts.whole(&name).await;
    let broken = good.replacen("status: \"active\"", "status: \"actve\"", 1);
    assert_ne!(broken, good);
    std::fs::write(parts.files(), broken).unwrap();
    let report = parts.feed().await;
    assert!(report.failed());
    assert_eq!(parts.whole(&name).await, before);
    if let Some(report) = report.providers.iter().find(|report| report.key.name == name) {
        assert_eq!(report.outcome, Outcome::Failed);
        let fresh = parts.named("/freshness", &name).await;
        assert_eq!(
            (&fresh["trouble"]["class"], &fresh["status"]),
            (&json!("configuration"), &json!("active"))
        );
        std::fs::write(parts.files(), good).unwrap();
        assert!(!parts.feed().await.failed());
        assert_eq!(parts.named("/freshness", &name).await["trouble"], Json::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_what_a_run_would_do_and_is_refused_when_the_graph_moved_on() {
    use feeder::{
        Error, Silent,
        plan::{PlanError, apply, plan},
    };
    use tokio_util::sync::CancellationToken;
    let parts = Parts::start(two()).await;
    let settings = parts.settings();
    let make = || async { plan(&settings, Arc::new(Silent), CancellationToken::new()).await.unwrap() };
    let do_it = |saved| {
        let settings = settings.clone();
        async move { apply(&settings, &saved, Arc::new(Silent), CancellationToken::new()).await }
    };
    let (report, everything) = make().await;
    assert!(report.providers.iter().all(|provider| provider.outcome == Outcome::WouldCreate), "{report}");
    assert_eq!(parts.get("/providers").await, json!([]), "a plan writes nothing");
    let text = serde_json::to_string(&everything).unwrap();
    let everything = serde_json::from_str(&text).unwrap();
    let report = do_it(everything).await.unwrap();
    assert!(report.providers.iter().all(|provider| provider.outcome == Outcome::Created), "{report}");
    let (_, nothing) = make().await;
    assert_eq!(nothing.providers, [], "a run has nothing to do after it");

    let site = &parts.sites.sites()[0];
    site.add_image("one more");
    let (_, one) = make().await;
    assert_eq!(one.providers.len(), 1);
    let changes = one.providers[0].planned.answer.changes.clone().unwrap();
    assert_eq!(
        (changes.len(), changes[0].action, changes[0].kind.as_str()),
        (1, Action::Add, "Image"),
        "{changes:?}"
    );
    assert_eq!(changes[0].fields["name"], json!({ "new": "one more" }));
    let name = site.provider().name.clone();
    let uid = parts.named("/providers", &name).await["uid"].as_str().unwrap().to_owned();
    let (status, _) =
        parts.send("PATCH", &format!("/providers/{uid}"), &json!({ "description": "by hand" })).await;
    assert_eq!(status, 200);
    let refused = do_it(one.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::Plan(PlanError::Moved { .. })), "{refused}");

    let mut forged = one;
    forged.state = make().await.1.state;
    let report = do_it(forged).await.unwrap();
    assert!(report.failed());
    assert!(
        report.providers[0].faults[0].message.contains("plan again"),
        "{report}: the digest protects too"
    );
    assert!(!parts.get("/images").await.to_string().contains("one more"));
}
