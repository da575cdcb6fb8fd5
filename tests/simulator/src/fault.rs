//! What goes wrong on purpose: rules by path that turn good answers into bad ones.

use crate::query::Query;
use crate::server::locked;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A way to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status and an error body instead of the answer.
    Status(u16),
    /// 429 with `Retry-After`, in seconds.
    Busy {
        /// Seconds.
        retry_after: u32,
    },
    /// The right answer, this much later.
    Delay(Duration),
    /// No answer, until the client gives up or the server stops.
    Hang,
    /// 200 and a page of HTML.
    Garbage,
    /// The head and half of the body, then the connection is cut.
    HalfBody,
    /// The head and half of the body, then silence.
    Stall,
    /// Every page names a next one, which is the first again under a new marker.
    EndlessPages,
    /// The first page is right and names a second, which answers 500.
    PageTwoFails,
    /// 200 and this many spaces where a JSON body should be.
    HugeBody(u64),
    /// 302 to this URL.
    Redirect(String),
    /// Kubernetes: every second page answers 410, its continue token is too old.
    ContinueExpired,
}

#[derive(Debug)]
struct Rule {
    path: String,
    fault: Fault,
    left: Option<u32>,
}

/// The rules of one site or issuer, and how often each of its paths was asked for. Clones share both.
#[derive(Debug, Clone)]
pub struct Faults {
    shared: Arc<Mutex<Shared>>,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Shared {
    rules: Vec<Rule>,
    hits: HashMap<String, usize>,
    pages: u64,
}

impl Faults {
    /// None yet. `stop` ends what hangs.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { shared: Arc::default(), stop }
    }

    /// From now on, requests whose path contains `path` fail so; an empty one is in all. Rules set earlier come first;
    /// a delay lets later ones act too.
    pub fn set(&self, path: impl Into<String>, fault: Fault) {
        locked(&self.shared).rules.push(Rule { path: path.into(), fault, left: None });
    }

    /// The same for the next `times` requests only.
    pub fn set_times(&self, path: impl Into<String>, fault: Fault, times: u32) {
        locked(&self.shared).rules.push(Rule { path: path.into(), fault, left: Some(times) });
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        locked(&self.shared).rules.clear();
    }

    /// How many requests there were whose path contains `path`.
    pub fn hits(&self, path: &str) -> usize {
        locked(&self.shared).hits.iter().filter(|(hit, _)| hit.contains(path)).map(|(_, number)| number).sum()
    }

    /// Counts the request and takes what is to happen to it.
    fn take(&self, path: &str) -> (Duration, Option<Fault>) {
        let mut shared = locked(&self.shared);
        *shared.hits.entry(path.to_owned()).or_default() += 1;
        let mut delay = Duration::ZERO;
        let mut taken = None;
        for rule in shared.rules.iter_mut().filter(|r| path.contains(&r.path) && r.left != Some(0)) {
            if let Some(left) = &mut rule.left {
                *left -= 1;
            }
            match &rule.fault {
                Fault::Delay(more) => delay += *more,
                other => {
                    taken = Some(other.clone());
                    break;
                }
            }
        }
        (delay, taken)
    }

    fn next_page(&self) -> String {
        let mut shared = locked(&self.shared);
        shared.pages += 1;
        format!("page-{}", shared.pages)
    }

    /// Answers as the rules say.
    pub(crate) async fn answer(&self, request: Request, next: Next) -> Response {
        let path = request.uri().path().to_owned();
        let (delay, fault) = self.take(&path);
        if !delay.is_zero() {
            self.unless_stopped(tokio::time::sleep(delay)).await;
        }
        let Some(fault) = fault else { return next.run(request).await };
        let query = Query::of(request.uri());
        let paged = ["marker", "continue"].iter().any(|name| query.get(name).is_some());
        match fault {
            Fault::Status(code) => {
                status(&path, StatusCode::from_u16(code).unwrap_or(StatusCode::IM_A_TEAPOT))
            }
            Fault::Busy { retry_after } => {
                let mut response = status(&path, StatusCode::TOO_MANY_REQUESTS);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after));
                response
            }
            Fault::Delay(_) => next.run(request).await,
            Fault::Hang => {
                self.unless_stopped(std::future::pending::<()>()).await;
                status(&path, StatusCode::SERVICE_UNAVAILABLE)
            }
            Fault::Garbage => {
                let page = "<!DOCTYPE html><html><body><h1>Welcome to nginx!</h1></body></html>";
                ([(CONTENT_TYPE, "text/html")], page).into_response()
            }
            Fault::HalfBody => self.half(next.run(request).await, true).await,
            Fault::Stall => self.half(next.run(request).await, false).await,
            Fault::PageTwoFails if paged => status(&path, StatusCode::INTERNAL_SERVER_ERROR),
            Fault::ContinueExpired if paged => crate::kubernetes::continue_expired(),
            Fault::EndlessPages | Fault::PageTwoFails | Fault::ContinueExpired => {
                self.with_next(request, next, &query).await
            }
            Fault::HugeBody(bytes) => huge(bytes),
            Fault::Redirect(to) => match HeaderValue::try_from(to) {
                Ok(to) => (StatusCode::FOUND, [(LOCATION, to)]).into_response(),
                Err(_) => StatusCode::FOUND.into_response(),
            },
        }
    }

    async fn unless_stopped(&self, wait: impl Future) {
        tokio::select! {
            _ = wait => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// The head of the answer with its full length, then half of the body, then the end or silence.
    async fn half(&self, response: Response, cut: bool) -> Response {
        let (mut head, body) = response.into_parts();
        let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let half = body.slice(..body.len() / 2);
        let stop = self.stop.clone();
        let chunks = stream::unfold(Some(half), move |half| {
            let stop = stop.clone();
            async move {
                if let Some(half) = half {
                    return Some((Ok(half), None));
                }
                if cut {
                    // long enough for the first half to leave
                    tokio::time::sleep(Duration::from_millis(20)).await;
                } else {
                    stop.cancelled().await;
                }
                Some((Err(std::io::Error::other("cut on purpose")), None))
            }
        });
        Response::from_parts(head, Body::from_stream(chunks))
    }

    /// The first page, whatever page was asked for, with one more to follow.
    async fn with_next(&self, mut request: Request, next: Next, query: &Query) -> Response {
        let uri = request.uri().clone();
        let host = request.headers().get("host").and_then(|h| h.to_str().ok()).unwrap_or_default().to_owned();
        let first = query.clone().without("marker").without("continue");
        if let Ok(uri) = first.on(uri.path()).parse::<Uri>() {
            *request.uri_mut() = uri;
        }
        let get = request.method() == Method::GET;
        let response = next.run(request).await;
        if !get || !response.status().is_success() {
            return response;
        }
        let (mut head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let Ok(mut json) = serde_json::from_slice::<Value>(&body) else {
            return Response::from_parts(head, Body::from(body));
        };
        name_next(&mut json, &format!("http://{host}{}", uri.path()), &first, &self.next_page());
        head.headers.remove(CONTENT_LENGTH);
        Response::from_parts(head, Body::from(json.to_string()))
    }
}

/// The middleware of a server that has one set of rules.
pub(crate) async fn layer(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    faults.answer(request, next).await
}

/// Writes the next page into a list, each API in its own way. Other answers stay as they are.
fn name_next(list: &mut Value, url: &str, query: &Query, marker: &str) {
    let next = query.clone().with("marker", marker);
    let links = json!([{ "rel": "next", "href": next.on(url) }]);
    if list.get("images").is_some() {
        list["next"] = next.on("/v2/images").into();
    } else if list.get("flavors").is_some() {
        list["flavors_links"] = links;
    } else if list.get("networks").is_some() {
        list["networks_links"] = links;
    } else if list["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) {
        list["metadata"]["continue"] = marker.into();
    }
}

/// Kubernetes says it in a `Status`, OpenStack in an `error`, and a gateway that gave up in HTML.
fn status(path: &str, status: StatusCode) -> Response {
    if path.contains("/api/") || path.contains("/apis/") || path.ends_with("/version") {
        return crate::kubernetes::failure(status, "InternalError", "failed on purpose", &Value::Null);
    }
    if status.is_server_error() {
        let page = format!(
            "<html><body><h1>{status}</h1>\nNo server is available to handle this request.\n</body></html>"
        );
        return (status, [(CONTENT_TYPE, "text/html")], page).into_response();
    }
    let title = status.canonical_reason().unwrap_or_default();
    let body =
        json!({ "error": { "code": status.as_u16(), "message": "failed on purpose", "title": title } });
    (status, axum::Json(body)).into_response()
}

/// Made while it is sent: it is never in memory.
fn huge(bytes: u64) -> Response {
    const CHUNK: u64 = 64 * 1024;
    let chunk = Bytes::from(vec![b' '; 64 * 1024]);
    let chunks = stream::unfold(bytes, move |left| {
        let part = chunk.slice(..usize::try_from(left.min(CHUNK)).unwrap_or_default());
        std::future::ready((left > 0).then(|| (Ok::<_, std::io::Error>(part), left - left.min(CHUNK))))
    });
    ([(CONTENT_TYPE, "application/json")], Body::from_stream(chunks)).into_response()
}
