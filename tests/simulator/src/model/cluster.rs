//! The inside of a Kubernetes cluster.

use super::Amount;
use std::collections::BTreeMap;

/// The inside of a Kubernetes cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// The audience its tokens must carry.
    pub audience: String,
    /// Storage classes.
    pub storage_classes: Vec<StorageClass>,
    /// Quotas by namespace.
    pub quotas: BTreeMap<String, NamespaceQuota>,
    /// Worker nodes.
    pub nodes: Vec<Node>,
}

/// A storage class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// Who makes its volumes.
    pub provisioner: String,
    /// Claims without a class get this one.
    pub is_default: bool,
}

/// Quotas of one namespace; memory and storage in GiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceQuota {
    /// Cores.
    pub limits_cpu: Amount,
    /// Cores.
    pub requests_cpu: Amount,
    /// GiB.
    pub limits_memory: Amount,
    /// GiB.
    pub requests_memory: Amount,
    /// Pods.
    pub pods: Amount,
    /// Resource name and number.
    pub gpus: Option<(String, Amount)>,
    /// Claims.
    pub pvcs: Amount,
    /// GiB.
    pub storage: Amount,
    /// GiB.
    pub requests_ephemeral_storage: Amount,
    /// GiB.
    pub limits_ephemeral_storage: Amount,
    /// By storage class: claims and GiB.
    pub classes: BTreeMap<String, (Amount, Amount)>,
}

/// A worker node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Cores.
    pub cpu: i64,
    /// GiB.
    pub memory: i64,
    /// Resource name, product and number.
    pub gpus: Option<(String, String, i64)>,
}
