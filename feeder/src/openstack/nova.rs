//! Nova: quotas.

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{catalog::below, cloud::Cloud, quota::Quotas};
use crate::reading::Fault;

const FIELDS: &[(&str, &str)] = &[("cores", "cores"), ("instances", "instances"), ("ram", "ram")];

#[derive(Deserialize)]
struct Envelope {
    quota_set: Map<String, Value>,
}

/// Cores, instances and RAM (MiB): limit and usage.
pub(super) async fn quotas(cloud: &Cloud<'_>, nova: &Url) -> Result<Quotas, Fault> {
    let project = &cloud.connection.project_id;
    let set: Envelope = cloud.get(&below(nova, &["os-quota-sets", project, "detail"])).await?;
    Ok(Quotas::of(project, &set.quota_set, FIELDS, "in_use"))
}
