//! Keystone: federation, tokens, projects, regions.

use super::{catalog, error, reply, stable_id, unauthorized, unauthorized_body, with_header};
use crate::document::idp_name;
use crate::model::Project;
use crate::site::{At, Session, Site, Sites, USERNAME, User};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequestParts, Path};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn router() -> Router<Sites> {
    let federation = post(federated).get(federated);
    Router::new()
        .route(
            "/{site}/identity/v3/OS-FEDERATION/identity_providers/{idp}/protocols/{protocol}/auth",
            federation,
        )
        .route("/{site}/identity/v3/auth/tokens", post(login).get(inspect).delete(logout))
        .route("/{site}/identity/v3/auth/projects", get(projects))
        .route("/{site}/identity/v3/OS-FEDERATION/projects", get(projects))
        .route("/{site}/identity/v3/auth/catalog", get(own_catalog))
        .route("/{site}/identity/v3/projects/{id}", get(project))
        .route("/{site}/identity/v3/regions", get(regions))
        .route("/{site}/identity/v3/registered_limits", get(registered_limits))
        .route("/{site}/identity/v3/limits", get(limits))
}

/// A request with any token of this site.
struct Known {
    site: Arc<Site>,
    session: Session,
}

impl<S: Send + Sync> FromRequestParts<S> for Known
where
    Sites: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let At(site) = At::from_request_parts(parts, state).await?;
        match header(&parts.headers, "x-auth-token").and_then(|token| site.session(token)) {
            Some(session) => Ok(Self { site, session }),
            None => Err(unauthorized(&site)),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[derive(Deserialize)]
struct Federation {
    idp: String,
    protocol: String,
}

async fn federated(At(site): At, Path(by): Path<Federation>, headers: HeaderMap) -> Response {
    if !site.provider().federated() || idp_name(site.issuer().url()) != by.idp {
        let message = format!("Could not find Identity Provider: {}.", by.idp);
        return reply(StatusCode::NOT_FOUND, &error(404, &message, "Not Found"));
    }
    if by.protocol != "openid" {
        return unsupported();
    }
    let token = header(&headers, AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let Some(Ok(claims)) = token.map(|token| site.issuer().verify(token)) else {
        return apache();
    };
    if !site.knows(&claims) {
        return reply(StatusCode::UNAUTHORIZED, &unauthorized_body());
    }
    let user = User::Federated {
        name: claims.sub,
        idp: by.idp,
        issuer: claims.iss,
        groups: claims.person.groups.unwrap_or_default(),
    };
    issue(&site, user, vec!["openid"], None)
}

/// The module in front of Keystone refuses what is no token of its issuer, and it does so in HTML.
fn apache() -> Response {
    let page = "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n\
        <html><head>\n<title>401 Unauthorized</title>\n</head><body>\n<h1>Unauthorized</h1>\n\
        <p>This server could not verify that you are authorized to access the document requested.</p>\n\
        </body></html>\n";
    let headers = [
        (CONTENT_TYPE, "text/html; charset=iso-8859-1"),
        (WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""),
    ];
    (StatusCode::UNAUTHORIZED, headers, page).into_response()
}

fn unsupported() -> Response {
    let mut body = error(401, "Attempted to authenticate with an unsupported method.", "Unauthorized");
    body["error"]["identity"] =
        json!({ "methods": ["password", "token", "application_credential", "mapped", "openid"] });
    reply(StatusCode::UNAUTHORIZED, &body)
}

fn refused() -> Response {
    reply(StatusCode::UNAUTHORIZED, &unauthorized_body())
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str)
}

async fn login(At(site): At, body: Bytes) -> Response {
    let Some(auth) = serde_json::from_slice::<Value>(&body).ok().and_then(|mut body| {
        let auth = body.get_mut("auth").map(Value::take)?;
        auth.get("identity").is_some().then_some(auth)
    }) else {
        let message = "Expecting to find auth in request body. The server could not comply with the request since it \
            is either malformed or otherwise incorrect. The client is assumed to be in error.";
        return reply(StatusCode::BAD_REQUEST, &error(400, message, "Bad Request"));
    };
    let method = text(&auth, "/identity/methods/0").unwrap_or_default();
    let (user, mut methods, mut project) = match method {
        "token" => {
            let known = text(&auth, "/identity/token/id").and_then(|id| site.session(id));
            let Some(session) = known else { return refused() };
            (session.user, session.methods, None)
        }
        "password" => {
            let user = &auth["identity"]["password"]["user"];
            if user["name"] != USERNAME || user["password"] != site.secret() {
                return refused();
            }
            (User::Local, Vec::new(), None)
        }
        "application_credential" => {
            let credential = &auth["identity"]["application_credential"];
            let projects = site.projects_of(&User::Local);
            let of = projects.into_iter().find(|p| credential["id"] == Site::application_credential(&p.id));
            match of {
                Some(of) if credential["secret"] == site.secret() => (User::Local, Vec::new(), Some(of)),
                _ => return refused(),
            }
        }
        _ => return unsupported(),
    };
    let method = ["token", "password", "application_credential"].into_iter().find(|m| *m == method);
    methods.extend(method.filter(|method| !methods.contains(method)));
    let asked = auth.pointer("/scope/project");
    if let Some(asked) = asked {
        if project.is_some() {
            let message = "Application credentials cannot request a scope.";
            return reply(StatusCode::UNAUTHORIZED, &error(401, message, "Unauthorized"));
        }
        let wanted = |p: &Project| asked["id"] == p.id.as_str() || asked["name"] == p.name.as_str();
        project = site.projects_of(&user).into_iter().find(wanted);
        if project.is_none() {
            return refused();
        }
    }
    issue(&site, user, methods, project)
}

fn issue(site: &Site, user: User, methods: Vec<&'static str>, project: Option<Project>) -> Response {
    let now = site.issuer().now();
    let session = Session {
        methods,
        user,
        project: project.map(|p| p.id),
        issued: now,
        expires: now + site.settings().token_ttl,
    };
    let body = described(site, &session);
    let token = site.open(session);
    with_header(reply(StatusCode::CREATED, &body), "x-subject-token", &token)
}

fn time(seconds: i64) -> String {
    let at = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// The body that a token has everywhere.
fn described(site: &Site, session: &Session) -> Value {
    let mut token = json!({
        "methods": session.methods,
        "user": user(site, &session.user),
        "audit_ids": [stable_id(&[site.root(), &session.issued.to_string()]).get(..22)],
        "expires_at": time(session.expires),
        "issued_at": time(session.issued),
    });
    let project = session.project.as_deref().and_then(|id| site.provider().project(id).cloned());
    if let Some(project) = project {
        let role = |name: &str| {
            json!({
                "id": stable_id(&[site.root(), "role", name]), "name": name, "domain_id": null,
                "description": null, "options": { "immutable": true },
            })
        };
        token["project"] = json!({ "domain": { "id": "default", "name": "Default" }, "id": project.id, "name": project.name });
        token["is_domain"] = false.into();
        token["roles"] = json!([role("member"), role("reader")]);
        token["catalog"] = catalog::catalog(site, &project.id);
    }
    json!({ "token": token })
}

fn user(site: &Site, user: &User) -> Value {
    match user {
        User::Local => json!({
            "domain": { "id": "default", "name": "Default" },
            "id": stable_id(&[site.root(), "user", USERNAME]), "name": USERNAME, "password_expires_at": null,
        }),
        User::Federated { name, idp, issuer, groups } => {
            let domain = stable_id(&[site.root(), "domain", idp]);
            let id = format!("{}{}", stable_id(&[issuer, name]), stable_id(&[site.root(), name]));
            let groups: Vec<_> =
                groups.iter().map(|group| json!({ "id": stable_id(&[site.root(), group]) })).collect();
            json!({
                "domain": { "id": domain, "name": domain }, "id": id, "name": name,
                "OS-FEDERATION": {
                    "groups": groups, "identity_provider": { "id": idp }, "protocol": { "id": "openid" },
                },
            })
        }
    }
}

/// A token about itself or, as this site has no administrators, about no other.
async fn inspect(known: Known, headers: HeaderMap) -> Response {
    let subject = header(&headers, "x-subject-token").unwrap_or_default();
    match known.site.session(subject) {
        Some(session) => {
            with_header(reply(StatusCode::OK, &described(&known.site, &session)), "x-subject-token", subject)
        }
        None => reply(StatusCode::NOT_FOUND, &error(404, "Failed to validate token", "Not Found")),
    }
}

async fn logout(At(site): At, headers: HeaderMap) -> Response {
    if header(&headers, "x-subject-token").is_some_and(|token| site.close(token)) {
        return StatusCode::NO_CONTENT.into_response();
    }
    reply(StatusCode::NOT_FOUND, &error(404, "Failed to validate token", "Not Found"))
}

fn as_json(site: &Site, project: &Project) -> Value {
    json!({
        "id": project.id, "name": project.name, "domain_id": "default", "description": project.description,
        "enabled": true, "parent_id": "default", "is_domain": false, "tags": [], "options": {},
        "links": { "self": format!("{}/identity/v3/projects/{}", site.root(), project.id) },
    })
}

fn listed(site: &Site, name: &str, items: &[Value]) -> Response {
    let links =
        json!({ "next": null, "self": format!("{}/identity/v3/{name}", site.root()), "previous": null });
    let key = name.rsplit('/').next().unwrap_or(name);
    reply(StatusCode::OK, &json!({ key: items, "links": links }))
}

async fn projects(known: Known) -> Response {
    let projects = known.site.projects_of(&known.session.user);
    let items: Vec<_> = projects.iter().map(|project| as_json(&known.site, project)).collect();
    listed(&known.site, "auth/projects", &items)
}

async fn own_catalog(known: Known) -> Response {
    let Some(project) = &known.session.project else { return refused() };
    let links = json!({ "self": format!("{}/identity/v3/auth/catalog", known.site.root()) });
    reply(StatusCode::OK, &json!({ "catalog": catalog::catalog(&known.site, project), "links": links }))
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

async fn project(known: Known, Path(Id { id }): Path<Id>) -> Response {
    let provider = known.site.provider();
    match provider.project(&id) {
        Some(project) if known.session.project.as_ref() == Some(&project.id) => {
            reply(StatusCode::OK, &json!({ "project": as_json(&known.site, project) }))
        }
        Some(_) => {
            let message = "You are not authorized to perform the requested action: identity:get_project.";
            reply(StatusCode::FORBIDDEN, &error(403, message, "Forbidden"))
        }
        None => {
            let message = format!("Could not find project: {id}.");
            reply(StatusCode::NOT_FOUND, &error(404, &message, "Not Found"))
        }
    }
}

async fn regions(known: Known) -> Response {
    let provider = known.site.provider();
    let items: Vec<_> = provider
        .regions
        .iter()
        .map(|region| {
            let own = format!("{}/identity/v3/regions/{}", known.site.root(), region.name);
            json!({ "id": region.name, "description": "", "parent_region_id": null, "links": { "self": own } })
        })
        .collect();
    listed(&known.site, "regions", &items)
}

/// Two of Nova's resources in every region, as a cloud with unified limits registers them.
async fn registered_limits(known: Known) -> Response {
    let service = super::stable_id(&[known.site.root(), "compute"]);
    let limit = |name: &str, limit: i64| {
        json!({
            "id": super::stable_id(&[known.site.root(), name]), "resource_name": name, "service_id": service, "region_id": null,
            "default_limit": limit, "description": null,
        })
    };
    listed(&known.site, "registered_limits", &[limit("servers", 10), limit("class:VCPU", 20)])
}

/// No project has a limit of its own.
async fn limits(known: Known) -> Response {
    listed(&known.site, "limits", &[])
}
