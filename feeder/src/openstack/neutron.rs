//! Neutron: networks and quotas.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    catalog::below,
    cloud::Cloud,
    quota,
    tolerant::{item, number, text},
};
use crate::reading::{Fault, Item};

const FIELDS: &[(&str, &str)] = &[
    ("floatingip", "public_ips"),
    ("network", "networks"),
    ("port", "ports"),
    ("security_group", "security_groups"),
    ("security_group_rule", "security_group_rules"),
];

#[derive(Deserialize)]
struct Network {
    id: String,
    #[serde(default, deserialize_with = "text")]
    name: String,
    #[serde(default, deserialize_with = "text")]
    description: String,
    #[serde(default, deserialize_with = "text")]
    status: String,
    #[serde(default)]
    shared: bool,
    #[serde(rename = "router:external", default)]
    external: bool,
    is_default: Option<bool>,
    #[serde(default, deserialize_with = "number")]
    mtu: i64,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope {
    quota: Map<String, Value>,
}

/// All active networks that the project sees. One that is not shared with everybody belongs to this project, as far
/// as this project can tell: its own ones, and external ones of others, which it can take floating IPs from.
pub(super) async fn networks(cloud: &Cloud<'_>, neutron: &Url) -> Result<Vec<Item>, Fault> {
    let tags = &cloud.connection.network_tags;
    let found: Vec<Network> = cloud.list(&below(neutron, &["networks"]), "networks", &[]).await?;
    // filtered here: a Neutron without the tag extension takes or refuses the filter as it likes
    let wanted = found
        .into_iter()
        .filter(|network| network.status == "ACTIVE" && tags.iter().all(|tag| network.tags.contains(tag)));
    Ok(wanted.map(|network| document(network, &cloud.connection.project_id)).collect())
}

fn document(network: Network, project: &str) -> Item {
    let Network { id, name, description, shared, external, is_default, mtu, mut tags, .. } = network;
    tags.sort();
    item(json!({
        "name": if name.is_empty() { &id } else { &name },
        "uuid": id,
        "description": description,
        "is_router_external": external,
        "is_default": is_default.unwrap_or_default(),
        "mtu": (mtu > 0).then_some(mtu),
        "tags": tags,
        "is_shared": shared,
        "projects": (!shared).then_some([project]),
    }))
}

/// Floating IPs, networks, ports, security groups and their rules: limit and usage.
pub(super) async fn quotas(cloud: &Cloud<'_>, neutron: &Url) -> Result<Vec<Item>, Fault> {
    let project = &cloud.connection.project_id;
    let with_usage = cloud.get::<Envelope>(&below(neutron, &["quotas", project, "details"])).await;
    let set = match with_usage {
        // usage came with Pike, and as an extension
        Err(refused) if refused.status == Some(404) => {
            cloud.get(&below(neutron, &["quotas", project])).await?
        }
        set => set?,
    };
    Ok(quota::items(project, &set.quota, FIELDS, "used"))
}
