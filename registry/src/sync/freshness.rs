//! How fresh is what the graph holds: per scope (region, project, service, list) when it was last read whole, and since
//! when and why it could not be read. Only what could not be read is kept one by one; all other scopes of a list were
//! read when the list was.

use crate::{
    federation::Snapshot,
    graph::{Graph, change::Note, plan::Scope, uid::Uid},
    notes::Notes,
};
use chrono::{DateTime, SubsecRound, Utc};
use schema::{Kind, Schema, feeding::HeldBack};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Under which path the freshness of providers is kept.
pub const UNDER: &str = "freshness/";

/// Reasons longer than this are cut, in characters.
const LONGEST_REASON: usize = 300;

/// The list that says which services a region has, and the one that says what a project is: read at every run.
const ALWAYS: [&str; 2] = ["services", "projects"];

/// What the feeder tells of one reading of a provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// When it was read.
    pub at: DateTime<Utc>,
    /// The only lists that were asked for: `quotas`. None: all.
    #[serde(default)]
    pub asked: Option<Vec<String>>,
    /// What could not be read.
    #[serde(default)]
    pub unread: Vec<Unread>,
}

/// A scope that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Which.
    #[serde(flatten)]
    pub scope: Scope,
    /// The kind of failure: `timeout`, `forbidden`.
    pub class: String,
    /// What failed, for people.
    pub reason: String,
}

/// A scope whose last state is kept because it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// Which, and why.
    #[serde(flatten)]
    pub unread: Unread,
    /// The first failure.
    pub since: DateTime<Utc>,
    /// The last failure.
    pub attempted: DateTime<Utc>,
    /// When it was last read whole; none: never.
    #[serde(default)]
    pub succeeded: Option<DateTime<Utc>>,
}

/// What is wrong with a provider as a whole: its entry in the provider files, its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The kind of failure.
    pub class: String,
    /// What failed, for people.
    pub reason: String,
    /// The first time.
    pub since: DateTime<Utc>,
}

/// How fresh a provider is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Freshness {
    /// When it was last read, well or not.
    pub attempted: DateTime<Utc>,
    /// When each list was last read, in all scopes that are not stale.
    pub lists: BTreeMap<String, DateTime<Utc>>,
    /// What could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<Stale>,
    /// What was not removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
    /// What is wrong with it as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

impl Freshness {
    /// What is kept for a provider.
    pub fn of(notes: &Notes, provider: Uid) -> Option<Self> {
        let note = notes.get(&key(provider))?;
        serde_json::from_value((**note).clone()).ok()
    }

    /// The note that keeps it.
    pub fn note(&self, provider: Uid) -> Note {
        Note { key: key(provider), value: serde_json::to_value(self).ok() }
    }

    /// After one more reading.
    pub fn after(old: Option<&Self>, told: &Told, held_back: Option<HeldBack>) -> Self {
        let nothing = Self::default();
        let before = old.unwrap_or(&nothing);
        let at = told.at.trunc_subsecs(0).max(before.attempted);
        let asked = |list: &str| {
            ALWAYS.contains(&list)
                || told.asked.as_ref().is_none_or(|asked| asked.iter().any(|asked| asked == list))
        };
        let mut lists = before.lists.clone();
        lists.extend(known_lists().into_iter().filter(|list| asked(list)).map(|list| (list.to_owned(), at)));
        let mut stale: Vec<Stale> = Vec::new();
        for unread in &told.unread {
            if stale.iter().any(|stale| stale.unread.scope == unread.scope) {
                continue;
            }
            let earlier = before.covering(&unread.scope);
            let list = unread.scope.list.as_deref().unwrap_or("services");
            let mut unread = unread.clone();
            if let Some((cut, _)) = unread.reason.char_indices().nth(LONGEST_REASON) {
                unread.reason.truncate(cut);
            }
            stale.push(Stale {
                unread,
                since: earlier.map_or(at, |stale| stale.since),
                attempted: at,
                succeeded: match earlier {
                    Some(stale) => stale.succeeded,
                    None => before.lists.get(list).copied(),
                },
            });
        }
        let not_asked = |stale: &&Stale| stale.unread.scope.list.as_deref().is_some_and(|list| !asked(list));
        let covered =
            |now: &[Stale], scope: &Scope| now.iter().any(|stale| covers(&stale.unread.scope, scope));
        let carried: Vec<Stale> = before
            .stale
            .iter()
            .filter(not_asked)
            .filter(|old| !covered(&stale, &old.unread.scope))
            .cloned()
            .collect();
        stale.extend(carried);
        stale.sort_by(|a, b| a.unread.scope.cmp(&b.unread.scope));
        Self { attempted: at, lists, stale, held_back, trouble: None }
    }

    /// With a trouble of the provider as a whole; everything else stays.
    pub fn troubled(old: Option<&Self>, class: &str, reason: &str, at: DateTime<Utc>) -> Self {
        let mut next = old.cloned().unwrap_or_default();
        let since = match &next.trouble {
            Some(trouble) if trouble.class == class => trouble.since,
            _ => at.trunc_subsecs(0),
        };
        let reason = reason.chars().take(LONGEST_REASON).collect();
        next.trouble = Some(Trouble { class: class.to_owned(), reason, since });
        next
    }

    /// Whether it says something else than times alone: worth a commit of its own.
    pub fn differs(&self, old: Option<&Self>) -> bool {
        let Some(old) = old else { return true };
        let what = |fresh: &Self| -> Vec<(Scope, String)> {
            let of = |stale: &Stale| (stale.unread.scope.clone(), stale.unread.class.clone());
            fresh.stale.iter().map(of).collect()
        };
        what(self) != what(old) || self.held_back != old.held_back || self.trouble != old.trouble
    }

    /// Whether a part of the provider is not known.
    pub fn is_limited(&self) -> bool {
        !self.stale.is_empty()
    }

    fn covering(&self, scope: &Scope) -> Option<&Stale> {
        let exact = self.stale.iter().find(|stale| stale.unread.scope == *scope);
        exact.or_else(|| self.stale.iter().find(|stale| covers(&stale.unread.scope, scope)))
    }

    /// Every scope of the provider as the graph has it, with its times.
    pub fn scopes(&self, graph: &Graph, provider: u32) -> Vec<ScopeTimes> {
        let text = |id: u32, name: &str| graph.value(id, name).as_str().unwrap_or_default().to_owned();
        let projects: Vec<String> =
            graph.neighbours(provider, "projects").map(|project| text(project, "uuid")).collect();
        let mut scopes = BTreeSet::new();
        for region in graph.neighbours(provider, "regions") {
            for service in graph.neighbours(region, "services") {
                for child in graph.entity(service).decl.children {
                    scopes.extend(projects.iter().map(|project| Scope {
                        region: text(region, "name"),
                        project: project.clone(),
                        service: Some(text(service, "type")),
                        endpoint: Some(text(service, "endpoint")),
                        list: Some(child.name.to_owned()),
                    }));
                }
            }
        }
        let known: Vec<ScopeTimes> = scopes.into_iter().map(|scope| self.times(scope)).collect();
        // of what the graph does not hold yet
        let alone = self
            .stale
            .iter()
            .filter(|stale| !known.iter().any(|times| covers(&stale.unread.scope, &times.scope)));
        let alone: Vec<_> = alone.map(|stale| self.times(stale.unread.scope.clone())).collect();
        known.into_iter().chain(alone).collect()
    }

    fn times(&self, scope: Scope) -> ScopeTimes {
        let stale = self.covering(&scope);
        let read = scope.list.as_ref().and_then(|list| self.lists.get(list)).copied();
        ScopeTimes {
            state: if stale.is_some() { "stale" } else { "fresh" },
            succeeded: stale.map_or(read, |stale| stale.succeeded),
            attempted: stale.map_or(read.unwrap_or(self.attempted), |stale| stale.attempted),
            since: stale.map(|stale| stale.since),
            class: stale.map(|stale| stale.unread.class.clone()),
            reason: stale.map(|stale| stale.unread.reason.clone()),
            scope,
        }
    }
}

/// One scope as the API shows it.
#[derive(Debug, Serialize)]
pub struct ScopeTimes {
    #[serde(flatten)]
    scope: Scope,
    state: &'static str,
    succeeded: Option<DateTime<Utc>>,
    attempted: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

fn key(provider: Uid) -> String {
    format!("{UNDER}{provider}")
}

/// Whether one scope is part of another.
fn covers(wide: &Scope, scope: &Scope) -> bool {
    let part = |wide: &Option<String>, narrow: &Option<String>| wide.is_none() || wide == narrow;
    wide.region == scope.region
        && wide.project == scope.project
        && part(&wide.service, &scope.service)
        && part(&wide.endpoint, &scope.endpoint)
        && part(&wide.list, &scope.list)
}

/// The lists that clouds tell.
pub fn known_lists() -> BTreeSet<&'static str> {
    let services = Schema::get().entities.iter().filter(|entity| entity.decl.family == Some("Service"));
    services.flat_map(|entity| entity.decl.children.iter().map(|child| child.name)).chain(ALWAYS).collect()
}

/// Whether a provider whose status is `limited` is so only because something of it cannot be read.
pub fn is_limited_by_reading(notes: &Notes, provider: Uid) -> bool {
    Freshness::of(notes, provider).is_some_and(|freshness| freshness.is_limited())
}

/// The notes of providers that are no longer there.
pub fn forgotten(snapshot: &Snapshot) -> Vec<Note> {
    let gone = |key: &str| {
        let uid = key.strip_prefix(UNDER).and_then(|uid| uid.parse().ok());
        uid.is_none_or(|uid| snapshot.graph.find_kind(Kind::Provider, uid).is_none())
    };
    let keys = snapshot.notes.under(UNDER).map(|(key, _)| key).filter(|key| gone(key));
    keys.map(|key| Note { key: key.to_owned(), value: None }).collect()
}
