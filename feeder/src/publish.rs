//! The registry, over its REST API: what was read goes there, under a lease that makes this feeder the only one.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, Method, Response, StatusCode, header};
use schema::{Loc, feeding::Done};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::http::{self, Proxies, Way};
use crate::inventory::{Provider, ProviderKey, ProviderKind};
use crate::limits::Limits;
use crate::offer::Offer;
use crate::reading::{Fault, FaultClass};
use crate::report::Problem;
use crate::tokens::{Tokens, Vault};
use crate::transport::{message_of, retry_after, root_cause};

/// A provider document may be tens of megabytes and its change set long: one request may take this long.
const REQUEST: Duration = Duration::from_mins(10);

/// A provider as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its uid.
    pub uid: String,
    /// Its name and technology.
    pub key: ProviderKey,
}

/// How a write is meant.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// Say what would be, and write nothing.
    pub dry_run: bool,
    /// The lease that it comes with.
    pub fence: Option<u64>,
    /// What the change must do, as a dry run named it; the registry refuses any other.
    pub digest: Option<String>,
}

impl How {
    fn query(&self) -> String {
        let dry_run = self.dry_run.then(|| "dry_run=true".to_owned());
        let fence = self.fence.map(|fence| format!("fence={fence}"));
        let digest = self.digest.as_ref().map(|digest| format!("digest={digest}"));
        let parts: Vec<_> = [dry_run, fence, digest].into_iter().flatten().collect();
        parts.join("&")
    }
}

/// The right to write.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lease {
    /// Its fencing token.
    pub fence: u64,
    /// Until when nobody else gets it.
    pub expires: DateTime<Utc>,
}

/// A run that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Requested {
    /// Its id.
    pub id: String,
    /// By whom.
    pub by: String,
    /// The only providers to read; none: all.
    pub providers: Vec<String>,
    /// Remove also what would be held back.
    pub confirm_removals: bool,
}

/// Why the registry did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The settings name no address, or no usable token.
    #[error("{0}")]
    Settings(String),
    /// The issuer gives no token.
    #[error("there is no token for the registry: {0}")]
    Token(Fault),
    /// No connection.
    #[error(
        "the registry at {base} cannot be reached ({why}): start it, or correct `registry` in the feeder's settings"
    )]
    Unreachable {
        /// The registry's base address.
        base: String,
        /// The innermost cause.
        why: String,
    },
    /// No answer in time.
    #[error("the registry did not answer {0} in time: look at its log; the next run tries again")]
    Timeout(String),
    /// 401.
    #[error(
        "the registry refused the token with 401{0}: it is missing, expired, or of an issuer that the registry does not \
         trust; renew what `token`, `token_file` or `token_env` of the feeder's settings gives, or look at `token_issuer`"
    )]
    Unauthorized(String),
    /// 403.
    #[error(
        "the token is good, but its owner may not write (the registry answered 403{0}): name its issuer and subject among the registry's \
         administrators"
    )]
    Forbidden(String),
    /// 409 for the lease.
    #[error("{0}; this run waited for it in vain. GET feeder/lease shows who has it")]
    Held(String),
    /// 412.
    #[error("the registry refused a write (412): {0}")]
    Superseded(String),
    /// 404.
    #[error(
        "nothing is at {0} (404): `registry` in the feeder's settings is the base address with its path, such as \
         https://registry.example.org/api/v1, and the registry is at least as new as this feeder"
    )]
    NotFound(String),
    /// 422.
    #[error("the registry refused the document (422): {}", summary(.0))]
    Refused(Vec<DocumentFault>),
    /// 429 and 5xx, after all tries.
    #[error("the registry answered {what} with {status}{said}: look at its log; the next run tries again")]
    Unavailable {
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// Anything else.
    #[error("the registry answered {what} with {status}{said}")]
    Unexpected {
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// What it said.
        said: String,
    },
}

impl RegistryError {
    /// Its kind.
    pub fn class(&self) -> FaultClass {
        match self {
            Self::Settings(_) | Self::NotFound(_) => FaultClass::Configuration,
            Self::Token(fault) => fault.class,
            Self::Unreachable { .. } => FaultClass::Unreachable,
            Self::Timeout(_) => FaultClass::Timeout,
            Self::Unauthorized(_) => FaultClass::Unauthorized,
            Self::Forbidden(_) => FaultClass::Forbidden,
            Self::Unavailable { .. } | Self::Held(_) | Self::Superseded(_) => FaultClass::Unavailable,
            Self::Refused(_) | Self::Unexpected { .. } => FaultClass::Garbage,
        }
    }

    /// What to tell of it for a provider: each fault of a refused document at the entry of the file that caused it.
    pub fn problems(&self, provider: Option<&Provider>) -> Vec<Problem> {
        match self {
            Self::Refused(faults) if !faults.is_empty() => {
                faults.iter().map(|fault| fault.problem(provider)).collect()
            }
            error => vec![Problem { class: error.class(), message: error.to_string() }],
        }
    }
}

/// One fault of a document, as the registry names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentFault {
    /// Where.
    pub loc: Vec<Loc>,
    /// What is wrong.
    pub msg: String,
}

impl DocumentFault {
    fn problem(&self, provider: Option<&Provider>) -> Problem {
        match provider.and_then(|provider| provider.origin.fault(&self.loc, &self.msg)) {
            Some(fault) => Problem::from(&fault),
            None => Problem { class: FaultClass::Garbage, message: format!("the registry refused {self}") },
        }
    }
}

impl fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", crate::inventory::place(&self.loc), self.msg)
    }
}

fn summary(faults: &[DocumentFault]) -> String {
    const SHOWN: usize = 5;
    let mut shown: Vec<_> = faults.iter().take(SHOWN).map(ToString::to_string).collect();
    if faults.len() > SHOWN {
        shown.push(format!("and {} more", faults.len() - SHOWN));
    }
    shown.join("; ")
}

/// The registry.
pub struct Registry {
    client: Client,
    base: String,
    tokens: Option<Arc<Tokens>>,
    limits: Limits,
}

/// Whether a request may be sent again when it is not known whether the first one had an effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeatable {
    Always,
    /// Only when the registry certainly did nothing: a second POST would find the provider of the first.
    WhenUndone,
}

impl Registry {
    /// The registry at a base address, `https://registry.example.org/api/v1`. `limits` bound the time to connect and
    /// the tries after a failure that may pass.
    pub fn new(base: &str, token: Option<&str>, limits: Limits) -> Result<Self, RegistryError> {
        let tokens = token.map(|token| Vault::default().of(&token.into(), &limits));
        Self::trusting(base, None, tokens, limits)
    }

    /// The same; `ca_path` names certificates (PEM) to trust besides the system's.
    pub fn trusting(
        base: &str,
        ca_path: Option<&Path>,
        tokens: Option<Arc<Tokens>>,
        limits: Limits,
    ) -> Result<Self, RegistryError> {
        match url::Url::parse(base) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => {
                return Err(RegistryError::Settings(format!(
                    "`registry` in the feeder's settings is {base:?}: write its base address, such as \
                     https://registry.example.org/api/v1"
                )));
            }
        }
        let way = Way { ca_path, proxies: Proxies::of_environment(), ..Way::default() };
        let client = http::client(&way, limits.connect)
            .map_err(|fault| RegistryError::Settings(format!("to reach the registry: {fault}")))?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), tokens, limits })
    }

    /// All providers that the registry has. One of a technology that is not known here is left out, and so left alone.
    pub async fn list(&self) -> Result<Vec<Stored>, RegistryError> {
        #[derive(Deserialize)]
        struct Listed {
            uid: String,
            name: String,
            #[serde(rename = "type")]
            kind: Value,
        }
        let listed: Vec<Listed> = self.get("/providers").await?;
        let stored = listed.into_iter().filter_map(|Listed { uid, name, kind }| {
            let kind: ProviderKind = serde_json::from_value(kind).ok()?;
            Some(Stored { uid, key: ProviderKey { name, kind } })
        });
        Ok(stored.collect())
    }

    /// The state of the graph: another one after each change of it.
    pub async fn state(&self) -> Result<String, RegistryError> {
        let path = "/providers?limit=0";
        let answer = self.send(Method::GET, path, None, Repeatable::Always).await?;
        let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        match (answer.status(), tag) {
            (StatusCode::OK, Some(tag)) => Ok(tag),
            _ => Err(self.unexpected(&format!("GET {}{path}", self.base), answer).await),
        }
    }

    /// Sends what a provider offers beyond v1.
    pub async fn offer(&self, uid: &str, offer: &Offer) -> Result<(), RegistryError> {
        let path = format!("/providers/{uid}/offer");
        let body = json!({"at": Utc::now(), "regions": offer});
        let answer = self.send(Method::PUT, &path, Some(&body), Repeatable::Always).await?;
        match answer.status() {
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Ok(()),
            _ => Err(self.unexpected(&format!("PUT {}{path}", self.base), answer).await),
        }
    }

    /// Sends what was read of a provider: a document with what it does not know.
    pub async fn reconcile(&self, body: &Value, how: &How) -> Result<Done, RegistryError> {
        let path = format!("/feeder/providers?{}", how.query());
        // the digest names a change that can be made once
        let repeatable = if how.digest.is_some() { Repeatable::WhenUndone } else { Repeatable::Always };
        let answer = self.send(Method::PUT, &path, Some(body), repeatable).await?;
        self.read("PUT", &path, answer).await
    }

    /// Removes a provider; none when it is gone already.
    pub async fn remove(&self, stored: &Stored, how: &How) -> Result<Option<Done>, RegistryError> {
        let path = format!("/feeder/providers/{}?{}", stored.uid, how.query());
        let answer = self.send(Method::DELETE, &path, None, Repeatable::Always).await?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(None),
            _ => self.read("DELETE", &path, answer).await.map(Some),
        }
    }

    /// Takes the lease, or keeps it with its token.
    pub async fn lease(
        &self,
        holder: &str,
        seconds: u64,
        fence: Option<u64>,
    ) -> Result<Lease, RegistryError> {
        let ask = serde_json::json!({ "holder": holder, "seconds": seconds, "fence": fence });
        let answer = self.send(Method::PUT, "/feeder/lease", Some(&ask), Repeatable::WhenUndone).await?;
        if answer.status() == StatusCode::CONFLICT {
            return Err(RegistryError::Held(
                said(&answer.bytes().await.unwrap_or_default()).unwrap_or_default(),
            ));
        }
        self.read("PUT", "/feeder/lease", answer).await
    }

    /// Keeps the record of a run, and gives the lease back.
    pub async fn record(&self, id: &str, fence: u64, record: &Value) -> Result<(), RegistryError> {
        let path = format!("/feeder/runs/{id}?fence={fence}");
        let answer = self.send(Method::PUT, &path, Some(record), Repeatable::Always).await?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(self.unexpected(&format!("PUT {}{path}", self.base), answer).await),
        }
    }

    /// The runs that somebody asked for.
    pub async fn requested(&self) -> Result<Vec<Requested>, RegistryError> {
        #[derive(Deserialize)]
        struct Runs {
            requested: Vec<Requested>,
        }
        let runs: Runs = self.get("/feeder/runs?limit=0").await?;
        Ok(runs.requested)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RegistryError> {
        let answer = self.send(Method::GET, path, None, Repeatable::Always).await?;
        self.read("GET", path, answer).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        answer: Response,
    ) -> Result<T, RegistryError> {
        let what = format!("{method} {}{path}", self.base);
        let status = answer.status();
        match status {
            StatusCode::OK | StatusCode::CREATED => {
                answer.json().await.map_err(|error| RegistryError::Unexpected {
                    what,
                    status: status.as_u16(),
                    said: format!(" and something else than it promises ({})", root_cause(&error)),
                })
            }
            _ => Err(self.unexpected(&what, answer).await),
        }
    }

    /// Sends a request, and again while it fails in a way that may pass.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        repeatable: Repeatable,
    ) -> Result<Response, RegistryError> {
        let what = format!("{method} {}{path}", self.base);
        let (mut tries, mut refused) = (0, None);
        loop {
            let mut request =
                self.client.request(method.clone(), format!("{}{path}", self.base)).timeout(REQUEST);
            let token = self.token(refused.as_ref()).await?;
            if let Some(token) = &token {
                request = request.bearer_auth(token.expose_secret());
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let (result, again, asked) = match request.send().await {
                Ok(answer) => {
                    if answer.status() == StatusCode::UNAUTHORIZED
                        && let (None, Some(token)) = (&refused, token)
                    {
                        let other = self.token(Some(&token)).await?;
                        let is_other =
                            other.is_some_and(|other| other.expose_secret() != token.expose_secret());
                        refused = Some(token);
                        if is_other {
                            continue;
                        }
                    }
                    let asked =
                        answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                    let asked = asked.and_then(|value| retry_after(value, Utc::now()));
                    let again = match answer.status().as_u16() {
                        429 | 503 => true,
                        502 | 504 => repeatable == Repeatable::Always,
                        _ => false,
                    };
                    (Ok(answer), again, asked)
                }
                Err(error) => {
                    let again = error.is_connect() || repeatable == Repeatable::Always;
                    (Err(self.unreachable(&what, &error)), again, None)
                }
            };
            tries += 1;
            let pause = self.limits.pause_before(tries, asked.unwrap_or_default(), rand::random());
            let Some(pause) = pause.filter(|_| again) else { return result };
            tracing::debug!(%what, ?pause, "the registry did not take it; tries again");
            tokio::time::sleep(pause).await;
        }
    }

    /// The token to send, if any: another one than that which was refused, when there is one.
    async fn token(&self, refused: Option<&SecretString>) -> Result<Option<SecretString>, RegistryError> {
        let Some(tokens) = &self.tokens else { return Ok(None) };
        let token = match refused {
            None => tokens.get().await,
            Some(refused) => tokens.instead_of(refused).await,
        };
        token.map(Some).map_err(RegistryError::Token)
    }

    fn unreachable(&self, what: &str, error: &reqwest::Error) -> RegistryError {
        if error.is_timeout() && !error.is_connect() {
            return RegistryError::Timeout(what.to_owned());
        }
        let mut why = root_cause(error);
        if why.contains("UnknownIssuer") {
            why.push_str(
                "; its certificate is signed by an authority that is not trusted here: give it as `registry_ca_path`",
            );
        }
        RegistryError::Unreachable { base: self.base.clone(), why }
    }

    async fn unexpected(&self, what: &str, answer: Response) -> RegistryError {
        let status = answer.status().as_u16();
        let location =
            answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await.unwrap_or_default();
        let detail = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|mut body| body.get_mut("detail").map(Value::take));
        if let (422, Some(Value::Array(faults))) = (status, &detail) {
            return RegistryError::Refused(faults.iter().map(document_fault).collect());
        }
        let said = detail.as_ref().and_then(Value::as_str).map(str::to_owned).or_else(|| message_of(&body));
        if status == 412 {
            return RegistryError::Superseded(said.unwrap_or_default());
        }
        let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
        match status {
            401 => RegistryError::Unauthorized(said),
            403 => RegistryError::Forbidden(said),
            404 if detail.is_none() || !what.contains("/feeder/providers/") => {
                RegistryError::NotFound(what.to_owned())
            }
            429 | 500..=599 => RegistryError::Unavailable { what: what.to_owned(), status, said },
            300..=399 => {
                let to = location.map(|to| format!(" to {to}")).unwrap_or_default();
                let said = format!(
                    ", a redirect{to}, which is not followed: correct `registry` in the feeder's settings"
                );
                RegistryError::Unexpected { what: what.to_owned(), status, said }
            }
            _ => RegistryError::Unexpected { what: what.to_owned(), status, said },
        }
    }
}

/// What an error says.
fn said(body: &[u8]) -> Option<String> {
    let detail = serde_json::from_slice::<Value>(body).ok()?.get_mut("detail")?.take();
    detail.as_str().map(str::to_owned)
}

fn document_fault(fault: &Value) -> DocumentFault {
    let steps = fault.get("loc").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let step = |step: &Value| match step {
        Value::String(key) => Some(Loc::from(key.as_str())),
        Value::Number(place) => place.as_u64().and_then(|place| usize::try_from(place).ok()).map(Loc::from),
        _ => None,
    };
    let msg = fault.get("msg").and_then(Value::as_str).unwrap_or("no reason is given");
    DocumentFault { loc: steps.iter().filter_map(step).collect(), msg: msg.to_owned() }
}

#[cfg(test)]
mod tests;
