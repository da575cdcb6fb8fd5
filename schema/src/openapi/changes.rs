//! The change log: who changed what, as pages and as a stream, of the whole graph and of one node.

use super::{
    names,
    parts::{Named, Part, list, named, text, word},
    paths::{parameter, query, secured, uid},
    responses::{self, error, header, unchanged, with},
};
use crate::{access, schema::EntityInfo};
use utoipa::openapi::{
    Content, KnownFormat, ObjectBuilder, SchemaFormat,
    path::{Operation, OperationBuilder, ParameterIn},
    schema::{AdditionalProperties, SchemaType, Type as JsonType},
};

pub(super) const TAG: &str = "changes";

/// Adds the shapes.
pub(super) fn add(shapes: &mut Named) {
    let value =
        |doc: &str| ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(doc)).build();
    let field = ObjectBuilder::new()
        .description(Some("What a field held and holds; -1 is unlimited."))
        .property(
            "old",
            value("What it held; not there when the node is new, or when this was not recorded."),
        )
        .property("new", value("What it holds from then on; not there when the node goes."));
    let field = shapes.add("FieldChange".to_owned(), field.build());
    let fields = |doc: &str| {
        let fields = ObjectBuilder::new().description(Some(doc));
        fields.additional_properties(Some(AdditionalProperties::RefOr(field.clone()))).build().into()
    };
    let of_nodes = shapes.add("NodeAction".to_owned(), word(&["created", "updated", "deleted"]).build());
    let of_relations =
        shapes.add("RelationAction".to_owned(), word(&["added", "changed", "removed"]).build());
    let node = object(
        "A node that came, changed or went.",
        [
            ("action", of_nodes),
            ("kind", text("Its entity: `Flavor`.").build().into()),
            ("uid", text("Its uid.").build().into()),
            ("fields", fields("Its fields by name: those that changed, or all that held something.")),
        ],
    );
    let node = shapes.add("NodeChange".to_owned(), node.build());
    let relation = object(
        "A relation that came, changed or went.",
        [
            ("action", of_relations),
            ("type", text("Its type: `AVAILABLE_VM_FLAVOR`.").build().into()),
            ("from", text("The uid of the node where it starts.").build().into()),
            ("to", text("The uid of the node where it ends.").build().into()),
            ("fields", fields("What the relation itself holds, by name.")),
        ],
    );
    let relation = shapes.add("RelationChange".to_owned(), relation.build());
    let moment =
        text("When it was committed.").format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    let change = object(
        "One write: all of it became visible at once.",
        [
            ("revision", number("The revision that it made.")),
            ("at", moment.build().into()),
            ("who", text("Issuer and subject of whoever asked for it.").build().into()),
            ("what", text("What was asked for.").build().into()),
            ("request", text("The request's `x-request-id`; empty when not recorded.").build().into()),
            ("nodes", list(node)),
            ("relations", list(relation)),
        ],
    );
    let change = shapes.add("Change".to_owned(), change.build());
    let page = object(
        "Changes, oldest first.",
        [
            ("changes", list(change)),
            ("next", number("What to ask `after` for what follows.")),
            ("last", number("The last revision; when `next` is the same, nothing follows yet.")),
            ("kept_after", number("The smallest `after` that the log reaches back to.")),
            ("epoch", text("Which life of the store the revisions belong to.").build().into()),
        ],
    );
    shapes.add("Changes".to_owned(), page.build());
    let gone = object(
        "The log does not have what was asked.",
        [
            ("detail", text("What is wrong, and what to do.").build().into()),
            ("kept_after", number("The smallest `after` that the log reaches back to.")),
            ("last", number("The last revision.")),
        ],
    );
    shapes.add("ChangesGone".to_owned(), gone.build());
}

/// `GET /changes`
pub(super) fn all() -> Operation {
    let operation = OperationBuilder::new().operation_id(Some("list_changes")).tag(TAG);
    let doc = "Administrators only. With `Accept: text/event-stream` alone the changes follow as server-sent events, as they \
               happen: `id` is the revision, `data` a Change, `Last-Event-ID` goes on where a stream broke off, and an \
               event `gone` (a ChangesGone without `detail`) says that the log lost what comes next. Without `after` \
               a stream begins now, a page at the oldest change that is kept.";
    let last = "For streams: the `id` of the last event that was received; goes before `after`.";
    let page = with("A page of changes, or the stream of them.", named("Changes"));
    let page = page.content("text/event-stream", Content::new(Some(text("Server-sent events.").build())));
    let operation = operation.summary(Some("List or follow changes")).description(Some(doc));
    reading(access::Operation::Changes, operation)
        .parameter(parameter(ParameterIn::Header, "Last-Event-ID", text("").build().into(), last))
        .response("200", page.header("ETag", header("The state of the graph.")))
        .build()
}

/// `GET /<entities>/{uid}/history`
pub(super) fn of_one(entity: &EntityInfo) -> Operation {
    let operation = OperationBuilder::new()
        .operation_id(Some(format!("{}_history", names::operation("get", entity, false))))
        .tag(entity.decl.path)
        .summary(Some(format!("What changed one {} and its relations", entity.decl.name)))
        .description(Some("Administrators only. Also of one that was deleted, as long as the log has it."));
    let page = with("A page of changes.", named("Changes"));
    reading(access::Operation::History(entity.kind), operation)
        .parameter(uid(entity))
        .response("200", page.header("ETag", header("The state of the graph.")))
        .response("404", error("Neither the graph nor the log has this uid."))
        .build()
}

fn reading(of: access::Operation, operation: OperationBuilder) -> OperationBuilder {
    let known = "An ETag of an earlier answer: 304 while the graph is still in that state.";
    let bounded = |least: f64| ObjectBuilder::new().schema_type(JsonType::Integer).minimum(Some(least));
    let limit = bounded(1.0).maximum(Some(1000.0)).default(Some(100.into())).build().into();
    let gone = "The changes after this revision are not kept: read everything anew, then ask after the last revision.";
    let when = header("After how many seconds to try again.");
    responses::common(secured(operation, of.needs()))
        .parameter(query("after", bounded(0.0).build().into(), "Only changes after this revision."))
        .parameter(query("limit", limit, "At most so many; fewer where they are large."))
        .parameter(parameter(ParameterIn::Header, "If-None-Match", text("").build().into(), known))
        .response("304", unchanged("The graph is still in the state that `If-None-Match` names."))
        .response("410", with(gone, named("ChangesGone")))
        .response(
            "503",
            error("The log cannot be read now, or too many follow it.").header("Retry-After", when),
        )
}

pub(super) fn number(doc: &str) -> Part {
    ObjectBuilder::new()
        .schema_type(JsonType::Integer)
        .minimum(Some(0.0))
        .description(Some(doc))
        .build()
        .into()
}

/// An object all of whose properties are always there.
pub(super) fn object<const N: usize>(doc: &str, properties: [(&str, Part); N]) -> ObjectBuilder {
    let object = ObjectBuilder::new().description(Some(doc));
    properties.into_iter().fold(object, |object, (name, part)| object.property(name, part).required(name))
}
