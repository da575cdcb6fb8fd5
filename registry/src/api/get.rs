//! `GET /<entities>/{uid}`

use super::{
    ApiError, Shared,
    answer::{self, Wanted},
    caller::Caller,
    query,
};
use crate::{federation::Snapshot, graph::select::Special};
use axum::{
    extract::{FromRequestParts, OriginalUri, Path, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use schema::{Kind, filter};
use std::convert::Infallible;

/// The uid in a path: any text, also one that is no UTF-8 after decoding, which is then taken as it was sent. It is
/// looked at when it is known who asks (`behaviour.md` 2).
pub(super) struct AskedUid(pub String);

impl<S: Send + Sync> FromRequestParts<S> for AskedUid {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let decoded = Path::<String>::from_request_parts(parts, state).await;
        let sent = || {
            let path = parts.uri.path().trim_end_matches('/');
            path.trim_end_matches("/history").rsplit('/').next().unwrap_or_default().to_owned()
        };
        Ok(Self(decoded.map_or_else(|_| sent(), |Path(uid)| uid)))
    }
}

/// One node.
pub(super) fn get(
    kind: Kind,
    State(app): State<Shared>,
    AskedUid(uid): AskedUid,
    caller: &Caller,
    headers: &HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, ApiError> {
    let snapshot = app.federation.snapshot();
    let tag = answer::etag(&snapshot, caller.audience(false));
    let question = answer::question(caller, uri.path_and_query().map_or("", |text| text.as_str()));
    if let Some(kept) = answer::kept(&snapshot, &question, &tag) {
        return Ok(answer::not_modified(headers, &tag).unwrap_or(kept));
    }
    let (short, extended) = filter::parse_single(&query::pairs(uri.query())?)?;
    let id = find(&snapshot, kind, &uid)?;
    if let Some(response) = answer::not_modified(headers, &tag) {
        return Ok(response);
    }
    let wanted = Wanted {
        ids: vec![id],
        list: false,
        audience: caller.audience(short),
        extended,
        special: Special::default(),
    };
    Ok(answer::write(snapshot, wanted, Some(&question), &tag, StatusCode::OK))
}

/// The place of a node. Any text is a uid; most are those of nothing.
pub(super) fn find(snapshot: &Snapshot, kind: Kind, uid: &str) -> Result<u32, ApiError> {
    let id = uid.parse().ok().and_then(|uid| snapshot.graph.find_kind(kind, uid));
    id.ok_or_else(|| ApiError::NotFound {
        kind: snapshot.graph.schema.entity(kind).decl.name,
        uid: uid.to_owned(),
    })
}
