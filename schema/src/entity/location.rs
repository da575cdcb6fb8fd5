//! A place.

use super::Entity;
use crate::{
    field::{DESCRIPTION, between, country, text},
    view::branch,
};

/// The place of a data centre; regions of several providers can share one.
pub const LOCATION: Entity = Entity {
    name: "Location",
    path: "locations",
    uid_name: "location_uid",
    doc: "The place of a data centre.",
    fields: &[&[
        DESCRIPTION,
        text("site").required().public().indexed().doc("Its name, unique in the federation."),
        country("country").public().doc("ISO 3166-1 English short name."),
        between("latitude", -90.0, 90.0).unit("degrees").doc("North of the equator."),
        between("longitude", -180.0, 180.0).unit("degrees").doc("East of Greenwich."),
    ]],
    keys: &[&["site"]],
    held_by: &["regions"],
    common: true,
    extended: &[branch("regions")],
    ..Entity::BASE
};
