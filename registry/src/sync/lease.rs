//! Who may write: one feeder at a time. Each new holder gets a higher number (a fencing token), and what comes with an
//! earlier one is refused: a feeder that was slow, or cut off, or started by mistake, does no harm.

use crate::{graph::change::Note, notes::Notes};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

const KEY: &str = "lease/feeder";

/// The shortest and the longest lease, in seconds.
pub const SECONDS: std::ops::RangeInclusive<u32> = 5..=3600;

/// The feeder's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose it is.
    pub holder: String,
    /// Its fencing token: higher for each holder.
    pub fence: u64,
    /// Until when nobody else gets it.
    pub expires: DateTime<Utc>,
}

/// What a feeder asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// A name for people.
    pub holder: String,
    /// For how many seconds.
    pub seconds: u32,
    /// The token that it has, to keep it.
    #[serde(default)]
    pub fence: Option<u64>,
}

/// Why it does not get it, or may not write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody has it.
    #[error("the feeder {holder} has the lease until {expires}: only one may write")]
    Held {
        /// Who.
        holder: String,
        /// Until when, at the longest.
        expires: DateTime<Utc>,
    },
    /// Somebody got it since.
    #[error(
        "the fencing token {0} is no longer the current one: another feeder has taken over, and this one must stop"
    )]
    Late(u64),
}

impl Lease {
    /// The lease as it is.
    pub fn of(notes: &Notes) -> Option<Self> {
        serde_json::from_value((**notes.get(KEY)?).clone()).ok()
    }

    /// The note that keeps it.
    pub fn note(&self) -> Note {
        Note { key: KEY.to_owned(), value: serde_json::to_value(self).ok() }
    }

    /// Gives it, or keeps it with who has it.
    pub fn take(old: Option<&Self>, ask: &Ask, now: DateTime<Utc>) -> Result<Self, Refused> {
        let fence = match (old, ask.fence) {
            (Some(lease), Some(fence)) if lease.fence == fence => fence,
            (_, Some(fence)) => return Err(Refused::Late(fence)),
            (Some(lease), None) if lease.expires > now => {
                return Err(Refused::Held { holder: lease.holder.clone(), expires: lease.expires });
            }
            (old, None) => old.map_or(0, |lease| lease.fence) + 1,
        };
        let expires = (now + TimeDelta::seconds(ask.seconds.into())).trunc_subsecs(0);
        Ok(Self { holder: ask.holder.clone(), fence, expires })
    }

    /// Given back: the next one gets it at once.
    pub fn released(self, now: DateTime<Utc>) -> Self {
        Self { expires: self.expires.min(now.trunc_subsecs(0)), ..self }
    }

    /// Whether a write with this token may go on. An expired lease that nobody else took is still good.
    pub fn check(notes: &Notes, fence: u64) -> Result<Self, Refused> {
        Self::of(notes).filter(|lease| lease.fence == fence).ok_or(Refused::Late(fence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(holder: &str, fence: Option<u64>) -> Ask {
        Ask { holder: holder.to_owned(), seconds: 60, fence }
    }

    #[test]
    fn one_at_a_time_each_with_a_higher_token() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let first = Lease::take(None, &ask("a", None), at(0)).unwrap();
        assert_eq!((first.fence, first.expires), (1, at(60)));
        let held = Lease::take(Some(&first), &ask("b", None), at(59)).unwrap_err();
        assert!(held.to_string().contains("the feeder a has the lease until 1970-01-01"), "{held}");
        let kept = Lease::take(Some(&first), &ask("a", Some(1)), at(50)).unwrap();
        assert_eq!((kept.fence, kept.expires), (1, at(110)));
        let second = Lease::take(Some(&kept), &ask("b", None), at(110)).unwrap();
        assert_eq!(second.fence, 2);
        assert_eq!(Lease::take(Some(&second), &ask("a", Some(1)), at(111)), Err(Refused::Late(1)));
        let third = Lease::take(Some(&second.released(at(112))), &ask("a", None), at(112)).unwrap();
        assert_eq!(third.fence, 3);
        let notes: Notes = [third.note()].into_iter().collect();
        assert_eq!(Lease::check(&notes, 2), Err(Refused::Late(2)));
        assert_eq!(Lease::check(&notes, 3), Ok(third));
    }
}
