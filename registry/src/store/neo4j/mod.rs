//! The federation's shared store: Neo4j, with the labels, relations and encodings of the earlier registry, so that a
//! database is taken over as it is, and can be given back.
//!
//! Beside the graph stand a few nodes of our own: `FedRegMeta` (revision, epoch), `FedRegLog` (the change log),
//! `FedRegNote` (notes). What is neither theirs nor ours is never touched.

mod adopt;
mod commit;
mod connect;
mod fill;
mod load;
mod log;
mod names;
mod packed;
mod property;
mod settings;
mod statements;

pub use settings::Neo4jSettings;

use super::{CommitError, Contents, Entry, Head, Loaded, Store, StoreError, Survey};
use crate::{graph::uid::Uid, progress::Progress};
use async_trait::async_trait;
use connect::Connection;
use schema::Schema;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::{sync::RwLock, task::AbortHandle};

/// After so many changes those that are older than the log goes back are deleted, beside the next commits.
const FORGETTING: u64 = 64;

/// See the module.
pub struct Neo4j {
    schema: &'static Schema,
    connection: Arc<Connection>,
    log_entries: u64,
    /// Known once the database was prepared.
    epoch: RwLock<Option<Arc<str>>>,
    /// The commit that runs, or ran last.
    running: Mutex<Option<AbortHandle>>,
}

impl Neo4j {
    /// Does no I/O: whether the database answers shows the first call. The last `log_entries` changes are kept.
    pub fn new(
        schema: &'static Schema,
        settings: &Neo4jSettings,
        log_entries: u64,
    ) -> Result<Self, StoreError> {
        let connection = Arc::new(Connection::new(settings)?);
        Ok(Self { schema, connection, log_entries, epoch: RwLock::new(None), running: Mutex::default() })
    }

    /// Makes what is missing. Safe to be done again, and by several at once.
    async fn prepare(&self) -> Result<Arc<str>, StoreError> {
        let known = self.epoch.read().await.is_some();
        let epoch: Arc<str> = adopt::prepare(&self.connection, self.schema, known).await?.into();
        *self.epoch.write().await = Some(Arc::clone(&epoch));
        Ok(epoch)
    }
}

#[async_trait]
impl Store for Neo4j {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.prepare().await?;
        if fill::interrupted(&self.connection).await? {
            return Err(StoreError::Incomplete);
        }
        load::load(&self.connection, self.schema).await
    }

    async fn commit(&self, entry: Entry) -> Result<(), CommitError> {
        let known = self.epoch.read().await.clone();
        let epoch = match known {
            Some(epoch) => epoch,
            None => self.prepare().await?,
        };
        let revision = entry.revision;
        let (schema, keep, of) = (self.schema, self.log_entries, Arc::clone(&epoch));
        // the transaction begins while they are put into words
        let queries = tokio::task::spawn_blocking(move || statements::commit(schema, &entry, &of, keep));
        let work = commit::Work { queries, epoch, expected: revision - 1 };
        // a transaction that is dropped would keep its locks: it goes on though the caller no longer waits
        let running = tokio::spawn(commit::commit(Arc::clone(&self.connection), work));
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running.abort_handle());
        running.await.unwrap_or_else(|broken| Err(StoreError::Failed(broken.to_string()).into()))?;
        if revision.is_multiple_of(FORGETTING.min(self.log_entries / 10).max(1)) {
            tokio::spawn(log::forget(Arc::clone(&self.connection)));
        }
        Ok(())
    }

    async fn log_after(&self, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        log::after(&self.connection, self.schema, revision, limit).await
    }

    async fn log_about(&self, uid: Uid, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        log::about(&self.connection, self.schema, uid, revision, limit).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        // nobody was there yet, or all was wiped: no epoch is this one
        let none = || Head { epoch: String::new(), revision: 0, oldest: 1 };
        Ok(log::head(&self.connection).await?.unwrap_or_else(none))
    }

    async fn survey(&self) -> Result<Survey, StoreError> {
        adopt::survey(&self.connection, self.schema).await
    }

    async fn fill(&self, contents: Contents, progress: Arc<Progress>) -> Result<(), StoreError> {
        self.prepare().await?;
        let filled = fill::fill(&self.connection, self.schema, contents, &progress).await;
        *self.epoch.write().await = None;
        filled.map_err(|fault| self.connection.explain(fault))
    }

    async fn settle(&self, revision: u64, id: &str) -> Result<bool, StoreError> {
        // what was not sent yet is not sent any more; of what was, the server learns that nobody is there
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(running) = running.filter(|running| !running.is_finished()) {
            running.abort();
            self.connection.renew_writing();
        }
        log::settle(&self.connection, revision, id).await
    }
}
