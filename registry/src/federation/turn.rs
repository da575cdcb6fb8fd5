//! Whose turn it is. A large change takes longer to compute than others take to commit small ones, and could lose
//! against them for ever. After some losses it says so in a note, which is quickly committed; others then let it go
//! first, for a while.

use super::{
    Author, Federation, Writing,
    follow::FollowError,
    write::{Committed, WriteError},
};
use crate::{
    graph::change::{ChangeSet, Note},
    store::StoreError,
};
use serde_json::Value as Json;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The note.
const KEY: &str = "turn";
/// How long others keep away. Counted from when they learn of it, so that clocks need not agree.
const TURN: Duration = Duration::from_secs(2);

/// What this process knows of turns.
#[derive(Default)]
pub(super) struct Turns {
    /// Its own.
    mine: Option<String>,
    /// The last one that it waited for in vain: whoever had it is gone.
    over: Option<String>,
}

impl Federation {
    fn turn(&self) -> Option<String> {
        self.snapshot().notes.get(KEY).and_then(|turn| turn.as_str()).map(str::to_owned)
    }

    /// Waits while it is another one's turn, and for a while at most.
    pub(super) async fn give_way(&self, turns: &mut Turns) {
        let Some(turn) = self.turn() else { return };
        let known = [&turns.mine, &turns.over].into_iter().flatten().any(|known| *known == turn);
        if known || !self.standing.borrow().follows {
            return;
        }
        let mut moved = self.moved();
        let until = Instant::now() + TURN;
        while self.turn().as_ref() == Some(&turn) {
            if timeout_at(until, moved.changed()).await.is_err() {
                tracing::info!(turn, "whoever has the turn did not use it in time");
                turns.over = Some(turn);
                return;
            }
        }
    }

    /// Asks the others to keep away until the next change of this process.
    pub(super) async fn take_turn<E>(
        &self,
        writing: &mut Writing,
        until: Instant,
    ) -> Result<(), WriteError<E>> {
        while Instant::now() < until {
            self.give_way(&mut writing.turns).await;
            let id = writing.fresh().to_string();
            let value = Some(Json::String(id.clone()));
            if self.note(writing, Note { key: KEY.to_owned(), value }).await? {
                writing.turns.mine = Some(id);
                return Ok(());
            }
        }
        Ok(())
    }

    /// What a change has to say besides when it was its turn.
    pub(super) fn end_of_turn(turns: &Turns) -> Option<Note> {
        turns.mine.as_ref().map(|_| Note { key: KEY.to_owned(), value: None })
    }

    /// Lets others go on: at once when the change came to nothing.
    pub(super) async fn pass_turn(&self, writing: &mut Writing, used: bool) {
        if writing.turns.mine.take().is_some() && !used {
            // whoever does not learn of it waits a little longer
            let _ = self.note(writing, Note { key: KEY.to_owned(), value: None }).await;
        }
    }

    /// Commits a note alone. Says whether it is there; otherwise others were faster, and are taken in.
    async fn note(&self, writing: &mut Writing, note: Note) -> Result<bool, FollowError> {
        let snapshot = self.snapshot();
        let author =
            Author { who: "the registry".to_owned(), what: "takes turns".to_owned(), request: String::new() };
        let changes = ChangeSet { notes: vec![note], ..ChangeSet::default() };
        let entry = self.entry(&snapshot, author, changes, snapshot.graph.digest(), writing);
        let next = snapshot.next(snapshot.graph.clone(), &entry, self.answer_bytes);
        match self.commit(writing, entry).await {
            Ok(Committed::Yes) => {
                self.advance(next);
                Ok(true)
            }
            Ok(Committed::Moved) => self.catch_up(writing).await.map(|()| false),
            Ok(Committed::No | Committed::Edited) => Ok(false),
            Err(error) => Err::<_, StoreError>(error)?,
        }
    }
}
