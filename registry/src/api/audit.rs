//! One line for every write and every refusal: who, what, from where, and how it ended. Its target is `audit`, so that
//! logs can be parted by it.

use super::{X_REQUEST_ID, client::Client};
use crate::auth::Identity;
use axum::{
    extract::Request,
    http::{HeaderValue, Method, StatusCode, Uri},
};

/// What is known of a request before it is answered.
pub(super) struct Asked {
    method: Method,
    uri: Uri,
    request: Option<HeaderValue>,
    client: Option<Client>,
}

impl Asked {
    /// Of a request. Its query is left out: what clients put there is theirs.
    pub fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            request: request.headers().get(X_REQUEST_ID).cloned(),
            client: request.extensions().get::<Client>().copied(),
        }
    }

    /// Writes the line, unless it was a read that was answered.
    pub fn answered(&self, who: &Identity, status: StatusCode) {
        let refused = matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
        if self.method.is_safe() && !refused {
            return;
        }
        let (issuer, subject) = match who {
            Identity::Anonymous => ("", ""),
            Identity::Known(known) => (&*known.issuer, &*known.subject),
        };
        let outcome = match status.as_u16() {
            _ if refused => "refused",
            304 => "unchanged",
            200..=299 => "done",
            _ => "failed",
        };
        tracing::info!(
            target: "audit",
            issuer,
            subject,
            method = %self.method,
            path = self.uri.path(),
            client = self.client.map(|client| client.0.to_string()),
            request = self.request.as_ref().and_then(|id| id.to_str().ok()),
            status = status.as_u16(),
            outcome,
            "{outcome}: {} {}",
            self.method,
            self.uri.path()
        );
    }
}
