//! What clients read when something is not as they asked. `detail` is where existing clients look.

use crate::{auth::AuthError, federation::WriteError, graph::plan::Refused, history::HistoryError};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schema::Fault;
use serde_json::json;
use std::{any::Any, time::Duration};

/// An answer that is not the one hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Who asks is not known, or may not.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// Who asks may do this, but not to what belongs to other providers.
    #[error("{what}. {error}")]
    Beyond {
        /// The right that is missing.
        error: AuthError,
        /// Whose it is, and what the token is good for.
        what: String,
    },
    /// A node that is not there.
    #[error("{kind} with uid '{uid}' not found")]
    NotFound {
        /// The entity.
        kind: &'static str,
        /// As asked.
        uid: String,
    },
    /// A path that is not there.
    #[error("Not Found")]
    NoSuchPath,
    /// A method that a path does not have; `Allow` lists those it has.
    #[error("Method Not Allowed")]
    MethodNotAllowed,
    /// A key is taken.
    #[error("{0}")]
    Conflict(String),
    /// Parameters or body break rules.
    #[error("{} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// The body is larger than configured.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body took too long to arrive.
    #[error("the body comes too slowly: after {} seconds it was not there; send it faster", .0.as_secs())]
    SlowBody(Duration),
    /// The body ended before it was whole.
    #[error("the body could not be read to its end")]
    BrokenBody,
    /// More requests than one client, or one identity, may make.
    #[error(
        "too many requests: ask less often, or ask the administrators of this registry for a higher limit"
    )]
    TooMany(Duration),
    /// Somebody else was faster.
    #[error("the graph changed since: read again, then write")]
    Stale,
    /// Somebody took over, or the graph went another way than a plan says.
    #[error("{0}")]
    Superseded(String),
    /// The store cannot make changes last now. Nothing is lost or half-written.
    #[error("the store cannot commit now; nothing was written. Try again")]
    Unavailable,
    /// The store did not say whether it committed: the change is made whole or not at all.
    #[error(
        "the store did not say whether it committed: the change is made whole or not at all. Read, and try again when it is not there"
    )]
    Unknown,
    /// No graph was loaded yet.
    #[error("the registry has no graph yet: its store cannot be reached. Try again")]
    NoGraph,
    /// This replica does not have the revision that the client knows.
    #[error("this replica does not have the revision that you know yet. Try again")]
    Late,
    /// The client knows a revision of another life of the store.
    #[error("the revision that you know belongs to data that was replaced since: read again without it")]
    OtherLife,
    /// The change log does not reach there.
    #[error("{0}. Read everything anew, then ask for what changed after that")]
    Gone(HistoryError),
    /// The change log cannot be read now.
    #[error("the change log cannot be read now. Try again")]
    Unread,
    /// All places for those who follow changes are taken.
    #[error(
        "as many as may follow the changes do already (history.followers). Try again, or ask page by page"
    )]
    TooManyFollowers,
    /// This process is about to end.
    #[error("the registry is shutting down. Try again")]
    Stopping,
    /// The answer took longer than a request may.
    #[error("no answer within {} seconds: ask for less at once, or try again", .0.as_secs())]
    OutOfTime(Duration),
    /// A fault of ours.
    #[error("internal error; the log tells more under this request's id")]
    Internal,
}

const RETRY_SECONDS: u64 = 2;

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Auth(error) | Self::Beyond { error, .. } => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED)
            }
            Self::NotFound { .. } | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody(_) => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Stale | Self::Superseded(_) | Self::OtherLife => StatusCode::PRECONDITION_FAILED,
            Self::Gone(_) => StatusCode::GONE,
            Self::Unavailable
            | Self::Unknown
            | Self::NoGraph
            | Self::Late
            | Self::Unread
            | Self::TooManyFollowers
            | Self::Stopping
            | Self::OutOfTime(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let detail = match &self {
            Self::Invalid(faults) => json!({ "detail": faults }),
            Self::Gone(HistoryError::Gone { kept_after, last, .. }) => {
                json!({ "detail": self.to_string(), "kept_after": kept_after, "last": last })
            }
            other => json!({ "detail": other.to_string() }),
        };
        let status = self.status();
        let mut response = (status, Json(detail)).into_response();
        let retry = match &self {
            Self::Auth(error) | Self::Beyond { error, .. } => {
                let challenge = error.www_authenticate().and_then(|text| HeaderValue::from_str(&text).ok());
                if let Some(challenge) = challenge {
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                }
                error.retry_after_seconds()
            }
            Self::Late => Some(1),
            Self::TooMany(wait) => Some(wait.as_secs() + 1),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_SECONDS),
            _ => None,
        };
        if let Some(seconds) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Conflict(text) => Self::Conflict(text),
            Refused::Invalid(faults) => Self::Invalid(faults),
        }
    }
}

impl From<Vec<Fault>> for ApiError {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Invalid(faults)
    }
}

impl From<WriteError<ApiError>> for ApiError {
    fn from(error: WriteError<ApiError>) -> Self {
        match error {
            WriteError::Refused(error) => error,
            WriteError::Store(error) => {
                tracing::error!(error = %error, "the store did not commit a change");
                Self::Unavailable
            }
            WriteError::ReadOnly(why) => {
                tracing::debug!(why, "a change was refused");
                Self::Unavailable
            }
            WriteError::Unknown => Self::Unknown,
            WriteError::Busy(tries) => {
                tracing::warn!(tries, "a change lost against others time and again");
                Self::Unavailable
            }
            WriteError::Misfit(misfit) => {
                tracing::error!(error = %misfit, "a change did not fit the graph that it was computed from");
                Self::Internal
            }
        }
    }
}

/// The answer to a request whose handler panicked.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a request handler panicked");
    ApiError::Internal.into_response()
}
