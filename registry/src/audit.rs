//! What a store holds against what its log says: somebody may have edited the database by hand.

use crate::{
    graph::{Graph, change::ChangeSet, digest::Digest, uid::Uid},
    store::{Entry, Store, StoreError},
};
use schema::{RelationId, Value};
use std::collections::BTreeMap;

const AT_ONCE: usize = 256;
/// How many differences are told.
const TOLD: usize = 10;

/// What differs, one sentence each; none when the store is as its log says.
pub async fn audit(store: &dyn Store, graph: &Graph, revision: u64) -> Result<Vec<String>, StoreError> {
    let mut after = store.head().await?.oldest.saturating_sub(1);
    let whole = after == 0;
    let (mut last, mut known) = (None::<Entry>, Known::default());
    let mut replayed = whole.then(|| Graph::empty(graph.schema));
    while after < revision {
        let entries = store.log_after(after, AT_ONCE).await?;
        let Some(newest) = entries.last() else { break };
        after = newest.revision;
        for entry in entries.into_iter().filter(|entry| entry.revision <= revision) {
            replayed = replayed.and_then(|graph| graph.apply(&entry.changes).ok());
            known.learn(&entry.changes);
            last = Some(entry);
        }
    }
    let logged: Option<Digest> = last.as_ref().and_then(|entry| entry.digest);
    if logged.is_none_or(|digest| digest == graph.digest()) {
        return Ok(Vec::new());
    }
    let told = match replayed.filter(|replayed| Some(replayed.digest()) == logged) {
        Some(replayed) => all(graph, &replayed, &replayed.changes_to(graph)),
        None => known.differences(graph),
    };
    let more = told.len().saturating_sub(TOLD);
    let mut told: Vec<_> = told.into_iter().take(TOLD).collect();
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    if told.is_empty() {
        told.push("something that was not changed since the log begins".to_owned());
    }
    Ok(told)
}

fn name(graph: &Graph, uid: Uid) -> String {
    let Some(id) = graph.find(uid) else { return format!("node {uid}") };
    let text = graph.value(id, "name").as_str().map(|name| format!(" '{name}'")).unwrap_or_default();
    format!("{}{text} {uid}", graph.entity(id).decl.name)
}

/// Each change that leads from what the log says to what is there.
fn all(graph: &Graph, logged: &Graph, changes: &ChangeSet) -> Vec<String> {
    let fields = |uid, set: &[(usize, Value)]| {
        let names = set
            .iter()
            .map(|(place, _)| graph.find(uid).map_or("", |id| graph.entity(id).fields[*place].name));
        names.collect::<Vec<_>>().join(", ")
    };
    let relation = |link: &crate::graph::change::Link| {
        let ty = graph.schema.relation(link.relation).decl.ty;
        format!("{ty} from {} to {}", name(graph, link.from), name(graph, link.to))
    };
    let gone = changes.deleted.iter().map(|node| format!("{} is gone", name(logged, node.uid)));
    let new = changes.created.iter().map(|node| format!("{} is new", name(graph, node.uid)));
    let other = changes
        .updated
        .iter()
        .map(|node| format!("{} has another {}", name(graph, node.uid), fields(node.uid, &node.set)));
    let unlinked = changes.unlinked.iter().map(|link| format!("{} is gone", relation(link)));
    let linked = changes.linked.iter().map(|link| format!("{} is new", relation(link)));
    gone.chain(new).chain(other).chain(unlinked).chain(linked).collect()
}

/// What a log that does not reach back to the beginning says of what it speaks of.
#[derive(Default)]
struct Known {
    /// Values by place; `None` when the node is gone.
    nodes: BTreeMap<Uid, Option<BTreeMap<usize, Value>>>,
    /// Whether the relation is there.
    links: BTreeMap<(RelationId, Uid, Uid), bool>,
}

impl Known {
    fn learn(&mut self, changes: &ChangeSet) {
        for link in &changes.unlinked {
            self.links.insert((link.relation, link.from, link.to), false);
        }
        for node in &changes.deleted {
            self.nodes.insert(node.uid, None);
            self.links.retain(|(_, from, to), _| *from != node.uid && *to != node.uid);
        }
        for node in &changes.created {
            self.nodes.insert(node.uid, Some(node.values.iter().cloned().enumerate().collect()));
        }
        for node in &changes.updated {
            let values = self.nodes.entry(node.uid).or_default().get_or_insert_default();
            values.extend(node.set.iter().cloned());
        }
        for link in &changes.linked {
            self.links.insert((link.relation, link.from, link.to), true);
        }
    }

    fn differences(&self, graph: &Graph) -> Vec<String> {
        let mut told = Vec::new();
        for (uid, values) in &self.nodes {
            match (values, graph.find(*uid)) {
                (Some(_), None) => told.push(format!("node {uid} is gone")),
                (None, Some(_)) => told.push(format!("{} is there again", name(graph, *uid))),
                (Some(values), Some(id)) => {
                    let record = graph.record(id);
                    let other = values.iter().filter(|(place, value)| record.values[**place] != **value);
                    let names: Vec<_> =
                        other.map(|(place, _)| graph.entity(id).fields[*place].name).collect();
                    if !names.is_empty() {
                        told.push(format!("{} has another {}", name(graph, *uid), names.join(", ")));
                    }
                }
                (None, None) => {}
            }
        }
        for ((relation, from, to), there) in &self.links {
            let ends = graph.find(*from).zip(graph.find(*to));
            let found = ends.is_some_and(|(from, to)| graph.has_link(*relation, from, to));
            if found != *there && ends.is_some() {
                let ty = graph.schema.relation(*relation).decl.ty;
                let what = if found { "there again" } else { "gone" };
                told.push(format!("{ty} from {} to {} is {what}", name(graph, *from), name(graph, *to)));
            }
        }
        told
    }
}
