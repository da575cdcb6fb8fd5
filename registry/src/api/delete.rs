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
    offer::Offer,
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
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = Caller::administrator(&app, &headers).await?;
    let what = format!("DELETE {} {uid}", Schema::get().entity(kind).decl.name);
    let written = app
        .federation
        .write(caller.author(what), move |snapshot, _| {
            still_as_known(snapshot, &headers)?;
            let changes = match find(snapshot, kind, &uid) {
                Ok(id) => {
                    let mut changes = plan::delete(&snapshot.graph, id);
                    changes.notes.extend(Offer::forget(&snapshot.notes, snapshot.graph.record(id).uid));
                    changes
                }
                Err(_) => ChangeSet::default(),
            };
            Ok::<_, ApiError>(((), changes))
        })
        .await?;
    Ok(with_revision(&written.snapshot, StatusCode::NO_CONTENT))
}
