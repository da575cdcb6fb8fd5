//! A size of virtual machines.

use super::{Entity, Projects, Scope};
use crate::{
    field::{DESCRIPTION, flag, size, text},
    rule::Broken,
    value::Value,
    view::branch,
};

/// A size of virtual machines, as Nova offers it.
pub const FLAVOR: Entity = Entity {
    name: "Flavor",
    path: "flavors",
    uid_name: "flavor_uid",
    doc: "A size of virtual machines.",
    fields: &[&[
        DESCRIPTION,
        text("name").required().public().doc("Its name; names may repeat."),
        text("uuid").required().public().indexed().doc("Its id at its provider, kept as written."),
        size("disk").unit("GiB").doc("Root disk."),
        size("ram").unit("MiB").doc("Memory."),
        size("vcpus").doc("Virtual CPUs."),
        size("swap").unit("MiB").doc("Swap disk."),
        size("ephemeral").unit("GiB").doc("Ephemeral disk."),
        flag("infiniband").doc("Has an InfiniBand interface."),
        text("gpu_model").doc("Model of its GPUs."),
        text("gpu_vendor").doc("Vendor of its GPUs."),
        size("gpus").doc("Number of its GPUs."),
        text("local_storage").doc("Local storage of the hosts that run it."),
    ]],
    keys: &[&["uuid"]],
    scope: Scope::Parent("service"),
    held_by: &["service"],
    projects: Projects::Sharing,
    extended: &[branch("projects"), branch("service").with(&[branch("region").with(&[branch("provider")])])],
    rules: &[|get| gpu_needs_number(get, "gpu_model"), |get| gpu_needs_number(get, "gpu_vendor")],
    ..Entity::BASE
};

fn gpu_needs_number(get: &dyn Fn(&str) -> Value, field: &'static str) -> Option<Broken> {
    let named = !get(field).is_null();
    (named && get("gpus") == Value::Int(0)).then(|| Broken {
        field,
        msg: format!("{field} is given although gpus is 0: set gpus, or leave {field} out"),
    })
}
