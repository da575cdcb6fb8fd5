//! What a field can hold, and its three forms: JSON on the wire, text in a query, a property in a store.

use crate::field::{Field, Type};
use chrono::{DateTime, NaiveDate, SecondsFormat, Timelike, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};
use std::{borrow::Cow, cmp::Ordering};

/// The value of one field of one node.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number in the field's unit; -1 for unlimited where the field says so.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text, URLs and enumeration members.
    Text(Box<str>),
    /// A list of texts.
    Texts(Box<[Box<str>]>),
    /// A calendar day.
    Date(NaiveDate),
    /// A moment, in UTC.
    Time(DateTime<Utc>),
    /// Numbers by name, sorted by name (the GPUs of a quota).
    Counts(Box<[(Box<str>, i64)]>),
}

/// A number of v1 fits in 32 bits: one that does not would fail a client's whole answer.
const V1_MAX: i64 = i32::MAX as i64;

impl Value {
    /// Text.
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self::Text(text.into())
    }

    /// The text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether both say the same: the order of a list says nothing (`behaviour.md` 19).
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Texts(a), Self::Texts(b)) => {
                let sorted = |texts: &[Box<str>]| {
                    let mut texts = texts.to_vec();
                    texts.sort();
                    texts
                };
                a.len() == b.len() && (a == b || sorted(a) == sorted(b))
            }
            _ => self == other,
        }
    }

    /// Nothing there.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The number that comparisons of a query look at: the sum, for numbers by name.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "compared, not kept; exact up to 2^53")]
            Self::Int(n) => Some(*n as f64),
            Self::Float(x) => Some(*x),
            #[expect(clippy::cast_precision_loss, reason = "compared, not kept")]
            Self::Counts(counts) => Some(counts.iter().map(|(_, n)| *n as f64).sum()),
            _ => None,
        }
    }

    /// The order of a sorted list; missing values come last (first when the list is reversed).
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Greater,
            (_, Self::Null) => Ordering::Less,
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Texts(a), Self::Texts(b)) => a.cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            _ => self.as_number().unwrap_or(0.0).total_cmp(&other.as_number().unwrap_or(0.0)),
        }
    }

    /// Reads the form in which [`Value::to_json`] keeps it. `None` when the JSON is no value of this type.
    pub fn from_json(ty: Type, json: &Json) -> Option<Self> {
        Some(match (ty, json) {
            (_, Json::Null) => Self::Null,
            (Type::Bool, Json::Bool(b)) => Self::Bool(*b),
            (Type::Int { .. }, Json::Number(n)) => Self::Int(n.as_i64()?),
            (Type::Float { .. }, Json::Number(n)) => Self::Float(n.as_f64()?),
            (Type::Texts { .. }, Json::Array(items)) => {
                Self::Texts(items.iter().map(|item| item.as_str().map(Box::from)).collect::<Option<_>>()?)
            }
            (Type::Date, Json::String(text)) => Self::Date(text.parse().ok()?),
            (Type::Time, Json::String(text)) => Self::Time(text.parse().ok()?),
            (Type::Counts, Json::Object(counts)) => Self::counts(counts)?,
            (Type::Text | Type::Url | Type::Country | Type::Enum { .. }, Json::String(text)) => {
                Self::text(text.as_str())
            }
            _ => return None,
        })
    }

    fn counts(map: &Map<String, Json>) -> Option<Self> {
        let counts = map.iter().map(|(name, n)| Some((Box::from(name.as_str()), n.as_i64()?)));
        let mut counts = counts.collect::<Option<Vec<_>>>()?;
        counts.sort();
        Some(Self::Counts(counts.into()))
    }

    /// The whole value, nothing lost: for stores and the change log.
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What v1 shows of it, and so what filters and order look at: unlimited as null where the contract's minimum
    /// is 0, date-times in whole seconds (`behaviour.md` 21, 36).
    pub fn shown(&self, field: &Field) -> Cow<'_, Self> {
        match self {
            Self::Int(n) if *n < 0 && field.hides_unlimited() => Cow::Owned(Self::Null),
            Self::Time(time) if time.nanosecond() != 0 => {
                Cow::Owned(Self::Time(time.with_nanosecond(0).unwrap_or(*time)))
            }
            _ => Cow::Borrowed(self),
        }
    }

    /// Whether v1 cannot show the number itself (`behaviour.md` 35).
    pub fn is_beyond_v1(&self) -> bool {
        match self {
            Self::Int(n) => *n > V1_MAX,
            Self::Counts(counts) => counts.iter().any(|(_, n)| *n > V1_MAX),
            _ => false,
        }
    }

    /// Appends the value as v1 shows it, numbers within 32 bits (`behaviour.md` 35).
    pub fn write_v1(&self, field: &Field, out: &mut Vec<u8>) {
        match &*self.shown(field) {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
            Self::Int(n) => write_display(&(*n).min(V1_MAX), out),
            Self::Float(x) => write_serde(x, out),
            Self::Text(text) => write_serde(text, out),
            Self::Texts(texts) => write_serde(texts, out),
            Self::Date(day) => write_display(&format_args!("\"{day}\""), out),
            Self::Time(time) => {
                write_display(&format_args!("\"{}+00:00\"", time.format("%Y-%m-%dT%H:%M:%S")), out);
            }
            Self::Counts(counts) => {
                out.push(b'{');
                for (i, (name, n)) in counts.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_serde(name, out);
                    out.push(b':');
                    write_display(&(*n).min(V1_MAX), out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Seconds since 1970 (UTC), as stores keep a moment.
#[expect(
    clippy::cast_precision_loss,
    reason = "whole microseconds are exact for two centuries, and rounded beyond"
)]
pub fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_micros() as f64 / 1e6
}

/// The moment that [`seconds`] names. `None` when no calendar has it.
pub fn moment(seconds: f64) -> Option<DateTime<Utc>> {
    let micros = (seconds * 1e6).round();
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within the range")]
    (micros.abs() < 9e18).then(|| DateTime::from_timestamp_micros(micros as i64)).flatten()
}

fn write_display(value: &impl std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    let written = write!(out, "{value}");
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

fn write_serde(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "texts and finite numbers are always JSON");
}

impl Serialize for Value {
    /// The form of [`Value::to_json`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::Float(x) => serializer.serialize_f64(*x),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Date(day) => serializer.collect_str(day),
            Self::Time(time) => serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Counts(counts) => serializer.collect_map(counts.iter().map(|(name, n)| (name, n))),
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
