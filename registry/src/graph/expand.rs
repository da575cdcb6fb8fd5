//! Writing nodes and what they are related to, straight from the graph into the answer.

use super::{Graph, select::Special};
use schema::{Audience, Expansion, Kind, view::write_key};

/// Writes nodes of one snapshot in one shape.
#[derive(Clone, Copy)]
pub struct Writer<'a> {
    /// The snapshot.
    pub graph: &'a Graph,
    /// Whom the answer is for.
    pub audience: Audience,
    /// With what is related.
    pub extended: bool,
    /// What to leave out of that.
    pub special: &'a Special,
}

impl Writer<'_> {
    /// Appends a node.
    pub fn node(&self, id: u32, out: &mut Vec<u8>) {
        let record = self.graph.record(id);
        record.plain(self.graph.schema, self.audience).open(self.extended, out);
        if self.extended {
            let entity = self.graph.schema.entity(record.kind);
            self.branches(id, &entity.extended, self.audience, entity.decl.v1, out);
        }
        out.push(b'}');
    }

    fn branches(&self, id: u32, branches: &[Expansion], audience: Audience, v1: bool, out: &mut Vec<u8>) {
        let node = self.graph.node(id);
        for branch in branches {
            let Some(slot) = branch.slots[node.record.kind.index()] else { continue };
            out.extend_from_slice(&branch.key);
            let shape = Shape {
                branch,
                parent: id,
                audience: if branch.public { Audience::Public } else { audience },
                v1,
            };
            if branch.usable {
                let ids = self.usable(id, branch.name);
                self.list(ids.into_iter(), shape, out);
            } else if branch.many {
                self.list(node.links[usize::from(slot)].iter(), shape, out);
            } else {
                match node.links[usize::from(slot)].iter().find(|other| self.shows(*other, shape)) {
                    Some(other) => self.related(other, shape, out),
                    None => out.extend_from_slice(b"null"),
                }
            }
        }
    }

    fn list(&self, ids: impl Iterator<Item = u32>, shape: Shape, out: &mut Vec<u8>) {
        out.push(b'[');
        let mut first = true;
        for id in ids.filter(|id| self.shows(*id, shape)) {
            if !first {
                out.push(b',');
            }
            first = false;
            self.related(id, shape, out);
        }
        out.push(b']');
    }

    fn shows(&self, id: u32, shape: Shape) -> bool {
        let kind = self.graph.record(id).kind;
        let entity = self.graph.schema.entity(kind);
        shape.branch.only.is_none_or(|only| only == kind)
            && (entity.decl.v1 || !shape.v1)
            && (self.special.is_empty() || self.special.keeps(self.graph, shape.branch.name, id))
    }

    fn related(&self, id: u32, shape: Shape, out: &mut Vec<u8>) {
        let Shape { branch, parent, audience, v1 } = shape;
        self.graph.record(id).plain(self.graph.schema, audience).open(false, out);
        if let Some(relation) = branch.properties {
            self.relationship(relation, parent, id, out);
        }
        self.branches(id, &branch.branches, audience, v1, out);
        out.push(b'}');
    }

    fn relationship(&self, relation: u8, parent: u32, id: u32, out: &mut Vec<u8>) {
        let outgoing = self.graph.entity(parent).end(relation, true).is_some();
        let (from, to) = if outgoing { (parent, id) } else { (id, parent) };
        let values = self.graph.properties(relation, from, to);
        out.extend_from_slice(b",\"relationship\":{");
        for (i, field) in self.graph.schema.relation(relation).decl.properties.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_key(field.name, out);
            values.get(i).unwrap_or(&schema::Value::Null).write_v1(field, out);
        }
        out.push(b'}');
    }

    /// What a project can use: its own, and what is shared on the services on which it has a quota.
    fn usable(&self, project: u32, name: &str) -> Vec<u32> {
        let graph = self.graph;
        let mut services: Vec<u32> = graph
            .neighbours(project, "quotas")
            .filter(|quota| graph.record(*quota).kind != Kind::StorageClassQuota)
            .filter_map(|quota| graph.neighbour(quota, "service"))
            .collect();
        services.sort_unstable();
        services.dedup();
        let shared = services.iter().flat_map(|service| graph.neighbours(*service, name));
        let shared = shared.filter(|id| graph.record(*id).shared);
        let mut ids: Vec<u32> = graph.neighbours(project, name).chain(shared).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// How the nodes of one branch are shown.
#[derive(Clone, Copy)]
struct Shape<'a> {
    branch: &'a Expansion,
    parent: u32,
    audience: Audience,
    v1: bool,
}
