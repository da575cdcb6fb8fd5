//! Moving a whole graph: from one store into another, into a file, out of one. Uids, order of creation, revision and
//! epoch stay as they are, and at the end both sides are compared.

pub mod lines;

use crate::{
    federation::Snapshot,
    graph::apply::Misfit,
    progress::Progress,
    store::{Contents, Entry, Head, Loaded, Store, StoreError},
};
use schema::{Kind, Schema};
use std::sync::Arc;

/// How many entries of the log are read at once.
const AT_ONCE: usize = 256;

/// Why a graph was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store that is read.
    #[error("the source cannot be read: {0}")]
    Source(StoreError),
    /// The store that is written.
    #[error("the target cannot be written: {0}")]
    Target(StoreError),
    /// The source is no graph.
    #[error("the source is damaged: {0}")]
    Damaged(#[from] Misfit),
    /// The target has something.
    #[error(
        "the target is not empty: it holds {nodes} nodes at revision {revision}. To lose them, say --replace"
    )]
    NotEmpty {
        /// How many nodes.
        nodes: usize,
        /// At which revision.
        revision: u64,
    },
    /// Somebody wrote to the source meanwhile.
    #[error("the source was written to while it was read: stop all registries that use it, then try again")]
    Moved,
    /// What arrived is not what was sent.
    #[error("what arrived differs from what was sent: {0}. Do not use the target")]
    Differs(String),
}

/// Everything that a store holds, with its log on request.
pub async fn take(store: &dyn Store, log: bool) -> Result<Contents, TransferError> {
    let loaded = store.load().await.map_err(TransferError::Source)?;
    let mut entries = Vec::new();
    if log {
        let Head { oldest, .. } = store.head().await.map_err(TransferError::Source)?;
        let mut after = oldest.saturating_sub(1);
        while after < loaded.revision {
            let more = store.log_after(after, AT_ONCE).await.map_err(TransferError::Source)?;
            let Some(last) = more.last() else { break };
            after = last.revision;
            entries.extend(more);
        }
        entries.retain(|entry| entry.revision <= loaded.revision);
    }
    let head = store.head().await.map_err(TransferError::Source)?;
    if (&head.epoch, head.revision) != (&loaded.epoch, loaded.revision) {
        return Err(TransferError::Moved);
    }
    Ok(Contents { loaded, log: entries })
}

/// Fills a store, and looks whether everything arrived. One that holds something is only overwritten when told so.
pub async fn put(
    schema: &'static Schema,
    store: &dyn Store,
    contents: Contents,
    replace: bool,
) -> Result<Snapshot, TransferError> {
    if !replace {
        let there = store.load().await.map_err(TransferError::Target)?;
        if !there.nodes.is_empty() || there.revision > 0 {
            let (nodes, revision) = (there.nodes.len(), there.revision);
            return Err(TransferError::NotEmpty { nodes, revision });
        }
    }
    let log: Vec<Entry> = contents.log.clone();
    let sent = Snapshot::of(schema, contents.loaded.clone(), 0)?;
    let progress = Arc::new(Progress::new("filling the store", contents.len()));
    store.fill(contents, progress).await.map_err(TransferError::Target)?;
    let arrived = take(store, !log.is_empty()).await.map_err(|error| match error {
        TransferError::Source(error) => TransferError::Target(error),
        other => other,
    })?;
    if arrived.log != log {
        return Err(TransferError::Differs("the change log".to_owned()));
    }
    let arrived = Snapshot::of(schema, arrived.loaded, 0)?;
    match difference(&sent, &arrived) {
        None => Ok(arrived),
        Some(what) => Err(TransferError::Differs(what)),
    }
}

/// The first thing in which two snapshots differ.
pub fn difference(a: &Snapshot, b: &Snapshot) -> Option<String> {
    if (&a.epoch, a.revision, a.changed) != (&b.epoch, b.revision, b.changed) {
        return Some(format!("revision {} is {}", a.state(), b.state()));
    }
    if a.notes != b.notes {
        return Some("the notes".to_owned());
    }
    let changes = a.graph.changes_to(&b.graph);
    if !changes.is_empty() {
        let uid = [
            changes.deleted.first().map(|node| node.uid),
            changes.created.first().map(|node| node.uid),
            changes.updated.first().map(|node| node.uid),
            changes.unlinked.first().map(|link| link.from),
            changes.linked.first().map(|link| link.from),
        ];
        let uid = uid.into_iter().flatten().next().map(|uid| uid.to_string());
        let uid = uid.unwrap_or_default();
        return Some(format!("{} nodes and relations, the first of them {uid} or at it", changes.len()));
    }
    let order = |snapshot: &Snapshot, kind| -> Vec<_> {
        snapshot.graph.all(kind).iter().map(|id| snapshot.graph.record(id).uid).collect()
    };
    let kind = Kind::ALL.iter().find(|kind| order(a, **kind) != order(b, **kind))?;
    Some(format!("the order of the {}", a.graph.schema.entity(*kind).decl.path))
}

/// Gives a graph that comes back from an older copy a life of its own: clients that know newer revisions of the old one
/// begin anew instead of taking what they have for this.
pub fn new_life(loaded: &mut Loaded) {
    loaded.epoch = crate::store::new_epoch();
}
