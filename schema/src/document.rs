//! Provider documents: read from JSON with every fault found at once, and checked as a whole.

mod check;

use crate::{
    Kind,
    entity::{Child, Projects, quota::Use},
    fault::{Fault, Faults, Loc},
    field::{Field, Otherwise},
    read::{self, short},
    schema::{EntityInfo, Schema},
    value::Value,
};
use serde_json::{Map, Value as Json};

/// One entity of a document with all that stands below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Which entity.
    pub kind: Kind,
    /// Its fields in declared order; `None` is not said.
    pub values: Vec<Option<Value>>,
    /// Whether all projects may use it; false where the entity knows no sharing.
    pub shared: bool,
    /// The uuids of the projects that it names, as often as it names them.
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
    /// In the place of what is no object, so that what follows in its list keeps its place.
    fn unread(entity: &EntityInfo) -> Self {
        Self {
            kind: entity.kind,
            values: vec![None; entity.fields.len()],
            shared: false,
            projects: Vec::new(),
            relationship: Vec::new(),
            children: vec![None; entity.decl.children.len()],
        }
    }

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

    /// Leaves out what is of these projects alone.
    fn forget(&mut self, projects: &[String]) {
        for items in self.children.iter_mut().flatten() {
            items.retain_mut(|item| {
                let named = item.projects.len();
                item.projects.retain(|project| !projects.contains(project));
                item.forget(projects);
                named == 0 || !item.projects.is_empty()
            });
        }
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
    partial(schema, json, reading, stored, &[])
}

/// Reads the document of a provider of which not everything is known: it may also name the projects in `unread`, which
/// it does not describe. What names one of them that is not `stored` either is left out.
pub fn partial(
    schema: &Schema,
    json: &Json,
    reading: Reading,
    stored: &[String],
    unread: &[String],
) -> Result<Item, Vec<Fault>> {
    let mut reader = Reader { schema, reading, path: vec!["body".into()], faults: Faults::default() };
    let mut item = reader.item(Kind::Provider, &[], json);
    let named: Vec<_> = item.children_named(schema, "projects").iter().collect();
    let described = |uuid: &String| named.iter().any(|item| item.get(schema, "uuid").as_str() == Some(uuid));
    let nowhere: Vec<String> =
        unread.iter().filter(|uuid| !stored.contains(uuid) && !described(uuid)).cloned().collect();
    let faults = check::whole(schema, &item, stored, unread, reader.faults);
    if !nowhere.is_empty() {
        item.forget(&nowhere);
    }
    faults.unless(item)
}

/// What a patch says: places and values. Fields that are no part of a patch are faults.
pub fn patch(entity: &EntityInfo, json: &Json, reading: Reading) -> Result<Vec<(usize, Value)>, Vec<Fault>> {
    let path = [Loc::from("body")];
    let Some(object) = json.as_object() else { return Err(vec![no_object(&path)]) };
    let mut said = Vec::new();
    let mut faults = Faults::default();
    for (place, field) in entity.fields.iter().enumerate() {
        let Some(json) = object.get(field.name) else { continue };
        let value = read::field_with(field, json, &path, &mut |fault| faults.push(fault));
        said.push((place, value.unwrap_or_else(|| field.default_value())));
    }
    let known = |name: &str| entity.field(name).is_some();
    let names = || entity.fields.iter().map(|field| field.name).collect();
    faults.extend(unknown(object, known, &path, reading, names));
    faults.unless(said)
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
    faults: Faults,
}

impl Reader<'_> {
    fn item(&mut self, kind: Kind, relationship: &[Field], json: &Json) -> Item {
        let schema = self.schema;
        let entity = schema.entity(kind);
        let Some(object) = json.as_object() else {
            self.faults.push(no_object(&self.path));
            return Item::unread(entity);
        };
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
                .chain(["project", "projects", "is_shared", "relationship"])
                .collect()
        };
        self.faults.extend(unknown(object, takes, &self.path, self.reading, names));

        let item = Item { kind, values, shared, projects, relationship, children };
        let get = |name: &str| item.get(schema, name);
        self.faults.extend(broken_rules(entity, &get, &self.path).into_iter());
        item
    }

    /// What the fields say; null in the place of what could not be read, which breaks no rule and equals no key.
    fn fields(&mut self, fields: &[Field], object: &Map<String, Json>) -> Vec<Option<Value>> {
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let mut good = true;
            let mut note = |fault| {
                good = false;
                self.faults.push(fault);
            };
            let value =
                object.get(field.name).and_then(|json| read::field_with(field, json, &self.path, &mut note));
            if field.otherwise == Otherwise::Required && !object.contains_key(field.name) {
                note(fault(&self.path, &[field.name.into()], "field required", "value_error.missing"));
            }
            values.push(if good { value } else { Some(Value::Null) });
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
        let listed = object.get("projects").filter(|json| !json.is_null());
        let projects = listed.map_or_else(Vec::new, |json| self.project_list(json));
        let shared = match object.get("is_shared") {
            None | Some(Json::Null) => !listed.is_some_and(Json::is_array),
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
        if listed.is_none_or(|json| json.as_array().is_some_and(Vec::is_empty)) {
            let msg =
                "a private resource names the projects that may use it: list at least one, or set is_shared";
            self.faults.push(fault(&self.path, &["projects".into()], msg, "value_error.missing"));
        }
        (false, projects)
    }

    /// The uuids in a list of projects; none when one of them cannot be read, so that each keeps its place.
    fn project_list(&mut self, json: &Json) -> Vec<String> {
        let Some(items) = json.as_array() else {
            let msg = "value is not a valid list";
            self.faults.push(fault(&self.path, &["projects".into()], msg, "type_error.list"));
            return Vec::new();
        };
        for (i, _) in items.iter().enumerate().filter(|(_, item)| !item.is_string()) {
            let msg = "value is not a text: write the uuid of a project";
            self.faults.push(fault(&self.path, &["projects".into(), i.into()], msg, "type_error.str"));
        }
        let uuids = items.iter().map(|item| item.as_str().map(str::to_owned));
        uuids.collect::<Option<_>>().unwrap_or_default()
    }

    fn child(&mut self, parent: &EntityInfo, child: &Child, object: &Map<String, Json>) -> Option<Vec<Item>> {
        let json = object.get(child.name).filter(|json| !json.is_null())?;
        let relation = parent.slot(child.relation).map(|(_, slot)| self.schema.relation(slot.relation));
        let properties = relation.map_or(&[] as &[Field], |relation| relation.decl.properties);
        self.path.push(child.name.into());
        let items = match json {
            Json::Array(list) if child.many => {
                let mut items = Vec::new();
                for (i, json) in list.iter().enumerate() {
                    if self.faults.is_full() {
                        break;
                    }
                    self.path.push(i.into());
                    items.push(self.item(child.kind, properties, json));
                    self.path.pop();
                }
                items
            }
            _ if child.many => {
                self.faults.push(fault(&self.path, &[], "value is not a valid list", "type_error.list"));
                Vec::new()
            }
            json => vec![self.item(child.kind, properties, json)],
        };
        self.path.pop();
        Some(items)
    }
}

fn fault(path: &[Loc], more: &[Loc], msg: impl Into<String>, ty: &'static str) -> Fault {
    Fault { loc: path.iter().chain(more).cloned().collect(), msg: msg.into(), ty }
}

fn no_object(path: &[Loc]) -> Fault {
    fault(path, &[], "value is not a valid object", "type_error.dict")
}

/// The fields that an object should not have, with the names of those that might be meant.
fn unknown(
    object: &Map<String, Json>,
    known: impl Fn(&str) -> bool,
    path: &[Loc],
    reading: Reading,
    names: impl Fn() -> Vec<&'static str>,
) -> impl Iterator<Item = Fault> {
    let strange = object.keys().filter(move |_| !reading.lenient);
    strange.filter_map(move |name| {
        if known(name) {
            return None;
        }
        let near = crate::nearest(name, names().into_iter().filter(|name| known(name)));
        let msg = format!("unknown field '{}'{}", short(name), read::did_you_mean(near));
        Some(fault(path, &[name.as_str().into()], msg, "value_error.extra"))
    })
}
