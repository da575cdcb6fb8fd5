//! A fingerprint of a graph that moves along with each change: two graphs with the same digest are the same, whatever
//! the order in which they came to be. Replicas compare it at each change that they take in, and a store that was
//! edited behind the registry's back is known by it.

use super::{Record, change::Link, uid::Uid};
use ring::digest::{SHA256, digest};
use schema::{RelationId, Schema, Value};
use std::{fmt, str::FromStr};

/// The sum of the fingerprints of all nodes and relations, modulo 2^128: adding and taking away commute.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    pub(super) fn add(&mut self, part: u128) {
        self.0 = self.0.wrapping_add(part);
    }

    pub(super) fn take(&mut self, part: u128) {
        self.0 = self.0.wrapping_sub(part);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// Of a node without its relations. Fields that hold their default are left out, so that a field which a later
/// version adds leaves the digest as it is.
pub(super) fn of_node(schema: &Schema, record: &Record) -> u128 {
    let entity = schema.entity(record.kind);
    let mut text = Vec::with_capacity(512);
    text.push(b'n');
    text.extend(record.uid.to_bytes());
    word(&mut text, entity.decl.name);
    text.push(record.shared.into());
    for (field, value) in entity.fields.iter().zip(&record.values) {
        if *value != field.default_value() {
            word(&mut text, field.name);
            self::value(&mut text, value);
        }
    }
    hash(&text)
}

/// Of a relation with its properties.
pub(super) fn of_link(
    schema: &Schema,
    relation: RelationId,
    from: Uid,
    to: Uid,
    properties: &[Value],
) -> u128 {
    let relation = &schema.relation(relation).decl;
    let mut text = Vec::with_capacity(128);
    text.push(b'l');
    word(&mut text, relation.ty);
    text.extend(from.to_bytes());
    text.extend(to.to_bytes());
    for (field, value) in relation.properties.iter().zip(properties).filter(|(_, value)| !value.is_null()) {
        word(&mut text, field.name);
        self::value(&mut text, value);
    }
    hash(&text)
}

impl Link {
    pub(super) fn digest(&self, schema: &Schema) -> u128 {
        of_link(schema, self.relation, self.from, self.to, &self.properties)
    }
}

/// Each form of a value begins with a letter of its own, and each text with its length: no two values write the same.
fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(b'0'),
        Value::Bool(b) => out.extend([b'b', u8::from(*b)]),
        Value::Int(n) => number(out, b'i', *n),
        Value::Float(x) => number(out, b'f', x.to_bits().cast_signed()),
        Value::Text(text) => word(out, text),
        Value::Texts(texts) => {
            count(out, b'[', texts.len());
            for text in texts {
                word(out, text);
            }
        }
        Value::Date(day) => word(out, &day.to_string()),
        // stores may keep fractions of a second less exactly
        Value::Time(time) => number(out, b't', time.timestamp()),
        Value::Counts(counts) => {
            count(out, b'{', counts.len());
            for (name, n) in counts {
                word(out, name);
                number(out, b'i', *n);
            }
        }
    }
}

fn number(out: &mut Vec<u8>, letter: u8, number: i64) {
    out.push(letter);
    out.extend(number.to_be_bytes());
}

fn count(out: &mut Vec<u8>, letter: u8, count: usize) {
    number(out, letter, i64::try_from(count).unwrap_or(i64::MAX));
}

fn word(out: &mut Vec<u8>, text: &str) {
    count(out, b'"', text.len());
    out.extend(text.as_bytes());
}

fn hash(text: &[u8]) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&digest(&SHA256, text).as_ref()[..16]);
    u128::from_be_bytes(first)
}
