//! The federation as this process holds it: the current snapshot, and the one way to move it forward.

use crate::{
    answers::Answers,
    graph::{Graph, apply::Misfit, change::ChangeSet, uid::Uid},
    notes::Notes,
    store::{Changed, CommitError, Entry, Head, Store, StoreError},
};
use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rand::{SeedableRng, rngs::StdRng};
use schema::Schema;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

/// One revision of the graph, and the answers written from it.
pub struct Snapshot {
    /// The graph.
    pub graph: Graph,
    /// What is kept beside it.
    pub notes: Notes,
    /// How many changes led to it.
    pub revision: u64,
    /// Which life of the store the revision belongs to.
    pub epoch: Arc<str>,
    /// The last of them that touched the graph, not only notes.
    pub changed: Changed,
    /// Answers that were written from this graph.
    pub answers: Arc<Answers>,
}

impl Snapshot {
    /// Names this state of the graph and no other: also when an older copy of the store was restored and went another way, where
    /// the revision alone would come round again.
    pub fn state(&self) -> String {
        let Changed { revision, at } = self.changed;
        let at = at.map_or(0, |at| at.timestamp_micros());
        format!("{}-{revision}-{at:x}", self.epoch)
    }

    /// The snapshot after a change that was committed.
    fn next(&self, graph: Graph, entry: &Entry, answer_bytes: usize) -> Self {
        let touched = entry.touches_graph();
        Self {
            graph,
            notes: self.notes.apply(&entry.changes.notes),
            revision: entry.revision,
            epoch: Arc::clone(&self.epoch),
            changed: if touched {
                Changed { revision: entry.revision, at: Some(entry.at) }
            } else {
                self.changed
            },
            answers: if touched { Arc::new(Answers::new(answer_bytes)) } else { Arc::clone(&self.answers) },
        }
    }
}

/// What gives the time; passed in, so that tests can.
pub type Now = fn() -> DateTime<Utc>;

/// See the module.
pub struct Federation {
    current: ArcSwap<Snapshot>,
    /// Its revision, for those who wait for the next one.
    moved: watch::Sender<u64>,
    store: Arc<dyn Store>,
    /// One write at a time.
    writing: Mutex<Writing>,
    now: Now,
    answer_bytes: usize,
}

/// What a write needs for itself.
struct Writing {
    /// The random source of new uids.
    random: StdRng,
    /// The revision and id of a commit whose outcome is not known yet.
    unsettled: Option<(u64, String)>,
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
    /// Whether the graph changed, not only notes.
    pub changed: bool,
}

/// Whose write it is and what was asked, for the change log.
#[derive(Debug, Clone)]
pub struct Author {
    /// Issuer and subject.
    pub who: String,
    /// Method and path.
    pub what: String,
    /// The id of the request.
    pub request: String,
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
            notes: loaded.notes.into_iter().collect(),
            revision: loaded.revision,
            epoch: loaded.epoch.into(),
            changed: loaded.changed,
            answers: Arc::new(Answers::new(answer_bytes)),
        };
        Ok(Self {
            moved: watch::Sender::new(snapshot.revision),
            current: ArcSwap::from_pointee(snapshot),
            store,
            writing: Mutex::new(Writing { random: StdRng::from_seed(seed), unsettled: None }),
            now,
            answer_bytes,
        })
    }

    /// The current snapshot. A read takes it once and sees one revision from start to end.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The current revision, and when there is another.
    pub fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
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
        let mut writing = self.writing.lock().await;
        self.settle(&mut writing).await?;
        for _ in 0..TRIES {
            let snapshot = self.snapshot();
            let mut fresh = || Uid::random(&mut writing.random);
            let (value, mut changes) = plan(&snapshot, &mut fresh).map_err(WriteError::Refused)?;
            if changes.is_empty() {
                return Ok(Written { value, snapshot, changed: false });
            }
            changes.remember(&snapshot.graph);
            let graph = snapshot.graph.apply(&changes)?;
            let Author { who, what, request } = author.clone();
            let id = fresh().to_string();
            let entry = Entry {
                revision: snapshot.revision + 1,
                id,
                at: (self.now)(),
                who,
                what,
                request,
                changes,
                by_hand: false,
                digest: Some(graph.digest()),
            };
            let changed = entry.changes.touches_graph();
            let next = snapshot.next(graph, &entry, self.answer_bytes);
            let (revision, id) = (entry.revision, entry.id.clone());
            match self.store.commit(entry).await {
                Ok(()) => return Ok(Written { value, snapshot: self.advance(next), changed }),
                Err(CommitError::Moved { .. }) => self.follow().await?,
                Err(CommitError::Unknown(why)) => {
                    tracing::warn!(revision, %why, "the outcome of a commit is not known; looking for it");
                    writing.unsettled = Some((revision, id));
                    if self.settle(&mut writing).await? {
                        return Ok(Written { value, snapshot: self.snapshot(), changed });
                    }
                }
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        Err(WriteError::Busy(TRIES))
    }

    /// Finds out what became of a commit whose answer got lost, and takes it in if it took place.
    async fn settle(&self, writing: &mut Writing) -> Result<bool, FollowError> {
        let Some((revision, id)) = &writing.unsettled else { return Ok(false) };
        let committed = self.store.settle(*revision, id).await.map_err(|error| {
            tracing::warn!(%error, revision, "the store cannot say what became of a commit");
            StoreError::Unsettled
        })?;
        if committed {
            self.follow().await?;
        }
        writing.unsettled = None;
        Ok(committed)
    }

    fn advance(&self, next: Snapshot) -> Arc<Snapshot> {
        let next = Arc::new(next);
        self.current.store(Arc::clone(&next));
        self.moved.send_replace(next.revision);
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
                snapshot = self.advance(snapshot.next(graph, &entry, self.answer_bytes));
            }
        }
    }

    /// Where the store stands.
    pub async fn head(&self) -> Result<Head, StoreError> {
        self.store.head().await
    }

    /// The last changes after a revision.
    pub async fn log_after(&self, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.log_after(revision, limit).await
    }

    /// The same, of one node and its relations.
    pub async fn log_about(&self, uid: Uid, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.log_about(uid, revision, limit).await
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
