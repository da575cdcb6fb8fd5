//! Logging in at Keystone: from an access token, an application credential, a password or a token to a token that
//! is scoped to one project, with the catalog that comes with it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use openstack::{EndpointFilters, Error, ErrorKind, auth::AuthType};
use reqwest::{Client, Method, RequestBuilder, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::RwLock, time::Instant};
use url::Url;

use super::catalog::{Catalog, below};
use crate::{
    egress::Egress,
    gate::Gate,
    http::{Answer, named},
    inventory::{Connection, Credentials},
    limits::Limits,
    reading::{Fault, FaultClass},
    tokens::Vault,
    transport::{Failure, Patience, fault, sensitive, without},
};

/// A token that ends within this time is renewed before it is used.
const MARGIN: Duration = Duration::from_secs(30);
/// Bytes of a token with its catalog.
const ANSWER: usize = 4 << 20;

/// How a session logs in and finds services: `osauth`'s authentication type for all ways this project knows.
///
/// The one of the crate has no federation, does not renew a token that it believes to be good, and refuses a
/// catalog whose endpoints have no `region`.
#[derive(Clone)]
pub struct KeystoneAuth(Arc<Keystone>);

struct Keystone {
    base: Url,
    project_id: String,
    credentials: Credentials,
    limits: Limits,
    gate: Arc<Gate>,
    egress: Egress,
    vault: Arc<Vault>,
    scope: RwLock<Option<Scope>>,
}

/// A token scoped to the project, and what Keystone said with it.
#[derive(Clone)]
pub(super) struct Scope {
    token: SecretString,
    good_until: Instant,
    pub project_name: String,
    pub catalog: Arc<Catalog>,
}

#[derive(Deserialize)]
struct Envelope {
    token: Body,
}

#[derive(Deserialize)]
struct Body {
    issued_at: Option<DateTime<FixedOffset>>,
    expires_at: Option<DateTime<FixedOffset>>,
    project: Option<Project>,
    #[serde(default)]
    catalog: Catalog,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
}

impl fmt::Debug for KeystoneAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeystoneAuth({}, project {})", self.0.base, self.0.project_id)
    }
}

impl KeystoneAuth {
    /// For one connection. `/v3` may be missing at the end of the address.
    pub(super) fn new(
        connection: &Connection,
        limits: &Limits,
        gate: Arc<Gate>,
        vault: Arc<Vault>,
    ) -> Result<Self, Fault> {
        let auth_url = &connection.site.auth_url;
        let address: Url = auth_url.parse().map_err(|error| {
            fault("auth_url", FaultClass::Configuration, format!("`{auth_url}` is not an address: {error}"))
        })?;
        let mut last = address.path_segments().into_iter().flatten().rev();
        let versioned = last.find(|segment| !segment.is_empty()) == Some("v3");
        Ok(Self(Arc::new(Keystone {
            base: below(&address, if versioned { &[] } else { &["v3"] }),
            project_id: connection.project_id.clone(),
            credentials: connection.credentials.clone(),
            limits: limits.clone(),
            gate,
            egress: Egress::new(&connection.site),
            vault,
            scope: RwLock::new(None),
        })))
    }

    /// The root of the identity API.
    pub(super) fn base(&self) -> &Url {
        &self.0.base
    }

    /// The token and the catalog; logs in when there is none, or it is about to end.
    pub(super) async fn scope(&self, client: &Client) -> Result<Scope, Fault> {
        let good = |scope: &&Scope| scope.good_until > Instant::now();
        if let Some(scope) = self.0.scope.read().await.as_ref().filter(good) {
            return Ok(scope.clone());
        }
        let mut place = self.0.scope.write().await;
        if let Some(scope) = place.as_ref().filter(good) {
            return Ok(scope.clone());
        }
        let scope = self.0.log_in(client).await?;
        *place = Some(scope.clone());
        Ok(scope)
    }
}

impl Keystone {
    async fn log_in(&self, client: &Client) -> Result<Scope, Fault> {
        let identity = match &self.credentials {
            Credentials::OidcAccessToken { idp_name, protocol, token } => {
                let tokens = self.vault.of(token, &self.limits);
                let access = tokens.get().await?;
                let unscoped = match self.unscoped(client, idp_name, protocol, &access).await {
                    Err(refused) if refused.class == FaultClass::Unauthorized => {
                        let other = tokens.instead_of(&access).await?;
                        if other.expose_secret() == access.expose_secret() {
                            return Err(refused);
                        }
                        self.unscoped(client, idp_name, protocol, &other).await
                    }
                    unscoped => unscoped,
                };
                by_token(&unscoped?)
            }
            Credentials::BearerToken { token } => by_token(&self.vault.of(token, &self.limits).get().await?),
            Credentials::ApplicationCredential { id, secret } => json!({
                "methods": ["application_credential"],
                "application_credential": {"id": id, "secret": secret.expose_secret()},
            }),
            Credentials::Password { username, user_domain, password } => json!({
                "methods": ["password"],
                "password": {"user": {
                    "name": username, "domain": {"name": user_domain}, "password": password.expose_secret(),
                }},
            }),
        };
        let mut auth = json!({"identity": identity});
        // an application credential brings its project along, and Keystone refuses another scope
        if !matches!(self.credentials, Credentials::ApplicationCredential { .. }) {
            auth["scope"] = json!({"project": {"id": self.project_id}});
        }
        let url = below(&self.base, &["auth", "tokens"]);
        let what = named("POST", &url);
        let request = || client.request(Method::POST, url.clone()).json(&json!({"auth": auth}));
        let answer = self.post(client, &what, request).await?;
        if let Some(failure) = answer.failure(&what) {
            return Err(self.no_scope(&answer, failure.fault));
        }
        self.read_scope(&answer, &what)
    }

    /// Federation: the access token of the issuer for an unscoped token of Keystone.
    async fn unscoped(
        &self,
        client: &Client,
        idp_name: &str,
        protocol: &str,
        access_token: &SecretString,
    ) -> Result<SecretString, Fault> {
        let path = ["OS-FEDERATION", "identity_providers", idp_name, "protocols", protocol, "auth"];
        let url = below(&self.base, &path);
        let what = named("POST", &url);
        let header = sensitive(&format!("Bearer {}", access_token.expose_secret()))
            .map_err(|why| fault(&what, FaultClass::Configuration, why))?;
        let request = || client.request(Method::POST, url.clone()).header(AUTHORIZATION, header.clone());
        let answer = self.post(client, &what, request).await?;
        if let Some(Failure { fault: mut refused, .. }) = answer.failure(&what) {
            if answer.status.as_u16() == 404 {
                refused.class = FaultClass::Configuration;
                refused.why = format!(
                    "Keystone knows no identity provider `{idp_name}`: correct `identity_providers[].name` in the provider file"
                );
            }
            return Err(without(refused, access_token));
        }
        subject_token(&answer, &what)
    }

    async fn post(
        &self,
        client: &Client,
        what: &str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Answer, Fault> {
        let patience = Patience::start(&self.limits, &self.gate);
        let built = || request().build().map_err(|error| Failure::broken(what, &error));
        patience.fetch(client, what, built, ANSWER.min(self.limits.bytes)).await
    }

    /// Says what a refused scope means: the token, the password, or the role on the project.
    fn no_scope(&self, answer: &Answer, mut refused: Fault) -> Fault {
        let status = answer.status.as_u16();
        // 404: what Keystone says to a token that it cannot read
        if !matches!((status, &self.credentials), (401, _) | (404, Credentials::BearerToken { .. })) {
            return refused;
        }
        let project = &self.project_id;
        refused.why = match &self.credentials {
            Credentials::OidcAccessToken { .. } => {
                // the access token itself was accepted a moment ago
                refused.class = FaultClass::Forbidden;
                format!(
                    "HTTP 401: the access token is good, but gives no role on project {project}: the site does not map \
                     the user group to it, has disabled it, or its `id` in the provider file is wrong"
                )
            }
            Credentials::BearerToken { .. } => {
                refused.class = FaultClass::Unauthorized;
                format!("HTTP {status}: the token was refused, or its user has no role on project {project}")
            }
            Credentials::ApplicationCredential { id, .. } => {
                format!(
                    "HTTP 401: application credential {id} was refused: it has expired, was deleted, or its secret is wrong"
                )
            }
            Credentials::Password { username, user_domain, .. } => format!(
                "HTTP 401: user {username} of domain {user_domain} was refused: the password is wrong, or the user has no \
                 role on project {project}"
            ),
        };
        refused
    }

    fn read_scope(&self, answer: &Answer, what: &str) -> Result<Scope, Fault> {
        let token = subject_token(answer, what)?;
        let Body { issued_at, expires_at, project, catalog } = answer.json::<Envelope>(what)?.token;
        let project = project.ok_or_else(|| Failure::garbage(what, "the token has no project").fault)?;
        if project.id != self.project_id {
            let why = format!(
                "these credentials belong to project {} ({}), not to {}: correct the provider file",
                project.id, project.name, self.project_id
            );
            return Err(fault(what, FaultClass::Configuration, why));
        }
        // by the cloud's own clock, which need not be ours
        let life = issued_at.zip(expires_at).and_then(|(from, to)| (to - from).to_std().ok());
        let good_until = Instant::now() + life.unwrap_or(MARGIN * 2).saturating_sub(MARGIN);
        Ok(Scope { token, good_until, project_name: project.name, catalog: catalog.into() })
    }
}

fn by_token(token: &SecretString) -> Value {
    json!({"methods": ["token"], "token": {"id": token.expose_secret()}})
}

fn subject_token(answer: &Answer, what: &str) -> Result<SecretString, Fault> {
    let token = answer.header("x-subject-token").filter(|token| !token.is_empty());
    token.map(SecretString::from).ok_or_else(|| Failure::garbage(what, "there is no X-Subject-Token").fault)
}

#[async_trait]
impl AuthType for KeystoneAuth {
    async fn authenticate(&self, client: &Client, request: RequestBuilder) -> Result<RequestBuilder, Error> {
        let scope = self.scope(client).await.map_err(|fault| to_error(&fault))?;
        let token = sensitive(scope.token.expose_secret());
        let token = token
            .map_err(|why| Error::new(ErrorKind::InvalidResponse, format!("Keystone's token: {why}")))?;
        Ok(request.header("x-auth-token", token))
    }

    async fn get_endpoint(
        &self,
        client: &Client,
        service_type: &str,
        filters: &EndpointFilters,
    ) -> Result<Url, Error> {
        let scope = self.scope(client).await.map_err(|fault| to_error(&fault))?;
        let region = filters.region.as_deref().unwrap_or_default();
        let interfaces = filters.interfaces.iter().map(ToString::to_string);
        let address =
            interfaces.map(|interface| scope.catalog.addresses(&[service_type], &interface, region));
        let allowed = |url: &Url| self.0.egress.check(url).is_ok();
        let address = address.flatten().find_map(|address| address.parse().ok().filter(allowed));
        let missing = || format!("the catalog has no {service_type} in region {region}");
        address.ok_or_else(|| Error::new(ErrorKind::EndpointNotFound, missing()))
    }

    /// Gets a new token, however good the present one seems to be.
    async fn refresh(&self, client: &Client) -> Result<(), Error> {
        let mut place = self.0.scope.write().await;
        *place = Some(self.0.log_in(client).await.map_err(|fault| to_error(&fault))?);
        Ok(())
    }
}

/// Faults as `osauth` knows them, and back: its sessions carry no other error.
fn to_error(fault: &Fault) -> Error {
    let kind = match fault.class {
        FaultClass::Unauthorized => ErrorKind::AuthenticationFailed,
        FaultClass::Forbidden => ErrorKind::AccessDenied,
        FaultClass::Unavailable => ErrorKind::InternalServerError,
        FaultClass::Unreachable => ErrorKind::ProtocolError,
        FaultClass::Timeout => ErrorKind::OperationTimedOut,
        FaultClass::Garbage => ErrorKind::InvalidResponse,
        FaultClass::Configuration => ErrorKind::InvalidConfig,
    };
    Error::new(kind, fault.to_string())
}

/// See [`to_error`].
pub(super) fn from_error(error: &Error) -> Fault {
    let class = match error.kind() {
        ErrorKind::AuthenticationFailed => FaultClass::Unauthorized,
        ErrorKind::AccessDenied => FaultClass::Forbidden,
        ErrorKind::InternalServerError => FaultClass::Unavailable,
        ErrorKind::ProtocolError => FaultClass::Unreachable,
        ErrorKind::OperationTimedOut => FaultClass::Timeout,
        ErrorKind::InvalidConfig | ErrorKind::InvalidInput => FaultClass::Configuration,
        _ => FaultClass::Garbage,
    };
    let text = error.to_string();
    let prefix = format!("{}: ", error.kind());
    let text = text.strip_prefix(&prefix).unwrap_or(&text);
    let (what, why) = text.split_once(": ").unwrap_or(("login", text));
    fault(what, class, why)
}
