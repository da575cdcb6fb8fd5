//! Neutron: networks and quotas.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    catalog::below,
    cloud::Cloud,
    quota::Quotas,
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
    /// The owner. Older versions call it `tenant_id`, newer ones give both.
    project_id: Option<String>,
    tenant_id: Option<String>,
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

/// All active networks that the project can use: shared ones, its own, and external ones, which it takes floating IPs
/// from. An administrator sees the networks of all projects besides; they are left out.
///
/// An external network that is not shared belongs to this project, as far as this project can tell.
pub(super) async fn networks(cloud: &Cloud<'_>, neutron: &Url) -> Result<Vec<Item>, Fault> {
    let tags = &cloud.connection.network_tags;
    let found: Vec<Network> = cloud.list(&below(neutron, &["networks"]), "networks", &[]).await?;
    let project = &cloud.connection.project_id;
    let usable = |network: &Network| {
        let owner = network.project_id.as_ref().or(network.tenant_id.as_ref());
        network.shared || network.external || owner.is_none_or(|owner| owner == project)
    };
    // filtered here: a Neutron without the tag extension takes or refuses the filter as it likes
    let tagged = |network: &Network| tags.iter().all(|tag| network.tags.contains(tag));
    let wanted =
        found.into_iter().filter(|network| network.status == "ACTIVE" && usable(network) && tagged(network));
    Ok(wanted.map(|network| document(network, project)).collect())
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
pub(super) async fn quotas(cloud: &Cloud<'_>, neutron: &Url) -> Result<Quotas, Fault> {
    let project = &cloud.connection.project_id;
    let with_usage = cloud.get::<Envelope>(&below(neutron, &["quotas", project, "details"])).await;
    let set = match with_usage {
        // usage came with Pike, and as an extension
        Err(refused) if refused.status == Some(404) => {
            cloud.get(&below(neutron, &["quotas", project])).await?
        }
        set => set?,
    };
    Ok(Quotas::of(project, &set.quota, FIELDS, "used"))
}
