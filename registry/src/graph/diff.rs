//! What leads from one graph to another.

use super::{
    Graph,
    change::{ChangeSet, Deleted, Link, Updated},
};

impl Graph {
    /// The change that makes this graph equal to another one. Orders of creation are not compared: nodes that are new
    /// come in the order of the other graph.
    pub fn changes_to(&self, other: &Self) -> ChangeSet {
        let (before, after) = (self.export(), other.export());
        let mut changes = ChangeSet::default();
        let same_kind = |uid| {
            let kind = |export: &super::Export| export.nodes.get(uid).map(|(kind, ..)| *kind);
            kind(&before).is_some() && kind(&before) == kind(&after)
        };
        for id in self.iter() {
            let record = self.record(id);
            if !same_kind(&record.uid) {
                changes.deleted.push(Deleted { uid: record.uid, kind: record.kind, was: None });
            }
        }
        for id in other.iter() {
            let record = other.record(id);
            if !same_kind(&record.uid) {
                changes.created.push(record.to_created());
                continue;
            }
            let (_, shared, values) = &before.nodes[&record.uid];
            let set = record.values.iter().enumerate().filter(|(place, value)| **value != values[*place]);
            let set: Vec<_> = set.map(|(place, value)| (place, value.clone())).collect();
            let shared = (record.shared != *shared).then_some(record.shared);
            if !set.is_empty() || shared.is_some() {
                let (uid, kind, was) = (record.uid, record.kind, Vec::new());
                changes.updated.push(Updated { uid, kind, set, was, shared });
            }
        }
        let stays = |from, to| same_kind(from) && same_kind(to);
        let link = |(&(relation, from, to), properties): (&_, &Vec<_>)| Link {
            relation,
            from,
            to,
            properties: properties.clone(),
        };
        for (key, properties) in &before.links {
            if stays(&key.1, &key.2) && !after.links.contains_key(key) {
                changes.unlinked.push(link((key, properties)));
            }
        }
        for (key, properties) in &after.links {
            if !stays(&key.1, &key.2) || before.links.get(key) != Some(properties) {
                changes.linked.push(link((key, properties)));
            }
        }
        changes.remember(self);
        changes
    }
}
