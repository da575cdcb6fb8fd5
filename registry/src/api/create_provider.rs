//! `POST /providers/`

use super::{
    ApiError, Shared,
    answer::written,
    body::{self, still_as_known},
    caller::Caller,
};
use crate::graph::plan;
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use schema::document;
use std::sync::Arc;

/// Adds a whole provider, all or nothing.
pub(super) async fn create_provider(
    State(app): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (json, headers) = body::json(&app, request).await?;
    let reading = document::Reading { lenient: app.options.lenient_documents };
    let schema = app.federation.snapshot().graph.schema;
    let document = Arc::new(document::provider(schema, &json, reading, &[])?);
    let what = format!("POST Provider {}", document.get(schema, "name").as_str().unwrap_or_default());
    let done = app
        .federation
        .write(caller.author(what), move |snapshot, fresh| {
            still_as_known(snapshot, &headers)?;
            let (uid, changes) = plan::create(&snapshot.graph, &document, fresh)?;
            caller.may_make(&snapshot.graph, &changes)?;
            Ok::<_, ApiError>((uid, changes))
        })
        .await?;
    let (snapshot, uid) = (done.snapshot, done.value);
    let Some(id) = snapshot.graph.find(uid) else { return Err(ApiError::Internal) };
    let mut response = written(&snapshot, id, StatusCode::CREATED, true);
    if let Ok(location) = HeaderValue::from_str(&format!("{}/providers/{uid}", app.options.base_path)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
