//! The federation as this process holds it: the current snapshot, and the one way to move it forward.

use crate::{
    answers::Answers,
    graph::{Graph, apply::Misfit, change::ChangeSet, uid::Uid},
    store::{CommitError, Entry, Store, StoreError},
};
use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rand::{SeedableRng, rngs::StdRng};
use schema::Schema;
use std::sync::Arc;
use tokio::sync::Mutex;

/// One revision of the graph, and the answers written from it.
pub struct Snapshot {
    /// The graph.
    pub graph: Graph,
    /// How many changes led to it.
    pub revision: u64,
    /// Which life of the store the revision belongs to.
    pub epoch: Arc<str>,
    /// When the last of them was committed.
    pub committed: Option<DateTime<Utc>>,
    /// Answers that were asked for since it is current.
    pub answers: Answers,
}

impl Snapshot {
    /// Names this state and no other: also when an older copy of the store was restored and went another way, where
    /// the revision alone would come round again.
    pub fn state(&self) -> String {
        let committed = self.committed.map_or(0, |at| at.timestamp_micros());
        format!("{}-{}-{committed:x}", self.epoch, self.revision)
    }
}

/// What gives the time; passed in, so that tests can.
pub type Now = fn() -> DateTime<Utc>;

/// See the module.
pub struct Federation {
    current: ArcSwap<Snapshot>,
    store: Arc<dyn Store>,
    /// One write at a time; with it, the random source of new uids.
    writing: Mutex<StdRng>,
    now: Now,
    answer_bytes: usize,
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The plan was refused.
    #[error("refused")]
    Refused(E),
    /// The store could not make it last; nothing of it is there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The change did not fit: a fault of ours, nothing was written.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// Others were faster time and again.
    #[error("others changed the graph {0} times while this change was computed")]
    Busy(usize),
}

/// What a write came to.
pub struct Written<T> {
    /// What the plan returned.
    pub value: T,
    /// The snapshot that has it.
    pub snapshot: Arc<Snapshot>,
    /// Whether anything changed.
    pub changed: bool,
}

/// Whose write it is and what was asked, for the change log.
#[derive(Debug, Clone)]
pub struct Author {
    /// Issuer and subject.
    pub who: String,
    /// Method and path.
    pub what: String,
}

const TRIES: usize = 8;

impl Federation {
    /// Loads everything from the store. `seed` feeds the random source of new uids.
    pub async fn open(
        schema: &'static Schema,
        store: Arc<dyn Store>,
        now: Now,
        seed: [u8; 32],
        answer_bytes: usize,
    ) -> Result<Self, OpenError> {
        let loaded = store.load().await?;
        let graph = Graph::build(schema, loaded.nodes, loaded.links)?;
        let snapshot = Snapshot {
            graph,
            revision: loaded.revision,
            epoch: loaded.epoch.into(),
            committed: loaded.committed,
            answers: Answers::new(answer_bytes),
        };
        Ok(Self {
            current: ArcSwap::from_pointee(snapshot),
            store,
            writing: Mutex::new(StdRng::from_seed(seed)),
            now,
            answer_bytes,
        })
    }

    /// The current snapshot. A read takes it once and sees one revision from start to end.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Computes a change against the current graph, makes it last, and moves on. Once begun it goes on although
    /// the caller stops waiting, so that memory and store cannot part.
    pub async fn write<T, E>(
        self: &Arc<Self>,
        author: Author,
        plan: impl FnMut(&Snapshot, &mut dyn FnMut() -> Uid) -> Result<(T, ChangeSet), E> + Send + 'static,
    ) -> Result<Written<T>, WriteError<E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        let this = Arc::clone(self);
        let work = tokio::spawn(async move { this.write_now(author, plan).await });
        match work.await {
            Ok(result) => result,
            Err(broken) => Err(StoreError::Failed(broken.to_string()).into()),
        }
    }

    async fn write_now<T, E>(
        &self,
        author: Author,
        mut plan: impl FnMut(&Snapshot, &mut dyn FnMut() -> Uid) -> Result<(T, ChangeSet), E> + Send,
    ) -> Result<Written<T>, WriteError<E>> {
        let mut random = self.writing.lock().await;
        for _ in 0..TRIES {
            let snapshot = self.snapshot();
            let mut fresh = || Uid::random(&mut *random);
            let (value, changes) = plan(&snapshot, &mut fresh).map_err(WriteError::Refused)?;
            if changes.is_empty() {
                return Ok(Written { value, snapshot, changed: false });
            }
            let graph = snapshot.graph.apply(&changes)?;
            let Author { who, what } = author.clone();
            let at = (self.now)();
            let entry = Entry { revision: snapshot.revision + 1, at, who, what, changes };
            match self.store.commit(entry).await {
                Ok(()) => {
                    let snapshot = self.advance(&snapshot, graph, at);
                    return Ok(Written { value, snapshot, changed: true });
                }
                Err(CommitError::Moved { .. }) => self.follow().await?,
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        Err(WriteError::Busy(TRIES))
    }

    fn advance(&self, from: &Snapshot, graph: Graph, at: DateTime<Utc>) -> Arc<Snapshot> {
        let next = Arc::new(Snapshot {
            graph,
            revision: from.revision + 1,
            epoch: Arc::clone(&from.epoch),
            committed: Some(at),
            answers: Answers::new(self.answer_bytes),
        });
        self.current.store(Arc::clone(&next));
        next
    }

    /// Takes in what others committed.
    async fn follow(&self) -> Result<(), FollowError> {
        const AT_ONCE: usize = 256;
        loop {
            let snapshot = self.snapshot();
            let entries = self.store.log_after(snapshot.revision, AT_ONCE).await?;
            if entries.is_empty() {
                return Ok(());
            }
            let mut snapshot = snapshot;
            for entry in entries {
                let graph = snapshot.graph.apply(&entry.changes)?;
                snapshot = self.advance(&snapshot, graph, entry.at);
            }
        }
    }

    /// The last changes after a revision.
    pub async fn log_after(&self, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.log_after(revision, limit).await
    }
}

/// Why the store's graph cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it holds is no graph.
    #[error("the store is damaged: {0}")]
    Damaged(#[from] Misfit),
}

/// Why others' changes could not be taken in.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

impl<E> From<FollowError> for WriteError<E> {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Store(error) => Self::Store(error),
            FollowError::Misfit(misfit) => Self::Misfit(misfit),
        }
    }
}
