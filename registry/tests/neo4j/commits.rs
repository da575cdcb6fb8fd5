//! Change sets become transactions, and are read back.

use crate::store::{Cypher, TestStore};
use rand::{Rng, SeedableRng, rngs::StdRng};
use registry::{
    graph::{
        Graph,
        change::{ChangeSet, Note},
        plan,
        uid::Uid,
    },
    store::{CommitError, Entry, Store},
};
use schema::{Kind, Schema, document};
use serde_json::{Value as Json, json};
use simulator::Params;
use std::sync::Arc;

pub fn entry(revision: u64, changes: ChangeSet) -> Entry {
    Entry {
        revision,
        id: format!("commit-{revision}"),
        at: "2026-05-06T07:08:09.123456Z".parse().unwrap(),
        who: "https://issuer.example.org/ somebody".to_owned(),
        what: "PUT /providers/x".to_owned(),
        request: "request".to_owned(),
        changes,
        by_hand: false,
        digest: None,
    }
}

fn read(json: &Json) -> document::Item {
    document::provider(Schema::get(), json, document::Reading::default(), &[]).unwrap()
}

async fn loaded(store: &Arc<dyn Store>) -> Graph {
    let loaded = store.load().await.unwrap();
    assert_eq!(loaded.faults, [""; 0]);
    Graph::build(Schema::get(), loaded.nodes, loaded.links).unwrap()
}

/// Uids in the order of lists.
fn order(graph: &Graph) -> Vec<Uid> {
    graph.iter().map(|id| graph.record(id).uid).collect()
}

#[tokio::test]
async fn what_is_committed_is_loaded_in_the_same_order() {
    let test = TestStore::neo4j().await;
    let store = test.open();
    assert_eq!(store.load().await.unwrap().revision, 0);
    let mut random = StdRng::seed_from_u64(5);
    let mut uids = StdRng::seed_from_u64(6);
    let documents: Vec<Json> = simulator::documents(3, &Params::tiny()).collect();
    let mut graph = Graph::empty(Schema::get());
    let mut history = Vec::new();
    for revision in 1..40_u64 {
        let json = simulator::edit(&documents[random.random_range(0..documents.len())], &mut random);
        let item = read(&json);
        let same = |id: &u32| graph.value(*id, "name").as_str() == json["name"].as_str();
        let provider = graph.all(Kind::Provider).iter().find(same);
        let mut fresh = || Uid::random(&mut uids);
        let mut changes = match provider {
            Some(id) if random.random_bool(0.2) => plan::delete(&graph, id),
            Some(id) => plan::replace(&graph, id, &item, &mut fresh).unwrap(),
            None => plan::create(&graph, &item, &mut fresh).unwrap().1,
        };
        let key = format!("runs/{}", random.random_range(0..5));
        let value = random.random_bool(0.7).then(|| json!({ "at": revision, "text": "x".repeat(9_000) }));
        changes.notes = vec![Note { key, value }];
        graph = graph.apply(&changes).unwrap();
        store.commit(entry(revision, changes.clone())).await.unwrap();
        history.push(entry(revision, changes));
        if revision % 10 == 9 {
            let found = loaded(&store).await;
            assert!(found.export() == graph.export(), "revision {revision}");
            assert_eq!(order(&found), order(&graph), "revision {revision}");
        }
    }
    assert_eq!(store.log_after(0, 1_000).await.unwrap(), history);
    assert_eq!(store.log_after(30, 2).await.unwrap(), history[30..32]);
    let packed = Cypher::new()
        .column("MATCH (l:FedRegLog) WHERE NOT l.entry STARTS WITH '{' RETURN count(l) AS n")
        .await;
    let packed = packed[0]["n"].as_u64().unwrap();
    assert!((5..39).contains(&packed), "long ones are packed, short ones not: {packed}");
    for uid in history.iter().flat_map(|entry| entry.changes.uids()).step_by(97) {
        let about: Vec<_> = history.iter().filter(|entry| entry.changes.is_about(uid)).cloned().collect();
        assert_eq!(store.log_about(uid, 0, 100).await.unwrap(), about);
    }
    let head = store.head().await.unwrap();
    assert_eq!((head.revision, head.oldest), (39, 1));
    let at_last = store.load().await.unwrap();
    assert_eq!((at_last.epoch.as_str(), at_last.changed.revision), (head.epoch.as_str(), 39));
    assert!(at_last.notes.iter().all(|note| note.value.is_some()) && !at_last.notes.is_empty());
}

#[tokio::test]
async fn of_two_that_commit_the_same_revision_one_is_told_that_it_lost() {
    let test = TestStore::neo4j().await;
    let (one, other) = (test.open(), test.open());
    one.load().await.unwrap();
    other.load().await.unwrap();
    let note = |n: u32| ChangeSet {
        notes: vec![Note { key: format!("lease/{n}"), value: Some(json!(n)) }],
        ..ChangeSet::default()
    };
    let mut won = [0, 0];
    for revision in 1..30 {
        let (a, b) =
            tokio::join!(one.commit(entry(revision, note(1))), other.commit(entry(revision, note(2))));
        match (a, b) {
            (Ok(()), Err(CommitError::Moved { expected, found })) => {
                won[0] += 1;
                assert_eq!((expected, found), (revision - 1, revision));
            }
            (Err(CommitError::Moved { .. }), Ok(())) => won[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won.iter().sum::<u32>(), 29);
    let count = Cypher::new().column("MATCH (l:FedRegLog) RETURN count(l) AS n").await;
    assert_eq!(count, [json!({ "n": 29 })]);
}
