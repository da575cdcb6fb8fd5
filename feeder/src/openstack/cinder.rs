//! Cinder: quotas.

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{catalog::below, cloud::Cloud, quota::Quotas};
use crate::reading::Fault;

const FIELDS: &[(&str, &str)] =
    &[("gigabytes", "gigabytes"), ("per_volume_gigabytes", "per_volume_gigabytes"), ("volumes", "volumes")];

#[derive(Deserialize)]
struct Envelope {
    quota_set: Map<String, Value>,
}

/// Gigabytes (GiB, as Cinder counts them) and volumes: limit and usage.
pub(super) async fn quotas(cloud: &Cloud<'_>, cinder: &Url) -> Result<Quotas, Fault> {
    let project = &cloud.connection.project_id;
    let mut url = below(cinder, &["os-quota-sets", project]);
    url.query_pairs_mut().append_pair("usage", "True");
    let set: Envelope = cloud.get(&url).await?;
    Ok(Quotas::of(project, &set.quota_set, FIELDS, "in_use"))
}
