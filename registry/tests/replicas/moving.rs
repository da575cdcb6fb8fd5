//! Whole graphs go into files and other stores, and come back as they were.

use crate::world::{alone, documents, edited, embedded, note, put};
use registry::{
    federation::Snapshot,
    graph::change::Note,
    progress::Progress,
    store::{Contents, Store},
    transfer::{self, TransferError, lines},
};
use schema::Schema;
use serde_json::json;
use std::sync::Arc;

/// A store with some history: nodes that came and went, notes, a note that was the last change.
async fn filled() -> (Arc<dyn Store>, tempfile::TempDir) {
    let (store, folder) = embedded(1000);
    let federation = alone(Arc::clone(&store), 1).await;
    let documents = documents();
    for (n, json) in documents.iter().enumerate() {
        let value = Some(json!({ "at": n, "text": "ünï\n\"cödé\"" }));
        let note = Note { key: format!("runs/{n}"), value };
        put(&federation, json.clone(), false, Some(note)).await.unwrap();
        put(&federation, edited(json, 5), false, None).await.unwrap();
    }
    put(&federation, documents[0].clone(), true, None).await.unwrap();
    put(&federation, documents[0].clone(), false, None).await.unwrap();
    note(&federation, "last").await.unwrap();
    (store, folder)
}

fn snapshot(contents: &Contents) -> Snapshot {
    Snapshot::of(Schema::get(), contents.loaded.clone(), 0).unwrap()
}

fn written(contents: &Contents) -> String {
    let mut out = Vec::new();
    lines::write(&mut out, &snapshot(contents), &contents.log, &Progress::new("test", 0)).unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn what_is_exported_comes_back_equal_also_by_another_store() {
    let (store, _folder) = filled().await;
    let contents = transfer::take(&*store, true).await.unwrap();
    assert!(contents.log.len() > 5 && contents.loaded.changed.revision < contents.loaded.revision);
    let text = written(&contents);
    let read = lines::read(text.as_bytes(), Schema::get()).unwrap();
    assert_eq!(transfer::difference(&snapshot(&contents), &snapshot(&read)), None);
    assert_eq!(read.log, contents.log);
    let (target, _target_folder) = embedded(1000);
    let arrived = transfer::put(Schema::get(), &*target, read, false).await.unwrap();
    assert_eq!(transfer::difference(&snapshot(&contents), &arrived), None);
    // the registry goes on there as if nothing had happened
    let (old, new) = (alone(store, 1).await, alone(target, 2).await);
    assert_eq!(old.snapshot().state(), new.snapshot().state(), "ETags stay good");
    put(&new, documents().remove(1), true, None).await.unwrap();
    assert_eq!(new.snapshot().revision, old.snapshot().revision + 1);
    // without the log all is there but the history
    let bare = transfer::take(&*embedded(10).0, false).await.unwrap();
    assert!(bare.is_empty());
}

#[tokio::test]
async fn a_target_with_something_in_it_is_only_overwritten_when_told_so() {
    let ((store, _folder), (target, _target_folder)) = (filled().await, filled().await);
    let mut contents = transfer::take(&*store, false).await.unwrap();
    transfer::new_life(&mut contents.loaded);
    let before = transfer::take(&*target, true).await.unwrap();
    let refused = transfer::put(Schema::get(), &*target, contents.clone(), false).await;
    let Err(error @ TransferError::NotEmpty { .. }) = refused else { panic!("{:?}", refused.err()) };
    assert!(error.to_string().contains("--replace"), "{error}");
    let after = transfer::take(&*target, true).await.unwrap();
    assert_eq!(transfer::difference(&snapshot(&before), &snapshot(&after)), None, "nothing was touched");
    let arrived = transfer::put(Schema::get(), &*target, contents.clone(), true).await.unwrap();
    assert_eq!(arrived.epoch, contents.loaded.epoch.into());
    assert!(transfer::take(&*target, true).await.unwrap().log.is_empty(), "the old history is gone too");
}

#[tokio::test]
async fn a_file_that_is_not_whole_or_was_changed_is_no_backup() {
    let (store, _folder) = filled().await;
    let text = written(&transfer::take(&*store, true).await.unwrap());
    let fault = |text: &str| match lines::read(text.as_bytes(), Schema::get()) {
        Ok(_) => panic!("taken for a whole one"),
        Err(error) => error.to_string(),
    };
    for cut in (0..text.len() - 1).step_by(text.len() / 40).filter(|cut| text.is_char_boundary(*cut)) {
        let message = fault(&text[..cut]);
        assert!(message.contains("ends too early") || message.contains("no header"), "{cut}: {message}");
    }
    let all: Vec<&str> = text.lines().collect();
    let without = |line: usize| [&all[..line], &all[line + 1..]].concat().join("\n");
    let relation = all.iter().position(|line| line.starts_with("{\"relation\"")).unwrap();
    assert!(fault(&without(relation)).contains("while its end says"));
    assert!(fault(&without(0)).contains("no export"));
    let node = all.iter().position(|line| line.contains("\"kind\":\"Provider\"")).unwrap();
    let edited = text.replacen("\"type\":\"openstack\"", "\"type\":\"kubernetes\"", 1);
    assert!(edited == text || fault(&edited).contains("while its end says"));
    assert!(fault(&without(node)).contains("not in this revision"));
    let strange = text.replacen("{\"note\":", "{\"nothing\":", 1);
    assert!(fault(&strange).contains("'nothing' is nothing that this version knows"));
    assert!(fault(&text.replacen("\"format\":1", "\"format\":9", 1)).contains("format 9"));
    assert!(fault("").contains("no header") && fault("PK\u{3}\u{4}").contains("no header"));
}

#[tokio::test]
async fn a_source_that_is_written_to_meanwhile_is_told() {
    let (store, _folder) = filled().await;
    let moving = crate::flaky::Flaky::new(Arc::clone(&store), 1);
    let federation = alone(store, 9).await;
    let write = async {
        let loads = async || moving.loads.load(std::sync::atomic::Ordering::Relaxed) > 0;
        crate::world::until("loading", std::time::Duration::from_secs(5), loads).await;
        note(&federation, "meanwhile").await.unwrap();
        moving.set(crate::flaky::Mode::Well);
    };
    moving.pause_after_load();
    let (taken, ()) = tokio::join!(transfer::take(&*moving, false), write);
    assert!(matches!(taken, Err(TransferError::Moved)));
}
