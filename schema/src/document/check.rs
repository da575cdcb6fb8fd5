//! Rules over a whole document: keys that repeat, projects that are not there.

use super::{Item, fault};
use crate::{
    Kind,
    entity::{Projects, quota::Use},
    fault::{Faults, Loc},
    read::short,
    schema::Schema,
    value::Value,
};
use std::collections::HashSet;

/// Adds to the faults of reading a document those that only the whole shows. `unread` are projects that may be named
/// although the document does not describe them.
pub(super) fn whole(
    schema: &Schema,
    provider: &Item,
    stored: &[String],
    unread: &[String],
    faults: Faults,
) -> Faults {
    let place =
        schema.entity(Kind::Provider).decl.children.iter().position(|child| child.kind == Kind::Project);
    let named = place.and_then(|place| provider.children[place].as_ref());
    let uuid = |project: &Item| project.get(schema, "uuid").as_str().map(str::to_owned);
    let projects: Option<HashSet<String>> = match named {
        // one that could not be read may be any that others name
        Some(named) => named.iter().map(uuid).collect(),
        None => Some(stored.iter().cloned().collect()),
    };
    let projects = projects.map(|known| known.into_iter().chain(unread.iter().cloned()).collect());
    let mut check = Check { schema, projects, slas: HashSet::new(), path: vec!["body".into()], faults };
    check.below(provider);
    check.faults
}

struct Check<'a> {
    schema: &'a Schema,
    /// The uuids that may be named; none when that is not known.
    projects: Option<HashSet<String>>,
    /// The SLAs, and the projects with an SLA, that were seen.
    slas: HashSet<String>,
    path: Vec<Loc>,
    faults: Faults,
}

impl Check<'_> {
    fn below(&mut self, parent: &Item) {
        let schema = self.schema;
        for (child, items) in schema.entity(parent.kind).decl.children.iter().zip(&parent.children) {
            self.path.push(child.name.into());
            let mut seen = HashSet::new();
            for (i, item) in items.iter().flatten().enumerate() {
                if child.many {
                    self.path.push(i.into());
                    self.repeats(item, &mut seen);
                }
                self.names_projects(item);
                if item.kind == Kind::Sla {
                    self.sla(item);
                }
                self.below(item);
                if child.many {
                    self.path.pop();
                }
            }
            self.path.pop();
        }
    }

    /// Two items of one list with the same key.
    fn repeats(&mut self, item: &Item, seen: &mut HashSet<(usize, String)>) {
        let schema = self.schema;
        let entity = schema.entity(item.kind);
        for (which, key) in entity.decl.keys.iter().enumerate() {
            let values: Vec<Value> = key.iter().map(|name| item.get(schema, name)).collect();
            if values.iter().any(Value::is_null) {
                continue;
            }
            let text = values
                .iter()
                .map(|value| value.as_str().unwrap_or_default())
                .collect::<Vec<_>>()
                .join("', '");
            if !seen.insert((which, text.clone())) {
                let msg =
                    format!("There are multiple items with identical {}: {}", key.join(", "), short(&text));
                self.faults.push(fault(&self.path, &[key[0].into()], msg, "assertion_error"));
            }
        }
        let unread = |name: &str| item.get(schema, name).is_null();
        if let (true, Some(project)) = (entity.decl.keys.is_empty(), item.projects.first())
            && !unread("usage")
            && !unread("per_user")
        {
            let text = format!("{project} {:?}", item.quota_use(schema));
            if !seen.insert((usize::MAX, text)) {
                let what = match item.quota_use(schema) {
                    Use::Limit => "quota (neither usage nor per_user)",
                    Use::PerUser => "per_user quota",
                    Use::Usage => "usage quota",
                };
                let project = short(project);
                let msg = format!("the project {project} has more than one {what} on this service");
                self.faults.push(fault(&self.path, &["project".into()], msg, "assertion_error"));
            }
        }
    }

    fn names_projects(&mut self, item: &Item) {
        let Some(known) = &self.projects else { return };
        let sharing = self.schema.entity(item.kind).decl.projects == Projects::Sharing;
        for (i, project) in item.projects.iter().enumerate().filter(|(_, name)| !known.contains(*name)) {
            let msg = format!("the project {} is not in this provider's projects", short(project));
            let at: &[Loc] = if sharing { &["projects".into(), i.into()] } else { &["project".into()] };
            self.faults.push(fault(&self.path, at, msg, "assertion_error"));
        }
    }

    fn sla(&mut self, sla: &Item) {
        let doc = sla.get(self.schema, "doc_uuid");
        if let Some(doc) = doc.as_str()
            && !self.slas.insert(format!("sla {doc}"))
        {
            let msg = format!("the SLA {} is used by two user groups", short(doc));
            self.faults.push(fault(&self.path, &["doc_uuid".into()], msg, "assertion_error"));
        }
        for project in &sla.projects {
            if !self.slas.insert(format!("project {project}")) {
                let msg = format!("the project {} is used by two user groups", short(project));
                self.faults.push(fault(&self.path, &["project".into()], msg, "assertion_error"));
            }
        }
    }
}
