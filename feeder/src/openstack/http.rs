//! One HTTP exchange with an OpenStack service, its answer bounded.

use std::path::Path;

use chrono::Utc;
use reqwest::{Certificate, Client, Request, StatusCode, header::HeaderMap, header::RETRY_AFTER, redirect};
use serde::de::DeserializeOwned;
use url::Url;

use crate::{
    limits::Limits,
    reading::{Fault, FaultClass},
    transport::{Again, Failure, USER_AGENT, fault, message_of, retry_after, root_cause},
};

/// The HTTP client for one provider: what it trusts, and that it never follows a redirect, which could carry a
/// token to somebody else.
pub(super) fn client(ca_path: Option<&Path>, limits: &Limits) -> Result<Client, Fault> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(limits.connect)
        .redirect(redirect::Policy::none())
        .no_proxy();
    if let Some(path) = ca_path {
        for certificate in certificates(path)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| fault("HTTP client", FaultClass::Configuration, root_cause(&error)))
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, Fault> {
    let wrong = |why: String| {
        let why = format!("{} cannot be used: {why}; give a file with PEM certificates", path.display());
        fault("ca_path", FaultClass::Configuration, why)
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(root_cause(&error)))?;
    if found.is_empty() { Err(wrong("it holds no certificate".to_owned())) } else { Ok(found) }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// An answer that is not a success, after all further tries; its status, when there was an answer.
#[derive(Debug)]
pub(super) struct Refused {
    pub status: Option<u16>,
    pub fault: Fault,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { status: None, fault }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        refused.fault
    }
}

impl Answer {
    /// The failure that this answer is, when it is one.
    pub fn failure(&self, what: &str) -> Option<Failure> {
        if self.status.is_success() {
            return None;
        }
        let wait = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after(value, Utc::now()));
        Some(Failure::refused(what, self.status.as_u16(), message_of(&self.body).as_deref(), wait))
    }

    /// The body.
    pub fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| Failure::garbage(what, error).fault)
    }

    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a request and reads its answer, which may have that many bytes. Answers that may pass are failures here,
/// so that they are tried again; all others are for the caller to judge.
pub(super) async fn exchange(
    client: &Client,
    request: Request,
    what: &str,
    budget: usize,
) -> Result<Answer, Failure> {
    let mut response = client.execute(request).await.map_err(|error| Failure::broken(what, &error))?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::broken(what, &error))? {
        if body.len() + chunk.len() > budget {
            return Err(Failure::garbage(what, "it is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    let answer = Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body };
    match answer.failure(what) {
        Some(failure) if failure.again != Again::Never => Err(failure),
        _ => Ok(answer),
    }
}

/// A request in words: method and address, without what could be secret in it.
pub(super) fn named(method: &str, url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // both fail only for addresses without a host, which no request can go to
    let _ = url.set_username("");
    let _ = url.set_password(None);
    format!("{method} {url}")
}
