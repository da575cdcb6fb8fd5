//! The services of one region, united over the projects that see them.

use std::collections::{BTreeMap, BTreeSet};

use schema::{Kind, Schema};
use serde_json::{Map, Value};

use super::{Counts, flag, grouped, network, text};
use crate::inventory::Connection;
use crate::reading::{Item, Listing, ServiceReading, ServiceType};

impl ServiceType {
    /// The name of its list in a region of the document, what the schema calls it, and how `per_user_limits` does.
    fn names(self) -> (&'static str, Kind, &'static str) {
        match self {
            Self::BlockStorage => ("block_storage_services", Kind::BlockStorageService, "block_storage"),
            Self::Compute => ("compute_services", Kind::ComputeService, "compute"),
            Self::Identity => ("identity_services", Kind::IdentityService, "identity"),
            Self::Network => ("network_services", Kind::NetworkService, "network"),
            Self::ObjectStore => ("object_store_services", Kind::ObjectStoreService, "object_store"),
        }
    }
}

/// Those whose lists the clouds tell; the identity service is the file's.
const TYPES: [ServiceType; 4] =
    [ServiceType::BlockStorage, ServiceType::Compute, ServiceType::Network, ServiceType::ObjectStore];

/// The services of one region while they are united.
pub struct Services<'a> {
    /// The projects of the federation at this provider.
    federation: &'a BTreeSet<&'a str>,
    /// By type and endpoint.
    services: BTreeMap<(ServiceType, String), Service>,
}

struct Service {
    name: &'static str,
    lists: BTreeMap<&'static str, Vec<Item>>,
}

impl<'a> Services<'a> {
    /// None yet. `federation` are the projects that private items may name.
    pub fn new(federation: &'a BTreeSet<&'a str>) -> Self {
        Self { federation, services: BTreeMap::new() }
    }

    /// Adds what one project sees, and its quotas per user.
    pub fn add(&mut self, connection: &Connection, read: &[ServiceReading], notes: &mut Vec<String>) {
        for reading in read.iter().filter(|reading| TYPES.contains(&reading.kind)) {
            let service = self
                .services
                .entry((reading.kind, reading.endpoint.clone()))
                .or_insert_with(|| Service { name: reading.name, lists: BTreeMap::new() });
            for (name, list) in &reading.lists {
                let Listing::Complete(items) = list else { continue };
                let items = items.clone();
                let items =
                    if *name == "networks" { network::described(items, connection, notes) } else { items };
                service.lists.entry(name).or_default().extend(items);
            }
            let (.., limits) = reading.kind.names();
            if let Some(limits) = connection.properties.per_user_limits.get(limits) {
                let mut quota = limits.clone();
                quota.insert("per_user".to_owned(), true.into());
                quota.insert("project".to_owned(), connection.project_id.clone().into());
                service.lists.entry("quotas").or_default().push(quota);
            }
        }
    }

    /// The lists of services of the region, all of them named, also those that are empty.
    pub fn finish(self, counts: &mut Counts) -> Map<String, Value> {
        let mut region: Map<String, Value> =
            TYPES.iter().map(|kind| (kind.names().0.to_owned(), Value::Array(Vec::new()))).collect();
        for ((kind, endpoint), mut service) in self.services {
            let (list, entity, _) = kind.names();
            let mut document = Map::new();
            document.insert("endpoint".to_owned(), endpoint.into());
            document.insert("name".to_owned(), service.name.into());
            for child in Schema::get().entity(entity).decl.children {
                let items = service.lists.remove(child.name).unwrap_or_default();
                let items = match child.name {
                    "quotas" => quotas(items),
                    "storage_classes" => storage_classes(items),
                    _ => unite(items, self.federation),
                };
                count(child.name, &items, counts);
                document.insert(child.name.to_owned(), items.into_iter().map(Value::Object).collect());
            }
            if let Some(Value::Array(services)) = region.get_mut(list) {
                services.push(Value::Object(document));
            }
        }
        region
    }
}

fn count(list: &str, items: &[Item], counts: &mut Counts) {
    match list {
        "flavors" => counts.flavors += items.len(),
        "images" => counts.images += items.len(),
        "networks" => counts.networks += items.len(),
        "quotas" => counts.quotas += items.len(),
        "storage_classes" => {
            let of_classes = items.iter().filter_map(|class| class.get("quotas")?.as_array());
            counts.quotas += of_classes.map(Vec::len).sum::<usize>();
        }
        _ => {}
    }
}

/// Whether an item is for everybody.
pub fn is_shared(item: &Item) -> bool {
    item.get("is_shared")
        .and_then(Value::as_bool)
        .unwrap_or_else(|| !item.get("projects").is_some_and(Value::is_array))
}

/// Flavors, images or networks, each once by its uuid and in the words of the first project that sees it. A private
/// one names all projects of the federation that may use it, and goes when there is none. What one project calls
/// private is private: the sites' answers can differ while a change is under way.
fn unite(items: Vec<Item>, federation: &BTreeSet<&str>) -> Vec<Item> {
    let mut united: Vec<Item> = grouped(items, "uuid")
        .into_values()
        .filter_map(|mut seen| {
            let shared = seen.iter().all(is_shared);
            let default = seen.iter().any(|item| flag(item, "is_default"));
            let projects: BTreeSet<String> = seen
                .iter()
                .filter_map(|item| item.get("projects")?.as_array())
                .flatten()
                .filter_map(|project| project.as_str().filter(|project| federation.contains(project)))
                .map(str::to_owned)
                .collect();
            let mut item = seen.swap_remove(0);
            item.insert("is_shared".to_owned(), shared.into());
            item.shift_remove("projects");
            if !shared {
                if projects.is_empty() {
                    return None;
                }
                item.insert("projects".to_owned(), projects.into_iter().collect());
            }
            if item.contains_key("is_default") {
                item.insert("is_default".to_owned(), default.into());
            }
            Some(item)
        })
        .collect();
    united.sort_by(|a, b| (text(a, "name"), text(a, "uuid")).cmp(&(text(b, "name"), text(b, "uuid"))));
    united
}

/// Each quota once: of a project a service has one limit, one usage and one limit per user.
fn quotas(items: Vec<Item>) -> Vec<Item> {
    let key =
        |quota: &Item| (text(quota, "project").to_owned(), flag(quota, "per_user"), flag(quota, "usage"));
    let mut once: BTreeMap<_, Item> = BTreeMap::new();
    for item in items {
        once.entry(key(&item)).or_insert(item);
    }
    once.into_values().collect()
}

/// Storage classes, each once by its name, with the quotas of all projects.
fn storage_classes(items: Vec<Item>) -> Vec<Item> {
    let united = grouped(items, "name").into_values().filter_map(|mut seen| {
        let of_all = seen.iter().filter_map(|class| class.get("quotas")?.as_array()).flatten();
        let of_all = quotas(of_all.filter_map(Value::as_object).cloned().collect());
        let mut class = (!seen.is_empty()).then(|| seen.swap_remove(0))?;
        class.insert("quotas".to_owned(), of_all.into_iter().map(Value::Object).collect());
        Some(class)
    });
    united.collect()
}
