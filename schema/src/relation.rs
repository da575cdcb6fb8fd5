//! Relations between entities: declared where they start, named from both ends.

use crate::{Kind, field::Field};

/// What goes with a node that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cascade {
    /// Nothing.
    No,
    /// What the relation leads to, once no other relation of this type leads there.
    Target,
    /// What the relation starts from, once it leads nowhere else.
    Source,
}

/// One relation as its source declares it.
#[derive(Debug, Clone, Copy)]
pub struct Relation {
    /// Its Neo4j type.
    pub ty: &'static str,
    /// Its name at the source.
    pub name: &'static str,
    /// Whether a source can have several.
    pub many: bool,
    /// What it leads to.
    pub to: &'static [Kind],
    /// Its name at the target.
    pub inverse: &'static str,
    /// Whether a target can have several.
    pub inverse_many: bool,
    /// What goes with a deleted node.
    pub cascade: Cascade,
    /// What the relation itself holds.
    pub properties: &'static [Field],
}

impl Relation {
    /// A relation of one source to many targets that each have this one source.
    pub const fn has_many(
        ty: &'static str,
        name: &'static str,
        to: &'static [Kind],
        inverse: &'static str,
        cascade: Cascade,
    ) -> Self {
        Self { ty, name, many: true, to, inverse, inverse_many: false, cascade, properties: &[] }
    }

    /// A relation of many sources to one target each.
    pub const fn has_one(
        ty: &'static str,
        name: &'static str,
        to: &'static [Kind],
        inverse: &'static str,
        cascade: Cascade,
    ) -> Self {
        Self { ty, name, many: false, to, inverse, inverse_many: true, cascade, properties: &[] }
    }

    /// Of many sources to many targets.
    pub const fn many_to_many(mut self) -> Self {
        self.many = true;
        self.inverse_many = true;
        self
    }

    /// With properties of its own.
    pub const fn with(mut self, properties: &'static [Field]) -> Self {
        self.properties = properties;
        self
    }
}
