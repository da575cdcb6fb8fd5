//! The API of Kubernetes (1.36) as a robot of the federation sees it: version, namespaces, resource quotas, storage
//! classes, nodes. Bodies and statuses are those of a real server.

mod objects;

use crate::query::Query;
use crate::site::{At, Site, Sites};
use axum::extract::{FromRef, FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The API servers of all Kubernetes sites, under `/{site}`.
pub(crate) fn router() -> Router<Sites> {
    Router::new()
        .route("/{site}/version", get(version))
        .route("/{site}/api/v1/namespaces", get(namespaces))
        .route("/{site}/api/v1/namespaces/{namespace}", get(namespace))
        .route("/{site}/api/v1/namespaces/{namespace}/resourcequotas", get(quotas))
        .route("/{site}/api/v1/nodes", get(nodes))
        .route("/{site}/apis/storage.k8s.io/v1/storageclasses", get(storage_classes))
}

/// Somebody with a token that the server takes, or nobody without one.
struct Caller {
    site: Arc<Site>,
    name: String,
    /// The namespaces open to them.
    namespaces: Vec<String>,
    /// Belongs to a group with an agreement here, which may read what belongs to the cluster.
    robot: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Sites: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let At(site) = At::from_request_parts(parts, state).await?;
        let refused = || failure(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized", &Value::Null);
        let token = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = token else {
            return Ok(Self {
                site,
                name: "system:anonymous".to_owned(),
                namespaces: Vec::new(),
                robot: false,
            });
        };
        let token = token.strip_prefix("Bearer ").unwrap_or_default();
        let (federated, audience) = {
            let provider = site.provider();
            let Some(cluster) = provider.cluster() else { return Err(StatusCode::NOT_FOUND.into_response()) };
            (provider.federated(), cluster.audience.clone())
        };
        if !federated {
            if token != site.secret() {
                return Err(refused());
            }
            let namespaces = site.projects_of(&crate::site::User::Local).into_iter().map(|p| p.id).collect();
            let name = "system:serviceaccount:federation:feeder".to_owned();
            return Ok(Self { site, name, namespaces, robot: true });
        }
        let Some(claims) = site.issuer().verify(token).ok().filter(|claims| claims.aud.contains(&audience))
        else {
            return Err(refused());
        };
        let robot = site.knows(&claims);
        let name = format!("oidc:{}", claims.sub);
        let user = crate::site::User::Federated {
            name: claims.sub,
            idp: String::new(),
            issuer: claims.iss,
            groups: claims.person.groups.unwrap_or_default(),
        };
        let namespaces = site.projects_of(&user).into_iter().map(|p| p.id).collect();
        Ok(Self { site, name, namespaces, robot })
    }
}

impl Caller {
    /// `resource` in `group`, in a namespace or of the cluster.
    fn forbidden(&self, resource: &str, group: &str, namespace: Option<&str>) -> Response {
        let full = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let place = match namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let message = format!(
            "{full} is forbidden: User \"{}\" cannot list resource \"{resource}\" in API group \"{group}\" {place}",
            self.name
        );
        let details = match group {
            "" => json!({ "kind": resource }),
            group => json!({ "group": group, "kind": resource }),
        };
        failure(StatusCode::FORBIDDEN, "Forbidden", &message, &details)
    }
}

/// A `Status` object that says what is wrong.
pub(crate) fn failure(status: StatusCode, reason: &str, message: &str, details: &Value) -> Response {
    let mut body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
    });
    if !details.is_null() {
        body["details"] = details.clone();
    }
    body["code"] = status.as_u16().into();
    (status, Json(body)).into_response()
}

/// A continue token that is too old, with a new one in the body that would give an inconsistent rest.
pub(crate) fn continue_expired() -> Response {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a \
        new list without the continue parameter, or use the continue token in this response to retrieve the remainder \
        of the results. Continuing with the provided token results in an inconsistent list - objects that were \
        created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
    let mut body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": { "continue": continue_from("", -1) }, "status": "Failure",
    });
    body["message"] = message.into();
    body["reason"] = "Expired".into();
    body["code"] = 410.into();
    (StatusCode::GONE, Json(body)).into_response()
}

/// Where the next page starts, as the server writes it.
fn continue_from(name: &str, revision: i64) -> String {
    let token = json!({ "v": "meta.k8s.io/v1", "rv": revision, "start": format!("{name}\u{0}") });
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn continue_after(token: &str) -> Option<String> {
    let json: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    json["start"].as_str().map(|start| start.trim_end_matches('\0').to_owned())
}

/// A page of a list that is sorted by name.
fn list(caller: &Caller, query: &Query, kind: &str, version: &str, mut items: Vec<Value>) -> Response {
    let name = |item: &Value| item["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    items.sort_by_key(name);
    let token = query.get("continue").filter(|token| !token.is_empty());
    let after = token.map(continue_after);
    if after == Some(None) {
        let message = "continue key is not valid: illegal base64 data";
        return failure(StatusCode::BAD_REQUEST, "BadRequest", message, &Value::Null);
    }
    if let Some(after) = after.flatten() {
        items.retain(|item| name(item) > after);
    }
    let most = caller.site.settings().page_size;
    let limit = match query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(0) {
        0 => most,
        limit => most.min(limit),
    };
    let mut metadata = json!({ "resourceVersion": "308" });
    if items.len() > limit {
        let rest = items.split_off(limit);
        metadata["continue"] = continue_from(&items.last().map(name).unwrap_or_default(), 308).into();
        metadata["remainingItemCount"] = rest.len().into();
    }
    Json(json!({ "kind": kind, "apiVersion": version, "metadata": metadata, "items": items })).into_response()
}

async fn version(_: Caller) -> Response {
    Json(json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35", "gitVersion": "v1.36.3", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2026-08-12T10:00:00Z", "goVersion": "go1.26.8", "compiler": "gc", "platform": "linux/amd64",
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Of {
    namespace: String,
}

async fn quotas(caller: Caller, Path(of): Path<Of>, query: Query) -> Response {
    if !caller.namespaces.contains(&of.namespace) {
        return caller.forbidden("resourcequotas", "", Some(&of.namespace));
    }
    let items = {
        let provider = caller.site.provider();
        let quota = provider.cluster().and_then(|cluster| cluster.quotas.get(&of.namespace));
        quota.map_or_else(Vec::new, |quota| objects::quotas(&of.namespace, quota))
    };
    list(&caller, &query, "ResourceQuotaList", "v1", items)
}

async fn namespaces(caller: Caller, query: Query) -> Response {
    if !caller.robot {
        return caller.forbidden("namespaces", "", None);
    }
    let provider = caller.site.provider();
    let mut items: Vec<_> = provider.projects.iter().map(|project| objects::namespace(&project.id)).collect();
    items.push(objects::namespace("kube-system"));
    drop(provider);
    list(&caller, &query, "NamespaceList", "v1", items)
}

async fn namespace(caller: Caller, Path(of): Path<Of>) -> Response {
    if !caller.namespaces.contains(&of.namespace) {
        return caller.forbidden("namespaces", "", Some(&of.namespace));
    }
    let mut body = json!({ "kind": "Namespace", "apiVersion": "v1" });
    if let (Some(body), Value::Object(own)) = (body.as_object_mut(), objects::namespace(&of.namespace)) {
        body.extend(own);
    }
    Json(body).into_response()
}

async fn nodes(caller: Caller, query: Query) -> Response {
    if !caller.robot {
        return caller.forbidden("nodes", "", None);
    }
    let items = caller
        .site
        .provider()
        .cluster()
        .map_or_else(Vec::new, |c| c.nodes.iter().map(objects::node).collect());
    list(&caller, &query, "NodeList", "v1", items)
}

async fn storage_classes(caller: Caller, query: Query) -> Response {
    if !caller.robot {
        return caller.forbidden("storageclasses", "storage.k8s.io", None);
    }
    let classes = caller.site.provider().cluster().map(|c| c.storage_classes.clone()).unwrap_or_default();
    let items = classes.iter().map(objects::storage_class).collect();
    list(&caller, &query, "StorageClassList", "storage.k8s.io/v1", items)
}
