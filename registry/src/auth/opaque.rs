//! Tokens that their issuer is asked about: one question at a time for each token, its answer used for a while.

use super::AuthError;
use super::authenticator::{Authenticator, Signed, Verified};
use super::cache::Digest;
use super::claims::{Form, check_time};
use super::error::Refused;
use super::issuer::Issuer;
use super::token::Members;
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// For how long a token that was not found good is not asked about again, in seconds.
const REFUSED_SECONDS: u64 = 10;

/// A token that is asked about. Whoever holds it asks; what was wrong with the token, and until when (monotonic) that
/// is the answer to everybody.
#[derive(Default)]
pub(super) struct Asked(Mutex<Option<(Duration, Refused)>>);

impl Authenticator {
    /// Asks the issuer of a token that has a good signature and says too little, or those whose opaque token it may be.
    pub(super) async fn introspected(
        &self,
        token: &str,
        digest: Digest,
        signed: Option<Signed>,
    ) -> Result<Arc<Verified>, Refused> {
        let asked = self.asked.get(&digest);
        let asked = asked.unwrap_or_else(|| self.asked.insert(digest, Arc::default(), |_| true));
        let mut refused = asked.0.lock().await;
        // what somebody else found out while this one waited
        if let Some(verified) = self.remembered(&digest) {
            return Ok(verified);
        }
        let now = self.clock.monotonic();
        if let Some((_, refused)) = refused.as_ref().filter(|(until, _)| now < *until) {
            return Err(refused.clone());
        }
        let outcome = match signed {
            Some(signed) => self.ask_more(token, digest, signed).await,
            None => self.ask_all(token, digest).await,
        };
        *refused = match &outcome {
            Err(why) if why.error.retry_after_seconds().is_none() => {
                Some((self.clock.monotonic() + Duration::from_secs(REFUSED_SECONDS), why.clone()))
            }
            _ => None,
        };
        outcome
    }

    /// What a token with a good signature does not say. What it says itself is not said otherwise by its issuer.
    async fn ask_more(&self, token: &str, digest: Digest, signed: Signed) -> Result<Arc<Verified>, Refused> {
        let Signed { issuer, header, claims, generation } = signed;
        check_time(&claims, self.clock.now(), self.leeway_seconds)?;
        let Some(mut said) = issuer.introspect(token, true).await? else {
            let client = issuer.introspection.as_ref().map_or("", |asked| &asked.settings.client_id);
            return Err(Refused::new(
                AuthError::Inactive,
                format!(
                    "the signature is good, but the issuer calls it inactive to {client}: it was withdrawn, or {client} is \
                     not in its audience (add an audience mapper)"
                ),
            ));
        };
        said.extend(claims);
        self.accept(digest, &issuer, said, &Form::Introspected(Some(&header)), Some(generation))
    }

    /// A token that says nothing itself: the issuer that found it good before, or one after the other.
    async fn ask_all(&self, token: &str, digest: Digest) -> Result<Arc<Verified>, Refused> {
        let before = self.verified.get(&digest);
        if let Some(before) = before.as_ref().filter(|before| before.expires_at() <= self.clock.now()) {
            return Err(Refused::new(AuthError::Expired, format!("exp {}", before.expires_at())));
        }
        let mut silent = None;
        for issuer in
            before.as_ref().map_or(self.opaque.as_slice(), |before| std::slice::from_ref(&before.issuer))
        {
            match issuer.introspect(token, before.is_some()).await {
                Ok(Some(said)) => return self.said(digest, issuer, said),
                Ok(None) => {}
                // another one may know it; if none does, this one might have
                Err(refused) => silent = Some(refused),
            }
        }
        Err(silent.unwrap_or_else(|| {
            Refused::new(
                AuthError::Inactive,
                "no issuer that was asked calls it active to the client of introspection: it ended, was withdrawn, or the \
                 client is not in its audience",
            )
        }))
    }

    fn said(&self, digest: Digest, issuer: &Arc<Issuer>, said: Members) -> Result<Arc<Verified>, Refused> {
        self.accept(digest, issuer, said, &Form::Introspected(None), None)
    }
}
