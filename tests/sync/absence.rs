//! After each complete read the graph is the cloud; after each failed one its scope is as it was.

use crate::world::{
    self, Failure, LISTS, PROJECTS, REGIONS, Sharing, Step, complete, history, reading, usable, uuid,
};
use feeder::merge::merge;
use proptest::prelude::*;
use registry::{
    federation::{Author, Federation},
    graph::{Graph, uid::Uid},
    store::embedded::Embedded,
    sync::{
        freshness::Freshness,
        provider::{Impossible, Sent, reconcile},
    },
};
use schema::{
    Kind, Schema, Value, document,
    feeding::{Done, Outcome},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What one project sees in one region: of each list the ids, and each quota.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sight {
    things: [BTreeSet<String>; 3],
    quotas: BTreeMap<(String, bool), i64>,
}

fn text(graph: &Graph, id: u32, name: &str) -> String {
    graph.value(id, name).as_str().unwrap_or_default().to_owned()
}

fn sight(graph: &Graph, provider: u32, r: usize, p: usize) -> Sight {
    let mut sight = Sight::default();
    let own = |name: &str, id: u32, wanted: String| text(graph, id, name) == wanted;
    let project = graph.neighbours(provider, "projects").find(|id| own("uuid", *id, format!("p{p}")));
    let region = graph.neighbours(provider, "regions").find(|id| own("name", *id, format!("R{r}")));
    let (Some(project), Some(region)) = (project, region) else { return sight };
    for service in graph.neighbours(region, "services") {
        for (place, (list, _)) in LISTS.iter().enumerate() {
            for thing in graph.neighbours(service, list) {
                if graph.record(thing).shared || graph.neighbours(thing, "projects").any(|id| id == project) {
                    sight.things[place].insert(text(graph, thing, "uuid"));
                }
            }
        }
        for quota in
            graph.neighbours(service, "quotas").filter(|id| graph.neighbour(*id, "project") == Some(project))
        {
            let usage = *graph.value(quota, "usage") == Value::Bool(true);
            let number = ["cores", "ports"].iter().find_map(|name| match graph.value(quota, name) {
                Value::Int(n) => Some(*n),
                _ => None,
            });
            let before = sight.quotas.insert((text(graph, service, "type"), usage), number.unwrap());
            assert_eq!(before, None, "one quota of each use");
        }
    }
    sight
}

fn uids(graph: &Graph, provider: u32) -> BTreeMap<String, Uid> {
    let mut uids = BTreeMap::new();
    for region in graph.neighbours(provider, "regions") {
        for service in graph.neighbours(region, "services") {
            for (list, _) in LISTS {
                uids.extend(
                    graph.neighbours(service, list).map(|id| (text(graph, id, "uuid"), graph.record(id).uid)),
                );
            }
        }
    }
    uids
}

async fn send(federation: &Arc<Federation>, step: &Step, minute: usize) -> Done {
    let provider = world::provider();
    let (cloud, failures) = step;
    let places = (0..REGIONS).flat_map(|r| (0..PROJECTS).map(move |p| (r, p)));
    let readings: Vec<_> =
        places.zip(failures).map(|((r, p), failure)| reading(cloud, r, p, failure)).collect();
    let merged = merge(&provider, &readings);
    let unread = merged.unread.iter().map(|unread| unread.project.clone()).collect::<Vec<_>>();
    let sent: Sent = serde_json::from_value(json!({
        "document": merged.document,
        "read": { "at": format!("2026-01-01T00:{minute:02}:00Z"), "unread": merged.unread },
        "removal_limit": 1.0,
    }))
    .unwrap();
    let author = Author { who: "test".to_owned(), what: "send".to_owned(), request: String::new() };
    let written = federation.write(author, move |snapshot, fresh| {
        let graph = &snapshot.graph;
        let stored = graph.all(Kind::Provider).iter().flat_map(|id| graph.neighbours(id, "projects"));
        let stored: Vec<_> = stored.map(|id| text(graph, id, "uuid")).collect();
        let strict = document::Reading::default();
        let document = document::partial(graph.schema, &sent.document, strict, &stored, &unread).unwrap();
        reconcile(snapshot, &sent, document, fresh)
    });
    written
        .await
        .map_err(|error: registry::federation::WriteError<Impossible>| error.to_string())
        .unwrap()
        .value
}

async fn check(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(Schema::get(), folder.path(), 100).unwrap();
    let federation =
        Federation::open(Schema::get(), Arc::new(store), chrono::Utc::now, [7; 32], 0).await.unwrap();
    let federation = Arc::new(federation);
    let mut before: Vec<Sight> = vec![Sight::default(); REGIONS * PROJECTS];
    let mut shared_before: BTreeSet<String> = BTreeSet::new();
    for (minute, step) in steps.iter().enumerate() {
        let (cloud, failures) = step;
        let old = federation.snapshot();
        send(&federation, step, minute).await;
        let snapshot = federation.snapshot();
        let graph = &snapshot.graph;
        assert!(graph.indices_hold());
        let provider = graph.all(Kind::Provider).iter().next().unwrap();

        // what stays keeps its uid
        if let Some(old_provider) = old.graph.all(Kind::Provider).iter().next() {
            let now = uids(graph, provider);
            for (thing, uid) in uids(&old.graph, old_provider) {
                assert!(now.get(&thing).is_none_or(|now| *now == uid), "{thing} has another uid");
            }
        }
        let something = failures.iter().any(|failure| match failure {
            Failure::Nothing => false,
            Failure::Lists(fail) => *fail != [false; 4],
            _ => true,
        });
        let fresh = Freshness::of(&snapshot.notes, graph.record(provider).uid);
        let limited = text(graph, provider, "status") == "limited";
        if !something {
            assert!(!limited && fresh.is_none_or(|fresh| fresh.stale.is_empty()), "all was read");
        }

        let mut shared = BTreeSet::new();
        for (place, failure) in failures.iter().enumerate() {
            let (r, p) = (place / PROJECTS, place % PROJECTS);
            let (region, now) = (&cloud[r], sight(graph, provider, r, p));
            for (list, (_, service)) in LISTS.iter().enumerate() {
                let there = region.services[*service];
                let in_cloud =
                    region.lists[list].iter().filter(|(_, sharing)| there && **sharing == Sharing::Shared);
                shared.extend(in_cloud.map(|(thing, _)| uuid(list, r, *thing)));
                let (now, was) = (&now.things[list], &before[place].things[list]);
                if complete(failure, list) {
                    assert_eq!(
                        *now,
                        usable(region, r, p, list),
                        "step {minute}, region {r}, project {p}: complete"
                    );
                } else if there || *failure != Failure::Lists([true; 4]) {
                    // a service that the catalog says is gone is known to be gone, whatever its lists would say
                    let known_gone = matches!(failure, Failure::Lists(_)) && !there;
                    if known_gone {
                        assert_eq!(
                            *now,
                            BTreeSet::new(),
                            "step {minute}, region {r}, project {p}: no such service"
                        );
                        continue;
                    }
                    assert!(
                        now.is_superset(was),
                        "step {minute}, region {r}, project {p} lost of {was:?}: {now:?}"
                    );
                    for thing in now.difference(was) {
                        let told = shared.contains(thing) || shared_before.contains(thing);
                        assert!(told, "step {minute}, region {r}, project {p}: {thing} from nowhere");
                    }
                }
            }
            if complete(failure, 3) {
                let types = ["compute", "network"].iter().zip(region.services).filter(|(_, there)| *there);
                let wanted: BTreeMap<_, _> = types
                    .flat_map(|(ty, _)| {
                        [false, true].map(|usage| ((String::from(*ty), usage), region.cores[p]))
                    })
                    .collect();
                assert_eq!(now.quotas, wanted, "step {minute}, region {r}, project {p}: quotas");
            } else {
                let gone = |ty: &str| {
                    let place = usize::from(ty == "network");
                    matches!(failure, Failure::Lists(_)) && !region.services[place]
                };
                let wanted: BTreeMap<_, _> =
                    before[place].quotas.clone().into_iter().filter(|((ty, _), _)| !gone(ty)).collect();
                assert_eq!(now.quotas, wanted, "step {minute}, region {r}, project {p}: quotas stay");
            }
            before[place] = now;
        }
        shared_before.extend(shared);

        let revision = snapshot.revision;
        let again = send(&federation, step, minute).await;
        assert_eq!(again.outcome, Outcome::NotModified, "{:?}", again.changes);
        assert_eq!(federation.snapshot().revision, revision, "once more changes nothing");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn complete_reads_are_the_cloud_and_failed_ones_change_nothing(steps in history()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(steps));
    }
}
