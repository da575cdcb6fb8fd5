//! `GET /changes` and `GET /<entities>/{uid}/history`: who changed what, page by page or as it happens.

mod follow;
mod show;

use super::{
    ApiError, Shared, answer,
    caller::Caller,
    get::{AskedUid, find},
    query,
};
use crate::{
    graph::uid::Uid,
    history::{HistoryError, Reader},
    store::Head,
};
use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use schema::{Audience, Fault, Kind, Schema};
use serde_json::{Value, json};
use std::sync::Arc;

/// Entries of a page, unless asked otherwise, and at most.
const LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1000;
/// A page ends with the entry that makes it this long, in bytes.
const PAGE: usize = 1 << 20;

/// The change log, for administrators.
pub(super) async fn changes(
    State(app): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let asked = Asked::read(uri.query())?;
    if follow::is_wanted(&headers) {
        return follow::follow(&app, &caller, &headers, asked.after).await;
    }
    let (reader, head) = Reader::open(Arc::clone(&app.federation), None, asked.after).await?;
    page(&app, &headers, reader, &head, asked.limit, None).await
}

/// What the change log has about one node, also when it is gone.
pub(super) async fn history(
    kind: Kind,
    State(app): State<Shared>,
    AskedUid(asked_uid): AskedUid,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let asked = Asked::read(uri.query())?;
    let unknown = find(&app.federation.snapshot(), kind, &asked_uid).err();
    let Ok(uid) = asked_uid.parse::<Uid>() else { return Err(unknown.unwrap_or(ApiError::NoSuchPath)) };
    if let Some(not_found) = unknown {
        let (mut reader, _) = Reader::open(Arc::clone(&app.federation), Some(uid), None).await?;
        // an entry of its relations does not say what it was
        let was = loop {
            let Some(entry) = reader.next().await? else { break None };
            if let Some(kind) = entry.changes.kind_of(uid) {
                break Some(kind);
            }
        };
        if was != Some(kind) {
            return Err(not_found);
        }
    }
    let (reader, head) = Reader::open(Arc::clone(&app.federation), Some(uid), asked.after).await?;
    page(&app, &headers, reader, &head, asked.limit, Some(uid)).await
}

/// What a request asks for.
struct Asked {
    after: Option<u64>,
    limit: usize,
}

impl Asked {
    fn read(query: Option<&str>) -> Result<Self, ApiError> {
        let pairs = query::pairs(query)?;
        let mut faults = Vec::new();
        let mut number = |name: &str, least: u64, most: u64| {
            let (_, text) = pairs.iter().rev().find(|(given, _)| given == name)?;
            match text.parse::<u64>() {
                Ok(n) if (least..=most).contains(&n) => return Some(n),
                Ok(_) => {
                    let msg = format!("allowed are {least} to {most}");
                    faults.push(Fault::query(name, msg, "value_error.number"));
                }
                Err(_) => {
                    faults.push(Fault::query(name, "value is not a valid integer", "type_error.integer"));
                }
            }
            None
        };
        let after = number("after", 0, u64::MAX);
        let limit = number("limit", 1, LARGEST_LIMIT as u64);
        if faults.is_empty() {
            let limit = limit.and_then(|limit| limit.try_into().ok()).unwrap_or(LIMIT);
            Ok(Self { after, limit })
        } else {
            Err(faults.into())
        }
    }
}

async fn page(
    app: &Shared,
    headers: &HeaderMap,
    mut reader: Reader,
    head: &Head,
    limit: usize,
    about: Option<Uid>,
) -> Result<Response, ApiError> {
    let tag = answer::etag(&app.federation.snapshot(), Audience::Private);
    if let Some(response) = answer::not_modified(headers, &tag) {
        return Ok(response);
    }
    let (mut changes, mut bytes) = (Vec::new(), 0);
    while changes.len() < limit && bytes < PAGE {
        let Some(entry) = reader.next().await? else { break };
        let change = show::entry(Schema::get(), &entry, about);
        bytes += change.to_string().len();
        changes.push(change);
    }
    let body: Value = json!({
        "changes": changes,
        "next": reader.after(),
        "last": head.revision.max(reader.after()),
        "kept_after": head.kept_after(),
        "epoch": head.epoch,
    });
    Ok(([(header::ETAG, tag)], Json(body)).into_response())
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Gone { .. } => Self::Gone(error),
            HistoryError::Store(error) => {
                tracing::error!(error = %error, "the change log cannot be read");
                Self::Unread
            }
        }
    }
}
