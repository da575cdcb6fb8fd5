//! One write: computed against the current graph, committed if the store is still there, and otherwise once more.

use super::{Federation, OpenError, Snapshot, Writing, follow::FollowError};
use crate::{
    graph::{apply::Misfit, change::ChangeSet, digest::Digest, uid::Uid},
    store::{CommitError, Entry, StoreError},
};
use rand::Rng;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// For how long a write tries again when others were faster, or when the database asks for it.
const TRYING: Duration = Duration::from_secs(10);
/// After how many lost races a write asks the others to let it go first.
const LOSSES: u32 = 3;
/// The longest pause before what the database took back is tried again.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one commit may take. A database that was just started, on a busy machine, needs some seconds for its first.
const COMMITTING: Duration = Duration::from_secs(25);
/// How long to ask what became of a commit before its client is told that this is not known.
const SETTLING: Duration = Duration::from_secs(2);
/// How long a commit that is under way when the store stops answering may still take to say why.
const GRACE: Duration = Duration::from_millis(100);

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
    /// Others were faster time and again; nothing was written.
    #[error("others changed the graph {0} times while this change was computed")]
    Busy(u32),
    /// Nothing can be written now, and nothing was.
    #[error("nothing can be written now: {0}")]
    ReadOnly(String),
    /// The commit was sent, and whether it takes place is not known yet. It does so whole or not at all.
    #[error("the store did not say whether it committed")]
    Unknown,
}

/// What a write came to.
#[derive(Debug)]
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

impl Federation {
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
        if let Some(why) = self.standing.borrow().read_only() {
            return Err(WriteError::ReadOnly(why));
        }
        let this = Arc::clone(self);
        let mut work = tokio::spawn(async move { this.write_now(author, plan).await });
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            () = self.read_only() => {
                match timeout(GRACE * 2, &mut work).await {
                    Ok(done) => done,
                    Err(_) => return Err(WriteError::Unknown),
                }
            }
        };
        match done {
            Ok(result) => result,
            Err(broken) => Err(StoreError::Failed(broken.to_string()).into()),
        }
    }

    /// Waits until nothing can be written.
    async fn read_only(&self) {
        let mut standing = self.standing.subscribe();
        // the sender lives as long as `self`
        let _ = standing.wait_for(|standing| standing.read_only().is_some()).await;
    }

    async fn write_now<T, E>(
        &self,
        author: Author,
        mut plan: impl FnMut(&Snapshot, &mut dyn FnMut() -> Uid) -> Result<(T, ChangeSet), E> + Send,
    ) -> Result<Written<T>, WriteError<E>> {
        let mut writing = self.writing.lock().await;
        // whoever waited here while the store went away is answered like those who come now
        if let Some(why) = self.standing.borrow().read_only() {
            return Err(WriteError::ReadOnly(why));
        }
        let until = Instant::now() + TRYING;
        if self.settle(&mut writing).await? {
            self.catch_up(&mut writing).await?;
        }
        for lost in 0.. {
            if lost == LOSSES {
                self.take_turn(&mut writing, until).await?;
            } else {
                self.give_way(&mut writing.turns).await;
            }
            let snapshot = self.snapshot();
            let planned = plan(&snapshot, &mut || writing.fresh()).map_err(WriteError::Refused);
            let (value, mut changes) = match planned {
                Ok((value, changes)) if !changes.is_empty() => (value, changes),
                other => {
                    self.pass_turn(&mut writing, false).await;
                    return other.map(|(value, _)| Written { value, snapshot, changed: false });
                }
            };
            changes.notes.extend(Self::end_of_turn(&writing.turns));
            changes.remember(&snapshot.graph);
            let graph = snapshot.graph.apply(&changes)?;
            let entry = self.entry(&snapshot, author.clone(), changes, graph.digest(), &mut writing);
            let changed = entry.touches_graph();
            let next = snapshot.next(graph, &entry, self.answer_bytes);
            match self.commit(&mut writing, entry).await {
                Ok(Committed::Yes) => {
                    self.pass_turn(&mut writing, true).await;
                    let written = Written { value, snapshot: self.advance(next), changed };
                    // what only the last graph had is given back while the answer is on its way
                    tokio::spawn(async move { drop(snapshot) });
                    return Ok(written);
                }
                Ok(Committed::Moved) => self.catch_up(&mut writing).await?,
                Ok(Committed::Edited) => self.load_edited(&mut writing).await.map_err(FollowError::from)?,
                Ok(Committed::No) => {
                    let most = (PAUSE / 64 * (1 << lost.min(6))).min(PAUSE);
                    let pause = writing.random.random_range(Duration::ZERO..most);
                    sleep(pause).await;
                }
                Err(StoreError::Unsettled) => return Err(WriteError::Unknown),
                Err(error) => return Err(error.into()),
            }
            if Instant::now() > until {
                self.pass_turn(&mut writing, false).await;
                return Err(WriteError::Busy(lost + 1));
            }
        }
        Err(WriteError::Busy(u32::MAX))
    }

    /// What goes into the log when these changes are made.
    pub(super) fn entry(
        &self,
        from: &Snapshot,
        Author { who, what, request }: Author,
        changes: ChangeSet,
        digest: Digest,
        writing: &mut Writing,
    ) -> Entry {
        Entry {
            revision: from.revision + 1,
            id: writing.fresh().to_string(),
            at: (self.now)(),
            who,
            what,
            request,
            changes,
            by_hand: false,
            digest: Some(digest),
        }
    }

    /// Takes in what others committed, by the log or else by loading everything.
    pub(super) async fn catch_up(&self, writing: &mut Writing) -> Result<(), FollowError> {
        match self.follow().await {
            Err(FollowError::Reload(why)) => self.reload(writing, why).await,
            other => other,
        }
    }

    /// Commits, and finds out whether when the answer got lost.
    pub(super) async fn commit(&self, writing: &mut Writing, entry: Entry) -> Result<Committed, StoreError> {
        let (revision, id) = (entry.revision, entry.id.clone());
        let began = Instant::now();
        let unknown = |why: &str| Err(CommitError::Unknown(why.to_owned()));
        let answer = tokio::select! {
            biased;
            answer = timeout(COMMITTING, self.store.commit(entry)) => {
                answer.unwrap_or_else(|_| unknown("no answer in time"))
            }
            () = async { self.read_only().await; sleep(GRACE).await } => unknown("it stopped answering"),
        };
        let (outcome, committed) = match answer {
            Ok(()) => ("committed", Ok(Committed::Yes)),
            Err(CommitError::Moved { .. }) => ("moved", Ok(Committed::Moved)),
            Err(CommitError::Passing(why)) => {
                tracing::info!(revision, %why, "the database took a commit back; trying again");
                ("retried", Ok(Committed::No))
            }
            Err(CommitError::Unknown(why)) => {
                tracing::warn!(revision, %why, "the outcome of a commit is not known; looking for it");
                writing.unsettled = Some((revision, id));
                let settled = self.settle(writing).await;
                ("unknown", settled.map(|yes| if yes { Committed::Yes } else { Committed::No }))
            }
            Err(CommitError::Edited) => ("edited", Ok(Committed::Edited)),
            Err(CommitError::Store(error)) => ("failed", Err(error)),
        };
        metrics::counter!("fedreg_store_commits_total", "outcome" => outcome).increment(1);
        metrics::histogram!("fedreg_store_commit_seconds").record(began.elapsed().as_secs_f64());
        committed
    }

    /// Finds out what became of a commit whose answer got lost.
    pub(super) async fn settle(&self, writing: &mut Writing) -> Result<bool, StoreError> {
        let Some((revision, id)) = &writing.unsettled else { return Ok(false) };
        let committed = match timeout(SETTLING, self.store.settle(*revision, id)).await {
            Ok(Ok(committed)) => committed,
            Ok(Err(error)) => {
                tracing::warn!(%error, revision, "the store cannot say what became of a commit");
                return Err(StoreError::Unsettled);
            }
            Err(_) => {
                tracing::warn!(revision, "the store does not say what became of a commit");
                return Err(StoreError::Unsettled);
            }
        };
        tracing::info!(revision, committed, "it is known what became of the commit");
        writing.unsettled = None;
        Ok(committed)
    }
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committed {
    /// It took place.
    Yes,
    /// Nothing of it is there, because others committed first.
    Moved,
    /// Nothing of it is there.
    No,
    /// Nothing of it is there, because the store is not what its log says.
    Edited,
}

impl<E> From<FollowError> for WriteError<E> {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Open(OpenError::Store(error)) => Self::Store(error),
            FollowError::Open(OpenError::Damaged(misfit)) => Self::Misfit(misfit),
            FollowError::Reload(why) => Self::ReadOnly(why.to_string()),
        }
    }
}
