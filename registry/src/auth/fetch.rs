//! Questions to issuers: bounded in time and size, never redirected.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use url::Url;

use super::keys::KeySetError;

/// The longest answer that is read, in bytes. Real key sets have 2 to 10 KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Why an issuer could not be asked, or its answer not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No answer: no such name, connection refused, TLS failure, time-out.
    #[error("no answer from {url}: {reason}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// An answer that is not 200.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Redirects are not followed: an issuer's addresses are those it publishes.
    #[error("{url} answered {status}, a redirect, which is not followed")]
    Redirect {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Longer than any such document is.
    #[error("the answer of {url} is longer than {MAX_BYTES} bytes")]
    TooLong {
        /// What was asked for.
        url: String,
    },
    /// Not the document that belongs there.
    #[error("the answer of {url} cannot be used: {reason}")]
    Document {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The issuer does not let the client ask about tokens.
    #[error("{url} refuses the client {client} ({status})")]
    Credentials {
        /// What was asked for.
        url: String,
        /// The client of `introspection`.
        client: String,
        /// The HTTP status.
        status: u16,
    },
    /// The secret of that client is not there.
    #[error("the secret of the client {client} cannot be used: {reason}")]
    Secret {
        /// The client of `introspection`.
        client: String,
        /// What is wrong.
        reason: String,
    },
    /// The issuer publishes no address where tokens could be asked about.
    #[error("{url} names no introspection_endpoint")]
    NoIntrospection {
        /// What was asked for.
        url: String,
    },
    /// Discovery of another issuer.
    #[error("{url} describes the issuer {found}")]
    OtherIssuer {
        /// What was asked for.
        url: String,
        /// The issuer that the document is about.
        found: String,
    },
    /// The document names an address that may not be asked.
    #[error(
        "{url} names {address} as its {member}, which is neither https nor on the same computer as the issuer"
    )]
    Address {
        /// What was asked for.
        url: String,
        /// The member of the document.
        member: &'static str,
        /// Its value.
        address: String,
    },
}

impl FetchError {
    pub(super) fn keys(url: &Url, error: &KeySetError) -> Self {
        Self::Document { url: url.to_string(), reason: error.to_string() }
    }

    /// What whoever runs the registry can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "Check the address in auth.issuers, the network and the certificate; \
                 a private certificate authority goes into the file that SSL_CERT_FILE names"
            }
            Self::Status { .. } | Self::Redirect { .. } | Self::TooLong { .. } | Self::Document { .. } => {
                "Check the address in auth.issuers: it must be the issuer itself, not a page of its web site"
            }
            Self::Credentials { .. } => {
                "Check client_id and the secret of introspection in auth.issuers: the client must be a confidential one \
                 that the issuer lets introspect, and authenticate with its secret (client_secret_basic)"
            }
            Self::Secret { .. } => "Write the secret where introspection in auth.issuers says that it is",
            Self::NoIntrospection { .. } => {
                "Give introspection.endpoint in auth.issuers, or leave introspection out if the issuer has none"
            }
            Self::OtherIssuer { .. } => {
                "Write auth.issuers exactly as the issuer calls itself, trailing slash included"
            }
            Self::Address { .. } => "The issuer has to be configured to publish https addresses",
        }
    }

    /// Whether asking again later may help.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Status { status, .. } => {
                *status >= 500 || *status == StatusCode::TOO_MANY_REQUESTS.as_u16()
            }
            _ => false,
        }
    }
}

/// A client for issuers elsewhere, by way of the proxy that `HTTPS_PROXY` names if it does, or for those on this
/// computer, which no proxy could reach.
pub(super) fn client(total: Duration, loopback: bool) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(concat!("fedreg/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(total)
        .timeout(total);
    if loopback { builder.no_proxy().build() } else { builder.build() }
}

/// Gets a document, with the token that it is about where there is one.
pub(super) async fn get(client: &Client, url: &Url, token: Option<&str>) -> Result<Vec<u8>, FetchError> {
    let request = client.get(url.clone());
    answer(if let Some(token) = token { request.bearer_auth(token) } else { request }, url).await
}

/// The document that answers a request; the address is for errors.
pub(super) async fn answer(request: RequestBuilder, url: &Url) -> Result<Vec<u8>, FetchError> {
    let unreachable = |e: reqwest::Error| FetchError::Unreachable { url: url.to_string(), reason: root(&e) };
    let request = request.header("accept", "application/json");
    let mut answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    if status.is_redirection() {
        return Err(FetchError::Redirect { url: url.to_string(), status: status.as_u16() });
    }
    if status != StatusCode::OK {
        return Err(FetchError::Status { url: url.to_string(), status: status.as_u16() });
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(FetchError::TooLong { url: url.to_string() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost reason; the outer ones say "error sending request" and repeat the address.
pub(super) fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut inner: &dyn Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}
