//! What providers offer beyond v1: lists by region, kept as a note beside the graph, each with when it was read.
//!
//! The same rule as for the graph: what could not be read stays, and says since when and why it is stale.

use crate::{
    graph::{change::Note, uid::Uid},
    notes::Notes,
};
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// Under which path offers are kept.
pub const UNDER: &str = "offer/";

/// What the feeder sends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// When it was read.
    at: DateTime<Utc>,
    /// Regions by name.
    regions: BTreeMap<String, SentRegion>,
}

/// What was read of a region.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentRegion {
    /// Lists that were read whole.
    #[serde(default)]
    lists: BTreeMap<String, Vec<Map<String, Json>>>,
    /// Lists that were not, and why.
    #[serde(default)]
    unknown: BTreeMap<String, String>,
    /// Why not even the names of all lists are known.
    #[serde(default)]
    unread: Option<String>,
}

/// What is kept and served: lists by region and name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offer(BTreeMap<String, BTreeMap<String, List>>);

/// A list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct List {
    /// What was read last; none: it never was.
    items: Option<Vec<Map<String, Json>>>,
    /// When it was read so first.
    changed_at: Option<DateTime<Utc>>,
    /// Since when it cannot be read, and why.
    stale: Option<Stale>,
}

/// Why a list is as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stale {
    /// The first failure.
    since: DateTime<Utc>,
    /// What failed last.
    reason: String,
}

impl Offer {
    /// That of a provider.
    pub fn of(notes: &Notes, provider: Uid) -> Option<Self> {
        let kept = notes.get(&format!("{UNDER}{provider}"))?;
        serde_json::from_value((**kept).clone()).ok()
    }

    /// As it is kept.
    pub fn note(&self, provider: Uid) -> Note {
        Note { key: format!("{UNDER}{provider}"), value: serde_json::to_value(self).ok() }
    }

    /// What it is after a reading: what was read whole is new, what was not stays, what is gone goes.
    pub fn after(&self, sent: Sent) -> Self {
        let now = sent.at.trunc_subsecs(0);
        let none = BTreeMap::new();
        let before = |region: &str| self.0.get(region).unwrap_or(&none);
        let after = sent.regions.into_iter().map(|(name, region)| {
            let lists = region.after(before(&name), now);
            (name, lists)
        });
        Self(after.collect())
    }
}

impl SentRegion {
    fn after(self, before: &BTreeMap<String, List>, now: DateTime<Utc>) -> BTreeMap<String, List> {
        let stale = |list: Option<&List>, reason: &str| {
            let mut list = list.cloned().unwrap_or_default();
            let since = list.stale.as_ref().map_or(now, |stale| stale.since);
            list.stale = Some(Stale { since, reason: reason.to_owned() });
            list
        };
        if let Some(reason) = &self.unread {
            return before.iter().map(|(name, list)| (name.clone(), stale(Some(list), reason))).collect();
        }
        let unknown =
            self.unknown.iter().map(|(name, reason)| (name.clone(), stale(before.get(name), reason)));
        let mut after: BTreeMap<String, List> = unknown.collect();
        for (name, items) in self.lists {
            let same = before.get(&name).filter(|known| known.items.as_ref() == Some(&items));
            let changed_at = same.and_then(|known| known.changed_at).or(Some(now));
            after.insert(name, List { items: Some(items), changed_at, stale: None });
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(minute: u32) -> DateTime<Utc> {
        format!("2026-11-28T08:{minute:02}:00Z").parse().unwrap()
    }

    fn after(before: &Offer, sent: Json, minute: u32) -> Offer {
        let body = Map::from_iter([("at".to_owned(), json!(at(minute))), ("regions".to_owned(), sent)]);
        before.after(serde_json::from_value(Json::Object(body)).unwrap())
    }

    #[test]
    fn what_could_not_be_read_stays_and_what_is_gone_goes() {
        let ssd = json!([{"name": "ssd"}]);
        let first = after(
            &Offer::default(),
            json!({"R1": {"lists": {"volume_types": ssd, "zones": []}}, "R2": {"lists": {"zones": []}}}),
            1,
        );
        let list =
            |items: &Json, changed: u32| json!({"items": items, "changed_at": at(changed), "stale": null});
        assert_eq!(json!(first)["R1"]["volume_types"], list(&ssd, 1));

        let same = after(&first, json!({"R1": {"lists": {"volume_types": ssd}}}), 2);
        assert_eq!(json!(same), json!({"R1": {"volume_types": list(&ssd, 1)}}), "zones and R2 are gone");

        let failed =
            after(&same, json!({"R1": {"unknown": {"volume_types": "HTTP 500", "zones": "HTTP 403"}}}), 3);
        let failed = after(&failed, json!({"R1": {"unread": "no answer"}}), 4);
        let stale = |items: Json, changed: Json| json!({"items": items, "changed_at": changed, "stale": {"since": at(3), "reason": "no answer"}});
        let expected = json!({"R1": {"volume_types": stale(ssd.clone(), json!(at(1))), "zones": stale(json!(null), json!(null))}});
        assert_eq!(json!(failed), expected);

        let back = after(&failed, json!({"R1": {"lists": {"volume_types": []}}}), 5);
        assert_eq!(json!(back), json!({"R1": {"volume_types": list(&json!([]), 5)}}));
    }
}
