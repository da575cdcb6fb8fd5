//! How nodes, relations and changes stand in stores, in the change log and in exports: JSON, with names instead of places.
//! It is written in one go, without a tree of it in memory: for a large change that would cost more than all else.

use super::{
    change::{ChangeSet, Created, Deleted, Link, Note, Updated, Was},
    uid::Uid,
};
use schema::{Field, Kind, Schema, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value as Json;

/// What is written, with the declarations that have the names.
pub struct Written<'a, T>(pub &'a Schema, pub &'a T);

impl<T> Written<'_, T>
where
    Self: Serialize,
{
    /// As text. Fails only when there is no memory.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// As a tree, for those who look into it.
    pub fn tree(&self) -> Json {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// One part of a map, unless there is nothing of it.
fn part<'a, M: SerializeMap, T>(
    map: &mut M,
    name: &'static str,
    schema: &'a Schema,
    items: &'a [T],
) -> Result<(), M::Error>
where
    Written<'a, T>: Serialize,
{
    if items.is_empty() { Ok(()) } else { map.serialize_entry(name, &Several(schema, items)) }
}

struct Several<'a, T>(&'a Schema, &'a [T]);

impl<'a, T> Serialize for Several<'a, T>
where
    Written<'a, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, items) = *self;
        serializer.collect_seq(items.iter().map(|item| Written(schema, item)))
    }
}

impl Serialize for Written<'_, ChangeSet> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, ChangeSet { created, updated, deleted, linked, unlinked, replaced, notes }) = *self;
        let mut map = serializer.serialize_map(None)?;
        part(&mut map, "created", schema, created)?;
        part(&mut map, "updated", schema, updated)?;
        part(&mut map, "deleted", schema, deleted)?;
        part(&mut map, "linked", schema, linked)?;
        part(&mut map, "unlinked", schema, unlinked)?;
        part(&mut map, "replaced", schema, replaced)?;
        part(&mut map, "notes", schema, notes)?;
        map.end()
    }
}

/// Which node it is.
fn head<M: SerializeMap>(map: &mut M, schema: &Schema, uid: Uid, kind: Kind) -> Result<(), M::Error> {
    map.serialize_entry("uid", &uid)?;
    map.serialize_entry("kind", schema.entity(kind).decl.name)
}

/// Values by the names of their fields.
struct Named<I>(I);

impl<'a, I: Iterator<Item = (&'a Field, &'a Value)> + Clone> Serialize for Named<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone().map(|(field, value)| (field.name, value)))
    }
}

/// Sharing and values; those that are null are left out.
fn values<M: SerializeMap>(
    map: &mut M,
    schema: &Schema,
    kind: Kind,
    shared: bool,
    values: &[Value],
) -> Result<(), M::Error> {
    if shared {
        map.serialize_entry("shared", &true)?;
    }
    let said = schema.entity(kind).fields.iter().zip(values).filter(|(_, value)| !value.is_null());
    map.serialize_entry("values", &Named(said))
}

impl Serialize for Written<'_, Created> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, node) = *self;
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, schema, node.uid, node.kind)?;
        values(&mut map, schema, node.kind, node.shared, &node.values)?;
        map.end()
    }
}

impl Serialize for Written<'_, Deleted> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, node) = *self;
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, schema, node.uid, node.kind)?;
        if let Some(Was { shared, values: was, links }) = &node.was {
            values(&mut map, schema, node.kind, *shared, was)?;
            part(&mut map, "links", schema, links)?;
        }
        map.end()
    }
}

impl Serialize for Written<'_, Updated> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, node) = *self;
        let fields = &schema.entity(node.kind).fields;
        let mut map = serializer.serialize_map(None)?;
        head(&mut map, schema, node.uid, node.kind)?;
        let places = node.set.iter().map(|(place, _)| &fields[*place]);
        map.serialize_entry("set", &Named(places.clone().zip(node.set.iter().map(|(_, value)| value))))?;
        if !node.was.is_empty() {
            map.serialize_entry("was", &Named(places.zip(&node.was)))?;
        }
        if let Some(shared) = node.shared {
            map.serialize_entry("shared", &shared)?;
        }
        map.end()
    }
}

impl Serialize for Written<'_, Link> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, link) = *self;
        let relation = &schema.relation(link.relation).decl;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", relation.ty)?;
        map.serialize_entry("from", &link.from)?;
        map.serialize_entry("to", &link.to)?;
        if link.properties.iter().any(|value| !value.is_null()) {
            map.serialize_entry("properties", &Named(relation.properties.iter().zip(&link.properties)))?;
        }
        map.end()
    }
}

impl Serialize for Written<'_, Note> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Note { key, value } = self.1;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("key", key)?;
        map.serialize_entry("value", value)?;
        map.end()
    }
}
