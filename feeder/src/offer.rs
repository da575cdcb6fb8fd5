//! What a provider offers beyond the v1 document: zones, volume types, whole quota sets, services that v1 has no type
//! for. It travels beside the document and never in it, so that no v1 client sees a field that it does not know.
//!
//! An offer has lists by region. A list that any project could not read is unknown as a whole, and so the registry
//! keeps what it has of it; a list that nobody has is absent.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::{
    inventory::Provider,
    reading::{Fault, Item, Listing, Reading},
};

/// Lists of one connection, by name.
pub type Lists = Vec<(&'static str, Listing<Vec<Item>>)>;

/// What identifies an item of any list, as far as it has these fields.
const KEY: [&str; 8] = ["service", "type", "endpoint", "project", "usage", "uuid", "name", "zone"];

/// What a provider offers, by region.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Offer(BTreeMap<String, Region>);

/// What a region offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Region {
    /// Lists that were read by all projects that have them.
    lists: BTreeMap<&'static str, Vec<Item>>,
    /// Lists that were not, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unknown: BTreeMap<&'static str, String>,
    /// Why not even the names of all lists are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<String>,
}

impl Offer {
    /// All that the connections of a provider read, whatever the order of their answers.
    pub fn of(provider: &Provider, readings: &[Reading]) -> Self {
        let mut regions: BTreeMap<String, Region> = BTreeMap::new();
        for connection in &provider.connections {
            let mine = |reading: &&Reading| {
                reading.region == connection.region && reading.project_id == connection.project_id
            };
            let region = regions.entry(connection.region.clone()).or_default();
            match readings.iter().find(mine).map(|reading| &reading.offer) {
                Some(Listing::Complete(lists)) => {
                    for (name, list) in lists {
                        region.add(name, list);
                    }
                }

                Some(Listing::Unknown(fault)) => region.unread(fault),
                Some(Listing::Absent) | None => {}
            }
        }
        regions.values_mut().for_each(Region::finish);
        Self(regions)
    }

    /// Whether there is nothing to tell: of a provider that is not contacted.
    pub fn is_empty(&self) -> bool {
        let empty =
            |region: &Region| region.lists.is_empty() && region.unknown.is_empty() && region.unread.is_none();
        self.0.values().all(empty)
    }
}

impl Region {
    fn add(&mut self, name: &'static str, list: &Listing<Vec<Item>>) {
        match list {
            Listing::Complete(items) => self.lists.entry(name).or_default().extend(items.iter().cloned()),
            Listing::Unknown(fault) => drop(self.unknown.entry(name).or_insert_with(|| fault.to_string())),
            Listing::Absent => {}
        }
    }

    fn unread(&mut self, fault: &Fault) {
        self.unread.get_or_insert_with(|| fault.to_string());
    }

    fn finish(&mut self) {
        if self.unread.is_some() {
            *self = Self { unread: self.unread.take(), ..Self::default() };
        }
        self.lists.retain(|name, _| !self.unknown.contains_key(name));
        for items in self.lists.values_mut() {
            *items = united(std::mem::take(items));
        }
    }
}

/// Each item once, sorted; a private one with all projects that see it.
fn united(items: Vec<Item>) -> Vec<Item> {
    let key = |item: &Item| KEY.map(|field| item.get(field).map(Value::to_string));
    let mut united: BTreeMap<_, (Item, BTreeSet<String>)> = BTreeMap::new();
    for item in items {
        let projects: Vec<String> = item
            .get("projects")
            .and_then(|list| serde_json::from_value(list.clone()).ok())
            .unwrap_or_default();
        let (_, known) = united.entry(key(&item)).or_insert((item, BTreeSet::new()));
        known.extend(projects);
    }
    let item = |(mut item, projects): (Item, BTreeSet<String>)| {
        if item.contains_key("projects") {
            item.insert("projects".to_owned(), projects.into_iter().collect());
        }
        item
    };
    united.into_values().map(item).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{item, provider, reading, timeout};

    fn shown(offers: Vec<Listing<Lists>>) -> Value {
        let provider = provider(1, offers.len());
        let readings = provider.connections.iter().zip(offers);
        let mut readings: Vec<_> =
            readings.map(|(connection, offer)| Reading { offer, ..reading(connection, vec![]) }).collect();
        let shown = json!(Offer::of(&provider, &readings));
        readings.reverse();
        assert_eq!(json!(Offer::of(&provider, &readings)), shown, "whatever the order");
        shown
    }

    fn types(names: &[&str], project: &str) -> Listing<Lists> {
        let of = |name: &&str| match *name {
            "private" => item(json!({"uuid": name, "name": name, "projects": [project]})),
            _ => item(json!({"uuid": name, "name": name})),
        };
        Listing::Complete(vec![("volume_types", Listing::Complete(names.iter().map(of).collect()))])
    }

    #[test]
    fn lists_of_projects_are_united() {
        let offer = shown(vec![types(&["ssd", "private"], "p0"), types(&["private", "hdd", "ssd"], "p1")]);
        let private = json!({"uuid": "private", "name": "private", "projects": ["p0", "p1"]});
        let named = |name: &str| json!({"uuid": name, "name": name});
        assert_eq!(offer, json!({"R0": {"lists": {"volume_types": [named("hdd"), private, named("ssd")]}}}));
    }

    #[test]
    fn what_one_project_could_not_read_is_unknown_as_a_whole() {
        let broken = Listing::Complete(vec![
            ("volume_types", Listing::Unknown(timeout())),
            ("compute_zones", Listing::Complete(vec![])),
            ("share_types", Listing::Absent),
        ]);
        let offer = shown(vec![types(&["ssd"], "p0"), broken]);
        let why = timeout().to_string();
        assert_eq!(offer, json!({"R0": {"lists": {"compute_zones": []}, "unknown": {"volume_types": why}}}));
        let offer = shown(vec![types(&["ssd"], "p0"), Listing::Unknown(timeout())]);
        assert_eq!(offer, json!({"R0": {"lists": {}, "unread": why}}));
        let provider = provider(1, 1);
        let told = |readings: &[Reading]| !Offer::of(&provider, readings).is_empty();
        let silent = Reading::unknown(&provider.connections[0], &timeout());
        assert!(told(&[silent]) && !told(&[]), "that nothing answers is told: what is kept is stale");
    }
}
