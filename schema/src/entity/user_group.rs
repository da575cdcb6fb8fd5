//! A group of users.

use super::{Entity, Kind, Scope, one};
use crate::{
    field::{DESCRIPTION, text},
    relation::{Cascade, Relation},
    view::branch,
};

/// A group of users of one identity provider.
pub const USER_GROUP: Entity = Entity {
    name: "UserGroup",
    path: "user_groups",
    uid_name: "user_group_uid",
    doc: "A group of users of one identity provider.",
    fields: &[&[
        DESCRIPTION,
        text("name").required().public().indexed().doc("Its name as the group claim writes it."),
    ]],
    keys: &[&["name"]],
    scope: Scope::Parent("identity_provider"),
    held_by: &["slas", "identity_provider"],
    relations: &[
        Relation::has_one(
            "BELONG_TO",
            "identity_provider",
            &[Kind::IdentityProvider],
            "user_groups",
            Cascade::Source,
        ),
        Relation::has_many("AGREE", "slas", &[Kind::Sla], "user_group", Cascade::Target),
    ],
    children: &[one("sla", Kind::Sla, "slas")],
    common: true,
    extended: &[
        branch("identity_provider"),
        branch("slas").with(&[branch("projects").with(&[
            branch("provider"),
            branch("quotas").with(&[branch("service").with(&[branch("region").public()])]),
        ])]),
    ],
    ..Entity::BASE
};
