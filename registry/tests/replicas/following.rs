//! Replicas keep up with each other, and with what happens to their store.

use crate::world::{Replica, alone, author, documents, edited, embedded, note, put, replica, until};
use registry::{
    federation::{Behind, Federation, Known},
    graph::change::ChangeSet,
    progress::Progress,
    store::{Contents, Store},
    transfer,
};
use schema::{Kind, Schema, Value};
use std::{sync::Arc, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

fn same(a: &Federation, b: &Federation) -> bool {
    transfer::difference(&a.snapshot(), &b.snapshot()).is_none()
}

#[tokio::test]
async fn what_one_writes_the_others_have_within_a_second() {
    let (store, _folder) = embedded(1000);
    let (one, two) = (replica(Arc::clone(&store), 1).await, replica(store, 2).await);
    for (n, json) in documents().into_iter().enumerate() {
        let (writer, other) = if n % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let written = put(&writer.federation, json, false, None).await.unwrap();
        let arrived = async || other.federation.snapshot().revision == written.snapshot.revision;
        until("the other follows", SECOND, arrived).await;
        assert!(same(&one.federation, &two.federation));
        assert_eq!(other.federation.snapshot().state(), written.snapshot.state(), "and calls it the same");
    }
    let before = one.federation.snapshot().state();
    note(&two.federation, "a").await.unwrap();
    until("notes too", SECOND, async || one.federation.snapshot().notes.get("a").is_some()).await;
    assert_eq!(one.federation.snapshot().state(), before, "the graph has not changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_writers_succeed_however_many_write_at_once() {
    const REPLICAS: u8 = 6;
    const WRITES: u64 = 25;
    let (store, _folder) = embedded(10_000);
    let mut replicas = Vec::new();
    for seed in 0..REPLICAS {
        replicas.push(replica(Arc::clone(&store), u64::from(seed)).await);
    }
    let json = documents().remove(0);
    put(&replicas[0].federation, json.clone(), false, None).await.unwrap();
    let writers = replicas.iter().enumerate().map(|(r, replica)| {
        let (federation, json) = (Arc::clone(&replica.federation), json.clone());
        tokio::spawn(async move {
            for n in 0..WRITES {
                let seed = u64::try_from(r).unwrap() * 1000 + n;
                let key = format!("r{r}/{n}");
                let note = registry::graph::change::Note { key, value: Some(n.into()) };
                put(&federation, edited(&json, seed), false, Some(note)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let head = store.head().await.unwrap();
    let log = store.log_after(0, 10_000).await.unwrap();
    let written = log.iter().filter(|entry| entry.what.starts_with("put ")).count();
    assert_eq!(written, 1 + usize::from(REPLICAS) * usize::try_from(WRITES).unwrap());
    println!("{written} changes in {} revisions", log.len());
    for replica in &replicas {
        let arrived = async || replica.federation.snapshot().revision == head.revision;
        until("everybody has everything", SECOND, arrived).await;
        assert!(same(&replica.federation, &replicas[0].federation));
        assert_eq!(replica.federation.snapshot().notes.under("r").count(), 150);
    }
}

#[tokio::test]
async fn a_client_that_names_a_revision_is_never_shown_an_older_one() {
    let (store, _folder) = embedded(1000);
    let (one, two) = (replica(Arc::clone(&store), 1).await, replica(store, 2).await);
    for n in 0..20 {
        let written = note(&one.federation, &n.to_string()).await.unwrap();
        let known = Known::parse(&written.snapshot.position()).unwrap();
        two.federation.at_least(&known, SECOND, true).await.unwrap();
        assert!(two.federation.snapshot().notes.get(&n.to_string()).is_some());
    }
    let epoch = one.federation.snapshot().epoch.to_string();
    let late = Known { epoch: Some(epoch), revision: 21 };
    let short = Duration::from_millis(100);
    assert_eq!(two.federation.at_least(&late, short, true).await, Err(Behind::Late));
    assert_eq!(two.federation.at_least(&late, SECOND * 60, false).await, Err(Behind::Late));
    let other = Known { epoch: Some("other".to_owned()), revision: 1 };
    assert_eq!(two.federation.at_least(&other, short, true).await, Err(Behind::OtherLife));
}

#[tokio::test]
async fn one_that_is_further_behind_than_the_log_loads_anew() {
    let (store, _folder) = embedded(5);
    let (one, two) = (alone(Arc::clone(&store), 1).await, alone(Arc::clone(&store), 2).await);
    for n in 0..20 {
        note(&one, &n.to_string()).await.unwrap();
    }
    put(&one, documents().remove(0), false, None).await.unwrap();
    // a write notices it as well as following does
    note(&two, "mine").await.unwrap();
    assert_eq!(two.snapshot().revision, 22);
    assert!(two.snapshot().notes.get("0").is_some() && two.snapshot().graph.len() > 1);
    let three = replica(store, 3).await;
    assert!(same(&three.federation, &two));
}

/// Writes into the store as somebody with another client would: past revision and log.
async fn by_hand(store: &Arc<dyn Store>, edit: impl FnOnce(&mut Contents)) {
    let mut contents = transfer::take(&**store, true).await.unwrap();
    edit(&mut contents);
    let progress = Progress::new("by hand", 0);
    store.fill(contents, Arc::new(progress)).await.unwrap();
}

fn rename(contents: &mut Contents) {
    let place = Schema::get().entity(Kind::Provider).field("description").unwrap();
    let provider = contents.loaded.nodes.iter_mut().find(|node| node.kind == Kind::Provider).unwrap();
    provider.values[place] = Value::text("edited by hand");
}

fn description(federation: &Federation) -> String {
    let graph = federation.snapshot().graph.clone();
    let provider = graph.all(Kind::Provider).first().unwrap();
    graph.value(provider, "description").as_str().unwrap_or_default().to_owned()
}

async fn edited_by_hand() -> (Arc<dyn Store>, tempfile::TempDir, Replica, Replica) {
    let (store, folder) = embedded(1000);
    let (one, two) = (replica(Arc::clone(&store), 1).await, replica(Arc::clone(&store), 2).await);
    let revision = put(&one.federation, documents().remove(0), false, None).await.unwrap().snapshot.revision;
    until("followed", SECOND, async || two.federation.snapshot().revision == revision).await;
    by_hand(&store, rename).await;
    (store, folder, one, two)
}

#[tokio::test]
async fn what_was_edited_by_hand_is_taken_in_on_request_and_others_follow() {
    let (store, _folder, one, two) = edited_by_hand().await;
    let before = one.federation.snapshot();
    let reloaded = one.federation.take_in(author("reload")).await.unwrap();
    assert_eq!((reloaded.changes, reloaded.revision), (1, before.revision + 1));
    assert_eq!(description(&one.federation), "edited by hand");
    assert_ne!(one.federation.snapshot().state(), before.state(), "an ETag does not lie");
    until("others follow", SECOND, async || description(&two.federation) == "edited by hand").await;
    assert!(same(&one.federation, &two.federation));
    let last = store.log_after(before.revision, 1).await.unwrap().remove(0);
    assert!(last.by_hand && last.changes.updated.len() == 1, "the log tells what changed");
    let again = two.federation.take_in(author("reload")).await.unwrap();
    assert_eq!((again.changes, again.revision), (0, reloaded.revision), "there is nothing more");
    let three = alone(store, 3).await;
    assert!(same(&three, &one.federation));
}

#[tokio::test]
async fn what_was_edited_by_hand_is_noticed_at_a_start_and_by_the_next_change() {
    let (store, _folder, one, _two) = edited_by_hand().await;
    let before = one.federation.snapshot();
    let three = alone(Arc::clone(&store), 3).await;
    assert_eq!(description(&three), "edited by hand");
    assert_ne!(three.snapshot().state(), before.state(), "it has a name of its own");
    until("others load it", SECOND, async || description(&one.federation) == "edited by hand").await;
    assert!(same(&one.federation, &three));
    by_hand(&store, |contents| {
        rename(contents);
        contents.loaded.nodes.retain(|node| node.kind != Kind::Location);
        let there: std::collections::BTreeSet<_> =
            contents.loaded.nodes.iter().map(|node| node.uid).collect();
        contents.loaded.links.retain(|link| there.contains(&link.from) && there.contains(&link.to));
    })
    .await;
    // whoever starts now sees it; whoever did not learns it from the other's next change
    let four = alone(Arc::clone(&store), 4).await;
    assert!(four.snapshot().graph.all(Kind::Location).is_empty());
    put(&four, documents().remove(1), false, None).await.unwrap();
    until("all the same", SECOND, async || same(&one.federation, &four)).await;
    let found = alone(store, 5).await;
    assert!(same(&found, &four));
}

#[tokio::test]
async fn a_restored_copy_is_loaded_whether_older_or_another_life() {
    let (store, _folder) = embedded(1000);
    let one = replica(Arc::clone(&store), 1).await;
    let mut documents = [documents(), documents()].concat().into_iter();
    put(&one.federation, documents.next().unwrap(), false, None).await.unwrap();
    let copy = transfer::take(&*store, true).await.unwrap();
    put(&one.federation, documents.next().unwrap(), false, None).await.unwrap();
    let newer = one.federation.snapshot();
    let progress = || Arc::new(Progress::new("restoring", 0));
    store.fill(copy.clone(), progress()).await.unwrap();
    // a member of a cluster may only be late: for some seconds nothing goes backwards
    assert_eq!(one.federation.snapshot().revision, 2);
    until("it goes back", SECOND * 6, async || one.federation.snapshot().revision == 1).await;
    put(&one.federation, edited(&documents.next().unwrap(), 3), false, None).await.unwrap();
    assert_eq!(one.federation.snapshot().revision, newer.revision);
    assert_ne!(one.federation.snapshot().state(), newer.state());
    // an import gives it another life: that is sure, and at once
    let mut copy = copy;
    transfer::new_life(&mut copy.loaded);
    store.fill(copy.clone(), progress()).await.unwrap();
    let other = async || *one.federation.snapshot().epoch == *copy.loaded.epoch;
    until("it is another life", SECOND, other).await;
    assert_eq!(one.federation.snapshot().revision, 1);
    let known = Known::parse(&newer.position()).unwrap();
    assert_eq!(one.federation.at_least(&known, SECOND / 5, true).await, Err(Behind::OtherLife));
}

#[tokio::test]
async fn a_store_that_was_wiped_is_trouble_and_not_the_new_truth() {
    let (store, _folder) = embedded(1000);
    let one = replica(Arc::clone(&store), 1).await;
    put(&one.federation, documents().remove(0), false, None).await.unwrap();
    let mut nothing = Contents::default();
    nothing.loaded.epoch = String::new();
    store.fill(nothing, Arc::new(Progress::new("wiping", 0))).await.unwrap();
    until("noticed", SECOND, async || one.federation.standing().trouble.is_some()).await;
    assert!(!one.federation.snapshot().graph.is_empty(), "what is known is served on");
    let refused = one
        .federation
        .write(author("x"), |_, _| Ok::<_, std::convert::Infallible>(((), ChangeSet::default())));
    assert!(refused.await.is_err());
}
