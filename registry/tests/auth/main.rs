//! Bearer tokens, end to end: an issuer in the same process that can misbehave, a clock that is moved by hand.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests too")]

mod attacks;
mod claims;
mod clock;
mod issuer;
mod keys;
mod logs;
mod outages;
mod roles;
mod start;
mod userinfo;

use std::sync::Arc;

use registry::auth::{AuthError, AuthSettings, Authenticator, Identity, IssuerSettings, Known, Rule};

use clock::ManualClock;
use issuer::{Issuer, Key};

/// Who checks, the issuer that is trusted, and the time.
struct Setup {
    authenticator: Arc<Authenticator>,
    issuer: Issuer,
    clock: Arc<ManualClock>,
}

impl Setup {
    /// An issuer with one key, trusted with the audience `federation-registry`.
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings; the issuer is the first one in them.
    async fn with(change: impl FnOnce(&mut AuthSettings)) -> Self {
        let issuer = Issuer::start().await;
        let clock = Arc::new(ManualClock::default());
        let mut trusted = IssuerSettings::new(issuer.url().parse().unwrap());
        trusted.audiences = vec!["federation-registry".to_owned()];
        let mut settings = AuthSettings { issuers: vec![trusted], ..AuthSettings::default() };
        settings.administrators = vec![
            Rule::subject(issuer.url(), "root"),
            Rule::group(issuer.url(), "/admins"),
            Rule::email("admin@example.org"),
        ];
        settings.keys.fetch_seconds = 2;
        change(&mut settings);
        let authenticator = Arc::new(Authenticator::new(&settings, clock.clone()).unwrap());
        Self { authenticator, issuer, clock }
    }

    /// What the registry says about a token.
    async fn ask(&self, token: &str) -> Result<Arc<Known>, AuthError> {
        match self.authenticator.authenticate(Some(&format!("Bearer {token}"))).await? {
            Identity::Known(known) => Ok(known),
            Identity::Anonymous => panic!("a token made nobody of its holder"),
        }
    }
}
