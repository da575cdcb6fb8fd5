//! A site of the federation.

use super::{Entity, Kind, many};
use crate::{
    field::{DESCRIPTION, Field, Otherwise, choice, emails, flag, text},
    relation::{Cascade, Relation},
    view::branch,
};

/// How a provider trusts an identity provider: the OpenStack names, or the Kubernetes audience.
pub const AUTH_METHOD: &[Field] = &[
    text("idp_name").public().doc("The identity provider's name in Keystone."),
    text("protocol").public().doc("The federation protocol's name in Keystone."),
    text("audience").public().doc("The audience a Kubernetes API server asks of a token."),
];

/// A site of the federation.
pub const PROVIDER: Entity = Entity {
    name: "Provider",
    path: "providers",
    uid_name: "provider_uid",
    doc: "A site of the federation: an OpenStack or a Kubernetes installation.",
    fields: &[&[
        DESCRIPTION,
        text("name").required().public().indexed().doc("Its name; unique together with its type."),
        choice("type", "ProviderType", &["openstack", "kubernetes"]).required().public().doc("What it runs."),
        choice("status", "ProviderStatus", &["active", "maintenance", "removed", "limited"])
            .or(Otherwise::Text("active"))
            .doc("Whether it can be used."),
        flag("is_public").doc("A public cloud."),
        emails("support_emails").doc("Whom to ask."),
    ]],
    keys: &[&["name", "type"]],
    relations: &[
        Relation::has_many("BOOK_PROJECT_FOR_SLA", "projects", &[Kind::Project], "provider", Cascade::Target),
        Relation::has_many("DIVIDED_INTO", "regions", &[Kind::Region], "provider", Cascade::Target),
        Relation::has_many(
            "ALLOW_AUTH_THROUGH",
            "identity_providers",
            &[Kind::IdentityProvider],
            "providers",
            Cascade::No,
        )
        .many_to_many()
        .with(AUTH_METHOD),
    ],
    children: &[
        many("projects", Kind::Project, "projects"),
        many("identity_providers", Kind::IdentityProvider, "identity_providers"),
        many("regions", Kind::Region, "regions"),
    ],
    extended: &[
        branch("identity_providers").properties().with(&[branch("user_groups").with(&[branch("slas")])]),
        branch("projects"),
        branch("regions").with(&[
            branch("location"),
            branch("services").with(&[
                branch("flavors"),
                branch("images"),
                branch("networks"),
                branch("quotas"),
            ]),
        ]),
    ],
    ..Entity::BASE
};
