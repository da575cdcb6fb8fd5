//! Nova: flavors, with their extra specs and the projects that may use the private ones.

use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    catalog::below,
    cloud::{Cloud, Headers, Refused},
    gpus::{Gpus, any_yes},
    tolerant::{item, number, said, text},
};
use crate::{
    inventory::Accelerators,
    reading::{Fault, Item},
};

/// From this version on, extra specs come with the flavors.
const WITH_EXTRA_SPECS: Headers<'_> =
    &[("openstack-api-version", "compute 2.61"), ("x-openstack-nova-api-version", "2.61")];
/// Flavors whose details are asked for at once; the provider's own bound holds besides.
const AT_ONCE: usize = 8;

#[derive(Deserialize)]
struct Flavor {
    id: String,
    name: String,
    #[serde(default, deserialize_with = "text")]
    description: String,
    #[serde(default, deserialize_with = "number")]
    vcpus: i64,
    #[serde(default, deserialize_with = "number")]
    ram: i64,
    #[serde(default, deserialize_with = "number")]
    disk: i64,
    #[serde(default, deserialize_with = "number")]
    swap: i64,
    #[serde(rename = "OS-FLV-EXT-DATA:ephemeral", default, deserialize_with = "number")]
    ephemeral: i64,
    #[serde(rename = "OS-FLV-DISABLED:disabled", default)]
    disabled: bool,
    #[serde(rename = "os-flavor-access:is_public")]
    is_public: Option<bool>,
    extra_specs: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct ExtraSpecs {
    extra_specs: Map<String, Value>,
}

#[derive(Deserialize)]
struct AccessList {
    flavor_access: Vec<Access>,
}

#[derive(Deserialize)]
struct Access {
    tenant_id: String,
}

/// All flavors that the project can use.
pub(super) async fn flavors(cloud: &Cloud<'_>, nova: &Url) -> Result<Vec<Item>, Fault> {
    let mut url = below(nova, &["flavors", "detail"]);
    // an administrator sees the private ones only when asking for both kinds; for others it changes nothing
    url.query_pairs_mut().append_pair("is_public", "None");
    let found = match cloud.list::<Flavor>(&url, "flavors", WITH_EXTRA_SPECS).await {
        // older than the version asked for
        Err(Refused { status: Some(406), .. }) => cloud.list(&url, "flavors", &[]).await?,
        found => found?,
    };
    let enabled = found.into_iter().filter(|flavor| !flavor.disabled);
    let items = stream::iter(enabled).map(|flavor| details(cloud, nova, flavor)).buffered(AT_ONCE);
    items.try_filter_map(|item| async { Ok(item) }).try_collect().await
}

/// The item of a flavor; none when it belongs to other projects.
async fn details(cloud: &Cloud<'_>, nova: &Url, mut flavor: Flavor) -> Result<Option<Item>, Fault> {
    let is_shared = flavor.is_public.unwrap_or(true);
    let projects = if is_shared { None } else { Some(access(cloud, nova, &flavor.id).await?) };
    if projects.as_ref().is_some_and(|projects| !projects.contains(&cloud.connection.project_id)) {
        return Ok(None);
    }
    let specs = match flavor.extra_specs.take() {
        Some(specs) => specs,
        None => extra_specs(cloud, nova, &flavor.id).await?,
    };
    Ok(Some(document(&flavor, &specs, projects.as_deref(), &cloud.connection.site.accelerators)))
}

/// The projects that may use a private flavor. Members may not see the list everywhere: then it is this project at
/// least, since it sees the flavor.
async fn access(cloud: &Cloud<'_>, nova: &Url, id: &str) -> Result<Vec<String>, Fault> {
    match cloud.get::<AccessList>(&below(nova, &["flavors", id, "os-flavor-access"])).await {
        Ok(AccessList { flavor_access }) => {
            let mut projects: Vec<_> = flavor_access.into_iter().map(|access| access.tenant_id).collect();
            projects.sort();
            Ok(projects)
        }
        Err(refused) if matches!(refused.status, Some(403 | 404)) => {
            Ok(vec![cloud.connection.project_id.clone()])
        }
        Err(refused) => Err(refused.into()),
    }
}

/// The extra specs of a flavor that came without. A site that hides them has none for us.
async fn extra_specs(cloud: &Cloud<'_>, nova: &Url, id: &str) -> Result<Map<String, Value>, Fault> {
    match cloud.get::<ExtraSpecs>(&below(nova, &["flavors", id, "os-extra_specs"])).await {
        Ok(ExtraSpecs { extra_specs }) => Ok(extra_specs),
        Err(refused) if matches!(refused.status, Some(403 | 404)) => Ok(Map::new()),
        Err(refused) => Err(refused.into()),
    }
}

fn document(
    flavor: &Flavor,
    specs: &Map<String, Value>,
    projects: Option<&[String]>,
    names: &Accelerators,
) -> Item {
    let gpus = Gpus::of(specs, names);
    item(json!({
        "name": flavor.name,
        "uuid": flavor.id,
        "description": flavor.description,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram,
        "disk": flavor.disk,
        "swap": flavor.swap,
        "ephemeral": flavor.ephemeral,
        "gpus": gpus.number,
        "gpu_model": gpus.model,
        "gpu_vendor": gpus.vendor,
        "infiniband": any_yes(specs, &names.infiniband),
        "local_storage": said(specs, "aggregate_instance_extra_specs:local_storage"),
        "is_shared": projects.is_none(),
        "projects": projects,
    }))
}
