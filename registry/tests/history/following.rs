//! `GET /changes` with `Accept: text/event-stream`.

use super::{
    common::{Registry, read, store::TestStore},
    world::{filled, small, uid},
};
use registry::{
    federation::Author,
    graph::change::{ChangeSet, Note},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value as Json, json};
use simulator::Subject;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// A reader of server-sent events.
struct Events {
    response: Response,
    text: String,
}

/// One block of lines: an event, or a comment, which has no name.
type Block = BTreeMap<String, String>;

impl Events {
    async fn open(registry: &Registry, path: &str, last: Option<u64>) -> Self {
        let request = registry.request(Method::GET, path, Some(&registry.admin));
        let request = request.header("accept", "text/event-stream").header("accept-encoding", "gzip");
        let request = last.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert!(!response.headers().contains_key("content-encoding"), "nothing that collects what is sent");
        let mut events = Self { response, text: String::new() };
        let first = events.block().await.unwrap();
        assert_eq!(first["retry"], "2000");
        events
    }

    /// The next block; none at the end.
    async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let lines = block.lines().filter_map(|line| line.split_once(':'));
                let lines =
                    lines.map(|(name, value)| (name.to_owned(), value.trim_start().to_owned())).collect();
                let rest = rest.to_owned();
                self.text = rest;
                return Some(lines);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("nothing came for 20 seconds")).unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next change, comments left out, and the id that came with it.
    async fn change(&mut self) -> Option<(u64, Json)> {
        loop {
            let block = self.block().await?;
            assert!(!block.contains_key("event"), "{block:?}");
            if let Some(data) = block.get("data") {
                return Some((block["id"].parse().unwrap(), serde_json::from_str(data).unwrap()));
            }
        }
    }
}

async fn describe(registry: &Registry, provider: &str, description: &str) {
    let body = json!({ "description": description });
    assert_eq!(registry.patch(&format!("/providers/{provider}"), &body).await.0, StatusCode::OK);
}

fn description(change: &Json) -> &Json {
    &change["nodes"][0]["fields"]["description"]["new"]
}

#[tokio::test]
async fn changes_come_as_they_happen_and_a_stream_goes_on_where_it_broke_off() {
    let registry = filled().await;
    let provider = uid(&registry.list("/providers").await[0]);
    let mut events = Events::open(&registry, "/changes", None).await;
    for n in 0..3_u64 {
        let began = Instant::now();
        describe(&registry, &provider, &n.to_string()).await;
        let (id, change) = events.change().await.unwrap();
        assert_eq!((id, description(&change)), (3 + n, &json!(n.to_string())));
        assert!(began.elapsed() < Duration::from_secs(2), "at once: {:?}", began.elapsed());
    }
    let pages = registry.admin_get("/changes").await;
    drop(events);
    describe(&registry, &provider, "meanwhile").await;
    // the same URL as before, as a browser does it: the last event goes before `after`
    let mut events = Events::open(&registry, "/changes?after=0", Some(4)).await;
    let (id, change) = events.change().await.unwrap();
    assert_eq!((id, &change), (5, &pages["changes"][4]), "an event says what a page says");
    assert_eq!(events.change().await.unwrap().0, 6);
    let mut events = Events::open(&registry, "/changes?after=0", None).await;
    for expected in 1..=6 {
        assert_eq!(events.change().await.unwrap().0, expected);
    }
    let ask = |last: &'static str| {
        let request = registry.request(Method::GET, "/changes", Some(&registry.admin));
        request.header("accept", "text/event-stream").header("last-event-id", last).send()
    };
    assert_eq!(ask("x").await.unwrap().status(), 422);
    let (status, body) = read(ask("99").await.unwrap()).await;
    assert_eq!((status, &body["last"]), (StatusCode::GONE, &json!(6)));
}

#[tokio::test]
async fn a_quiet_stream_shows_signs_of_life() {
    let registry = Registry::start_with(|settings| {
        settings.history.heartbeat_seconds = 1;
        settings.limits.request_seconds = 1;
    })
    .await;
    let mut events = Events::open(&registry, "/changes", None).await;
    for _ in 0..3 {
        let block = events.block().await.unwrap();
        assert!(block.keys().all(String::is_empty), "a comment: {block:?}");
    }
    // the time of a request is long over
    registry.post(&small("s", json!([]), json!([]))).await;
    assert_eq!(events.change().await.unwrap().0, 1);
}

/// What is kept beside the graph moves the revision, and is nobody's history.
#[tokio::test]
async fn notes_are_not_shown_but_their_revisions_can_be_named() {
    let registry = filled().await;
    let mut events = Events::open(&registry, "/changes", None).await;
    let note = || async {
        let author = Author { who: "w".to_owned(), what: "note".to_owned(), request: String::new() };
        let plan = |_: &registry::federation::Snapshot, _: &mut dyn FnMut() -> registry::graph::uid::Uid| {
            let note = Note { key: "runs/1".to_owned(), value: Some(json!({ "secret": "x" })) };
            Ok::<_, ()>(((), ChangeSet { notes: vec![note], ..ChangeSet::default() }))
        };
        registry.federation.write(author, plan).await.unwrap();
    };
    note().await;
    note().await;
    let block = events.block().await.unwrap();
    assert!(
        !block.contains_key("data") && block["id"].parse::<u64>().unwrap() >= 3,
        "only where to go on: {block:?}"
    );
    let provider = uid(&registry.list("/providers").await[0]);
    describe(&registry, &provider, "new").await;
    assert_eq!(events.change().await.unwrap().0, 5);
    for (after, expected) in [(0, vec![1, 2, 5]), (2, vec![5]), (3, vec![5]), (4, vec![5]), (5, vec![])] {
        let page = registry.admin_get(&format!("/changes?after={after}")).await;
        let revisions: Vec<u64> = page["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["revision"].as_u64().unwrap())
            .collect();
        assert_eq!((revisions, &page["next"]), (expected, &json!(5)));
        assert!(!page.to_string().contains("runs/1"));
    }
    note().await;
    let page = registry.admin_get("/changes?after=5").await;
    assert_eq!((&page["changes"], &page["next"], &page["last"]), (&json!([]), &json!(6), &json!(6)));
}

#[tokio::test]
async fn a_stream_ends_when_the_registry_stops() {
    let registry = filled().await;
    let mut events = Events::open(&registry, "/changes", None).await;
    let mut idle = Events::open(&registry, "/changes?after=0", None).await;
    let began = Instant::now();
    registry.stop.cancel();
    assert_eq!(events.change().await, None);
    while idle.block().await.is_some() {}
    registry.running.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waited for the streams: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_stream_ends_with_the_token_that_began_it() {
    let mut registry = filled().await;
    registry.admin = registry.issuer.token(&Subject::new("admin").groups(["admins"]).ttl(3)).unwrap();
    let began = Instant::now();
    let mut events = Events::open(&registry, "/changes", None).await;
    assert_eq!(events.change().await, None);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test]
async fn places_are_bounded_and_free_again_when_a_reader_goes() {
    let registry = Registry::start_with(|settings| settings.history.followers = 2).await;
    let first = Events::open(&registry, "/changes", None).await;
    let _second = Events::open(&registry, "/changes", None).await;
    let ask = || {
        let request = registry.request(Method::GET, "/changes", Some(&registry.admin));
        request.header("accept", "text/event-stream;q=0.9, */*;q=0.1").send()
    };
    let refused = ask().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(read(refused).await.1["detail"].as_str().unwrap().contains("history.followers"));
    let request = registry.request(Method::GET, "/changes", Some(&registry.admin));
    let page = request.header("accept", "application/json, text/event-stream").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK, "pages go on");
    assert_eq!(page.headers()["content-type"], "application/json", "and are for whoever takes both");
    drop(first);
    let end = Instant::now() + Duration::from_secs(20);
    while ask().await.unwrap().status() != StatusCode::OK {
        assert!(Instant::now() < end, "the place stays taken");
        tokio::task::yield_now().await;
    }
}

/// Whoever does not read holds up nobody, and nothing is collected for them: what they missed is in the log, or gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_costs_nothing_and_is_told_what_it_lost() {
    // what a store does with megabytes is not what this is about
    let registry = Registry::start_on(TestStore::embedded(), |settings| settings.history.entries = 4).await;
    let mut events = Events::open(&registry, "/changes", None).await;
    let flavors: Vec<Json> =
        (0..100).map(|n| json!({ "name": "x".repeat(5000), "uuid": n.to_string(), "ram": n })).collect();
    let document = small("s", flavors.into(), json!([]));
    // more than what fits into the sockets on the way
    for _ in 0..15 {
        let provider = registry.post(&document).await;
        registry.delete(&format!("/providers/{provider}")).await;
    }
    let (mut read, mut gone) = (Vec::new(), None);
    while let Some(block) = events.block().await {
        assert!(gone.is_none(), "it is the last");
        match block.get("event") {
            Some(event) => {
                assert_eq!(event, "gone");
                gone = Some(serde_json::from_str::<Json>(&block["data"]).unwrap());
            }
            None if block.contains_key("data") => read.push(block["id"].parse::<u64>().unwrap()),
            None => {}
        }
    }
    assert_eq!(read, (1..=read.len() as u64).collect::<Vec<_>>(), "up to there without a gap");
    assert_eq!(gone, Some(json!({ "kept_after": 26, "last": 30 })), "after {} events", read.len());
    let mut events = Events::open(&registry, "/changes?after=26", None).await;
    assert_eq!(events.change().await.unwrap().0, 27);
}
