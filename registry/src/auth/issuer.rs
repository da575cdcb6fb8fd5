//! One issuer: its keys, fetched, kept and renewed.
//!
//! Requests read the keys through an atomic pointer. Fetches run in tasks of their own, one at a time for each
//! issuer, so that a caller who goes away neither ends a fetch nor gets around the cool-down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::Algorithm;
use reqwest::Client;
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};
use url::Url;

use super::error::Refused;
use super::fetch::{FetchError, get};
use super::introspection::{Introspection, PAUSE_SECONDS, unchecked};
use super::keys::KeySet;
use super::token::{Members, Unique};
use super::{AuthError, Clock, IssuerSettings, KeySettings};

/// One configured issuer.
pub(super) struct Issuer {
    pub settings: IssuerSettings,
    /// `iss`, shared by all identities of this issuer.
    pub name: Arc<str>,
    times: KeySettings,
    client: Client,
    clock: Arc<dyn Clock>,
    published: ArcSwapOption<Published>,
    /// How it is asked about tokens, if it is.
    pub introspection: Option<Introspection>,
    /// Held by whoever fetches.
    fetching: Arc<Mutex<LastFetch>>,
    /// Monotonic milliseconds before which no further fetch is made.
    not_before: AtomicU64,
}

/// What the issuer publishes.
pub(super) struct Published {
    pub keys: KeySet,
    /// Changes when the keys change: what was verified under another generation is verified anew.
    pub generation: u64,
    userinfo: Option<Url>,
    introspection: Option<Url>,
    /// Monotonic.
    fetched: Duration,
}

#[derive(Default)]
struct LastFetch {
    failed: bool,
}

/// The discovery document (OIDC Discovery 1.0, section 3), as far as it is needed.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    /// RFC 8414, section 2.
    introspection_endpoint: Option<String>,
}

impl Issuer {
    pub fn new(settings: IssuerSettings, times: KeySettings, client: Client, clock: Arc<dyn Clock>) -> Self {
        let introspection = settings.introspection.clone().map(|introspection| {
            Introspection::new(introspection, Duration::from_secs(times.fetch_seconds), clock.clone())
        });
        Self {
            name: settings.issuer.as_str().into(),
            introspection,
            settings,
            times,
            client,
            clock,
            published: ArcSwapOption::empty(),
            fetching: Arc::default(),
            not_before: AtomicU64::new(0),
        }
    }

    /// The keys, when they are not too old to be used. Starts a fetch in the background when it is time for one.
    pub fn published(self: &Arc<Self>) -> Option<Arc<Published>> {
        let published = self.published.load_full()?;
        let age = self.clock.monotonic().saturating_sub(published.fetched);
        if age >= Duration::from_secs(self.times.refresh_seconds)
            && self.cooldown_seconds().is_none()
            && let Ok(fetching) = self.fetching.clone().try_lock_owned()
        {
            let issuer = self.clone();
            tokio::spawn(async move { issuer.fetch_and_note(fetching, |_| true).await });
        }
        (age < Duration::from_secs(self.times.usable_seconds)).then_some(published)
    }

    /// What the issuer publishes, with a key of that id for that algorithm in it; asks the issuer when it is not
    /// at hand, unless it was asked in vain a moment ago.
    pub async fn with_key(
        self: &Arc<Self>,
        id: &str,
        algorithm: Algorithm,
    ) -> Result<Arc<Published>, Refused> {
        if let Some(published) = self.published().filter(|published| published.keys.has(id, algorithm)) {
            return Ok(published);
        }
        let id = id.to_owned();
        self.fetched(move |keys| keys.has(&id, algorithm)).await
    }

    /// What the issuer publishes, once it is what is wanted.
    async fn fetched(
        self: &Arc<Self>,
        wanted: impl Fn(&KeySet) -> bool + Send + Sync + 'static,
    ) -> Result<Arc<Published>, Refused> {
        let issuer = self.clone();
        tokio::spawn(async move { issuer.look_for(wanted).await })
            .await
            .unwrap_or_else(|_| Err(self.unavailable("the task that asked the issuer ended")))
    }

    async fn look_for(
        self: &Arc<Self>,
        wanted: impl Fn(&KeySet) -> bool + Sync,
    ) -> Result<Arc<Published>, Refused> {
        let fetching = self.fetching.clone().lock_owned().await;
        let at_hand = self.published();
        match at_hand.filter(|published| wanted(&published.keys)) {
            // Somebody else fetched it while this one waited.
            Some(published) => return Ok(published),
            None if self.cooldown_seconds().is_some() => {
                return Err(if fetching.failed {
                    self.unavailable("the issuer was asked a moment ago and did not answer")
                } else {
                    Refused::new(
                        AuthError::UnknownKey,
                        "the issuer was asked a moment ago and has no such key",
                    )
                });
            }
            None => {}
        }
        if !self.fetch_and_note(fetching, &wanted).await {
            return Err(self.unavailable("the issuer does not answer"));
        }
        self.published()
            .filter(|published| wanted(&published.keys))
            .ok_or_else(|| Refused::new(AuthError::UnknownKey, "the issuer has no such key"))
    }

    /// Fetches now, whatever the cool-down says, and tries whether tokens can be asked about where they are to be. What
    /// went wrong is the caller's to tell.
    pub async fn fetch_now(&self) -> Result<(), FetchError> {
        let mut fetching = self.fetching.clone().lock_owned().await;
        let outcome = self.fetch().await;
        self.note(&mut fetching, &outcome, |_| true);
        drop(fetching);
        outcome?;
        let Some((introspection, published)) = self.introspection.as_ref().zip(self.published.load_full())
        else {
            return Ok(());
        };
        introspection.probe(&self.client, &self.where_to_introspect(introspection, &published)?).await
    }

    /// Fetches and tells whether that succeeded.
    async fn fetch_and_note(
        &self,
        mut fetching: OwnedMutexGuard<LastFetch>,
        helps: impl Fn(&KeySet) -> bool,
    ) -> bool {
        let outcome = self.fetch().await;
        self.note(&mut fetching, &outcome, helps);
        if let Err(error) = &outcome {
            tracing::warn!(issuer = %self.name, %error, "the issuer's keys could not be fetched");
        }
        outcome.is_ok()
    }

    /// Starts the cool-down when the fetch did not help, so that tokens with made-up key ids cannot make this
    /// registry beat on its issuer; ends it when it did, so that every real key is picked up at once.
    fn note(&self, last: &mut LastFetch, outcome: &Result<(), FetchError>, helps: impl Fn(&KeySet) -> bool) {
        last.failed = outcome.is_err();
        let helped = outcome.is_ok() && self.published.load().as_ref().is_some_and(|now| helps(&now.keys));
        let not_before = if helped { 0 } else { self.millis() + 1000 * self.times.cooldown_seconds };
        self.not_before.store(not_before, Ordering::Release);
        let outcome = if outcome.is_ok() { "ok" } else { "failed" };
        metrics::counter!("fedreg_issuer_key_fetches_total", "issuer" => self.name.to_string(), "outcome" => outcome)
            .increment(1);
    }

    async fn fetch(&self) -> Result<(), FetchError> {
        let (discovery_url, discovery) = self.discover().await?;
        let keys_url = self.address(&discovery_url, "jwks_uri", &discovery.jwks_uri)?;
        // Userinfo is an extra: an address that may not be asked only means that nobody is asked.
        let userinfo = discovery
            .userinfo_endpoint
            .and_then(|address| self.address(&discovery_url, "userinfo_endpoint", &address).ok());
        let introspection = discovery
            .introspection_endpoint
            .and_then(|address| self.address(&discovery_url, "introspection_endpoint", &address).ok());
        let document = get(&self.client, &keys_url, None).await?;
        let keys = KeySet::parse(&document).map_err(|e| FetchError::keys(&keys_url, &e))?;
        let generation = match &*self.published.load() {
            Some(known) if known.keys == keys => known.generation,
            Some(known) => known.generation + 1,
            None => 0,
        };
        tracing::debug!(issuer = %self.name, keys = keys.len(), generation, "the issuer's keys were fetched");
        let fetched = self.clock.monotonic();
        self.published.store(Some(Arc::new(Published {
            keys,
            generation,
            userinfo,
            introspection,
            fetched,
        })));
        Ok(())
    }

    async fn discover(&self) -> Result<(Url, Discovery), FetchError> {
        let text = self.settings.issuer.discovery();
        let unusable = |reason: String| FetchError::Document { url: text.clone(), reason };
        let url = Url::parse(&text).map_err(|e| unusable(e.to_string()))?;
        let document = get(&self.client, &url, None).await?;
        let discovery: Discovery = serde_json::from_slice(&document)
            .map_err(|e| unusable(format!("it is no discovery document ({e})")))?;
        if discovery.issuer != self.settings.issuer.as_str() {
            return Err(FetchError::OtherIssuer { url: text, found: discovery.issuer });
        }
        Ok((url, discovery))
    }

    fn address(&self, discovery: &Url, member: &'static str, address: &str) -> Result<Url, FetchError> {
        Url::parse(address).ok().filter(|url| self.settings.issuer.may_name(url)).ok_or_else(|| {
            FetchError::Address { url: discovery.to_string(), member, address: address.to_owned() }
        })
    }

    /// What the issuer tells the holder of the token about themselves (OIDC Core 1.0, section 5.3).
    /// `None` when it tells nothing: many issuers refuse tokens that are meant for others.
    pub async fn userinfo(
        self: &Arc<Self>,
        token: &str,
        subject: &str,
    ) -> Result<Option<Members>, FetchError> {
        let Some(url) = self.published().and_then(|published| published.userinfo.clone()) else {
            return Ok(None);
        };
        let document = match get(&self.client, &url, Some(token)).await {
            Ok(document) => document,
            Err(error) if error.is_temporary() => return Err(error),
            Err(error) => {
                tracing::debug!(issuer = %self.name, %error, "userinfo tells nothing about this token");
                return Ok(None);
            }
        };
        let claims = match serde_json::from_slice(&document) {
            Ok(Unique(claims)) => claims,
            Err(error) => {
                tracing::warn!(issuer = %self.name, %error, "the userinfo answer cannot be read");
                return Ok(None);
            }
        };
        // Section 5.3.2: an answer about another subject must not be used.
        if claims.get("sub").and_then(serde_json::Value::as_str) != Some(subject) {
            tracing::warn!(issuer = %self.name, "the userinfo answer is about another subject");
            return Ok(None);
        }
        Ok(Some(claims))
    }

    /// What the issuer says about a token, when it calls it active (RFC 7662). `familiar`: nobody made this token up.
    pub async fn introspect(
        self: &Arc<Self>,
        token: &str,
        familiar: bool,
    ) -> Result<Option<Members>, Refused> {
        let Some(introspection) = &self.introspection else { return Ok(None) };
        let said = introspection.ask(familiar, async {
            let published = match self.published() {
                Some(published) => published,
                None => self.fetched(|_| true).await?,
            };
            let answer = async {
                let url = self.where_to_introspect(introspection, &published)?;
                introspection.post(&self.client, &url, token).await
            };
            answer.await.map_err(|error| {
                tracing::warn!(issuer = %self.name, %error, advice = error.advice(), "the issuer could not be asked about a token");
                unchecked(PAUSE_SECONDS, "the issuer does not answer as it should")
            })
        });
        let said = said.await;
        let outcome = match &said {
            Ok(Some(_)) => "active",
            Ok(None) => "inactive",
            Err(_) => "failed",
        };
        metrics::counter!("fedreg_introspections_total", "issuer" => self.name.to_string(), "outcome" => outcome)
            .increment(1);
        let Some(claims) = said? else { return Ok(None) };
        match claims.get("iss") {
            Some(iss) if iss.as_str() != Some(&*self.name) => {
                tracing::warn!(issuer = %self.name, %iss, "the issuer calls a token active that another one made");
                Ok(None)
            }
            _ => Ok(Some(claims)),
        }
    }

    fn where_to_introspect(
        &self,
        introspection: &Introspection,
        published: &Published,
    ) -> Result<Url, FetchError> {
        let given = introspection.settings.endpoint.as_ref().or(published.introspection.as_ref());
        given.cloned().ok_or_else(|| FetchError::NoIntrospection { url: self.settings.issuer.discovery() })
    }

    /// Seconds to wait before the next fetch, rounded up; `None` when it may be made now.
    fn cooldown_seconds(&self) -> Option<u64> {
        let left = self.not_before.load(Ordering::Acquire).saturating_sub(self.millis());
        (left > 0).then(|| left.div_ceil(1000))
    }

    fn unavailable(&self, detail: &'static str) -> Refused {
        let retry_after_seconds = self.cooldown_seconds().unwrap_or(1);
        Refused::new(AuthError::IssuerUnavailable { retry_after_seconds }, detail)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(u64::MAX)
    }
}
