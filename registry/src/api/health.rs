//! `/healthz` and `/readyz`

use super::Shared;
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
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

/// The process can serve.
pub(super) async fn readyz(State(app): State<Shared>) -> Response {
    let snapshot = app.federation.snapshot();
    let (status, word) = if app.readiness.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down")
    };
    let body = json!({ "status": word, "revision": snapshot.revision, "nodes": snapshot.graph.len() });
    (status, Json(body)).into_response()
}
