//! A network.

use super::{Entity, Projects, Scope};
use crate::{
    field::{DESCRIPTION, flag, int, text, texts},
    view::branch,
};

/// A network that virtual machines can be attached to.
pub const NETWORK: Entity = Entity {
    name: "Network",
    path: "networks",
    uid_name: "network_uid",
    doc: "A network that virtual machines can be attached to.",
    fields: &[&[
        DESCRIPTION,
        text("name").required().public().doc("Its name."),
        text("uuid").required().public().indexed().doc("Its id at its provider, kept as written."),
        flag("is_router_external").doc("Leads outside; floating IPs come from it."),
        flag("is_default").doc("The one to take when nothing else is asked for."),
        int("mtu", 1).unit("bytes").doc("Largest packet."),
        text("proxy_host").doc("Host (and port) through which its machines are reached."),
        text("proxy_user").doc("User on that host."),
        texts("tags").doc("Its tags."),
    ]],
    keys: &[&["uuid"]],
    scope: Scope::Parent("service"),
    held_by: &["service"],
    projects: Projects::Sharing,
    extended: &[branch("projects"), branch("service").with(&[branch("region").with(&[branch("provider")])])],
    ..Entity::BASE
};
