//! The services that a region supplies.

use super::{Child, Entity, Kind, Scope, many};
use crate::{
    field::{DESCRIPTION, Field, choice, constant, url},
    relation::{Cascade, Relation},
    view::{Branch, branch},
};

const ENDPOINT: Field =
    url("endpoint").public().indexed().doc("Its public address, as the catalog writes it.");
const QUOTAS: Branch = branch("quotas").with(&[branch("project")]);
const REGION: Branch = branch("region").with(&[branch("provider")]);

const SERVICE: Entity = Entity {
    uid_name: "service_uid",
    family: Some("Service"),
    keys: &[&["endpoint"]],
    scope: Scope::Parent("region"),
    held_by: &["region"],
    ..Entity::BASE
};

/// Volumes: Cinder, or the storage classes of Kubernetes.
pub const BLOCK_STORAGE: Entity = Entity {
    name: "BlockStorageService",
    path: "block_storage_services",
    doc: "Volumes: Cinder, or the storage classes of a Kubernetes cluster.",
    fields: &[&[
        DESCRIPTION,
        ENDPOINT,
        constant("type", &["block-storage"]),
        choice("name", "BlockStorageServiceName", &["org.openstack.cinder", "storage.k8s.io/v1"]).required(),
    ]],
    relations: &[Relation::has_many(
        "AVAILABLE_STORAGECLASS",
        "storage_classes",
        &[Kind::StorageClass],
        "service",
        Cascade::Target,
    )],
    children: &[
        many("storage_classes", Kind::StorageClass, "storage_classes"),
        quotas(Kind::BlockStorageQuota),
    ],
    extended: &[REGION, QUOTAS],
    ..SERVICE
};

/// Virtual machines or containers: Nova, or the core API of Kubernetes.
pub const COMPUTE: Entity = Entity {
    name: "ComputeService",
    path: "compute_services",
    doc: "Virtual machines or containers: Nova, or the core API of a Kubernetes cluster.",
    fields: &[&[
        DESCRIPTION,
        ENDPOINT,
        constant("type", &["compute"]),
        choice("name", "ComputeServiceName", &["org.openstack.nova", "v1"]).required(),
    ]],
    relations: &[
        Relation::has_many("AVAILABLE_VM_FLAVOR", "flavors", &[Kind::Flavor], "service", Cascade::Target),
        Relation::has_many("AVAILABLE_VM_IMAGE", "images", &[Kind::Image], "services", Cascade::Target)
            .many_to_many(),
    ],
    children: &[
        many("flavors", Kind::Flavor, "flavors"),
        many("images", Kind::Image, "images"),
        quotas(Kind::ComputeQuota),
    ],
    extended: &[REGION, QUOTAS, branch("flavors"), branch("images")],
    ..SERVICE
};

/// Who is who: Keystone, or the authentication of a Kubernetes API server.
pub const IDENTITY: Entity = Entity {
    name: "IdentityService",
    path: "identity_services",
    doc: "Who is who: Keystone, or the authentication of a Kubernetes API server.",
    fields: &[&[
        DESCRIPTION,
        ENDPOINT,
        constant("type", &["identity"]),
        choice("name", "IdentityServiceName", &["org.openstack.keystone", "v1"]).required(),
    ]],
    extended: &[REGION],
    ..SERVICE
};

/// Networks: Neutron.
pub const NETWORK: Entity = Entity {
    name: "NetworkService",
    path: "network_services",
    doc: "Networks: Neutron.",
    fields: &[&[
        DESCRIPTION,
        ENDPOINT,
        constant("type", &["network"]),
        choice("name", "NetworkServiceName", &["org.openstack.neutron"]).required(),
    ]],
    relations: &[Relation::has_many(
        "AVAILABLE_NETWORK",
        "networks",
        &[Kind::Network],
        "service",
        Cascade::Target,
    )],
    children: &[many("networks", Kind::Network, "networks"), quotas(Kind::NetworkQuota)],
    extended: &[REGION, QUOTAS, branch("networks")],
    ..SERVICE
};

/// Buckets: Swift, or S3.
pub const OBJECT_STORE: Entity = Entity {
    name: "ObjectStoreService",
    path: "object_store_services",
    doc: "Buckets: Swift, or an S3 endpoint.",
    fields: &[&[
        DESCRIPTION,
        ENDPOINT,
        constant("type", &["object-store"]),
        choice("name", "ObjectStoreServiceName", &["org.openstack.swift", "org.openstack.swift-s3"])
            .required(),
    ]],
    children: &[quotas(Kind::ObjectStoreQuota)],
    extended: &[REGION, QUOTAS],
    ..SERVICE
};

const fn quotas(kind: Kind) -> Child {
    many("quotas", kind, "quotas")
}
