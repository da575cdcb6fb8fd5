//! The OpenAPI document and its page.

use super::Shared;
use axum::{
    Router,
    http::header::CONTENT_TYPE,
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use schema::{
    Schema,
    openapi::{document, to_3_0},
};
use std::sync::{Arc, OnceLock};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// The description of the API under a base path, made from the declarations.
pub fn openapi(base_path: &str) -> Result<serde_json::Value, serde_json::Error> {
    document(Schema::get(), base_path)
}

/// The same in OpenAPI 3.0.
pub fn openapi_3_0(base_path: &str) -> Result<serde_json::Value, serde_json::Error> {
    openapi(base_path).map(to_3_0)
}

/// `docs`, `openapi.json` and `openapi-3.0.json` under the base path. The documents are made when first asked for:
/// making them takes 20 MiB, more than a small federation.
pub(super) fn routes(base_path: &str) -> Router<Shared> {
    let newer = format!("{base_path}/openapi.json");
    // "none": the page would send the registry's address to a validator on the internet otherwise
    let config = Config::from(newer.clone()).validator_url("none");
    let page = SwaggerUi::new(format!("{base_path}/docs")).config(config);
    Router::from(page)
        .route(&newer, served(base_path, openapi))
        .route(&format!("{base_path}/openapi-3.0.json"), served(base_path, openapi_3_0))
}

type Make = fn(&str) -> Result<serde_json::Value, serde_json::Error>;

fn served(base_path: &str, make: Make) -> MethodRouter<Shared> {
    let (made, base): (Arc<OnceLock<Bytes>>, Arc<str>) = (Arc::default(), base_path.into());
    get(async move || {
        let bytes = made.get_or_init(|| match make(&base).and_then(|json| serde_json::to_vec(&json)) {
            Ok(text) => text.into(),
            Err(error) => {
                tracing::error!(error = %error, "the OpenAPI document cannot be made");
                Bytes::new()
            }
        });
        ([(CONTENT_TYPE, "application/json")], bytes.clone())
    })
}
