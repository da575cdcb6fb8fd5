//! The store fails in every way: reads go on, writes are refused soon and in so many words, and what is told is true.

use crate::{
    flaky::{Flaky, Mode},
    world::{Replica, documents, embedded, note, put, replica, timed, until},
};
use chrono::DateTime;
use registry::{
    federation::WriteError,
    graph::change::{ChangeSet, Note},
    store::{Entry, Store, StoreError},
};
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// A second of what is promised, as a machine that builds and tests beside it keeps it.
const SECOND: Duration = Duration::from_secs(3);

async fn flaky() -> (Arc<Flaky>, Arc<dyn Store>, tempfile::TempDir, Replica) {
    let (store, folder) = embedded(1000);
    let flaky = Flaky::new(Arc::clone(&store), 1);
    let one = replica(Arc::clone(&flaky) as Arc<dyn Store>, 1).await;
    put(&one.federation, documents().remove(0), false, None).await.unwrap();
    (flaky, store, folder, one)
}

async fn troubled(replica: &Replica, so: bool) -> Duration {
    until("known", SECOND * 2, async || replica.federation.standing().trouble.is_some() == so).await
}

#[tokio::test]
async fn while_the_store_is_gone_reads_go_on_and_writes_are_refused_at_once() {
    let (flaky, _store, _folder, one) = flaky().await;
    let nodes = one.federation.snapshot().graph.len();
    flaky.set(Mode::Gone);
    let (first, took) = timed(note(&one.federation, "a")).await;
    assert!(first.is_err() && took < SECOND);
    troubled(&one, true).await;
    for _ in 0..100 {
        let (refused, took) = timed(note(&one.federation, "a")).await;
        assert!(matches!(refused, Err(WriteError::ReadOnly(_))) && took < SECOND / 10);
        assert_eq!(one.federation.snapshot().graph.len(), nodes);
    }
    flaky.set(Mode::Well);
    let took = troubled(&one, false).await;
    assert!(took < SECOND, "back after {took:?}");
    note(&one.federation, "a").await.unwrap();
}

#[tokio::test]
async fn a_store_that_hangs_costs_a_bounded_time_and_what_was_sent_is_found_out() {
    let (flaky, store, _folder, one) = flaky().await;
    let before = one.federation.snapshot().revision;
    flaky.set(Mode::Hung);
    let (sent, took) = timed(note(&one.federation, "sent")).await;
    assert!(matches!(sent, Err(WriteError::Unknown)), "whether it lands is not known");
    assert!(took < SECOND * 2, "answered after {took:?}");
    let (refused, took) = timed(note(&one.federation, "next")).await;
    assert!(matches!(refused, Err(WriteError::ReadOnly(_))) && took < SECOND / 10);
    assert_eq!(one.federation.snapshot().revision, before, "reads go on");
    flaky.set(Mode::Well);
    troubled(&one, false).await;
    let again = async || note(&one.federation, "again").await.is_ok();
    until("it can be written again", SECOND * 2, again).await;
    // what was sent arrived before it was asked for, or never
    let landed = u64::from(one.federation.snapshot().notes.get("sent").is_some());
    assert_eq!(store.head().await.unwrap().revision, before + landed + 1);
    assert_eq!(one.federation.snapshot().revision, before + landed + 1);
}

#[tokio::test]
async fn a_lost_answer_is_settled_before_its_client_and_the_next_write_are_answered() {
    let (flaky, store, _folder, one) = flaky().await;
    let before = one.federation.snapshot().revision;
    flaky.set(Mode::LosesAnswers);
    let written = note(&one.federation, "done").await.unwrap();
    assert_eq!(written.snapshot.revision, before + 1, "it took place, and its client is told so");
    assert!(one.federation.snapshot().notes.get("done").is_some());
    assert_eq!(flaky.settles.load(Ordering::Relaxed), 1);
    flaky.set(Mode::LosesCommits);
    let (busy, took) = timed(note(&one.federation, "lost")).await;
    assert!(matches!(busy, Err(WriteError::Busy(_))), "tried again and again, and then given up");
    assert!(took < SECOND * 12, "{took:?}");
    assert!(one.federation.snapshot().notes.get("lost").is_none());
    flaky.set(Mode::Well);
    note(&one.federation, "next").await.unwrap();
    assert_eq!(store.head().await.unwrap().revision, before + 2, "nothing is there twice");
}

#[tokio::test]
async fn an_outcome_that_cannot_be_found_out_is_told_and_found_out_before_the_next_write() {
    let (flaky, store, _folder, one) = flaky().await;
    let before = one.federation.snapshot().revision;
    // the answer gets lost, and then the store is gone before anybody could ask
    flaky.set(Mode::LosesAnswers);
    let federation = Arc::clone(&one.federation);
    let settles = flaky.settles.load(Ordering::Relaxed);
    flaky.lose_next_settle();
    let written = tokio::spawn(async move { note(&federation, "sent").await.map(|_| ()) });
    assert!(matches!(written.await.unwrap(), Err(WriteError::Unknown)));
    assert_eq!(flaky.settles.load(Ordering::Relaxed), settles + 1);
    flaky.set(Mode::Well);
    // its own effect is in the graph from which the next one is computed
    let next = one.federation.write(crate::world::author("next"), |snapshot, _| {
        assert!(snapshot.notes.get("sent").is_some());
        Err::<((), registry::graph::change::ChangeSet), _>("seen")
    });
    assert!(matches!(next.await, Err(WriteError::Refused("seen"))));
    assert_eq!(store.head().await.unwrap().revision, before + 1);
}

#[tokio::test]
async fn deadlocks_are_tried_again_within_bounds() {
    let (flaky, _store, _folder, one) = flaky().await;
    flaky.set(Mode::Deadlocks);
    let federation = Arc::clone(&one.federation);
    let write = tokio::spawn(async move { note(&federation, "a").await.map(|_| ()) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    flaky.set(Mode::Well);
    write.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_damaged_store_is_refused_at_the_start() {
    let (store, _folder) = embedded(10);
    let gone = Flaky::new(store, 1);
    gone.set(Mode::Gone);
    let opened = registry::federation::Federation::open(
        schema::Schema::get(),
        gone as Arc<dyn Store>,
        chrono::Utc::now,
        [0; 32],
        0,
    );
    let Err(error) = opened.await else { panic!("opened") };
    assert!(error.passes(), "{error}");
    assert!(!registry::federation::OpenError::from(StoreError::Incomplete).passes());
}

#[tokio::test]
async fn what_became_of_a_commit_is_not_said_before_its_end() {
    let (store, _folder) = embedded(1000);
    let entry = |revision, id: &str| Entry {
        revision,
        id: id.to_owned(),
        at: DateTime::UNIX_EPOCH,
        who: String::new(),
        what: String::new(),
        request: String::new(),
        changes: ChangeSet {
            notes: vec![Note { key: id.to_owned(), value: Some(json!(revision)) }],
            ..ChangeSet::default()
        },
        by_hand: false,
        digest: None,
    };
    for _ in 0..20 {
        let revision = store.head().await.unwrap().revision + 1;
        let mut commit = store.commit(entry(revision, "first"));
        assert!(futures::poll!(&mut commit).is_pending());
        // nobody waits for it any more
        drop(commit);
        let landed = store.settle(revision, "first").await.unwrap();
        let other = store.commit(entry(revision, "second")).await;
        assert_eq!(other.is_err(), landed, "revision {revision}: {other:?}");
    }
}
