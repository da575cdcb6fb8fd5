//! One provider of a file: cross references checked, defaults and overrides applied, its document begun.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schema::document::{self, Reading};
use schema::{Loc, Schema};
use serde_json::{Map, Value, json};

use super::agreements::Grant;
use super::credentials::{Login, login};
use super::fault::{Issue, Source, nearest, unknown};
use super::file::{ProjectEntry, ProviderEntry, ProviderIdp, address_fault};
use super::origin::{Origin, place};
use super::properties::{limit_faults, properties};
use super::resolve::Surroundings;
use super::{Agreement, Connection, Provider, ProviderKey, ProviderKind, ProviderStatus, Site};
use crate::openstack::SERVICES;

/// One provider while it is resolved.
pub struct Work<'a> {
    kind: ProviderKind,
    entry: &'a ProviderEntry,
    grants: &'a BTreeMap<&'a str, Grant<'a>>,
    surroundings: Surroundings<'a>,
    origin: Origin,
    /// The entry in the file, with a dot: `openstack[0].`
    base: String,
    /// What is wrong.
    pub issues: Vec<Issue>,
    /// What is not wrong, but has no effect.
    pub warnings: Vec<Issue>,
}

impl<'a> Work<'a> {
    /// Nothing done yet.
    pub fn new(
        source: &Source,
        (kind, place, entry): (ProviderKind, usize, &'a ProviderEntry),
        grants: &'a BTreeMap<&'a str, Grant<'a>>,
        surroundings: Surroundings<'a>,
    ) -> Self {
        let base = format!("{}[{place}]", kind.list());
        let key = ProviderKey { name: entry.name.clone(), kind };
        Self {
            kind,
            entry,
            grants,
            surroundings,
            origin: Origin::new(source.clone(), key, &base),
            base: format!("{base}."),
            issues: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether something that is wrong in the file is wrong in this entry.
    pub fn is_of(&self, issue: &Issue) -> bool {
        issue.at.starts_with(&self.base)
    }

    fn wrong(&mut self, at: &str, message: impl Into<String>) {
        self.issues.push(Issue { at: format!("{}{at}", self.base), message: message.into() });
    }

    /// The provider, as far as it can be made; [`Work::issues`] says what is wrong with it.
    pub fn provider(&mut self, key: &ProviderKey) -> Provider {
        let entry = self.entry;
        if entry.kind.is_some_and(|kind| kind != self.kind) {
            self.wrong(
                "type",
                format!(
                    "this entry stands below `{}`: leave `type` out, or move the entry",
                    self.kind.list()
                ),
            );
        }
        let granted = self.granted();
        let site = Arc::new(Site {
            auth_url: entry.auth_url.clone(),
            ca_path: entry.ca_path.as_ref().map(|path| self.surroundings.folder.join(path)),
            endpoints: entry.endpoints.clone(),
            catalog_hosts: entry.catalog_hosts.clone(),
            accelerators: entry.accelerators.clone(),
        });
        let mut document = self.head();
        let mut connections = Vec::new();
        let regions = self.regions();
        self.check_region_properties(&regions);
        self.check_endpoints(&regions);
        if entry.status == ProviderStatus::Active {
            let identity_providers = self.identity_providers(&granted);
            document.insert("identity_providers".to_owned(), identity_providers);
            document.insert("regions".to_owned(), regions.iter().cloned().map(Value::Object).collect());
            connections = self.connections(&site, &regions, &granted);
        }
        self.check_against_schema(&document);
        for (j, project) in entry.projects.iter().enumerate() {
            for (at, message) in limit_faults(project) {
                self.wrong(&format!("projects[{j}].{at}"), message);
            }
        }
        Provider {
            key: key.clone(),
            status: entry.status,
            auth_url: entry.auth_url.clone(),
            document,
            site,
            connections,
            origin: self.origin.clone(),
        }
    }

    /// The provider's own attributes.
    fn head(&self) -> Map<String, Value> {
        let ProviderEntry { name, status, is_public, support_emails, description, .. } = self.entry;
        let head = json!({
            "name": name, "type": self.kind, "status": status, "is_public": is_public,
            "support_emails": support_emails, "description": description,
        });
        match head {
            Value::Object(head) => head,
            _ => Map::new(),
        }
    }

    /// The provider's projects with the agreement that each rests on and the identity provider that it goes through.
    fn granted(&mut self) -> Vec<Granted<'a>> {
        let mut granted = Vec::new();
        for (j, project) in self.entry.projects.iter().enumerate() {
            let Some(grant) = self.grants.get(project.sla.as_str()).copied() else {
                let near = nearest(&project.sla, self.grants.keys().copied());
                let hint = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
                self.wrong(
                    &format!("projects[{j}].sla"),
                    format!("no user group of `trusted_idps` has an SLA with this doc_uuid{hint}: add the SLA, or correct the doc_uuid"),
                );
                continue;
            };
            let issuer = &grant.idp.1.issuer;
            let trusted =
                self.entry.identity_providers.iter().enumerate().find(|(_, idp)| idp.endpoint == *issuer);
            let Some(trusted) = trusted else {
                let known: Vec<_> =
                    self.entry.identity_providers.iter().map(|idp| idp.endpoint.as_str()).collect();
                let same =
                    known.iter().any(|known| known.trim_end_matches('/') == issuer.trim_end_matches('/'));
                let hint = if same { ", to the last slash" } else { "" };
                self.wrong(
                    &format!("projects[{j}].sla"),
                    format!(
                        "its SLA is of {issuer}, which this provider does not trust: add it to `identity_providers`, \
                         written exactly as in `trusted_idps`{hint} (there now: {})",
                        known.join(", ")
                    ),
                );
                continue;
            };
            granted.push(Granted { place: j, project, grant, idp: trusted });
        }
        granted
    }

    /// The regions as the document shows them; one with the default name when the file has none.
    fn regions(&mut self) -> Vec<Map<String, Value>> {
        for r in 0..self.entry.regions.len() {
            self.origin.note(format!("regions[{r}]"), format!("{}regions[{r}]", self.base));
        }
        let default = || ("name".to_owned(), Value::from(self.kind.default_region()));
        let mut regions: Vec<Map<String, Value>> =
            self.entry.regions.iter().map(|region| region.values.clone()).collect();
        if regions.is_empty() {
            self.origin.note("regions[0]", self.base.trim_end_matches('.'));
            regions.push(Map::new());
        }
        for (r, region) in regions.iter_mut().enumerate() {
            let identity = format!("regions[{r}].identity_services[0].endpoint");
            self.origin.note(identity, format!("{}auth_url", self.base));
            if !region.contains_key("name") {
                region.extend([default()]);
            }
        }
        regions
    }

    fn check_region_properties(&mut self, regions: &[Map<String, Value>]) {
        let names: Vec<&str> = regions.iter().map(region_name).collect();
        for (j, project) in self.entry.projects.iter().enumerate() {
            let mut seen = BTreeSet::new();
            for (q, properties) in project.per_region_props.iter().enumerate() {
                let at = format!("projects[{j}].per_region_props[{q}].region_name");
                if !names.contains(&properties.region_name.as_str()) {
                    self.wrong(
                        &at,
                        format!("this provider has no such region; it has `{}`", names.join("`, `")),
                    );
                } else if !seen.insert(&properties.region_name) {
                    self.wrong(&at, "this region stands here twice: write all its properties in one entry");
                }
            }
        }
    }

    /// The identity providers that grant a project here, with those groups and agreements. A group can have one
    /// agreement with one project at each provider (the document has room for no more): the first in the file.
    /// Addresses in place of the catalog's: regions and services that exist, addresses that are some.
    fn check_endpoints(&mut self, regions: &[Map<String, Value>]) {
        let names: Vec<&str> = regions.iter().map(region_name).collect();
        if self.kind == ProviderKind::Kubernetes {
            for name in self.entry.of_openstack_only() {
                self.wrong(name, "only OpenStack has a catalog of services and flavors: remove this");
            }
        }
        for (region, services) in &self.entry.endpoints {
            let at = format!("endpoints.{region}");
            if !names.contains(&region.as_str()) {
                let known = names.join("`, `");
                self.wrong(&at, format!("this provider has no such region; it has `{known}`"));
            }
            for (service, address) in services {
                let at = format!("{at}.{service}");
                if !SERVICES.contains(&service.as_str()) {
                    self.wrong(&at, unknown("type of service", service, &SERVICES));
                }
                if let Some(fault) = address_fault(address) {
                    self.wrong(&at, fault);
                }
            }
        }
    }

    fn identity_providers(&mut self, granted: &[Granted<'a>]) -> Value {
        let mut list: Vec<Value> = Vec::new();
        for (i, trusted) in self.entry.identity_providers.iter().enumerate() {
            if self.entry.identity_providers[..i].iter().any(|earlier| earlier.endpoint == trusted.endpoint) {
                self.wrong(
                    &format!("identity_providers[{i}].endpoint"),
                    "this identity provider stands here twice: keep one of them",
                );
                continue;
            }
            let mine = granted.iter().filter(|granted| granted.idp.0 == i);
            let k = list.len();
            let mut groups: Vec<Value> = Vec::new();
            let mut seen: Vec<&str> = Vec::new();
            let mut idp = None;
            for Granted { place, project, grant, .. } in mine {
                idp = Some(grant.idp);
                let name = grant.group.1.name.as_str();
                if seen.contains(&name) {
                    self.warnings.push(Issue {
                        at: format!("{}projects[{place}].sla", self.base),
                        message: format!(
                            "the group `{name}` has another project at this provider already, and only one for each group \
                             can be published: this project is published without agreement; give it a group of its own"
                        ),
                    });
                    continue;
                }
                seen.push(name);
                let group = format!("identity_providers[{k}].user_groups[{}]", groups.len());
                self.origin
                    .note(format!("{group}.sla.project"), format!("{}projects[{place}].sla", self.base));
                self.origin.note(format!("{group}.sla"), grant.sla_entry());
                self.origin.note(group, grant.group_entry());
                let mut sla = grant.sla.1.values.clone();
                sla.insert("project".to_owned(), project.id.clone().into());
                groups.push(json!({"name": name, "sla": sla}));
                describe(groups.last_mut(), grant.group.1.description.as_deref());
            }
            let Some((t, idp)) = idp else { continue };
            let own = format!("{}identity_providers[{i}]", self.base);
            let document = format!("identity_providers[{k}]");
            for name in ["group_claim", "description"] {
                self.origin.note(format!("{document}.{name}"), format!("trusted_idps[{t}].{name}"));
            }
            for (shown, written) in [("idp_name", "name"), ("protocol", "protocol"), ("audience", "audience")]
            {
                self.origin.note(format!("{document}.relationship.{shown}"), format!("{own}.{written}"));
            }
            self.origin.note(document, own);
            list.push(json!({
                "endpoint": trusted.endpoint, "group_claim": idp.group_claim,
                "relationship": relationship(trusted), "user_groups": groups,
            }));
            describe(list.last_mut(), idp.description.as_deref());
        }
        Value::Array(list)
    }

    fn connections(
        &mut self,
        site: &Arc<Site>,
        regions: &[Map<String, Value>],
        granted: &[Granted<'a>],
    ) -> Vec<Connection> {
        let mut connections = Vec::new();
        let mut logins = Vec::new();
        for granted in granted {
            let Granted { place, project, grant, idp } = granted;
            let way = Login {
                kind: self.kind,
                provider: self.entry.auth.as_ref(),
                project: project.auth.as_ref().map(|auth| (*place, auth)),
                issuer: grant.idp,
                trusted: *idp,
            };
            match login(&way, &self.base, self.surroundings) {
                Ok(credentials) => logins.push((granted, credentials)),
                Err(issues) => {
                    for issue in issues {
                        if !self.issues.contains(&issue) {
                            self.issues.push(issue);
                        }
                    }
                }
            }
        }
        for region in regions {
            for (granted, credentials) in &logins {
                connections.push(Connection {
                    provider: self.entry.name.clone(),
                    kind: self.kind,
                    site: Arc::clone(site),
                    region: region_name(region).to_owned(),
                    project_id: granted.project.id.clone(),
                    credentials: credentials.clone(),
                    image_tags: self.entry.image_tags.clone(),
                    network_tags: self.entry.network_tags.clone(),
                    volume_types: self.entry.block_storage_vol_types.clone().unwrap_or_default(),
                    properties: properties(granted.project, region_name(region)),
                    agreement: granted.agreement(),
                    asked: None,
                });
            }
        }
        connections
    }

    /// Lets the schema look at the document as far as the file says it, so that what the registry would refuse is
    /// found here, at the entry that causes it.
    fn check_against_schema(&mut self, document: &Map<String, Value>) {
        let mut document = document.clone();
        if document.contains_key("regions") {
            let projects =
                self.entry.projects.iter().map(|project| json!({"uuid": project.id, "name": project.id}));
            document.insert("projects".to_owned(), projects.collect());
        }
        for j in 0..self.entry.projects.len() {
            for name in ["uuid", "name"] {
                self.origin.note(format!("projects[{j}].{name}"), format!("{}projects[{j}].id", self.base));
            }
            self.origin.note(format!("projects[{j}]"), format!("{}projects[{j}]", self.base));
        }
        let Err(faults) =
            document::provider(Schema::get(), &Value::Object(document), Reading::default(), &[])
        else {
            return;
        };
        for fault in faults {
            self.note_fault(&fault.loc, &fault.msg);
        }
    }

    fn note_fault(&mut self, loc: &[Loc], message: &str) {
        let issue = Issue { at: self.origin.entry(&place(loc)), message: message.to_owned() };
        if !self.issues.iter().any(|known| known.at == issue.at) {
            self.issues.push(issue);
        }
    }
}

/// A project, the agreement that it rests on, and the identity provider as the cloud knows it.
struct Granted<'a> {
    place: usize,
    project: &'a ProjectEntry,
    grant: Grant<'a>,
    idp: (usize, &'a ProviderIdp),
}

impl Granted<'_> {
    fn agreement(&self) -> Agreement {
        Agreement {
            issuer: self.grant.idp.1.issuer.clone(),
            user_group: self.grant.group.1.name.clone(),
            doc_uuid: self.grant.sla.1.text("doc_uuid").to_owned(),
        }
    }
}

fn region_name(region: &Map<String, Value>) -> &str {
    region.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Several providers share identity providers and groups: what no file says of them must not clear what is stored.
fn describe(item: Option<&mut Value>, description: Option<&str>) {
    if let (Some(item), Some(description)) = (item.and_then(Value::as_object_mut), description) {
        item.insert("description".to_owned(), description.into());
    }
}

/// What the document says of how the cloud knows an identity provider; null when the file says nothing.
fn relationship(idp: &ProviderIdp) -> Value {
    let ProviderIdp { name, protocol, audience, .. } = idp;
    let said = [("idp_name", name), ("protocol", protocol), ("audience", audience)];
    let said: Map<String, Value> =
        said.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))).collect();
    if said.is_empty() { Value::Null } else { Value::Object(said) }
}
