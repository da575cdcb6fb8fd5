//! What a cluster offers beyond v1: whole resource quotas, more of its storage classes, and its zones.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::{
        core::v1::{Node, ResourceQuota},
        storage::v1::StorageClass,
    },
    apimachinery::pkg::api::resource::Quantity as Written,
};
use serde_json::json;

use super::quantity::{Quantity, Unit};
use super::quotas::is_gpu;
use crate::reading::Item;

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
/// What NVIDIA's and AMD's node labellers call the model.
const MODEL: [&str; 2] = ["nvidia.com/gpu.product", "amd.com/gpu.product-name"];

/// Every quota of a namespace as it is, in Kubernetes' own quantities: also those with a scope, and counts of objects.
pub(super) fn quotas(quotas: &[ResourceQuota], namespace: &str) -> Vec<Item> {
    let of = |quota: &ResourceQuota| {
        let (spec, status) = (quota.spec.as_ref(), quota.status.as_ref());
        let hard = status.and_then(|status| status.hard.as_ref()).or_else(|| spec?.hard.as_ref());
        let selector = spec.and_then(|spec| spec.scope_selector.as_ref());
        item(json!({
            "project": namespace,
            "name": quota.metadata.name,
            "scopes": spec.and_then(|spec| spec.scopes.as_ref()),
            "scope_selector": selector.and_then(|selector| selector.match_expressions.as_ref()),
            "hard": hard,
            "used": status.and_then(|status| status.used.as_ref()),
        }))
    };
    quotas.iter().map(of).collect()
}

/// What the v1 document does not say of storage classes. Their parameters are the site's own affair.
pub(super) fn storage_classes(classes: &[StorageClass]) -> Vec<Item> {
    let of = |class: &StorageClass| {
        let terms = class.allowed_topologies.iter().flatten();
        let labels = terms.flat_map(|term| term.match_label_expressions.iter().flatten());
        let topology: BTreeMap<&str, &Vec<String>> =
            labels.map(|label| (label.key.as_str(), &label.values)).collect();
        item(json!({
            "name": class.metadata.name,
            "provisioner": class.provisioner,
            "reclaim_policy": class.reclaim_policy,
            "volume_binding_mode": class.volume_binding_mode,
            "allow_volume_expansion": class.allow_volume_expansion.unwrap_or_default(),
            "topology": (!topology.is_empty()).then_some(topology),
        }))
    };
    classes.iter().map(of).collect()
}

/// Nodes of one zone, together.
#[derive(Default)]
struct Zone {
    nodes: usize,
    cpus: i64,
    memory: i64,
    gpus: BTreeMap<String, i64>,
    models: BTreeSet<String>,
}

/// What pods can get in each zone: CPUs, memory (GiB) and GPUs of all nodes that are ready and take pods. Names and
/// number of single nodes are the site's own affair; nodes without labels are of no zone.
pub(super) fn zones(nodes: &[Node]) -> Vec<Item> {
    let mut zones: BTreeMap<(Option<&str>, Option<&str>), Zone> = BTreeMap::new();
    for node in nodes.iter().filter(|node| takes_pods(node)) {
        let label = |name: &str| node.metadata.labels.as_ref()?.get(name).map(String::as_str);
        let zone = zones.entry((label(REGION), label(ZONE))).or_default();
        zone.nodes += 1;
        zone.models.extend(MODEL.iter().filter_map(|name| label(name)).map(str::to_owned));
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        for (resource, Written(amount)) in allocatable.into_iter().flatten() {
            let Ok(amount) = amount.parse::<Quantity>() else { continue };
            match resource.as_str() {
                "cpu" => zone.cpus += amount.limit(Unit::One),
                "memory" => zone.memory += amount.limit(Unit::GiB),
                gpu if is_gpu(gpu) => {
                    *zone.gpus.entry(gpu.to_owned()).or_default() += amount.limit(Unit::One);
                }
                _ => {}
            }
        }
    }
    let of = |((region, name), zone): (_, Zone)| {
        item(json!({
            "zone": name,
            "region": region,
            "nodes": zone.nodes,
            "cpus": zone.cpus,
            "memory": zone.memory,
            "gpus": zone.gpus,
            "gpu_models": zone.models,
        }))
    };
    zones.into_iter().map(of).collect()
}

fn takes_pods(node: &Node) -> bool {
    let unschedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or_default();
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.filter(|condition| condition.type_ == "Ready").any(|ready| ready.status == "True");
    ready && !unschedulable
}

fn item(value: serde_json::Value) -> Item {
    let serde_json::Value::Object(mut fields) = value else { return Item::new() };
    fields.retain(|_, value| !value.is_null());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_hold_what_pods_can_get() {
        let node = |zone: Option<&str>, ready: &str, cordoned: bool, gpus: &str| -> Node {
            let labels = zone.map(|zone| json!({REGION: "south", ZONE: zone, MODEL[0]: "NVIDIA-A100"}));
            serde_json::from_value(json!({
                "metadata": {"name": "n", "labels": labels},
                "spec": {"unschedulable": cordoned},
                "status": {
                    "conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": ready}],
                    "allocatable": {"cpu": "31850m", "memory": "128642028Ki", "nvidia.com/gpu": gpus, "pods": "110"},
                },
            }))
            .unwrap()
        };
        let nodes = [
            node(Some("b"), "True", false, "4"),
            node(Some("a"), "True", false, "0"),
            node(Some("b"), "True", false, "2"),
            node(Some("b"), "True", true, "8"),
            node(Some("b"), "Unknown", false, "8"),
            node(None, "True", false, "1"),
        ];
        let zone = |zone: &str, nodes: i64, gpus: i64| {
            json!({
                "zone": zone, "region": "south", "nodes": nodes, "cpus": nodes * 31, "memory": nodes * 122,
                "gpus": {"nvidia.com/gpu": gpus}, "gpu_models": ["NVIDIA-A100"],
            })
        };
        let no_zone =
            json!({"nodes": 1, "cpus": 31, "memory": 122, "gpus": {"nvidia.com/gpu": 1}, "gpu_models": []});
        assert_eq!(json!(zones(&nodes)), json!([no_zone, zone("a", 1, 0), zone("b", 2, 6)]));
    }
}
