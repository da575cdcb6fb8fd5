//! `GET /whoami`.

use super::{
    parts::{Named, Part, list, named, or_null, text},
    paths::guarded,
    responses,
};
use crate::access::Operation;
use utoipa::openapi::{
    ArrayBuilder, Content, ObjectBuilder, ResponseBuilder,
    path::{Operation as Described, OperationBuilder},
    schema::{SchemaType, Type},
    tag::{Tag, TagBuilder},
};

pub(super) fn tag() -> Tag {
    TagBuilder::new().name("whoami").description(Some("Who asks, and what they may do.")).build()
}

pub(super) fn operation() -> Described {
    let answer = ResponseBuilder::new()
        .description("Who asks, which rules hold, and what these allow.")
        .content("application/json", Content::new(Some(named("Whoami"))));
    let operation = OperationBuilder::new()
        .operation_id(Some("whoami"))
        .tag("whoami")
        .summary(Some("Say who asks, and what they may do"));
    responses::common(guarded(operation, Operation::Whoami.needs())).response("200", answer).build()
}

pub(super) fn add(shapes: &mut Named) {
    let grant = object(
        "A rule that holds.",
        [
            ("role", text("The role that it gives.").build().into()),
            ("rule", text("The rule.").build().into()),
            ("providers", or_null(texts("For which providers; for all when null."))),
        ],
    );
    let grants = list(shapes.add("Grant".to_owned(), grant));
    let whoami = object(
        "Who asks, and what they may do.",
        [
            ("role", text("The strongest role.").build().into()),
            ("issuer", text_or_null("The issuer of the token.")),
            ("subject", text_or_null("Its subject.")),
            ("email", text_or_null("A verified e-mail address, when one is known.")),
            ("groups", texts("Groups that the issuer asserts.")),
            ("entitlements", texts("Entitlements that it asserts.")),
            ("roles", texts("Roles that it asserts.")),
            ("expires_at", text_or_null("When the token ends (RFC 3339, UTC).")),
            ("grants", grants),
            ("allows", texts("What these allow, in sentences.")),
        ],
    );
    shapes.add("Whoami".to_owned(), whoami);
}

/// An object of which every member is always there.
fn object<const N: usize>(doc: &str, members: [(&str, Part); N]) -> Part {
    let object = ObjectBuilder::new().description(Some(doc));
    let with = |object: ObjectBuilder, (name, part)| object.property(name, part).required(name);
    members.into_iter().fold(object, with).build().into()
}

fn texts(doc: &str) -> Part {
    ArrayBuilder::new().items(text("").build()).description(Some(doc)).build().into()
}

fn text_or_null(doc: &str) -> Part {
    text(doc).schema_type(SchemaType::from_iter([Type::String, Type::Null])).build().into()
}
