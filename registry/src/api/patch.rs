//! `PATCH /<entities>/{uid}`

use super::{
    ApiError, Shared, answer,
    body::{self, still_as_known},
    caller::Caller,
    get::{AskedUid, find},
};
use crate::graph::plan;
use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use schema::{Kind, Schema, document};

/// Sets the attributes that the body names. 304 when they are so already.
pub(super) async fn patch(
    kind: Kind,
    State(app): State<Shared>,
    AskedUid(uid): AskedUid,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let snapshot = app.federation.snapshot();
    find(&snapshot, kind, &uid).map_or(Ok(()), |id| caller.may_touch(&snapshot.graph, id))?;
    let (json, headers) = body::json(&app, request).await?;
    let reading = document::Reading { lenient: app.options.lenient_documents };
    let schema: &'static Schema = app.federation.snapshot().graph.schema;
    let said = document::patch(schema.entity(kind), &json, reading)?;
    let what = format!("PATCH {} {uid}", schema.entity(kind).decl.name);
    let written = app
        .federation
        .write(caller.author(what), move |snapshot, _| {
            let id = find(snapshot, kind, &uid)?;
            still_as_known(snapshot, &headers)?;
            let changes = plan::patch(&snapshot.graph, id, &said)?;
            caller.may_make(&snapshot.graph, &changes)?;
            Ok::<_, ApiError>((snapshot.graph.record(id).uid, changes))
        })
        .await?;
    let Some(id) = written.snapshot.graph.find(written.value) else { return Err(ApiError::Internal) };
    if written.changed {
        return Ok(answer::written(&written.snapshot, id, StatusCode::OK, false));
    }
    Ok(answer::unchanged(&written.snapshot))
}
