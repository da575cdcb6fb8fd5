//! The schemas of the shapes: what answers hold and what documents may say.

use crate::{
    Kind,
    entity::{Child, Projects},
    field::{Field, Otherwise, Type},
    schema::{EntityInfo, Expansion, Schema},
    view::Audience,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use utoipa::openapi::{
    Array, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema as Shape, SchemaFormat,
    schema::{AdditionalProperties, AnyOfBuilder, SchemaType, Type as JsonType},
};

type Part = RefOr<Shape>;

/// Every named schema.
pub(super) fn all(schema: &Schema) -> BTreeMap<String, Part> {
    let mut shapes = Shapes { schema, named: BTreeMap::new() };
    for entity in &schema.entities {
        shapes.entity(entity);
    }
    shapes.faults();
    shapes.named
}

struct Shapes<'a> {
    schema: &'a Schema,
    named: BTreeMap<String, Part>,
}

/// A reference to a named schema.
pub(super) fn named(name: &str) -> Part {
    Ref::from_schema_name(name).into()
}

fn list(of: Part) -> Part {
    Array::new(of).into()
}

fn null() -> Part {
    ObjectBuilder::new().schema_type(JsonType::Null).build().into()
}

fn any_of(parts: impl IntoIterator<Item = Part>) -> Part {
    RefOr::T(Shape::AnyOf(parts.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item).build()))
}

fn one_of(parts: impl IntoIterator<Item = Part>, doc: &str) -> Part {
    let one = parts.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item);
    RefOr::T(Shape::OneOf(one.description(Some(doc)).build()))
}

fn suffix(audience: Audience) -> &'static str {
    match audience {
        Audience::Public => "Public",
        Audience::Private => "",
    }
}

impl Shapes<'_> {
    fn entity(&mut self, entity: &EntityInfo) {
        let name = entity.decl.name;
        let mut members = Vec::new();
        for audience in [Audience::Private, Audience::Public] {
            let view = name.trim_end_matches("Service").trim_end_matches("Quota");
            let extended = format!("{name}ReadExtended{}", suffix(audience));
            let plain = format!("{name}Read{}", suffix(audience));
            let object = self.plain(entity, audience, false);
            self.named.insert(plain.clone(), object.build().into());
            let object = self.plain(entity, audience, true);
            let object = self.branches(object, view, entity.kind, &entity.extended, audience, entity.decl.v1);
            self.named.insert(extended.clone(), object.build().into());
            members.extend([extended, plain]);
        }
        let single = members.iter().map(|member| named(member));
        self.named.insert(format!("{name}ReadSingle"), one_of(single, entity.decl.doc));
        let multi = members.iter().map(|member| list(named(member)));
        self.named.insert(format!("{name}ReadMulti"), one_of(multi, entity.decl.doc));

        let update = entity
            .fields
            .iter()
            .fold(ObjectBuilder::new(), |object, field| object.property(field.name, self.property(field)));
        let update = update.description(Some("What it does not name stays. null clears."));
        self.named
            .insert(format!("{name}Update"), update.additional_properties(Some(closed())).build().into());
        self.create(entity);
    }

    /// The plain shape of answers.
    fn plain(&mut self, entity: &EntityInfo, audience: Audience, extended: bool) -> ObjectBuilder {
        let mut object = ObjectBuilder::new().description(Some(entity.decl.doc));
        for field in entity.fields.iter().filter(|field| audience == Audience::Private || field.public) {
            object = object.property(field.name, self.property(field)).required(field.name);
        }
        let schema_type = audience.schema_type(extended);
        object =
            object.property("schema_type", word(&[schema_type], Some(schema_type))).required("schema_type");
        object = object.property("uid", text(None)).required("uid");
        if audience == Audience::Private {
            if entity.decl.projects == Projects::Sharing {
                object =
                    object.property("is_shared", ObjectBuilder::new().schema_type(JsonType::Boolean).build());
                object = object.required("is_shared");
            }
            for field in entity.fields.iter().filter(|field| field.ty == Type::Country) {
                let doc = "ISO 3166-1 alpha-3 code.";
                let name = format!("{}_code", field.name);
                let code = ObjectBuilder::new().schema_type(or_null(JsonType::String)).description(Some(doc));
                object = object.property(name.clone(), code.build()).required(name);
            }
        }
        object
    }

    /// Adds the branches of an extended shape of one kind.
    fn branches(
        &mut self,
        mut object: ObjectBuilder,
        view: &str,
        kind: Kind,
        branches: &[Expansion],
        audience: Audience,
        v1: bool,
    ) -> ObjectBuilder {
        for branch in branches.iter().filter(|branch| branch.slots[kind.index()].is_some()) {
            let audience = if branch.public { Audience::Public } else { audience };
            let kinds = self.targets(kind, branch, v1);
            let mut parts: Vec<Part> =
                kinds.iter().map(|kind| self.related(view, *kind, branch, audience, v1)).collect();
            let part = if parts.len() == 1 { parts.remove(0) } else { any_of(parts) };
            let part = match (branch.many, branch.name) {
                (true, _) => list(part),
                (false, "sla" | "location") => any_of([part, null()]),
                (false, _) => part,
            };
            object = object.property(branch.name, part).required(branch.name);
        }
        object
    }

    /// The kinds that a branch can show.
    fn targets(&self, kind: Kind, branch: &Expansion, v1: bool) -> Vec<Kind> {
        let Some(slot) = branch.slots[kind.index()] else { return Vec::new() };
        let slot = &self.schema.entity(kind).slots[usize::from(slot)];
        let relation = self.schema.relation(slot.relation);
        let ends = if slot.outgoing { &relation.to } else { &relation.from };
        // A family of relations names all its kinds; each service has quotas of its own kind only.
        let fits = |end: &&Kind| {
            let other = self.schema.entity(**end);
            let declares = if slot.outgoing { kind } else { **end };
            let leads = if slot.outgoing { **end } else { kind };
            let declared = self.schema.entity(declares).decl.relations;
            let direct =
                declared.iter().any(|known| known.ty == relation.decl.ty && known.to.contains(&leads));
            direct && branch.only.is_none_or(|only| only == **end) && (other.decl.v1 || !v1)
        };
        ends.iter().filter(fits).copied().collect()
    }

    fn related(&mut self, view: &str, kind: Kind, branch: &Expansion, audience: Audience, v1: bool) -> Part {
        let entity = self.schema.entity(kind);
        let applies = branch.branches.iter().any(|below| below.slots[kind.index()].is_some());
        if !applies && branch.properties.is_none() {
            return named(&format!("{}Read{}", entity.decl.name, suffix(audience)));
        }
        let name = format!("{view}View_{}_{}{}", branch.name, entity.decl.name, suffix(audience));
        let mut object = self.plain(entity, audience, false);
        if let Some(relation) = branch.properties {
            let fields = self.schema.relation(relation).decl.properties;
            let relationship = fields.iter().fold(ObjectBuilder::new(), |object, field| {
                object.property(field.name, self.property(field)).required(field.name)
            });
            self.named.insert("AuthMethodRead".to_owned(), relationship.build().into());
            object = object.property("relationship", named("AuthMethodRead")).required("relationship");
        }
        let object = self.branches(object, view, kind, &branch.branches, audience, v1);
        self.named.insert(name.clone(), object.build().into());
        named(&name)
    }

    /// What a document may say of an entity.
    fn create(&mut self, entity: &EntityInfo) {
        let name = format!("{}Create", entity.decl.name);
        let mut object = ObjectBuilder::new().description(Some(entity.decl.doc));
        for field in &entity.fields {
            object = object.property(field.name, self.property(field));
            if field.otherwise == Otherwise::Required {
                object = object.required(field.name);
            }
        }
        object = match entity.decl.projects {
            Projects::No => object,
            Projects::One => object
                .property("project", text(Some("uuid of a project of this document.")))
                .required("project"),
            Projects::Sharing => {
                let flag = ObjectBuilder::new().schema_type(JsonType::Boolean);
                let flag = flag.description(Some(
                    "Whether all projects may use it. Not said: when no projects are named.",
                ));
                let names = ArrayBuilder::new().items(text(None)).build();
                object.property("is_shared", flag.build()).property("projects", names)
            }
        };
        for child in entity.decl.children {
            object = object.property(child.name, self.child(child));
        }
        if entity.kind == Kind::IdentityProvider {
            let os = self.auth_method(&["idp_name", "protocol"], "OsAuthMethodCreate");
            let k8s = self.auth_method(&["audience"], "K8sAuthMethodCreate");
            object = object.property("relationship", any_of([os, k8s]));
        }
        self.named.insert(name, object.additional_properties(Some(closed())).build().into());
    }

    fn auth_method(&mut self, names: &[&str], shape: &str) -> Part {
        let fields = crate::entity::provider::AUTH_METHOD;
        let mut object = ObjectBuilder::new();
        for field in fields {
            object = object.property(field.name, self.property(field));
            if names.contains(&field.name) {
                object = object.required(field.name);
            }
        }
        self.named.insert(shape.to_owned(), object.build().into());
        named(shape)
    }

    fn child(&self, child: &Child) -> Part {
        let part = named(&format!("{}Create", self.schema.entity(child.kind).decl.name));
        if child.many { list(part) } else { part }
    }

    fn property(&mut self, field: &Field) -> Part {
        let ty = json_type(field.ty);
        let object = ObjectBuilder::new().schema_type(if field.nullable() {
            or_null(ty)
        } else {
            SchemaType::new(ty)
        });
        let doc = match field.unit {
            Some(unit) => format!("{} Unit: {unit}.", field.doc),
            None => field.doc.to_owned(),
        };
        let object = object.description((!doc.is_empty()).then_some(doc)).default(default(field));
        match field.ty {
            Type::Enum { members, name } if !name.is_empty() => {
                self.named.insert(name.to_owned(), word(members, None));
                if field.nullable() { any_of([named(name), null()]) } else { named(name) }
            }
            Type::Enum { members, .. } => word(members, members.first().copied()),
            Type::Url => object
                .format(Some(SchemaFormat::Custom("uri".to_owned())))
                .min_length(Some(1))
                .max_length(Some(65_536))
                .build()
                .into(),
            Type::Date => object.format(Some(SchemaFormat::KnownFormat(KnownFormat::Date))).build().into(),
            Type::Time => {
                object.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build().into()
            }
            #[expect(clippy::cast_precision_loss, reason = "the minima are small")]
            Type::Int { min, .. } => object.minimum(min.map(|min| min as f64)).build().into(),
            Type::Float { min, max } => object.minimum(min).maximum(max).build().into(),
            Type::Counts => {
                let number = ObjectBuilder::new().schema_type(JsonType::Integer).build();
                object.additional_properties(Some(AdditionalProperties::RefOr(number.into()))).build().into()
            }
            Type::Texts { email } => {
                let format = email.then_some(SchemaFormat::KnownFormat(KnownFormat::Email));
                let item = ObjectBuilder::new().schema_type(JsonType::String).format(format).build();
                ArrayBuilder::new().items(item).description(Some(field.doc)).build().into()
            }
            Type::Text | Type::Country | Type::Bool => object.build().into(),
        }
    }

    fn faults(&mut self) {
        let step = any_of([text(None), ObjectBuilder::new().schema_type(JsonType::Integer).build().into()]);
        let fault = ObjectBuilder::new()
            .property("loc", ArrayBuilder::new().items(step).build())
            .property("msg", text(Some("What is wrong, for people.")))
            .property("type", text(Some("What is wrong, for programs.")))
            .required("loc")
            .required("msg")
            .required("type");
        self.named.insert("ValidationError".to_owned(), fault.build().into());
        let faults =
            ObjectBuilder::new().property("detail", list(named("ValidationError"))).required("detail");
        self.named.insert("HTTPValidationError".to_owned(), faults.build().into());
        let error = ObjectBuilder::new()
            .property("detail", text(Some("What is wrong, and what to do.")))
            .required("detail");
        self.named.insert("Error".to_owned(), error.build().into());
    }
}

/// The schema of a query parameter of a field.
pub(super) fn parameter(field: &Field) -> Part {
    let (ty, format) = match field.ty {
        Type::Bool => (JsonType::Boolean, None),
        Type::Int { .. } | Type::Counts => (JsonType::Integer, None),
        Type::Float { .. } => (JsonType::Number, None),
        Type::Date => (JsonType::String, Some(KnownFormat::Date)),
        Type::Time => (JsonType::String, Some(KnownFormat::DateTime)),
        Type::Text | Type::Url | Type::Country | Type::Enum { .. } | Type::Texts { .. } => {
            (JsonType::String, None)
        }
    };
    let object = ObjectBuilder::new().schema_type(ty).format(format.map(SchemaFormat::KnownFormat));
    #[expect(clippy::cast_precision_loss, reason = "the minima are small")]
    match field.ty {
        Type::Int { min, .. } => object.minimum(min.map(|min| min as f64)).build().into(),
        Type::Float { min, max } => object.minimum(min).maximum(max).build().into(),
        _ => object.build().into(),
    }
}

/// One of a few words.
pub(super) fn word(members: &[&str], default: Option<&str>) -> Part {
    let members = members.iter().map(|member| Json::from(*member));
    let word = ObjectBuilder::new().schema_type(JsonType::String).enum_values(Some(members));
    word.default(default.map(Json::from)).build().into()
}

fn text(doc: Option<&str>) -> Part {
    ObjectBuilder::new().schema_type(JsonType::String).description(doc).build().into()
}

fn closed() -> AdditionalProperties<Shape> {
    AdditionalProperties::FreeForm(false)
}

fn or_null(ty: JsonType) -> SchemaType {
    SchemaType::from_iter([ty, JsonType::Null])
}

fn json_type(ty: Type) -> JsonType {
    match ty {
        Type::Bool => JsonType::Boolean,
        Type::Int { .. } => JsonType::Integer,
        Type::Float { .. } => JsonType::Number,
        Type::Counts => JsonType::Object,
        Type::Texts { .. } => JsonType::Array,
        Type::Text | Type::Url | Type::Country | Type::Enum { .. } | Type::Date | Type::Time => {
            JsonType::String
        }
    }
}

fn default(field: &Field) -> Option<Json> {
    match field.otherwise {
        Otherwise::Required | Otherwise::Null | Otherwise::Empty => None,
        Otherwise::Text(text) => Some(json!(text)),
        Otherwise::Bool(b) => Some(json!(b)),
        Otherwise::Int(n) => Some(json!(n)),
        Otherwise::Float(x) => Some(json!(x)),
    }
}
