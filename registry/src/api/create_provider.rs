//! `POST /providers/`

use super::{
    ApiError, Shared,
    answer::{self, Wanted},
    caller::Caller,
};
use crate::graph::{plan, select::Special};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schema::{Audience, Fault, Loc, document};
use serde_json::Value as Json;
use std::sync::Arc;

/// Adds a whole provider, all or nothing.
pub(super) async fn create_provider(
    State(app): State<Shared>,
    request: Request,
) -> Result<Response, ApiError> {
    let caller = Caller::administrator(&app, request.headers()).await?;
    let (json, headers) = body(&app, request).await?;
    let reading = document::Reading { lenient: app.options.lenient_documents };
    let schema = app.federation.snapshot().graph.schema;
    let document = Arc::new(document::provider(schema, &json, reading, &[])?);
    let what = format!("POST provider {}", document.get(schema, "name").as_str().unwrap_or_default());
    let written = app
        .federation
        .write(caller.author(what), move |snapshot, fresh| {
            still_as_known(snapshot, &headers)?;
            plan::create(&snapshot.graph, &document, fresh).map_err(ApiError::from)
        })
        .await?;
    let snapshot = written.snapshot;
    let uid = written.value;
    let Some(id) = snapshot.graph.find(uid) else { return Err(ApiError::Internal) };
    let mut response = extended(&snapshot, id, StatusCode::CREATED);
    if let Ok(location) = HeaderValue::from_str(&format!("{}/providers/{uid}", app.options.base_path)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The private extended shape of a node that was written.
pub(super) fn extended(snapshot: &Arc<crate::federation::Snapshot>, id: u32, status: StatusCode) -> Response {
    shape(snapshot, id, status, true)
}

/// The private shape of a node that was written.
pub(super) fn shape(
    snapshot: &Arc<crate::federation::Snapshot>,
    id: u32,
    status: StatusCode,
    extended: bool,
) -> Response {
    let audience = Audience::Private;
    let tag = answer::etag(snapshot, audience);
    let wanted = Wanted { ids: vec![id], list: false, audience, extended, special: Special::default() };
    answer::write(Arc::clone(snapshot), wanted, "", &tag, if extended { status } else { StatusCode::OK })
        .into_response()
}

/// The body as JSON, and the headers.
pub(super) async fn body(app: &Shared, request: Request) -> Result<(Json, HeaderMap), ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read(body, app.options.body_bytes).await?;
    let json = serde_json::from_slice(&bytes).map_err(|error| {
        let offset = bytes
            .split(|byte| *byte == b'\n')
            .take(error.line().saturating_sub(1))
            .map(|line| line.len() + 1);
        let offset = offset.sum::<usize>() + error.column().saturating_sub(usize::from(!error.is_eof()));
        let loc =
            if bytes.is_empty() { vec!["body".into()] } else { vec!["body".into(), Loc::Index(offset)] };
        let msg = if bytes.is_empty() { "field required".to_owned() } else { format!("not JSON: {error}") };
        ApiError::Invalid(vec![Fault { loc, msg, ty: "value_error.jsondecode" }])
    })?;
    Ok((json, parts.headers))
}

async fn read(body: Body, most: usize) -> Result<bytes::Bytes, ApiError> {
    to_bytes(body, most).await.map_err(|error| {
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(inner) = cause {
            if inner.is::<http_body_util::LengthLimitError>() {
                return ApiError::TooLarge(most);
            }
            cause = inner.source();
        }
        ApiError::BrokenBody
    })
}

/// Refuses a write that names a revision which is no longer the current one (`If-Match`, RFC 9110 13.1.1).
pub(super) fn still_as_known(
    snapshot: &crate::federation::Snapshot,
    headers: &HeaderMap,
) -> Result<(), ApiError> {
    let Some(known) = headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default()) else {
        return Ok(());
    };
    let state = |tag: &str| {
        tag.trim()
            .trim_start_matches("W/")
            .trim_matches('"')
            .rsplit_once('-')
            .map(|(state, _)| state.to_owned())
    };
    let current = format!("{}-{}", snapshot.epoch, snapshot.revision);
    let same = known.split(',').any(|tag| tag.trim() == "*" || state(tag).as_deref() == Some(&current));
    if same { Ok(()) } else { Err(ApiError::Stale) }
}
