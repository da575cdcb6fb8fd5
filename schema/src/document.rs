//! Provider documents: read from JSON with every fault found at once, and checked as a whole.

use crate::{
    Kind,
    entity::{Child, Projects, quota::Use},
    fault::{Fault, Loc},
    field::{Field, Otherwise},
    read,
    schema::{EntityInfo, Schema},
    value::Value,
};
use serde_json::{Map, Value as Json};
use std::collections::HashSet;

/// One entity of a document with all that stands below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Which entity.
    pub kind: Kind,
    /// Its fields in declared order; `None` is not said.
    pub values: Vec<Option<Value>>,
    /// Whether all projects may use it; false where the entity knows no sharing.
    pub shared: bool,
    /// The uuids of the projects that it names.
    pub projects: Vec<String>,
    /// What the relation to its parent holds, where that has properties.
    pub relationship: Vec<Value>,
    /// What stands below it, in the order of the entity's children; `None` is not named at all.
    pub children: Vec<Option<Vec<Item>>>,
}

/// How strict to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Ignore unknown fields as today's registry does, instead of refusing them.
    pub lenient: bool,
}

impl Item {
    /// What a field holds: as said, else the default.
    pub fn value(&self, entity: &EntityInfo, place: usize) -> Value {
        self.values[place].clone().unwrap_or_else(|| entity.fields[place].default_value())
    }

    /// What the field of this name holds.
    pub fn get(&self, schema: &Schema, name: &str) -> Value {
        let entity = schema.entity(self.kind);
        entity.field(name).map_or(Value::Null, |place| self.value(entity, place))
    }

    /// The children under a name; empty when not named.
    pub fn children_named(&self, schema: &Schema, name: &str) -> &[Item] {
        let place = schema.entity(self.kind).decl.children.iter().position(|child| child.name == name);
        place.and_then(|place| self.children[place].as_deref()).unwrap_or_default()
    }

    /// Which use of a quota it is.
    pub fn quota_use(&self, schema: &Schema) -> Use {
        Use::of(
            self.get(schema, "usage") == Value::Bool(true),
            self.get(schema, "per_user") == Value::Bool(true),
        )
    }
}

/// Reads the document of a provider. `stored` are the uuids of its projects in the graph: they count when the
/// document does not name projects at all.
pub fn provider(
    schema: &Schema,
    json: &Json,
    reading: Reading,
    stored: &[String],
) -> Result<Item, Vec<Fault>> {
    let mut reader = Reader { schema, reading, path: vec!["body".into()], faults: Vec::new() };
    let item = reader.item(Kind::Provider, &[], json);
    let mut faults = reader.faults;
    let Some(item) = item else { return Err(faults) };
    let mut check = Check::new(schema, &item, stored);
    check.below(&item);
    faults.extend(check.faults);
    if faults.is_empty() { Ok(item) } else { Err(faults) }
}

/// What a patch says: places and values. Fields that are no part of a patch are faults.
pub fn patch(entity: &EntityInfo, json: &Json, reading: Reading) -> Result<Vec<(usize, Value)>, Vec<Fault>> {
    let path = [Loc::from("body")];
    let Some(object) = json.as_object() else { return Err(vec![no_object(&path)]) };
    let mut said = Vec::new();
    let mut faults = Vec::new();
    for (place, field) in entity.fields.iter().enumerate() {
        let Some(json) = object.get(field.name) else { continue };
        match read::field(field, json, &path) {
            Ok(value) => said.push((place, value.unwrap_or_else(|| field.default_value()))),
            Err(fault) => faults.push(fault),
        }
    }
    let known = |name: &str| entity.field(name).is_some();
    faults.extend(unknown(object, known, &path, reading, || {
        entity.fields.iter().map(|field| field.name).collect()
    }));
    if faults.is_empty() { Ok(said) } else { Err(faults) }
}

/// The rules between fields that values break.
pub fn broken_rules(entity: &EntityInfo, get: &dyn Fn(&str) -> Value, path: &[Loc]) -> Vec<Fault> {
    let broken = entity.decl.rules.iter().filter_map(|rule| rule(get));
    broken.map(|broken| fault(path, &[broken.field.into()], broken.msg, "value_error.rule")).collect()
}

struct Reader<'a> {
    schema: &'a Schema,
    reading: Reading,
    path: Vec<Loc>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn item(&mut self, kind: Kind, relationship: &[Field], json: &Json) -> Option<Item> {
        let schema = self.schema;
        let entity = schema.entity(kind);
        let Some(object) = json.as_object() else {
            self.faults.push(no_object(&self.path));
            return None;
        };
        let before = self.faults.len();
        let values = self.fields(&entity.fields, object);
        let relationship =
            if relationship.is_empty() { Vec::new() } else { self.relationship(relationship, object) };
        let (shared, projects) = self.projects(entity, object);
        let children = entity.decl.children.iter().map(|child| self.child(entity, child, object)).collect();

        let takes = |name: &str| {
            entity.field(name).is_some()
                || entity.decl.children.iter().any(|child| child.name == name)
                || match entity.decl.projects {
                    Projects::No => false,
                    Projects::One => name == "project",
                    Projects::Sharing => name == "projects" || name == "is_shared",
                }
                || (!relationship.is_empty() && name == "relationship")
        };
        let names = || {
            let fields = entity.fields.iter().map(|field| field.name);
            fields
                .chain(entity.decl.children.iter().map(|child| child.name))
                .chain(["project", "projects"])
                .collect()
        };
        self.faults.extend(unknown(object, takes, &self.path, self.reading, names));

        let item = Item { kind, values, shared, projects, relationship, children };
        if self.faults.len() == before {
            let get = |name: &str| item.get(schema, name);
            self.faults.extend(broken_rules(entity, &get, &self.path));
        }
        Some(item)
    }

    fn fields(&mut self, fields: &[Field], object: &Map<String, Json>) -> Vec<Option<Value>> {
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let read = match object.get(field.name) {
                Some(json) => read::field(field, json, &self.path),
                None if field.otherwise == Otherwise::Required => {
                    Err(fault(&self.path, &[field.name.into()], "field required", "value_error.missing"))
                }
                None => Ok(None),
            };
            values.push(read.unwrap_or_else(|fault| {
                self.faults.push(fault);
                None
            }));
        }
        values
    }

    /// The properties of the relation to the parent: the two OpenStack names, or the Kubernetes audience.
    fn relationship(&mut self, fields: &[Field], object: &Map<String, Json>) -> Vec<Value> {
        const NAME: &str = "relationship";
        let nothing = vec![Value::Null; fields.len()];
        let Some(json) = object.get(NAME).filter(|json| !json.is_null()) else { return nothing };
        self.path.push(NAME.into());
        let values = if let Some(object) = json.as_object() {
            let known = |name: &str| fields.iter().any(|field| field.name == name);
            let names = || fields.iter().map(|field| field.name).collect();
            self.faults.extend(unknown(object, known, &self.path, self.reading, names));
            let values = self.fields(fields, object);
            let says = |name: &str| {
                fields.iter().zip(&values).any(|(field, value)| field.name == name && value.is_some())
            };
            if !says("audience") {
                for name in ["idp_name", "protocol"].into_iter().filter(|name| !says(name)) {
                    let msg = "field required (or audience, for Kubernetes)";
                    self.faults.push(fault(&self.path, &[name.into()], msg, "value_error.missing"));
                }
            }
            values.into_iter().map(Option::unwrap_or_default).collect()
        } else {
            self.faults.push(no_object(&self.path));
            nothing
        };
        self.path.pop();
        values
    }

    fn projects(&mut self, entity: &EntityInfo, object: &Map<String, Json>) -> (bool, Vec<String>) {
        match entity.decl.projects {
            Projects::No => (false, Vec::new()),
            Projects::One => {
                let (msg, ty) = match object.get("project") {
                    Some(Json::String(project)) => return (false, vec![project.clone()]),
                    None | Some(Json::Null) => ("field required", "value_error.missing"),
                    Some(_) => ("value is not a text: write the uuid of a project", "type_error.str"),
                };
                self.faults.push(fault(&self.path, &["project".into()], msg, ty));
                (false, Vec::new())
            }
            Projects::Sharing => self.sharing(object),
        }
    }

    fn sharing(&mut self, object: &Map<String, Json>) -> (bool, Vec<String>) {
        let mut projects = Vec::new();
        match object.get("projects") {
            None | Some(Json::Null) => {}
            Some(Json::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    match item.as_str() {
                        Some(project) if projects.iter().any(|known| known == project) => {}
                        Some(project) => projects.push(project.to_owned()),
                        None => {
                            let msg = "value is not a text: write the uuid of a project";
                            self.faults.push(fault(
                                &self.path,
                                &["projects".into(), i.into()],
                                msg,
                                "type_error.str",
                            ));
                        }
                    }
                }
            }
            Some(_) => {
                let msg = "value is not a valid list";
                self.faults.push(fault(&self.path, &["projects".into()], msg, "type_error.list"));
            }
        }
        let shared = match object.get("is_shared") {
            None | Some(Json::Null) => !object.get("projects").is_some_and(Json::is_array),
            Some(Json::Bool(shared)) => *shared,
            Some(_) => {
                let msg = "value is not a boolean: write true or false";
                self.faults.push(fault(&self.path, &["is_shared".into()], msg, "type_error.bool"));
                true
            }
        };
        if shared {
            return (true, Vec::new());
        }
        if projects.is_empty()
            && !object.get("projects").is_some_and(|json| matches!(json, Json::Array(a) if !a.is_empty()))
        {
            let msg =
                "a private resource names the projects that may use it: list at least one, or set is_shared";
            self.faults.push(fault(&self.path, &["projects".into()], msg, "value_error.missing"));
        }
        (false, projects)
    }

    fn child(&mut self, parent: &EntityInfo, child: &Child, object: &Map<String, Json>) -> Option<Vec<Item>> {
        let json = object.get(child.name).filter(|json| !json.is_null())?;
        let relation = parent.slot(child.relation).map(|(_, slot)| self.schema.relation(slot.relation));
        let properties = relation.map_or(&[] as &[Field], |relation| relation.decl.properties);
        self.path.push(child.name.into());
        let items = match json {
            Json::Array(list) if child.many => {
                let mut items = Vec::with_capacity(list.len());
                for (i, json) in list.iter().enumerate() {
                    self.path.push(i.into());
                    items.extend(self.item(child.kind, properties, json));
                    self.path.pop();
                }
                items
            }
            _ if child.many => {
                self.faults.push(fault(&self.path, &[], "value is not a valid list", "type_error.list"));
                Vec::new()
            }
            json => self.item(child.kind, properties, json).into_iter().collect(),
        };
        self.path.pop();
        Some(items)
    }
}

/// Rules over the whole document: keys that repeat, projects that are not there.
struct Check<'a> {
    schema: &'a Schema,
    projects: HashSet<String>,
    /// The SLAs, and the projects with an SLA, that were seen.
    slas: HashSet<String>,
    path: Vec<Loc>,
    faults: Vec<Fault>,
}

impl<'a> Check<'a> {
    fn new(schema: &'a Schema, provider: &Item, stored: &[String]) -> Self {
        let place =
            schema.entity(Kind::Provider).decl.children.iter().position(|child| child.kind == Kind::Project);
        let named = place.and_then(|place| provider.children[place].as_ref());
        let uuid = |project: &Item| project.get(schema, "uuid").as_str().map(str::to_owned);
        let projects = match named {
            Some(named) => named.iter().filter_map(uuid).collect(),
            None => stored.iter().cloned().collect(),
        };
        Self { schema, projects, slas: HashSet::new(), path: vec!["body".into()], faults: Vec::new() }
    }

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
                let msg = format!("There are multiple items with identical {}: {text}", key.join(", "));
                self.faults.push(fault(&self.path, &[key[0].into()], msg, "assertion_error"));
            }
        }
        if entity.decl.keys.is_empty() {
            let project = item.projects.first().cloned().unwrap_or_default();
            let text = format!("{project} {:?}", item.quota_use(schema));
            if !seen.insert((usize::MAX, text)) {
                let what = match item.quota_use(schema) {
                    Use::Limit => "quota (neither usage nor per_user)",
                    Use::PerUser => "per_user quota",
                    Use::Usage => "usage quota",
                };
                let msg = format!("the project {project} has more than one {what} on this service");
                self.faults.push(fault(&self.path, &["project".into()], msg, "assertion_error"));
            }
        }
    }

    fn names_projects(&mut self, item: &Item) {
        let sharing = self.schema.entity(item.kind).decl.projects == Projects::Sharing;
        for (i, project) in
            item.projects.iter().enumerate().filter(|(_, name)| !self.projects.contains(*name))
        {
            let msg = format!("the project {project} is not in this provider's projects");
            let at: &[Loc] = if sharing { &["projects".into(), i.into()] } else { &["project".into()] };
            self.faults.push(fault(&self.path, at, msg, "assertion_error"));
        }
    }

    fn sla(&mut self, sla: &Item) {
        let doc = sla.get(self.schema, "doc_uuid").as_str().unwrap_or_default().to_owned();
        if !self.slas.insert(format!("sla {doc}")) {
            let msg = format!("the SLA {doc} is used by two user groups");
            self.faults.push(fault(&self.path, &["doc_uuid".into()], msg, "assertion_error"));
        }
        for project in &sla.projects {
            if !self.slas.insert(format!("project {project}")) {
                let msg = format!("the project {project} is used by two user groups");
                self.faults.push(fault(&self.path, &["project".into()], msg, "assertion_error"));
            }
        }
    }
}

fn fault(path: &[Loc], more: &[Loc], msg: impl Into<String>, ty: &'static str) -> Fault {
    Fault { loc: path.iter().chain(more).cloned().collect(), msg: msg.into(), ty }
}

fn no_object(path: &[Loc]) -> Fault {
    fault(path, &[], "value is not a valid object", "type_error.dict")
}

fn unknown(
    object: &Map<String, Json>,
    known: impl Fn(&str) -> bool,
    path: &[Loc],
    reading: Reading,
    names: impl Fn() -> Vec<&'static str>,
) -> Vec<Fault> {
    if reading.lenient {
        return Vec::new();
    }
    let strange = object.keys().filter(|name| !known(name));
    let refuse = |name: &String| {
        let near = crate::nearest(name, names().into_iter().filter(|name| known(name)));
        let msg = format!("unknown field '{name}'{}", read::did_you_mean(near));
        fault(path, &[name.as_str().into()], msg, "value_error.extra")
    };
    strange.map(refuse).collect()
}
