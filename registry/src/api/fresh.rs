//! What a client has seen already, it is not shown older: a request that names a revision waits for it.

use super::{ApiError, App};
use crate::federation::{Behind, Known};
use axum::http::{HeaderMap, HeaderName, header};
use schema::{Fault, Loc};
use std::time::Duration;

/// The least revision that an answer must be of: `X-Revision` of an earlier answer, or its `ETag`.
const X_MIN_REVISION: HeaderName = HeaderName::from_static("x-min-revision");
/// How long a request waits for the revision that it names.
const FIRMLY: Duration = Duration::from_secs(2);
/// How long one waits that only says what it has already.
const IN_PASSING: Duration = Duration::from_millis(500);

/// Lets requests through to the graph once there is one, and once it is as new as what their clients know.
pub(super) async fn fresh(app: &App, headers: &HeaderMap) -> Result<(), ApiError> {
    let snapshot = app.federation.snapshot();
    if snapshot.is_nothing() {
        return Err(ApiError::NoGraph);
    }
    if let Some(text) = headers.get(X_MIN_REVISION) {
        let known = text.to_str().ok().and_then(Known::parse).ok_or_else(|| {
            let msg = "not a revision: send the X-Revision or the ETag of an earlier answer".to_owned();
            let loc = vec![Loc::from("header"), X_MIN_REVISION.as_str().into()];
            ApiError::Invalid(vec![Fault { loc, msg, ty: "value_error" }])
        })?;
        app.federation.at_least(&known, FIRMLY, true).await.map_err(|behind| match behind {
            Behind::Late => ApiError::Late,
            Behind::OtherLife => ApiError::OtherLife,
        })?;
    }
    // a write is refused later when its sender knows another state; a read is answered with what there is
    if let Some(known) = newest(headers, &header::IF_MATCH) {
        let _ = app.federation.at_least(&known, FIRMLY, true).await;
    } else if let Some(known) = newest(headers, &header::IF_NONE_MATCH).filter(|known| {
        known.revision > snapshot.revision && known.epoch.as_deref() == Some(&*snapshot.epoch)
    }) {
        let _ = app.federation.at_least(&known, IN_PASSING, false).await;
    }
    Ok(())
}

/// The newest state that a list of tags names.
fn newest(headers: &HeaderMap, name: &HeaderName) -> Option<Known> {
    let tags = headers.get(name)?.to_str().ok()?;
    tags.split(',').filter_map(Known::parse).max_by_key(|known| known.revision)
}
