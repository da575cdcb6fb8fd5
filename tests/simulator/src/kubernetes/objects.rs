//! Objects as the API writes them. Quantities come in the notations that a real server gives: whole numbers,
//! thousandths, binary and decimal suffixes; of one resource, limit and use differ in theirs.

use crate::model::{Amount, NamespaceQuota, Node, StorageClass};
use serde_json::{Map, Value, json};

fn metadata(name: &str) -> Value {
    json!({
        "name": name, "uid": crate::site::stable_uuid(&["kubernetes", name]).to_string(),
        "resourceVersion": "229", "creationTimestamp": "2026-03-02T07:35:42Z",
    })
}

pub(super) fn namespace(name: &str) -> Value {
    let mut out = json!({
        "metadata": metadata(name), "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
    });
    out["metadata"]["labels"] = json!({ "kubernetes.io/metadata.name": name });
    out
}

pub(super) fn storage_class(class: &StorageClass) -> Value {
    let mut out = json!({
        "metadata": metadata(&class.name), "provisioner": class.provisioner, "reclaimPolicy": "Delete",
        "allowVolumeExpansion": true, "volumeBindingMode": "Immediate",
    });
    if class.is_default {
        out["metadata"]["annotations"] = json!({ "storageclass.kubernetes.io/is-default-class": "true" });
    }
    out
}

pub(super) fn node(node: &Node) -> Value {
    let mut resources = json!({
        "cpu": format!("{}m", node.cpu * 1000 - 150), "ephemeral-storage": "884538806136",
        "memory": format!("{}Ki", node.memory * 1_048_576 - 250_000), "pods": "110",
    });
    let mut labels = json!({
        "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": "zone-a",
    });
    if let Some((resource, product, number)) = &node.gpus {
        resources[resource] = number.to_string().into();
        labels["nvidia.com/gpu.product"] = product.as_str().into();
    }
    let ready = json!({
        "type": "Ready", "status": "True", "lastHeartbeatTime": "2026-03-02T07:35:42Z",
        "lastTransitionTime": "2026-03-02T07:35:42Z", "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
    });
    let mut out = json!({
        "metadata": metadata(&node.name), "spec": {},
        "status": { "capacity": resources, "allocatable": resources, "conditions": [ready] },
    });
    out["metadata"]["labels"] = labels;
    out
}

/// How a limit and its use are written.
type Notation = fn(i64) -> String;

fn number(n: i64) -> String {
    n.to_string()
}

fn thousandths(n: i64) -> String {
    format!("{}m", n * 1000)
}

fn gibi(n: i64) -> String {
    format!("{n}Gi")
}

fn mebi(n: i64) -> String {
    format!("{}Mi", n * 1024)
}

fn kibi(n: i64) -> String {
    format!("{}Ki", n * 1024 * 1024)
}

fn bytes(n: i64) -> String {
    (n * 1024 * 1024 * 1024).to_string()
}

/// The quotas of a namespace, in several objects: those of pods, those of claims, and one with a scope, which limits
/// some pods only and therefore is no limit of the namespace.
pub(super) fn quotas(namespace: &str, quota: &NamespaceQuota) -> Vec<Value> {
    let mut pods = Entries::default();
    pods.add("limits.cpu", quota.limits_cpu, number, thousandths);
    pods.add("limits.ephemeral-storage", quota.limits_ephemeral_storage, gibi, bytes);
    pods.add("limits.memory", quota.limits_memory, gibi, mebi);
    pods.add("pods", quota.pods, number, number);
    pods.add("requests.cpu", quota.requests_cpu, thousandths, number);
    pods.add("requests.ephemeral-storage", quota.requests_ephemeral_storage, gibi, kibi);
    pods.add("requests.memory", quota.requests_memory, gibi, bytes);
    if let Some((resource, of)) = &quota.gpus {
        pods.add(&format!("requests.{resource}"), *of, number, number);
    }
    let mut claims = Entries::default();
    for (class, (pvcs, storage)) in &quota.classes {
        claims.add(
            &format!("{class}.storageclass.storage.k8s.io/persistentvolumeclaims"),
            *pvcs,
            number,
            number,
        );
        claims.add(&format!("{class}.storageclass.storage.k8s.io/requests.storage"), *storage, gibi, kibi);
    }
    claims.add("persistentvolumeclaims", quota.pvcs, number, number);
    claims.add("requests.storage", quota.storage, gibi, gibi);
    let mut scoped = Entries::default();
    scoped.add("pods", Amount { limit: 1, used: 0 }, number, number);
    scoped.add("limits.cpu", Amount { limit: 1, used: 0 }, number, thousandths);
    let mut batch = scoped.object("batch", namespace);
    batch["spec"]["scopes"] = json!(["Terminating"]);
    vec![pods.object("compute", namespace), claims.object("storage", namespace), batch]
}

#[derive(Default)]
struct Entries {
    hard: Map<String, Value>,
    used: Map<String, Value>,
}

impl Entries {
    fn add(&mut self, name: &str, of: Amount, hard: Notation, used: Notation) {
        self.hard.insert(name.to_owned(), hard(of.limit).into());
        self.used.insert(name.to_owned(), used(of.used).into());
    }

    fn object(self, name: &str, namespace: &str) -> Value {
        let mut metadata = metadata(name);
        metadata["namespace"] = namespace.into();
        json!({
            "metadata": metadata, "spec": { "hard": self.hard },
            "status": { "hard": self.hard, "used": self.used },
        })
    }
}
