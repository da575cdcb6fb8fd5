//! Version documents: what a client reads before it asks for anything else.

use super::reply;
use crate::endpoints::Endpoints;
use crate::site::{At, Sites};
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    region: String,
}

pub(super) fn router() -> Router<Sites> {
    Router::new()
        .both(
            "/{site}/identity",
            with(StatusCode::MULTIPLE_CHOICES, |at| json!({ "versions": { "values": [identity(at)] } })),
        )
        .both("/{site}/identity/v3", with(StatusCode::OK, |at| json!({ "version": identity(at) })))
        .both("/{site}/{region}/compute", with(StatusCode::OK, |at| json!({ "versions": [compute(at)] })))
        .both("/{site}/{region}/compute/v2.1", with(StatusCode::OK, |at| json!({ "version": compute(at) })))
        .both(
            "/{site}/{region}/image",
            with(StatusCode::MULTIPLE_CHOICES, |at| json!({ "versions": [image(at)] })),
        )
        .both("/{site}/{region}/network", with(StatusCode::OK, |at| json!({ "versions": [network(at)] })))
        .both(
            "/{site}/{region}/volume",
            with(StatusCode::MULTIPLE_CHOICES, |at| json!({ "versions": [volume(at)] })),
        )
        .both("/{site}/{region}/volume/v3", with(StatusCode::OK, |at| json!({ "versions": [volume(at)] })))
}

trait Both {
    fn both(self, path: &str, handler: MethodRouter<Sites>) -> Self;
}

impl Both for Router<Sites> {
    /// With and without a slash at the end.
    fn both(self, path: &str, handler: MethodRouter<Sites>) -> Self {
        self.route(path, handler.clone()).route(&format!("{path}/"), handler)
    }
}

fn with(status: StatusCode, body: fn(Endpoints<'_>) -> Value) -> MethodRouter<Sites> {
    get(move |At(site): At, Path(place): Path<Place>| async move {
        let at = Endpoints { root: site.root(), region: &place.region };
        let found = place.region.is_empty() || site.provider().cloud(&place.region).is_some();
        let answer: Response =
            if found { reply(status, &body(at)) } else { reply(StatusCode::NOT_FOUND, &json!({})) };
        answer
    })
}

fn document(id: &str, status: &str, href: &str, media: &str) -> Value {
    json!({
        "id": id, "status": status, "updated": "2022-08-31T00:00:00Z",
        "links": [{ "rel": "self", "href": format!("{href}/") }],
        "media-types": [{ "base": "application/json", "type": format!("application/vnd.openstack.{media}") }],
    })
}

fn identity(at: Endpoints<'_>) -> Value {
    document("v3.14", "stable", &at.identity(), "identity-v3+json")
}

fn compute(at: Endpoints<'_>) -> Value {
    let mut out = document("v2.1", "CURRENT", &at.compute(), "compute+json;version=2.1");
    out["version"] = super::nova::NEWEST.into();
    out["min_version"] = "2.1".into();
    out
}

fn image(at: Endpoints<'_>) -> Value {
    json!({ "id": "v2.15", "status": "CURRENT", "links": [{ "rel": "self", "href": format!("{}/v2/", at.image()) }] })
}

fn network(at: Endpoints<'_>) -> Value {
    json!({ "id": "v2.0", "status": "CURRENT", "links": [{ "rel": "self", "href": format!("{}/v2.0/", at.network()) }] })
}

fn volume(at: Endpoints<'_>) -> Value {
    let mut out = document("v3.0", "CURRENT", &at.volume(), "volume+json;version=3");
    out["version"] = "3.70".into();
    out["min_version"] = "3.0".into();
    out
}
