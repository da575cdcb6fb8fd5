//! The federation as this process holds it: the current snapshot, the one way to move it forward, and how it keeps up
//! with other processes on the same store.

mod follow;
mod keep;
mod standing;
mod turn;
mod write;

pub use follow::{ReloadError, Reloaded};
pub use standing::{Behind, Held, Known, Standing, Trouble};
pub use write::{Author, WriteError, Written};

use crate::{
    answers::Answers,
    graph::{Graph, apply::Misfit, uid::Uid},
    notes::Notes,
    store::{Changed, Entry, Head, Loaded, Store, StoreError},
};
use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use rand::{SeedableRng, rngs::StdRng};
use schema::Schema;
use std::{
    fmt,
    sync::{Arc, Mutex as Turn, PoisonError},
};
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

    /// Of what was loaded.
    pub fn of(schema: &'static Schema, loaded: Loaded, answer_bytes: usize) -> Result<Self, Misfit> {
        Ok(Self {
            graph: Graph::build(schema, loaded.nodes, loaded.links)?,
            notes: loaded.notes.into_iter().collect(),
            revision: loaded.revision,
            epoch: loaded.epoch.into(),
            changed: loaded.changed,
            answers: Arc::new(Answers::new(answer_bytes)),
        })
    }

    /// Whether it stands for no graph at all, because none was loaded yet.
    pub fn is_nothing(&self) -> bool {
        self.epoch.is_empty()
    }

    /// Names the revision among all replicas.
    pub fn position(&self) -> String {
        format!("{}-{}", self.epoch, self.revision)
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

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} nodes", self.state(), self.graph.len())
    }
}

/// What gives the time; passed in, so that tests can.
pub type Now = fn() -> DateTime<Utc>;

/// See the module.
pub struct Federation {
    schema: &'static Schema,
    current: ArcSwap<Snapshot>,
    /// Held while `current` is exchanged.
    turn: Turn<()>,
    store: Arc<dyn Store>,
    /// One write at a time.
    writing: Mutex<Writing>,
    follower: follow::Follower,
    standing: watch::Sender<Standing>,
    moved: watch::Sender<u64>,
    now: Now,
    answer_bytes: usize,
}

/// What a write needs for itself.
struct Writing {
    /// The random source of new uids.
    random: StdRng,
    /// The revision and id of a commit whose outcome is not known yet.
    unsettled: Option<(u64, String)>,
    turns: turn::Turns,
}

impl Writing {
    fn fresh(&mut self) -> Uid {
        Uid::random(&mut self.random)
    }
}

impl Federation {
    /// Holds nothing yet, and serves nothing until [`Federation::load`] was successful. `seed` feeds the random source
    /// of new uids.
    pub fn new(
        schema: &'static Schema,
        store: Arc<dyn Store>,
        now: Now,
        seed: [u8; 32],
        answer_bytes: usize,
    ) -> Self {
        let nothing = Snapshot {
            graph: Graph::empty(schema),
            notes: Notes::default(),
            revision: 0,
            epoch: "".into(),
            changed: Changed::default(),
            answers: Arc::new(Answers::new(0)),
        };
        Self {
            schema,
            current: ArcSwap::from_pointee(nothing),
            turn: Turn::default(),
            store,
            writing: Mutex::new(Writing {
                random: StdRng::from_seed(seed),
                unsettled: None,
                turns: turn::Turns::default(),
            }),
            follower: follow::Follower::default(),
            standing: watch::Sender::new(Standing::default()),
            moved: watch::Sender::new(0),
            now,
            answer_bytes,
        }
    }

    /// Loads everything from the store.
    pub async fn open(
        schema: &'static Schema,
        store: Arc<dyn Store>,
        now: Now,
        seed: [u8; 32],
        answer_bytes: usize,
    ) -> Result<Self, OpenError> {
        let federation = Self::new(schema, store, now, seed, answer_bytes);
        federation.load().await?;
        Ok(federation)
    }

    /// The current snapshot. A read takes it once and sees one revision from start to end.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The time by which changes are logged.
    pub fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// Counts the exchanges of the snapshot, for those who wait for the next one.
    pub fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }

    /// Moves on, unless the current snapshot is as new already: what a commit makes, the log tells too.
    fn advance(&self, next: Snapshot) -> Arc<Snapshot> {
        let next = Arc::new(next);
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load();
        if current.epoch == next.epoch && current.revision < next.revision {
            self.current.store(Arc::clone(&next));
            self.moved.send_modify(|moved| *moved += 1);
        }
        drop(turn);
        next
    }

    /// Puts another snapshot in the place of the current one, whatever that is.
    fn replace(&self, next: Snapshot, held: Held) {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.current.store(Arc::new(next));
        self.moved.send_modify(|moved| *moved += 1);
        drop(turn);
        self.standing.send_modify(|standing| standing.held = held);
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

impl OpenError {
    /// Whether it may pass without anybody doing something to this registry.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Store(error) if error.passes())
    }
}
