//! A class of Kubernetes storage.

use super::{Entity, Kind, Scope, many};
use crate::{
    field::{DESCRIPTION, flag, text},
    view::branch,
};

/// A class of Kubernetes storage. v1 stores it but shows it in no other entity's answer.
pub const STORAGE_CLASS: Entity = Entity {
    name: "StorageClass",
    path: "storage_classes",
    uid_name: "storage_class_uid",
    doc: "A class of Kubernetes storage.",
    fields: &[&[
        DESCRIPTION,
        text("name").required().public().indexed().doc("Its name in the cluster."),
        flag("is_default").doc("The one a claim without class gets."),
        text("provisioner").required().doc("What makes its volumes."),
    ]],
    keys: &[&["name"]],
    scope: Scope::Parent("service"),
    held_by: &["service"],
    children: &[many("quotas", Kind::StorageClassQuota, "quotas")],
    v1: false,
    extended: &[
        branch("service").with(&[branch("region").with(&[branch("provider")])]),
        branch("quotas").with(&[branch("project")]),
    ],
    ..Entity::BASE
};
