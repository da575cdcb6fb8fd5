//! The APIs of OpenStack as a member of a project sees them (release Zed), over HTTP.
//!
//! Status codes, bodies and headers are those that real services gave; what a feeder never asks is not there.

mod catalog;
mod cinder;
mod glance;
mod keystone;
mod neutron;
mod nova;
mod swift;
mod versions;

use crate::endpoints::Endpoints;
use crate::model::{Amount, Cloud, CloudQuota};
use crate::site::{At, Site, Sites, stable_uuid};
use axum::extract::{FromRef, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// All services of all `OpenStack` sites, under `/{site}`.
pub(crate) fn router() -> Router<Sites> {
    keystone::router()
        .merge(nova::router())
        .merge(glance::router())
        .merge(neutron::router())
        .merge(cinder::router())
        .merge(swift::router())
        .merge(versions::router())
}

/// A request with a token that is scoped to a project, for a service of a region.
struct Member {
    site: Arc<Site>,
    region: String,
    project: String,
}

impl Member {
    /// Reads the cloud; `None` answers 404.
    fn read<T>(&self, read: impl FnOnce(&Cloud) -> T) -> Option<T> {
        self.site.provider().cloud(&self.region).map(read)
    }

    fn quota(&self) -> Option<CloudQuota> {
        self.read(|cloud| cloud.quotas.get(&self.project).copied()).flatten()
    }

    fn endpoints(&self) -> Endpoints<'_> {
        Endpoints { root: self.site.root(), region: &self.region }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Member
where
    Sites: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let At(site) = At::from_request_parts(parts, state).await?;
        let token =
            parts.headers.get("x-auth-token").and_then(|token| token.to_str().ok()).unwrap_or_default();
        let Some(project) = site.session(token).and_then(|session| session.project) else {
            return Err(unauthorized(&site));
        };
        let params =
            RawPathParams::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let region = params.iter().find(|(name, _)| *name == "region").map(|(_, region)| region.to_owned());
        Ok(Self { site, region: region.unwrap_or_default(), project })
    }
}

/// What the middleware in front of every service answers to a token it does not know.
fn unauthorized(site: &Site) -> Response {
    let mut response = reply(StatusCode::UNAUTHORIZED, &unauthorized_body());
    if let Ok(value) = HeaderValue::try_from(format!("Keystone uri=\"{}/identity\"", site.root())) {
        response.headers_mut().insert("www-authenticate", value);
    }
    response
}

fn unauthorized_body() -> Value {
    error(401, "The request you have made requires authentication.", "Unauthorized")
}

fn error(code: u16, message: &str, title: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "title": title } })
}

/// Nova's and Cinder's way to say what is wrong.
fn named_error(status: StatusCode, name: &str, message: &str) -> Response {
    let mut body = Map::new();
    body.insert(name.to_owned(), json!({ "code": status.as_u16(), "message": message }));
    reply(status, &Value::Object(body))
}

/// A JSON answer with a request id.
fn reply(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    let id = format!("req-{}", uuid::Uuid::new_v4());
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert("x-openstack-request-id", id);
    }
    response
}

fn with_header(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response
}

/// A quota: its limit alone, or as an object that tells its use under `used`.
fn amount(of: Amount, used: Option<&str>) -> Value {
    match used {
        None => of.limit.into(),
        Some(name) => json!({ "limit": of.limit, name: of.used, "reserved": 0 }),
    }
}

/// 32 hexadecimal characters that depend on the parts alone.
fn stable_id(parts: &[&str]) -> String {
    stable_uuid(parts).simple().to_string()
}
