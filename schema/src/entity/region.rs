//! A part of a provider.

use super::{Entity, Kind, Scope, many, one};
use crate::{
    field::{DESCRIPTION, number, text},
    relation::{Cascade, Relation},
    view::branch,
};

/// A part of a provider with services of its own.
pub const REGION: Entity = Entity {
    name: "Region",
    path: "regions",
    uid_name: "region_uid",
    doc: "A part of a provider with services of its own.",
    fields: &[&[
        DESCRIPTION,
        text("name").required().public().indexed().doc("Its name in the provider's catalog."),
        number("overbooking_cpu", 1.0).doc("Virtual CPUs for each physical one."),
        number("overbooking_ram", 1.0).doc("Virtual memory for each physical byte."),
        number("bandwidth_in", 10.0).unit("Gbit/s").doc("Inbound bandwidth."),
        number("bandwidth_out", 10.0).unit("Gbit/s").doc("Outbound bandwidth."),
    ]],
    keys: &[&["name"]],
    scope: Scope::Parent("provider"),
    held_by: &["provider"],
    relations: &[
        Relation::has_one("LOCATED_AT", "location", &[Kind::Location], "regions", Cascade::No),
        Relation::has_many(
            "SUPPLY",
            "services",
            &[
                Kind::BlockStorageService,
                Kind::ComputeService,
                Kind::IdentityService,
                Kind::NetworkService,
                Kind::ObjectStoreService,
            ],
            "region",
            Cascade::Target,
        ),
    ],
    children: &[
        one("location", Kind::Location, "location"),
        many("block_storage_services", Kind::BlockStorageService, "services"),
        many("compute_services", Kind::ComputeService, "services"),
        many("identity_services", Kind::IdentityService, "services"),
        many("network_services", Kind::NetworkService, "services"),
        many("object_store_services", Kind::ObjectStoreService, "services"),
    ],
    extended: &[branch("location"), branch("provider"), branch("services")],
    ..Entity::BASE
};
