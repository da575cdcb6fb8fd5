//! The operations: the same five for each entity, two more for providers, and the change log.

use super::{
    changes, example, feeder, names, offer,
    parts::{self, Part, list, named, text},
    responses::{self, entities, error, gone, header, unchanged},
    whoami,
};
use crate::{
    Kind,
    access::{Access, Operation},
    field::{Field, Type},
    filter,
    schema::{EntityInfo, Schema},
    view::Audience,
};
use serde_json::Value as Json;
use utoipa::openapi::{
    Content, HttpMethod, ObjectBuilder, PathItem, Paths, PathsBuilder, Required, SecurityRequirement,
    path::{Operation as Described, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    schema::Type as JsonType,
};

/// All paths.
pub(super) fn all(schema: &Schema) -> Paths {
    let mut paths = PathsBuilder::new();
    for entity in &schema.entities {
        let path = format!("/{}/", entity.decl.path);
        let mut all = PathItem::new(HttpMethod::Get, list_all(schema, entity));
        let mut single = PathItem::new(HttpMethod::Get, get(entity));
        single.patch = Some(patch(entity));
        single.delete = Some(delete(entity));
        if entity.kind == Kind::Provider {
            all.post = Some(create(schema, entity));
            single.put = Some(replace(schema, entity));
        }
        let one = format!("{path}{{{}}}", entity.decl.uid_name);
        let history = PathItem::new(HttpMethod::Get, changes::of_one(entity));
        paths = paths.path(path, all).path(one.clone(), single).path(format!("{one}/history"), history);
    }
    let paths = paths
        .path("/changes", PathItem::new(HttpMethod::Get, changes::all()))
        .path("/whoami", PathItem::new(HttpMethod::Get, whoami::operation()));
    offer::paths(feeder::paths(paths)).build()
}

const KNOWN: &str =
    "The X-Revision or ETag of an earlier answer, of whichever replica: this one answers once it is as new.";

fn operation(of: Access, entity: &EntityInfo, verb: &str, all: bool, summary: &str) -> OperationBuilder {
    let operation = OperationBuilder::new()
        .operation_id(Some(names::operation(verb, entity, all)))
        .tag(entity.decl.path)
        .summary(Some(summary))
        .parameter(parameter(ParameterIn::Header, "X-Min-Revision", text("").build().into(), KNOWN));
    responses::common(guarded(operation, of))
}

/// Says who may: anonymous callers too, or which roles.
pub(super) fn guarded(operation: OperationBuilder, needs: Access) -> OperationBuilder {
    match needs {
        Access::Public => secured(operation, needs),
        _ => secured(operation, needs).description(Some(format!("Needs the role {}.", needs.roles()))),
    }
}

/// The same, for operations that describe themselves.
pub(super) fn secured(operation: OperationBuilder, needs: Access) -> OperationBuilder {
    match needs {
        Access::Public => operation.securities(Some([SecurityRequirement::default(), bearer()])),
        _ => operation.securities(Some([bearer()])),
    }
}

fn reading(of: Operation, entity: &EntityInfo, verb: &str, all: bool, summary: &str) -> OperationBuilder {
    let known = "An ETag of an earlier answer: 304 while the graph is still in that state.";
    operation(of.needs(), entity, verb, all, summary)
        .parameter(parameter(ParameterIn::Header, "If-None-Match", text("").build().into(), known))
        .response("304", unchanged("The graph is still in the state that `If-None-Match` names."))
}

fn writing(of: Operation, entity: &EntityInfo, verb: &str, summary: &str) -> OperationBuilder {
    let known = "An ETag of an earlier answer: 412 when the graph is no longer in that state.";
    responses::of_writes(operation(of.needs(), entity, verb, false, summary)).parameter(parameter(
        ParameterIn::Header,
        "If-Match",
        text("").build().into(),
        known,
    ))
}

/// Writes with a body.
fn saying(
    of: Operation,
    entity: &EntityInfo,
    verb: &str,
    summary: &str,
    shape: &str,
    example: Json,
) -> OperationBuilder {
    let mut content = Content::new(Some(named(shape)));
    content.example = Some(example);
    let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
    responses::of_bodies(writing(of, entity, verb, summary)).request_body(Some(body.build()))
}

pub(super) fn bearer() -> SecurityRequirement {
    let scopes: [&str; 0] = [];
    SecurityRequirement::new("HTTPBearer", scopes)
}

fn list_all(schema: &Schema, entity: &EntityInfo) -> Described {
    let summary = format!("List {}", entity.decl.path.replace('_', " "));
    let shape = list(named(&names::any(entity)));
    let mut operation = reading(Operation::List(entity.kind), entity, "list", true, &summary)
        .response("200", entities("The entities that pass all filters, all in the same shape.", shape));
    for (name, doc) in special(entity.kind) {
        let provider = schema.entity(Kind::Provider);
        let field = name.strip_prefix("provider_").and_then(|name| provider.field(name));
        let shape = match field.map(|place| provider.fields[place].ty) {
            Some(Type::Enum { name, .. }) => named(name),
            _ => text("").build().into(),
        };
        operation = operation.parameter(query(name, shape, doc));
    }
    for (name, min, default, doc) in [
        ("skip", 0, Some(0), "Entries to leave out at the front."),
        ("limit", 0, None, "Entries to keep after that."),
        ("size", 1, None, "Entries of a page."),
        ("page", 0, Some(0), "Which page, from 0; means nothing without size."),
    ] {
        let number = ObjectBuilder::new().schema_type(JsonType::Integer).minimum(Some(f64::from(min)));
        let number = number.default(default.map(|default: u32| default.into()));
        operation = operation.parameter(query(name, number.build().into(), doc));
    }
    let sort = "An attribute, with - in front or _desc behind for descending.";
    operation = operation.parameter(query("sort", text("").build().into(), sort));
    for flag in flags() {
        operation = operation.parameter(flag);
    }
    for field in &entity.fields {
        for suffix in filter::suffixes(field) {
            let name = filter::parameter(field, suffix);
            operation = operation.parameter(query(&name, parts::parameter(field), &meaning(field, suffix)));
        }
    }
    operation.build()
}

/// What a filter keeps.
fn meaning(field: &Field, suffix: &str) -> String {
    let test = match suffix {
        "" => return parts::doc(field).unwrap_or_default(),
        "lt" => "less than this",
        "gt" => "more than this",
        "lte" => "at most this",
        "gte" => "at least this",
        "ne" => "something else",
        "contains" => "containing this",
        "icontains" => "containing this, in upper or lower case",
        "startswith" => "starting with this",
        "istartswith" => "starting with this, in upper or lower case",
        "endswith" => "ending with this",
        "iendswith" => "ending with this, in upper or lower case",
        "iregex" => "matching this regular expression as a whole, in upper or lower case",
        _ => "matching this regular expression as a whole",
    };
    format!("Only with {} {test}.", field.name)
}

fn get(entity: &EntityInfo) -> Described {
    let summary = format!("Get one {}", entity.decl.name);
    let mut operation = reading(Operation::Get(entity.kind), entity, "get", false, &summary)
        .parameter(uid(entity))
        .response("200", entities("The entity.", named(&names::any(entity))))
        .response("404", error("No entity has this uid."));
    for flag in flags() {
        operation = operation.parameter(flag);
    }
    operation.build()
}

fn patch(entity: &EntityInfo) -> Described {
    let shape = named(&names::plain(entity, Audience::Private));
    let summary = format!("Set attributes of one {}", entity.decl.name);
    saying(Operation::Patch(entity.kind), entity, "patch", &summary, &names::patch(entity), example::patch())
        .parameter(uid(entity))
        .response("200", entities("The entity as it is now.", shape))
        .response("304", unchanged("It was so already."))
        .response("404", error("No entity has this uid."))
        .build()
}

fn delete(entity: &EntityInfo) -> Described {
    let summary = format!("Delete one {} and what goes with it", entity.decl.name);
    writing(Operation::Delete(entity.kind), entity, "delete", &summary)
        .parameter(uid(entity))
        .response("204", gone("It is not there any more, or never was."))
        .build()
}

fn create(schema: &Schema, entity: &EntityInfo) -> Described {
    let shape = named(&names::extended(entity, Audience::Private));
    let created = entities("The provider.", shape).header("Location", header("Its path."));
    saying(
        Operation::Create,
        entity,
        "create",
        "Add a provider with all below it",
        &names::create(entity),
        example::provider(schema),
    )
    .response("201", created)
    .build()
}

fn replace(schema: &Schema, entity: &EntityInfo) -> Described {
    let shape = named(&names::extended(entity, Audience::Private));
    saying(
        Operation::Replace,
        entity,
        "replace",
        "Make a provider equal to a document",
        &names::create(entity),
        example::provider(schema),
    )
    .parameter(uid(entity))
    .response("200", entities("The provider as it is now.", shape))
    .response("304", unchanged("It was equal already."))
    .response("404", error("No provider has this uid."))
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

pub(super) fn query(name: &str, shape: Part, doc: &str) -> Parameter {
    parameter(ParameterIn::Query, name, shape, doc)
}

pub(super) fn parameter(place: ParameterIn, name: &str, shape: Part, doc: &str) -> Parameter {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description((!doc.is_empty()).then_some(doc))
        .schema(Some(shape))
        .build()
}

pub(super) fn uid(entity: &EntityInfo) -> Parameter {
    let doc = "Its uid: 32 lower-case hexadecimal characters.";
    parameter(ParameterIn::Path, entity.decl.uid_name, text("").build().into(), doc)
}
