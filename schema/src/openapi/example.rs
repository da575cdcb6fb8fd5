//! Bodies to begin with, for whoever tries the API on its page: made of the declarations, and good as they stand.

use super::names::snake;
use crate::{
    Kind,
    entity::Projects,
    field::{Field, Otherwise, Type},
    schema::{EntityInfo, Schema},
};
use serde_json::{Map, Value as Json, json};

/// A provider with one of everything that an OpenStack site has, and no more said than must be.
pub(super) fn provider(schema: &Schema) -> Json {
    item(schema, schema.entity(Kind::Provider))
}

/// A patch that every entity takes.
pub(super) fn patch() -> Json {
    json!({ "description": "What there is to know about it." })
}

fn item(schema: &Schema, entity: &EntityInfo) -> Json {
    let required =
        entity.fields.iter().filter(|field| field.otherwise == Otherwise::Required && !field.constant);
    let mut object: Map<_, _> =
        required.map(|field| (field.name.to_owned(), sample(entity, field))).collect();
    if entity.decl.projects == Projects::One {
        object.insert("project".to_owned(), "my-project-uuid".into());
    }
    if entity.kind == Kind::IdentityProvider {
        object.insert("relationship".to_owned(), json!({ "idp_name": "my-idp", "protocol": "openid" }));
    }
    for child in entity.decl.children {
        let below = schema.entity(child.kind);
        // what v1 does not show is of Kubernetes
        if below.decl.v1 {
            let one = item(schema, below);
            object.insert(child.name.to_owned(), if child.many { json!([one]) } else { one });
        }
    }
    object.into()
}

fn sample(entity: &EntityInfo, field: &Field) -> Json {
    let entity = snake(entity.decl.name).replace('_', "-");
    match field.ty {
        Type::Enum { members, .. } => members.first().copied().unwrap_or_default().into(),
        Type::Url => format!("https://{entity}.example.org").into(),
        Type::Country => "Italy".into(),
        Type::Date if field.name.starts_with("end") => "2036-12-31".into(),
        Type::Date => "2026-01-01".into(),
        Type::Time => "2026-01-01T00:00:00Z".into(),
        Type::Bool => false.into(),
        Type::Int { .. } | Type::Float { .. } => 1.into(),
        Type::Texts { .. } => json!([]),
        Type::Counts => json!({}),
        Type::Text => format!("my-{entity}-{}", field.name).into(),
    }
}
