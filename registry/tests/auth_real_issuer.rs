//! Tokens of a real issuer (oidc-provider: `tests/lab/oidc`), as it makes them, rotates its keys and fails.
//!
//! Built with the feature `real-issuer` only; then `FEDREG_TEST_OIDC` has to give the issuer's address.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests too")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use registry::auth::{
    Access, AuthError, AuthSettings, Authenticator, Clock, Identity, IssuerSettings, Known, Role, Rule,
    SystemClock, require,
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// The issuer is one, and tests change what it does: one after the other.
static LAB: Mutex<()> = Mutex::const_new(());

/// The computer's clock, moved on by hand.
struct AheadClock(SystemClock, AtomicI64);

impl Clock for AheadClock {
    fn now(&self) -> i64 {
        self.0.now() + self.1.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic() + Duration::from_secs(self.1.load(Ordering::SeqCst).try_into().unwrap())
    }
}

struct Lab {
    issuer: String,
    http: reqwest::Client,
    authenticator: Authenticator,
    clock: Arc<AheadClock>,
    _alone: MutexGuard<'static, ()>,
}

impl Lab {
    async fn new(change: impl FnOnce(&mut AuthSettings)) -> Self {
        simulator::record_log();
        let alone = LAB.lock().await;
        let issuer = std::env::var("FEDREG_TEST_OIDC").expect(
            "FEDREG_TEST_OIDC is not set: start an issuer with `tests/lab/lab up oidc` and set it to the OIDC_ISSUER that \
             it prints",
        );
        let clock = Arc::new(AheadClock(SystemClock::new(), AtomicI64::new(0)));
        let mut trusted = IssuerSettings::new(issuer.parse().unwrap());
        trusted.audiences = vec!["federation-registry".into()];
        let mut settings = AuthSettings { issuers: vec![trusted], ..AuthSettings::default() };
        change(&mut settings);
        let authenticator = Authenticator::new(&settings, clock.clone()).unwrap();
        let lab = Self { issuer, http: reqwest::Client::new(), authenticator, clock, _alone: alone };
        let state = lab.tell(json!({"fail": {}, "delay_ms": {}, "lifetime": 300, "reset": true})).await;
        if state["alg"] != "RS256" {
            lab.tell(json!({"rotate": "keep", "alg": "RS256"})).await;
        }
        assert_eq!(lab.authenticator.check().await, Ok(()));
        lab
    }

    /// Makes the issuer behave in some way; what it says about itself.
    async fn tell(&self, what: Value) -> Value {
        let answer = self.http.post(format!("{}/lab", self.issuer)).json(&what).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{what}");
        answer.json().await.unwrap()
    }

    async fn key_fetches(&self) -> u64 {
        self.tell(json!({})).await["hits"]["GET /jwks"].as_u64().unwrap_or(0)
    }

    async fn grant(&self, form: &[(&str, &str)]) -> String {
        let answer = self.answer(form).await;
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    async fn answer(&self, form: &[(&str, &str)]) -> Value {
        let answer = self.http.post(format!("{}/token", self.issuer)).form(form).send().await.unwrap();
        answer.json().await.unwrap()
    }

    async fn token(&self, client: &str, user: &str) -> String {
        let password = format!("{user}pw");
        let form =
            [("grant_type", "password"), ("client_id", client), ("username", user), ("password", &password)];
        self.grant(&[form.as_slice(), &[("scope", "openid email profile")]].concat()).await
    }

    async fn ask(&self, token: &str) -> Result<Arc<Known>, AuthError> {
        match self.authenticator.authenticate(Some(&format!("Bearer {token}"))).await? {
            Identity::Known(known) => Ok(known),
            Identity::Anonymous => panic!("a token made nobody of its holder"),
        }
    }

    fn admins(&self) -> Vec<Rule> {
        vec![Rule::group(&self.issuer, "/admins")]
    }
}

fn issuer_of(settings: &AuthSettings) -> String {
    settings.issuers[0].issuer.to_string()
}

#[tokio::test]
async fn people_and_services() {
    let lab = Lab::new(|settings| {
        let issuer = issuer_of(settings);
        settings.administrators = vec![Rule::group(&issuer, "/admins"), Rule::subject(&issuer, "feeder")];
    })
    .await;
    let admin = lab.ask(&lab.token("orchestrator", "admin").await).await.unwrap();
    assert_eq!((&*admin.subject, admin.role()), ("sub-admin", Role::Administrator));
    assert_eq!(admin.email.as_ref().unwrap().as_str(), "admin@example.org");
    assert_eq!(admin.groups.iter().collect::<Vec<_>>(), ["/admins", "/users"]);
    assert!(lab.admins()[0].to_string() == *admin.grants[0].rule);
    let user = lab.ask(&lab.token("orchestrator", "user").await).await.unwrap();
    assert_eq!(user.role(), Role::Reader);
    let nogroup = lab.ask(&lab.token("orchestrator", "nogroup").await).await.unwrap();
    assert_eq!((nogroup.role(), nogroup.groups.len()), (Role::Reader, 0));
    let feeder =
        [("grant_type", "client_credentials"), ("client_id", "feeder"), ("client_secret", "feeder-secret")];
    let feeder = lab.ask(&lab.grant(&feeder).await).await.unwrap();
    assert_eq!((&*feeder.subject, feeder.role()), ("feeder", Role::Administrator));
}

#[tokio::test]
async fn verified_addresses_only() {
    let lab = Lab::new(|settings| {
        settings.administrators =
            vec![Rule::email("admin@example.org"), Rule::email("unverified@example.org")];
    })
    .await;
    assert_eq!(lab.ask(&lab.token("orchestrator", "admin").await).await.unwrap().role(), Role::Administrator);
    let unverified = lab.ask(&lab.token("orchestrator", "unverified").await).await.unwrap();
    assert_eq!((unverified.role(), &unverified.email), (Role::Reader, &None));
}

/// oidc-provider refuses userinfo to tokens that are meant for others: nobody says who is an administrator.
#[tokio::test]
async fn tokens_that_say_little() {
    let lab = Lab::new(|settings| settings.administrators = vec![Rule::email("admin@example.org")]).await;
    let bare = lab.token("orchestrator-bare", "admin").await;
    for _ in 0..3 {
        let known = Identity::Known(lab.ask(&bare).await.unwrap());
        assert_eq!(require(&known, Access::Federation).unwrap_err().status(), 403);
    }
    assert_eq!(lab.tell(json!({})).await["hits"]["GET /me"], 1);
    let opaque = lab.token("orchestrator-light", "admin").await;
    assert_eq!(lab.ask(&opaque).await, Err(AuthError::Malformed));
}

/// The issuer's word about its tokens, asked for by a client of that name.
fn introspected_by(client: &str, settings: &mut AuthSettings) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "registry-secret\n").unwrap();
    // oidc-provider names no audience of such tokens
    let introspection = json!({"client_id": client, "client_secret_file": file.path(), "audience_required": false, "inactive_per_second": 1});
    settings.issuers[0].introspection = Some(serde_json::from_value(introspection).unwrap());
    settings.administrators = vec![Rule::group(issuer_of(settings), "/admins")];
    file
}

#[tokio::test]
async fn opaque_tokens() {
    let mut file = None;
    let lab = Lab::new(|settings| file = Some(introspected_by("federation-registry", settings))).await;
    let asked = async || lab.tell(json!({})).await["hits"]["POST /token/introspection"].as_u64().unwrap_or(0);
    let before = asked().await;
    let opaque = lab.token("orchestrator-light", "admin").await;
    simulator::register_secret("opaque-token", &opaque);
    assert!(!opaque.contains('.'), "{opaque}");
    for _ in 0..5 {
        let admin = lab.ask(&opaque).await.unwrap();
        assert_eq!((&*admin.subject, admin.role()), ("sub-admin", Role::Administrator));
        assert_eq!(admin.email.as_ref().unwrap().as_str(), "admin@example.org");
    }
    assert_eq!(asked().await - before, 1);
    let unverified = lab.ask(&lab.token("orchestrator-light", "unverified").await).await.unwrap();
    assert_eq!((unverified.role(), &unverified.email), (Role::Administrator, &None), "by the group");
    let user = lab.ask(&lab.token("orchestrator-light", "user").await).await.unwrap();
    assert_eq!(user.role(), Role::Reader);

    // a refresh token is active too, and none
    let both = lab
        .answer(&[
            ("grant_type", "password"),
            ("client_id", "orchestrator-light"),
            ("username", "admin"),
            ("password", "adminpw"),
            ("scope", "openid offline_access"),
        ])
        .await;
    let refresh = both["refresh_token"].as_str().unwrap();
    assert_eq!(lab.ask(refresh).await, Err(AuthError::NotAnAccessToken));

    // withdrawn
    let revoked = [("token", opaque.as_str()), ("client_id", "orchestrator-light")];
    let revoked =
        lab.http.post(format!("{}/token/revocation", lab.issuer)).form(&revoked).send().await.unwrap();
    assert_eq!(revoked.status(), 200);
    lab.clock.1.store(60, Ordering::SeqCst);
    assert_eq!(lab.ask(&opaque).await, Err(AuthError::Inactive));

    // guesses
    let before = asked().await;
    for n in 0..300 {
        let refused = lab.ask(&format!("guess-{n}-{before}")).await.unwrap_err();
        assert!(matches!(refused, AuthError::Inactive | AuthError::Unchecked { .. }), "{refused}");
    }
    let guesses = asked().await - before;
    assert!((5..=100).contains(&guesses), "{guesses} of 300 guesses reached the issuer");

    // the issuer fails
    let other = lab.token("orchestrator-light", "admin").await;
    lab.clock.1.store(120, Ordering::SeqCst);
    lab.tell(json!({"fail": {"/token/introspection": 503}})).await;
    assert_eq!(lab.ask(&other).await, Err(AuthError::Unchecked { retry_after_seconds: 5 }));
    lab.tell(json!({"fail": {}})).await;
    lab.clock.1.store(125, Ordering::SeqCst);
    assert_eq!(lab.ask(&other).await.unwrap().role(), Role::Administrator);
}

#[tokio::test]
async fn opaque_tokens_that_the_issuer_does_not_tell_about() {
    let mut file = None;
    let lab = Lab::new(|settings| file = Some(introspected_by("registry", settings))).await;
    let opaque = lab.token("orchestrator-light", "admin").await;
    assert_eq!(lab.ask(&opaque).await, Err(AuthError::Inactive));
    drop(lab);
    let lab = Lab::new(|settings| {
        file = Some(introspected_by("federation-registry", settings));
        settings.issuers[0].introspection.as_mut().unwrap().audience_required = true;
    })
    .await;
    assert_eq!(lab.ask(&opaque).await, Err(AuthError::Audience));
}

#[tokio::test]
async fn audience_kind_and_time() {
    let lab = Lab::new(|settings| settings.issuers[0].at_jwt_only = true).await;
    assert_eq!(lab.ask(&lab.token("stranger", "admin").await).await, Err(AuthError::Audience));
    let token = lab.token("orchestrator-short", "user").await;
    assert!(lab.ask(&token).await.is_ok());
    lab.clock.1.store(5, Ordering::SeqCst);
    assert_eq!(lab.ask(&token).await, Err(AuthError::Expired));
    let (rest, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{rest}.{}", "A".repeat(342));
    assert_eq!(lab.ask(&forged).await, Err(AuthError::BadSignature));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_keys_change() {
    let lab = Lab::new(|_| {}).await;
    let over = AtomicBool::new(false);
    let rotations = async {
        for algorithm in ["ES256", "EdDSA", "PS256", "RS256"] {
            lab.tell(json!({"rotate": "keep", "alg": algorithm})).await;
            // some tokens with each key
            for _ in 0..3 {
                let known = lab.ask(&lab.token("orchestrator", "user").await).await;
                assert_eq!(known.map(|known| known.role()), Ok(Role::Reader), "{algorithm}");
            }
        }
        over.store(true, Ordering::SeqCst);
    };
    let requests = join_all((0..4).map(|_| async {
        let mut count = 0;
        while !over.load(Ordering::SeqCst) {
            let token = lab.token("orchestrator", "admin").await;
            for _ in 0..20 {
                let known = lab.ask(&token).await;
                assert!(known.is_ok(), "{known:?}");
            }
            count += 1;
        }
        count
    }));
    let ((), counts) = tokio::join!(rotations, requests);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    let fetches = lab.key_fetches().await;
    assert!((2..=5).contains(&fetches), "{fetches} fetches for 4 rotations");
}

#[tokio::test]
async fn the_issuer_fails() {
    let lab = Lab::new(|_| {}).await;
    let old = lab.token("orchestrator", "user").await;
    lab.tell(json!({"fail": {"/jwks": 503}, "rotate": "keep", "alg": "ES256"})).await;
    let new = lab.token("orchestrator", "user").await;
    assert!(lab.ask(&old).await.is_ok());
    for _ in 0..10 {
        assert!(matches!(lab.ask(&new).await, Err(AuthError::IssuerUnavailable { .. })));
    }
    assert_eq!(lab.key_fetches().await, 2);
    lab.tell(json!({"fail": {}, "rotate": "keep", "alg": "RS256"})).await;
    lab.clock.1.store(10, Ordering::SeqCst);
    assert!(lab.ask(&new).await.is_ok());
    assert!(lab.ask(&old).await.is_ok());
}

#[tokio::test]
async fn keys_are_withdrawn() {
    let lab = Lab::new(|settings| settings.keys.refresh_seconds = 20).await;
    let old = lab.token("orchestrator", "user").await;
    assert!(lab.ask(&old).await.is_ok());
    lab.tell(json!({"rotate": "drop", "alg": "RS256"})).await;
    let new = lab.token("orchestrator", "user").await;
    assert!(lab.ask(&new).await.is_ok());
    assert_eq!(lab.ask(&old).await, Err(AuthError::UnknownKey));
}
