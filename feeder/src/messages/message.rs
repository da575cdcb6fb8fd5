//! What the ranker pipeline reads of a project at a region (`clients.md` 4, `behaviour.md` 40).
//!
//! A message is the provider document as one project sees it: its quotas, and the flavors, images and networks that it
//! may use. Of a connection that was not read completely there is none: the pipeline would take what is missing for
//! gone, and one message without flavors loses the deployments of a whole group. What was not asked for is told as it
//! was read last ([`Known`]).

use chrono::{DateTime, SecondsFormat, Utc};
use schema::{
    Kind, Schema,
    entity::{Projects, quota::Use},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::known::{Known, many};
use crate::inventory::{Connection, Provider, ProviderKind};
use crate::reading::{Item, Listing, Reading, ServiceReading};

/// The version of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum Version {
    /// Without `timestamp`: a selector that has seen newer messages of the same project does not start with it.
    #[serde(rename = "1.2.0")]
    V1_2,
    /// With `timestamp`.
    #[serde(rename = "1.3.0")]
    V1_3,
    /// With `timestamp` and `issuer_audience`.
    #[default]
    #[serde(rename = "1.4.0")]
    V1_4,
}

impl Version {
    fn text(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2.0",
            Self::V1_3 => "1.3.0",
            Self::V1_4 => "1.4.0",
        }
    }
}

/// What is to be said of one project at one region.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Names the project: messages of one key stay in order, and a newer one replaces an older one.
    pub key: String,
    /// All of it but the time.
    pub body: Map<String, Value>,
    /// Whether the time belongs to it.
    pub timed: bool,
}

impl Message {
    /// As it is sent: keys sorted, the time as clients compare it, as text.
    pub fn text(&self, at: DateTime<Utc>) -> String {
        let mut body = self.body.clone();
        if self.timed {
            body.insert("timestamp".to_owned(), timestamp(at).into());
        }
        let mut body = Value::Object(body);
        body.sort_all_objects();
        body.to_string()
    }
}

/// `2026-11-28T07:00:00+00:00`
fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// What to say of each project of a provider that was read completely; and why nothing is said of the others that
/// were read. `asked` are the only lists that were asked for, where not all were: `known` has the others then.
pub fn messages(
    provider: &Provider,
    readings: &[Reading],
    document: &Value,
    version: Version,
    asked: Option<&[&str]>,
    mut known: Option<&mut Known>,
) -> (Vec<Message>, Vec<String>) {
    let mut messages = Vec::new();
    let mut left_out = Vec::new();
    for connection in &provider.connections {
        let read = readings.iter().find(|reading| {
            reading.region == connection.region && reading.project_id == connection.project_id
        });
        let region = list(document, "regions").find(|region| region["name"] == connection.region.as_str());
        let (Some(read), Some(region)) = (read, region) else { continue };
        let Some(services) = services_of(read) else { continue };
        let mut whole = services.iter().flat_map(|service| &service.lists).all(|(_, list)| is_known(list));
        let key = format!(
            "{}/{}/{}/{}",
            provider.key.kind, provider.key.name, connection.region, connection.project_id
        );
        let mut body = body(provider, connection, document, region, version);
        let was_read = |address: &str, name: &str| {
            let service = services.iter().find(|service| service.endpoint == address);
            match service.and_then(|service| service.lists.iter().find(|(list, _)| *list == name)) {
                Some((_, Listing::Unknown(_))) => false,
                Some((_, Listing::Absent)) => asked.is_none_or(|asked| asked.contains(&name)),
                Some((_, Listing::Complete(_))) | None => true,
            }
        };
        match &mut known {
            Some(known) => whole &= known.complete(&key, &mut body, &was_read),
            None => whole &= asked.is_none(),
        }
        if !whole {
            continue;
        }
        if list(&Value::Object(body.clone()), "compute_services").next().is_none() {
            left_out.push(format!(
                "region {}, project {}: no message is sent, since the cloud shows it no compute service: the ranker \
                 could not read one without",
                connection.region, connection.project_id
            ));
            continue;
        }
        messages.push(Message { key, body, timed: version >= Version::V1_3 });
    }
    (messages, left_out)
}

/// The services that a project sees, when both are known.
fn services_of(reading: &Reading) -> Option<&[ServiceReading]> {
    match (&reading.project, &reading.services) {
        (Listing::Complete(_), Listing::Complete(services)) => Some(services),
        (Listing::Complete(_), Listing::Absent) => Some(&[]),
        _ => None,
    }
}

fn is_known<T>(list: &Listing<T>) -> bool {
    !matches!(list, Listing::Unknown(_))
}

fn body(
    provider: &Provider,
    connection: &Connection,
    document: &Value,
    region: &Value,
    version: Version,
) -> Map<String, Value> {
    let issuer = list(document, "identity_providers")
        .find(|issuer| issuer["endpoint"] == connection.agreement.issuer.as_str())
        .unwrap_or(&Value::Null);
    let mut body = Map::new();
    let mut say = |name: &str, value: Value| body.insert(name.to_owned(), value);
    say("msg_version", version.text().into());
    say("provider_name", provider.key.name.clone().into());
    say("provider_type", json!(provider.key.kind));
    say("identity_endpoint", provider.auth_url.clone().into());
    say("region_name", connection.region.clone().into());
    say("issuer_endpoint", connection.agreement.issuer.clone().into());
    say("issuer_name", issuer["relationship"]["idp_name"].clone());
    say("issuer_protocol", issuer["relationship"]["protocol"].clone());
    if version >= Version::V1_4 {
        say("issuer_audience", issuer["relationship"]["audience"].clone());
    }
    say("user_group", connection.agreement.user_group.clone().into());
    say("project_id", connection.project_id.clone().into());
    let described = described(Kind::Region, region, &connection.project_id);
    for name in ["overbooking_cpu", "overbooking_ram", "bandwidth_in", "bandwidth_out"] {
        say(name, described[name].as_f64().unwrap_or_default().into());
    }
    for child in many(Kind::Region) {
        let services = list(region, child.name).map(|service| {
            let mut service = described_with_lists(child.kind, service, &connection.project_id);
            if provider.key.kind == ProviderKind::Kubernetes {
                derive_virtual(child.kind, &mut service);
            }
            number_quotas(child.kind, &mut service);
            Value::Object(service)
        });
        say(child.name, services.collect());
    }
    body
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// An item with every field that its entity has.
fn described(kind: Kind, item: &Value, project: &str) -> Item {
    let entity = Schema::get().entity(kind);
    let fields = entity.fields.iter().map(|field| {
        let said = item.get(field.name).filter(|value| !value.is_null());
        (field.name.to_owned(), said.cloned().unwrap_or_else(|| field.default_value().to_json()))
    });
    let mut item_out: Item = fields.collect();
    match entity.decl.projects {
        Projects::No => {}
        Projects::One => {
            item_out.insert("project".to_owned(), project.into());
        }
        Projects::Sharing => {
            for name in ["is_shared", "projects"] {
                item_out.insert(name.to_owned(), item.get(name).cloned().unwrap_or_else(|| json!([])));
            }
        }
    }
    // the selector cannot read an image of which these are null
    if kind == Kind::Image {
        for name in ["os_distro", "os_version"] {
            if item_out.get(name).is_some_and(Value::is_null) {
                item_out.insert(name.to_owned(), "".into());
            }
        }
    }
    item_out
}

/// The same, with those items below it that the project may use.
fn described_with_lists(kind: Kind, item: &Value, project: &str) -> Item {
    let mut out = described(kind, item, project);
    for child in many(kind) {
        let projects = Schema::get().entity(child.kind).decl.projects;
        let mine = list(item, child.name).filter(|below| match projects {
            Projects::No => true,
            Projects::One => below["project"] == project,
            Projects::Sharing => {
                below["is_shared"] == true || list(below, "projects").any(|named| named == project)
            }
        });
        let mut mine: Vec<Item> =
            mine.map(|below| described_with_lists(child.kind, below, project)).collect();
        if projects == Projects::One {
            // of several with one `usage` the last one wins in the selector, and that must be the project's limit
            mine.sort_by_key(|quota| match used(quota) {
                Use::PerUser => 0,
                Use::Limit => 1,
                Use::Usage => 2,
            });
        }
        out.insert(child.name.to_owned(), mine.into_iter().map(Value::Object).collect());
    }
    out
}

fn used(quota: &Item) -> Use {
    let flag = |name: &str| quota.get(name) == Some(&Value::Bool(true));
    Use::of(flag("usage"), flag("per_user"))
}

fn quotas_of(service: &mut Item) -> impl Iterator<Item = &mut Item> {
    let quotas = service.get_mut("quotas").and_then(Value::as_array_mut);
    quotas.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// What a virtual machine's quota is for a cluster: the numbers that the selector reads, each with what it is made of
/// and how many of its units the quota's unit has. Of several the one with the least left holds.
const VIRTUAL: &[(Kind, &str, &[&str], i64)] = &[
    (Kind::ComputeService, "cores", &["requests_cpu", "limits_cpu"], 1),
    (Kind::ComputeService, "ram", &["requests_memory", "limits_memory"], 1024),
    (Kind::ComputeService, "instances", &["pods"], 1),
    (Kind::BlockStorageService, "gigabytes", &["storage"], 1),
    (Kind::BlockStorageService, "volumes", &["pvcs"], 1),
];

fn derive_virtual(kind: Kind, service: &mut Item) {
    let of = |quotas: &[Item], wanted: Use, name: &str| -> Option<i64> {
        quotas.iter().find(|quota| used(quota) == wanted)?.get(name)?.as_i64()
    };
    let quotas: Vec<Item> = quotas_of(service).map(|quota| quota.clone()).collect();
    for (_, name, sources, factor) in VIRTUAL.iter().filter(|(of, ..)| *of == kind) {
        let left = |source: &&&str| match of(&quotas, Use::Limit, source) {
            Some(limit) if limit >= 0 => limit - of(&quotas, Use::Usage, source).unwrap_or_default(),
            _ => i64::MAX,
        };
        let Some(source) = sources.iter().min_by_key(left) else { continue };
        for quota in quotas_of(service) {
            let value = quota.get(*source).and_then(Value::as_i64);
            if let Some(value) = value {
                let value = if value < 0 { value } else { value.saturating_mul(*factor) };
                quota.insert((*name).to_owned(), value.into());
            }
        }
    }
}

/// Numbers of quotas that the selector reads, and their like: never null. A limit that is not said is none, a usage
/// that is not said is nothing.
const NUMBERS: &[(Kind, &[&str])] = &[
    (Kind::ComputeService, &["cores", "instances", "ram"]),
    (Kind::BlockStorageService, &["gigabytes", "per_volume_gigabytes", "volumes"]),
    (Kind::NetworkService, &["public_ips", "networks", "ports", "security_groups", "security_group_rules"]),
    (Kind::ObjectStoreService, &["bytes", "containers", "objects"]),
];

fn number_quotas(kind: Kind, service: &mut Item) {
    let Some((_, names)) = NUMBERS.iter().find(|(of, _)| *of == kind) else { return };
    for quota in quotas_of(service) {
        let otherwise = if used(quota) == Use::Usage { 0 } else { -1 };
        for name in *names {
            if quota.get(*name).is_none_or(Value::is_null) {
                quota.insert((*name).to_owned(), otherwise.into());
            }
        }
    }
}

#[cfg(test)]
mod tests;
