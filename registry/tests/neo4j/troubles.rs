//! What goes wrong is told in words that help, within a bounded time, and leaves nothing behind.

use crate::{
    commits::entry,
    store::{Cypher, TestStore, neo4j_settings},
};
use registry::{
    graph::change::{ChangeSet, Deleted, Note},
    store::{CommitError, Store, StoreError, neo4j::Neo4j},
};
use schema::{Kind, Schema};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

pub fn store(change: impl FnOnce(&mut registry::store::neo4j::Neo4jSettings)) -> Neo4j {
    let mut settings = neo4j_settings();
    change(&mut settings);
    Neo4j::new(Schema::get(), &settings, 10).unwrap()
}

pub fn note(n: u64) -> ChangeSet {
    let notes = vec![Note { key: "a".to_owned(), value: Some(json!(n)) }];
    ChangeSet { notes, ..ChangeSet::default() }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_says_nothing_costs_a_bounded_time() {
    let nobody = store(|settings| settings.url = "bolt://127.0.0.1:1".to_owned());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = store(|settings| settings.url = format!("bolt://{}", silent.local_addr().unwrap()));
    for store in [nobody, silent] {
        let began = Instant::now();
        let error = store.load().await.unwrap_err();
        assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
        let error = store.commit(entry(1, note(1))).await.unwrap_err();
        assert!(matches!(error, CommitError::Store(StoreError::Unreachable(_))), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let _test = TestStore::neo4j().await;
    let database = store(|settings| settings.database = "nowhere".to_owned());
    let error = database.head().await.unwrap_err();
    assert!(matches!(error, StoreError::Misconfigured(_)), "{error:?}");
    assert!(error.to_string().contains("has no database 'nowhere'"), "{error}");
    let password = store(|settings| settings.password = Some("wrong-and-secret".into()));
    let first = password.head().await.unwrap_err();
    assert!(matches!(first, StoreError::Misconfigured(_)), "{first:?}");
    assert!(first.to_string().contains("refuses the user 'neo4j'"), "{first}");
    assert!(!format!("{first:?} {first}").contains("wrong-and-secret"));
    // three refusals lock the user for everybody: it is not asked again at once
    for _ in 0..5 {
        assert!(password.head().await.is_err());
    }
    store(|_| {}).head().await.unwrap();
}

#[tokio::test]
async fn the_log_keeps_as_many_entries_as_it_should_and_a_commit_is_found_by_its_name() {
    let _test = TestStore::neo4j().await;
    let store = store(|_| {});
    store.load().await.unwrap();
    for revision in 1..=25 {
        store.commit(entry(revision, note(revision))).await.unwrap();
    }
    let head = store.head().await.unwrap();
    assert_eq!((head.revision, head.oldest), (25, 16));
    // those before go beside the commits
    let kept = async || {
        let entries = store.log_after(0, 100).await.unwrap();
        entries.iter().map(|entry| entry.revision).eq(16..=25)
    };
    let gone = async {
        while !kept().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    assert!(store.settle(25, "commit-25").await.unwrap());
    assert!(!store.settle(25, "another").await.unwrap());
    assert!(!store.settle(26, "commit-26").await.unwrap());
}

#[tokio::test]
async fn a_change_of_what_is_not_there_is_refused_whole() {
    let _test = TestStore::neo4j().await;
    let store = store(|_| {});
    store.load().await.unwrap();
    let mut changes = note(7);
    let uid = "0000000000000000000000000000dead".parse().unwrap();
    changes.deleted = vec![Deleted { uid, kind: Kind::Project, was: None }];
    let refused = store.commit(entry(1, changes)).await.unwrap_err();
    assert!(matches!(refused, CommitError::Edited), "{refused:?}");
    assert_eq!(store.head().await.unwrap().revision, 0);
    let left = Cypher::new().column("MATCH (n) WHERE n:FedRegLog OR n:FedRegNote RETURN count(n) AS n").await;
    assert_eq!(left, [json!({ "n": 0 })]);
    store.commit(entry(1, note(1))).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_any_more_leaves_no_lock() {
    let _test = TestStore::neo4j().await;
    let store = store(|_| {});
    store.load().await.unwrap();
    for revision in 1..=8 {
        let pause = Duration::from_millis(revision);
        let cut = tokio::time::timeout(pause, store.commit(entry(revision, note(revision)))).await;
        if !matches!(cut, Ok(Ok(()))) && !store.settle(revision, &format!("commit-{revision}")).await.unwrap()
        {
            let again = store.commit(entry(revision, note(revision))).await;
            assert!(matches!(again, Ok(()) | Err(CommitError::Moved { .. })), "{again:?}");
        }
    }
    assert_eq!(store.head().await.unwrap().revision, 8);
}

#[tokio::test]
async fn a_database_that_was_wiped_is_not_begun_anew_by_a_running_registry() {
    let _test = TestStore::neo4j().await;
    let store = store(|_| {});
    store.load().await.unwrap();
    store.commit(entry(1, note(1))).await.unwrap();
    Cypher::new().run("MATCH (n) DETACH DELETE n").await;
    assert_eq!(store.head().await.unwrap().epoch, "");
    assert!(matches!(store.load().await, Err(StoreError::Wiped)));
    assert!(matches!(store.commit(entry(2, note(2))).await, Err(CommitError::Moved { found: 0, .. })));
}
