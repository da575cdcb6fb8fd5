//! How much a project may use of a service, and how much it uses.

use super::{Entity, Kind, Projects, Scope};
use crate::{
    field::{DESCRIPTION, Field, constant, counts, flag, limit, open_limit},
    relation::{Cascade, Relation},
    view::{Branch, branch},
};

const PER_USER: Field = flag("per_user").public().doc("The limit of each user, not of the project.");
const USAGE: Field = flag("usage").public().doc("What is in use, not a limit.");
const SERVICE: Branch = branch("service").with(&[branch("region").with(&[branch("provider")])]);

const QUOTA: Entity = Entity {
    uid_name: "quota_uid",
    family: Some("Quota"),
    projects: Projects::One,
    scope: Scope::Parent("service"),
    held_by: &["service", "project"],
    extended: &[branch("project"), SERVICE],
    ..Entity::BASE
};

const fn apply_to(service: &'static [Kind]) -> Relation {
    Relation::has_one("APPLY_TO", "service", service, "quotas", Cascade::Source)
}

/// Of a block storage service.
pub const BLOCK_STORAGE: Entity = Entity {
    name: "BlockStorageQuota",
    path: "block_storage_quotas",
    doc: "How much a project may use, or uses, of a block storage service.",
    fields: &[&[
        DESCRIPTION,
        PER_USER,
        USAGE,
        constant("type", &["block-storage"]),
        open_limit("gigabytes").unit("GiB").doc("All volumes together."),
        open_limit("per_volume_gigabytes").unit("GiB").doc("One volume."),
        open_limit("volumes").doc("Number of volumes."),
        limit("pvcs").doc("Number of persistent volume claims."),
        limit("storage").unit("GiB").doc("Storage that all claims together request."),
        limit("requests_ephemeral_storage").unit("GiB").doc("Ephemeral storage that all pods request."),
        limit("limits_ephemeral_storage").unit("GiB").doc("Ephemeral storage that all pods are limited to."),
    ]],
    relations: &[apply_to(&[Kind::BlockStorageService])],
    ..QUOTA
};

/// Of a compute service.
pub const COMPUTE: Entity = Entity {
    name: "ComputeQuota",
    path: "compute_quotas",
    doc: "How much a project may use, or uses, of a compute service.",
    fields: &[&[
        DESCRIPTION,
        PER_USER,
        USAGE,
        constant("type", &["compute"]),
        limit("cores").doc("Virtual CPUs."),
        limit("instances").doc("Virtual machines."),
        limit("ram").unit("MiB").doc("Memory."),
        limit("limits_cpu").doc("CPUs that all pods are limited to."),
        limit("requests_cpu").doc("CPUs that all pods request."),
        limit("limits_memory").unit("GiB").doc("Memory that all pods are limited to."),
        limit("requests_memory").unit("GiB").doc("Memory that all pods request."),
        limit("pods").doc("Number of pods."),
        counts("gpus").doc("GPUs by resource name or model."),
    ]],
    relations: &[apply_to(&[Kind::ComputeService])],
    ..QUOTA
};

/// Of a network service.
pub const NETWORK: Entity = Entity {
    name: "NetworkQuota",
    path: "network_quotas",
    doc: "How much a project may use, or uses, of a network service.",
    fields: &[&[
        DESCRIPTION,
        PER_USER,
        USAGE,
        constant("type", &["network"]),
        open_limit("public_ips").doc("Floating IP addresses."),
        open_limit("networks").doc("Networks."),
        open_limit("ports").doc("Ports."),
        open_limit("security_groups").doc("Security groups."),
        open_limit("security_group_rules").doc("Rules of security groups."),
    ]],
    relations: &[apply_to(&[Kind::NetworkService])],
    ..QUOTA
};

/// Of an object store service.
pub const OBJECT_STORE: Entity = Entity {
    name: "ObjectStoreQuota",
    path: "object_store_quotas",
    doc: "How much a project may use, or uses, of an object store service.",
    fields: &[&[
        DESCRIPTION,
        PER_USER,
        USAGE,
        constant("type", &["object-store"]),
        open_limit("bytes").unit("bytes").doc("All objects together."),
        open_limit("containers").doc("Containers, or buckets."),
        open_limit("objects").doc("Objects."),
    ]],
    relations: &[apply_to(&[Kind::ObjectStoreService])],
    ..QUOTA
};

/// Of a storage class.
pub const STORAGE_CLASS: Entity = Entity {
    name: "StorageClassQuota",
    path: "storage_class_quotas",
    doc: "How much a project may use, or uses, of a storage class.",
    fields: &[&[
        DESCRIPTION,
        PER_USER,
        USAGE,
        constant("type", &["storageclass"]),
        limit("pvcs").doc("Number of persistent volume claims."),
        limit("storage").unit("GiB").doc("Storage that all claims together request."),
    ]],
    scope: Scope::Parent("storage_class"),
    held_by: &["storage_class", "project"],
    relations: &[Relation::has_one(
        "APPLIES_TO",
        "storage_class",
        &[Kind::StorageClass],
        "quotas",
        Cascade::Source,
    )],
    v1: false,
    extended: &[branch("project"), branch("storage_class").with(&[SERVICE])],
    ..QUOTA
};

/// What a quota says. A service has at most one of each for a project; usage wins when both flags are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Use {
    /// The limit of the project.
    Limit,
    /// The limit of each of its users.
    PerUser,
    /// What the project uses.
    Usage,
}

impl Use {
    /// Which one the two flags mean (`behaviour.md` 20).
    pub fn of(usage: bool, per_user: bool) -> Self {
        match (usage, per_user) {
            (true, _) => Self::Usage,
            (_, true) => Self::PerUser,
            _ => Self::Limit,
        }
    }
}
