//! Moving the snapshot forward.

use super::{
    Graph, Node, Record,
    change::{ChangeSet, Created, Link, Updated},
    digest::{of_link, of_node},
    ids::Ids,
    uid::Uid,
};
use schema::{RelationId, Schema, Value};
use std::sync::Arc;

/// A change set that does not fit the graph that it is applied to: it was computed against another revision.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// It speaks of a node that is not there.
    #[error("the change names node {0}, which is not in this revision of the graph")]
    NoNode(Uid),
    /// It creates a node that is there.
    #[error("the change creates node {0}, which is in this revision of the graph already")]
    Exists(Uid),
    /// It relates two nodes that cannot be related so.
    #[error("the change relates {from} and {to} by {relation}, which their kinds do not have")]
    Relation {
        /// The relation's type.
        relation: &'static str,
        /// Where it starts.
        from: Uid,
        /// Where it ends.
        to: Uid,
    },
}

impl Graph {
    /// A graph of these nodes, in this order, and relations.
    pub fn build(
        schema: &'static Schema,
        nodes: impl IntoIterator<Item = Created>,
        links: impl IntoIterator<Item = Link>,
    ) -> Result<Self, Misfit> {
        let mut graph = Self::empty(schema);
        for node in nodes {
            graph.create(Record::new(node))?;
        }
        for link in links {
            graph.link(&link, true)?;
        }
        Ok(graph)
    }

    /// The next snapshot. This one stays as it is, also when the change does not fit.
    pub fn apply(&self, changes: &ChangeSet) -> Result<Self, Misfit> {
        let mut next = self.clone();
        for link in &changes.unlinked {
            next.link(link, false)?;
        }
        for deleted in &changes.deleted {
            next.delete(deleted.uid)?;
        }
        for created in &changes.created {
            next.create(Record::new(created.clone()))?;
        }
        for updated in &changes.updated {
            next.update(updated)?;
        }
        for link in &changes.linked {
            next.link(link, true)?;
        }
        Ok(next)
    }

    fn place(&self, uid: Uid) -> Result<u32, Misfit> {
        self.find(uid).ok_or(Misfit::NoNode(uid))
    }

    fn create(&mut self, record: Record) -> Result<(), Misfit> {
        if self.find(record.uid).is_some() {
            return Err(Misfit::Exists(record.uid));
        }
        let links = vec![Ids::default(); self.schema.entity(record.kind).slots.len()].into();
        let record = Arc::new(record);
        let id = self.nodes.push(Node { record: Arc::clone(&record), links });
        self.index(id, &record, true);
        Ok(())
    }

    fn update(&mut self, updated: &Updated) -> Result<(), Misfit> {
        let id = self.place(updated.uid)?;
        let old = Arc::clone(&self.node(id).record);
        let mut new = old.to_created();
        new.shared = updated.shared.unwrap_or(new.shared);
        for (place, value) in &updated.set {
            new.values[*place] = value.clone();
        }
        for (place, field) in self.schema.entity(old.kind).fields.iter().enumerate() {
            if field.indexed && old.values[place] != new.values[place] {
                self.index_value(id, old.kind, place, &old.values[place], false);
                self.index_value(id, old.kind, place, &new.values[place], true);
            }
        }
        let new = Record::new(new);
        self.digest.take(of_node(self.schema, &old));
        self.digest.add(of_node(self.schema, &new));
        if let Some(node) = self.nodes.get_mut(id) {
            node.record = Arc::new(new);
        }
        Ok(())
    }

    fn delete(&mut self, uid: Uid) -> Result<(), Misfit> {
        let id = self.place(uid)?;
        let node = self.node(id).clone();
        for (slot, ids) in self.schema.entity(node.record.kind).slots.iter().zip(&node.links) {
            for other in ids.iter() {
                let (from, to) = if slot.outgoing { (id, other) } else { (other, id) };
                // a node that is related to itself has the relation in two slots
                if slot.outgoing || other != id {
                    self.forget_link(slot.relation, from, to);
                }
                self.properties.remove(&(slot.relation, from, to));
                if other != id
                    && let Some((place, _)) = self.entity(other).end(slot.relation, !slot.outgoing)
                    && let Some(node) = self.nodes.get_mut(other)
                {
                    node.links[usize::from(place)].remove(id);
                }
            }
        }
        self.index(id, &node.record, false);
        self.nodes.remove(id);
        Ok(())
    }

    fn link(&mut self, link: &Link, add: bool) -> Result<(), Misfit> {
        let (from, to) = (self.place(link.from)?, self.place(link.to)?);
        let ends = (self.entity(from).end(link.relation, true), self.entity(to).end(link.relation, false));
        let (Some((out, _)), Some((back, _))) = ends else {
            let relation = self.schema.relation(link.relation).decl.ty;
            return Err(Misfit::Relation { relation, from: link.from, to: link.to });
        };
        if self.has_link(link.relation, from, to) {
            self.forget_link(link.relation, from, to);
        }
        if add {
            self.digest.add(link.digest(self.schema));
        }
        for (id, slot, other) in [(from, out, to), (to, back, from)] {
            if let Some(node) = self.nodes.get_mut(id) {
                let ids = &mut node.links[usize::from(slot)];
                if add { ids.insert(other) } else { ids.remove(other) }
            }
        }
        let key = (link.relation, from, to);
        if add && link.properties.iter().any(|value| *value != Value::Null) {
            self.properties.insert(key, link.properties.clone().into());
        } else {
            self.properties.remove(&key);
        }
        Ok(())
    }

    /// Takes a relation out of the digest.
    fn forget_link(&mut self, relation: RelationId, from: u32, to: u32) {
        let (start, end) = (self.record(from).uid, self.record(to).uid);
        let part = of_link(self.schema, relation, start, end, self.properties(relation, from, to));
        self.digest.take(part);
    }
}
