//! Who may write: one feeder at a time, at each provider. Each new holder gets a higher number (a fencing token), and what comes with an
//! earlier one is refused: a feeder that was slow, or cut off, or started by mistake, does no harm.

use crate::{graph::change::Note, notes::Notes};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const KEY: &str = "lease/feeder";

/// The shortest and the longest lease, in seconds.
pub const SECONDS: std::ops::RangeInclusive<u32> = 5..=3600;

/// Which providers somebody writes: those of these names, or all.
pub type Scope = Option<BTreeSet<String>>;

/// A feeder's lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose it is.
    pub holder: String,
    /// Its fencing token: higher for each holder.
    pub fence: u64,
    /// Until when nobody else gets it.
    pub expires: DateTime<Utc>,
    /// The names of the only providers that it is good for, when its holder may write no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub providers: Scope,
}

/// Who holds what. No two of them are good for the same provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    /// The highest token that was given.
    fence: u64,
    #[serde(default)]
    held: Vec<Lease>,
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

fn overlap(one: &Scope, other: &Scope) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => !one.is_disjoint(other),
        _ => true,
    }
}

impl Leases {
    /// As they are.
    pub fn of(notes: &Notes) -> Self {
        let kept = notes.get(KEY).and_then(|json| serde_json::from_value((**json).clone()).ok());
        kept.unwrap_or_default()
    }

    /// The note that keeps them.
    pub fn note(&self) -> Note {
        Note { key: KEY.to_owned(), value: serde_json::to_value(self).ok() }
    }

    /// The newest that is good for any of these providers.
    pub fn newest(self, scope: &Scope) -> Option<Lease> {
        self.held.into_iter().filter(|lease| overlap(&lease.providers, scope)).max_by_key(|lease| lease.fence)
    }

    /// Gives one to somebody who may write this much, or keeps it with who has it. Whoever may write everything waits
    /// for nobody who may not: a feeder of one provider cannot hold up the federation.
    pub fn take(mut self, ask: &Ask, scope: Scope, now: DateTime<Utc>) -> Result<(Lease, Self), Refused> {
        let fence = if let Some(fence) = ask.fence {
            self.check(fence, &scope)?.fence
        } else {
            let in_the_way = |lease: &&Lease| {
                lease.expires > now
                    && overlap(&lease.providers, &scope)
                    && (scope.is_some() || lease.providers.is_none())
            };
            if let Some(lease) = self.held.iter().find(in_the_way) {
                return Err(Refused::Held { holder: lease.holder.clone(), expires: lease.expires });
            }
            self.fence += 1;
            self.fence
        };
        let expires = (now + TimeDelta::seconds(ask.seconds.into())).trunc_subsecs(0);
        self.held.retain(|lease| !overlap(&lease.providers, &scope));
        let lease = Lease { holder: ask.holder.clone(), fence, expires, providers: scope };
        self.held.push(lease.clone());
        Ok((lease, self))
    }

    /// With one given back: the next one gets it at once.
    pub fn released(mut self, fence: u64, now: DateTime<Utc>) -> Self {
        for lease in self.held.iter_mut().filter(|lease| lease.fence == fence) {
            lease.expires = lease.expires.min(now.trunc_subsecs(0));
        }
        self
    }

    /// Whether a write with this token, by somebody who may write this much, may go on. An expired lease that nobody
    /// else took is still good.
    pub fn check(&self, fence: u64, scope: &Scope) -> Result<&Lease, Refused> {
        let own = |lease: &&Lease| lease.fence == fence && lease.providers == *scope;
        self.held.iter().find(own).ok_or(Refused::Late(fence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(holder: &str, fence: Option<u64>) -> Ask {
        Ask { holder: holder.to_owned(), seconds: 60, fence }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn of(names: &str) -> Scope {
        (names != "all").then(|| names.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn one_at_a_time_each_with_a_higher_token() {
        let (first, leases) = Leases::default().take(&ask("a", None), None, at(0)).unwrap();
        assert_eq!((first.fence, first.expires), (1, at(60)));
        let held = leases.clone().take(&ask("b", None), None, at(59)).unwrap_err();
        assert!(held.to_string().contains("the feeder a has the lease until 1970-01-01"), "{held}");
        let (kept, leases) = leases.take(&ask("a", Some(1)), None, at(50)).unwrap();
        assert_eq!((kept.fence, kept.expires), (1, at(110)));
        let (second, leases) = leases.take(&ask("b", None), None, at(110)).unwrap();
        assert_eq!(second.fence, 2);
        let late = leases.clone().take(&ask("a", Some(1)), None, at(111));
        assert_eq!(late, Err(Refused::Late(1)));
        let (third, leases) = leases.released(2, at(112)).take(&ask("a", None), None, at(112)).unwrap();
        assert_eq!(third.fence, 3);
        let notes: Notes = [leases.note()].into_iter().collect();
        assert_eq!(Leases::of(&notes).check(2, &None), Err(Refused::Late(2)));
        assert_eq!(Leases::of(&notes).check(3, &None), Ok(&third));
    }

    #[test]
    fn a_feeder_of_some_providers_holds_up_neither_others_nor_the_whole_federation() {
        let (_, leases) = Leases::default().take(&ask("a", None), of("a b"), at(0)).unwrap();
        let held = leases.clone().take(&ask("also a", None), of("b"), at(1)).unwrap_err();
        assert!(matches!(held, Refused::Held { .. }), "{held}");
        let (other, leases) = leases.take(&ask("c", None), of("c"), at(1)).unwrap();
        assert_eq!((other.fence, leases.check(1, &of("a b")).is_ok()), (2, true), "side by side");

        let (all, leases) = leases.take(&ask("all", None), None, at(2)).unwrap();
        assert_eq!(all.fence, 3, "at once");
        for (fence, scope) in [(1, of("a b")), (2, of("c")), (3, of("c"))] {
            assert_eq!(leases.check(fence, &scope), Err(Refused::Late(fence)), "and theirs are over");
            let keep = leases.clone().take(&ask("c", Some(fence)), scope, at(3));
            assert_eq!(keep, Err(Refused::Late(fence)), "nobody keeps, or changes, what is not theirs");
        }
        let held = leases.clone().take(&ask("c", None), of("c"), at(3)).unwrap_err();
        assert!(held.to_string().contains("the feeder all has the lease"), "{held}");

        let (again, leases) = leases.take(&ask("c", None), of("c"), at(62)).unwrap();
        assert_eq!((again.fence, leases.check(3, &None)), (4, Err(Refused::Late(3))), "it had expired");
        assert_eq!(leases.clone().newest(&of("a")), None);
        assert_eq!(leases.newest(&None), Some(again));
    }

    #[test]
    fn the_lease_of_an_older_version_is_over_and_its_token_is_not_given_again() {
        let old = serde_json::json!({"holder": "a", "fence": 7, "expires": "1970-01-01T00:01:00Z"});
        let notes: Notes = [Note { key: KEY.to_owned(), value: Some(old) }].into_iter().collect();
        assert_eq!(Leases::of(&notes).check(7, &None), Err(Refused::Late(7)));
        assert_eq!(Leases::of(&notes).take(&ask("b", None), None, at(0)).unwrap().0.fence, 8);
    }
}
