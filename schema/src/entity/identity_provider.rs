//! An issuer of identities.

use super::{Entity, Kind, many};
use crate::{
    field::{DESCRIPTION, text, url},
    view::branch,
};

/// An `OpenID` Connect issuer that providers trust.
pub const IDENTITY_PROVIDER: Entity = Entity {
    name: "IdentityProvider",
    path: "identity_providers",
    uid_name: "identity_provider_uid",
    doc: "An OpenID Connect issuer that providers trust.",
    fields: &[&[
        DESCRIPTION,
        url("endpoint").public().indexed().doc("The issuer, as its tokens write it."),
        text("group_claim").required().doc("The claim of its tokens that lists groups."),
    ]],
    keys: &[&["endpoint"]],
    held_by: &["providers"],
    children: &[many("user_groups", Kind::UserGroup, "user_groups")],
    common: true,
    extended: &[branch("providers").properties(), branch("user_groups")],
    ..Entity::BASE
};
