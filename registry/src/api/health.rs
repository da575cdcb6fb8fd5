//! `/healthz` and `/readyz`

use super::Shared;
use crate::federation::Held;
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use chrono::SecondsFormat;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Whether this process wants to be sent requests.
#[derive(Debug, Default)]
pub struct Readiness(CancellationToken);

impl Readiness {
    /// From now on `/readyz` says no; requests are still answered.
    pub fn withdraw(&self) {
        self.0.cancel();
    }

    /// Whether it still says yes.
    pub fn is_ready(&self) -> bool {
        !self.0.is_cancelled()
    }

    /// When it does not any more.
    pub async fn withdrawn(&self) {
        self.0.cancelled().await;
    }
}

/// The process lives.
pub(super) async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// The process can serve. A store that is gone is told, and is no reason to send requests elsewhere: what is known is
/// served.
pub(super) async fn readyz(State(app): State<Shared>) -> Response {
    let (snapshot, standing) = (app.federation.snapshot(), app.federation.standing());
    let (status, word) = match (app.readiness.is_ready(), standing.held) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "shutting down"),
        (true, Held::Nothing) => (StatusCode::SERVICE_UNAVAILABLE, "no graph yet"),
        (true, Held::File | Held::Store) => (StatusCode::OK, "ready"),
    };
    let mut body = json!({ "status": word, "revision": snapshot.revision, "nodes": snapshot.graph.len() });
    if let Some(trouble) = &standing.trouble {
        let instead =
            if snapshot.is_nothing() { "nothing can be served" } else { "reads are served, writes refused" };
        body["store"] = format!("not reachable; {instead}").into();
        body["since"] = trouble.since.to_rfc3339_opts(SecondsFormat::Secs, true).into();
    }
    (status, Json(body)).into_response()
}
