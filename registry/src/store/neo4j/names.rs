//! Labels and relation types, all from the declarations; and those of the registry's own bookkeeping nodes.

use schema::{EntityInfo, Kind, RelationId, Schema};

/// The one node with revision and epoch, `key` = [`GRAPH`]; a lock on it is a lock on the graph.
pub(super) const META: &str = "FedRegMeta";
/// Its key.
pub(super) const GRAPH: &str = "graph";
/// One node for each kept entry of the change log.
pub(super) const LOG: &str = "FedRegLog";
/// One node for each note.
pub(super) const NOTE: &str = "FedRegNote";
/// Property of the nodes that the registry made: their place in the order of creation. The earlier registry does not
/// look at properties that it does not know.
pub(super) const ORDER: &str = "fedreg_order";

/// The label that all nodes of a family share: the one that has the constraint, and by which nodes are found.
pub(super) fn base(entity: &EntityInfo) -> String {
    entity.labels(false).pop().unwrap_or_default()
}

/// Each base label once.
pub(super) fn bases(schema: &Schema) -> Vec<String> {
    let mut bases: Vec<String> = schema.entities.iter().map(base).collect();
    bases.sort();
    bases.dedup();
    bases
}

/// Base labels of the two ends of a relation. (All kinds at one end are of one family: a test looks.)
pub(super) fn ends(schema: &Schema, relation: RelationId) -> (String, String) {
    let relation = schema.relation(relation);
    let base_of = |kinds: &[Kind]| kinds.first().map(|kind| base(schema.entity(*kind))).unwrap_or_default();
    (base_of(&relation.from), base_of(&relation.to))
}

/// What the constraints hold apart: label and property.
pub(super) fn unique(schema: &Schema) -> Vec<(String, &'static str)> {
    let own = [(META, "key"), (LOG, "revision"), (NOTE, "key")]
        .map(|(label, property)| (label.to_owned(), property));
    bases(schema).into_iter().map(|label| (label, "uid")).chain(own).collect()
}

/// What a node is, as its labels say.
pub(super) struct Labels<'a>(pub &'a [&'a str]);

impl Labels<'_> {
    fn has(&self, label: &str) -> bool {
        self.0.contains(&label)
    }

    /// Kind and sharing; a label of a family alone is not enough.
    pub fn kind(&self, schema: &Schema) -> Option<(Kind, bool)> {
        let special = |entity: &EntityInfo, shared: bool| {
            entity.labels(shared).first().is_some_and(|label| self.has(label))
        };
        schema.entities.iter().find_map(|entity| {
            let shared = [false, true].into_iter().find(|shared| special(entity, *shared))?;
            Some((entity.kind, shared && entity.labels(true) != entity.labels(false)))
        })
    }

    /// The kinds of the family, when only its label is there.
    pub fn family<'s>(&self, schema: &'s Schema) -> Vec<&'s EntityInfo> {
        schema.entities.iter().filter(|entity| self.has(&base(entity))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_of_a_relation_is_of_one_family() {
        let schema = Schema::get();
        for relation in &schema.relations {
            for kinds in [&relation.from, &relation.to] {
                let mut bases: Vec<String> = kinds.iter().map(|kind| base(schema.entity(*kind))).collect();
                bases.dedup();
                assert_eq!(bases.len(), 1, "{}: {bases:?}", relation.decl.ty);
            }
        }
        assert_eq!(bases(schema).len(), 13, "the node labels of the contract");
    }

    #[test]
    fn labels_say_the_kind() {
        let kind = |labels: &[&str]| Labels(labels).kind(Schema::get());
        assert_eq!(kind(&["Provider"]), Some((Kind::Provider, false)));
        assert_eq!(kind(&["Flavor", "SharedFlavor"]), Some((Kind::Flavor, true)));
        assert_eq!(kind(&["Mine", "PrivateFlavor", "Flavor"]), Some((Kind::Flavor, false)));
        assert_eq!(kind(&["Service", "ComputeService"]), Some((Kind::ComputeService, false)));
        assert_eq!(kind(&["Service"]), None);
        assert_eq!(kind(&["Mine"]), None);
    }
}
