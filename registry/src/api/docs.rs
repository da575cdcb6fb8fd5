//! The OpenAPI document and its page.

use super::Shared;
use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use bytes::Bytes;
use schema::{
    Schema,
    openapi::{document, to_3_0},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The description of the API under a base path, made from the declarations.
pub fn openapi(base_path: &str) -> utoipa::openapi::OpenApi {
    document(Schema::get(), base_path)
}

/// The same in OpenAPI 3.0.
pub fn openapi_3_0(base_path: &str) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::to_value(openapi(base_path)).map(to_3_0)
}

/// `docs`, `openapi.json` and `openapi-3.0.json` under the base path. The documents are kept as text: as values they
/// would take more memory than a small federation.
pub(super) fn routes(base_path: &str) -> Router<Shared> {
    let newer = format!("{base_path}/openapi.json");
    let page = SwaggerUi::new(format!("{base_path}/docs")).config(Config::from(newer.clone()));
    let text = |json: Result<Vec<u8>, serde_json::Error>| json.map(Bytes::from).unwrap_or_default();
    let served = |text: Bytes| get(async move || ([(CONTENT_TYPE, "application/json")], text));
    Router::from(page)
        .route(&newer, served(text(serde_json::to_vec(&openapi(base_path)))))
        .route(
            &format!("{base_path}/openapi-3.0.json"),
            served(text(openapi_3_0(base_path).and_then(|json| serde_json::to_vec(&json)))),
        )
}
