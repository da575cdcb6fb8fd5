//! What a writing request brings: its body, and the state that its sender knows.

use super::{ApiError, Shared, caller::Caller};
use crate::federation::Snapshot;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
};
use http_body_util::BodyExt;
use schema::{Fault, Loc};
use serde_json::Value as Json;

/// Who writes, the body as JSON, and the headers.
pub(super) async fn from_administrator(
    app: &Shared,
    request: Request,
) -> Result<(Caller, Json, HeaderMap), ApiError> {
    let (parts, body) = request.into_parts();
    let caller = Caller::administrator(app, &parts.headers).await;
    // the rest of a request's time is for the answer, so that a slow sender is told that it is slow
    let patience = app.options.request_time * 9 / 10;
    let bytes = tokio::time::timeout(patience, read(body, app.options.body_bytes, caller.is_ok())).await;
    let caller = caller?;
    let bytes = bytes.map_err(|_| ApiError::SlowBody(patience))??;
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
    Ok((caller, json, parts.headers))
}

/// Reads a body to its end, also one that is too large or not wanted, and then keeps nothing of it: whoever is still
/// sending when the answer comes finds the connection broken instead.
async fn read(mut body: Body, most: usize, wanted: bool) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| ApiError::BrokenBody)?.into_data() else { continue };
        length += data.len();
        if !wanted || length > most {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    if length > most { Err(ApiError::TooLarge(most)) } else { Ok(bytes) }
}

/// Refuses a write that names a revision which is no longer the current one (`If-Match`, RFC 9110 13.1.1).
pub(super) fn still_as_known(snapshot: &Snapshot, headers: &HeaderMap) -> Result<(), ApiError> {
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
    let current = snapshot.state();
    let same = known.split(',').any(|tag| tag.trim() == "*" || state(tag).as_deref() == Some(&current));
    if same { Ok(()) } else { Err(ApiError::Stale) }
}
