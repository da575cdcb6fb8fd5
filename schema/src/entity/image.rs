//! A disk image.

use super::{Entity, Projects, Scope};
use crate::{
    field::{DESCRIPTION, choice, flag, text, texts, time},
    view::branch,
};

/// A disk image that virtual machines start from; several services of one provider can offer the same.
pub const IMAGE: Entity = Entity {
    name: "Image",
    path: "images",
    uid_name: "image_uid",
    doc: "A disk image that virtual machines start from.",
    fields: &[&[
        DESCRIPTION,
        text("name").required().public().doc("Its name."),
        text("uuid").required().public().indexed().doc("Its id at its provider, kept as written."),
        choice("os_type", "ImageOS", &["Linux", "Windows", "MacOS"]).doc("Operating system."),
        text("os_distro").doc("Distribution, as Glance writes it."),
        text("os_version").doc("Version of the distribution."),
        text("architecture").doc("Processor architecture."),
        text("kernel_id").doc("Glance id of the kernel, for images that bring none."),
        flag("cuda_support").doc("Has CUDA installed."),
        flag("gpu_driver").doc("Has a GPU driver installed."),
        time("created_at").doc("When it was made."),
        texts("tags").doc("Its tags."),
    ]],
    keys: &[&["uuid"]],
    scope: Scope::Provider,
    held_by: &["services"],
    projects: Projects::Sharing,
    extended: &[branch("projects"), branch("services").with(&[branch("region").with(&[branch("provider")])])],
    ..Entity::BASE
};
