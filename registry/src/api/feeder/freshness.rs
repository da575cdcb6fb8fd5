//! `GET /freshness` and `GET /providers/{uid}/freshness`

use super::super::{
    ApiError, Shared,
    get::{AskedUid, find},
};
use crate::{federation::Snapshot, sync::freshness::Freshness};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use schema::Kind;
use serde_json::{Value, json};

/// How fresh each provider is: what is stale, since when and why.
pub(in super::super) async fn all(State(app): State<Shared>) -> Result<Response, ApiError> {
    let snapshot = app.federation.snapshot();
    let providers = snapshot.graph.all(Kind::Provider).iter();
    let all: Vec<Value> = providers.map(|id| summary(&snapshot, id, kept(&snapshot, id).as_ref())).collect();
    Ok(Json(all).into_response())
}

/// How fresh each scope of one provider is.
pub(in super::super) async fn one(
    State(app): State<Shared>,
    AskedUid(uid): AskedUid,
) -> Result<Response, ApiError> {
    let snapshot = app.federation.snapshot();
    let id = find(&snapshot, Kind::Provider, &uid)?;
    let freshness = kept(&snapshot, id);
    let mut whole = summary(&snapshot, id, freshness.as_ref());
    let scopes = freshness.map(|freshness| freshness.scopes(&snapshot.graph, id)).unwrap_or_default();
    whole["scopes"] = json!(scopes);
    Ok(Json(whole).into_response())
}

fn kept(snapshot: &Snapshot, provider: u32) -> Option<Freshness> {
    Freshness::of(&snapshot.notes, snapshot.graph.record(provider).uid)
}

fn summary(snapshot: &Snapshot, id: u32, freshness: Option<&Freshness>) -> Value {
    let graph = &snapshot.graph;
    let text = |name: &str| graph.value(id, name).to_json();
    json!({
        "uid": graph.record(id).uid.to_string(),
        "name": text("name"),
        "type": text("type"),
        "status": text("status"),
        "attempted": freshness.map(|freshness| freshness.attempted),
        "lists": freshness.map(|freshness| &freshness.lists),
        "stale": freshness.map(|freshness| freshness.stale.as_slice()).unwrap_or_default(),
        "held_back": freshness.and_then(|freshness| freshness.held_back.as_ref()),
        "trouble": freshness.and_then(|freshness| freshness.trouble.as_ref()),
    })
}
