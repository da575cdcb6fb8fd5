//! Keeping up with a store that others write too: reading its log, and loading it anew when that does not lead there.

use super::{Author, Federation, Held, OpenError, Snapshot, Trouble, Writing, write::Committed};
use crate::store::{Entry, Head, Loaded, StoreError};
use rand::Rng;
use std::{
    fmt,
    sync::{
        Arc, Mutex as Turn, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex, Notify, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How often the store is asked where it stands: between half of it and all of it.
const EVERY: Duration = Duration::from_millis(300);
/// The least time between two questions when clients wait for what is new.
const AT_LEAST: Duration = Duration::from_millis(15);
/// How long the answer to that may take before the store counts as gone.
const HEAD: Duration = Duration::from_millis(1_400);
/// How long a piece of the log may take.
const LOG: Duration = Duration::from_secs(10);
/// How long loading everything may take.
const LOAD: Duration = Duration::from_mins(10);
/// How many entries of the log are read at once.
const AT_ONCE: usize = 256;
/// For how long the store may say that it stands before this process: a member of a cluster may be late.
const LATE: Duration = Duration::from_secs(3);
/// How often hand-made changes are taken in anew when others write at the same time.
const TRIES: usize = 8;

/// What following needs for itself.
pub(super) struct Follower {
    /// One that reads the log at a time.
    one: Mutex<()>,
    wake: Notify,
    /// Counts the looks.
    looks: watch::Sender<u64>,
    /// Since when the store says that it stands before this process.
    older: Turn<Option<Instant>>,
    /// False once a graph that was just loaded had another digest than the log says: written by another version.
    comparable: AtomicBool,
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            one: Mutex::default(),
            wake: Notify::new(),
            looks: watch::Sender::new(0),
            older: Turn::default(),
            comparable: AtomicBool::new(true),
        }
    }
}

impl Follower {
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) fn looks(&self) -> watch::Receiver<u64> {
        self.looks.subscribe()
    }
}

/// Why the log does not lead to where the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reload {
    /// The store has another epoch.
    Replaced,
    /// The store stands at an earlier revision: an older copy was restored.
    Older,
    /// The log begins later.
    Behind,
    /// An entry does not fit the graph, or leads to another one than it says.
    Differs,
}

impl Reload {
    fn word(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Older => "older",
            Self::Behind => "behind",
            Self::Differs => "differs",
        }
    }
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replaced => "the database holds another federation than this registry does",
            Self::Older => "the database stands at an earlier revision than this registry does",
            Self::Behind => "the change log does not reach back to what this registry has",
            Self::Differs => {
                "a change in the log does not lead where it says: the database was edited by hand"
            }
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0}")]
    Reload(Reload),
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self::Open(error.into())
    }
}

/// What taking in hand-made changes came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reloaded {
    /// How many nodes and relations were other ones.
    pub changes: usize,
    /// The revision that has them.
    pub revision: u64,
}

/// Why hand-made changes could not be taken in.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Others were faster time and again.
    #[error("others changed the graph while it was loaded, {TRIES} times; try again")]
    Busy,
}

impl From<StoreError> for ReloadError {
    fn from(error: StoreError) -> Self {
        Self::Open(error.into())
    }
}

async fn within<T>(
    time: Duration,
    what: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_| StoreError::Unreachable(format!("no answer within {} ms", time.as_millis()));
    timeout(time, what).await.map_err(late)?
}

/// Logs what is wrong with the data, each fault by itself.
fn tell(faults: &[String]) {
    const TOLD: usize = 1_000;
    for fault in faults.iter().take(TOLD) {
        tracing::warn!("in the data: {fault}");
    }
    if let Some(more) = faults.len().checked_sub(TOLD).filter(|more| *more > 0) {
        tracing::warn!(more, "in the data: {more} faults more; fedreg check tells all");
    }
}

impl Federation {
    /// Asks the store again and again where it stands, and takes in what others did: for stores that are shared.
    /// Returns when told to stop.
    pub async fn keep_up(self: Arc<Self>, stop: CancellationToken) {
        self.standing.send_modify(|standing| standing.follows = true);
        loop {
            let looked = self.look().await;
            self.trouble(looked.err().map(|error| error.to_string()));
            self.follower.looks.send_modify(|looks| *looks += 1);
            let pause = rand::rng().random_range(EVERY / 2..EVERY);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => {}
                () = self.follower.wake.notified() => sleep(AT_LEAST).await,
            }
        }
    }

    /// Notes what is wrong with the store, or that nothing is any more.
    pub(crate) fn trouble(&self, why: Option<String>) {
        let before = self.standing.borrow().clone();
        match (&before.trouble, why) {
            (None, None) => {}
            (Some(trouble), Some(why)) if trouble.why == why => {}
            (None, Some(why)) => {
                let instead = match before.held {
                    Held::Nothing => "nothing can be served",
                    Held::File | Held::Store => "reads are served, writes refused",
                };
                tracing::error!("{why}; {instead} until it is back");
                let trouble = Some(Arc::new(Trouble { since: (self.now)(), why }));
                self.standing.send_modify(|standing| standing.trouble = trouble);
            }
            (Some(trouble), Some(why)) => {
                tracing::warn!("{why}");
                let trouble = Some(Arc::new(Trouble { since: trouble.since, why }));
                self.standing.send_modify(|standing| standing.trouble = trouble);
            }
            (Some(trouble), None) => {
                let seconds = ((self.now)() - trouble.since).num_seconds();
                tracing::info!(seconds, "the store answers again, after {seconds} s");
                self.standing.send_modify(|standing| standing.trouble = None);
            }
        }
    }

    /// Once: takes in what is new, or everything.
    async fn look(&self) -> Result<(), FollowError> {
        if self.standing.borrow().held != Held::Store {
            return Ok(self.load().await?);
        }
        let followed = self.follow().await;
        let mut older = None;
        let result = match followed {
            Err(FollowError::Reload(Reload::Older)) => {
                let since = *self.older().get_or_insert_with(Instant::now);
                older = Some(since);
                if since.elapsed() < LATE {
                    Err(FollowError::Reload(Reload::Older))
                } else {
                    self.reload_now(Reload::Older).await
                }
            }
            Err(FollowError::Reload(why)) => self.reload_now(why).await,
            other => other,
        };
        *self.older() = older.filter(|_| result.is_err());
        result
    }

    fn older(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.follower.older.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reload_now(&self, why: Reload) -> Result<(), FollowError> {
        let mut writing = self.writing.lock().await;
        // a write may have found the same and mended it meanwhile
        match self.follow().await {
            Err(FollowError::Reload(_)) => Ok(self.reload(&mut writing, why).await?),
            other => other,
        }
    }

    /// Takes in what others committed, entry by entry.
    pub(super) async fn follow(&self) -> Result<(), FollowError> {
        let _one = self.follower.one.lock().await;
        loop {
            let mut snapshot = self.snapshot();
            let Head { epoch, revision, oldest } = within(HEAD, self.store.head()).await?;
            let reload = |why| Err(FollowError::Reload(why));
            if epoch.is_empty() {
                return Err(StoreError::Wiped.into());
            } else if epoch != *snapshot.epoch {
                return reload(Reload::Replaced);
            } else if revision < snapshot.revision {
                return reload(Reload::Older);
            } else if revision == snapshot.revision {
                return Ok(());
            } else if oldest > snapshot.revision + 1 {
                return reload(Reload::Behind);
            }
            let entries = within(LOG, self.store.log_after(snapshot.revision, AT_ONCE)).await?;
            if entries.is_empty() {
                return reload(Reload::Behind);
            }
            for entry in entries {
                if entry.revision != snapshot.revision + 1 {
                    return reload(Reload::Behind);
                }
                let Some(next) = self.replay(&snapshot, &entry) else { return reload(Reload::Differs) };
                snapshot = self.advance(next);
                metrics::counter!("fedreg_store_replayed_total").increment(1);
            }
        }
    }

    /// The snapshot after an entry of the log; `None` when it does not lead where it says.
    fn replay(&self, snapshot: &Snapshot, entry: &Entry) -> Option<Snapshot> {
        let graph = match snapshot.graph.apply(&entry.changes) {
            Ok(graph) => graph,
            Err(misfit) => {
                tracing::error!(revision = entry.revision, error = %misfit, "a change in the log does not fit");
                return None;
            }
        };
        let other = entry.digest.is_some_and(|digest| digest != graph.digest());
        if other && self.follower.comparable.load(Ordering::Relaxed) {
            return None;
        }
        Some(snapshot.next(graph, entry, self.answer_bytes))
    }

    /// Loads everything from the store, unless that was done.
    pub async fn load(&self) -> Result<(), OpenError> {
        let mut writing = self.writing.lock().await;
        if self.standing.borrow().held == Held::Store {
            return Ok(());
        }
        let began = Instant::now();
        let (snapshot, as_logged) = self.load_now(&mut writing).await?;
        let (nodes, revision) = (snapshot.graph.len(), snapshot.revision);
        self.replace(snapshot, Held::Store);
        let seconds = began.elapsed().as_secs_f64();
        tracing::info!(nodes, revision, seconds, "the graph is loaded: {nodes} nodes");
        let snapshot = self.snapshot();
        // beside everything else: nothing waits for it
        tokio::task::spawn_blocking(move || tell(&snapshot.graph.faults()));
        if !as_logged {
            tracing::warn!(revision, "the store was changed past the registry since its last change");
            self.enter_found(&mut writing).await;
        }
        Ok(())
    }

    /// Loads the store that turned out to be another one than its log says.
    pub(super) async fn load_edited(&self, writing: &mut Writing) -> Result<(), OpenError> {
        tracing::warn!("the store was edited by hand; it is loaded anew");
        metrics::counter!("fedreg_store_reloads_total", "reason" => "edited").increment(1);
        let (snapshot, as_logged) = self.load_now(writing).await?;
        self.replace(snapshot, Held::Store);
        if !as_logged {
            self.enter_found(writing).await;
        }
        Ok(())
    }

    /// Enters into the log that the store was found changed, so that the state gets a name of its own and others load
    /// it too. It is served in any case.
    async fn enter_found(&self, writing: &mut Writing) {
        let snapshot = self.snapshot();
        let author = Author {
            who: "the registry".to_owned(),
            what: "found the store changed by hand".to_owned(),
            request: String::new(),
        };
        let entry = self.by_hand(&snapshot, author, &snapshot, writing);
        let next = snapshot.next(snapshot.graph.clone(), &entry, self.answer_bytes);
        match self.commit(writing, entry).await {
            Ok(Committed::Yes) => {
                self.advance(next);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "that it was changed by hand could not be entered in the log");
            }
        }
    }

    fn by_hand(&self, from: &Snapshot, author: Author, to: &Snapshot, writing: &mut Writing) -> Entry {
        let changes = from.graph.changes_to(&to.graph);
        Entry { by_hand: true, ..self.entry(from, author, changes, to.graph.digest(), writing) }
    }

    /// Loads everything in the place of what is there.
    pub(super) async fn reload(&self, writing: &mut Writing, why: Reload) -> Result<(), FollowError> {
        if why == Reload::Older && self.older().is_none_or(|since| since.elapsed() < LATE) {
            return Err(FollowError::Reload(why));
        }
        tracing::warn!("{why}; it is loaded anew");
        metrics::counter!("fedreg_store_reloads_total", "reason" => why.word()).increment(1);
        let (snapshot, as_logged) = self.load_now(writing).await?;
        if !as_logged && self.follower.comparable.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                "the graph that was just loaded is not the one that the log speaks of, because another version wrote it: \
                 changes made by hand are not noticed any more until the next start"
            );
        }
        self.replace(snapshot, Held::Store);
        Ok(())
    }

    /// What the store holds, and whether that is what its log says.
    async fn load_now(&self, writing: &mut Writing) -> Result<(Snapshot, bool), OpenError> {
        self.settle(writing).await?;
        let loaded: Loaded = within(LOAD, self.store.load()).await?;
        tell(&loaded.faults);
        let snapshot = Snapshot::of(self.schema, loaded, self.answer_bytes)?;
        let last = within(LOG, self.store.log_after(snapshot.revision.saturating_sub(1), 1)).await?;
        let last = last.first().filter(|entry| entry.revision == snapshot.revision);
        let logged = last.and_then(|entry| entry.digest);
        let as_logged = logged.is_none_or(|digest| digest == snapshot.graph.digest());
        Ok((snapshot, as_logged))
    }

    /// Takes in what somebody changed in the store past the registry, as a change of its own that other replicas follow.
    pub async fn take_in(self: &Arc<Self>, author: Author) -> Result<Reloaded, ReloadError> {
        let this = Arc::clone(self);
        let work = tokio::spawn(async move { this.take_in_now(author).await });
        work.await.unwrap_or_else(|broken| Err(StoreError::Failed(broken.to_string()).into()))
    }

    async fn take_in_now(&self, author: Author) -> Result<Reloaded, ReloadError> {
        let mut writing = self.writing.lock().await;
        for _ in 0..TRIES {
            match self.follow().await {
                Ok(()) => {}
                Err(FollowError::Open(error)) => return Err(error.into()),
                // what the log does not tell cannot be told apart from what was changed by hand
                Err(FollowError::Reload(_)) => {
                    self.load_edited(&mut writing).await?;
                    return Ok(Reloaded { changes: 0, revision: self.snapshot().revision });
                }
            }
            let before = self.snapshot();
            let (found, _) = self.load_now(&mut writing).await?;
            if (&found.epoch, found.revision) != (&before.epoch, before.revision) {
                continue;
            }
            let entry = self.by_hand(&before, author.clone(), &found, &mut writing);
            let changes = entry.changes.len();
            if changes == 0 {
                return Ok(Reloaded { changes, revision: before.revision });
            }
            let revision = entry.revision;
            let next = found.next(found.graph.clone(), &entry, self.answer_bytes);
            if self.commit(&mut writing, entry).await? == Committed::Yes {
                // not by the log: the order of creation is that of the store
                self.replace(next, Held::Store);
                tracing::warn!(changes, revision, "{changes} nodes and relations were changed by hand");
                return Ok(Reloaded { changes, revision });
            }
        }
        Err(ReloadError::Busy)
    }
}
