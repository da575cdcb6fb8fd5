//! What makes the graph last. *Load everything; commit a change set if the revision is still N; read the change
//! log after N*: that is all a store does, and the same tests run on each.

pub mod embedded;
pub mod neo4j;

use crate::{
    graph::{
        change::{ChangeSet, Created, Link, Note, Unreadable},
        digest::Digest,
        stored::Stored,
        uid::Uid,
    },
    progress::Progress,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schema::Schema;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value as Json;
use std::sync::Arc;

/// All that a store holds of the graph, in order of creation.
#[derive(Debug, Default, Clone)]
pub struct Loaded {
    /// How many changes were committed.
    pub revision: u64,
    /// Which life of the store this is: revisions of different lives are not comparable.
    pub epoch: String,
    /// The last change of nodes or relations.
    pub changed: Changed,
    /// Its nodes.
    pub nodes: Vec<Created>,
    /// Its relations.
    pub links: Vec<Link>,
    /// Its notes.
    pub notes: Vec<Note>,
    /// What it holds that is not as it should be, and how that is served: one sentence each.
    pub faults: Vec<String>,
}

/// What a store holds, and what its first start would add.
#[derive(Debug, Default)]
pub struct Survey {
    /// What [`Store::load`] would make first: one phrase each.
    pub would_add: Vec<String>,
    /// What is there.
    pub loaded: Loaded,
}

/// When nodes or relations changed last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    /// The revision that the change made.
    pub revision: u64,
    /// When it was committed: tells apart two histories of one life, when an older copy was restored.
    pub at: Option<DateTime<Utc>>,
}

/// Where a store stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which life of the store this is.
    pub epoch: String,
    /// How many changes were committed.
    pub revision: u64,
    /// The first revision that the log still has; `revision + 1` when it has none.
    pub oldest: u64,
}

impl Head {
    /// The first revision whose next one the log still has.
    pub fn kept_after(&self) -> u64 {
        self.oldest.saturating_sub(1)
    }
}

/// One entry of the change log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The revision that the change made.
    pub revision: u64,
    /// Names this commit and no other, so that it can be found again when its answer got lost. Empty in entries of
    /// earlier versions.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whose doing: issuer and subject.
    pub who: String,
    /// What was asked: `PUT /providers/...`.
    pub what: String,
    /// The id of the request, `x-request-id`.
    pub request: String,
    /// What changed.
    pub changes: ChangeSet,
    /// Somebody changed the store past the registry, and this entry only says so: the nodes, relations and notes that
    /// the store holds are as it says already. The store enters the revision and the log, and nothing else.
    pub by_hand: bool,
    /// What the graph is after the change; `None` in entries of earlier versions.
    pub digest: Option<Digest>,
}

impl Entry {
    /// Whether the graph is another one after it, not only notes.
    pub fn touches_graph(&self) -> bool {
        self.by_hand || self.changes.touches_graph()
    }

    /// Reads what [`Stored`] wrote, by this or an earlier version.
    pub fn from_json(schema: &Schema, revision: u64, json: &Json) -> Result<Self, Unreadable> {
        let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let damaged = || Unreadable { what: format!("log entry {revision}") };
        Ok(Self {
            revision,
            id: text("id"),
            at: text("at").parse().map_err(|_| damaged())?,
            who: text("who"),
            what: text("what"),
            request: text("request"),
            changes: ChangeSet::from_json(schema, json.get("changes").ok_or_else(damaged)?)?,
            by_hand: json.get("by_hand") == Some(&Json::Bool(true)),
            digest: text("digest").parse().ok(),
        })
    }
}

impl Serialize for Stored<'_, Entry> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, Entry { revision, id, at, who, what, request, changes, by_hand, digest }) = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("revision", revision)?;
        map.serialize_entry("id", id)?;
        map.serialize_entry("at", &at.to_rfc3339())?;
        map.serialize_entry("who", who)?;
        map.serialize_entry("what", what)?;
        map.serialize_entry("request", request)?;
        map.serialize_entry("changes", &Stored(schema, changes))?;
        if *by_hand {
            map.serialize_entry("by_hand", by_hand)?;
        }
        if let Some(digest) = digest {
            map.serialize_entry("digest", &digest.to_string())?;
        }
        map.end()
    }
}

/// What a whole store can be made of again.
#[derive(Debug, Default, Clone)]
pub struct Contents {
    /// The graph, its notes, revision and epoch.
    pub loaded: Loaded,
    /// The change log up to that revision, oldest first, without gap; may be empty.
    pub log: Vec<Entry>,
}

impl Contents {
    /// How many nodes, relations, notes and log entries.
    pub fn len(&self) -> usize {
        let Loaded { nodes, links, notes, .. } = &self.loaded;
        nodes.len() + links.len() + notes.len() + self.log.len()
    }

    /// Nothing was ever in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.loaded.revision == 0
    }
}

/// Why a store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be used: missing rights, a file in its place.
    #[error(
        "cannot use the folder {path} for the embedded store: {why}. Give a folder that this user may write to (store.path)"
    )]
    Folder {
        /// The folder.
        path: String,
        /// What the system says.
        why: String,
    },
    /// Another process has it open.
    #[error(
        "the store in {path} is in use by another process: stop that one, or give this one a folder of its own (store.path)"
    )]
    InUse {
        /// The folder.
        path: String,
    },
    /// It was written by a version that this one cannot read.
    #[error(
        "the store in {path} has format {found}; this version reads format {known}. Use the version that wrote it"
    )]
    Format {
        /// The folder.
        path: String,
        /// The format found.
        found: u64,
        /// The format that this version reads.
        known: u64,
    },
    /// Something in it cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The database does not answer, or refuses for now: it may do so again without anybody changing the settings.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// There was a federation in it, and now there is none.
    #[error(
        "the database holds no federation any more: restore it, or start the registry again to begin with what there is"
    )]
    Wiped,
    /// An import into it was interrupted.
    #[error("an import into this store did not come to its end: import again with --replace")]
    Incomplete,
    /// The database cannot be used with these settings.
    #[error("{0}")]
    Misconfigured(String),
    /// The disk or the database failed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// A commit was sent, and neither its answer nor a later look could say what became of it.
    #[error("the store did not say whether it committed; it is asked again before the next change")]
    Unsettled,
}

impl StoreError {
    /// Whether it may pass without anybody doing something to this registry.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unsettled)
    }
}

/// Why a change was not committed. Nothing of it is stored, unless that is unknown.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else committed first.
    #[error("the store is at revision {found}, not {expected}")]
    Moved {
        /// The revision that the change was computed against.
        expected: u64,
        /// The revision of the store.
        found: u64,
    },
    /// The database took it back and asks to try again: a deadlock, too little memory for now.
    #[error("the database took the change back: {0}")]
    Passing(String),
    /// The store does not hold what the change would change, or holds it twice: somebody edited it by hand.
    #[error("the store does not hold what the change would change: it was edited by hand")]
    Edited,
    /// The commit was sent and no answer came: [`Store::settle`] finds out.
    #[error("the store did not say whether it committed: {0}")]
    Unknown(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A name for a new life of a store: 8 characters, no dash.
pub fn new_epoch() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..8].to_owned()
}

/// Where the graph lasts. Methods are called by one task at a time for commits, by any for reads.
#[async_trait]
pub trait Store: Send + Sync {
    /// Everything.
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// Everything, but nothing is written for it: what [`Store::load`] would make first is told instead.
    async fn survey(&self) -> Result<Survey, StoreError> {
        Ok(Survey { would_add: Vec::new(), loaded: self.load().await? })
    }

    /// Makes a change last, whole or not at all, if the store is still at the revision before the entry's.
    async fn commit(&self, entry: Entry) -> Result<(), CommitError>;

    /// The changes after a revision, oldest first, at most `limit`.
    async fn log_after(&self, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Those of them that change a node or one of its relations.
    async fn log_about(&self, uid: Uid, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        const AT_ONCE: usize = 64;
        let (mut found, mut after) = (Vec::new(), revision);
        while found.len() < limit {
            let entries = self.log_after(after, AT_ONCE).await?;
            let Some(last) = entries.last() else { break };
            after = last.revision;
            found.extend(entries.into_iter().filter(|entry| entry.changes.is_about(uid)));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Where it stands; cheap.
    async fn head(&self) -> Result<Head, StoreError>;

    /// Whether the commit of this revision and id took place. If not, it cannot any more once this has answered.
    async fn settle(&self, revision: u64, id: &str) -> Result<bool, StoreError>;

    /// Puts a whole graph with its epoch, revision, notes and log in the place of what the store holds. Interrupted,
    /// it leaves the store as it was, or such that [`Store::load`] says [`StoreError::Incomplete`].
    async fn fill(&self, contents: Contents, progress: Arc<Progress>) -> Result<(), StoreError>;
}
