//! A store that fails on request: in front of a real one, as the network and a database that goes away would.

use async_trait::async_trait;
use rand::{Rng, SeedableRng, rngs::StdRng};
use registry::{
    progress::Progress,
    store::{CommitError, Contents, Entry, Head, Loaded, Store, StoreError},
};
use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::sleep};

/// How the store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Well,
    /// Refuses each call at once.
    Gone,
    /// Answers nothing; what was sent is done when it goes on.
    Hung,
    /// Commits, and does not say so.
    LosesAnswers,
    /// Does not commit, and does not say so.
    LosesCommits,
    /// Takes each commit back and asks to try again.
    Deadlocks,
    /// Each call something else.
    Chaos,
}

pub struct Flaky {
    inner: Arc<dyn Store>,
    mode: watch::Sender<Mode>,
    random: Mutex<StdRng>,
    /// A commit that was sent, and may still be done.
    queued: Mutex<Option<Entry>>,
    lose_settle: AtomicBool,
    pause: AtomicBool,
    pub loads: AtomicU32,
    pub settles: AtomicU32,
}

/// What chaos does to one call.
enum Fate {
    Well,
    Refused,
    Passing,
    Done,
    Lost,
    Late,
}

fn gone() -> StoreError {
    StoreError::Unreachable("the test took it away".to_owned())
}

impl Flaky {
    pub fn new(inner: Arc<dyn Store>, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            mode: watch::Sender::new(Mode::Well),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            queued: Mutex::default(),
            lose_settle: AtomicBool::new(false),
            pause: AtomicBool::new(false),
            loads: AtomicU32::new(0),
            settles: AtomicU32::new(0),
        })
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Hangs once the next load is done.
    pub fn pause_after_load(&self) {
        self.pause.store(true, Ordering::Relaxed);
    }

    /// The next question what became of a commit is refused.
    pub fn lose_next_settle(&self) {
        self.lose_settle.store(true, Ordering::Relaxed);
    }

    fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Waits while it hangs, fails while it is gone, and now and then in chaos.
    async fn reach(&self) -> Result<(), StoreError> {
        let mut mode = self.mode.subscribe();
        mode.wait_for(|mode| *mode != Mode::Hung).await.unwrap();
        match self.mode() {
            Mode::Gone => Err(gone()),
            Mode::Chaos => {
                let (bad, late) = {
                    let mut random = self.random.lock().unwrap();
                    (random.random_bool(0.05), random.random_bool(0.1).then(|| random.random_range(1..60)))
                };
                if let Some(late) = late {
                    sleep(Duration::from_millis(late)).await;
                }
                if bad { Err(gone()) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// What was sent earlier arrives now.
    async fn arrive(&self) {
        let entry = self.queued.lock().unwrap().take();
        if let Some(entry) = entry {
            let _ = self.inner.commit(entry).await;
        }
    }

    fn fate(&self) -> Fate {
        match self.random.lock().unwrap().random_range(0..100) {
            0..5 => Fate::Refused,
            5..10 => Fate::Passing,
            10..17 => Fate::Done,
            17..24 => Fate::Lost,
            24..31 => Fate::Late,
            _ => Fate::Well,
        }
    }
}

#[async_trait]
impl Store for Flaky {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.reach().await?;
        self.arrive().await;
        let loaded = self.inner.load().await;
        if self.pause.swap(false, Ordering::Relaxed) {
            self.set(Mode::Hung);
        }
        self.loads.fetch_add(1, Ordering::Relaxed);
        loaded
    }

    async fn commit(&self, entry: Entry) -> Result<(), CommitError> {
        if self.mode() == Mode::Hung {
            *self.queued.lock().unwrap() = Some(entry);
            return pending().await;
        }
        self.reach().await?;
        self.arrive().await;
        let unknown = || Err(CommitError::Unknown("the test swallowed the answer".to_owned()));
        match self.mode() {
            Mode::LosesAnswers => {
                self.inner.commit(entry).await?;
                unknown()
            }
            Mode::LosesCommits => unknown(),
            Mode::Deadlocks => Err(CommitError::Passing("the test's deadlock".to_owned())),
            Mode::Chaos => match self.fate() {
                Fate::Well => self.inner.commit(entry).await,
                Fate::Refused => Err(gone().into()),
                Fate::Passing => Err(CommitError::Passing("the test's deadlock".to_owned())),
                Fate::Done => {
                    self.inner.commit(entry).await?;
                    unknown()
                }
                Fate::Lost => unknown(),
                Fate::Late => {
                    *self.queued.lock().unwrap() = Some(entry);
                    unknown()
                }
            },
            _ => self.inner.commit(entry).await,
        }
    }

    async fn log_after(&self, revision: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.reach().await?;
        let limit = if self.mode() == Mode::Chaos { limit.min(3) } else { limit };
        self.inner.log_after(revision, limit).await
    }

    async fn head(&self) -> Result<Head, StoreError> {
        self.reach().await?;
        self.inner.head().await
    }

    async fn settle(&self, revision: u64, id: &str) -> Result<bool, StoreError> {
        self.settles.fetch_add(1, Ordering::Relaxed);
        self.reach().await?;
        if self.lose_settle.swap(false, Ordering::Relaxed) {
            return Err(gone());
        }
        // what is still on its way arrives first, or never
        if self.random.lock().unwrap().random_bool(0.5) {
            self.arrive().await;
        }
        *self.queued.lock().unwrap() = None;
        self.inner.settle(revision, id).await
    }

    async fn fill(&self, contents: Contents, progress: Arc<Progress>) -> Result<(), StoreError> {
        self.reach().await?;
        self.inner.fill(contents, progress).await
    }
}
