//! How much is in a set of provider documents: what a registry must hold after it took them all.

use serde_json::Value;
use std::collections::HashSet;

/// Nodes by kind and the relations between them, each counted once as the contract's keys say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Providers.
    pub providers: usize,
    /// Regions.
    pub regions: usize,
    /// Locations, one for all providers of a site.
    pub locations: usize,
    /// Projects.
    pub projects: usize,
    /// Identity providers, one for all.
    pub identity_providers: usize,
    /// User groups, one for all.
    pub user_groups: usize,
    /// Agreements, one for all sites that signed the same document.
    pub slas: usize,
    /// Services of all types.
    pub services: usize,
    /// Flavors: one for each service that offers it.
    pub flavors: usize,
    /// Images: one for each provider, however many of its services offer it.
    pub images: usize,
    /// Networks: one for each service that offers it.
    pub networks: usize,
    /// Quotas of services, without those of storage classes.
    pub quotas: usize,
    /// Storage classes.
    pub storage_classes: usize,
    /// Their quotas.
    pub storage_class_quotas: usize,
    /// Relations between all of them.
    pub relations: usize,
}

const SERVICES: [&str; 5] = [
    "block_storage_services",
    "compute_services",
    "identity_services",
    "network_services",
    "object_store_services",
];

impl Counts {
    /// All nodes.
    pub fn nodes(&self) -> usize {
        self.providers
            + self.regions
            + self.locations
            + self.projects
            + self.identity_providers
            + self.user_groups
            + self.slas
            + self.services
            + self.flavors
            + self.images
            + self.networks
            + self.quotas
            + self.storage_classes
            + self.storage_class_quotas
    }

    /// Counts the documents of a federation.
    pub fn of(documents: impl IntoIterator<Item = Value>) -> Self {
        let mut counts = Self::default();
        let mut seen = Seen::default();
        for document in documents {
            counts.provider(&document, &mut seen);
        }
        counts.locations = seen.locations.len();
        counts.identity_providers = seen.issuers.len();
        counts.user_groups = seen.groups.len();
        counts.slas = seen.slas.len();
        // BELONG_TO and AGREE
        counts.relations += counts.user_groups + counts.slas;
        counts
    }

    fn provider(&mut self, document: &Value, seen: &mut Seen) {
        self.providers += 1;
        self.projects += list(document, "projects").len();
        self.relations += list(document, "projects").len();
        for idp in list(document, "identity_providers") {
            let endpoint = text(idp, "endpoint");
            self.relations += 1;
            for group in list(idp, "user_groups") {
                seen.groups.insert((endpoint.clone(), text(group, "name")));
                if let Some(sla) = group.get("sla").filter(|sla| sla.is_object()) {
                    seen.slas.insert(text(sla, "doc_uuid"));
                    self.relations += 1; // REFER_TO
                }
            }
            seen.issuers.insert(endpoint);
        }
        let mut images = HashSet::new();
        for region in list(document, "regions") {
            self.regions += 1;
            self.relations += 1;
            if let Some(location) = region.get("location").filter(|l| l.is_object()) {
                seen.locations.insert(text(location, "site"));
                self.relations += 1;
            }
            for service in SERVICES.iter().flat_map(|name| list(region, name)) {
                self.service(service, &mut images);
            }
        }
        self.images += images.len();
    }

    fn service(&mut self, service: &Value, images: &mut HashSet<String>) {
        self.services += 1;
        self.relations += 1;
        for (name, count) in [("flavors", &mut self.flavors), ("networks", &mut self.networks)] {
            *count += list(service, name).len();
            self.relations +=
                list(service, name).iter().map(|item| 1 + list(item, "projects").len()).sum::<usize>();
        }
        for image in list(service, "images") {
            self.relations += 1;
            if images.insert(text(image, "uuid")) {
                self.relations += list(image, "projects").len();
            }
        }
        self.quotas += list(service, "quotas").len();
        self.relations += 2 * list(service, "quotas").len();
        for class in list(service, "storage_classes") {
            self.storage_classes += 1;
            self.storage_class_quotas += list(class, "quotas").len();
            self.relations += 1 + 2 * list(class, "quotas").len();
        }
    }
}

#[derive(Default)]
struct Seen {
    locations: HashSet<String>,
    issuers: HashSet<String>,
    groups: HashSet<(String, String)>,
    slas: HashSet<String>,
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
