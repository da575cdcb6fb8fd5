//! Resource quotas of a namespace, as quotas of the provider document.
//!
//! - What is enforced is `status.hard`; a quota that no controller has looked at yet has `spec.hard` only.
//! - Quotas with a scope limit only some of the pods: they are no limit of the namespace and are left out.
//! - Several quotas can limit the same resource, and all of them are enforced: the smallest limit counts,
//!   with the usage that belongs to it.
//! - A resource that no quota names is unlimited, and its field is left out.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
};

use k8s_openapi::{api::core::v1::ResourceQuota, apimachinery::pkg::api::resource::Quantity as Written};
use serde_json::{Map, Value};

use super::quantity::{NotAQuantity, Quantity, Unit};
use crate::reading::Item;

/// What follows the name of a storage class in a quota's key. The name can hold dots.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// All limits of one namespace.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Quotas {
    compute: Fields,
    gpus: Fields,
    block_storage: Fields,
    classes: BTreeMap<String, Fields>,
}

/// Limits by the field of the document (of GPUs: by the resource's name).
type Fields = BTreeMap<Cow<'static, str>, Limit>;

/// The smallest limit of one resource.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limit {
    hard: Quantity,
    used: Option<Quantity>,
    unit: Unit,
}

/// A quota that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("quota `{quota}`, `{key}`: {fault}")]
pub(super) struct Unreadable {
    quota: String,
    key: String,
    fault: NotAQuantity,
}

impl Quotas {
    /// The limits that the quotas of a namespace set together.
    pub fn of(quotas: &[ResourceQuota]) -> Result<Self, Unreadable> {
        let mut limits = Self::default();
        for quota in quotas.iter().filter(|quota| !is_scoped(quota)) {
            limits.add(quota)?;
        }
        Ok(limits)
    }

    fn add(&mut self, quota: &ResourceQuota) -> Result<(), Unreadable> {
        let status = quota.status.as_ref();
        let enforced = status.and_then(|status| status.hard.as_ref());
        let hard = enforced.or_else(|| quota.spec.as_ref()?.hard.as_ref());
        let used = status.and_then(|status| status.used.as_ref());
        for (key, written) in hard.into_iter().flatten() {
            let Some((fields, field, unit)) = self.place(key) else { continue };
            let read = |written: &Written| {
                written.0.parse().map_err(|fault| Unreadable {
                    quota: quota.metadata.name.clone().unwrap_or_default(),
                    key: key.clone(),
                    fault,
                })
            };
            let used = used.and_then(|used| used.get(key)).map(read).transpose()?;
            tighten(fields.entry(field), Limit { hard: read(written)?, used, unit });
        }
        Ok(())
    }

    /// Where a resource's limit belongs; `None` for what the registry does not hold (counts of other objects).
    fn place(&mut self, key: &str) -> Option<(&mut Fields, Cow<'static, str>, Unit)> {
        if let Some((class, resource)) = key.rsplit_once(OF_CLASS) {
            let (field, unit) = claims(resource)?;
            return Some((self.classes.entry(class.to_owned()).or_default(), field.into(), unit));
        }
        let (fields, field, unit) = match key {
            "cpu" | "requests.cpu" => (&mut self.compute, "requests_cpu", Unit::One),
            "limits.cpu" => (&mut self.compute, "limits_cpu", Unit::One),
            "memory" | "requests.memory" => (&mut self.compute, "requests_memory", Unit::GiB),
            "limits.memory" => (&mut self.compute, "limits_memory", Unit::GiB),
            "pods" | "count/pods" => (&mut self.compute, "pods", Unit::One),
            "ephemeral-storage" | "requests.ephemeral-storage" => {
                (&mut self.block_storage, "requests_ephemeral_storage", Unit::GiB)
            }
            "limits.ephemeral-storage" => (&mut self.block_storage, "limits_ephemeral_storage", Unit::GiB),
            "count/persistentvolumeclaims" => (&mut self.block_storage, "pvcs", Unit::One),
            _ => {
                if let Some((field, unit)) = claims(key) {
                    return Some((&mut self.block_storage, field.into(), unit));
                }
                let resource = key.strip_prefix("requests.").filter(|resource| is_gpu(resource))?;
                return Some((&mut self.gpus, resource.to_owned().into(), Unit::One));
            }
        };
        Some((fields, field.into(), unit))
    }

    /// Quotas of the compute service: the limit, and what is in use.
    pub fn compute(&self, namespace: &str) -> Vec<Item> {
        items(namespace, |usage| {
            let mut fields = values(&self.compute, usage);
            let gpus = values(&self.gpus, usage);
            if !gpus.is_empty() {
                fields.insert("gpus".to_owned(), gpus.into());
            }
            fields
        })
    }

    /// Quotas of the block storage service.
    pub fn block_storage(&self, namespace: &str) -> Vec<Item> {
        items(namespace, |usage| values(&self.block_storage, usage))
    }

    /// Quotas of one storage class.
    pub fn class(&self, name: &str, namespace: &str) -> Vec<Item> {
        self.classes.get(name).map_or_else(Vec::new, |fields| items(namespace, |usage| values(fields, usage)))
    }
}

/// Resources of claims, of the namespace as a whole or of one storage class.
fn claims(resource: &str) -> Option<(&'static str, Unit)> {
    match resource {
        "requests.storage" => Some(("storage", Unit::GiB)),
        "persistentvolumeclaims" => Some(("pvcs", Unit::One)),
        _ => None,
    }
}

/// Whether an extended resource (`vendor/name`) is a GPU or a part of one (`nvidia.com/mig-1g.5gb`); others are
/// network cards, FPGAs and the like.
pub(super) fn is_gpu(resource: &str) -> bool {
    resource.contains('/') && (resource.starts_with("nvidia.com/") || resource.contains("gpu"))
}

fn is_scoped(quota: &ResourceQuota) -> bool {
    quota.spec.as_ref().is_some_and(|spec| {
        spec.scope_selector.is_some() || spec.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty())
    })
}

fn tighten(entry: Entry<'_, Cow<'static, str>, Limit>, limit: Limit) {
    match entry {
        Entry::Vacant(place) => {
            place.insert(limit);
        }
        Entry::Occupied(mut place) => {
            let known = place.get();
            // of two equal limits, the one that is nearer to its end
            if limit.hard < known.hard || (limit.hard == known.hard && limit.used > known.used) {
                place.insert(limit);
            }
        }
    }
}

/// The quota that limits and the one that says what is in use, as far as there is something to say.
fn items(namespace: &str, fields: impl Fn(bool) -> Map<String, Value>) -> Vec<Item> {
    let item = |usage| {
        let fields = fields(usage);
        (!fields.is_empty()).then(|| {
            let head = [("project".to_owned(), namespace.into()), ("usage".to_owned(), Value::Bool(usage))];
            head.into_iter().chain(fields).collect()
        })
    };
    [false, true].into_iter().filter_map(item).collect()
}

fn values(fields: &Fields, usage: bool) -> Map<String, Value> {
    let value = |limit: &Limit| {
        if usage { limit.used.map(|used| used.usage(limit.unit)) } else { Some(limit.hard.limit(limit.unit)) }
    };
    fields.iter().filter_map(|(field, limit)| Some((field.to_string(), value(limit)?.into()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn quota(name: &str, spec: &Value, status: &Value) -> ResourceQuota {
        let object = json!({"metadata": {"name": name}, "spec": spec, "status": status});
        serde_json::from_value(object).unwrap()
    }

    fn of(quotas: &[ResourceQuota]) -> Quotas {
        Quotas::of(quotas).unwrap()
    }

    fn shown(items: Vec<Item>) -> Value {
        items.into()
    }

    #[test]
    fn the_smallest_limit_counts_with_its_own_usage() {
        let short = json!({"hard": {"cpu": "4"}});
        let tight = json!({"hard": {"requests.cpu": "500m"}});
        let wide = quota("short", &short, &json!({"hard": short["hard"], "used": {"cpu": "3"}}));
        let narrow =
            quota("tight", &tight, &json!({"hard": tight["hard"], "used": {"requests.cpu": "150m"}}));
        let expected = json!([
            {"project": "ns", "usage": false, "requests_cpu": 0},
            {"project": "ns", "usage": true, "requests_cpu": 1},
        ]);
        assert_eq!(shown(of(&[wide.clone(), narrow.clone()]).compute("ns")), expected);
        assert_eq!(shown(of(&[narrow, wide]).compute("ns")), expected);
    }

    #[test]
    fn of_equal_limits_the_fuller_one_counts() {
        let one =
            |used: &str| quota("q", &json!({}), &json!({"hard": {"pods": "10"}, "used": {"pods": used}}));
        for quotas in [[one("3"), one("5")], [one("5"), one("3")]] {
            assert_eq!(of(&quotas).compute("ns")[1]["pods"], 5);
        }
    }

    #[test]
    fn scoped_quotas_are_no_limit_of_the_namespace() {
        let selector = json!({"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]});
        let quotas = [
            quota("a", &json!({"hard": {"pods": "1"}, "scopes": ["BestEffort"]}), &json!({})),
            quota("b", &json!({"hard": {"pods": "2"}, "scopeSelector": selector}), &json!({})),
        ];
        assert_eq!(of(&quotas), Quotas::default());
    }

    #[test]
    fn a_quota_that_no_controller_has_seen_limits_and_has_no_usage() {
        let fresh = quota("fresh", &json!({"hard": {"pods": "1", "limits.memory": "125Gi"}}), &json!({}));
        let expected = json!([{"project": "ns", "usage": false, "limits_memory": 125, "pods": 1}]);
        assert_eq!(shown(of(&[fresh]).compute("ns")), expected);
    }

    #[test]
    fn gpus_are_told_from_other_devices() {
        let hard = json!({
            "requests.nvidia.com/gpu": "4", "requests.nvidia.com/mig-1g.5gb": "7", "requests.amd.com/gpu": "1",
            "requests.rdma/hca": "2", "requests.hugepages-2Mi": "512Mi", "count/gpus.example.org": "3",
        });
        let quotas = of(&[quota("q", &json!({"hard": hard}), &json!({}))]);
        let gpus = json!({"amd.com/gpu": 1, "nvidia.com/gpu": 4, "nvidia.com/mig-1g.5gb": 7});
        assert_eq!(shown(quotas.compute("ns")), json!([{"project": "ns", "usage": false, "gpus": gpus}]));
        assert_eq!(quotas.block_storage("ns"), Vec::<Item>::new());
    }

    #[test]
    fn names_of_storage_classes_can_hold_anything() {
        let hard = json!({
            "nfs.old.storageclass.storage.k8s.io/requests.storage": "0",
            "requests.nvidia.com.storageclass.storage.k8s.io/persistentvolumeclaims": "2",
            "requests.storage": "1Ti",
        });
        let quotas = of(&[quota("q", &json!({"hard": hard}), &json!({}))]);
        let class = |name| shown(quotas.class(name, "ns"));
        assert_eq!(class("nfs.old"), json!([{"project": "ns", "usage": false, "storage": 0}]));
        assert_eq!(class("requests.nvidia.com"), json!([{"project": "ns", "usage": false, "pvcs": 2}]));
        assert_eq!(class("unknown"), json!([]));
        assert_eq!(
            shown(quotas.block_storage("ns")),
            json!([{"project": "ns", "usage": false, "storage": 1024}])
        );
    }

    #[test]
    fn what_cannot_be_read_names_quota_and_key() {
        let bad = quota("compute", &json!({"hard": {"pods": "many"}}), &json!({}));
        let fault = Quotas::of(&[bad]).unwrap_err().to_string();
        assert_eq!(fault, "quota `compute`, `pods`: `many` is not a Kubernetes quantity");
    }
}
