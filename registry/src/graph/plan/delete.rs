//! Deleting, and what goes along.

use super::{
    super::{
        Graph,
        change::{ChangeSet, Deleted},
    },
    draft::in_order,
};
use schema::{RelationId, relation::Cascade};
use std::collections::HashSet;

/// The change that deletes a node and what the contract says goes with it.
pub fn delete(graph: &Graph, id: u32) -> ChangeSet {
    let deleted = cascade(graph, &[id], &[], |_, _, _| false, |_| false);
    let record = |id| graph.record(id);
    let deleted =
        in_order(&deleted).map(|id| Deleted { uid: record(id).uid, kind: record(id).kind, was: None });
    ChangeSet { deleted: deleted.collect(), ..ChangeSet::default() }
}

/// All that goes when these nodes and relations go: along each cascading relation, a node that is left without
/// any other such relation. `wanted` says whether a new relation of a type will hold a node at one end; `keep`,
/// that a node stays in any case.
pub(super) fn cascade(
    graph: &Graph,
    nodes: &[u32],
    links: &[(RelationId, u32, u32)],
    wanted: impl Fn(RelationId, u32, bool) -> bool,
    keep: impl Fn(u32) -> bool,
) -> HashSet<u32> {
    let cut: HashSet<_> = links.iter().copied().collect();
    let mut deleted: HashSet<u32> = nodes.iter().copied().collect();
    // (node that may go, relation, whether the relation starts at it)
    let mut doubtful: Vec<(u32, RelationId, bool)> = Vec::new();
    for &(relation, from, to) in links {
        match graph.schema.relation(relation).decl.cascade {
            Cascade::Target => doubtful.push((to, relation, false)),
            Cascade::Source => doubtful.push((from, relation, true)),
            Cascade::No => {}
        }
    }
    let mut fresh: Vec<u32> = nodes.to_vec();
    loop {
        while let Some(id) = fresh.pop() {
            for (slot, ids) in graph.entity(id).slots.iter().zip(&graph.node(id).links) {
                let goes_along = match graph.schema.relation(slot.relation).decl.cascade {
                    Cascade::Target => slot.outgoing,
                    Cascade::Source => !slot.outgoing,
                    Cascade::No => false,
                };
                if goes_along {
                    doubtful.extend(ids.iter().map(|other| (other, slot.relation, !slot.outgoing)));
                }
            }
        }
        let Some((id, relation, outgoing)) = doubtful.pop() else { return deleted };
        if deleted.contains(&id) || keep(id) || wanted(relation, id, outgoing) {
            continue;
        }
        let held = graph.entity(id).end(relation, outgoing).is_some_and(|(place, _)| {
            graph.node(id).links[usize::from(place)].iter().any(|other| {
                let link = if outgoing { (relation, id, other) } else { (relation, other, id) };
                !deleted.contains(&other) && !cut.contains(&link)
            })
        });
        if !held {
            deleted.insert(id);
            fresh.push(id);
        }
    }
}
