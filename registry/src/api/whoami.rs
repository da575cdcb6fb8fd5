//! `GET /whoami`

use super::caller::Caller;
use crate::auth::Statement;
use axum::{
    Json,
    http::header::{CACHE_CONTROL, HeaderName},
};

/// Who asks, which rules hold for them, and what these allow.
pub(super) async fn whoami(caller: Caller) -> ([(HeaderName, &'static str); 1], Json<Statement>) {
    ([(CACHE_CONTROL, "no-store")], Json(Statement::new(caller.identity())))
}
