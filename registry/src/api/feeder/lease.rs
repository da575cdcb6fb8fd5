//! `/feeder/lease`

use super::{
    super::{ApiError, Shared, body, caller::Caller},
    shaped,
};
use crate::{
    graph::change::ChangeSet,
    sync::lease::{Ask, Leases, SECONDS},
};
use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use schema::Fault;

/// Gives the lease, or lets who has it keep it longer.
pub(in super::super) async fn take(
    State(app): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (json, _) = body::json(&app, request).await?;
    let ask: Ask = shaped(json)?;
    if !SECONDS.contains(&ask.seconds) || ask.holder.is_empty() || ask.holder.len() > 200 {
        let msg = format!(
            "`seconds` is from {} to {}, `holder` has 1 to 200 bytes",
            SECONDS.start(),
            SECONDS.end()
        );
        return Err(vec![Fault::body(msg, "value_error")].into());
    }
    let now = app.federation.now();
    let author = caller.author(format!("PUT feeder/lease {}", ask.holder));
    let written = app
        .federation
        .write(author, move |snapshot, _| {
            let scope = caller.scope(&snapshot.graph);
            let (lease, leases) = Leases::of(&snapshot.notes).take(&ask, scope, now)?;
            let changes = ChangeSet { notes: vec![leases.note()], ..ChangeSet::default() };
            Ok::<_, ApiError>((lease, changes))
        })
        .await?;
    Ok(Json(written.value).into_response())
}

/// Who had it last, as far as it is about what the caller may write.
pub(in super::super) async fn get(State(app): State<Shared>, caller: Caller) -> Result<Response, ApiError> {
    let snapshot = app.federation.snapshot();
    let lease = Leases::of(&snapshot.notes).newest(&caller.scope(&snapshot.graph));
    Ok(Json(lease).into_response())
}
