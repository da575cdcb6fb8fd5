//! What this process can do for its clients: whether it has a graph, whether the store answers, and how new both are.

use super::Federation;
use chrono::{DateTime, Utc};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Where the graph that is served comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Held {
    /// There is none yet: nothing can be answered.
    #[default]
    Nothing,
    /// From a file that an earlier process left behind: it can be read, not written.
    File,
    /// From the store.
    Store,
}

/// The store does not answer, or not as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub since: DateTime<Utc>,
    /// What it is, for operators.
    pub why: String,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// What is served.
    pub held: Held,
    /// What is wrong with the store, while something is.
    pub trouble: Option<Arc<Trouble>>,
    /// Whether the store is shared with others, and asked for their changes.
    pub follows: bool,
}

impl Standing {
    /// Why nothing can be written now.
    pub(super) fn read_only(&self) -> Option<String> {
        match (&self.trouble, self.held) {
            (Some(trouble), _) => Some(trouble.why.clone()),
            (None, Held::Store) => None,
            (None, _) => Some("the store was not reached yet".to_owned()),
        }
    }
}

/// A revision that a client has seen already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The life of the store that it belongs to; whichever, when the client does not say.
    pub epoch: Option<String>,
    /// The revision.
    pub revision: u64,
}

impl Known {
    /// Reads `EPOCH-REVISION` and an `ETag`, which begins like that; or a revision alone.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches("W/").trim_matches('"');
        if let Ok(revision) = text.parse() {
            return Some(Self { epoch: None, revision });
        }
        let (epoch, rest) = text.split_once('-').filter(|(epoch, _)| !epoch.is_empty())?;
        let revision = rest.split('-').next()?.parse().ok()?;
        Some(Self { epoch: Some(epoch.to_owned()), revision })
    }
}

/// Why a revision that a client knows cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// It did not arrive here in time.
    Late,
    /// It belongs to another life of the store.
    OtherLife,
}

impl Federation {
    /// What this process can do now.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until this process has at least what a client knows. `firmly`: for the whole time although the store itself
    /// has no such revision, which can be late as well.
    pub async fn at_least(&self, known: &Known, time: Duration, firmly: bool) -> Result<(), Behind> {
        let mut looks = self.follower.looks();
        let until = Instant::now() + time;
        let mut last = false;
        loop {
            let snapshot = self.snapshot();
            let same_life = known.epoch.as_deref().is_none_or(|epoch| epoch == &*snapshot.epoch);
            if same_life && snapshot.revision >= known.revision {
                return Ok(());
            }
            let behind = if same_life { Behind::Late } else { Behind::OtherLife };
            if last || !self.standing.borrow().follows {
                return Err(behind);
            }
            self.follower.wake();
            if timeout_at(until, looks.changed()).await.is_err() {
                return Err(behind);
            }
            last = !firmly;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn what_clients_send_names_a_revision() {
        let known = |epoch: Option<&str>, revision| Some(Known { epoch: epoch.map(str::to_owned), revision });
        assert_eq!(Known::parse("57"), known(None, 57));
        assert_eq!(Known::parse(" 0a1b2c3d-57 "), known(Some("0a1b2c3d"), 57));
        assert_eq!(Known::parse("W/\"0a1b2c3d-57-64f0a-p\""), known(Some("0a1b2c3d"), 57));
        for text in ["", "*", "x", "-", "0a1b2c3d-", "0a1b2c3d-x-1", "-1", "W/\"\""] {
            assert_eq!(Known::parse(text), None, "{text}");
        }
    }
}
