//! `DELETE /<entities>/{uid}`

use super::{
    ApiError, Shared,
    answer::with_revision,
    body::still_as_known,
    caller::Caller,
    get::{AskedUid, find},
};
use crate::{
    graph::{change::ChangeSet, plan},
    sync::forget,
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use schema::{Kind, Schema};

/// Deletes a node and what goes with it. 204 also when it was not there.
pub(super) async fn delete(
    kind: Kind,
    State(app): State<Shared>,
    AskedUid(uid): AskedUid,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let what = format!("DELETE {} {uid}", Schema::get().entity(kind).decl.name);
    let written = app
        .federation
        .write(caller.author(what), move |snapshot, _| {
            let id = find(snapshot, kind, &uid).ok();
            id.map_or(Ok(()), |id| caller.may_touch(&snapshot.graph, id))?;
            still_as_known(snapshot, &headers)?;
            let changes = id.map_or_else(ChangeSet::default, |id| {
                let mut changes = plan::delete(&snapshot.graph, id);
                changes.notes.extend(forget(&snapshot.notes, snapshot.graph.record(id).uid));
                changes
            });
            caller.may_make(&snapshot.graph, &changes)?;
            Ok::<_, ApiError>(((), changes))
        })
        .await?;
    Ok(with_revision(&written.snapshot, StatusCode::NO_CONTENT))
}
