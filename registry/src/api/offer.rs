//! `/providers/{uid}/offer`

use super::{
    ApiError, Shared, body,
    caller::Caller,
    get::{AskedUid, find},
};
use crate::{
    graph::change::ChangeSet,
    offer::{Offer, Sent},
};
use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schema::{Fault, Kind};

/// What a provider offers beyond v1. Whoever is known: reasons name addresses of the site.
pub(super) async fn get(State(app): State<Shared>, AskedUid(uid): AskedUid) -> Result<Response, ApiError> {
    let snapshot = app.federation.snapshot();
    let provider = snapshot.graph.record(find(&snapshot, Kind::Provider, &uid)?).uid;
    Ok(Json(Offer::of(&snapshot.notes, provider).unwrap_or_default()).into_response())
}

/// Takes in what was read; what could not be read stays. 304 when that changes nothing.
pub(super) async fn put(
    State(app): State<Shared>,
    AskedUid(uid): AskedUid,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (json, _) = body::json(&app, request).await?;
    let sent: Sent = serde_json::from_value(json)
        .map_err(|error| ApiError::from(vec![Fault::body(error.to_string(), "value_error.shape")]))?;
    let author = caller.author(format!("PUT providers/{uid}/offer"));
    let written = app
        .federation
        .write(author, move |snapshot, _| {
            let id = find(snapshot, Kind::Provider, &uid)?;
            caller.may_touch(&snapshot.graph, id)?;
            let provider = snapshot.graph.record(id).uid;
            let before = Offer::of(&snapshot.notes, provider);
            let after = before.clone().unwrap_or_default().after(sent.clone());
            let same = before.as_ref() == Some(&after);
            let notes = if same { Vec::new() } else { vec![after.note(provider)] };
            Ok::<_, ApiError>((same, ChangeSet { notes, ..ChangeSet::default() }))
        })
        .await?;
    let status = if written.value { StatusCode::NOT_MODIFIED } else { StatusCode::NO_CONTENT };
    Ok(status.into_response())
}
