//! `GET /changes` and `GET /<entities>/{uid}/history`.

use super::{
    common::{Registry, read},
    world::{filled, site_a, site_b, small, uid},
};
use registry::{
    graph::{change::ChangeSet, stored::Stored},
    settings::StoreSettings,
    store::{Entry, Store, embedded::Embedded},
};
use reqwest::{Method, StatusCode};
use schema::Schema;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// All changes, page after page.
async fn all(registry: &Registry, path: &str, limit: usize) -> Vec<Json> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = registry.admin_get(&format!("{path}?after={after}&limit={limit}")).await;
        let changes = page["changes"].as_array().unwrap();
        assert!(changes.len() <= limit);
        all.extend(changes.iter().cloned());
        after = page["next"].as_u64().unwrap();
        if page["next"] == page["last"] {
            return all;
        }
        assert!(!changes.is_empty(), "a page that is not the last has something: {page}");
    }
}

fn nodes(change: &Json) -> &Vec<Json> {
    change["nodes"].as_array().unwrap()
}

/// The only change of one node in an entry.
fn of<'a>(change: &'a Json, uid: &str) -> &'a Json {
    let mut all = nodes(change).iter().filter(|node| node["uid"] == uid);
    let node = all.next().unwrap_or_else(|| panic!("{uid} is not in {change}"));
    assert!(all.next().is_none());
    node
}

#[tokio::test]
async fn an_entry_says_who_did_what_when_from_which_request_and_what_was_before() {
    let registry = filled().await;
    let flavor = registry.list("/flavors?name=m1.small").await.first().map(uid);
    let flavor = match flavor {
        Some(uid) => uid,
        None => uid(&registry.list("/flavors").await[0]),
    };
    let before = registry.admin_get(&format!("/flavors/{flavor}")).await;
    let request = registry.request(Method::PATCH, &format!("/flavors/{flavor}"), Some(&registry.admin));
    let request = request
        .header("x-request-id", "the-one-that-did-it")
        .json(&json!({ "ram": 123, "description": "new" }));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);

    let page = registry.admin_get("/changes?after=2").await;
    let change = &page["changes"][0];
    assert_eq!(page["changes"].as_array().unwrap().len(), 1);
    assert_eq!((&page["next"], &page["last"], &page["kept_after"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!(change["revision"], 3);
    assert_eq!(change["who"], format!("{} admin", registry.issuer.url()));
    assert_eq!(change["what"], format!("PATCH Flavor {flavor}"));
    assert_eq!(change["request"], "the-one-that-did-it");
    let at: chrono::DateTime<chrono::Utc> = change["at"].as_str().unwrap().parse().unwrap();
    assert!((chrono::Utc::now() - at).num_seconds().abs() < 60);
    let fields = json!({
        "ram": { "old": before["ram"], "new": 123 },
        "description": { "old": before["description"], "new": "new" },
    });
    let node = json!({ "action": "updated", "kind": "Flavor", "uid": flavor, "fields": fields });
    assert_eq!(change["nodes"], json!([node]));
    assert_eq!(change["relations"], json!([]));
    let whole = page.to_string();
    assert!(!whole.contains(&registry.admin) && !whole.to_lowercase().contains("bearer"), "no token");
}

/// The log alone is enough to know what is there, and what it says was there is what it said before.
#[tokio::test]
async fn the_log_tells_the_whole_story_whatever_the_size_of_its_pages() {
    let registry = filled().await;
    let (a, b) = (
        uid(&registry.only("/providers?type=openstack").await),
        uid(&registry.only("/providers?type=kubernetes").await),
    );
    let mut document = site_a();
    document["regions"].as_array_mut().unwrap().pop();
    document["identity_providers"][0]["relationship"]["protocol"] = "other".into();
    let project = document["projects"][0]["uuid"].clone();
    let flavors = document["regions"][0]["compute_services"][0]["flavors"].as_array_mut().unwrap();
    // private and shared change places
    for flavor in flavors.iter_mut() {
        let flavor = flavor.as_object_mut().unwrap();
        let shared = flavor.get("projects").is_none();
        flavor.remove("is_shared");
        flavor.remove("projects");
        if shared {
            flavor.insert("projects".to_owned(), json!([project]));
        }
    }
    assert_eq!(registry.put(&a, &document).await.0, StatusCode::OK);
    registry.delete(&format!("/providers/{b}")).await;
    registry.post(&site_b()).await;
    let project = uid(&registry.list("/projects").await[0]);
    registry.delete(&format!("/projects/{project}")).await;

    let changes = all(&registry, "/changes", 1000).await;
    assert_eq!(changes, all(&registry, "/changes", 1).await);
    assert_eq!(changes, all(&registry, "/changes", 2).await);
    let revisions: Vec<u64> = changes.iter().map(|change| change["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, (1..=changes.len() as u64).collect::<Vec<_>>());

    let mut known: BTreeMap<String, (String, serde_json::Map<String, Json>)> = BTreeMap::new();
    let mut related: BTreeMap<String, Json> = BTreeMap::new();
    let mut seen = BTreeMap::<String, usize>::new();
    for change in &changes {
        for node in nodes(change) {
            let (uid, kind) = (node["uid"].as_str().unwrap(), node["kind"].as_str().unwrap());
            let action = node["action"].as_str().unwrap();
            *seen.entry(action.to_owned()).or_default() += 1;
            if action == "created" {
                assert!(known.insert(uid.to_owned(), (kind.to_owned(), serde_json::Map::new())).is_none());
            }
            let (of, holds) = known.get_mut(uid).unwrap();
            assert_eq!(of, kind);
            for (name, side) in node["fields"].as_object().unwrap() {
                assert_eq!(side.get("old").is_some(), action != "created", "{name} {node}");
                assert_eq!(side.get("new").is_some(), action != "deleted", "{name} {node}");
                if let Some(old) = side.get("old") {
                    assert_eq!(holds.get(name).unwrap_or(&Json::Null), old, "{name} of {node}");
                }
                holds.insert(name.clone(), side.get("new").cloned().unwrap_or(Json::Null));
            }
            if action == "deleted" {
                let (_, holds) = known.remove(uid).unwrap();
                assert!(holds.values().all(Json::is_null), "all that it held was told: {holds:?}");
            }
        }
        for relation in change["relations"].as_array().unwrap() {
            let key = format!("{} {} {}", relation["from"], relation["type"], relation["to"]);
            *seen.entry(relation["action"].as_str().unwrap().to_owned()).or_default() += 1;
            match relation["action"].as_str().unwrap() {
                "added" => assert!(related.insert(key, relation["fields"].clone()).is_none(), "{relation}"),
                "removed" => assert!(related.remove(&key).is_some(), "{relation}"),
                _ => assert!(related.contains_key(&key) && relation["fields"] != json!({}), "{relation}"),
            }
        }
    }
    for action in ["created", "updated", "deleted", "added", "removed", "changed"] {
        assert!(seen.contains_key(action), "nothing was {action}: {seen:?}");
    }
    for entity in &Schema::get().entities {
        let items = registry.list(&format!("/{}", entity.decl.path)).await;
        let told = known.iter().filter(|(_, (kind, _))| kind == entity.decl.name);
        assert_eq!(items.len(), told.count(), "{}", entity.decl.path);
        for item in items {
            let (_, holds) = &known[item["uid"].as_str().unwrap()];
            for name in ["name", "uuid", "endpoint", "description", "is_shared", "ram", "type"] {
                if item.get(name).is_some() {
                    assert_eq!(holds.get(name).unwrap_or(&Json::Null), &item[name], "{name} of {item}");
                }
            }
        }
    }
    for (kind, end) in [("ComputeQuota", "APPLY_TO"), ("Region", "DIVIDED_INTO")] {
        let nodes = known.values().filter(|(of, _)| of == kind).count();
        let links = related.keys().filter(|key| key.contains(end));
        assert!(links.count() >= nodes, "each {kind} has its {end}");
    }
}

#[tokio::test]
async fn one_node_has_a_history_also_when_it_is_gone() {
    let registry = filled().await;
    for entity in &Schema::get().entities {
        let path = entity.decl.path;
        let Some(item) = registry.list(&format!("/{path}")).await.first().cloned() else { continue };
        let history = all(&registry, &format!("/{path}/{}/history", uid(&item)), 100).await;
        assert_eq!(of(&history[0], &uid(&item))["action"], "created", "{path}");
        for change in &history {
            assert!(nodes(change).iter().all(|node| node["uid"] == item["uid"]), "{path}: of it alone");
            let relations = change["relations"].as_array().unwrap();
            assert!(relations.iter().all(|it| it["from"] == item["uid"] || it["to"] == item["uid"]));
        }
    }
    let flavor = uid(&registry.list("/flavors").await[0]);
    registry.patch(&format!("/flavors/{flavor}"), &json!({ "ram": 1 })).await;
    registry.patch(&format!("/flavors/{flavor}"), &json!({ "ram": 2 })).await;
    registry.delete(&format!("/flavors/{flavor}")).await;
    assert_eq!(registry.get(&format!("/flavors/{flavor}"), None).await.0, StatusCode::NOT_FOUND);
    for slash in ["", "/"] {
        let page = registry.admin_get(&format!("/flavors/{flavor}/history{slash}")).await;
        let actions: Vec<&Json> =
            page["changes"].as_array().unwrap().iter().map(|change| &of(change, &flavor)["action"]).collect();
        assert_eq!(actions, ["created", "updated", "updated", "deleted"]);
        let last = of(&page["changes"][3], &flavor);
        assert_eq!(last["fields"]["ram"], json!({ "old": 2 }));
        let removed = page["changes"][3]["relations"].as_array().unwrap();
        assert!(!removed.is_empty() && removed.iter().all(|relation| relation["action"] == "removed"));
    }
    // page after page, and after its last change nothing: but it is known
    let path = format!("/flavors/{flavor}/history");
    assert_eq!(all(&registry, &path, 1).await, all(&registry, &path, 100).await);
    let (status, page) = registry.get(&format!("{path}?after=5"), Some(&registry.admin)).await;
    assert_eq!((status, &page["changes"]), (StatusCode::OK, &json!([])), "{page}");
    for path in [
        format!("/images/{flavor}/history"),
        "/flavors/0123/history".to_owned(),
        "/flavors/%ff/history".to_owned(),
    ] {
        let (status, body) = registry.get(&path, Some(&registry.admin)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {body}");
        let named = path.split('/').nth(2).unwrap();
        assert!(body["detail"].as_str().unwrap().contains(named), "{path}: {body}");
    }
}

#[tokio::test]
async fn administrators_only() {
    let registry = filled().await;
    let flavor = uid(&registry.list("/flavors").await[0]);
    for path in [
        "/changes",
        "/changes?after=x",
        "/changes/?after=99",
        &format!("/flavors/{flavor}/history"),
        "/flavors/x/history",
    ] {
        for accept in ["application/json", "text/event-stream"] {
            for (token, expected) in
                [(None, 401), (Some("no.token.x"), 401), (Some(registry.reader.as_str()), 403)]
            {
                let answer =
                    registry.request(Method::GET, path, token).header("accept", accept).send().await.unwrap();
                assert_eq!(answer.status(), expected, "{path} {accept}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_kept_is_gone_and_the_answer_says_from_where_on_it_is() {
    let registry = Registry::start_with(|settings| settings.history.entries = 3).await;
    let provider = registry.post(&small("s", json!([]), json!([]))).await;
    let path = format!("/providers/{provider}");
    for n in 0..9 {
        registry.patch(&path, &json!({ "description": n.to_string() })).await;
    }
    let first = registry.admin_get("/changes").await;
    assert_eq!((&first["kept_after"], &first["next"], &first["last"]), (&json!(7), &json!(10), &json!(10)));
    assert_eq!(first["changes"].as_array().unwrap().len(), 3);
    assert_eq!(registry.admin_get(&format!("{path}/history")).await["changes"], first["changes"]);
    for (after, expected) in [(0, 410), (6, 410), (7, 200), (10, 200), (11, 410), (u64::MAX, 410)] {
        for path in ["/changes", &format!("{path}/history")] {
            let (status, body) = registry.get(&format!("{path}?after={after}"), Some(&registry.admin)).await;
            assert_eq!(status, expected, "{after}: {body}");
            if expected == 410 {
                assert_eq!((&body["kept_after"], &body["last"]), (&json!(7), &json!(10)));
                assert!(body["detail"].as_str().unwrap().contains("those after 7, up to 10"), "{body}");
            }
        }
    }
    for (query, loc) in [
        ("after=-1", "after"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=", "limit"),
    ] {
        let (status, locs) = registry.faults(&format!("/changes?{query}")).await;
        assert_eq!((status, locs), (422, vec![json!(["query", loc])]), "{query}");
    }
    // a node that was there before what is kept has a history without its beginning
    let region = uid(&registry.only("/regions").await);
    assert_eq!(registry.admin_get(&format!("/regions/{region}/history")).await["changes"], json!([]));
}

#[tokio::test]
async fn a_page_of_large_changes_is_short_and_the_next_one_goes_on() {
    let registry = Registry::start().await;
    let flavors: Vec<Json> =
        (0..200).map(|n| json!({ "name": "x".repeat(3000), "uuid": n.to_string(), "ram": n })).collect();
    for name in ["a", "b", "c"] {
        registry.post(&small(name, flavors.clone().into(), json!([]))).await;
    }
    let page = registry.admin_get("/changes").await;
    assert!(page["changes"].as_array().unwrap().len() < 3 && page["next"].as_u64() < page["last"].as_u64());
    let changes = all(&registry, "/changes", 1000).await;
    assert_eq!(changes.len(), 3);
    assert_eq!(nodes(&changes[2]).len(), 205);
}

#[tokio::test]
async fn asking_again_costs_nothing_and_answers_are_compressed() {
    let registry = filled().await;
    let ask = |path: &'static str| registry.request(Method::GET, path, Some(&registry.admin));
    let answer = ask("/changes").send().await.unwrap();
    let tag = answer.headers()["etag"].clone();
    for path in ["/changes", "/changes?after=1"] {
        let again = ask(path).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
    registry.post(&small("s", json!([]), json!([]))).await;
    let again = ask("/changes").header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    let plain = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let request = plain.get(format!("{}/changes", registry.url)).bearer_auth(&registry.admin);
    let answer = request.header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = registry.request(method, "/changes", Some(&registry.admin)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], "GET,HEAD");
        assert!(read(answer).await.1["detail"].is_string());
    }
}

/// Entries of earlier versions say neither what was before nor which request it was.
#[tokio::test]
async fn entries_of_earlier_versions_are_shown_as_far_as_they_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(Schema::get(), folder.path(), 10).unwrap();
    let (region, location) = (format!("{:032x}", 1), format!("{:032x}", 2));
    let link = json!({ "type": "LOCATED_AT", "from": region, "to": location });
    let steps = [
        json!({ "created": [
            { "uid": region, "kind": "Region", "values": { "name": "R" } },
            { "uid": location, "kind": "Location", "values": { "site": "L" } },
        ], "linked": [link] }),
        json!({ "updated": [{ "uid": region, "kind": "Region", "set": { "name": "S" } }], "unlinked": [link] }),
        json!({ "deleted": [{ "uid": region, "kind": "Region" }] }),
    ];
    for (n, step) in steps.iter().enumerate() {
        let changes = ChangeSet::from_json(Schema::get(), step).unwrap();
        let again = Stored(Schema::get(), &changes).tree();
        assert!(n == 0 || again == *step, "and are not made to say more: {again}");
        let at = chrono::DateTime::UNIX_EPOCH;
        let (who, what, id, request) = ("w".to_owned(), "PUT".to_owned(), String::new(), String::new());
        store
            .commit(Entry {
                revision: n as u64 + 1,
                id,
                at,
                who,
                what,
                request,
                changes,
                by_hand: false,
                digest: None,
            })
            .await
            .unwrap();
    }
    drop(store);
    let path = folder.path().to_owned();
    let registry = Registry::start_with(|settings| settings.store = StoreSettings::Embedded { path }).await;
    let history = all(&registry, &format!("/regions/{region}/history"), 10).await;
    assert_eq!(of(&history[1], &region)["fields"], json!({ "name": { "new": "S" } }));
    assert_eq!(history[1]["relations"][0]["action"], "removed");
    assert_eq!(
        of(&history[2], &region),
        &json!({ "action": "deleted", "kind": "Region", "uid": region, "fields": {} })
    );
    assert_eq!(history[2]["request"], "");
}
