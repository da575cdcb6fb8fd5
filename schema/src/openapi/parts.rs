//! What schemas are made of, and the collection of those that have a name.

use super::{answers, bodies, changes, feeder, offer, responses, whoami};
use crate::{
    field::{Field, Otherwise, Type},
    schema::Schema,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use utoipa::openapi::{
    Array, ArrayBuilder, Discriminator, KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr,
    Schema as Shape, SchemaFormat,
    schema::{AdditionalProperties, AllOfBuilder, AnyOfBuilder, SchemaType, Type as JsonType},
};

/// A schema, or a reference to one.
pub(super) type Part = RefOr<Shape>;

/// Every schema that has a name.
pub(super) fn all(schema: &Schema) -> BTreeMap<String, Part> {
    let mut named = Named { schema, parts: BTreeMap::new() };
    for entity in &schema.entities {
        answers::add(&mut named, entity);
        bodies::add(&mut named, entity);
    }
    changes::add(&mut named);
    feeder::add(&mut named);
    offer::add(&mut named);
    responses::add(&mut named);
    whoami::add(&mut named);
    named.parts
}

/// The named schemas so far.
pub(super) struct Named<'a> {
    pub schema: &'a Schema,
    parts: BTreeMap<String, Part>,
}

impl Named<'_> {
    /// Gives a schema its name, and refers to it.
    pub fn add(&mut self, name: String, part: impl Into<Part>) -> Part {
        let part = part.into();
        let known = self.parts.get(&name);
        debug_assert!(known.is_none_or(|known| *known == part), "two shapes have the name {name}");
        let reference = named(&name);
        self.parts.insert(name, part);
        reference
    }

    /// The schema of a field: in answers, or in the bodies of requests.
    pub fn field(&mut self, field: &Field, place: Place) -> Part {
        let null = match place {
            Place::Answer => field.nullable(),
            Place::Document | Place::Patch => !field.constant && field.otherwise != Otherwise::Required,
        };
        let default = if place == Place::Patch { None } else { default(field) };
        let doc = doc(field);
        if let Some(shape) = self.of_type(field.ty) {
            return RefOr::T(if null {
                let any = AnyOfBuilder::new().item(shape).item(nothing()).description(doc).default(default);
                Shape::AnyOf(any.build())
            } else {
                let all = AllOfBuilder::new().item(shape).description(doc).default(default);
                Shape::AllOf(all.build())
            });
        }
        let ty = json_type(field.ty);
        let ty = if null { SchemaType::from_iter([ty, JsonType::Null]) } else { SchemaType::new(ty) };
        if let Type::Texts { email } = field.ty {
            let format = email.then_some(SchemaFormat::KnownFormat(KnownFormat::Email));
            let item = ObjectBuilder::new().schema_type(JsonType::String).format(format).build();
            let mut list = ArrayBuilder::new().items(item).description(doc).build();
            list.schema_type = ty;
            return list.into();
        }
        let object = ObjectBuilder::new().schema_type(ty).description(doc).default(default);
        match field.ty {
            Type::Url => object
                .format(Some(SchemaFormat::Custom("uri".to_owned())))
                .min_length(Some(1))
                .max_length(Some(65_536)),
            // a document may say -1, unlimited, also where answers show null for it
            Type::Int { unlimited: true, .. } if place != Place::Answer => object.minimum(Some(-1.0)),
            Type::Enum { members, .. } => object.enum_values(Some(members.iter().copied())),
            ty => bounded(object.format(format(ty)), ty),
        }
        .build()
        .into()
    }

    /// The schema of a type that has a name.
    fn of_type(&mut self, ty: Type) -> Option<Part> {
        match ty {
            Type::Enum { members, name } if !name.is_empty() => {
                Some(self.add(name.to_owned(), word(members).build()))
            }
            Type::Counts => {
                let number = ObjectBuilder::new().schema_type(JsonType::Integer).build();
                let counts = ObjectBuilder::new()
                    .description(Some("Numbers by name."))
                    .additional_properties(Some(AdditionalProperties::RefOr(number.into())));
                Some(self.add("Counts".to_owned(), counts.build()))
            }
            _ => None,
        }
    }
}

/// Where a field is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In answers.
    Answer,
    /// In a provider document.
    Document,
    /// In the body of a PATCH: a default would be a lie, since what it does not say stays.
    Patch,
}

/// The schema of a query parameter of a field.
pub(super) fn parameter(field: &Field) -> Part {
    let ty = match field.ty {
        Type::Counts => JsonType::Integer,
        Type::Texts { .. } => JsonType::String,
        ty => json_type(ty),
    };
    bounded(ObjectBuilder::new().schema_type(ty).format(format(field.ty)), field.ty).build().into()
}

/// A reference to a named schema.
pub(super) fn named(name: &str) -> Part {
    Ref::from_schema_name(name).into()
}

/// A list.
pub(super) fn list(of: Part) -> Part {
    Array::new(of).into()
}

/// One of several objects, told apart by the word that a property of theirs holds.
pub(super) fn one_of(members: Vec<(Part, &'static str)>, property: &str, doc: &str) -> Part {
    let place = |part: &Part| match part {
        RefOr::Ref(reference) => Some(reference.ref_location.clone()),
        RefOr::T(_) => None,
    };
    let mapping = members.iter().filter_map(|(part, word)| Some((*word, place(part)?)));
    let tell = Discriminator::with_mapping(property, mapping);
    let one = members.into_iter().fold(OneOfBuilder::new(), |one, (part, _)| one.item(part));
    RefOr::T(Shape::OneOf(one.discriminator(Some(tell)).description(Some(doc)).build()))
}

/// Any of several schemas.
pub(super) fn any_of(parts: impl IntoIterator<Item = Part>) -> Part {
    RefOr::T(Shape::AnyOf(parts.into_iter().fold(AnyOfBuilder::new(), AnyOfBuilder::item).build()))
}

/// A schema, or null.
pub(super) fn or_null(part: Part) -> Part {
    any_of([part, nothing()])
}

fn nothing() -> Part {
    ObjectBuilder::new().schema_type(JsonType::Null).build().into()
}

/// One of a few words.
pub(super) fn word(members: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(JsonType::String).enum_values(Some(members.iter().copied()))
}

/// A text, described.
pub(super) fn text(doc: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(JsonType::String).description((!doc.is_empty()).then_some(doc))
}

/// What a field means, with its unit.
pub(super) fn doc(field: &Field) -> Option<String> {
    let doc = match field.unit {
        Some(unit) => format!("{} Unit: {unit}.", field.doc),
        None => field.doc.to_owned(),
    };
    (!doc.is_empty()).then_some(doc)
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

fn format(ty: Type) -> Option<SchemaFormat> {
    match ty {
        Type::Date => Some(SchemaFormat::KnownFormat(KnownFormat::Date)),
        Type::Time => Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)),
        _ => None,
    }
}

fn bounded(object: ObjectBuilder, ty: Type) -> ObjectBuilder {
    #[expect(clippy::cast_precision_loss, reason = "the minima are small")]
    match ty {
        Type::Int { min, .. } => object.minimum(min.map(|min| min as f64)),
        Type::Float { min, max } => object.minimum(min).maximum(max),
        _ => object,
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
