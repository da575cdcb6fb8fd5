//! A change set in words that people know: what is added, changed and removed, field by field, without uids.

use crate::graph::{
    Graph,
    change::{ChangeSet, Link},
    uid::Uid,
};
use schema::{
    Projects, Value,
    feeding::{Action, Difference},
};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// What a change does, in the order of places.
pub fn differences(before: &Graph, after: &Graph, changes: &ChangeSet) -> Vec<Difference> {
    let schema = before.schema;
    let mut found: BTreeMap<Uid, Difference> = BTreeMap::new();
    for created in &changes.created {
        let mut fields = Map::new();
        for (field, value) in schema.entity(created.kind).fields.iter().zip(&created.values) {
            if *value != field.default_value() && !value.is_null() {
                fields.insert(field.name.to_owned(), json!({ "new": value.to_json() }));
            }
        }
        if schema.entity(created.kind).decl.projects == Projects::Sharing {
            fields.insert("is_shared".to_owned(), json!({ "new": created.shared }));
        }
        found.insert(created.uid, describe(after, created.uid, Action::Add, fields));
    }
    for updated in &changes.updated {
        let Some(id) = before.find(updated.uid) else { continue };
        let mut fields = Map::new();
        for (place, new) in &updated.set {
            let name = schema.entity(updated.kind).fields[*place].name;
            let old = &before.record(id).values[*place];
            fields.insert(name.to_owned(), json!({ "old": old.to_json(), "new": new.to_json() }));
        }
        if let Some(new) = updated.shared {
            fields.insert("is_shared".to_owned(), json!({ "old": before.record(id).shared, "new": new }));
        }
        found.insert(updated.uid, describe(before, updated.uid, Action::Change, fields));
    }
    for deleted in &changes.deleted {
        found.insert(deleted.uid, describe(before, deleted.uid, Action::Remove, Map::new()));
    }
    for (links, word) in [(&changes.linked, "added"), (&changes.unlinked, "removed")] {
        for link in links {
            relate(before, after, link, word, &mut found);
        }
    }
    let mut found: Vec<Difference> = found.into_values().collect();
    found.sort_by(|a, b| {
        (a.at.len(), &a.at, &a.kind, &a.name, &a.uuid).cmp(&(b.at.len(), &b.at, &b.kind, &b.name, &b.uuid))
    });
    found
}

/// Tells a relation at the end that names the other in documents. The place of a new node tells the others already.
fn relate(before: &Graph, after: &Graph, link: &Link, word: &str, found: &mut BTreeMap<Uid, Difference>) {
    let schema = before.schema;
    let kind = |uid: Uid| [after, before].iter().find_map(|graph| Some(graph.record(graph.find(uid)?).kind));
    let (Some(from), Some(to)) = (kind(link.from), kind(link.to)) else { return };
    let names_projects = |kind| schema.entity(kind).decl.projects != Projects::No;
    let outgoing = names_projects(from) || !names_projects(to);
    let (uid, other) = if outgoing { (link.from, link.to) } else { (link.to, link.from) };
    let is_new = |uid: Uid| before.find(uid).is_none();
    let sharing = names_projects(if outgoing { from } else { to });
    if (is_new(link.from) || is_new(link.to)) && !(sharing && is_new(uid)) {
        return;
    }
    let own = schema.entity(if outgoing { from } else { to });
    let Some((_, slot)) = own.end(link.relation, outgoing) else { return };
    // where a new node stands is told already
    if is_new(uid) && !["project", "projects"].contains(&slot.name) {
        return;
    }
    let graph = if after.find(uid).is_some() { after } else { before };
    let entry = found.entry(uid).or_insert_with(|| describe(graph, uid, Action::Change, Map::new()));
    let graph = if after.find(other).is_some() { after } else { before };
    let field = entry.fields.entry(slot.name.to_owned()).or_insert_with(|| json!({}));
    let names = field.as_object_mut().map(|field| field.entry(word.to_owned()).or_insert_with(|| json!([])));
    if let Some(Json::Array(names)) = names {
        names.push(label(graph, other).into());
        names.sort_by_key(ToString::to_string);
    }
}

fn describe(graph: &Graph, uid: Uid, action: Action, fields: Map<String, Json>) -> Difference {
    let Some(id) = graph.find(uid) else {
        let (name, uuid) = (uid.to_string(), String::new());
        return Difference { action, kind: "Node".to_owned(), name, uuid, at: Vec::new(), fields };
    };
    let text = |name: &str| graph.value(id, name).as_str().unwrap_or_default().to_owned();
    let mut at = Vec::new();
    let mut above = id;
    while let Some(parent) =
        ["service", "services", "storage_class", "region"].iter().find_map(|name| up(graph, above, name))
    {
        at.insert(0, label(graph, parent));
        above = parent;
    }
    Difference {
        action,
        kind: graph.entity(id).decl.name.to_owned(),
        name: label(graph, id),
        uuid: text("uuid"),
        at,
        fields,
    }
}

/// The parent along a relation of this name, where the node is at its lower end.
fn up(graph: &Graph, id: u32, name: &str) -> Option<u32> {
    use schema::Kind;
    let below_a_region = graph.record(id).kind == Kind::Region;
    (!below_a_region).then(|| graph.neighbour(id, name)).flatten()
}

/// What people call a node.
fn label(graph: &Graph, id: impl Into<Where>) -> String {
    let id = match id.into() {
        Where::Place(id) => id,
        Where::Uid(uid) => match graph.find(uid) {
            Some(id) => id,
            None => return uid.to_string(),
        },
    };
    let is = |name: &str| *graph.value(id, name) == Value::Bool(true);
    let text = |name: &str| graph.value(id, name).as_str().map(str::to_owned);
    let decl = &graph.entity(id).decl;
    if decl.keys.is_empty() {
        let project = graph.neighbour(id, "project").and_then(|project| {
            let name = graph.value(project, "name").as_str()?;
            Some(name.to_owned())
        });
        let which = if is("usage") {
            "usage"
        } else if is("per_user") {
            "limit per user"
        } else {
            "limit"
        };
        return format!("{which} of {}", project.unwrap_or_default());
    }
    text("name")
        .filter(|_| decl.family != Some("Service"))
        .or_else(|| text("endpoint"))
        .or_else(|| text("doc_uuid"))
        .or_else(|| text("site"))
        .unwrap_or_else(|| graph.record(id).uid.to_string())
}

enum Where {
    Place(u32),
    Uid(Uid),
}

impl From<u32> for Where {
    fn from(id: u32) -> Self {
        Self::Place(id)
    }
}

impl From<Uid> for Where {
    fn from(uid: Uid) -> Self {
        Self::Uid(uid)
    }
}
