//! `PUT /providers/{uid}`

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
use schema::{Kind, document};
use std::sync::Arc;

/// Makes a provider equal to a document. 304 when it is already.
pub(super) async fn replace_provider(
    State(app): State<Shared>,
    AskedUid(uid): AskedUid,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let snapshot = app.federation.snapshot();
    find(&snapshot, Kind::Provider, &uid).map_or(Ok(()), |id| caller.may_touch(&snapshot.graph, id))?;
    let (json, headers) = body::json(&app, request).await?;
    let json = Arc::new(json);
    let reading = document::Reading { lenient: app.options.lenient_documents };
    let written = app
        .federation
        .write(caller.author(format!("PUT Provider {uid}")), move |snapshot, fresh| {
            let graph = &snapshot.graph;
            let stored = find(snapshot, Kind::Provider, &uid);
            let projects = stored.as_ref().ok().into_iter().flat_map(|id| graph.neighbours(*id, "projects"));
            let uuid = |id| graph.value(id, "uuid").as_str().unwrap_or_default().to_owned();
            let projects: Vec<String> = projects.map(uuid).collect();
            let document = document::provider(graph.schema, &json, reading, &projects)?;
            let id = stored?;
            still_as_known(snapshot, &headers)?;
            let changes = plan::replace(graph, id, &document, fresh)?;
            caller.may_make(graph, &changes)?;
            Ok::<_, ApiError>((graph.record(id).uid, changes))
        })
        .await?;
    let Some(id) = written.snapshot.graph.find(written.value) else { return Err(ApiError::Internal) };
    if written.changed {
        return Ok(answer::written(&written.snapshot, id, StatusCode::OK, true));
    }
    Ok(answer::unchanged(&written.snapshot))
}
