//! What stands before all routes: who asks from where, how often, and headers that browsers mind.

use super::{
    ApiError, X_REQUEST_ID,
    client::{Client, Peer, Proxies},
    throttle::Throttle,
};
use crate::auth::{AuthError, Authenticator, Identity, NoDecision, Question};
use axum::{
    body::HttpBody,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{self, AUTHORIZATION},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The `cors` section: which web pages of other origins may call the API from a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorsSettings {
    /// Their origins, such as `https://dashboard.example.org`; `*` for all. Empty: none.
    pub origins: Vec<Origin>,
}

/// A web origin (RFC 6454): scheme, host and port; or `*`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(HeaderValue);

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is not an origin; write it like https://dashboard.example.org, without a path, or '*'"
            )
        };
        let same =
            text == "*" || url::Url::parse(&text).is_ok_and(|url| url.origin().ascii_serialization() == text);
        if same { HeaderValue::from_str(&text).map(Self).map_err(|_| wrong()) } else { Err(wrong()) }
    }
}

impl CorsSettings {
    /// What answers browsers that ask; nothing when no page may call.
    pub(super) fn layer(&self) -> Option<CorsLayer> {
        const AN_HOUR: Duration = Duration::from_hours(1);
        let origins: Vec<_> = self.origins.iter().map(|origin| origin.0.clone()).collect();
        let allowed = match origins.as_slice() {
            [] => return None,
            all if all.iter().any(|origin| origin == "*") => AllowOrigin::any(),
            _ => AllowOrigin::list(origins),
        };
        let asked = [AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH];
        let shown =
            [header::ETAG, header::RETRY_AFTER, header::WWW_AUTHENTICATE, header::LOCATION, X_REQUEST_ID];
        let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        Some(
            CorsLayer::new()
                .allow_origin(allowed)
                .allow_methods(methods)
                .allow_headers(asked)
                .expose_headers(shown)
                .max_age(AN_HOUR),
        )
    }
}

/// What the guard knows.
pub(super) struct Guard {
    pub proxies: Proxies,
    pub throttle: Arc<Throttle>,
    /// Whether this process speaks TLS: then browsers are told to come back with TLS only.
    pub strict_transport: bool,
    /// Whether a policy decides.
    pub policy: bool,
}

/// What has to be known of a request when it is known who sent it.
struct Asked {
    /// Whose requests are counted; nobody's when this client is exempt.
    counted: Option<Client>,
    /// For the policy, where there is one.
    question: Option<(Method, String, bool)>,
}

tokio::task_local! {
    /// The request that this task answers.
    static ASKED: Asked;
}

impl Guard {
    /// Lets a request pass, unless its client asks too often.
    pub async fn pass(self: Arc<Self>, mut request: Request, next: Next) -> Response {
        let peer = request.extensions().get::<Peer>().copied();
        let client = peer.map(|Peer(peer)| Client(self.proxies.client(peer.ip(), request.headers())));
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        let counted = client.filter(|client| self.throttle.counts(client.0));
        let with_token = request.headers().contains_key(AUTHORIZATION);
        let admitted = counted.map_or(Ok(()), |client| self.throttle.client(client.0));
        let mut response = match admitted {
            Ok(()) => {
                let question = self.policy.then(|| {
                    let has_body = !request.body().is_end_stream();
                    (request.method().clone(), request.uri().path().to_owned(), has_body)
                });
                ASKED.scope(Asked { counted, question }, next.run(request)).await
            }
            Err(error) => error.into_response(),
        };
        if let Some(client) = counted
            && with_token
            && response.status() == StatusCode::UNAUTHORIZED
        {
            self.throttle.refused(client.0);
        }
        harden(response.headers_mut(), self.strict_transport);
        response
    }
}

/// Headers for browsers. Pages may load their own parts only, and be shown in no frame.
fn harden(headers: &mut HeaderMap, strict_transport: bool) {
    const PAGE: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; \
                        base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if strict_transport {
        let a_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, a_year);
    }
    let is_page = |value: &HeaderValue| value.as_bytes().starts_with(b"text/html");
    if headers.get(header::CONTENT_TYPE).is_some_and(is_page) {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(PAGE));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
}

/// Whether the identity asks too often; those whose address is not counted never do.
pub(super) fn admit(throttle: &Throttle, identity: &Identity) -> Result<(), ApiError> {
    let counted = ASKED.try_with(|asked| asked.counted.is_some()).unwrap_or(false);
    if counted { throttle.identity(identity) } else { Ok(()) }
}

/// What the policy says about the request that this task answers: an error when it does not allow it; `true` when it
/// does, and no role is needed beside that. `false` leaves it to the roles: there is no policy that decides alone, or
/// nobody said who they are.
pub(super) async fn policy_allows(
    authenticator: &Authenticator,
    identity: &Identity,
) -> Result<bool, AuthError> {
    let (Some(policy), Identity::Known(known)) = (authenticator.policy(), identity) else { return Ok(false) };
    let asked = ASKED.try_with(|asked| asked.question.clone()).ok().flatten();
    let (Some((method, path, has_body)), Some(user_info)) = (asked, &known.user_info) else {
        tracing::error!("a request is decided about of which the policy cannot be told");
        return Err(AuthError::Denied);
    };
    let question = Question { user_info, path: &path, method: method.as_str(), has_body };
    match (policy.allows(&question).await, known.undecided_for_seconds) {
        (Ok(true), _) => Ok(policy.decides_alone()),
        (Ok(false), None) => Err(AuthError::Denied),
        // with what the issuer did not tell, a no might have been a yes
        (Ok(false), Some(retry_after_seconds)) | (Err(NoDecision { retry_after_seconds }), _) => {
            Err(AuthError::NoDecision { retry_after_seconds })
        }
    }
}
