//! Which providers a node belongs to, and whether a change stays within some of them.

use super::{
    Graph,
    change::{ChangeSet, Link},
    uid::Uid,
};
use schema::Kind;
use std::collections::BTreeSet;

/// A node that a change touches although it belongs to others, or to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// The node's entity.
    pub kind: Kind,
    /// The node.
    pub uid: Uid,
    /// Names of the other providers that it belongs to; none when it belongs to no provider at all.
    pub holders: Vec<String>,
}

/// The places of the providers that a node belongs to: what `held_by` of its declaration leads to. A place, an identity
/// provider, a user group and an agreement can belong to several.
pub fn holders(graph: &Graph, id: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    gather(graph, id, &mut found);
    found
}

fn gather(graph: &Graph, id: u32, found: &mut BTreeSet<u32>) {
    let entity = graph.entity(id);
    if entity.kind == Kind::Provider {
        found.insert(id);
        return;
    }
    let towards = entity.decl.held_by.iter().map(|name| graph.neighbours(id, name).collect::<Vec<_>>());
    for next in towards.filter(|next| !next.is_empty()).take(1).flatten() {
        gather(graph, next, found);
    }
}

/// Whether the node belongs to at least one provider, and to none but those of which `mine` says so.
pub fn stays_within(graph: &Graph, id: u32, mine: &dyn Fn(&Graph, u32) -> bool) -> Result<(), Beyond> {
    let holders = holders(graph, id);
    if !holders.is_empty() && holders.iter().all(|provider| mine(graph, *provider)) {
        return Ok(());
    }
    let others = holders.into_iter().filter(|provider| !mine(graph, *provider));
    let name = |provider| graph.value(provider, "name").as_str().unwrap_or_default().to_owned();
    let record = graph.record(id);
    Err(Beyond { kind: record.kind, uid: record.uid, holders: others.map(name).collect() })
}

/// Whether all that a change touches belongs to providers of which `mine` says so, before and after it: whoever may
/// write for some providers neither reaches another one's nodes through a document, nor takes them over, nor gives
/// theirs another provider's name. What is shared can be related to, not changed.
pub fn change_stays_within(
    before: &Graph,
    after: &Graph,
    changes: &ChangeSet,
    mine: &dyn Fn(&Graph, u32) -> bool,
) -> Result<(), Beyond> {
    let within = |graph: &Graph, uid: Uid| match graph.find(uid) {
        Some(id) => stays_within(graph, id, mine),
        None => Ok(()),
    };
    for node in &changes.deleted {
        within(before, node.uid)?;
    }
    for node in &changes.updated {
        within(after, node.uid)?;
        // what nobody held before may be taken into use
        match within(before, node.uid) {
            Err(beyond) if !beyond.holders.is_empty() => return Err(beyond),
            _ => {}
        }
    }
    for node in &changes.created {
        within(after, node.uid)?;
    }
    let links = |graph: &Graph, links: &[Link]| {
        links.iter().try_for_each(|link| within(graph, link.from).or_else(|_| within(graph, link.to)))
    };
    links(before, &changes.unlinked)?;
    links(after, &changes.linked)
}
