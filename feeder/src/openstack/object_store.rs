//! Object storage: Swift accounts (of Swift itself or of Ceph's gateway), and S3 endpoints.

use serde_json::Value;
use url::Url;

use super::{cloud::Cloud, http::Answer, quota};
use crate::reading::{Fault, Item};

/// What has no limit.
const UNLIMITED: i64 = -1;

/// Headers that limit an account, by field: Swift has bytes (and since 2024 objects), Ceph's gateway all three.
const LIMITS: [(&str, &[&str]); 3] = [
    ("bytes", &["x-account-quota-bytes", "x-account-meta-quota-bytes"]),
    ("containers", &["x-account-quota-containers", "x-account-meta-quota-containers"]),
    ("objects", &["x-account-quota-count", "x-account-meta-quota-count", "x-account-quota-objects"]),
];

/// Headers that say what an account holds.
const USAGE: [(&str, &[&str]); 3] = [
    ("bytes", &["x-account-bytes-used"]),
    ("containers", &["x-account-container-count"]),
    ("objects", &["x-account-object-count"]),
];

/// Bytes, containers and objects of the project's account: limit and usage.
pub(super) async fn swift_quotas(cloud: &Cloud<'_>, account: &Url) -> Result<Vec<Item>, Fault> {
    let account = cloud.head(account).await?;
    let project = &cloud.connection.project_id;
    let limits =
        LIMITS.map(|(field, names)| (field.to_owned(), count(&account, names).unwrap_or(UNLIMITED).into()));
    let usage = USAGE
        .iter()
        .filter_map(|(field, names)| Some((String::from(*field), count(&account, names)?.into())));
    let items = [quota::item(project, false, limits.into()), quota::item(project, true, usage.collect())];
    Ok(items.into_iter().flatten().collect())
}

/// An S3 endpoint tells no quotas.
pub(super) fn s3_quotas(project: &str) -> Vec<Item> {
    let limits = LIMITS.map(|(field, _)| (field.to_owned(), Value::from(UNLIMITED)));
    quota::item(project, false, limits.into()).into_iter().collect()
}

fn count(account: &Answer, names: &[&str]) -> Option<i64> {
    names.iter().find_map(|name| account.header(name)?.trim().parse::<i64>().ok()).filter(|count| *count >= 0)
}
