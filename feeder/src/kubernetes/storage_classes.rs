//! Storage classes of a cluster.

use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::{Value, json};

use super::quotas::Quotas;
use crate::reading::Item;

/// Says that a class is the default one; the second is the name it had before Kubernetes 1.6, which the API
/// server still obeys.
const DEFAULT: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// The classes, each with what the namespace may use of it.
pub(super) fn items(classes: Vec<StorageClass>, quotas: &Quotas, namespace: &str) -> Vec<Item> {
    classes.into_iter().map(|class| item(class, quotas, namespace)).collect()
}

fn item(class: StorageClass, quotas: &Quotas, namespace: &str) -> Item {
    let annotations = class.metadata.annotations.unwrap_or_default();
    let is_default = DEFAULT.iter().any(|key| annotations.get(*key).is_some_and(|value| value == "true"));
    let name = class.metadata.name.unwrap_or_default();
    let quotas = quotas.class(&name, namespace);
    Item::from_iter([
        ("name".to_owned(), Value::from(name)),
        ("is_default".to_owned(), json!(is_default)),
        ("provisioner".to_owned(), class.provisioner.into()),
        ("quotas".to_owned(), quotas.into()),
    ])
}
