//! Lists of a Kubernetes API server, page by page, under bounds.

use std::sync::Arc;

use k8s_openapi::{
    ClusterResourceScope, NamespaceResourceScope, Resource, apimachinery::pkg::apis::meta::v1::ListMeta,
};
use reqwest::{Client, Request, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::OnceCell;
use url::Url;

use crate::{
    http::{Answer, named},
    reading::{Fault, FaultClass},
    tokens::Tokens,
    transport::{Failure, Patience, fault, message_of, sensitive},
};

/// How often a list whose continuation has become too old is read anew.
const RESTARTS: usize = 3;

/// One API server, as one token sees it.
pub(super) struct Cluster<'a> {
    client: Client,
    base: Url,
    tokens: Arc<Tokens>,
    /// The token that took the place of one that was refused.
    renewed: OnceCell<SecretString>,
    patience: Patience<'a>,
}

/// A list as the API server writes it. Its items have no `kind` of their own.
#[derive(Deserialize)]
struct Page<K> {
    #[serde(default)]
    metadata: ListMeta,
    items: Vec<K>,
}

impl<'a> Cluster<'a> {
    pub fn new(
        client: Client,
        auth_url: &str,
        tokens: Arc<Tokens>,
        patience: Patience<'a>,
    ) -> Result<Self, Fault> {
        let base = auth_url.parse().map_err(|error| {
            let what = format!("connection to {auth_url}");
            fault(&what, FaultClass::Configuration, format!("`auth_url` is not an address: {error}"))
        })?;
        Ok(Self { client, base, tokens, renewed: OnceCell::new(), patience })
    }

    /// All objects of a kind in a namespace.
    pub async fn of_namespace<K>(&self, namespace: &str) -> Result<Vec<K>, Fault>
    where
        K: Resource<Scope = NamespaceResourceScope> + DeserializeOwned,
    {
        self.list(self.address::<K>(&["namespaces", namespace])).await
    }

    /// All objects of a kind that belongs to the whole cluster.
    pub async fn of_cluster<K>(&self) -> Result<Vec<K>, Fault>
    where
        K: Resource<Scope = ClusterResourceScope> + DeserializeOwned,
    {
        self.list(self.address::<K>(&[])).await
    }

    fn address<K: Resource>(&self, within: &[&str]) -> Url {
        let api: &[&str] = if K::GROUP.is_empty() { &["api"] } else { &["apis", K::GROUP] };
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(api).push(K::VERSION).extend(within).push(K::URL_PATH_SEGMENT);
        }
        url
    }

    async fn list<K: DeserializeOwned>(&self, url: Url) -> Result<Vec<K>, Fault> {
        let what = named("GET", &url);
        for _ in 0..=RESTARTS {
            if let Some(items) = self.pages(&what, &url).await? {
                return Ok(items);
            }
            tracing::debug!(%what, "the continuation is too old; starts again");
        }
        let why = "the list changes faster than it can be read (410 Gone); the next run tries again";
        Err(fault(&what, FaultClass::Unavailable, why))
    }

    /// Follows the pages to the end; `None` when the server no longer knows where it was.
    async fn pages<K: DeserializeOwned>(&self, what: &str, url: &Url) -> Result<Option<Vec<K>>, Fault> {
        let mut items = Vec::new();
        let mut token: Option<String> = None;
        let mut budget = self.patience.limits.bytes;
        for _ in 0..self.patience.limits.pages {
            let mut page = url.clone();
            page.query_pairs_mut()
                .append_pair("limit", &self.patience.limits.page_size.to_string())
                .extend_pairs(token.iter().map(|token| ("continue", token)));
            let answer = self.fetch(what, &page, budget).await?;
            budget = budget.saturating_sub(answer.body.len());
            let Page { items: found, metadata } = match answer.status.as_u16() {
                200 => answer.json::<Page<K>>(what)?,
                410 if token.is_some() => return Ok(None),
                _ => return Err(refused(what, &answer)),
            };
            items.extend(found);
            match metadata.continue_.filter(|next| !next.is_empty()) {
                None => return Ok(Some(items)),
                same if same == token => {
                    return Err(Failure::garbage(what, "the continuation leads nowhere").fault);
                }
                next => token = next,
            }
        }
        let why = format!("more than {} pages", self.patience.limits.pages);
        Err(Failure::garbage(what, why).fault)
    }

    /// Sends a request; a token that is refused is renewed once for the whole connection.
    async fn fetch(&self, what: &str, url: &Url, budget: usize) -> Result<Answer, Fault> {
        let token = match self.renewed.get() {
            Some(renewed) => renewed.clone(),
            None => self.tokens.get().await?,
        };
        let send = async |token: &SecretString| {
            self.patience.fetch(&self.client, what, || self.request(what, url, token), budget).await
        };
        let answer = send(&token).await?;
        if answer.status.as_u16() != 401 {
            return Ok(answer);
        }
        let other = self.renewed.get_or_try_init(|| self.tokens.instead_of(&token)).await?;
        if other.expose_secret() == token.expose_secret() { Ok(answer) } else { send(other).await }
    }

    fn request(&self, what: &str, url: &Url, token: &SecretString) -> Result<Request, Failure> {
        let bearer = sensitive(&format!("Bearer {}", token.expose_secret()))
            .map_err(|why| Failure::lasting(what, FaultClass::Configuration, why))?;
        let request = self.client.get(url.clone()).header(AUTHORIZATION, bearer);
        request.build().map_err(|error| Failure::broken(what, &error))
    }
}

fn refused(what: &str, answer: &Answer) -> Fault {
    Failure::refused(what, answer.status.as_u16(), message_of(&answer.body).as_deref(), None).fault
}
