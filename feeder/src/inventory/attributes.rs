//! Objects of the file whose fields the schema declares: a region, a location, an agreement, quotas per user.
//!
//! They are read by the declaration, each field by its type, and passed on to the provider document as they are:
//! a field added to the schema can be written in the file at once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schema::field::{Field, Type};
use schema::{Kind, Schema};
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Number, Value, json};

use super::fault::unknown;

/// Which declaration an object of the file follows.
pub trait Declared {
    /// The declaration.
    const KIND: Kind;
    /// Declared fields that the feeder sets itself and the file does not name.
    const NOT_HERE: &'static [&'static str] = &[];
    /// An object below it that has a declaration of its own.
    const BELOW: Option<(&'static str, Kind)> = None;
}

/// An object of the file whose fields are those of a declaration.
pub struct Attributes<D> {
    /// The fields given, in the document's types.
    pub values: Map<String, Value>,
    declaration: PhantomData<D>,
}

impl<D> Attributes<D> {
    /// The text of a field; empty when it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.values.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

impl<D> Default for Attributes<D> {
    fn default() -> Self {
        Self { values: Map::new(), declaration: PhantomData }
    }
}

impl<'de, D: Declared> Deserialize<'de> for Attributes<D> {
    fn deserialize<T: Deserializer<'de>>(deserializer: T) -> Result<Self, T::Error> {
        let visitor = Object { kind: D::KIND, not_here: D::NOT_HERE, below: D::BELOW };
        Ok(Self { values: deserializer.deserialize_map(visitor)?, declaration: PhantomData })
    }
}

impl<D: Declared> JsonSchema for Attributes<D> {
    fn schema_name() -> Cow<'static, str> {
        format!("{:?}", D::KIND).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        let object = Object { kind: D::KIND, not_here: D::NOT_HERE, below: D::BELOW };
        schemars::Schema::try_from(object.schema()).unwrap_or_default()
    }
}

#[derive(Clone, Copy)]
struct Object {
    kind: Kind,
    not_here: &'static [&'static str],
    below: Option<(&'static str, Kind)>,
}

impl Object {
    fn fields(self) -> impl Iterator<Item = &'static Field> {
        let declared = &Schema::get().entity(self.kind).fields;
        declared.iter().filter(move |field| !field.constant && !self.not_here.contains(&field.name))
    }

    /// JSON Schema of its fields. Every field may be null, which is as if it were not there.
    fn schema(self) -> Value {
        let mut properties: Map<String, Value> =
            self.fields().map(|field| (field.name.to_owned(), field_schema(field))).collect();
        if let Some((name, kind)) = self.below {
            let below = Object { kind, not_here: &[], below: None };
            properties.insert(name.to_owned(), below.schema());
        }
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }

    fn names(self) -> Vec<&'static str> {
        self.fields().map(|field| field.name).chain(self.below.map(|(name, _)| name)).collect()
    }
}

impl<'de> DeserializeSeed<'de> for Object {
    type Value = Map<String, Value>;

    fn deserialize<T: Deserializer<'de>>(self, deserializer: T) -> Result<Self::Value, T::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the fields of a {}",
            Schema::get().entity(self.kind).decl.path.trim_end_matches('s').replace('_', " ")
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = map.next_key_seed(Name(self))? {
            let value = match (self.below, self.fields().find(|field| field.name == name)) {
                (Some((below, kind)), _) if below == name => {
                    Value::Object(map.next_value_seed(Object { kind, not_here: &[], below: None })?)
                }
                (_, Some(field)) => read(field, &mut map)?,
                (_, None) => Value::Null,
            };
            if !value.is_null() {
                values.insert(name, value);
            }
        }
        Ok(values)
    }
}

/// The name of a field, refused where it stands when it is not known.
struct Name(Object);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = String;

    fn deserialize<T: Deserializer<'de>>(self, deserializer: T) -> Result<String, T::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        let names = self.0.names();
        if names.contains(&name) {
            Ok(name.to_owned())
        } else {
            Err(E::custom(unknown("field", name, &names)))
        }
    }
}

fn field_schema(field: &Field) -> Value {
    let mut schema = match &field.ty {
        Type::Bool => json!({ "type": ["boolean", "null"] }),
        Type::Int { .. } => json!({ "type": ["integer", "null"] }),
        Type::Float { .. } => json!({ "type": ["number", "null"] }),
        Type::Texts { .. } => json!({ "type": ["array", "null"], "items": { "type": "string" } }),
        Type::Counts => {
            json!({ "type": ["object", "null"], "additionalProperties": { "type": "integer" } })
        }
        Type::Date => json!({ "type": ["string", "null"], "format": "date" }),
        Type::Time => json!({ "type": ["string", "null"], "format": "date-time" }),
        Type::Url => json!({ "type": ["string", "null"], "format": "uri" }),
        Type::Text | Type::Country | Type::Enum { .. } => json!({ "type": ["string", "null"] }),
    };
    let unit = field.unit.map(|unit| format!(" ({unit})")).unwrap_or_default();
    let description = format!("{}{unit}", field.doc);
    if !description.is_empty() {
        schema["description"] = description.into();
    }
    schema
}

/// Reads the value of a field by its declared type, so that a fault is reported where it stands.
fn read<'de, A: MapAccess<'de>>(field: &Field, map: &mut A) -> Result<Value, A::Error> {
    Ok(match field.ty {
        Type::Bool => map.next_value::<Option<bool>>()?.into(),
        Type::Int { .. } => map.next_value::<Option<i64>>()?.into(),
        Type::Float { .. } => match map.next_value::<Option<f64>>()? {
            None => Value::Null,
            Some(number) => Number::from_f64(number)
                .map(Value::Number)
                .ok_or_else(|| A::Error::custom(format_args!("`{}` must be a finite number", field.name)))?,
        },
        Type::Texts { .. } => map.next_value::<Option<Vec<String>>>()?.into(),
        Type::Counts => match map.next_value::<Option<BTreeMap<String, i64>>>()? {
            None => Value::Null,
            Some(counts) => counts.into_iter().map(|(name, count)| (name, Value::from(count))).collect(),
        },
        Type::Text | Type::Url | Type::Country | Type::Enum { .. } | Type::Date | Type::Time => {
            map.next_value::<Option<String>>()?.into()
        }
    })
}
