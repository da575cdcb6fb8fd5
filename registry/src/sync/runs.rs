//! The feeder's runs: those that somebody asked for, and records of those that were made. The newest are kept.

use super::freshness::Told;
use crate::{graph::change::Note, notes::Notes};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

const RUNS: &str = "runs/";
const REQUESTS: &str = "run-requests/";

/// How many records are kept.
pub const KEPT: usize = 100;

/// How many requests may wait.
pub const WAITING: usize = 10;

/// A run that somebody asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ask {
    /// Names of the only providers to read; none: all.
    pub providers: Vec<String>,
    /// Remove also what would be held back.
    pub confirm_removals: bool,
}

/// A run that was asked for and not made yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// When.
    pub requested: DateTime<Utc>,
    /// By whom: issuer and subject.
    pub by: String,
    /// What.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What became of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// When it started.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub finished: DateTime<Utc>,
    /// Whether anything went wrong.
    pub failed: bool,
    /// The requests that it did.
    #[serde(default)]
    pub requests: Vec<String>,
    /// What became of each provider.
    #[serde(default)]
    pub providers: Vec<ProviderRecord>,
    /// What else the feeder says.
    #[serde(flatten)]
    pub more: Map<String, Json>,
}

/// What became of one provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProviderRecord {
    /// Its name.
    pub name: String,
    /// Its technology.
    #[serde(rename = "type")]
    pub kind: String,
    /// What became of it: `updated`.
    pub outcome: String,
    /// What was read, when no write has told it: kept as the provider's freshness, not in the record.
    #[serde(default, skip_serializing)]
    pub read: Option<Told>,
    /// What is wrong with it as a whole.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// What else the feeder says.
    #[serde(flatten)]
    pub more: Map<String, Json>,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// The kind of failure.
    pub class: String,
    /// What, and what to do.
    pub message: String,
}

/// Whether a text can be the id of a run: its start, and something that tells it from others.
pub fn is_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (8..=64).contains(&id.len()) && id.bytes().all(fits)
}

impl Request {
    /// The note that keeps it.
    pub fn note(&self) -> Note {
        Note { key: format!("{REQUESTS}{}", self.id), value: serde_json::to_value(self).ok() }
    }

    /// All that wait, oldest first.
    pub fn waiting(notes: &Notes) -> Vec<Self> {
        let read = |json: &Json| serde_json::from_value(json.clone()).ok();
        let mut waiting: Vec<Self> = notes.under(REQUESTS).filter_map(|(_, json)| read(json)).collect();
        waiting.sort_by_key(|request| request.requested);
        waiting
    }
}

impl Record {
    /// Forgets requests that ask for more than these providers: they are for another feeder.
    pub fn keep_requests_within(&mut self, names: &BTreeSet<String>, notes: &Notes) {
        let waiting = Request::waiting(notes);
        let within = |request: &Request| {
            let providers = &request.ask.providers;
            !providers.is_empty() && providers.iter().all(|name| names.contains(name))
        };
        self.requests.retain(|id| waiting.iter().any(|request| request.id == *id && within(request)));
    }

    /// The notes that keep it: itself, and what no longer stays beside it.
    pub fn notes(&self, id: &str, notes: &Notes) -> Vec<Note> {
        let own = format!("{RUNS}{id}");
        let mut changes = vec![Note { key: own.clone(), value: serde_json::to_value(self).ok() }];
        let others: Vec<&str> = notes.under(RUNS).map(|(key, _)| key).filter(|key| *key != own).collect();
        let old = others.len().saturating_sub(KEPT - 1);
        let done = self.requests.iter().map(|id| format!("{REQUESTS}{id}"));
        let done = done.filter(|key| notes.get(key).is_some());
        let gone = others[..old].iter().map(|key| (*key).to_owned()).chain(done);
        changes.extend(gone.map(|key| Note { key, value: None }));
        changes
    }
}

/// Whether a run of this id is kept that is not this one.
pub fn is_another(notes: &Notes, id: &str, record: &Record) -> bool {
    notes
        .get(&format!("{RUNS}{id}"))
        .is_some_and(|kept| serde_json::to_value(record).ok().as_ref() != Some(&**kept))
}

/// The record of a run.
pub fn record(notes: &Notes, id: &str) -> Option<Json> {
    notes.get(&format!("{RUNS}{id}")).map(|json| with_id(id, json))
}

/// The newest records, without what became of each provider.
pub fn newest(notes: &Notes, limit: usize) -> Vec<Json> {
    let brief = |(key, json): (&str, &std::sync::Arc<Json>)| {
        let mut brief = with_id(key.strip_prefix(RUNS).unwrap_or(key), json);
        if let Some(object) = brief.as_object_mut() {
            let outcomes = object.shift_remove("providers").unwrap_or_default();
            let mut counts: Map<String, Json> = Map::new();
            for outcome in outcomes.as_array().into_iter().flatten().filter_map(|one| one["outcome"].as_str())
            {
                let before = counts.get(outcome).and_then(Json::as_u64).unwrap_or_default();
                counts.insert(outcome.to_owned(), (before + 1).into());
            }
            object.insert("outcomes".to_owned(), counts.into());
        }
        brief
    };
    notes.under(RUNS).rev().take(limit).map(brief).collect()
}

fn with_id(id: &str, json: &Json) -> Json {
    let mut whole = Map::new();
    whole.insert("id".to_owned(), id.into());
    whole.extend(json.as_object().cloned().unwrap_or_default());
    whole.into()
}
