//! Answers by status: what each says, which headers it carries, and the shapes of errors.

use super::parts::{Named, Part, any_of, list, named, text};
use utoipa::openapi::{
    ArrayBuilder, Content, HeaderBuilder, ObjectBuilder, ResponseBuilder, header::Header,
    path::OperationBuilder, schema::Type as JsonType,
};

/// Adds the shapes of errors.
pub(super) fn add(shapes: &mut Named) {
    let error = ObjectBuilder::new()
        .description(Some("Why a request was not done."))
        .property("detail", text("What is wrong, and what to do.").build())
        .required("detail");
    shapes.add("ApiError".to_owned(), error.build());
    let step =
        any_of([text("").build().into(), ObjectBuilder::new().schema_type(JsonType::Integer).build().into()]);
    let place = ArrayBuilder::new()
        .items(step)
        .description(Some("Where: query or body, then names and places in lists."));
    let fault = ObjectBuilder::new()
        .description(Some("One fault of a request."))
        .property("loc", place.build())
        .property("msg", text("What is wrong, for people.").build())
        .property("type", text("What is wrong, for programs.").build())
        .required("loc")
        .required("msg")
        .required("type");
    let fault = shapes.add("ValidationError".to_owned(), fault.build());
    let faults = ObjectBuilder::new()
        .description(Some("All faults of a request at once."))
        .property("detail", list(fault))
        .required("detail");
    shapes.add("ValidationErrors".to_owned(), faults.build());
}

/// What every operation can answer.
pub(super) fn common(operation: OperationBuilder) -> OperationBuilder {
    let token = "The token is missing, expired or not valid.";
    let which = || header("Which of these, as RFC 6750 says it.");
    let role = "The token is good, but a role is missing; `detail` says which.";
    operation
        .response("401", error(token).header("WWW-Authenticate", which()))
        .response("403", error(role).header("WWW-Authenticate", which()))
        .response("412", error("`X-Min-Revision` names a revision of data that was replaced since."))
        .response("429", later("One client, or one identity, asks too often."))
        .response("422", with("Parameters or body break rules.", named("ValidationErrors")))
        .response(
            "503",
            later("This replica has no graph yet, or not the revision that `X-Min-Revision` names."),
        )
}

/// What every write can answer besides.
pub(super) fn of_writes(operation: OperationBuilder) -> OperationBuilder {
    operation
        .response("412", error("The graph is no longer in the state that `If-Match` names."))
        .response("503", later("The store cannot commit now. `detail` says whether nothing was written, or whether that is not known."))
}

/// Not now.
fn later(doc: &str) -> ResponseBuilder {
    error(doc).header("Retry-After", header("After how many seconds to try again."))
}

/// Which revision an answer is of.
fn stamped(response: ResponseBuilder) -> ResponseBuilder {
    response.header("X-Revision", header("The revision of this answer, the same on all replicas."))
}

/// What every write with a body can answer besides.
pub(super) fn of_bodies(operation: OperationBuilder) -> OperationBuilder {
    operation
        .response("408", error("The body did not arrive within the time of a request."))
        .response("409", error("A key is taken, or would be broken."))
        .response("413", error("The body is larger than the registry takes."))
}

/// Entities.
pub(super) fn entities(doc: &str, shape: Part) -> ResponseBuilder {
    stamped(with(doc, shape)).header("ETag", header("The state of the graph that this answer shows."))
}

/// Nothing but the state.
pub(super) fn unchanged(doc: &str) -> ResponseBuilder {
    empty(doc).header("ETag", header("The state of the graph."))
}

/// Nothing is there any more.
pub(super) fn gone(doc: &str) -> ResponseBuilder {
    stamped(empty(doc))
}

/// Nothing.
pub(super) fn empty(doc: &str) -> ResponseBuilder {
    ResponseBuilder::new().description(doc)
}

/// An error.
pub(super) fn error(doc: &str) -> ResponseBuilder {
    with(doc, named("ApiError"))
}

/// A header of answers.
pub(super) fn header(doc: &str) -> Header {
    HeaderBuilder::new().schema(Some(text("").build())).description(Some(doc)).build()
}

/// An answer with a body.
pub(super) fn with(doc: &str, shape: Part) -> ResponseBuilder {
    empty(doc).content("application/json", Content::new(Some(shape)))
}
