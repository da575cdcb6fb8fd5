//! What the file says of a project in one region: default networks, proxy, quotas per user.

use std::collections::BTreeMap;

use schema::{Kind, Schema, read};
use serde_json::{Map, Value};

use super::file::{Limits, ProjectEntry, Proxy};
use super::origin::place;
use super::{NetworkProxy, ProjectProperties};

/// The project's properties in a region: those of the region replace the project's all together, as today.
pub fn properties(project: &ProjectEntry, region: &str) -> ProjectProperties {
    let of = |public: &Option<String>,
              private: &Option<String>,
              proxy: &Option<Proxy>,
              limits: &Option<Limits>| {
        ProjectProperties {
            default_public_net: public.clone(),
            default_private_net: private.clone(),
            private_net_proxy: proxy
                .as_ref()
                .map(|proxy| NetworkProxy { host: proxy.host.clone(), user: proxy.user.clone() }),
            per_user_limits: limits.as_ref().map(limits_by_service).unwrap_or_default(),
        }
    };
    match project.per_region_props.iter().find(|own| own.region_name == region) {
        Some(own) => of(
            &own.default_public_net,
            &own.default_private_net,
            &own.private_net_proxy,
            &own.per_user_limits,
        ),
        None => of(
            &project.default_public_net,
            &project.default_private_net,
            &project.private_net_proxy,
            &project.per_user_limits,
        ),
    }
}

fn limits_by_service(limits: &Limits) -> BTreeMap<String, Map<String, Value>> {
    let Limits { compute, block_storage, network, object_store } = limits;
    let said = [
        ("compute", compute.as_ref().map(|limits| &limits.values)),
        ("block_storage", block_storage.as_ref().map(|limits| &limits.values)),
        ("network", network.as_ref().map(|limits| &limits.values)),
        ("object_store", object_store.as_ref().map(|limits| &limits.values)),
    ];
    said.into_iter().filter_map(|(service, values)| Some((service.to_owned(), values?.clone()))).collect()
}

/// The quota of a service of `per_user_limits`.
fn quota_kind(service: &str) -> Option<Kind> {
    match service {
        "compute" => Some(Kind::ComputeQuota),
        "block_storage" => Some(Kind::BlockStorageQuota),
        "network" => Some(Kind::NetworkQuota),
        "object_store" => Some(Kind::ObjectStoreQuota),
        _ => None,
    }
}

/// What the schema finds wrong with the quotas per user of a project: where below the project, and what.
pub fn limit_faults(project: &ProjectEntry) -> Vec<(String, String)> {
    let own = ("per_user_limits".to_owned(), project.per_user_limits.as_ref());
    let of_regions = project.per_region_props.iter().enumerate();
    let of_regions = of_regions
        .map(|(q, own)| (format!("per_region_props[{q}].per_user_limits"), own.per_user_limits.as_ref()));
    let mut faults = Vec::new();
    for (within, limits) in std::iter::once(own).chain(of_regions) {
        for (service, limits) in limits.map(limits_by_service).unwrap_or_default() {
            let fields = quota_kind(&service).map(|kind| &Schema::get().entity(kind).fields);
            for field in fields.into_iter().flatten() {
                let fault = limits.get(field.name).and_then(|value| read::field(field, value, &[]).err());
                faults.extend(
                    fault.map(|fault| (format!("{within}.{service}.{}", place(&fault.loc)), fault.msg)),
                );
            }
        }
    }
    faults
}
