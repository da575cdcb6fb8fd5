//! From all readings of a provider to one provider document, in the shape that the registry takes.
//!
//! The result does not depend on the order in which connections answered. Nothing is guessed: what is unknown is told
//! beside the document, and what the registry holds of it stays as it is (`docs/decisions/unknown-is-kept.md`).

mod network;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use self::service::Services;
use crate::inventory::{Connection, Provider, ProviderKind, ProviderStatus};
use crate::reading::{Fault, FaultClass, Item, Listing, Reading, ServiceReading, ServiceType};

/// A provider document and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The document, as `POST /providers/` takes it.
    pub document: Value,
    /// How much is in it.
    pub counts: Counts,
    /// How its lists ended.
    pub scopes: Scopes,
    /// What it does not know.
    pub unread: Vec<Unread>,
    /// What is not wrong, but not as the provider file expects: a default network that is not there.
    pub notes: Vec<String>,
}

/// How much a document holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Projects, or namespaces.
    pub projects: usize,
    /// Flavors, each once for each service.
    pub flavors: usize,
    /// Images, each once for each service.
    pub images: usize,
    /// Networks, each once for each service.
    pub networks: usize,
    /// Quotas of all kinds.
    pub quotas: usize,
}

/// How many lists ended how; one for each region, project, service and kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Scopes {
    /// Read to the end.
    pub complete: usize,
    /// Not offered.
    pub absent: usize,
    /// Not readable; a connection that cannot be opened counts once.
    pub unknown: usize,
}

/// Something that one connection could not read: all of a project in a region, or one list.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    /// The region.
    pub region: String,
    /// The project.
    pub project: String,
    /// The list; none: not even which services there are.
    pub list: Option<UnreadList>,
    /// What, and why.
    pub fault: Fault,
}

/// A list of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct UnreadList {
    /// The service's type.
    pub service: ServiceType,
    /// Its address.
    pub endpoint: String,
    /// The list's name in the document.
    pub name: &'static str,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "region {}, project {}: {}", self.region, self.project, self.fault)
    }
}

impl Serialize for Unread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("region", &self.region)?;
        map.serialize_entry("project", &self.project)?;
        if let Some(list) = &self.list {
            map.serialize_entry("service", list.service.word())?;
            map.serialize_entry("endpoint", &list.endpoint)?;
            map.serialize_entry("list", list.name)?;
        }
        map.serialize_entry("class", self.fault.class.word())?;
        map.serialize_entry("reason", &self.fault.to_string())?;
        map.end()
    }
}

/// Makes the document of a provider of what its connections read.
pub fn merge(provider: &Provider, readings: &[Reading]) -> Merged {
    let mut merged = Merged {
        document: Value::Object(provider.document.clone()),
        counts: Counts::default(),
        scopes: Scopes::default(),
        unread: Vec::new(),
        notes: Vec::new(),
    };
    if provider.status != ProviderStatus::Active {
        return merged;
    }
    let projects = projects(provider, readings);
    let known = known(provider, readings, &projects, &mut merged);
    let federation: BTreeSet<&str> =
        provider.connections.iter().map(|connection| connection.project_id.as_str()).collect();
    merged.counts.projects = projects.len();

    let mut document = provider.document.clone();
    if let Some(Value::Array(regions)) = document.get_mut("regions") {
        for region in regions.iter_mut().filter_map(Value::as_object_mut) {
            let name = region.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let mut services = Services::new(&federation);
            for known in known.iter().filter(|known| known.connection.region == name) {
                services.add(known.connection, known.services, &mut merged.notes);
            }
            region.extend(services.finish(&mut merged.counts));
            region.insert("identity_services".to_owned(), identity_services(provider));
        }
    }
    let described = projects.into_iter().map(|(_, project)| Value::Object(project));
    document.insert("projects".to_owned(), described.collect());
    merged.document = Value::Object(document);
    merged
}

/// What one connection read.
struct Known<'a> {
    connection: &'a Connection,
    services: &'a [ServiceReading],
}

fn reading_of<'a>(connection: &Connection, readings: &'a [Reading]) -> Option<&'a Reading> {
    readings
        .iter()
        .find(|reading| reading.region == connection.region && reading.project_id == connection.project_id)
}

/// Each project once, as its first region that knows it describes it, by its id.
fn projects<'a>(provider: &'a Provider, readings: &[Reading]) -> Vec<(&'a str, Item)> {
    let mut seen = BTreeSet::new();
    let described = provider.connections.iter().filter_map(|connection| {
        let id = connection.project_id.as_str();
        let Listing::Complete(project) = &reading_of(connection, readings)?.project else { return None };
        let mut project = check_project(connection, project).ok()?.clone();
        project.insert("uuid".to_owned(), id.into());
        seen.insert(id).then_some((id, project))
    });
    described.collect()
}

/// The readings in the order of the file's connections; what is unknown in them is told.
fn known<'a>(
    provider: &'a Provider,
    readings: &'a [Reading],
    projects: &[(&str, Item)],
    merged: &mut Merged,
) -> Vec<Known<'a>> {
    let mut known = Vec::new();
    for connection in &provider.connections {
        match services_of(connection, readings, projects) {
            Ok(services) => {
                for service in services {
                    lists(connection, service, merged);
                }
                known.push(Known { connection, services });
            }
            Err(fault) => {
                merged.scopes.unknown += 1;
                merged.unread.push(unread(connection, None, fault));
            }
        }
    }
    known
}

/// The services that a connection sees, when it could be opened and its project is known.
fn services_of<'a>(
    connection: &Connection,
    readings: &'a [Reading],
    projects: &[(&str, Item)],
) -> Result<&'a [ServiceReading], Fault> {
    let Some(reading) = reading_of(connection, readings) else {
        return Err(configuration("connection", "it was not read"));
    };
    match &reading.project {
        Listing::Complete(project) => drop(check_project(connection, project)?),
        Listing::Absent => {
            let why = "the cloud has no such project: correct its `id`, or remove it";
            return Err(configuration("project", why));
        }
        // another region may describe it
        Listing::Unknown(fault) => {
            if !projects.iter().any(|(id, _)| *id == connection.project_id) {
                return Err(fault.clone());
            }
        }
    }
    match &reading.services {
        Listing::Complete(services) => Ok(services),
        Listing::Absent => Ok(&[]),
        Listing::Unknown(fault) => Err(fault.clone()),
    }
}

fn lists(connection: &Connection, service: &ServiceReading, merged: &mut Merged) {
    for (name, list) in &service.lists {
        match list {
            Listing::Complete(_) => merged.scopes.complete += 1,
            Listing::Absent => merged.scopes.absent += 1,
            Listing::Unknown(fault) => {
                merged.scopes.unknown += 1;
                let list = UnreadList { service: service.kind, endpoint: service.endpoint.clone(), name };
                merged.unread.push(unread(connection, Some(list), fault.clone()));
            }
        }
    }
}

fn unread(connection: &Connection, list: Option<UnreadList>, fault: Fault) -> Unread {
    let Connection { region, project_id: project, .. } = connection;
    Unread { region: region.clone(), project: project.clone(), list, fault }
}

/// Everything refers to the project by the id in the file; the cloud must call it so too.
fn check_project<'a>(connection: &Connection, project: &'a Item) -> Result<&'a Item, Fault> {
    match project.get("uuid").and_then(Value::as_str) {
        Some(uuid) if uuid != connection.project_id => {
            let why = format!("the cloud calls this project {uuid}: write this as its `id`");
            Err(configuration("project", &why))
        }
        _ => Ok(project),
    }
}

fn configuration(what: &str, why: &str) -> Fault {
    Fault { what: what.to_owned(), why: why.to_owned(), class: FaultClass::Configuration }
}

/// The identity service of every region is the address of the file, to the letter: clients compare and cut it as text.
fn identity_services(provider: &Provider) -> Value {
    let name = match provider.key.kind {
        ProviderKind::Openstack => "org.openstack.keystone",
        ProviderKind::Kubernetes => "v1",
    };
    json!([{"endpoint": provider.auth_url, "name": name}])
}

/// Items grouped by a text field; those without it are left out.
fn grouped(items: Vec<Item>, field: &str) -> BTreeMap<String, Vec<Item>> {
    let mut groups: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    for item in items {
        if let Some(key) = item.get(field).and_then(Value::as_str).map(str::to_owned) {
            groups.entry(key).or_default().push(item);
        }
    }
    groups
}

fn text<'a>(item: &'a Map<String, Value>, field: &str) -> &'a str {
    item.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn flag(item: &Map<String, Value>, field: &str) -> bool {
    item.get(field).and_then(Value::as_bool).unwrap_or_default()
}

#[cfg(test)]
mod tests;
