//! Kubernetes clusters.

use crate::model::{Amount, Cluster, NamespaceQuota, Node, Offer, Project, StorageClass};
use crate::names::{GPUS, STORAGE_CLASSES};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use std::collections::BTreeMap;

/// One for all clusters, so that one token of the feeder opens all of them.
const AUDIENCE: &str = "kubernetes";

pub(super) fn cluster(projects: &[Project], rng: &mut StdRng) -> Offer {
    let gpu = rng.random_bool(0.6).then(|| GPUS[rng.random_range(0..GPUS.len())]);
    let amount = rng.random_range(2..=4);
    let mut storage_classes: Vec<StorageClass> = STORAGE_CLASSES
        .choose_multiple(rng, amount)
        .map(|(name, provisioner)| StorageClass {
            name: (*name).to_owned(),
            provisioner: (*provisioner).to_owned(),
            is_default: false,
        })
        .collect();
    // the API lists them by name
    storage_classes.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(first) = storage_classes.first_mut() {
        first.is_default = true;
    }
    let quotas: BTreeMap<_, _> = projects
        .iter()
        .map(|p| (p.id.clone(), quota(&storage_classes, gpu.map(|(_, _, resource)| resource), rng)))
        .collect();
    let nodes = (1..=rng.random_range(2..=5))
        .map(|nth| Node {
            name: format!("worker-{nth}"),
            cpu: 32,
            memory: 256,
            gpus: gpu
                .filter(|_| nth % 2 == 0)
                .map(|(model, _, resource)| (resource.to_owned(), model.to_owned(), 4)),
        })
        .collect();
    Offer::Kubernetes(Cluster { audience: AUDIENCE.to_owned(), storage_classes, quotas, nodes })
}

fn quota(classes: &[StorageClass], gpu: Option<&str>, rng: &mut StdRng) -> NamespaceQuota {
    let size = rng.random_range(1..=6);
    let mut amount = |limit: i64| Amount { limit, used: rng.random_range(0..=limit * 3 / 4) };
    NamespaceQuota {
        limits_cpu: amount(20 * size),
        requests_cpu: amount(10 * size),
        limits_memory: amount(64 * size),
        requests_memory: amount(32 * size),
        pods: amount(50 * size),
        gpus: gpu.map(|resource| (resource.to_owned(), amount(2 * size))),
        pvcs: amount(10 * size),
        storage: amount(500 * size),
        requests_ephemeral_storage: amount(50 * size),
        limits_ephemeral_storage: amount(100 * size),
        classes: classes
            .iter()
            .filter(|class| !class.is_default)
            .map(|class| (class.name.clone(), (amount(5 * size), amount(200 * size))))
            .collect(),
    }
}
