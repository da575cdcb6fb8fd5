//! A wanted part of the graph, and the difference from what is there.

use super::super::{
    Graph,
    change::{ChangeSet, Created, Deleted, Link, Updated},
    uid::Uid,
};
use schema::{Kind, RelationId, Value};
use std::collections::{HashMap, HashSet};

/// A node as it shall be.
#[derive(Debug)]
pub(super) struct Wanted {
    pub uid: Uid,
    /// Its place, when it is there already.
    pub id: Option<u32>,
    pub kind: Kind,
    pub shared: bool,
    pub values: Box<[Value]>,
    /// The projects that may use it, by identity; the last description holds.
    pub projects: Vec<Uid>,
}

type LinkKey = (RelationId, Uid, Uid);

/// Nodes and relations as they shall be, and the families of relations over which that is the whole truth.
pub(super) struct Draft<'a> {
    pub graph: &'a Graph,
    pub nodes: Vec<Wanted>,
    places: HashMap<Uid, usize>,
    links: HashMap<LinkKey, Vec<Value>>,
    order: Vec<LinkKey>,
    governed: Vec<(RelationId, u32, bool)>,
}

impl<'a> Draft<'a> {
    pub fn new(graph: &'a Graph) -> Self {
        Self {
            graph,
            nodes: Vec::new(),
            places: HashMap::new(),
            links: HashMap::new(),
            order: Vec::new(),
            governed: Vec::new(),
        }
    }

    /// Adds a node, or replaces what was wanted of it before.
    pub fn want(&mut self, node: Wanted) {
        if let Some(place) = self.places.get(&node.uid) {
            self.nodes[*place] = node;
        } else {
            self.places.insert(node.uid, self.nodes.len());
            self.nodes.push(node);
        }
    }

    /// What is wanted of a node so far.
    pub fn wanted(&self, uid: Uid) -> Option<&Wanted> {
        self.places.get(&uid).map(|place| &self.nodes[*place])
    }

    /// Wants a relation.
    pub fn link(&mut self, relation: RelationId, from: Uid, to: Uid, properties: Vec<Value>) {
        let key = (relation, from, to);
        let properties = if properties.iter().all(Value::is_null) { Vec::new() } else { properties };
        if self.links.insert(key, properties).is_none() {
            self.order.push(key);
        }
    }

    /// Wants the relation of this name between two known nodes as it is.
    pub fn keep(&mut self, parent: u32, name: &str, child: u32) {
        let Some((relation, from, to)) = self.between(parent, name, child) else { return };
        let properties = self.graph.properties(relation, from, to).to_vec();
        self.link(relation, self.graph.record(from).uid, self.graph.record(to).uid, properties);
    }

    /// Whether the relation of this name between two known nodes is wanted.
    pub fn keeps(&self, parent: u32, name: &str, child: u32) -> bool {
        self.between(parent, name, child).is_some_and(|(relation, from, to)| {
            let uid = |id| self.graph.record(id).uid;
            self.links.contains_key(&(relation, uid(from), uid(to)))
        })
    }

    fn between(&self, parent: u32, name: &str, child: u32) -> Option<(RelationId, u32, u32)> {
        let (_, slot) = self.graph.entity(parent).slot(name)?;
        let (from, to) = if slot.outgoing { (parent, child) } else { (child, parent) };
        Some((slot.relation, from, to))
    }

    /// Where the wanted relations of this type that start at a node lead.
    pub fn targets(&self, relation: RelationId, from: Uid) -> impl Iterator<Item = Uid> + '_ {
        let same = move |key: &&LinkKey| key.0 == relation && key.1 == from;
        self.order.iter().filter(same).map(|key| key.2)
    }

    /// Lets more projects use a wanted private node.
    pub fn allow(&mut self, uid: Uid, projects: &[Uid]) {
        if let Some(place) = self.places.get(&uid).filter(|place| !self.nodes[**place].shared) {
            self.nodes[*place].projects.extend(projects);
        }
    }

    /// Relations of the name at a known node, other than those wanted, shall go.
    pub fn govern_named(&mut self, id: u32, name: &str) {
        if let Some((_, slot)) = self.graph.entity(id).slot(name) {
            self.govern(slot.relation, id, slot.outgoing);
        }
    }

    /// Relations of this type at this end of a known node, other than those wanted, shall go.
    pub fn govern(&mut self, relation: RelationId, id: u32, outgoing: bool) {
        self.governed.push((relation, id, outgoing));
    }

    /// The difference.
    pub fn finish(mut self) -> ChangeSet {
        self.link_projects();
        let mut changes = ChangeSet::default();
        for node in &self.nodes {
            match node.id {
                None => changes.created.push(Created {
                    uid: node.uid,
                    kind: node.kind,
                    shared: node.shared,
                    values: node.values.clone(),
                }),
                Some(id) => changes.updated.extend(self.update(id, node)),
            }
        }
        for key in &self.order {
            let (relation, from, to) = *key;
            let properties = &self.links[key];
            if !self.stands(*key, properties) {
                changes.linked.push(Link { relation, from, to, properties: properties.clone() });
            }
        }
        let gone = self.gone();
        let deleted = self.cascade(&gone);
        for id in in_order(&deleted) {
            let record = self.graph.record(id);
            changes.deleted.push(Deleted { uid: record.uid, kind: record.kind, was: None });
        }
        for (relation, from, to) in gone {
            if !deleted.contains(&from) && !deleted.contains(&to) {
                let uid = |id| self.graph.record(id).uid;
                changes.unlinked.push(Link {
                    relation,
                    from: uid(from),
                    to: uid(to),
                    properties: Vec::new(),
                });
            }
        }
        changes
    }

    /// Turns the projects of shared and private resources, quotas and SLAs into relations.
    fn link_projects(&mut self) {
        for place in 0..self.nodes.len() {
            let entity = self.graph.schema.entity(self.nodes[place].kind);
            let slot = entity.slot("project").or_else(|| entity.slot("projects"));
            let (Some((_, slot)), uid) = (slot, self.nodes[place].uid) else { continue };
            if entity.decl.projects == schema::Projects::Sharing
                && let Some(id) = self.nodes[place].id
            {
                self.govern(slot.relation, id, slot.outgoing);
            }
            for project in std::mem::take(&mut self.nodes[place].projects) {
                let (from, to) = if slot.outgoing { (uid, project) } else { (project, uid) };
                self.link(slot.relation, from, to, Vec::new());
            }
        }
    }

    fn update(&self, id: u32, node: &Wanted) -> Option<Updated> {
        let record = self.graph.record(id);
        let pairs = node.values.iter().zip(&record.values).enumerate();
        let set: Vec<_> = pairs
            .filter(|(_, (new, old))| !new.says_the_same(old))
            .map(|(place, (new, _))| (place, new.clone()))
            .collect();
        let shared = (node.shared != record.shared).then_some(node.shared);
        (!set.is_empty() || shared.is_some()).then_some(Updated {
            uid: node.uid,
            kind: node.kind,
            set,
            was: Vec::new(),
            shared,
        })
    }

    fn stands(&self, (relation, from, to): LinkKey, properties: &[Value]) -> bool {
        let (Some(from), Some(to)) = (self.graph.find(from), self.graph.find(to)) else { return false };
        let same = || {
            let held = self.graph.properties(relation, from, to);
            held == properties || (held.is_empty() && properties.iter().all(Value::is_null))
        };
        self.graph.has_link(relation, from, to) && same()
    }

    /// The relations that go, each once, as places.
    fn gone(&self) -> Vec<(RelationId, u32, u32)> {
        let mut gone = Vec::new();
        let mut seen = HashSet::new();
        for &(relation, id, outgoing) in &self.governed {
            let Some((place, _)) = self.graph.entity(id).end(relation, outgoing) else { continue };
            for other in self.graph.node(id).links[usize::from(place)].iter() {
                let (from, to) = if outgoing { (id, other) } else { (other, id) };
                let key = (relation, self.graph.record(from).uid, self.graph.record(to).uid);
                if !self.links.contains_key(&key) && seen.insert((relation, from, to)) {
                    gone.push((relation, from, to));
                }
            }
        }
        gone
    }

    fn cascade(&self, gone: &[(RelationId, u32, u32)]) -> HashSet<u32> {
        if gone.is_empty() {
            return HashSet::new();
        }
        let starts = self.order.iter().map(|(relation, from, _)| (*relation, *from, true));
        let ends = self.order.iter().map(|(relation, _, to)| (*relation, *to, false));
        let held: HashSet<_> = starts.chain(ends).collect();
        let wanted =
            |relation, id: u32, outgoing| held.contains(&(relation, self.graph.record(id).uid, outgoing));
        let keep = |id: u32| self.wanted(self.graph.record(id).uid).is_some();
        super::delete::cascade(self.graph, &[], gone, wanted, keep)
    }
}

/// Places in order of creation.
pub(super) fn in_order(ids: &HashSet<u32>) -> impl Iterator<Item = u32> + use<> {
    let mut sorted: Vec<u32> = ids.iter().copied().collect();
    sorted.sort_unstable();
    sorted.into_iter()
}
