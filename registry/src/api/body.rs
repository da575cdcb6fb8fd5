//! What a writing request brings: its body, and the state that its sender knows.

use super::{ApiError, App, Shared};
use crate::federation::Snapshot;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
};
use http_body_util::BodyExt;
use schema::{Fault, Loc};
use serde_json::Value as Json;
use std::time::Duration;
use tokio::time::Instant;

/// The body as JSON, and the headers.
pub(super) async fn json(app: &Shared, request: Request) -> Result<(Json, HeaderMap), ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read(body, app.options.body_bytes, true, Pace::of(app)).await?;
    Ok((parsed(&bytes)?, parts.headers))
}

/// The same, where no body is an empty object.
pub(super) async fn json_or_nothing(app: &Shared, request: Request) -> Result<Json, ApiError> {
    let bytes = read(request.into_body(), app.options.body_bytes, true, Pace::of(app)).await?;
    if bytes.is_empty() { Ok(Json::Object(serde_json::Map::new())) } else { parsed(&bytes) }
}

fn parsed(bytes: &[u8]) -> Result<Json, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let offset = bytes
            .split(|byte| *byte == b'\n')
            .take(error.line().saturating_sub(1))
            .map(|line| line.len() + 1);
        let offset = offset.sum::<usize>() + error.column().saturating_sub(usize::from(!error.is_eof()));
        let loc =
            if bytes.is_empty() { vec!["body".into()] } else { vec!["body".into(), Loc::Index(offset)] };
        let msg = if bytes.is_empty() { "field required".to_owned() } else { format!("not JSON: {error}") };
        ApiError::Invalid(vec![Fault { loc, msg, ty: "value_error.jsondecode" }])
    })
}

/// How fast a body has to come.
struct Pace {
    began: Instant,
    patience: Duration,
    bytes_per_second: u32,
}

impl Pace {
    /// For how long any pace will do.
    const START: Duration = Duration::from_secs(5);

    /// The rest of a request's time is for the answer, so that a slow sender is told that it is slow.
    fn of(app: &App) -> Self {
        Self::new(app.options.request_time * 9 / 10, app.options.body_rate)
    }

    fn new(patience: Duration, bytes_per_second: u32) -> Self {
        Self { began: Instant::now(), patience, bytes_per_second }
    }

    /// Until when more has to come, after so many bytes.
    fn deadline(&self, bytes: usize) -> Instant {
        let paid = match self.bytes_per_second {
            0 => self.patience,
            #[expect(clippy::cast_precision_loss, reason = "a little more or less time does not matter")]
            rate => Self::START + Duration::from_secs_f64(bytes as f64 / f64::from(rate)),
        };
        self.began + paid.min(self.patience)
    }
}

/// Reads a body that is not wanted to its end; nothing of it has been sent by whoever waits for a word to go on.
pub(super) async fn discard(app: &App, headers: &HeaderMap, body: Body) {
    if headers.get(header::EXPECT).is_none() {
        // whatever becomes of it, the answer is the refusal
        let _ = read(body, app.options.body_bytes, false, Pace::of(app)).await;
    }
}

/// Reads a body to its end, and keeps nothing of one that is too large or not wanted: whoever is still sending when
/// the answer comes finds the connection broken instead. But not for ever: a wanted one up to twice the limit, an
/// unwanted one up to the limit.
async fn read(mut body: Body, most: usize, wanted: bool, pace: Pace) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let frame = tokio::time::timeout_at(pace.deadline(length), body.frame()).await;
        let Some(frame) = frame.map_err(|_| ApiError::SlowBody(pace.began.elapsed()))? else { break };
        let Ok(data) = frame.map_err(|_| ApiError::BrokenBody)?.into_data() else { continue };
        length += data.len();
        if length > most.saturating_mul(if wanted { 2 } else { 1 }) {
            break;
        }
        if !wanted || length > most {
            bytes = Vec::new();
        } else {
            bytes.extend_from_slice(&data);
        }
    }
    if length > most { Err(ApiError::TooLarge(most)) } else { Ok(bytes) }
}

/// Refuses a write that names a revision which is no longer the current one (`If-Match`, RFC 9110 13.1.1).
pub(super) fn still_as_known(snapshot: &Snapshot, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(known) = headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default()) else {
        return Ok(());
    };
    let state = |tag: &str| {
        tag.trim()
            .trim_start_matches("W/")
            .trim_matches('"')
            .rsplit_once('-')
            .map(|(state, _)| state.to_owned())
    };
    let current = snapshot.state();
    let same = known.split(',').any(|tag| tag.trim() == "*" || state(tag).as_deref() == Some(&current));
    if same { Ok(()) } else { Err(ApiError::Stale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_buys_time_up_to_the_patience() {
        let pace = Pace::new(Duration::from_secs(27), 1000);
        let allowed = |bytes| (pace.deadline(bytes) - pace.began).as_secs();
        assert_eq!([0, 1000, 10_000, 22_000, 1_000_000].map(allowed), [5, 6, 15, 27, 27]);
        let any = Pace::new(Duration::from_secs(27), 0);
        assert_eq!((any.deadline(0) - any.began).as_secs(), 27);
    }

    #[tokio::test]
    async fn a_body_that_stops_coming() {
        let begun = Instant::now().checked_sub(Pace::START).unwrap();
        let pace = Pace { began: begun, patience: Duration::from_mins(1), bytes_per_second: 1000 };
        let body = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        let late = read(body, 1000, true, pace).await;
        assert!(matches!(late, Err(ApiError::SlowBody(after)) if after >= Pace::START), "{late:?}");
    }
}
