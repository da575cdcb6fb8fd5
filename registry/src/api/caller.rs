//! Who asks, and what that lets them see and do.

use super::{ApiError, App, guard};
use crate::{
    auth::{self, Identity, Role},
    federation::Author,
};
use axum::http::HeaderMap;
use schema::Audience;
use std::time::Duration;

/// So much of a request's id is kept in the change log, in characters: clients can send any.
const REQUEST_ID: usize = 128;

/// Who asks. The only way to have one is to have been authenticated.
pub(super) struct Caller {
    identity: Identity,
    /// The id of the request.
    request: String,
}

impl Caller {
    /// Whoever may read. A token that is sent must be valid, on reads too.
    pub async fn reader(app: &App, headers: &HeaderMap) -> Result<Self, ApiError> {
        Self::with_role(app, headers, app.authenticator.read_role()).await
    }

    /// Whoever may write.
    pub async fn administrator(app: &App, headers: &HeaderMap) -> Result<Self, ApiError> {
        Self::with_role(app, headers, Role::Administrator).await
    }

    async fn with_role(app: &App, headers: &HeaderMap, role: Role) -> Result<Self, ApiError> {
        let header = auth::authorization(headers)?;
        let identity = app.authenticator.authenticate_for(header, role).await?;
        guard::admit(&app.throttle, &identity)?;
        if !guard::policy_allows(&app.authenticator, &identity).await? {
            auth::require(&identity, role)?;
        }
        let request = headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        Ok(Self { identity, request: request.chars().take(REQUEST_ID).collect() })
    }

    /// How long what the caller was allowed holds.
    pub fn lasts(&self, app: &App) -> Duration {
        app.authenticator.lasts(&self.identity)
    }

    pub fn is_anonymous(&self) -> bool {
        matches!(self.identity, Identity::Anonymous)
    }

    /// The shapes that the caller sees; `short` asks for the public ones.
    pub fn audience(&self, short: bool) -> Audience {
        if short || self.is_anonymous() { Audience::Public } else { Audience::Private }
    }

    /// For the change log.
    pub fn author(&self, what: String) -> Author {
        let who = match &self.identity {
            Identity::Anonymous => "anonymous".to_owned(),
            Identity::Known(known) => format!("{} {}", known.issuer, known.subject),
        };
        Author { who, what, request: self.request.clone() }
    }
}
