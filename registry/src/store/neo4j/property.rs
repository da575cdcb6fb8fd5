//! How a value stands in the database, as the earlier registry writes and reads it: date-times as seconds since 1970
//! (UTC, a float), days as ISO texts, numbers by name as JSON text, lists as lists, what is absent not at all.

use chrono::{DateTime, NaiveDate};
use neo4rs::{BoltList, BoltMap, BoltNull, BoltString, BoltType};
use schema::{Field, Value, field::Type};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value as Json;
use std::{borrow::Cow, fmt};

/// A property as the driver sends it.
pub(super) fn encode(value: &Value) -> BoltType {
    match value {
        Value::Null => BoltType::Null(BoltNull),
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Float(x) => (*x).into(),
        Value::Text(text) => (&**text).into(),
        Value::Texts(texts) => list(texts.iter().map(|text| (&**text).into())),
        Value::Date(day) => day.to_string().into(),
        Value::Time(time) => schema::value::seconds(*time).into(),
        Value::Counts(_) => value.to_json().to_string().into(),
    }
}

pub(super) fn list(items: impl Iterator<Item = BoltType>) -> BoltType {
    BoltType::List(BoltList { value: items.collect() })
}

pub(super) fn map<K: Into<BoltString>>(items: impl IntoIterator<Item = (K, BoltType)>) -> BoltType {
    BoltType::Map(BoltMap { value: items.into_iter().map(|(key, value)| (key.into(), value)).collect() })
}

/// The properties of a node or a relation, by name.
pub(super) fn encode_all<'a>(values: impl Iterator<Item = (&'a Field, &'a Value)>) -> BoltMap {
    BoltMap { value: values.map(|(field, value)| (field.name.into(), encode(value))).collect() }
}

/// How many bytes it takes on its way (`PackStream`: the shorter a text, a list or a map, the shorter its head).
pub(super) fn weight(value: &BoltType) -> usize {
    let head = |length: usize| match length {
        0..16 => 1,
        16..256 => 2,
        256..65_536 => 3,
        _ => 5,
    };
    match value {
        BoltType::Null(_) | BoltType::Boolean(_) => 1,
        BoltType::Integer(n) => match n.value {
            -16..128 => 1,
            -128..-16 => 2,
            -32_768..32_768 => 3,
            -2_147_483_648..2_147_483_648 => 5,
            _ => 9,
        },
        BoltType::String(text) => head(text.value.len()) + text.value.len(),
        BoltType::List(list) => head(list.value.len()) + list.value.iter().map(weight).sum::<usize>(),
        BoltType::Map(map) => {
            let entry = |(key, value): (&BoltString, &BoltType)| {
                head(key.value.len()) + key.value.len() + weight(value)
            };
            head(map.value.len()) + map.value.iter().map(entry).sum::<usize>()
        }
        _ => 9,
    }
}

/// A property as it was found; texts are not copied.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Property<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Property<'a>>),
    /// A point, a duration, bytes: nothing that a field of ours can hold.
    Foreign,
}

impl Property<'_> {
    /// As the value of a field; `None` when it is none. Says whether it stands there as it should.
    pub fn read(&self, ty: Type) -> Option<(Value, bool)> {
        let as_it_should = |value| Some((value, true));
        let otherwise = |value| Some((value, false));
        match (ty, self) {
            (_, Self::Null) => as_it_should(Value::Null),
            (Type::Bool, Self::Bool(b)) => as_it_should(Value::Bool(*b)),
            (Type::Int { .. }, Self::Int(n)) => as_it_should(Value::Int(*n)),
            (Type::Int { .. }, Self::Float(x)) => otherwise(Value::Int(whole(*x)?)),
            (Type::Int { .. }, Self::Text(text)) => otherwise(Value::Int(text.trim().parse().ok()?)),
            (Type::Float { .. }, Self::Float(x)) if x.is_finite() => as_it_should(Value::Float(*x)),
            #[expect(clippy::cast_precision_loss, reason = "a latitude or a ratio, not a count")]
            (Type::Float { .. }, Self::Int(n)) => as_it_should(Value::Float(*n as f64)),
            (Type::Float { .. }, Self::Text(text)) => {
                otherwise(Value::Float(text.trim().parse().ok().filter(|x: &f64| x.is_finite())?))
            }
            (Type::Texts { .. }, Self::List(items)) => {
                let good = items.iter().all(|item| matches!(item, Self::Text(_)));
                let texts = items.iter().map(|item| item.text().map(Cow::into_owned).map(Box::from));
                Some((Value::Texts(texts.collect::<Option<_>>()?), good))
            }
            (Type::Texts { .. }, Self::Text(text)) => otherwise(Value::Texts([Box::from(&**text)].into())),
            (Type::Date, Self::Text(text)) => match text.parse::<NaiveDate>() {
                Ok(day) => as_it_should(Value::Date(day)),
                Err(_) => otherwise(Value::Date(text.get(..10)?.parse().ok()?)),
            },
            (Type::Time, Self::Float(x)) => as_it_should(Value::Time(schema::value::moment(*x)?)),
            #[expect(clippy::cast_precision_loss, reason = "whole seconds of our times are exact")]
            (Type::Time, Self::Int(n)) => as_it_should(Value::Time(schema::value::moment(*n as f64)?)),
            (Type::Time, Self::Text(text)) => {
                otherwise(Value::Time(DateTime::parse_from_rfc3339(text).ok()?.to_utc()))
            }
            (Type::Counts, Self::Text(text)) => {
                as_it_should(Value::from_json(ty, &serde_json::from_str::<Json>(text).ok()?)?)
            }
            (Type::Text | Type::Url | Type::Country | Type::Enum { .. }, Self::Text(text)) => {
                as_it_should(Value::text(&**text))
            }
            (Type::Text | Type::Url | Type::Country | Type::Enum { .. }, other) => {
                otherwise(Value::text(&*other.text()?))
            }
            _ => None,
        }
    }

    /// As text.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bool(b) => b.to_string().into(),
            Self::Int(n) => n.to_string().into(),
            Self::Float(x) => x.to_string().into(),
            Self::Null | Self::List(_) | Self::Foreign => return None,
        })
    }
}

fn whole(x: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 2^53")]
    (x.fract() == 0.0 && x.abs() < 9e15).then_some(x as i64)
}

impl<'de: 'a, 'a> Deserialize<'de> for Property<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Found)
    }
}

struct Found;

impl<'de> Visitor<'de> for Found {
    type Value = Property<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a property")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Property::Null)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Property::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Self::Value, E> {
        Ok(Property::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Self::Value, E> {
        Ok(Property::Int(n))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Self::Value, E> {
        Ok(Property::Float(x))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Property::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Property::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Property::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Property::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Property::Foreign)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
        IgnoredAny::deserialize(inner).map(|_| Property::Foreign)
    }
}
