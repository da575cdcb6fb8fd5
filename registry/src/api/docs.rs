//! The OpenAPI document and its page.

use super::Shared;
use axum::Router;
use schema::{Schema, openapi::document};
use utoipa_swagger_ui::SwaggerUi;

/// The description of the API under a base path, made from the declarations.
pub fn openapi(base_path: &str) -> utoipa::openapi::OpenApi {
    document(Schema::get(), base_path)
}

/// `docs` and `openapi.json` under the base path.
pub(super) fn routes(base_path: &str) -> Router<Shared> {
    let page = SwaggerUi::new(format!("{base_path}/docs"))
        .url(format!("{base_path}/openapi.json"), openapi(base_path));
    Router::from(page)
}
