//! What makes the graph last. *Load everything; commit a change set if the revision is still N; read the change
//! log after N*: that is all a store does, and the same tests run on each.

pub mod embedded;

use crate::graph::change::{ChangeSet, Created, Link, Note, Unreadable};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schema::Schema;
use serde_json::{Value as Json, json};

/// All that a store holds of the graph, in order of creation.
#[derive(Debug, Default)]
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
}

impl Entry {
    /// As stores keep it; the revision is its key there.
    pub fn to_json(&self, schema: &Schema) -> Json {
        json!({
            "id": self.id,
            "at": self.at.to_rfc3339(),
            "who": self.who,
            "what": self.what,
            "request": self.request,
            "changes": self.changes.to_json(schema),
        })
    }

    /// Reads what [`Entry::to_json`] wrote, by this or an earlier version.
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
        })
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
    /// The disk or the database failed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// A commit was sent, and neither its answer nor a later look could say what became of it.
    #[error("the store did not say whether it committed; it is asked again before the next change")]
    Unsettled,
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
    /// The commit was sent and no answer came: [`Store::settle`] finds out.
    #[error("the store did not say whether it committed: {0}")]
    Unknown(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the graph lasts. Methods are called by one task at a time for commits, by any for reads.
#[async_trait]
pub trait Store: Send + Sync {
    /// Everything.
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// Makes a change last, whole or not at all, if the store is still at the revision before the entry's.
    async fn commit(&self, entry: Entry) -> Result<(), CommitError>;

    /// The changes after a revision, oldest first, at most `limit`.
    async fn log_after(&self, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Where it stands; cheap.
    async fn head(&self) -> Result<Head, StoreError>;

    /// Whether the commit of this revision and id took place. If not, it cannot any more once this has answered.
    async fn settle(&self, revision: u64, id: &str) -> Result<bool, StoreError> {
        let entries = self.log_after(revision.saturating_sub(1), 1).await?;
        Ok(entries.first().is_some_and(|entry| entry.revision == revision && entry.id == id))
    }
}
