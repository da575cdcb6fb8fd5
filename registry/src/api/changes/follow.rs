//! Changes as they happen: server-sent events (WHATWG HTML, 9.2).
//!
//! A stream is read from the log by whoever sends it, one entry when the connection has room for it: a reader that
//! is slow, or asleep, costs an entry of memory and delays nobody.

use super::{
    super::{ApiError, Shared, caller::Caller},
    show,
};
use crate::history::{HistoryError, Reader};
use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::stream;
use schema::{Fault, Schema};
use serde_json::json;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};

/// After this long a stream ends, and its reader comes again: so that streams spread over replicas that came later.
const LONGEST: Duration = Duration::from_hours(1);
/// How soon it shall come again.
const RETRY: Duration = Duration::from_secs(2);

/// Whether a request asks for events. One that takes pages as well, as generated clients say, gets a page.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = accepted.flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
    let (mut events, mut pages) = (false, false);
    for media in ranges.map(str::trim) {
        events |= media.eq_ignore_ascii_case("text/event-stream");
        pages |= media.eq_ignore_ascii_case("application/json");
    }
    events && !pages
}

/// All changes after the last event that the client had, else after the revision that it asks for, else from now on.
pub(super) async fn follow(
    app: &Shared,
    caller: &Caller,
    headers: &HeaderMap,
    after: Option<u64>,
) -> Result<Response, ApiError> {
    if !app.readiness.is_ready() {
        return Err(ApiError::Stopping);
    }
    let place = Arc::clone(&app.followers).try_acquire_owned().map_err(|_| ApiError::TooManyFollowers)?;
    // from here on nothing that is committed goes unnoticed
    let moved = app.federation.moved();
    let now = app.federation.snapshot().revision;
    let after = last_event(headers)?.or(after).unwrap_or(now);
    let (reader, _) = Reader::open(Arc::clone(&app.federation), None, Some(after)).await?;
    let follower = Follower {
        reader,
        told: after,
        moved,
        app: Arc::clone(app),
        end: Instant::now() + LONGEST.min(caller.lasts(app)),
        begun: false,
        done: false,
        _place: place,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let mut response =
        Sse::new(events).keep_alive(KeepAlive::new().interval(app.options.heartbeat)).into_response();
    // nginx collects answers before it passes them on otherwise
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(id) = headers.get("last-event-id") else { return Ok(None) };
    let revision = id.to_str().ok().and_then(|id| id.trim().parse().ok());
    revision.map(Some).ok_or_else(|| {
        let loc = vec!["header".into(), "Last-Event-ID".into()];
        ApiError::Invalid(vec![Fault {
            loc,
            msg: "value is not a revision".to_owned(),
            ty: "type_error.integer",
        }])
    })
}

struct Follower {
    reader: Reader,
    /// The revision that the client knows of.
    told: u64,
    moved: watch::Receiver<u64>,
    app: Shared,
    end: Instant,
    begun: bool,
    done: bool,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// The next event, as soon as there is one; none when the stream ends.
    async fn next(&mut self) -> Option<Event> {
        if !self.begun {
            self.begun = true;
            return Some(Event::default().retry(RETRY).id(self.told.to_string()));
        }
        while !self.done && self.app.readiness.is_ready() && Instant::now() < self.end {
            self.moved.borrow_and_update();
            match self.reader.next().await {
                Ok(Some(entry)) => {
                    self.told = entry.revision;
                    let change = show::entry(Schema::get(), &entry, None);
                    return Some(Event::default().id(self.told.to_string()).data(change.to_string()));
                }
                // without data nothing happens at the client, but it knows where to go on
                Ok(None) if self.reader.after() > self.told => {
                    self.told = self.reader.after();
                    return Some(Event::default().id(self.told.to_string()));
                }
                Ok(None) => {}
                Err(HistoryError::Gone { kept_after, last, .. }) => {
                    self.done = true;
                    let gone = json!({ "kept_after": kept_after, "last": last });
                    return Some(Event::default().event("gone").data(gone.to_string()));
                }
                Err(HistoryError::Store(error)) => {
                    tracing::warn!(%error, "a stream of changes ends: the change log cannot be read");
                    return None;
                }
            }
            tokio::select! {
                moved = self.moved.changed() => moved.ok()?,
                () = self.app.readiness.withdrawn() => {}
                () = tokio::time::sleep_until(self.end) => {}
            }
        }
        None
    }
}
