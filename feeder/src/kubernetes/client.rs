//! Lists of a Kubernetes API server, page by page, under bounds.

use std::path::Path;

use chrono::Utc;
use http_body_util::{BodyExt, Limited};
use kube::{
    Client, Config, Resource,
    api::{ListParams, ObjectList},
    client::Body,
    config::AuthInfo,
    core::Request,
};
use reqwest::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use crate::{
    limits::Limits,
    reading::{Fault, FaultClass},
    transport::{self, Failure, Patience, fault, message_of, retry_after},
};

/// How often a list whose continuation has become too old is read anew.
const RESTARTS: usize = 3;

/// One API server, as one token sees it.
pub(super) struct Cluster<'a> {
    client: Client,
    auth_url: &'a str,
    patience: Patience<'a>,
}

/// One answer: the status, and a page or the error's text.
enum Page<K: Clone> {
    Found {
        list: ObjectList<K>,
        bytes: usize,
    },
    /// 410: the continuation is too old.
    Expired,
}

impl<'a> Cluster<'a> {
    pub fn new(
        auth_url: &'a str,
        ca_path: Option<&Path>,
        token: &SecretString,
        patience: Patience<'a>,
    ) -> Result<Self, Fault> {
        let what = format!("connection to {auth_url}");
        let wrong = |why: String| fault(&what, FaultClass::Configuration, why);
        let uri =
            auth_url.parse().map_err(|error| wrong(format!("`auth_url` is not an address: {error}")))?;
        let config = configured(Config::new(uri), ca_path, token, patience.limits);
        let client = Client::try_from(config).map_err(|error| match ca_path {
            Some(path) => wrong(format!(
                "`ca_path` {} cannot be used: {}",
                path.display(),
                transport::root_cause(&error)
            )),
            None => wrong(transport::root_cause(&error)),
        })?;
        Ok(Self { client, auth_url, patience })
    }

    /// All objects of a kind: of a namespace, or of the whole cluster.
    pub async fn list<K>(&self, namespace: Option<&str>) -> Result<Vec<K>, Fault>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned,
    {
        let path = K::url_path(&(), namespace);
        let what = format!("GET {}{path}", self.auth_url.trim_end_matches('/'));
        for _ in 0..=RESTARTS {
            if let Some(items) = self.pages(&what, &path).await? {
                return Ok(items);
            }
            tracing::debug!(%what, "the continuation is too old; starts again");
        }
        let why = "the list changes faster than it can be read (410 Gone); the next run tries again";
        Err(fault(&what, FaultClass::Unavailable, why))
    }

    /// Follows the pages to the end; `None` when the server no longer knows where it was.
    async fn pages<K>(&self, what: &str, path: &str) -> Result<Option<Vec<K>>, Fault>
    where
        K: Clone + DeserializeOwned,
    {
        let mut items = Vec::new();
        let mut params = ListParams::default().limit(self.patience.limits.page_size);
        let mut budget = self.patience.limits.bytes;
        for _ in 0..self.patience.limits.pages {
            let page = self.patience.attempt(what, || self.page(what, path, &params, budget)).await?;
            let Page::Found { list, bytes } = page else { return Ok(None) };
            budget = budget.saturating_sub(bytes);
            items.extend(list.items);
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                None => return Ok(Some(items)),
                Some(token) if params.continue_token.as_deref() == Some(&token) => {
                    return Err(Failure::garbage(what, "the continuation leads nowhere").fault);
                }
                Some(token) => params.continue_token = Some(token),
            }
        }
        let why = format!("more than {} pages", self.patience.limits.pages);
        Err(Failure::garbage(what, why).fault)
    }

    async fn page<K>(
        &self,
        what: &str,
        path: &str,
        params: &ListParams,
        budget: usize,
    ) -> Result<Page<K>, Failure>
    where
        K: Clone + DeserializeOwned,
    {
        let request = Request::new(path)
            .list(params)
            .map_err(|error| Failure::lasting(what, FaultClass::Configuration, error.to_string()))?;
        let answer = self.client.send(request.map(Body::from)).await;
        let answer = answer.map_err(|error| Failure::broken(what, &error))?;
        let status = answer.status().as_u16();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after(value, Utc::now()));
        let body = Limited::new(answer.into_body(), budget).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                return Failure::garbage(what, "the list is too large");
            }
            Failure::broken(what, error.as_ref())
        })?;
        let body = body.to_bytes();
        match status {
            200 => {
                let list = serde_json::from_slice(&body).map_err(|error| Failure::garbage(what, error))?;
                Ok(Page::Found { list, bytes: body.len() })
            }
            410 if params.continue_token.is_some() => Ok(Page::Expired),
            _ => Err(Failure::refused(what, status, message_of(&body).as_deref(), wait)),
        }
    }
}

fn configured(mut config: Config, ca_path: Option<&Path>, token: &SecretString, limits: &Limits) -> Config {
    // as for kubectl: where it is given, no other authority is trusted
    config.root_cert_file = ca_path.map(Path::to_owned);
    config.auth_info = AuthInfo { token: Some(token.clone()), ..AuthInfo::default() };
    config.connect_timeout = Some(limits.connect);
    config.read_timeout = Some(limits.request);
    config.reset_reader_on_write = true;
    // tries again by our own rules: bounded, and the same for every provider
    config.default_retry = false;
    config.headers.push((USER_AGENT, HeaderValue::from_static(transport::USER_AGENT)));
    config
}
