//! An entry of the change log as clients read it.

use crate::{
    graph::{
        change::{ChangeSet, Link, Updated},
        uid::Uid,
    },
    store::Entry,
};
use chrono::SecondsFormat;
use schema::{EntityInfo, Projects, Schema, Value};
use serde_json::{Map, Value as Json, json};

/// Who did what when, and what came of it; with `about`, of one node and its relations.
pub(super) fn entry(schema: &Schema, entry: &Entry, about: Option<Uid>) -> Json {
    json!({
        "revision": entry.revision,
        "at": entry.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "who": entry.who,
        "what": entry.what,
        "request": entry.request,
        "nodes": nodes(schema, &entry.changes, about),
        "relations": relations(schema, &entry.changes, about),
    })
}

fn nodes(schema: &Schema, changes: &ChangeSet, about: Option<Uid>) -> Vec<Json> {
    let meant = |uid: &Uid| about.is_none_or(|about| about == *uid);
    let created = changes.created.iter().filter(|node| meant(&node.uid)).map(|node| {
        let entity = schema.entity(node.kind);
        line(entity, node.uid, "created", &whole(entity, "new", node.shared, &node.values))
    });
    let updated = changes.updated.iter().filter(|node| meant(&node.uid)).map(|node| {
        let entity = schema.entity(node.kind);
        line(entity, node.uid, "updated", &parts(entity, node))
    });
    let deleted = changes.deleted.iter().filter(|node| meant(&node.uid)).map(|node| {
        let entity = schema.entity(node.kind);
        let was = node.was.as_ref();
        let fields = was.map(|was| whole(entity, "old", was.shared, &was.values)).unwrap_or_default();
        line(entity, node.uid, "deleted", &fields)
    });
    created.chain(updated).chain(deleted).collect()
}

fn line(entity: &EntityInfo, uid: Uid, action: &str, fields: &Map<String, Json>) -> Json {
    json!({ "action": action, "kind": entity.decl.name, "uid": uid.to_string(), "fields": fields })
}

/// All fields of a node that came or went, but for those that held nothing.
fn whole(entity: &EntityInfo, side: &str, shared: bool, values: &[Value]) -> Map<String, Json> {
    let pairs = entity.fields.iter().zip(values).filter(|(_, value)| !value.is_null());
    let mut fields: Map<_, _> =
        pairs.map(|(field, value)| (field.name.to_owned(), json!({ side: value.to_json() }))).collect();
    if entity.decl.projects == Projects::Sharing {
        fields.insert("is_shared".to_owned(), json!({ side: shared }));
    }
    fields
}

/// The fields that a change sets.
fn parts(entity: &EntityInfo, node: &Updated) -> Map<String, Json> {
    let change = |(n, (place, new)): (usize, &(usize, Value))| {
        let mut change = Map::new();
        if let Some(old) = node.was.get(n) {
            change.insert("old".to_owned(), old.to_json());
        }
        change.insert("new".to_owned(), new.to_json());
        (entity.fields[*place].name.to_owned(), Json::Object(change))
    };
    let mut fields: Map<_, _> = node.set.iter().enumerate().map(change).collect();
    if let Some(shared) = node.shared {
        fields.insert("is_shared".to_owned(), json!({ "old": !shared, "new": shared }));
    }
    fields
}

fn relations(schema: &Schema, changes: &ChangeSet, about: Option<Uid>) -> Vec<Json> {
    let meant = |link: &&Link| about.is_none_or(|about| link.from == about || link.to == about);
    let line = |link: &Link, old: Option<&[Value]>, new: Option<&[Value]>| {
        let action = match (old, new) {
            (None, _) => "added",
            (Some(_), None) => "removed",
            (Some(_), Some(_)) => "changed",
        };
        let relation = &schema.relation(link.relation).decl;
        let mut fields = Map::new();
        for (place, field) in relation.properties.iter().enumerate() {
            let said = |values: Option<&[Value]>| {
                values?.get(place).filter(|value| !value.is_null()).map(Value::to_json)
            };
            let (old, new) = (said(old), said(new));
            if old != new {
                let sides = [("old", old), ("new", new)];
                let sides = sides.into_iter().filter_map(|(side, value)| Some((side.to_owned(), value?)));
                fields.insert(field.name.to_owned(), sides.collect());
            }
        }
        json!({
            "action": action,
            "type": relation.ty,
            "from": link.from.to_string(),
            "to": link.to.to_string(),
            "fields": fields,
        })
    };
    let linked = changes.linked.iter().filter(meant).map(|link| {
        let held = changes.replaced.iter().find(|held| held.same_ends(link));
        line(link, held.map(|held| &*held.properties), Some(&link.properties))
    });
    let along = changes.deleted.iter().filter_map(|node| node.was.as_ref()).flat_map(|was| &was.links);
    let gone = changes.unlinked.iter().chain(along).filter(meant);
    linked.chain(gone.map(|link| line(link, Some(&link.properties), None))).collect()
}
