//! The OpenAPI document and its page.

use super::Shared;
use axum::{Json, Router, routing::get};
use schema::{
    Schema,
    openapi::{document, to_3_0},
};
use utoipa_swagger_ui::SwaggerUi;

/// The description of the API under a base path, made from the declarations.
pub fn openapi(base_path: &str) -> Result<serde_json::Value, serde_json::Error> {
    document(Schema::get(), base_path)
}

/// The same in OpenAPI 3.0.
pub fn openapi_3_0(base_path: &str) -> Result<serde_json::Value, serde_json::Error> {
    openapi(base_path).map(to_3_0)
}

/// `docs`, `openapi.json` and `openapi-3.0.json` under the base path.
pub(super) fn routes(base_path: &str) -> Router<Shared> {
    let (openapi, openapi_3_0) = match (openapi(base_path), openapi_3_0(base_path)) {
        (Ok(openapi), Ok(openapi_3_0)) => (openapi, openapi_3_0),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(error = %error, "the OpenAPI document cannot be made");
            return Router::new();
        }
    };
    let page = SwaggerUi::new(format!("{base_path}/docs"))
        .external_url_unchecked(format!("{base_path}/openapi.json"), openapi);
    let older = get(async move || Json(openapi_3_0));
    Router::from(page).route(&format!("{base_path}/openapi-3.0.json"), older)
}
