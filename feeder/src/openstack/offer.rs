//! What a region offers beyond v1: zones, volume and share types, load balancers, unified limits, further services.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    Items,
    catalog::{below, without_project},
    cloud::{Cloud, Headers, Refused},
    quota::whole_set,
    tolerant::{item, text},
};
use crate::reading::Item;

/// From this version on, Manila tells the use of quotas.
const MANILA: Headers<'_> =
    &[("openstack-api-version", "shared-file-system 2.25"), ("x-openstack-manila-api-version", "2.25")];
/// Types of services that the v1 document has.
const IN_V1: [&str; 7] = ["compute", "image", "network", "identity", "block-storage", "object-store", "s3"];

#[derive(Deserialize)]
struct Zones {
    #[serde(rename = "availabilityZoneInfo")]
    zones: Vec<Zone>,
}

#[derive(Deserialize)]
struct Zone {
    #[serde(rename = "zoneName")]
    name: String,
    #[serde(rename = "zoneState", default)]
    state: ZoneState,
}

#[derive(Deserialize, Default)]
struct ZoneState {
    available: Option<bool>,
}

/// Availability zones of Nova or Cinder.
pub(super) async fn zones(cloud: &Cloud<'_>, root: &Url) -> Items {
    let Zones { zones } = match cloud.get(&below(root, &["os-availability-zone"])).await {
        // an extension that the site does not have
        Err(Refused { status: Some(404), .. }) => return Ok(Vec::new()),
        zones => zones?,
    };
    let of = |zone: Zone| item(json!({"name": zone.name, "available": zone.state.available}));
    Ok(zones.into_iter().map(of).collect())
}

/// Availability zones of Neutron, each for a kind of resource. They are an extension.
pub(super) async fn network_zones(cloud: &Cloud<'_>, neutron: &Url) -> Items {
    #[derive(Deserialize)]
    struct Zone {
        name: String,
        #[serde(default, deserialize_with = "text")]
        resource: String,
        #[serde(default, deserialize_with = "text")]
        state: String,
    }
    let url = below(neutron, &["availability_zones"]);
    match cloud.list::<Zone>(&url, "availability_zones", &[]).await {
        Ok(zones) => {
            let of = |Zone { name, resource, state }| {
                item(json!({"name": name, "type": resource, "available": state == "available"}))
            };
            Ok(zones.into_iter().map(of).collect())
        }
        Err(Refused { status: Some(404), .. }) => Ok(Vec::new()),
        Err(refused) => Err(refused.into()),
    }
}

/// Volume types that the project may use, with what the provider file says of them.
pub(super) async fn volume_types(cloud: &Cloud<'_>, cinder: &Url) -> Items {
    let found = types(cloud, cinder, "volume_types", "os-volume-type-access:is_public", &[]).await?;
    let described = found.into_iter().map(|mut kind| {
        let name = kind.get("name").and_then(Value::as_str).unwrap_or_default();
        if let Some(said) = cloud.connection.volume_types.get(name) {
            kind.insert("configured".to_owned(), said.clone());
        }
        kind
    });
    Ok(described.collect())
}

/// Share types that the project may use.
pub(super) async fn share_types(cloud: &Cloud<'_>, manila: &Url) -> Items {
    types(cloud, manila, "share_types", "share_type_access:is_public", MANILA).await
}

/// Both kinds of types look alike. Who may use a private one is told to administrators only; this project may, since
/// it sees it.
async fn types(cloud: &Cloud<'_>, root: &Url, key: &str, access: &str, headers: Headers<'_>) -> Items {
    let found: Vec<Map<String, Value>> = cloud.list(&below(root, &["types"]), key, headers).await?;
    let of = |kind: Map<String, Value>| {
        let is_public =
            kind.get("is_public").or_else(|| kind.get(access)).and_then(Value::as_bool).unwrap_or(true);
        item(json!({
            "uuid": kind.get("id"),
            "name": kind.get("name"),
            "description": kind.get("description"),
            "is_default": kind.get("is_default"),
            "extra_specs": kind.get("extra_specs"),
            "is_shared": is_public,
            "projects": (!is_public).then_some([&cloud.connection.project_id]),
        }))
    };
    Ok(found.into_iter().map(of).collect())
}

/// Octavia: limits. Its API tells no use.
pub(super) async fn load_balancer_quotas(cloud: &Cloud<'_>, octavia: &Url) -> Items {
    quota_set(cloud, &below(octavia, &["lbaas", "quotas", &cloud.connection.project_id]), "quota", &[]).await
}

/// Manila: limits and use.
pub(super) async fn share_quotas(cloud: &Cloud<'_>, manila: &Url) -> Items {
    let url = below(manila, &["quota-sets", &cloud.connection.project_id, "detail"]);
    quota_set(cloud, &url, "quota_set", MANILA).await
}

async fn quota_set(cloud: &Cloud<'_>, url: &Url, key: &str, headers: Headers<'_>) -> Items {
    let mut body: Map<String, Value> = cloud.get_with(url, headers).await?;
    match body.remove(key) {
        Some(Value::Object(set)) => Ok(whole_set(&cloud.connection.project_id, &set, "in_use")),
        _ => Err(Cloud::garbage(url, &format!("`{key}` is missing"))),
    }
}

#[derive(Deserialize)]
struct Limit {
    resource_name: String,
    service_id: Option<String>,
    region_id: Option<String>,
    #[serde(rename = "default_limit")]
    by_default: Option<i64>,
    #[serde(rename = "resource_limit")]
    own: Option<i64>,
}

/// Keystone's unified limits, which Nova and Glance can enforce instead of quotas of their own: each registered
/// resource, and the project's own limit where it has one.
pub(super) async fn unified_limits(cloud: &Cloud<'_>) -> Items {
    let project = &cloud.connection.project_id;
    let registered =
        cloud.list::<Limit>(&below(&cloud.identity, &["registered_limits"]), "registered_limits", &[]).await;
    let registered = match registered {
        // they came with Queens
        Err(Refused { status: Some(404), .. }) => return Ok(Vec::new()),
        registered => registered?,
    };
    let here =
        |limit: &Limit| limit.region_id.as_ref().is_none_or(|region| *region == cloud.connection.region);
    let registered: Vec<_> = registered.into_iter().filter(here).collect();
    if registered.is_empty() {
        return Ok(Vec::new());
    }
    let mut url = below(&cloud.identity, &["limits"]);
    url.query_pairs_mut().append_pair("project_id", project);
    let own: Vec<Limit> = cloud.list(&url, "limits", &[]).await?;
    let of = |limit: Limit| {
        let same = |own: &&Limit| {
            own.resource_name == limit.resource_name && own.service_id == limit.service_id && here(own)
        };
        let own = own.iter().find(same).and_then(|own| own.own);
        item(json!({
            "name": limit.resource_name,
            "service": limit.service_id.as_deref().and_then(|id| cloud.service_type(id)),
            "project": project,
            "limit": own.or(limit.by_default),
            "is_default": own.is_none(),
        }))
    };
    Ok(registered.into_iter().map(of).collect())
}

/// Services of the region that v1 has no type for: load balancers, shared file systems, DNS, orchestration.
pub(super) fn services(cloud: &Cloud<'_>) -> Vec<Item> {
    let project = &cloud.connection.project_id;
    let further = cloud.all_services().into_iter().filter(|(kind, _)| !IN_V1.contains(kind));
    further
        .map(|(kind, address)| item(json!({"type": kind, "endpoint": without_project(&address, project)})))
        .collect()
}
