//! Tokens that only their issuer can read (RFC 7662): who asks, how often, and what the answer is.
//!
//! Two kinds of tokens need it: opaque ones, and JSON web tokens without a subject, which have a good signature. Anybody
//! can make up opaque ones: questions that end with "inactive" have a budget for each issuer, and few are asked at once.

use super::{Clock, IssuerUrl, error::Refused, fetch, fetch::FetchError, token::Members, token::Unique};
use crate::auth::AuthError;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use url::Url;

/// How many issuers one opaque token is shown to, at most.
pub(super) const MAX_ISSUERS: usize = 4;
/// Questions to one issuer at once, and how many of them about tokens that were never found good.
const AT_ONCE: (usize, usize) = (16, 8);
/// How many seconds' worth of the budget can be used at once.
const BURST_SECONDS: u32 = 5;
/// For how long an issuer that did not answer is not asked again, in seconds.
pub(super) const PAUSE_SECONDS: u64 = 5;
/// What `fedreg check` asks about: no token of anybody.
const PROBE: &str = "fedreg-asks-whether-it-may-ask";

/// The `introspection` section of one issuer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntrospectionSettings {
    /// Who asks: a client of the issuer that may introspect.
    pub client_id: String,
    /// A file that holds its secret and nothing else; read anew for every question.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// Instead: the environment variable that has it.
    #[serde(default)]
    pub client_secret_env: Option<String>,
    /// Where to ask; when absent, where the issuer's discovery document says.
    #[serde(default)]
    pub endpoint: Option<Url>,
    /// Whether tokens that are no JSON web tokens are shown to this issuer. When absent: unless its profile is that of
    /// a make that issues none.
    #[serde(default)]
    pub opaque: Option<bool>,
    /// Whether the answer must name an audience. One that names others only never counts.
    #[serde(default = "yes")]
    pub audience_required: bool,
    /// For how many seconds an answer is used; at most 60, and never beyond the token's end.
    #[serde(default = "a_minute")]
    pub cache_seconds: u64,
    /// How many tokens that turn out to be inactive it is asked about in a second; more get 503.
    #[serde(default = "twenty")]
    pub inactive_per_second: u32,
}

fn yes() -> bool {
    true
}

fn a_minute() -> u64 {
    60
}

fn twenty() -> u32 {
    20
}

impl IntrospectionSettings {
    /// Reports what is wrong with the values: `fault(key, what)`.
    pub(super) fn check(&self, issuer: &IssuerUrl, fault: &mut dyn FnMut(&str, String)) {
        if self.client_id.is_empty() {
            fault("client_id", "is empty; name the client that asks".into());
        }
        match &self.endpoint {
            Some(url) if !url.username().is_empty() || url.password().is_some() => {
                fault("endpoint", "holds a user name or a password, which logs would show".into());
            }
            Some(url) if !issuer.may_name(url) => {
                fault("endpoint", format!("is {url}, which is not https"));
            }
            _ => {}
        }
        match (&self.client_secret_file, &self.client_secret_env) {
            (Some(_), Some(_)) => {
                fault("client_secret_env", "is given besides client_secret_file; give one of them".into());
            }
            (None, None) => fault(
                "client_secret_file",
                "is missing; name a file that holds the client's secret, or as client_secret_env a variable"
                    .into(),
            ),
            (file, _) => {
                let key = if file.is_some() { "client_secret_file" } else { "client_secret_env" };
                if let Err(why) = self.secret() {
                    fault(key, why);
                }
            }
        }
        let ranges = [
            ("cache_seconds", self.cache_seconds, 1..=60),
            ("inactive_per_second", u64::from(self.inactive_per_second), 1..=10_000),
        ];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                fault(key, format!("is {value}; allowed are {} to {}", range.start(), range.end()));
            }
        }
    }

    fn secret(&self) -> Result<SecretString, String> {
        let (text, place) = match (&self.client_secret_file, &self.client_secret_env) {
            (Some(file), _) => (read(file)?, format!("'{}'", file.display())),
            (None, Some(name)) => {
                let text = std::env::var(name)
                    .map_err(|_| format!("names the variable {name}, which is not set"))?;
                (text, name.clone())
            }
            (None, None) => return Err("no secret is given".to_owned()),
        };
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(format!("{place} is empty; write the client's secret into it")),
            secret => Ok(secret.into()),
        }
    }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|why| {
        format!("'{}' cannot be read: {why}; check the path and its permissions", file.display())
    })
}

/// The questions to one issuer.
pub(super) struct Introspection {
    pub settings: IntrospectionSettings,
    all: Semaphore,
    strangers: Semaphore,
    budget: Budget,
    /// Monotonic milliseconds before which it is not asked.
    not_before: AtomicU64,
    /// How long a question may wait for its turn.
    patience: Duration,
    clock: Arc<dyn Clock>,
}

impl Introspection {
    pub fn new(settings: IntrospectionSettings, patience: Duration, clock: Arc<dyn Clock>) -> Self {
        Self {
            all: Semaphore::new(AT_ONCE.0),
            strangers: Semaphore::new(AT_ONCE.1),
            budget: Budget::new(settings.inactive_per_second),
            not_before: AtomicU64::new(0),
            patience,
            clock,
            settings,
        }
    }

    /// What the issuer says about a token in its answer; `None` when it is not active. `familiar`: it was found good before, or its
    /// signature is; such tokens have no budget, for nobody makes them up.
    pub async fn ask(
        &self,
        familiar: bool,
        answer: impl Future<Output = Result<Option<Members>, Refused>>,
    ) -> Result<Option<Members>, Refused> {
        let now = self.clock.monotonic();
        let pause = self.not_before.load(Ordering::Acquire).saturating_sub(millis(now));
        if pause > 0 {
            return Err(unchecked(
                pause.div_ceil(1000),
                "the issuer was asked a moment ago and did not answer",
            ));
        }
        if !familiar && !self.budget.take(now) {
            return Err(unchecked(
                1,
                "too many inactive tokens: the issuer is not asked about more at the moment",
            ));
        }
        let turn = async {
            let stranger = if familiar { None } else { self.strangers.acquire().await.ok() };
            (stranger, self.all.acquire().await)
        };
        let Ok(_turn) = tokio::time::timeout(self.patience, turn).await else {
            return Err(unchecked(1, "too many questions to the issuer at once"));
        };
        let said = answer.await;
        match &said {
            Ok(Some(_)) if !familiar => self.budget.give_back(),
            Err(_) => self.not_before.store(millis(now) + 1000 * PAUSE_SECONDS, Ordering::Release),
            _ => {}
        }
        said
    }

    /// One question, asked of that address.
    pub async fn post(&self, client: &Client, url: &Url, token: &str) -> Result<Option<Members>, FetchError> {
        let IntrospectionSettings { client_id, .. } = &self.settings;
        let secret = self
            .settings
            .secret()
            .map_err(|reason| FetchError::Secret { client: client_id.clone(), reason })?;
        // RFC 6749, 2.3.1: both are written as in a form first
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let request = client
            .post(url.clone())
            .basic_auth(encoded(client_id), Some(encoded(secret.expose_secret())))
            .form(&[("token", token), ("token_type_hint", "access_token")]);
        let refused =
            |status: u16| FetchError::Credentials { url: url.to_string(), client: client_id.clone(), status };
        let document = match fetch::answer(request, url).await {
            Ok(document) => document,
            Err(FetchError::Status { status, .. }) if StatusCode::BAD_REQUEST == status => {
                tracing::debug!(%url, "the issuer does not want to be asked about this token");
                return Ok(None);
            }
            Err(FetchError::Status { status: status @ (401 | 403), .. }) => return Err(refused(status)),
            Err(error) => return Err(error),
        };
        let unusable = |reason: String| FetchError::Document { url: url.to_string(), reason };
        let Unique(mut said) = serde_json::from_slice(&document)
            .map_err(|error| unusable(format!("it is no answer to an introspection ({error})")))?;
        match said.remove("active") {
            Some(Value::Bool(true)) => Ok(Some(said)),
            Some(Value::Bool(false)) => Ok(None),
            _ => Err(unusable("it does not say whether the token is active".to_owned())),
        }
    }

    /// Whether the client may ask: an issuer that lets it says that the token of nobody is not active.
    pub async fn probe(&self, client: &Client, url: &Url) -> Result<(), FetchError> {
        self.post(client, url, PROBE).await.map(|_| ())
    }
}

/// The token may be good or not; its issuer could not be asked.
pub(super) fn unchecked(
    retry_after_seconds: u64,
    detail: impl Into<std::borrow::Cow<'static, str>>,
) -> Refused {
    Refused::new(AuthError::Unchecked { retry_after_seconds }, detail)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// So many in a second, and what was not used for some seconds. What turned out well is given back.
struct Budget {
    per_second: f64,
    left: Mutex<(f64, Duration)>,
}

impl Budget {
    fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, left: Mutex::new((per_second * f64::from(BURST_SECONDS), Duration::ZERO)) }
    }

    fn take(&self, now: Duration) -> bool {
        let mut left = self.left();
        let (before, since) = *left;
        let grown = before + self.per_second * now.saturating_sub(since).as_secs_f64();
        let full = grown.min(self.per_second * f64::from(BURST_SECONDS));
        let taken = full >= 1.0;
        *left = (if taken { full - 1.0 } else { full }, now.max(since));
        taken
    }

    fn give_back(&self) {
        self.left().0 += 1.0;
    }

    fn left(&self) -> std::sync::MutexGuard<'_, (f64, Duration)> {
        // No code that can panic runs while the lock is held, so poison carries no information.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &Budget, seconds: u64) -> usize {
        (0..10_000).take_while(|_| budget.take(Duration::from_secs(seconds))).count()
    }

    #[test]
    fn a_budget_is_used_up_and_grows_again() {
        let budget = Budget::new(20);
        assert_eq!(taken(&budget, 0), 100);
        assert_eq!(taken(&budget, 1), 20);
        assert_eq!(taken(&budget, 1000), 100);
        assert_eq!(taken(&budget, 999), 0, "time does not go back");
        budget.give_back();
        assert_eq!(taken(&budget, 1000), 1);
    }

    #[test]
    fn settings_are_checked() {
        let issuer: IssuerUrl = "https://iam.example.org/".parse().unwrap();
        let faults = |json: serde_json::Value| {
            let settings: IntrospectionSettings = serde_json::from_value(json).unwrap();
            let mut faults = Vec::new();
            settings.check(&issuer, &mut |key, what| faults.push(format!("{key} {what}")));
            faults.join("\n")
        };
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (full, empty) = (file("full", "a secret\n"), file("empty", "\n"));
        assert_eq!(faults(serde_json::json!({"client_id": "x", "client_secret_file": full})), "");
        assert_eq!(faults(serde_json::json!({"client_id": "x", "client_secret_env": "PATH"})), "");
        for (json, fault) in [
            (serde_json::json!({"client_id": ""}), "client_id is empty"),
            (serde_json::json!({"client_id": "x"}), "client_secret_file is missing"),
            (serde_json::json!({"client_id": "x", "client_secret_file": empty}), "is empty; write"),
            (serde_json::json!({"client_id": "x", "client_secret_file": "/nowhere"}), "cannot be read"),
            (serde_json::json!({"client_id": "x", "client_secret_env": "NO_SUCH_THING"}), "which is not set"),
            (
                serde_json::json!({"client_id": "x", "client_secret_file": full, "client_secret_env": "PATH"}),
                "give one of them",
            ),
            (
                serde_json::json!({"client_id": "x", "client_secret_file": full, "endpoint": "http://x.org/"}),
                "not https",
            ),
            (
                serde_json::json!({"client_id": "x", "client_secret_file": full, "endpoint": "https://u:pw@x.org/"}),
                "a password",
            ),
            (
                serde_json::json!({"client_id": "x", "client_secret_file": full, "cache_seconds": 61}),
                "cache_seconds is 61",
            ),
            (
                serde_json::json!({"client_id": "x", "client_secret_file": full, "inactive_per_second": 0}),
                "inactive_per_second is 0",
            ),
        ] {
            let found = faults(json);
            assert!(found.contains(fault), "{fault}: {found}");
        }
        assert!(
            serde_json::from_value::<IntrospectionSettings>(
                serde_json::json!({"client_id": "x", "client_secret": "in the file itself"})
            )
            .is_err()
        );
    }
}
