//! All declarations together, with what reading a graph wants to know at once: places instead of names.

use crate::{
    Kind,
    entity::{DECLARATIONS, Entity, Projects},
    field::Field,
    relation::Relation,
    view::{Branch, Via},
};
use std::sync::LazyLock;

/// The place of a relation in [`Schema::relations`].
pub type RelationId = u8;

/// The declarations, compiled once.
#[derive(Debug)]
pub struct Schema {
    /// One entry for each kind, in the order of [`Kind::ALL`].
    pub entities: Vec<EntityInfo>,
    /// Each relation type once.
    pub relations: Vec<RelationInfo>,
}

/// A declaration with its fields and relations in one list each.
#[derive(Debug)]
pub struct EntityInfo {
    /// Which one.
    pub kind: Kind,
    /// As declared.
    pub decl: Entity,
    /// All its fields; a node holds its values in this order.
    pub fields: Vec<Field>,
    /// The relations that start or end here; a node holds its neighbours in this order.
    pub slots: Vec<Slot>,
    /// Its `_extended` shape.
    pub extended: Vec<Expansion>,
}

/// One end of a relation, as a node of one kind sees it.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Its name at this end.
    pub name: &'static str,
    /// Which relation.
    pub relation: RelationId,
    /// Whether it starts here.
    pub outgoing: bool,
    /// Whether a node of this kind can have several.
    pub many: bool,
}

/// A relation type, over all entities that declare it.
#[derive(Debug)]
pub struct RelationInfo {
    /// As the first of them declares it.
    pub decl: Relation,
    /// Where it can start.
    pub from: Vec<Kind>,
    /// Where it can end.
    pub to: Vec<Kind>,
}

/// A [`Branch`] with places instead of names.
#[derive(Debug)]
pub struct Expansion {
    /// Its name in the answer.
    pub name: &'static str,
    /// `,"name":`
    pub key: Vec<u8>,
    /// For each kind, the slot to follow; none where the kind has no such relation: then the name is not shown.
    pub slots: Vec<Option<u8>>,
    /// Whether a project's own and the shared resources of its services are meant.
    pub usable: bool,
    /// A list, or one node.
    pub many: bool,
    /// Only nodes of this kind.
    pub only: Option<Kind>,
    /// The public shape, whoever asks.
    pub public: bool,
    /// The relation whose properties to show under `relationship`.
    pub properties: Option<RelationId>,
    /// What is below.
    pub branches: Vec<Expansion>,
}

static V1: LazyLock<Schema> = LazyLock::new(|| Schema::compile(DECLARATIONS));

impl Schema {
    /// The declarations of this version.
    pub fn get() -> &'static Self {
        &V1
    }

    /// The declarations of this version with one more field for one entity, as a test wants them. What it
    /// holds is never given back.
    pub fn with_field(kind: Kind, field: Field) -> &'static Self {
        let mut declarations = DECLARATIONS.to_vec();
        let more: &'static [Field] = Box::leak(Box::new([field]));
        let fields = [declarations[kind.index()].fields, &[more]].concat();
        declarations[kind.index()].fields = Box::leak(fields.into_boxed_slice());
        Box::leak(Box::new(Self::compile(&declarations)))
    }

    fn compile(declarations: &[Entity]) -> Self {
        let mut relations: Vec<RelationInfo> = Vec::new();
        for (&kind, decl) in Kind::ALL.iter().zip(declarations) {
            for relation in decl.relations {
                let known = relations.iter().position(|known| known.decl.ty == relation.ty);
                let place = known.unwrap_or_else(|| {
                    relations.push(RelationInfo { decl: *relation, from: Vec::new(), to: Vec::new() });
                    relations.len() - 1
                });
                relations[place].from.push(kind);
                for to in
                    relation.to.iter().filter(|to| !relations[place].to.contains(to)).collect::<Vec<_>>()
                {
                    relations[place].to.push(*to);
                }
            }
        }
        let entities = Kind::ALL.iter().zip(declarations).map(|(&kind, decl)| EntityInfo {
            kind,
            decl: *decl,
            fields: decl.fields.concat(),
            slots: slots(kind, &relations),
            extended: Vec::new(),
        });
        let mut schema = Self { entities: entities.collect(), relations };
        for (i, decl) in declarations.iter().enumerate() {
            schema.entities[i].extended = schema.expand(decl.extended);
        }
        schema
    }

    fn expand(&self, branches: &[Branch]) -> Vec<Expansion> {
        branches.iter().map(|branch| self.expansion(branch)).collect()
    }

    fn expansion(&self, branch: &Branch) -> Expansion {
        let (Via::Relation(name) | Via::Usable(name)) = branch.via;
        let slots: Vec<Option<u8>> =
            self.entities.iter().map(|entity| entity.slot(name).map(|(place, _)| place)).collect();
        let first = self.entities.iter().find_map(|entity| entity.slot(name));
        Expansion {
            name: branch.name,
            key: format!(",\"{}\":", branch.name).into_bytes(),
            slots,
            usable: matches!(branch.via, Via::Usable(_)),
            many: first.is_none_or(|(_, slot)| slot.many),
            only: branch.only,
            public: branch.public,
            properties: branch.properties.then(|| first.map(|(_, slot)| slot.relation)).flatten(),
            branches: self.expand(branch.branches),
        }
    }

    /// One declaration.
    pub fn entity(&self, kind: Kind) -> &EntityInfo {
        &self.entities[kind.index()]
    }

    /// One relation.
    pub fn relation(&self, id: RelationId) -> &RelationInfo {
        &self.relations[usize::from(id)]
    }

    /// The relation of a Neo4j type.
    pub fn relation_of_type(&self, ty: &str) -> Option<RelationId> {
        let place = self.relations.iter().position(|relation| relation.decl.ty == ty)?;
        u8::try_from(place).ok()
    }

    /// The kind of a name: `ComputeService`.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.entities.iter().find(|entity| entity.decl.name == name).map(|entity| entity.kind)
    }
}

fn slots(kind: Kind, relations: &[RelationInfo]) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (relation, id) in relations.iter().zip(0..) {
        let Relation { name, many, inverse, inverse_many, .. } = relation.decl;
        if relation.from.contains(&kind) {
            slots.push(Slot { name, relation: id, outgoing: true, many });
        }
        if relation.to.contains(&kind) {
            slots.push(Slot { name: inverse, relation: id, outgoing: false, many: inverse_many });
        }
    }
    slots
}

impl EntityInfo {
    /// The place and slot of the relation of this name.
    pub fn slot(&self, name: &str) -> Option<(u8, &Slot)> {
        (0..).zip(&self.slots).find(|(_, slot)| slot.name == name)
    }

    /// The place and slot of one end of a relation.
    pub fn end(&self, relation: RelationId, outgoing: bool) -> Option<(u8, &Slot)> {
        (0..).zip(&self.slots).find(|(_, slot)| slot.relation == relation && slot.outgoing == outgoing)
    }

    /// The place of a field.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Its Neo4j labels, the most special first.
    pub fn labels(&self, shared: bool) -> Vec<String> {
        let name = self.decl.name;
        match (self.decl.projects, self.decl.family) {
            (Projects::Sharing, _) => {
                vec![format!("{}{name}", if shared { "Shared" } else { "Private" }), name.into()]
            }
            (_, Some(family)) => vec![name.into(), family.into()],
            _ => vec![name.into()],
        }
    }
}
