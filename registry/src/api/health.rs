//! `/healthz` and `/readyz`

use super::Shared;
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process wants to be sent requests.
#[derive(Debug)]
pub struct Readiness(AtomicBool);

impl Default for Readiness {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Readiness {
    /// From now on `/readyz` says no; requests are still answered.
    pub fn withdraw(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it still says yes.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
