//! The feeder's endpoints by themselves: who may, under which lease, how much at once.

use crate::parts::Parts;
use serde_json::{Value as Json, json};
use simulator::Params;

fn document(flavors: usize) -> Json {
    let flavors: Vec<_> =
        (0..flavors).map(|n| json!({ "name": format!("f{n}"), "uuid": format!("f{n}") })).collect();
    json!({
        "name": "SITE", "type": "openstack",
        "projects": [{ "name": "p", "uuid": "p" }],
        "regions": [{ "name": "R", "compute_services": [{
            "endpoint": "https://nova.example.org", "name": "org.openstack.nova", "flavors": flavors,
        }] }],
    })
}

fn sent(flavors: usize, limit: f64) -> Json {
    let read = json!({ "at": "2026-01-01T00:00:00Z" });
    json!({ "document": document(flavors), "read": read, "removal_limit": limit })
}

async fn none() -> Parts {
    Parts::start(Params { openstack: 1, kubernetes: 0, regions: 1, projects: 1, ..Params::tiny() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_write_and_nobody_anonymous_reads() {
    let parts = none().await;
    for (method, path, reader) in [
        ("PUT", "/feeder/providers?fence=1", 403),
        ("DELETE", "/feeder/providers/0123?fence=1", 403),
        ("PUT", "/feeder/lease", 403),
        ("GET", "/feeder/lease", 403),
        ("POST", "/feeder/runs", 403),
        ("GET", "/feeder/runs", 403),
        ("PUT", "/feeder/runs/20260101-1?fence=1", 403),
        ("GET", "/feeder/runs/20260101-1", 403),
        ("GET", "/freshness", 200),
        ("GET", "/providers/0123/freshness", 404),
    ] {
        let status = async |token| parts.ask(method, path, token, Some(&json!({}))).await.0;
        assert_eq!(status(None).await, 401, "{method} {path}");
        assert_eq!(status(Some(&parts.reader)).await, reader, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_writer_is_refused() {
    let parts = none().await;
    let (status, body) = parts.send("PUT", "/feeder/providers", &sent(1, 1.0)).await;
    assert_eq!((status, &body["detail"][0]["loc"]), (422, &json!(["query", "fence"])), "no lease, no write");
    let first = parts.lease().await;
    let (status, held) =
        parts.send("PUT", "/feeder/lease", &json!({ "holder": "other", "seconds": 60 })).await;
    assert_eq!(status, 409);
    assert!(held["detail"].as_str().unwrap().contains("test has the lease until"), "{held}");
    let write = async |fence: u64, flavors| {
        parts.send("PUT", &format!("/feeder/providers?fence={fence}"), &sent(flavors, 1.0)).await
    };
    assert_eq!(write(first, 1).await.0, 201);
    assert_eq!(write(first + 1, 2).await.0, 412);
    let run =
        json!({ "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:01:00Z", "failed": false });
    let record = async |id: &str, fence: u64| {
        parts.send("PUT", &format!("/feeder/runs/{id}?fence={fence}"), &run).await
    };
    assert_eq!(record("20260101T000000Z-1", first).await.0, 204, "gives it back");
    assert_eq!(record("../x", first).await.0, 404);
    let second = parts.lease().await;
    assert_eq!(second, first + 1, "at once");
    let (status, late) = write(first, 3).await;
    assert_eq!(status, 412);
    assert!(late["detail"].as_str().unwrap().contains("another feeder has taken over"), "{late}");
    assert_eq!(record("20260101T000000Z-2", first).await.0, 412);
    assert_eq!(parts.get("/flavors").await.as_array().unwrap().len(), 1, "nothing of it is there");
    let uid = parts.named("/providers", "SITE").await["uid"].as_str().unwrap().to_owned();
    assert_eq!(
        parts.send("DELETE", &format!("/feeder/providers/{uid}?fence={first}"), &json!(null)).await.0,
        412
    );
    assert_eq!(
        parts.send("DELETE", &format!("/feeder/providers/{uid}?fence={second}"), &json!(null)).await.0,
        200
    );
    assert_eq!(
        parts.send("DELETE", &format!("/feeder/providers/{uid}?fence={second}"), &json!(null)).await.0,
        204
    );
    assert_eq!(parts.get("/freshness").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_goes_takes_along_all_that_is_kept_of_it() {
    let parts = none().await;
    let fence = parts.lease().await;
    let write = format!("/feeder/providers?fence={fence}");
    for (path, query, status) in
        [("/providers", String::new(), 204), ("/feeder/providers", format!("?fence={fence}"), 200)]
    {
        assert_eq!(parts.send("PUT", &write, &sent(1, 1.0)).await.0, 201);
        let uid = parts.named("/providers", "SITE").await["uid"].as_str().unwrap().to_owned();
        let offer = json!({ "at": "2026-01-01T00:00:00Z", "regions": {} });
        assert_eq!(parts.send("PUT", &format!("/providers/{uid}/offer"), &offer).await.0, 204);
        let kept = || parts.graph.snapshot().notes.iter().filter(|note| note.key.contains(&uid)).count();
        assert_eq!(kept(), 2, "its freshness and its offer");
        assert_eq!(
            parts.ask("DELETE", &format!("{path}/{uid}{query}"), Some(&parts.admin), None).await.0,
            status
        );
        assert_eq!(kept(), 0, "DELETE {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feeder_of_one_provider_holds_up_nobody_else() {
    let parts = none().await;
    let narrow = async |method: &str, path: &str, body: Json| {
        parts.ask(method, path, Some(&parts.narrow), Some(&body)).await
    };
    let ask = |holder: &str, fence: Option<u64>| json!({ "holder": holder, "seconds": 60, "fence": fence });
    let (status, own) = narrow("PUT", "/feeder/lease", ask("narrow", None)).await;
    assert_eq!((status, &own["providers"]), (200, &json!(["SITE"])), "{own}");
    let own = own["fence"].as_u64().unwrap();
    assert_eq!(narrow("PUT", &format!("/feeder/providers?fence={own}"), sent(1, 1.0)).await.0, 201);
    let mut other = sent(1, 1.0);
    other["document"]["name"] = json!("OTHER");
    assert_eq!(narrow("PUT", &format!("/feeder/providers?fence={own}"), other).await.0, 403);

    let all = parts.lease().await;
    assert_eq!(
        narrow("PUT", &format!("/feeder/providers?fence={own}"), sent(2, 1.0)).await.0,
        412,
        "made way"
    );
    let (status, held) = narrow("PUT", "/feeder/lease", ask("narrow", None)).await;
    assert_eq!(status, 409);
    assert!(held["detail"].as_str().unwrap().contains("test has the lease until"), "{held}");
    let run =
        json!({ "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:01:00Z", "failed": false });
    for (method, path, body) in [
        ("PUT", format!("/feeder/providers?fence={all}"), sent(2, 1.0)),
        ("PUT", "/feeder/lease".to_owned(), ask("narrow", Some(all))),
        ("PUT", format!("/feeder/runs/20260101-narrow?fence={all}"), run.clone()),
    ] {
        assert_eq!(narrow(method, &path, body).await.0, 412, "with another's token: {path}");
    }
    let (_, asked) = parts.send("POST", "/feeder/runs", &json!({})).await;
    let (_, for_it) = parts.send("POST", "/feeder/runs", &json!({ "providers": ["SITE"] })).await;
    let record = async |fence: u64, id: &str, token: &str, run: &Json| {
        parts.ask("PUT", &format!("/feeder/runs/{id}?fence={fence}"), Some(token), Some(run)).await.0
    };
    assert_eq!(record(all, "20260101-all", &parts.admin, &run).await, 204);

    let (status, own) = narrow("PUT", "/feeder/lease", ask("narrow", None)).await;
    assert_eq!(status, 200, "the other one has given it back: {own}");
    let own = own["fence"].as_u64().unwrap();
    let mut does_all = run.clone();
    does_all["requests"] = json!([asked["id"], for_it["id"]]);
    assert_eq!(record(own, "20260101-all", &parts.narrow, &does_all).await, 409, "the record of another run");
    assert_eq!(record(own, "20260101-narrow", &parts.narrow, &does_all).await, 204);
    let waiting = parts.get("/feeder/runs?limit=0").await["requested"].clone();
    assert_eq!((waiting.as_array().unwrap().len(), &waiting[0]["id"]), (1, &asked["id"]), "not its business");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_at_once_is_held_back_and_the_rest_is_done() {
    let parts = none().await;
    let fence = parts.lease().await;
    let path = format!("/feeder/providers?fence={fence}");
    parts.send("PUT", &path, &sent(10, 0.5)).await;
    let mut less = sent(2, 0.5);
    less["document"]["description"] = json!("changed");
    let (status, done) = parts.send("PUT", &path, &less).await;
    // 13 nodes: the provider, a project, a region, a service, 10 flavors
    assert_eq!(
        (status, &done["held_back"]),
        (200, &json!({ "remove": 8, "of": 14, "limit": 0.5 })),
        "{done}"
    );
    assert_eq!(parts.get("/flavors").await.as_array().unwrap().len(), 10);
    assert_eq!(parts.named("/providers", "SITE").await["description"], "changed");
    assert_eq!(parts.named("/freshness", "SITE").await["held_back"]["remove"], 8);

    let (_, dry) = parts
        .send("PUT", &format!("{path}&dry_run=true"), &{
            less["confirm_removals"] = json!(true);
            less.clone()
        })
        .await;
    assert_eq!((&dry["removed"], dry["changes"].as_array().unwrap().len()), (&json!(8), 8));
    assert_eq!(parts.get("/flavors").await.as_array().unwrap().len(), 10, "a dry run");
    let digest = dry["digest"].as_str().unwrap();
    assert_eq!(parts.send("PUT", &format!("{path}&digest=0123"), &less).await.0, 412);
    let (status, done) = parts.send("PUT", &format!("{path}&digest={digest}"), &less).await;
    assert_eq!((status, &done["removed"]), (200, &json!(8)), "{done}");
    assert_eq!(parts.get("/flavors").await.as_array().unwrap().len(), 2);
    assert_eq!(parts.named("/freshness", "SITE").await["held_back"], Json::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_not_asked_for_stays_and_is_not_stale() {
    let parts = none().await;
    let fence = parts.lease().await;
    let path = format!("/feeder/providers?fence={fence}");
    parts.send("PUT", &path, &sent(3, 1.0)).await;
    let mut quotas = sent(0, 1.0);
    quotas["read"] = json!({ "at": "2026-01-01T00:05:00Z", "asked": ["quotas"] });
    let quota = json!({ "project": "p", "cores": 4 });
    quotas["document"]["regions"][0]["compute_services"][0]["quotas"] = json!([quota]);
    let (status, done) = parts.send("PUT", &path, &quotas).await;
    assert_eq!((status, &done["status"], &done["removed"]), (200, &json!("active"), &json!(0)), "{done}");
    assert_eq!(parts.get("/flavors").await.as_array().unwrap().len(), 3);
    assert_eq!(parts.get("/compute_quotas").await[0]["cores"], 4);
    let lists = parts.named("/freshness", "SITE").await["lists"].clone();
    assert_eq!(
        (&lists["flavors"], &lists["quotas"]),
        (&json!("2026-01-01T00:00:00Z"), &json!("2026-01-01T00:05:00Z"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_asked_for_made_and_kept() {
    let parts = none().await;
    let (status, asked) = parts.send("POST", "/feeder/runs", &json!({ "providers": ["SITE"] })).await;
    assert_eq!((status, &asked["providers"]), (202, &json!(["SITE"])), "{asked}");
    assert_eq!(
        parts.ask("POST", "/feeder/runs", Some(&parts.admin), None).await.0,
        202,
        "no body: all of them"
    );
    assert_eq!(parts.send("POST", "/feeder/runs", &json!({ "provider": "SITE" })).await.0, 422);
    for _ in 0..8 {
        parts.send("POST", "/feeder/runs", &json!({})).await;
    }
    assert_eq!(parts.send("POST", "/feeder/runs", &json!({})).await.0, 409, "enough");
    assert_eq!(parts.get("/feeder/runs").await["requested"].as_array().unwrap().len(), 10);
    for n in 0..103 {
        let record = json!({
            "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:01:00Z", "failed": false,
            "requests": [asked["id"]], "trigger": "request",
            "providers": [{ "name": "SITE", "type": "openstack", "outcome": "updated", "seconds": 1.5 }],
        });
        let fence = parts.lease().await;
        let (status, body) =
            parts.send("PUT", &format!("/feeder/runs/20260101-{n:03}?fence={fence}"), &record).await;
        assert_eq!(status, 204, "{body}");
    }
    let all = parts.get("/feeder/runs").await;
    let runs = all["runs"].as_array().unwrap();
    assert_eq!(
        (runs.len(), &runs[0]["id"], &runs[99]["id"]),
        (100, &json!("20260101-102"), &json!("20260101-003"))
    );
    assert_eq!((&runs[0]["outcomes"], &runs[0]["trigger"]), (&json!({ "updated": 1 }), &json!("request")));
    assert_eq!(all["requested"].as_array().unwrap().len(), 9, "the one that was made waits no longer");
    assert_eq!(parts.get("/feeder/runs/20260101-050").await["providers"][0]["seconds"], 1.5);
    assert_eq!(parts.ask("GET", "/feeder/runs/20260101-000", Some(&parts.admin), None).await.0, 404);
}
