//! What answers hold: each entity in four shapes, plain and extended, for each audience.

use super::{
    names,
    parts::{Named, Part, Place, list, one_of, or_null, text, word},
};
use crate::{
    Kind,
    entity::Projects,
    field::Type,
    relation::Cascade,
    schema::{EntityInfo, Expansion},
    view::Audience,
};
use utoipa::openapi::{
    ObjectBuilder,
    schema::{SchemaType, Type as JsonType},
};

/// Adds the shapes of an entity, and what its extended ones are made of.
pub(super) fn add(named: &mut Named, entity: &EntityInfo) {
    let mut members = Vec::new();
    for audience in [Audience::Private, Audience::Public] {
        let object = plain(named, entity, audience, true);
        let view = View { root: entity, audience };
        let object = view.branches(named, object, entity, &entity.extended);
        let extended = named.add(names::extended(entity, audience), object.build());
        let object = plain(named, entity, audience, false);
        let plain = named.add(names::plain(entity, audience), object.build());
        members.push((extended, audience.schema_type(true)));
        members.push((plain, audience.schema_type(false)));
    }
    named.add(names::any(entity), one_of(members, "schema_type", entity.decl.doc));
}

fn plain(named: &mut Named, entity: &EntityInfo, audience: Audience, extended: bool) -> ObjectBuilder {
    let private = audience == Audience::Private;
    let mut object = ObjectBuilder::new().description(Some(entity.decl.doc));
    for field in entity.fields.iter().filter(|field| private || field.public) {
        object = object.property(field.name, named.field(field, Place::Answer)).required(field.name);
    }
    let schema_type = audience.schema_type(extended);
    object = object
        .property("schema_type", word(&[schema_type]).default(Some(schema_type.into())).build())
        .required("schema_type")
        .property("uid", text("32 lower-case hexadecimal characters.").build())
        .required("uid");
    if private && entity.decl.projects == Projects::Sharing {
        let flag = ObjectBuilder::new().schema_type(JsonType::Boolean);
        let flag = flag.description(Some("Whether all projects of the provider may use it."));
        object = object.property("is_shared", flag.build()).required("is_shared");
    }
    for field in entity.fields.iter().filter(|field| private && field.ty == Type::Country) {
        let name = format!("{}_code", field.name);
        let code = text("ISO 3166-1 alpha-3 code; null when the stored name is no ISO 3166-1 short name.")
            .schema_type(SchemaType::from_iter([JsonType::String, JsonType::Null]));
        object = object.property(name.clone(), code.build()).required(name);
    }
    object
}

/// An extended shape in the making.
#[derive(Clone, Copy)]
struct View<'a> {
    root: &'a EntityInfo,
    audience: Audience,
}

impl View<'_> {
    fn branches(
        self,
        named: &mut Named,
        mut object: ObjectBuilder,
        entity: &EntityInfo,
        branches: &[Expansion],
    ) -> ObjectBuilder {
        for branch in branches.iter().filter(|branch| branch.slots[entity.kind.index()].is_some()) {
            let audience = if branch.public { Audience::Public } else { self.audience };
            let view = View { audience, ..self };
            let kinds = self.targets(named, entity, branch);
            let mut members: Vec<_> =
                kinds.iter().map(|kind| (view.related(named, *kind, branch), *kind)).collect();
            let part = match members.len() {
                1 => members.remove(0).0,
                _ => view.family(named, members),
            };
            let part = match branch.many {
                true => list(part),
                false if can_be_missing(named, entity, branch) => or_null(part),
                false => part,
            };
            object = object.property(branch.name, part).required(branch.name);
        }
        object
    }

    /// The kinds that a branch can show.
    fn targets(self, named: &Named, entity: &EntityInfo, branch: &Expansion) -> Vec<Kind> {
        let Some(slot) = branch.slots[entity.kind.index()] else { return Vec::new() };
        let slot = &entity.slots[usize::from(slot)];
        let relation = named.schema.relation(slot.relation);
        let ends = if slot.outgoing { &relation.to } else { &relation.from };
        let fits = |end: &&Kind| {
            let (from, to) = if slot.outgoing { (entity.kind, **end) } else { (**end, entity.kind) };
            // a family shares its relation types; each service has quotas of its own kind only
            let declared = named.schema.entity(from).decl.relations;
            declared.iter().any(|known| known.ty == relation.decl.ty && known.to.contains(&to))
                && branch.only.is_none_or(|only| only == **end)
                && (named.schema.entity(**end).decl.v1 || !self.root.decl.v1)
        };
        ends.iter().filter(fits).copied().collect()
    }

    /// An entity as a branch shows it.
    fn related(self, named: &mut Named, kind: Kind, branch: &Expansion) -> Part {
        let entity = named.schema.entity(kind);
        let grows = branch.branches.iter().any(|below| below.slots[kind.index()].is_some());
        if !grows && branch.properties.is_none() {
            return super::parts::named(&names::plain(entity, self.audience));
        }
        let mut object = plain(named, entity, self.audience, false);
        if let Some(relation) = branch.properties {
            let mut properties = ObjectBuilder::new().description(Some(
                "How the provider trusts the identity provider: the OpenStack names, or the Kubernetes audience.",
            ));
            for field in named.schema.relation(relation).decl.properties {
                properties =
                    properties.property(field.name, named.field(field, Place::Answer)).required(field.name);
            }
            let properties = named.add("AuthMethod".to_owned(), properties.build());
            object = object.property("relationship", properties).required("relationship");
        }
        let object = self.branches(named, object, entity, &branch.branches);
        let name = if grows {
            names::nested(self.root, entity.decl.name, self.audience)
        } else {
            names::with_auth_method(entity, self.audience)
        };
        named.add(name, object.build())
    }

    /// Entities of one family, told apart by the word that is the same for all of a kind.
    fn family(self, named: &mut Named, members: Vec<(Part, Kind)>) -> Part {
        let mut family = "";
        let mut property = "";
        let mut words = Vec::new();
        for (part, kind) in members {
            let entity = named.schema.entity(kind);
            family = entity.decl.family.unwrap_or(entity.decl.name);
            for field in entity.fields.iter().filter(|field| field.constant) {
                if let Type::Enum { members: &[word, ..], .. } = field.ty {
                    property = field.name;
                    words.push((part.clone(), word));
                }
            }
        }
        named.add(
            names::nested(self.root, family, self.audience),
            one_of(words, property, "Each kind has its own shape."),
        )
    }
}

/// Whether a node can be without the one that this branch shows. It cannot where it is deleted with it.
fn can_be_missing(named: &Named, entity: &EntityInfo, branch: &Expansion) -> bool {
    let slot = branch.slots[entity.kind.index()].map(|slot| &entity.slots[usize::from(slot)]);
    slot.is_none_or(|slot| {
        let goes_with = if slot.outgoing { Cascade::Source } else { Cascade::Target };
        named.schema.relation(slot.relation).decl.cascade != goes_with
    })
}
