//! What makes the graph last. *Load everything; commit a change set if the revision is still N; read the change
//! log after N*: that is all a store does, and the same tests run on each.

pub mod embedded;

use crate::graph::change::{ChangeSet, Created, Link, Unreadable};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// All that a store holds of the graph, in order of creation.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The revision of the graph: how many changes were committed.
    pub revision: u64,
    /// Which life of the store this is: revisions of different lives are not comparable.
    pub epoch: String,
    /// When the last change was committed: tells apart two histories of one life, when an older copy was restored.
    pub committed: Option<DateTime<Utc>>,
    /// Its nodes.
    pub nodes: Vec<Created>,
    /// Its relations.
    pub links: Vec<Link>,
}

/// One entry of the change log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The revision that the change made.
    pub revision: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Whose doing: issuer and subject.
    pub who: String,
    /// What was asked: `PUT /providers/...`.
    pub what: String,
    /// What changed.
    pub changes: ChangeSet,
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
}

/// Why a change was not committed. Nothing of it is stored.
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
}
