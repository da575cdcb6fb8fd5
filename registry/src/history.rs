//! The change log as it is read: forwards, a bounded part at a time, without the entries that only hold notes.

use crate::{
    federation::Federation,
    graph::uid::Uid,
    store::{Entry, Head, StoreError},
};
use std::{collections::VecDeque, sync::Arc};

/// Reads the log after a revision, of the whole graph or about one node.
pub struct Reader {
    federation: Arc<Federation>,
    about: Option<Uid>,
    /// The revision up to which everything was read.
    after: u64,
    at_once: usize,
    ahead: VecDeque<Entry>,
}

/// Why the log cannot be read from there on.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The log does not have the next revision: not any more, or, after an older copy was restored, not yet.
    #[error(
        "the changes after revision {after} are not kept: the log has those after {kept_after}, up to {last}"
    )]
    Gone {
        /// What was asked.
        after: u64,
        /// What can be asked instead to have all that is there.
        kept_after: u64,
        /// The last revision.
        last: u64,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reader {
    /// At most so many entries in memory at once.
    const MOST_AT_ONCE: usize = 64;
    /// Entries of more nodes and relations than this are read one by one: about a MiB.
    const LARGE: usize = 2000;

    /// Begins after a revision; without one, at the first that is kept.
    pub async fn open(
        federation: Arc<Federation>,
        about: Option<Uid>,
        after: Option<u64>,
    ) -> Result<(Self, Head), HistoryError> {
        let head = federation.head().await?;
        let kept_after = head.kept_after();
        let after = after.unwrap_or(kept_after);
        if after < kept_after || after > head.revision {
            return Err(HistoryError::Gone { after, kept_after, last: head.revision });
        }
        Ok((Self { federation, about, after, at_once: 4, ahead: VecDeque::new() }, head))
    }

    /// The revision to go on after.
    pub fn after(&self) -> u64 {
        self.after
    }

    /// The next entry that changed nodes or relations; none when all that there is was read.
    pub async fn next(&mut self) -> Result<Option<Entry>, HistoryError> {
        loop {
            while let Some(entry) = self.ahead.pop_front() {
                self.after = entry.revision;
                if entry.changes.touches_graph() {
                    return Ok(Some(entry));
                }
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// Reads on. Says whether there was anything.
    async fn read(&mut self) -> Result<bool, HistoryError> {
        let Some(uid) = self.about else {
            let entries = self.federation.log_after(self.after, self.at_once).await?;
            if entries.first().is_some_and(|first| first.revision != self.after + 1) {
                let head = self.federation.head().await?;
                let (kept_after, last) = (head.kept_after(), head.revision);
                return Err(HistoryError::Gone { after: self.after, kept_after, last });
            }
            return Ok(self.take(entries));
        };
        let head = self.federation.head().await?;
        let entries = self.federation.log_about(uid, self.after, self.at_once).await?;
        let found = self.take(entries);
        if !found {
            self.after = self.after.max(head.revision);
        }
        Ok(found)
    }

    fn take(&mut self, entries: Vec<Entry>) -> bool {
        let large = entries.iter().any(|entry| entry.changes.len() > Self::LARGE);
        self.at_once = if large { 1 } else { (self.at_once * 2).min(Self::MOST_AT_ONCE) };
        self.ahead = entries.into();
        !self.ahead.is_empty()
    }
}
