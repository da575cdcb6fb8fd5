//! Providers as documents: what a feeder that reads a simulated provider sends to the registry, in the shape of
//! the contract's `POST /providers/`.

use crate::endpoints::Endpoints;
use crate::generate::{Params, World};
use crate::model::{
    Amount, Cloud, CloudQuota, Cluster, Flavor, Image, NamespaceQuota, Network, Offer, Project, Provider,
    Region, Technology, Visibility,
};
use serde_json::{Map, Value, json};

/// Whole provider documents of a random federation, without any HTTP: the same seed and parameters, the same
/// documents. They are made one by one, while the iterator is asked for them.
pub fn documents(seed: u64, params: &Params) -> impl Iterator<Item = Value> + use<> {
    let world = World::new(seed, params.clone(), Vec::new());
    (0..params.providers()).map(move |index| {
        let provider = world.provider(index);
        let root = format!("https://{}.example.org", provider.slug);
        document(&provider, &root)
    })
}

/// The document of one provider whose services stand under `root`.
pub fn document(provider: &Provider, root: &str) -> Value {
    json!({
        "name": provider.name,
        "type": provider.technology.as_str(),
        "status": "active",
        "is_public": provider.is_public,
        "support_emails": provider.support_emails,
        "description": "",
        "projects": provider.projects.iter().map(project).collect::<Vec<_>>(),
        "identity_providers": identity_providers(provider),
        "regions": provider.regions.iter().map(|r| region(provider, r, root)).collect::<Vec<_>>(),
    })
}

/// What the federation calls an issuer at its OpenStack sites: the host without dots.
pub fn idp_name(issuer: &str) -> String {
    let host = issuer.split("//").nth(1).unwrap_or(issuer);
    crate::names::slug(host.split(['/', ':']).next().unwrap_or(host))
}

fn project(project: &Project) -> Value {
    json!({ "name": project.name, "uuid": project.id, "description": project.description })
}

fn identity_providers(provider: &Provider) -> Vec<Value> {
    let mut issuers: Vec<&str> = provider.projects.iter().map(|p| p.agreement.issuer.as_str()).collect();
    issuers.sort_unstable();
    issuers.dedup();
    let groups = |issuer: &str| -> Vec<Value> {
        let of = provider.projects.iter().filter(|p| p.agreement.issuer == issuer);
        of.map(|p| {
            let a = &p.agreement;
            let sla = json!({
                "doc_uuid": a.doc_uuid, "start_date": a.start_date, "end_date": a.end_date, "project": p.id,
            });
            json!({ "name": a.group, "sla": sla })
        })
        .collect()
    };
    issuers
        .into_iter()
        .map(|issuer| {
            let relationship = match (provider.technology, provider.cluster()) {
                (Technology::Kubernetes, Some(cluster)) => json!({ "audience": cluster.audience }),
                _ => json!({ "idp_name": idp_name(issuer), "protocol": "openid" }),
            };
            json!({
                "endpoint": issuer, "group_claim": "groups", "relationship": relationship,
                "user_groups": groups(issuer),
            })
        })
        .collect()
}

fn region(provider: &Provider, region: &Region, root: &str) -> Value {
    let place = &region.location;
    let mut out = json!({
        "name": region.name,
        "overbooking_cpu": region.overbooking_cpu,
        "overbooking_ram": region.overbooking_ram,
        "bandwidth_in": region.bandwidth_in,
        "bandwidth_out": region.bandwidth_out,
        "location": {
            "site": place.site, "country": place.country,
            "latitude": place.latitude, "longitude": place.longitude,
        },
    });
    let services = match &region.offer {
        Offer::OpenStack(cloud) => cloud_services(provider, cloud, Endpoints { root, region: &region.name }),
        Offer::Kubernetes(cluster) => cluster_services(provider, cluster, root),
    };
    if let Some(out) = out.as_object_mut() {
        out.extend(services);
    }
    out
}

fn cloud_services(provider: &Provider, cloud: &Cloud, at: Endpoints<'_>) -> Map<String, Value> {
    let flavors: Vec<_> = cloud.flavors.iter().filter_map(|f| flavor(provider, f)).collect();
    let images: Vec<_> = cloud.images.iter().filter_map(|i| image(provider, i)).collect();
    let networks: Vec<_> = cloud.networks.iter().filter_map(|n| network(provider, n)).collect();
    let quotas = |of: &dyn Fn(&CloudQuota, Side) -> Value, per_user: &dyn Fn(&Project) -> Option<Value>| {
        let mut out = Vec::new();
        for (p, q) in provider.projects.iter().filter_map(|p| cloud.quotas.get(&p.id).map(|q| (p, q))) {
            out.extend(per_user(p).map(|q| kind(q, &p.id, true, false)));
            out.push(kind(of(q, Side::Limit), &p.id, false, false));
            out.push(kind(of(q, Side::Used), &p.id, false, true));
        }
        out
    };
    let compute_per_user =
        |p: &Project| p.per_user.map(|u| json!({ "cores": u.cores, "instances": u.instances, "ram": u.ram }));
    let volumes_per_user = |p: &Project| p.per_user.map(|u| json!({ "gigabytes": u.gigabytes }));
    let mut object_stores = Vec::new();
    if cloud.swift {
        object_stores.push(json!({
            "endpoint": at.object_store(), "name": "org.openstack.swift",
            "quotas": quotas(&objects, &|_| None),
        }));
    }
    if cloud.s3 {
        // S3 tells no quotas: nothing is known to be limited
        let unlimited = json!({ "bytes": -1, "containers": -1, "objects": -1 });
        let quotas: Vec<_> =
            provider.projects.iter().map(|p| kind(unlimited.clone(), &p.id, false, false)).collect();
        object_stores
            .push(json!({ "endpoint": at.s3(), "name": "org.openstack.swift-s3", "quotas": quotas }));
    }
    let services = json!({
        "identity_services": [{ "endpoint": at.identity(), "name": "org.openstack.keystone" }],
        "compute_services": [{
            "endpoint": at.compute(), "name": "org.openstack.nova",
            "flavors": flavors, "images": images, "quotas": quotas(&compute, &compute_per_user),
        }],
        "network_services": [{
            "endpoint": at.network(), "name": "org.openstack.neutron",
            "networks": networks, "quotas": quotas(&network_quota, &|_| None),
        }],
        "block_storage_services": [{
            "endpoint": at.volume(), "name": "org.openstack.cinder",
            "quotas": quotas(&volumes, &volumes_per_user),
        }],
        "object_store_services": object_stores,
    });
    object(services)
}

/// Adds who a resource belongs to; `None` when nobody of the federation can see it.
fn owned(provider: &Provider, mut item: Value, shared: bool, owners: &[&str]) -> Option<Value> {
    item["is_shared"] = shared.into();
    if !shared {
        let ours: Vec<_> =
            provider.projects.iter().map(|p| p.id.as_str()).filter(|id| owners.contains(id)).collect();
        if ours.is_empty() {
            return None;
        }
        item["projects"] = ours.into();
    }
    Some(item)
}

fn flavor(provider: &Provider, f: &Flavor) -> Option<Value> {
    if f.disabled {
        return None;
    }
    let mut out = json!({
        "name": f.name, "uuid": f.id, "description": f.description, "vcpus": f.vcpus, "ram": f.ram,
        "disk": f.disk, "swap": f.swap, "ephemeral": f.ephemeral, "infiniband": f.infiniband, "gpus": 0,
    });
    if let Some((number, model, vendor)) = &f.gpu {
        out["gpus"] = (*number).into();
        out["gpu_model"] = model.as_str().into();
        out["gpu_vendor"] = vendor.as_str().into();
    }
    if let Some(storage) = &f.local_storage {
        out["local_storage"] = storage.as_str().into();
    }
    let owners: Vec<&str> = f.access.iter().map(String::as_str).collect();
    owned(provider, out, f.is_public, &owners)
}

fn image(provider: &Provider, i: &Image) -> Option<Value> {
    if !i.active {
        return None;
    }
    let out = json!({
        "name": i.name, "uuid": i.id, "os_type": "Linux", "os_distro": i.os_distro, "os_version": i.os_version,
        "architecture": "x86_64", "cuda_support": i.cuda, "gpu_driver": i.cuda, "created_at": i.created_at,
        "tags": i.tags,
    });
    let mut owners = vec![i.owner.as_str()];
    if i.visibility == Visibility::Shared {
        owners.extend(i.members.iter().filter(|(_, accepted)| *accepted).map(|(id, _)| id.as_str()));
    }
    owned(provider, out, matches!(i.visibility, Visibility::Public | Visibility::Community), &owners)
}

fn network(provider: &Provider, n: &Network) -> Option<Value> {
    if !n.active {
        return None;
    }
    let out = json!({
        "name": n.name, "uuid": n.id, "is_router_external": n.external, "is_default": n.is_default,
        "mtu": n.mtu, "tags": n.tags,
    });
    // an external network that is not shared is seen by every project all the same
    let everyone: Vec<&str> = provider.projects.iter().map(|p| p.id.as_str()).collect();
    let owners: &[&str] = if n.external { &everyone } else { &[n.owner.as_str()] };
    owned(provider, out, n.shared, owners)
}

/// The two quotas that come from the cloud.
#[derive(Clone, Copy)]
enum Side {
    Limit,
    Used,
}

impl Side {
    fn of(self, amount: Amount) -> i64 {
        match self {
            Self::Limit => amount.limit,
            Self::Used => amount.used,
        }
    }
}

fn kind(mut quota: Value, project: &str, per_user: bool, usage: bool) -> Value {
    quota["project"] = project.into();
    quota["per_user"] = per_user.into();
    quota["usage"] = usage.into();
    quota
}

fn compute(q: &CloudQuota, side: Side) -> Value {
    json!({ "cores": side.of(q.cores), "instances": side.of(q.instances), "ram": side.of(q.ram) })
}

fn network_quota(q: &CloudQuota, side: Side) -> Value {
    json!({
        "public_ips": side.of(q.public_ips), "networks": side.of(q.networks), "ports": side.of(q.ports),
        "security_groups": side.of(q.security_groups),
        "security_group_rules": side.of(q.security_group_rules),
    })
}

fn volumes(q: &CloudQuota, side: Side) -> Value {
    json!({
        "gigabytes": side.of(q.gigabytes), "volumes": side.of(q.volumes),
        "per_volume_gigabytes": side.of(q.per_volume_gigabytes),
    })
}

fn objects(q: &CloudQuota, side: Side) -> Value {
    json!({ "bytes": side.of(q.bytes), "containers": side.of(q.containers), "objects": side.of(q.objects) })
}

fn cluster_services(provider: &Provider, cluster: &Cluster, root: &str) -> Map<String, Value> {
    let quotas = |of: &dyn Fn(&NamespaceQuota, Side) -> Option<Value>| {
        let mut out = Vec::new();
        for (p, q) in provider.projects.iter().filter_map(|p| cluster.quotas.get(&p.id).map(|q| (p, q))) {
            for (side, usage) in [(Side::Limit, false), (Side::Used, true)] {
                out.extend(of(q, side).map(|value| kind(value, &p.id, false, usage)));
            }
        }
        out
    };
    let classes: Vec<_> = cluster
        .storage_classes
        .iter()
        .map(|class| {
            let of = |q: &NamespaceQuota, side: Side| {
                q.classes
                    .get(&class.name)
                    .map(|(pvcs, storage)| json!({ "pvcs": side.of(*pvcs), "storage": side.of(*storage) }))
            };
            json!({
                "name": class.name, "provisioner": class.provisioner, "is_default": class.is_default,
                "quotas": quotas(&of),
            })
        })
        .collect();
    object(json!({
        "identity_services": [{ "endpoint": root, "name": "v1" }],
        "compute_services": [{
            "endpoint": format!("{root}/v1"), "name": "v1", "flavors": [], "images": [],
            "quotas": quotas(&|q, side| Some(pods(q, side))),
        }],
        "network_services": [],
        "block_storage_services": [{
            "endpoint": format!("{root}/storage.k8s.io/v1"), "name": "storage.k8s.io/v1",
            "storage_classes": classes, "quotas": quotas(&|q, side| Some(claims(q, side))),
        }],
        "object_store_services": [],
    }))
}

fn pods(q: &NamespaceQuota, side: Side) -> Value {
    let mut out = json!({
        "limits_cpu": side.of(q.limits_cpu), "requests_cpu": side.of(q.requests_cpu),
        "limits_memory": side.of(q.limits_memory), "requests_memory": side.of(q.requests_memory),
        "pods": side.of(q.pods),
    });
    if let Some((resource, number)) = &q.gpus {
        out["gpus"] = json!({ resource: side.of(*number) });
    }
    out
}

fn claims(q: &NamespaceQuota, side: Side) -> Value {
    json!({
        "pvcs": side.of(q.pvcs), "storage": side.of(q.storage),
        "requests_ephemeral_storage": side.of(q.requests_ephemeral_storage),
        "limits_ephemeral_storage": side.of(q.limits_ephemeral_storage),
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
