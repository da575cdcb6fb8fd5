//! How nodes, relations and changes stand in stores, in the change log and in exports: JSON, with names instead of places.
//! It is written in one go, without a tree of it in memory: for a large change that would cost more than all else.

use super::{
    change::{ChangeSet, Created, Deleted, Link, Updated, Was},
    uid::Uid,
};
use schema::{Field, Kind, Schema, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value as Json;

/// What is written, with the declarations that have the names.
pub struct Stored<'a, T>(pub &'a Schema, pub &'a T);

impl<T> Stored<'_, T>
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
    Stored<'a, T>: Serialize,
{
    if items.is_empty() { Ok(()) } else { map.serialize_entry(name, &Several(schema, items)) }
}

struct Several<'a, T>(&'a Schema, &'a [T]);

impl<'a, T> Serialize for Several<'a, T>
where
    Stored<'a, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, items) = *self;
        serializer.collect_seq(items.iter().map(|item| Stored(schema, item)))
    }
}

impl Serialize for Stored<'_, ChangeSet> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, ChangeSet { created, updated, deleted, linked, unlinked, replaced, notes }) = *self;
        let mut map = serializer.serialize_map(None)?;
        part(&mut map, "created", schema, created)?;
        part(&mut map, "updated", schema, updated)?;
        part(&mut map, "deleted", schema, deleted)?;
        part(&mut map, "linked", schema, linked)?;
        part(&mut map, "unlinked", schema, unlinked)?;
        part(&mut map, "replaced", schema, replaced)?;
        if !notes.is_empty() {
            map.serialize_entry("notes", notes)?;
        }
        map.end()
    }
}

/// A node: which one it is, and what else there is to say of it.
fn node<S: Serializer>(
    serializer: S,
    schema: &Schema,
    uid: Uid,
    kind: Kind,
    more: impl FnOnce(&mut S::SerializeMap) -> Result<(), S::Error>,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("uid", &uid)?;
    map.serialize_entry("kind", schema.entity(kind).decl.name)?;
    more(&mut map)?;
    map.end()
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

impl Serialize for Stored<'_, Created> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, Created { uid, kind, shared, values: all }) = *self;
        node(serializer, schema, *uid, *kind, |map| values(map, schema, *kind, *shared, all))
    }
}

impl Serialize for Stored<'_, Deleted> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, Deleted { uid, kind, was }) = *self;
        node(serializer, schema, *uid, *kind, |map| {
            let Some(Was { shared, values: all, links }) = was else { return Ok(()) };
            values(map, schema, *kind, *shared, all)?;
            part(map, "links", schema, links)
        })
    }
}

impl Serialize for Stored<'_, Updated> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(schema, Updated { uid, kind, set, was, shared }) = *self;
        let fields = &schema.entity(*kind).fields;
        node(serializer, schema, *uid, *kind, |map| {
            map.serialize_entry("set", &Named(set.iter().map(|(place, value)| (&fields[*place], value))))?;
            if !was.is_empty() {
                let places = set.iter().map(|(place, _)| &fields[*place]);
                map.serialize_entry("was", &Named(places.zip(was)))?;
            }
            shared.map_or(Ok(()), |shared| map.serialize_entry("shared", &shared))
        })
    }
}

impl Serialize for Stored<'_, Link> {
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
