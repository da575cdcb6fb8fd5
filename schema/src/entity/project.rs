//! A tenant of a provider.

use super::{Entity, Kind, Scope};
use crate::{
    field::{DESCRIPTION, text},
    relation::{Cascade, Relation},
    view::{branch, usable},
};

/// A tenant of a provider: an OpenStack project, a Kubernetes namespace.
pub const PROJECT: Entity = Entity {
    name: "Project",
    path: "projects",
    uid_name: "project_uid",
    doc: "A tenant of a provider: an OpenStack project or a Kubernetes namespace.",
    fields: &[&[
        DESCRIPTION,
        text("name").required().public().indexed().doc("Its name at its provider."),
        text("uuid").required().public().indexed().doc("Its id at its provider, kept as written."),
    ]],
    keys: &[&["uuid"], &["name"]],
    scope: Scope::Parent("provider"),
    held_by: &["provider"],
    relations: &[
        Relation::has_many(
            "USE_SERVICE_WITH",
            "quotas",
            &[
                Kind::BlockStorageQuota,
                Kind::ComputeQuota,
                Kind::NetworkQuota,
                Kind::ObjectStoreQuota,
                Kind::StorageClassQuota,
            ],
            "project",
            Cascade::Target,
        ),
        Relation::has_many("CAN_USE_VM_FLAVOR", "flavors", &[Kind::Flavor], "projects", Cascade::No)
            .many_to_many(),
        Relation::has_many("CAN_USE_VM_IMAGE", "images", &[Kind::Image], "projects", Cascade::No)
            .many_to_many(),
        Relation::has_many("CAN_USE_NETWORK", "networks", &[Kind::Network], "projects", Cascade::No)
            .many_to_many(),
    ],
    extended: &[
        usable("flavors"),
        usable("images"),
        usable("networks").with(&[branch("service").with(&[branch("region").public()])]),
        branch("provider").with(&[branch("regions")
            .with(&[branch("identity_services").of(Kind::IdentityService, "services").public()])]),
        branch("quotas").with(&[branch("service").with(&[branch("region").public()])]),
        branch("sla").with(&[branch("user_group").with(&[branch("identity_provider").with(&[branch(
            "providers",
        )
        .public()
        .properties()])])]),
    ],
    ..Entity::BASE
};
