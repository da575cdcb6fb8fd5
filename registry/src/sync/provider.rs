//! What the feeder sends of one provider, and the one change that it is: the graph, and how fresh that is.

use super::{
    difference::differences,
    forget,
    freshness::{Freshness, Told, is_limited_by_reading},
};
use crate::{
    federation::Snapshot,
    graph::{
        Graph,
        apply::Misfit,
        change::{ChangeSet, Updated},
        plan::{self, Refused, Unknown},
        uid::Uid,
    },
};
use schema::{
    Entity, Kind, Projects, Value,
    document::Item,
    entity::Scope,
    feeding::{Action, Difference, Done, HeldBack, Outcome},
};
use serde::Deserialize;
use serde_json::Value as Json;
use std::fmt::Write as _;

/// The body of a request: a document, and how much of the provider it knows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// The provider document, as `POST /providers/` takes it.
    pub document: Json,
    /// What was read and what not.
    pub read: Told,
    /// Which part of the provider's nodes may go at once, from 0 to 1; more is held back.
    pub removal_limit: f64,
    /// Let go whatever it is.
    #[serde(default)]
    pub confirm_removals: bool,
}

/// Why there is no change.
#[derive(Debug, thiserror::Error)]
pub enum Impossible {
    /// The document cannot be.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A fault of ours.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// The provider that a document describes.
pub fn find(graph: &Graph, name: &str, kind: &str) -> Option<u32> {
    let place = graph.schema.entity(Kind::Provider).field("name")?;
    graph.with_text(Kind::Provider, place, name).find(|id| graph.value(*id, "type").as_str() == Some(kind))
}

/// The change, and what it comes to.
pub fn reconcile(
    snapshot: &Snapshot,
    sent: &Sent,
    mut document: Item,
    fresh: &mut dyn FnMut() -> Uid,
) -> Result<(Done, ChangeSet), Impossible> {
    let graph = &snapshot.graph;
    let text = |name: &str| document.get(graph.schema, name).as_str().unwrap_or_default().to_owned();
    let stored = find(graph, &text("name"), &text("type"));
    let old = stored.and_then(|id| Freshness::of(&snapshot.notes, graph.record(id).uid));
    let mut freshness = Freshness::after(old.as_ref(), &sent.read, None);
    let declared = text("status");
    let limited = declared == "active" && freshness.is_limited();
    if limited && let Some(place) = graph.schema.entity(Kind::Provider).field("status") {
        document.values[place] = Some(Value::text("limited"));
    }
    let mut unknown = Unknown {
        scopes: sent.read.unread.iter().map(|unread| unread.scope.clone()).collect(),
        asked: sent.read.asked.clone(),
        keep_all: false,
    };
    let (uid, mut changes) = match stored {
        None => plan::create(graph, &document, fresh)?,
        Some(id) => {
            let mut changes = plan::replace_known(graph, id, &document, &unknown, fresh)?;
            if let Some(too_much) = too_much(graph, id, &changes, sent) {
                unknown.keep_all = true;
                changes = plan::replace_known(graph, id, &document, &unknown, fresh)?;
                freshness.held_back = Some(too_much);
            }
            tell_another_reason(snapshot, id, limited, &mut changes);
            (graph.record(id).uid, changes)
        }
    };
    let touches = changes.touches_graph();
    let recorded = touches || freshness.differs(old.as_ref());
    let done = Done {
        uid: (stored.is_some() || touches).then(|| uid.to_string()),
        outcome: match stored {
            None => Outcome::Created,
            Some(_) if touches => Outcome::Updated,
            Some(_) => Outcome::NotModified,
        },
        added: changes.created.len(),
        changed: 0,
        removed: changes.deleted.len(),
        held_back: freshness.held_back,
        status: if limited { "limited".to_owned() } else { declared },
        recorded,
        digest: String::new(),
        changes: None,
    };
    let done = described(graph, done, &changes)?;
    if recorded {
        changes.notes.push(freshness.note(uid));
    }
    Ok((done, changes))
}

/// The change that removes a provider and all that is kept of it.
pub fn remove(snapshot: &Snapshot, provider: u32) -> Result<(Done, ChangeSet), Impossible> {
    let graph = &snapshot.graph;
    let uid = graph.record(provider).uid;
    let mut changes = plan::delete(graph, provider);
    let done = Done {
        uid: Some(uid.to_string()),
        outcome: Outcome::Removed,
        added: 0,
        changed: 0,
        removed: changes.deleted.len(),
        held_back: None,
        status: "removed".to_owned(),
        recorded: true,
        digest: String::new(),
        changes: None,
    };
    let done = described(graph, done, &changes)?;
    changes.notes.extend(forget(&snapshot.notes, uid));
    Ok((done, changes))
}

/// Says what the change does, and names it by that: uids that are made anew each time are no part of the name, nor is
/// what providers share, which another one may have brought meanwhile.
fn described(graph: &Graph, done: Done, changes: &ChangeSet) -> Result<Done, Misfit> {
    let after = graph.apply(changes)?;
    let differences = differences(graph, &after, changes);
    let own = |one: &&Difference| {
        let decl = graph.schema.kind(&one.kind).map(|kind| graph.schema.entity(kind).decl);
        let shared =
            |decl: Entity| decl.common || decl.projects == Projects::One && decl.scope == Scope::Federation;
        !decl.is_some_and(shared)
    };
    let own: Vec<&Difference> = differences.iter().filter(own).collect();
    let whole = serde_json::to_vec(&own).unwrap_or_default();
    let mut digest = String::new();
    for byte in ring::digest::digest(&ring::digest::SHA256, &whole).as_ref() {
        let _ = write!(digest, "{byte:02x}");
    }
    let changed = differences.iter().filter(|one| one.action == Action::Change).count();
    Ok(Done { digest, changed, changes: Some(differences), ..done })
}

/// What would go, when that is more than may go at once.
fn too_much(graph: &Graph, provider: u32, changes: &ChangeSet, sent: &Sent) -> Option<HeldBack> {
    let remove = changes.deleted.len();
    if remove == 0 || sent.confirm_removals {
        return None;
    }
    let of = plan::delete(graph, provider).deleted.len();
    #[expect(clippy::cast_precision_loss, reason = "a provider has far fewer than 2^52 nodes")]
    let part = remove as f64 / of as f64;
    (part > sent.removal_limit).then_some(HeldBack { remove, of, limit: sent.removal_limit })
}

/// A provider that stays `limited`, but now by its provider file instead of by what could not be read, or the other
/// way round: filters tell these apart, so the state of the graph must move although no value does.
fn tell_another_reason(snapshot: &Snapshot, provider: u32, limited: bool, changes: &mut ChangeSet) {
    let graph = &snapshot.graph;
    let record = graph.record(provider);
    let (status, place) =
        (graph.value(provider, "status"), graph.schema.entity(Kind::Provider).field("status"));
    let (Some(place), false) = (place, changes.touches_graph()) else { return };
    if status.as_str() == Some("limited") && is_limited_by_reading(&snapshot.notes, record.uid) != limited {
        let (set, was) = (vec![(place, status.clone())], vec![status.clone()]);
        changes.updated.push(Updated { uid: record.uid, kind: record.kind, set, was, shared: None });
    }
}
