//! What in a graph breaks the rules of writing: a database may hold what no document could have made (`behaviour.md`
//! 10 and 26). It is served all the same.

use super::Graph;
use schema::{
    EntityInfo, Field, Kind, Projects, Value, country,
    entity::{Scope, quota::Use},
    field::{Otherwise, Type},
    relation::Cascade,
};
use std::collections::HashMap;

/// Kind, key, where it is unique, values.
type Key = (Kind, String, Option<u32>, String);

impl Graph {
    /// Each fault in one sentence that names the node, in order of creation.
    pub fn faults(&self) -> Vec<String> {
        let (mut faults, mut keys) = (Vec::new(), HashMap::new());
        for id in self.iter() {
            let mut found = Vec::new();
            self.values(id, &mut found);
            self.relations(id, &mut found);
            self.keys(id, &mut keys, &mut found);
            faults.extend(found.into_iter().map(|what| format!("{}: {what}", self.called(id))));
        }
        faults
    }

    /// Kind, name where it has one, and uid: for people.
    pub fn called(&self, id: u32) -> String {
        let uid = self.record(id).uid;
        let text = |name| self.value(id, name).as_str();
        let name = ["name", "site", "doc_uuid", "endpoint"].into_iter().find_map(text);
        let name = name.map(|name| format!("'{name}' ")).unwrap_or_default();
        format!("{} {name}{uid}", self.entity(id).decl.name)
    }

    fn values(&self, id: u32, found: &mut Vec<String>) {
        let (record, entity) = (self.record(id), self.entity(id));
        found.extend(
            entity.fields.iter().zip(&record.values).filter_map(|(field, value)| fault(field, value)),
        );
        let get = |name: &str| self.value(id, name).clone();
        let broken = entity.decl.rules.iter().filter_map(|rule| rule(&get));
        found.extend(broken.map(|broken| broken.msg));
    }

    fn relations(&self, id: u32, found: &mut Vec<String>) {
        let (node, entity) = (self.node(id), self.entity(id));
        for (slot, others) in entity.slots.iter().zip(&node.links) {
            let cascade = self.schema.relation(slot.relation).decl.cascade;
            // what would go along with a node at the other end cannot be without one
            let needed = cascade == if slot.outgoing { Cascade::Source } else { Cascade::Target };
            match others.len() {
                0 if needed => found.push(format!("has no {}", slot.name)),
                several if several > 1 && !slot.many => {
                    found.push(format!("has {several} of {}; the first is shown", slot.name));
                }
                _ => {}
            }
        }
        if entity.decl.projects == Projects::Sharing {
            let projects = self.neighbours(id, "projects").count();
            match (node.record.shared, projects) {
                (false, 0) => found.push("is private, and no project may use it".to_owned()),
                (true, 1..) => found.push("is shared, and names projects besides".to_owned()),
                _ => {}
            }
        }
    }

    fn keys(&self, id: u32, keys: &mut HashMap<Key, u32>, found: &mut Vec<String>) {
        let (record, entity) = (self.record(id), self.entity(id));
        let scopes: Vec<Option<u32>> = match entity.decl.scope {
            Scope::Federation => vec![None],
            Scope::Parent(parent) => self.neighbours(id, parent).map(Some).collect(),
            Scope::Provider => {
                let regions =
                    self.neighbours(id, "services").flat_map(|service| self.neighbours(service, "region"));
                let mut providers: Vec<_> =
                    regions.flat_map(|region| self.neighbours(region, "provider")).map(Some).collect();
                providers.sort_unstable();
                providers.dedup();
                providers
            }
        };
        for (names, values) in self.keys_of(id, entity) {
            for scope in &scopes {
                let key = (record.kind, names.clone(), *scope, values.clone());
                let first = *keys.entry(key).or_insert(id);
                if first != id {
                    found.push(format!("has the same {names} as {}", self.called(first)));
                }
            }
        }
    }

    /// The names and values of its keys, as far as they are there.
    fn keys_of(&self, id: u32, entity: &EntityInfo) -> Vec<(String, String)> {
        if entity.decl.keys.is_empty() && entity.decl.projects == Projects::One {
            let flag = |name| *self.value(id, name) == Value::Bool(true);
            let project = self.neighbour(id, "project");
            let values =
                project.map(|project| format!("{project} {:?}", Use::of(flag("usage"), flag("per_user"))));
            return values
                .map(|values| ("project, usage and per_user".to_owned(), values))
                .into_iter()
                .collect();
        }
        let texts = |names: &&[&str]| {
            let texts: Option<Vec<_>> = names.iter().map(|name| self.value(id, name).as_str()).collect();
            Some((names.join(" and "), texts?.join("\0")))
        };
        entity.decl.keys.iter().filter_map(texts).collect()
    }
}

/// What is wrong with a value by itself.
fn fault(field: &Field, value: &Value) -> Option<String> {
    let name = field.name;
    match (field.ty, value) {
        (_, Value::Null) => (field.otherwise == Otherwise::Required).then(|| format!("has no {name}")),
        (Type::Enum { members, .. }, Value::Text(word)) if !members.contains(&&**word) => {
            Some(format!("{name} is '{word}', which is none of {}", members.join(", ")))
        }
        (Type::Country, Value::Text(text)) if country::alpha3(text).is_none() => {
            Some(format!("{name} is '{text}', which is no ISO 3166-1 short name"))
        }
        (Type::Int { min, unlimited }, Value::Int(n)) => {
            let least = if unlimited { Some(-1) } else { min };
            least.filter(|least| n < least).map(|least| format!("{name} is {n}, less than {least}"))
        }
        (Type::Float { min, max }, Value::Float(x)) => {
            let outside = min.is_some_and(|min| *x < min) || max.is_some_and(|max| *x > max);
            outside.then(|| format!("{name} is {x}, which is out of its bounds"))
        }
        _ => None,
    }
}
