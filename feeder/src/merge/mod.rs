//! From all readings of a provider to one provider document, in the shape that the registry takes.
//!
//! The result does not depend on the order in which connections answered. Nothing is guessed: when anything is
//! unknown there is no document, and what the registry holds stays as it is (`docs/decisions/unknown-is-kept.md`).

mod network;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use self::service::Services;
use crate::inventory::{Connection, Provider, ProviderKind, ProviderStatus};
use crate::reading::{Fault, FaultClass, Item, Listing, Reading, ServiceReading};

/// A provider document and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The document, as `POST /providers/` takes it.
    pub document: Value,
    /// How much is in it.
    pub counts: Counts,
    /// What is not wrong, but not as the provider file expects: a default network that is not there.
    pub notes: Vec<String>,
}

/// How much a document holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

/// Something that one connection could not read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConnectionFault {
    /// The region.
    pub region: String,
    /// The project.
    pub project: String,
    /// What, and why.
    #[serde(flatten)]
    pub fault: Fault,
}

impl fmt::Display for ConnectionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "region {}, project {}: {}", self.region, self.project, self.fault)
    }
}

/// Makes the document of a provider of what its connections read; all faults when anything is unknown.
pub fn merge(provider: &Provider, readings: &[Reading]) -> Result<Merged, Vec<ConnectionFault>> {
    let mut merged = Merged {
        document: Value::Object(provider.document.clone()),
        counts: Counts::default(),
        notes: Vec::new(),
    };
    if provider.status != ProviderStatus::Active {
        return Ok(merged);
    }
    let known = known(provider, readings)?;
    let projects = projects(&known);
    let federation: BTreeSet<&str> = known.iter().map(|known| known.connection.project_id.as_str()).collect();
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
    document.insert("projects".to_owned(), projects.into_iter().map(Value::Object).collect());
    merged.document = Value::Object(document);
    Ok(merged)
}

/// What one connection read, all of it known.
struct Known<'a> {
    connection: &'a Connection,
    project: &'a Item,
    services: &'a [ServiceReading],
}

/// The readings in the order of the file's connections; or all that is unknown in them.
fn known<'a>(
    provider: &'a Provider,
    readings: &'a [Reading],
) -> Result<Vec<Known<'a>>, Vec<ConnectionFault>> {
    let mut known = Vec::new();
    let mut faults = Vec::new();
    for connection in &provider.connections {
        let mut fail = |fault: Fault| {
            let Connection { region, project_id: project, .. } = connection;
            let fault = ConnectionFault { region: region.clone(), project: project.clone(), fault };
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        };
        let reading = readings.iter().find(|reading| {
            reading.region == connection.region && reading.project_id == connection.project_id
        });
        let Some(reading) = reading else {
            fail(configuration("connection", "it was not read"));
            continue;
        };
        let project = match &reading.project {
            Listing::Complete(project) => check_project(connection, project).map_err(&mut fail).ok(),
            Listing::Absent => {
                fail(configuration(
                    "project",
                    "the cloud has no such project: correct its `id`, or remove it",
                ));
                None
            }
            Listing::Unknown(fault) => {
                fail(fault.clone());
                None
            }
        };
        let services: &[ServiceReading] = match &reading.services {
            Listing::Complete(services) => services,
            Listing::Absent => &[],
            Listing::Unknown(fault) => {
                fail(fault.clone());
                &[]
            }
        };
        for (_, list) in services.iter().flat_map(|service| &service.lists) {
            if let Listing::Unknown(fault) = list {
                fail(fault.clone());
            }
        }
        if let Some(project) = project {
            known.push(Known { connection, project, services });
        }
    }
    if faults.is_empty() { Ok(known) } else { Err(faults) }
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

/// Each project once, as its first region describes it.
fn projects(known: &[Known<'_>]) -> Vec<Item> {
    let mut seen = BTreeSet::new();
    let first = known.iter().filter(|known| seen.insert(known.connection.project_id.as_str()));
    let described = first.map(|known| {
        let mut project = known.project.clone();
        project.insert("uuid".to_owned(), known.connection.project_id.clone().into());
        project
    });
    described.collect()
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
