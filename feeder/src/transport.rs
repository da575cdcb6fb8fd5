//! What both readers do about an unreliable network: time-outs, retries of what is transient, and faults in words.

use std::{error::Error, future::Future, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{Client, Request, header::HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{
    gate::Gate,
    http::{Answer, exchange},
    limits::Limits,
    reading::{Fault, FaultClass, Listing},
};

/// How the feeder names itself to providers.
pub(crate) const USER_AGENT: &str = concat!("fedreg/", env!("CARGO_PKG_VERSION"));

/// One failed try.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Why.
    pub fault: Fault,
    /// Whether another try can help.
    pub again: Again,
}

/// Whether another try can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It would end in the same way.
    Never,
    /// It may pass by itself.
    Soon,
    /// It may, and this is how long the provider asked to be left alone.
    After(Duration),
}

impl Failure {
    /// One that no further try mends.
    pub fn lasting(what: &str, class: FaultClass, why: impl Into<String>) -> Self {
        Self { fault: fault(what, class, why), again: Again::Never }
    }

    /// One that may pass.
    pub fn transient(what: &str, class: FaultClass, why: impl Into<String>) -> Self {
        Self { fault: fault(what, class, why), again: Again::Soon }
    }

    /// The request was not answered at all, or not to the end; the innermost cause says why.
    pub fn broken(what: &str, error: &(dyn Error + 'static)) -> Self {
        let cause = root_cause(error);
        if cause.contains("is not asked: ") {
            return Self::lasting(what, FaultClass::Garbage, cause);
        }
        let advice = if cause.contains("UnknownIssuer") {
            ": its certificate is signed by an authority that is not trusted here; give that authority as `ca_path`"
        } else {
            ""
        };
        let late = ["timed out", "deadline has elapsed"].iter().any(|words| cause.contains(words));
        let class = if late { FaultClass::Timeout } else { FaultClass::Unreachable };
        Self::transient(what, class, format!("no connection: {cause}{advice}"))
    }

    /// The answer is not what the API promises.
    pub fn garbage(what: &str, why: impl std::fmt::Display) -> Self {
        Self::lasting(what, FaultClass::Garbage, format!("the answer is not what the API promises: {why}"))
    }

    /// The provider answered with a status that is not a success.
    pub fn refused(what: &str, status: u16, message: Option<&str>, wait: Option<Duration>) -> Self {
        use FaultClass::{Forbidden, Garbage, Unauthorized, Unavailable};
        let (class, transient, advice) = match status {
            401 => (
                Unauthorized,
                false,
                "the token was refused; check that it has not expired and that the site trusts its issuer and audience",
            ),
            403 => (
                Forbidden,
                false,
                "the token is good, but may not read this; ask the site to permit it to the project's members",
            ),
            404 => (
                Garbage,
                false,
                "nothing is there; check the address, and the endpoints of the site's catalog",
            ),
            300..=399 => {
                (Garbage, false, "it redirects, which is not followed; correct the address at the site")
            }
            // Keystone, when two logins at once create the same federated user; nothing that is sent here is harmed by a second try
            409 => (Unavailable, true, "another request got in the way; the next run tries again"),
            408 | 425 | 429 => {
                (Unavailable, true, "the site asks for fewer requests; the next run tries again")
            }
            501 | 505 => (Unavailable, false, "the service does not know this request"),
            500..=599 => (Unavailable, true, "the service is broken or overloaded; the next run tries again"),
            _ => (Garbage, false, "the request was not understood; the service may be too old"),
        };
        let said = message.map(|text| format!(" ({})", clean(text))).unwrap_or_default();
        Self {
            fault: fault(what, class, format!("HTTP {status}{said}: {advice}")),
            again: match wait {
                _ if !transient => Again::Never,
                None => Again::Soon,
                Some(wait) => Again::After(wait),
            },
        }
    }
}

/// A fault.
pub(crate) fn fault(what: &str, class: FaultClass, why: impl Into<String>) -> Fault {
    Fault { what: what.to_owned(), why: why.into(), class }
}

/// How a list ended, when the catalog says that it is there.
pub(crate) fn listing<T>(result: Result<T, Fault>) -> Listing<T> {
    result.map_or_else(Listing::Unknown, Listing::Complete)
}

/// Bounds for all requests of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience<'a> {
    pub limits: &'a Limits,
    /// What all requests to this provider share.
    pub gate: &'a Gate,
    /// When the connection's time is over.
    pub deadline: Instant,
}

impl<'a> Patience<'a> {
    /// Starts the clock of one connection.
    pub fn start(limits: &'a Limits, gate: &'a Gate) -> Self {
        Self { limits, gate, deadline: Instant::now() + limits.connection }
    }

    /// Runs one request, and again while it fails in a way that may pass.
    pub async fn attempt<T, F>(&self, what: &str, mut request: impl FnMut() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut tries = 0;
        loop {
            let failure = match self.once(what, request()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            tries += 1;
            let pause = |asked| self.limits.pause_before(tries, asked, rand::random::<f64>());
            let pause = match failure.again {
                Again::Never => None,
                Again::Soon => pause(Duration::ZERO),
                Again::After(asked) => pause(asked),
            };
            match pause {
                Some(pause) if Instant::now() + pause < self.deadline => {
                    tracing::debug!(fault = %failure.fault, ?pause, "tries again");
                    sleep(pause).await;
                }
                _ => return Err(failure.fault),
            }
        }
    }

    /// Sends a request, and again while it fails in a way that may pass. The answer may have that many bytes.
    pub async fn fetch(
        &self,
        client: &Client,
        what: &str,
        request: impl Fn() -> Result<Request, Failure>,
        budget: usize,
    ) -> Result<Answer, Fault> {
        self.attempt(what, || async { exchange(client, request()?, what, budget, self.gate).await }).await
    }

    async fn once<T>(
        &self,
        what: &str,
        request: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let _place = timeout_at(self.deadline, self.gate.enter()).await;
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let why = format!("the {} s of this connection are over", self.limits.connection.as_secs());
            return Err(Failure::lasting(what, FaultClass::Timeout, why));
        }
        let patience = left.min(self.limits.request);
        timeout(patience, request).await.unwrap_or_else(|_| {
            let why = format!("no answer within {:.1} s", patience.as_secs_f64());
            Err(Failure::transient(what, FaultClass::Timeout, why))
        })
    }
}

/// A fault without this secret, which a site may have repeated in its answer.
pub(crate) fn without(mut fault: Fault, secret: &SecretString) -> Fault {
    if !secret.expose_secret().is_empty() {
        fault.why = fault.why.replace(secret.expose_secret(), "…");
    }
    fault
}

/// A header that no log shows.
pub(crate) fn sensitive(value: &str) -> Result<HeaderValue, &'static str> {
    let header = HeaderValue::from_str(value);
    let mut header = header.map_err(|_| "the token holds characters that no header can carry")?;
    header.set_sensitive(true);
    Ok(header)
}

/// What `Retry-After` asks for: seconds, or a date.
pub(crate) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

/// The message of an error answer: `{"message": ...}` or one level deeper, as OpenStack and Kubernetes write it.
pub(crate) fn message_of(body: &[u8]) -> Option<String> {
    let Value::Object(body) = serde_json::from_slice(body).ok()? else { return None };
    let own = body.get("message");
    let below = || body.values().find_map(|value| value.get("message"));
    own.or_else(below)?.as_str().map(str::to_owned)
}

/// One short line of a foreign text. Long words are cut: a token must not come back through an error message.
pub(crate) fn clean(text: &str) -> String {
    const WORD: usize = 64;
    const LINE: usize = 200;
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.len() >= LINE {
            line.push_str(" …");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        if word.chars().count() > WORD { line.push('…') } else { line.push_str(word) }
    }
    line
}

pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    clean(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::gate::Overall;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 10:01:00 GMT", now), Some(Duration::from_mins(1)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn messages_of_openstack_and_kubernetes_are_found() {
        let found = |text: &str| message_of(text.as_bytes());
        assert_eq!(found(r#"{"forbidden": {"code": 403, "message": "no"}}"#).as_deref(), Some("no"));
        assert_eq!(
            found(r#"{"kind": "Status", "message": "Unauthorized"}"#).as_deref(),
            Some("Unauthorized")
        );
        assert_eq!(found("<html>401</html>"), None);
        assert_eq!(found("[]"), None);
    }

    #[test]
    fn a_token_does_not_come_back_through_a_message() {
        let token = "gAAAAABrAG1vh0kszT1C".repeat(8);
        let refused = Failure::refused("GET /x", 401, Some(&format!("bad\ntoken {token} here")), None);
        assert_eq!(
            refused.fault.to_string(),
            "GET /x: HTTP 401 (bad token … here): the token was refused; check that it has not expired and that \
             the site trusts its issuer and audience"
        );
        assert!(clean(&"word ".repeat(1000)).len() < 220);
    }

    #[tokio::test]
    async fn there_are_never_more_requests_than_places() {
        let limits = Limits { concurrency: 2, ..Limits::default() };
        let gate = Gate::new(&limits, &Overall::default());
        let patience = Patience::start(&limits, &gate);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let request = || async {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        };
        let done = futures::future::join_all((0..10).map(|_| patience.attempt("GET /x", request))).await;
        assert_eq!((done, most.into_inner()), (vec![Ok(()); 10], 2));
    }

    #[tokio::test]
    async fn nothing_is_asked_for_when_the_time_is_over() {
        let limits = Limits { connection: Duration::ZERO, ..Limits::default() };
        let gate = Gate::new(&limits, &Overall::default());
        let asked = AtomicUsize::new(0);
        let request = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let fault = Patience::start(&limits, &gate).attempt("GET /x", request).await.unwrap_err();
        assert_eq!((fault.class, asked.into_inner()), (FaultClass::Timeout, 0));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let again = |status| Failure::refused("GET /x", status, None, Some(Duration::from_secs(1))).again;
        for status in [409, 429, 500, 502, 503, 504] {
            assert_eq!(again(status), Again::After(Duration::from_secs(1)), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 406, 501] {
            assert_eq!(again(status), Again::Never, "{status}");
        }
    }
}
