//! The issuer's endpoints.

use super::{Shared, Subject};
use crate::fault;
use crate::server::locked;
use axum::extract::{Form, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let faults = shared.faults.clone();
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/token", post(token))
        .route("/userinfo", get(userinfo).post(userinfo))
        .layer(middleware::from_fn_with_state(faults, fault::layer))
        .with_state(shared)
}

async fn discovery(State(issuer): State<Arc<Shared>>) -> Json<Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "authorization_endpoint": format!("{url}/authorize"),
        "response_types_supported": ["token"],
        "grant_types_supported": ["client_credentials", "password"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "profile", "email"],
        "id_token_signing_alg_values_supported": issuer.algorithms(),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    }))
}

async fn jwks(State(issuer): State<Arc<Shared>>) -> Json<Value> {
    Json(json!(issuer.jwks()))
}

/// Who wants a token; lists are separated by commas.
#[derive(Deserialize)]
struct Ask {
    grant_type: Option<String>,
    sub: Option<String>,
    username: Option<String>,
    client_id: Option<String>,
    groups: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    aud: Option<String>,
    ttl: Option<i64>,
    scope: Option<String>,
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// The client, where it says who it is by basic authentication.
fn basic(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let client = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
    client.split_once(':').map(|(id, _)| id.to_owned())
}

/// Any grant, client and secret are taken: everything is in the form.
async fn token(State(issuer): State<Arc<Shared>>, headers: HeaderMap, Form(mut ask): Form<Ask>) -> Response {
    ask.client_id = ask.client_id.or_else(|| basic(&headers));
    if let Some(grant) = ask.grant_type.as_deref()
        && !["client_credentials", "password"].contains(&grant)
    {
        return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", "client_credentials or password");
    }
    let Some(sub) = ask.sub.or(ask.username).or_else(|| ask.client_id.clone()) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "say for whom: sub, username or client_id",
        );
    };
    let known = locked(&issuer.subjects).get(&sub).cloned();
    let mut subject = known.unwrap_or_else(|| Subject::new(sub));
    if let Some(groups) = &ask.groups {
        subject = subject.groups(parts(groups));
    }
    if let Some(audience) = &ask.aud {
        subject = subject.audience(parts(audience));
    }
    subject.email = ask.email.or(subject.email);
    subject.email_verified = ask.email_verified.unwrap_or(subject.email_verified);
    subject.ttl = ask.ttl.unwrap_or(subject.ttl);
    subject.scope = ask.scope.unwrap_or(subject.scope);
    match issuer.token(&subject, ask.client_id.as_deref().unwrap_or("simulator")) {
        Ok(token) => {
            let body = json!({
                "access_token": token, "token_type": "Bearer", "expires_in": subject.ttl, "scope": subject.scope,
            });
            ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, "server_error", &error.to_string()),
    }
}

async fn userinfo(State(issuer): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let token =
        headers.get(AUTHORIZATION).and_then(|h| h.to_str().ok()).and_then(|h| h.strip_prefix("Bearer "));
    let Some(Ok(claims)) = token.map(|token| issuer.verify(token)) else {
        let mut response =
            refused(StatusCode::UNAUTHORIZED, "invalid_token", "no token that this issuer signed");
        let challenge = axum::http::HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return response;
    };
    let person = match locked(&issuer.subjects).get(&claims.sub) {
        Some(subject) if claims.person.groups.is_none() => subject.into(),
        _ => claims.person,
    };
    let mut body = json!(person);
    body["sub"] = claims.sub.into();
    Json(body).into_response()
}

fn refused(status: StatusCode, error: &str, description: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": description }))).into_response()
}
