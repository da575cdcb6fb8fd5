//! Swift: what the head of an account tells.

use super::{Member, with_header};
use crate::site::Sites;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

pub(super) fn router() -> Router<Sites> {
    Router::new()
        .route("/{site}/{region}/object-store/info", get(info))
        .route("/{site}/{region}/object-store/v1/{account}", get(containers).head(head))
        .route("/{site}/{region}/object-store/v1/{account}/", get(containers).head(head))
}

async fn info() -> Response {
    let swift = json!({ "version": "2.30.1", "policies": [{ "name": "default", "aliases": "default", "default": true }] });
    Json(json!({ "swift": swift })).into_response()
}

#[derive(Deserialize)]
struct Of {
    account: String,
}

async fn head(member: Member, Path(of): Path<Of>) -> Response {
    account(&member, &of, StatusCode::NO_CONTENT.into_response())
}

async fn containers(member: Member, Path(of): Path<Of>) -> Response {
    account(&member, &of, Json(json!([])).into_response())
}

fn account(member: &Member, of: &Of, response: Response) -> Response {
    let here = member.read(|cloud| cloud.swift) == Some(true);
    let Some(quota) = member.quota().filter(|_| here) else { return StatusCode::NOT_FOUND.into_response() };
    if of.account != format!("AUTH_{}", member.project) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut response = response;
    for (name, number) in [
        ("x-account-container-count", quota.containers.used),
        ("x-account-object-count", quota.objects.used),
        ("x-account-bytes-used", quota.bytes.used),
        ("x-account-meta-quota-bytes", quota.bytes.limit),
    ] {
        // no header means no quota
        if number >= 0 {
            response = with_header(response, name, &number.to_string());
        }
    }
    with_header(response, "x-account-project-domain-id", "default")
}
