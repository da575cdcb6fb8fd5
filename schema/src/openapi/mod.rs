//! The OpenAPI document, made from the declarations: schemas in [`shapes`], operations in [`paths`].

mod paths;
mod shapes;

use crate::schema::Schema;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    security::{Http, HttpAuthScheme, SecurityScheme},
};

/// The description of the API under a base path.
pub fn document(schema: &Schema, base_path: &str) -> OpenApi {
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = shapes::all(schema)
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, shape)| components.schema(name, shape));
    let info = InfoBuilder::new()
        .title("Federation Registry")
        .version("v1")
        .description(Some(
            "Which provider can run this, for this user group, with which project, flavor, image, network and quota. \
             Answers carry an `ETag`; `If-None-Match` makes a read free, `If-Match` a write safe.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths::all(schema, base_path))
        .components(Some(components.security_scheme("HTTPBearer", bearer).build()))
        .build()
}

/// `ComputeService` -> `compute_service`, `SLA` -> `sla`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = false;
    for c in name.chars() {
        if c.is_uppercase() && before {
            out.push('_');
        }
        before = c.is_lowercase();
        out.extend(c.to_lowercase());
    }
    out
}
