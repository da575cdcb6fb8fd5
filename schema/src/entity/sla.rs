//! An agreement.

use super::{Entity, Kind, Projects};
use crate::{
    field::{DESCRIPTION, date, text},
    relation::{Cascade, Relation},
    rule::Broken,
    value::Value,
    view::branch,
};

/// What a provider grants to a user group.
pub const SLA: Entity = Entity {
    name: "SLA",
    path: "slas",
    uid_name: "sla_uid",
    doc: "A service level agreement: which projects a user group may use, and how long.",
    fields: &[&[
        DESCRIPTION,
        text("doc_uuid").required().public().indexed().doc("The id of the signed document."),
        date("start_date").doc("The first day."),
        date("end_date").doc("The last day."),
    ]],
    keys: &[&["doc_uuid"]],
    held_by: &["projects"],
    relations: &[Relation {
        inverse_many: false,
        ..Relation::has_many("REFER_TO", "projects", &[Kind::Project], "sla", Cascade::Source)
    }],
    projects: Projects::One,
    extended: &[
        branch("projects").with(&[branch("provider")]),
        branch("user_group").with(&[branch("identity_provider")]),
    ],
    rules: &[|get| match (get("start_date"), get("end_date")) {
        (Value::Date(start), Value::Date(end)) if start > end => Some(Broken {
            field: "end_date",
            msg: format!("the SLA ends on {end}, before it starts on {start}"),
        }),
        _ => None,
    }],
    ..Entity::BASE
};
