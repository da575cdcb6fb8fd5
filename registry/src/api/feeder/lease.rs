//! `/feeder/lease`

use super::{
    super::{ApiError, Shared, body, caller::Caller},
    shaped,
};
use crate::{
    graph::change::ChangeSet,
    sync::lease::{Ask, Lease, SECONDS},
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
            let lease = Lease::take(Lease::of(&snapshot.notes).as_ref(), &ask, now)?;
            let changes = ChangeSet { notes: vec![lease.note()], ..ChangeSet::default() };
            Ok::<_, ApiError>((lease, changes))
        })
        .await?;
    Ok(Json(written.value).into_response())
}

/// Who has it.
pub(in super::super) async fn get(State(app): State<Shared>) -> Result<Response, ApiError> {
    let lease = Lease::of(&app.federation.snapshot().notes);
    Ok(Json(lease).into_response())
}
