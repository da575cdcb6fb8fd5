//! The OpenAPI document, made from the declarations: what answers hold in [`answers`], what bodies may say in
//! [`bodies`], the change log in [`changes`], the feeder's
//! part in [`feeder`] and [`offer`], operations in [`paths`], and the same document in the words of OpenAPI 3.0 in [`v3_0`].

mod answers;
mod bodies;
mod changes;
mod example;
mod feeder;
mod names;
mod offer;
mod parts;
mod paths;
mod responses;
mod v3_0;
mod whoami;

pub use v3_0::to_3_0;

use crate::schema::{EntityInfo, Schema};
use serde_json::Value as Json;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, ServerBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::{Tag, TagBuilder},
};

/// The description of the API under a base path, in OpenAPI 3.1.
pub fn document(schema: &Schema, base_path: &str) -> Result<Json, serde_json::Error> {
    let mut document = serde_json::to_value(build(schema, base_path))?;
    words_of_one(&mut document);
    Ok(document)
}

/// A word that is always the same is a `const`, for which generated clients need no enumeration.
fn words_of_one(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(words_of_one),
        Json::Object(object) => {
            object.values_mut().for_each(words_of_one);
            let word = object.get("enum").and_then(Json::as_array).and_then(|words| match words.as_slice() {
                [word] => Some(word.clone()),
                _ => None,
            });
            if let Some(word) = word {
                object.shift_remove("enum");
                object.insert("const".to_owned(), word);
            }
        }
        _ => {}
    }
}

fn build(schema: &Schema, base_path: &str) -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "An access token of one of the issuers that the registry trusts. Without one, reads show the public shapes.",
    ));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(parts::all(schema))
        .security_scheme("HTTPBearer", SecurityScheme::Http(bearer.build()));
    let info = InfoBuilder::new()
        .title("Federation Registry")
        .version("v1")
        .description(Some(
            "Which provider can run this, for this user group, with which project, flavor, image, network and quota. \
             Answers carry an `ETag`; `If-None-Match` makes a read free, `If-Match` a write safe.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    let server = ServerBuilder::new().url(if base_path.is_empty() { "/" } else { base_path });
    let log = TagBuilder::new().name(changes::TAG).description(Some("Who changed what, and when.")).build();
    let feeder = feeder::TAGS.map(|(name, doc)| TagBuilder::new().name(name).description(Some(doc)).build());
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([server.build()]))
        .tags(Some(schema.entities.iter().map(tag).chain([log, whoami::tag()]).chain(feeder)))
        .paths(paths::all(schema))
        .components(Some(components.build()))
        .build()
}

fn tag(entity: &EntityInfo) -> Tag {
    TagBuilder::new().name(entity.decl.path).description(Some(entity.decl.doc)).build()
}
