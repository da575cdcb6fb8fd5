//! Trying every provider and project: what can be read, what cannot, and what follows.

use std::{fmt, time::Instant};

use comfy_table::{ColumnConstraint, Table, Width, presets};
use futures::{StreamExt, stream};
use serde::Serialize;

use crate::{
    inventory::{Connection, Inventory, ProviderKey, ProviderKind},
    reading::{Fault, FaultClass, Listing, Reading, ServiceType},
    run::{Reader, Readers},
};

/// Longer texts are wrapped, characters.
const WIDTH: u16 = 72;

/// What one connection can read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tried {
    /// Whose.
    #[serde(flatten)]
    pub provider: ProviderKey,
    /// The region.
    pub region: String,
    /// The project.
    pub project: String,
    /// How many lists of the document could be read.
    pub readable: usize,
    /// What could not.
    pub problems: Vec<Trouble>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Something that cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trouble {
    /// What: `login`, `compute quotas`.
    pub what: String,
    /// Which kind of failure.
    pub class: FaultClass,
    /// Why, and what to do.
    pub why: String,
    /// What permits it, when that is what is missing.
    pub permission: Option<&'static str>,
    /// What will be unknown, and to whom.
    pub consequence: &'static str,
    /// Whether it is part of the v1 document; else only `offer` lacks it.
    pub required: bool,
}

/// What all connections can read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Connectivity(pub Vec<Tried>);

impl Connectivity {
    /// Whether everything that the v1 document needs can be read.
    pub fn is_good(&self) -> bool {
        self.0.iter().flat_map(|tried| &tried.problems).all(|trouble| !trouble.required)
    }
}

/// Tries all connections of the provider files, so many at once. The registry is not asked, and nothing is written.
pub(crate) async fn connect(inventory: &Inventory, readers: &dyn Readers, at_once: usize) -> Connectivity {
    let readers: Vec<_> =
        inventory.providers.iter().map(|provider| (provider, readers.reader(provider))).collect();
    let connections = readers.iter().flat_map(|(provider, reader)| {
        provider.connections.iter().map(move |one| (&provider.key, reader, one))
    });
    let tried = stream::iter(connections).map(|(key, reader, connection)| one(key, &**reader, connection));
    Connectivity(tried.buffered(at_once.max(1)).collect().await)
}

async fn one(key: &ProviderKey, reader: &dyn Reader, connection: &Connection) -> Tried {
    let clock = Instant::now();
    let reading = reader.read(connection).await;
    let (readable, problems) = judged(key.kind, &reading);
    Tried {
        provider: key.clone(),
        region: connection.region.clone(),
        project: connection.project_id.clone(),
        readable,
        problems,
        seconds: clock.elapsed().as_secs_f64(),
    }
}

fn judged(kind: ProviderKind, reading: &Reading) -> (usize, Vec<Trouble>) {
    let mut problems = Vec::new();
    let mut readable = 0;
    match &reading.services {
        Listing::Unknown(fault) => {
            let consequence = "nothing of this project in this region: the registry keeps what it has, and the provider is limited";
            let what = if fault.what == "catalog" { "catalog" } else { "login" };
            problems.push(trouble(what, fault, None, consequence, true));
            return (0, problems);
        }
        Listing::Absent => {}
        Listing::Complete(services) => {
            for service in services {
                for (list, listing) in &service.lists {
                    match listing {
                        Listing::Unknown(fault) => {
                            let what = format!("{} {list}", word(service.kind));
                            let needs = needs(kind, service.kind, list);
                            let consequence = consequence(list);
                            problems.push(trouble(&what, fault, Some(needs), consequence, true));
                        }
                        Listing::Complete(_) | Listing::Absent => readable += 1,
                    }
                }
            }
        }
    }
    if let Listing::Unknown(fault) = &reading.project {
        let consequence = "the project's name and description are not known";
        problems.push(trouble("project", fault, Some("identity:get_project"), consequence, true));
    }
    if let Listing::Complete(lists) = &reading.offer {
        for (list, listing) in lists {
            // what is part of the document is told above
            let told = matches!(
                *list,
                "compute_quotas"
                    | "network_quotas"
                    | "block_storage_quotas"
                    | "resource_quotas"
                    | "storage_classes"
            );
            if let (Listing::Unknown(fault), false) = (listing, told) {
                let consequence = "only `offer` of the provider lacks it; v1 is complete without";
                problems.push(trouble(list, fault, None, consequence, false));
            }
        }
    }
    (readable, problems)
}

fn trouble(
    what: &str,
    fault: &Fault,
    permission: Option<&'static str>,
    consequence: &'static str,
    required: bool,
) -> Trouble {
    Trouble {
        what: what.to_owned(),
        class: fault.class,
        why: fault.to_string(),
        permission: permission.filter(|_| fault.class == FaultClass::Forbidden),
        consequence,
        required,
    }
}

fn word(kind: ServiceType) -> &'static str {
    match kind {
        ServiceType::BlockStorage => "block storage",
        ServiceType::Compute => "compute",
        ServiceType::Identity => "identity",
        ServiceType::Network => "network",
        ServiceType::ObjectStore => "object store",
    }
}

/// The policy rule, role or verb that lets a list be read.
fn needs(kind: ProviderKind, service: ServiceType, list: &str) -> &'static str {
    use ServiceType::{BlockStorage, Compute, Network, ObjectStore};
    match (kind, service, list) {
        (ProviderKind::Kubernetes, _, "storage_classes") => {
            "ClusterRole: get, list on storageclasses.storage.k8s.io"
        }
        (ProviderKind::Kubernetes, ..) => "Role in the namespace: get, list on resourcequotas",
        (_, Compute, "flavors") => "os_compute_api:flavors (any role on the project)",
        (_, Compute, "images") => "Glance get_images, get_members (any role on the project)",
        (_, Compute, _) => "os_compute_api:os-quota-sets:detail (role reader or member on the project)",
        (_, Network, "networks") => "Neutron get_network (role reader or member on the project)",
        (_, Network, _) => "Neutron get_quota (role reader or member on the project)",
        (_, BlockStorage, _) => "volume_extension:quotas:show (role reader or member on the project)",
        (_, ObjectStore, _) => "a role that the proxy calls operator_roles (often member or swiftoperator)",
        _ => "a role on the project",
    }
}

/// What clients miss.
fn consequence(list: &str) -> &'static str {
    match list {
        "flavors" => {
            "flavors of this project stay as last read; a new one is not offered to the orchestrator"
        }
        "images" => "images of this project stay as last read; a new one is not offered to the orchestrator",
        "networks" => "networks of this project stay as last read",
        "storage_classes" => "storage classes stay as last read",
        _ => "limits and use stay as last read: the ranker works with old figures",
    }
}

/// Projects of a region that fare alike.
struct Row<'a> {
    provider: &'a ProviderKey,
    region: &'a str,
    projects: Vec<&'a str>,
    what: String,
    result: String,
    /// The longest, when it works.
    seconds: Option<f64>,
}

impl Connectivity {
    /// What is the same for several projects is told once.
    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        for Tried { provider, region, project, readable, problems, seconds } in &self.0 {
            let works = (*readable > 0 || problems.is_empty())
                .then(|| (format!("{readable} lists"), "works".to_owned(), Some(*seconds)));
            let fails = problems.iter().map(|Trouble { what, why, permission, consequence, .. }| {
                let needs = permission.map(|needs| format!("; needs {needs}")).unwrap_or_default();
                // the project's id stands in many addresses
                let why = why.replace(project.as_str(), "PROJECT");
                (what.clone(), format!("{why}{needs}\n→ {consequence}"), None)
            });
            for (what, result, seconds) in works.into_iter().chain(fails) {
                let alike = |row: &&mut Row<'_>| {
                    row.provider == provider
                        && row.region == region
                        && row.what == what
                        && row.result == result
                };
                if let Some(row) = rows.iter_mut().find(alike) {
                    row.projects.push(project);
                    row.seconds = row.seconds.zip(seconds).map(|(one, other)| one.max(other));
                } else {
                    rows.push(Row { provider, region, projects: vec![project], what, result, seconds });
                }
            }
        }
        rows
    }

    fn projects_of(&self, provider: &ProviderKey, region: &str) -> usize {
        self.0.iter().filter(|tried| tried.provider == *provider && tried.region == region).count()
    }
}

impl fmt::Display for Connectivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(["provider", "region", "projects", "what", "result"]);
        for Row { provider, region, projects, what, result, seconds } in self.rows() {
            let all = self.projects_of(provider, region);
            let which = match projects.len() {
                some if some == all && some > 1 => format!("all {all}"),
                _ => projects.join("\n"),
            };
            let took = match seconds {
                Some(seconds) if projects.len() > 1 => format!(", in up to {seconds:.1} s"),
                Some(seconds) => format!(", in {seconds:.1} s"),
                None => String::new(),
            };
            let result = format!("{result}{took}");
            table.add_row([provider.to_string(), region.to_owned(), which, what, result]);
        }
        if let Some(results) = table.column_mut(4) {
            results.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(WIDTH)));
        }
        let lost =
            self.0.iter().filter(|tried| tried.problems.iter().any(|trouble| trouble.required)).count();
        let all = self.0.len();
        let verdict = match lost {
            0 => format!("all {all} projects can be read, those of each region counted"),
            lost => format!(
                "{lost} of {all} projects, those of each region counted, cannot be read or only in part"
            ),
        };
        write!(f, "{table}\n{verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        reading::ServiceReading,
        testing::{provider, timeout},
    };

    fn forbidden() -> Fault {
        Fault { what: "GET /quotas".to_owned(), why: "HTTP 403".to_owned(), class: FaultClass::Forbidden }
    }

    #[test]
    fn a_refusal_names_the_permission_and_what_follows() {
        let connection = &provider(1, 1).connections[0];
        let mut reading = crate::testing::reading(connection, vec![("flavors", vec![])]);
        let network = ServiceReading {
            kind: ServiceType::Network,
            endpoint: "https://n".to_owned(),
            name: "org.openstack.neutron",
            lists: vec![("networks", Listing::Complete(vec![])), ("quotas", Listing::Unknown(forbidden()))],
        };
        if let Listing::Complete(services) = &mut reading.services {
            services.push(network);
        }
        reading.offer = Listing::Complete(vec![
            ("network_quotas", Listing::Unknown(forbidden())),
            ("volume_types", Listing::Unknown(timeout())),
        ]);
        let (readable, problems) = judged(ProviderKind::Openstack, &reading);
        assert_eq!(readable, 2);
        let found: Vec<_> = problems
            .iter()
            .map(|trouble| (trouble.what.as_str(), trouble.permission.is_some(), trouble.required))
            .collect();
        assert_eq!(found, [("network quotas", true, true), ("volume_types", false, false)]);
        let key = provider(1, 1).key;
        let (region, project) = (connection.region.clone(), connection.project_id.clone());
        let mut all =
            Connectivity(vec![Tried { provider: key, region, project, readable, problems, seconds: 0.5 }]);
        assert!(!all.is_good());
        let shown = all.to_string();
        assert!(
            shown.contains("Neutron get_quota")
                && shown.ends_with(
                    "1 of 1 projects, those of each region counted, cannot be read or only in part"
                ),
            "{shown}"
        );
        all.0[0].problems.remove(0);
        assert!(all.is_good());
    }

    #[test]
    fn what_is_the_same_for_several_projects_is_told_once() {
        let provider = provider(1, 4);
        let tried = |(connection, seconds): (&Connection, f64)| {
            let read = crate::testing::reading(connection, vec![("flavors", vec![])]);
            let fault = Fault { what: format!("GET /quotas/{}", connection.project_id), ..timeout() };
            let read = if seconds > 1.5 { read } else { Reading::unknown(connection, &fault) };
            let (readable, problems) = judged(ProviderKind::Openstack, &read);
            let (region, project) = (connection.region.clone(), connection.project_id.clone());
            Tried { provider: provider.key.clone(), region, project, readable, problems, seconds }
        };
        let connections = provider.connections.iter().zip([0.0, 1.0, 2.0, 3.0]);
        let mut all = Connectivity(connections.map(tried).collect());
        insta::assert_snapshot!("some", all.to_string());
        all.0.drain(..2);
        insta::assert_snapshot!("all", all.to_string());
    }

    #[test]
    fn a_login_that_fails_is_all_that_is_told() {
        let connection = &provider(1, 1).connections[0];
        let (readable, problems) = judged(ProviderKind::Openstack, &Reading::unknown(connection, &timeout()));
        assert_eq!((readable, problems.len(), problems[0].what.as_str()), (0, 1, "login"));
    }
}
