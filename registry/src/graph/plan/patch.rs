//! Setting attributes of one node.

use super::{
    super::{
        Graph,
        change::{ChangeSet, Updated},
    },
    Refused,
};
use schema::{
    Kind, Projects, Value, document,
    entity::{Scope, quota::Use},
};

/// The change that sets these values; refused when the result would break a rule or a key.
pub fn patch(graph: &Graph, id: u32, said: &[(usize, Value)]) -> Result<ChangeSet, Refused> {
    let record = graph.record(id);
    let entity = graph.entity(id);
    let mut values = record.values.clone();
    for (place, value) in said {
        values[*place] = value.clone();
    }
    let set: Vec<_> =
        said.iter().filter(|(place, value)| !record.values[*place].says_the_same(value)).cloned().collect();
    if set.is_empty() {
        return Ok(ChangeSet::default());
    }
    let get = |name: &str| entity.field(name).map_or(Value::Null, |place| values[place].clone());
    let faults = document::broken_rules(entity, &get, &["body".into()]);
    if !faults.is_empty() {
        return Err(Refused::Invalid(faults));
    }
    for key in entity.decl.keys {
        let places: Vec<usize> = key.iter().filter_map(|name| entity.field(name)).collect();
        let touched = set.iter().any(|(place, _)| places.contains(place));
        let taken = |other: &u32| {
            let others = graph.record(*other);
            *other != id
                && others.kind == record.kind
                && places.iter().all(|place| others.values[*place] == values[*place])
        };
        if touched && rivals(graph, id, entity.decl.scope).iter().any(taken) {
            return Err(Refused::Conflict(taken_text(entity.decl.name, key, &get)));
        }
    }
    if entity.decl.keys.is_empty() && entity.decl.projects == Projects::One {
        let of = |id: u32| {
            Use::of(*graph.value(id, "usage") == true.into(), *graph.value(id, "per_user") == true.into())
        };
        let wanted = Use::of(get("usage") == true.into(), get("per_user") == true.into());
        let project = graph.neighbour(id, "project");
        let taken = |other: &u32| {
            *other != id
                && graph.record(*other).kind == record.kind
                && graph.neighbour(*other, "project") == project
                && of(*other) == wanted
        };
        if wanted != of(id) && rivals(graph, id, entity.decl.scope).iter().any(taken) {
            let text = format!(
                "{} of this project with usage and per_user so is already registered",
                entity.decl.name
            );
            return Err(Refused::Conflict(text));
        }
    }
    let updated = Updated { uid: record.uid, kind: record.kind, set, was: Vec::new(), shared: None };
    Ok(ChangeSet { updated: vec![updated], ..ChangeSet::default() })
}

/// The nodes among which a key is unique.
fn rivals(graph: &Graph, id: u32, scope: Scope) -> Vec<u32> {
    match scope {
        Scope::Federation => graph.all(graph.record(id).kind).iter().collect(),
        Scope::Parent(parent) => {
            let place = graph.entity(id).slot(parent).map(|(_, slot)| (slot.relation, !slot.outgoing));
            let below = |parent: u32| {
                let end = place.and_then(|(relation, outgoing)| graph.entity(parent).end(relation, outgoing));
                end.into_iter().flat_map(move |(slot, _)| graph.node(parent).links[usize::from(slot)].iter())
            };
            graph.neighbours(id, parent).flat_map(below).collect()
        }
        Scope::Provider => {
            let providers =
                graph.neighbours(id, "services").flat_map(|service| graph.neighbours(service, "region"));
            let providers: Vec<u32> =
                providers.flat_map(|region| graph.neighbours(region, "provider")).collect();
            providers.into_iter().flat_map(|provider| images(graph, provider)).collect()
        }
    }
}

/// The images of a provider, whichever services offer them; one that several offer comes several times.
pub(super) fn images(graph: &Graph, provider: u32) -> impl Iterator<Item = u32> + '_ {
    let services =
        graph.neighbours(provider, "regions").flat_map(|region| graph.neighbours(region, "services"));
    services
        .filter(|id| graph.record(*id).kind == Kind::ComputeService)
        .flat_map(|id| graph.neighbours(id, "images"))
}

/// What clients read when a key is taken.
pub(super) fn taken_text(name: &str, key: &[&str], get: &dyn Fn(&str) -> Value) -> String {
    let with = |name: &&str| format!("{name} '{}'", get(name).as_str().unwrap_or_default());
    let with: Vec<_> = key.iter().map(with).collect();
    let verb = if key.len() > 1 { "exists" } else { "registered" };
    format!("{name} with {} already {verb}{}", with.join(" and "), if key.len() > 1 { "." } else { "" })
}
