//! Making an answer of nodes: conditional, kept, or written while it is sent.

use super::caller::Caller;
use crate::{
    federation::Snapshot,
    graph::{expand::Writer, select::Special},
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use schema::Audience;
use std::{convert::Infallible, sync::Arc};

/// Which revision an answer is of.
const X_REVISION: HeaderName = HeaderName::from_static("x-revision");

/// Answers up to this size, and any that can be kept, are written before they are sent: one block that leaves with
/// the fewest system calls, and has a length. Larger ones are written while they are sent, in pieces of this size.
const PIECE: usize = 256 << 10;

/// The state of a representation: the revision of the whole graph, and whom it is for.
pub(super) fn etag(snapshot: &Snapshot, audience: Audience) -> HeaderValue {
    let whom = match audience {
        Audience::Public => "a",
        Audience::Private => "p",
    };
    let text = format!("W/\"{}-{whom}\"", snapshot.state());
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("W/\"0\""))
}

/// 304 when the client has this state already.
pub(super) fn not_modified(headers: &HeaderMap, etag: &HeaderValue) -> Option<Response> {
    let known = headers.get(header::IF_NONE_MATCH)?.to_str().ok()?;
    let wanted = etag.to_str().ok()?.trim_start_matches("W/");
    let has = known
        .split(',')
        .any(|tag| matches!(tag.trim().trim_start_matches("W/"), tag if tag == wanted || tag == "*"));
    has.then(|| (StatusCode::NOT_MODIFIED, [(header::ETAG, etag.clone())]).into_response())
}

/// Which nodes in which shape.
pub(super) struct Wanted {
    pub ids: Vec<u32>,
    /// A list, or the one node alone.
    pub list: bool,
    pub audience: Audience,
    pub extended: bool,
    pub special: Special,
}

/// What a kept answer answers.
pub(super) fn question(caller: &Caller, path_and_query: &str) -> String {
    let whom = if caller.sees_private() { "p" } else { "a" };
    format!("{whom}{path_and_query}")
}

/// The answer kept for a question.
pub(super) fn kept(snapshot: &Snapshot, question: &str, etag: &HeaderValue) -> Option<Response> {
    snapshot.answers.get(question).map(|bytes| respond(snapshot, StatusCode::OK, Body::from(bytes), etag))
}

/// Writes the nodes, and keeps the answer to a question that others may ask too.
pub(super) fn write(
    snapshot: Arc<Snapshot>,
    wanted: Wanted,
    question: Option<&str>,
    etag: &HeaderValue,
    status: StatusCode,
) -> Response {
    let most = question.map_or(0, |_| snapshot.answers.largest()).max(PIECE);
    let mut progress = Progress { snapshot, wanted, next: 0, done: false };
    let first = progress.write(most);
    if progress.done {
        if let Some(question) = question {
            progress.snapshot.answers.put(question, &first);
        }
        return respond(&progress.snapshot, status, Body::from(first), etag);
    }
    let snapshot = Arc::clone(&progress.snapshot);
    let rest = stream::unfold((Some(first), progress), |(first, mut progress)| async move {
        let piece = match first {
            Some(first) => first,
            None if progress.done => return None,
            None => progress.write(PIECE),
        };
        Some((Ok::<_, Infallible>(piece), (None, progress)))
    });
    // compression asks once more after the end
    respond(&snapshot, status, Body::from_stream(rest.fuse()), etag)
}

/// The private shape of a node that was written.
pub(super) fn written(snapshot: &Arc<Snapshot>, id: u32, status: StatusCode, extended: bool) -> Response {
    let audience = Audience::Private;
    let tag = etag(snapshot, audience);
    let wanted = Wanted { ids: vec![id], list: false, audience, extended, special: Special::default() };
    write(Arc::clone(snapshot), wanted, None, &tag, status)
}

/// The answer to a write that changed nothing.
pub(super) fn unchanged(snapshot: &Snapshot) -> Response {
    let tag = etag(snapshot, Audience::Private);
    with_revision(snapshot, (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]))
}

/// Says which revision an answer is of, so that its client can ask another replica for at least that.
pub(super) fn with_revision(snapshot: &Snapshot, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    if let Ok(position) = HeaderValue::from_str(&snapshot.position()) {
        response.headers_mut().insert(X_REVISION, position);
    }
    response
}

fn respond(snapshot: &Snapshot, status: StatusCode, body: Body, etag: &HeaderValue) -> Response {
    let json = HeaderValue::from_static("application/json");
    let vary = HeaderValue::from_static("authorization, accept-encoding");
    let headers = [(header::CONTENT_TYPE, json), (header::ETAG, etag.clone()), (header::VARY, vary)];
    with_revision(snapshot, (status, headers, body))
}

struct Progress {
    snapshot: Arc<Snapshot>,
    wanted: Wanted,
    next: usize,
    done: bool,
}

impl Progress {
    /// At least `size` bytes of the answer, or its end.
    fn write(&mut self, size: usize) -> Bytes {
        let Wanted { ids, list, audience, extended, special } = &self.wanted;
        let graph = &self.snapshot.graph;
        let writer = Writer { graph, audience: *audience, extended: *extended, special };
        let about = (ids.len() - self.next) * if *extended { 2048 } else { 512 };
        let mut out = Vec::with_capacity(about.clamp(1024, size));
        if *list && self.next == 0 {
            out.push(b'[');
        }
        while let Some(id) = ids.get(self.next) {
            if self.next > 0 {
                out.push(b',');
            }
            writer.node(*id, &mut out);
            self.next += 1;
            if out.len() >= size && self.next < ids.len() {
                return out.into();
            }
        }
        if *list {
            out.push(b']');
        }
        self.done = true;
        out.into()
    }
}
