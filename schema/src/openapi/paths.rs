//! The operations: the same five for each entity, and two more for providers.

use super::{
    shapes::{named, parameter},
    snake,
};
use crate::{
    Kind,
    field::Type,
    filter,
    schema::{EntityInfo, Schema},
};
use utoipa::openapi::{
    Content, HttpMethod, ObjectBuilder, PathItem, Paths, PathsBuilder, RefOr, Required, Response,
    ResponseBuilder, Schema as Shape, SecurityRequirement,
    path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::Type as JsonType,
};

/// All paths under a base path.
pub(super) fn all(schema: &Schema, base_path: &str) -> Paths {
    let mut paths = PathsBuilder::new();
    for entity in &schema.entities {
        let path = format!("{base_path}/{}/", entity.decl.path);
        let mut all = PathItem::new(HttpMethod::Get, list(schema, entity));
        let mut single = PathItem::new(HttpMethod::Get, get(entity));
        single.patch = Some(patch(entity));
        single.delete = Some(delete(entity));
        if entity.kind == Kind::Provider {
            all.post = Some(create(entity));
            single.put = Some(replace(entity));
        }
        paths = paths.path(path.clone(), all).path(format!("{path}{{{}}}", entity.decl.uid_name), single);
    }
    paths.build()
}

fn operation(entity: &EntityInfo, verb: &str, plural: bool, summary: &str) -> OperationBuilder {
    let name = if plural { entity.decl.path.to_owned() } else { snake(entity.decl.name) };
    let none: [&str; 0] = [];
    OperationBuilder::new()
        .operation_id(Some(format!("{verb}_{name}")))
        .tag(entity.decl.path)
        .summary(Some(summary))
        .securities(Some([SecurityRequirement::new("HTTPBearer", none)]))
        .response("401", error("The token is missing, expired or not valid: `WWW-Authenticate` says which."))
        .response(
            "422",
            faults("A parameter or the body breaks rules; `detail` lists each fault with its place."),
        )
}

fn writing(entity: &EntityInfo, verb: &str, summary: &str) -> OperationBuilder {
    operation(entity, verb, false, summary)
        .response("403", error("The caller is known but is no administrator."))
        .response("412", error("`If-Match` names a state that is no longer the current one."))
        .response(
            "503",
            error("The store cannot commit now; nothing was written. `Retry-After` says when to try again."),
        )
}

fn list(schema: &Schema, entity: &EntityInfo) -> Operation {
    let summary = format!("List {}", entity.decl.path.replace('_', " "));
    let mut operation = operation(entity, "list", true, &summary)
        .response(
            "200",
            json("The entities that pass all filters.", &format!("{}ReadMulti", entity.decl.name)),
        )
        .response("304", empty("Nothing changed since `If-None-Match`."));
    for (name, doc) in special(entity.kind) {
        let provider = schema.entity(Kind::Provider);
        let field = name.strip_prefix("provider_").and_then(|name| provider.field(name));
        let shape = match field.map(|place| provider.fields[place].ty) {
            Some(Type::Enum { name, .. }) => named(name),
            _ => word_free(),
        };
        operation = operation.parameter(query(name, shape, doc));
    }
    for (name, min, doc) in [
        ("skip", 0, "Entries to leave out at the front."),
        ("limit", 0, "Entries to keep after that."),
        ("size", 1, "Entries of a page."),
        ("page", 0, "Which page, from 0; means nothing without size."),
    ] {
        let shape = ObjectBuilder::new().schema_type(JsonType::Integer).minimum(Some(f64::from(min)));
        operation = operation.parameter(query(name, shape.build().into(), doc));
    }
    let sort = "An attribute, with - in front or _desc behind for descending.";
    operation = operation.parameter(query("sort", word_free(), sort));
    for flag in flags() {
        operation = operation.parameter(flag);
    }
    for field in &entity.fields {
        for suffix in filter::suffixes(field) {
            let doc = match (*suffix, field.unit) {
                ("", Some(unit)) => format!("{} Unit: {unit}.", field.doc),
                ("", None) => field.doc.to_owned(),
                (suffix, _) => format!("{} {suffix}", field.name),
            };
            let name = filter::parameter(field, suffix);
            operation = operation.parameter(query(&name, parameter(field), &doc));
        }
    }
    operation.build()
}

fn get(entity: &EntityInfo) -> Operation {
    let mut operation = operation(entity, "get", false, &format!("Get one {}", entity.decl.name))
        .parameter(uid(entity))
        .response("200", json("The entity.", &format!("{}ReadSingle", entity.decl.name)))
        .response("304", empty("Nothing changed since `If-None-Match`."))
        .response("404", error("No entity has this uid."));
    for flag in flags() {
        operation = operation.parameter(flag);
    }
    operation.build()
}

fn patch(entity: &EntityInfo) -> Operation {
    writing(entity, "patch", &format!("Set attributes of one {}", entity.decl.name))
        .parameter(uid(entity))
        .request_body(Some(body(&format!("{}Update", entity.decl.name))))
        .response("200", json("The entity as it is now.", &format!("{}Read", entity.decl.name)))
        .response("304", empty("It was so already."))
        .response("404", error("No entity has this uid."))
        .response("409", error("The result would break a key."))
        .build()
}

fn delete(entity: &EntityInfo) -> Operation {
    writing(entity, "delete", &format!("Delete one {} and what goes with it", entity.decl.name))
        .parameter(uid(entity))
        .response("204", empty("It is not there any more, or never was."))
        .build()
}

fn create(entity: &EntityInfo) -> Operation {
    writing(entity, "create", "Add a provider with all below it")
        .request_body(Some(body("ProviderCreate")))
        .response("201", json("The provider.", "ProviderReadExtended"))
        .response("409", error("A key is taken."))
        .build()
}

fn replace(entity: &EntityInfo) -> Operation {
    writing(entity, "replace", "Make a provider equal to a document")
        .parameter(uid(entity))
        .request_body(Some(body("ProviderCreate")))
        .response("200", json("The provider as it is now.", "ProviderReadExtended"))
        .response("304", empty("It was equal already."))
        .response("404", error("No provider has this uid."))
        .response("409", error("A key is taken."))
        .build()
}

fn special(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Project => &[
            ("identity_service_endpoint", "Only projects of providers with this identity service."),
            ("provider_uid", "Only projects of this provider."),
            (
                "region_name",
                "Only projects with a quota in a region of this name; prunes the rest from the answer.",
            ),
            ("user_group_uid", "Only projects granted to this user group."),
        ],
        Kind::UserGroup => &[
            ("idp_endpoint", "Only groups of this issuer."),
            ("region_name", "Prunes what has no quota in a region of this name."),
            ("provider_name", "Prunes what is at other providers."),
            ("provider_type", "Prunes what is at providers of another type."),
            ("provider_status", "Prunes what is at providers in another status."),
        ],
        _ => &[],
    }
}

fn flags() -> [Parameter; 2] {
    let flag =
        || ObjectBuilder::new().schema_type(JsonType::Boolean).default(Some(false.into())).build().into();
    [
        query("short", flag(), "The public shapes, for who could see the private ones."),
        query("with_conn", flag(), "The extended shapes: with what is related."),
    ]
}

fn word_free() -> RefOr<Shape> {
    ObjectBuilder::new().schema_type(JsonType::String).build().into()
}

fn query(name: &str, shape: RefOr<Shape>, doc: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description((!doc.is_empty()).then_some(doc))
        .schema(Some(shape))
        .build()
}

fn uid(entity: &EntityInfo) -> Parameter {
    ParameterBuilder::new()
        .name(entity.decl.uid_name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("32 lower-case hexadecimal characters."))
        .schema(Some(word_free()))
        .build()
}

fn body(shape: &str) -> utoipa::openapi::request_body::RequestBody {
    RequestBodyBuilder::new()
        .content("application/json", Content::new(Some(named(shape))))
        .required(Some(Required::True))
        .build()
}

fn json(doc: &str, shape: &str) -> Response {
    ResponseBuilder::new()
        .description(doc)
        .content("application/json", Content::new(Some(named(shape))))
        .build()
}

fn error(doc: &str) -> Response {
    json(doc, "Error")
}

fn faults(doc: &str) -> Response {
    json(doc, "HTTPValidationError")
}

fn empty(doc: &str) -> Response {
    ResponseBuilder::new().description(doc).build()
}
