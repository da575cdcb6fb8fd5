//! Decisions that somebody else's rules make: an Open Policy Agent, or a policy file that is evaluated here.
//!
//! Both get the same input, that of the earlier registry, and are asked for the same answer: `allow`. Whatever is not
//! a clear yes is a no; when there is no answer at all, the request is not served (503), because it may be allowed.

mod local;
mod opa;

use super::{
    Clock,
    cache::{Cache, Digest},
    fetch,
    token::Members,
};
use crate::reload::Unreadable;
use local::Local;
use opa::Opa;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use url::Url;

/// How many decisions are remembered at most.
const REMEMBERED: usize = 10_000;

/// The `auth.policy` section: either `opa` or `file`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicySettings {
    /// The address that is asked, such as `http://127.0.0.1:8181/v1/data/fed_reg`.
    pub opa: Option<Url>,
    /// A file with the token that the Open Policy Agent wants, if it wants one; read anew for every question.
    pub opa_token_file: Option<PathBuf>,
    /// A policy in Rego that is evaluated in this process.
    pub file: Option<PathBuf>,
    /// A JSON file with the policy's data.
    pub data: Option<PathBuf>,
    /// The rule of the policy that says whether something is allowed.
    pub rule: String,
    /// `true`: what the policy allows is allowed. `false`: the roles must allow it as well.
    pub decides_alone: bool,
    /// How many seconds a decision may take.
    pub answer_seconds: u64,
    /// For how many seconds a decision about a read is used; 0: for that one.
    pub cache_seconds: u64,
    /// After how many seconds a change of the files is noticed, at the latest.
    pub reload_seconds: u64,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            opa: None,
            opa_token_file: None,
            file: None,
            data: None,
            rule: "data.fed_reg.allow".to_owned(),
            decides_alone: true,
            answer_seconds: 2,
            cache_seconds: 5,
            reload_seconds: 10,
        }
    }
}

impl PolicySettings {
    /// Reports what is wrong with the values: `fault(key, what)`.
    pub fn check(&self, fault: &mut dyn FnMut(&str, String)) {
        match (&self.opa, &self.file) {
            (None, None) => fault("", "names no policy: give opa, an address, or file, a policy file".into()),
            (Some(_), Some(_)) => fault("file", "is given together with opa; only one can decide".into()),
            (Some(opa), None) if !matches!(opa.scheme(), "http" | "https") || !opa.has_host() => {
                fault("opa", format!("is {opa}; write it like http://127.0.0.1:8181/v1/data/fed_reg"));
            }
            (Some(opa), None) if opa.password().is_some() || !opa.username().is_empty() => {
                fault(
                    "opa",
                    "holds a user name or a password; opa_token_file is the place for a secret".into(),
                );
            }
            _ => {}
        }
        let needs = [
            ("opa_token_file", self.opa_token_file.is_some() && self.opa.is_none(), "opa"),
            ("data", self.data.is_some() && self.file.is_none(), "file"),
        ];
        for (key, lonely, other) in needs {
            if lonely {
                fault(key, format!("is of no use without {other}"));
            }
        }
        let ranges = [
            ("answer_seconds", self.answer_seconds, 1..=60),
            ("cache_seconds", self.cache_seconds, 0..=60),
            ("reload_seconds", self.reload_seconds, 1..=86_400),
        ];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                fault(key, format!("is {value}; allowed are {} to {}", range.start(), range.end()));
            }
        }
    }
}

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] Unreadable),
    /// Not Rego, not JSON, or without the rule that is asked for.
    #[error("the policy ({path}) cannot be used: {why}. Mend it (`opa check --strict` tells more)")]
    Content {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// No TLS.
    #[error("no TLS client can be made: {0}")]
    Tls(String),
}

/// What is asked: may this be done?
#[derive(Debug, Serialize)]
pub struct Question<'a> {
    /// The claims of the token and what userinfo adds; without an e-mail that does not count here.
    pub user_info: &'a Members,
    /// The path of the request, as it was sent.
    pub path: &'a str,
    /// The method, in capitals.
    pub method: &'a str,
    /// Whether the request has a body.
    pub has_body: bool,
}

/// There is no decision, and when it makes sense to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoDecision {
    /// In so many seconds.
    pub retry_after_seconds: u64,
}

/// Who decides.
pub struct Policy {
    source: Source,
    decides_alone: bool,
    keep: Duration,
    reload: Duration,
    clock: Arc<dyn Clock>,
    remembered: Cache<(Duration, bool)>,
}

enum Source {
    Opa(Opa),
    Local(Box<Local>),
}

impl Policy {
    /// Reads the policy; or prepares to ask for it, which it does not do yet.
    pub fn new(settings: &PolicySettings, clock: Arc<dyn Clock>) -> Result<Self, PolicyError> {
        let time = Duration::from_secs(settings.answer_seconds);
        let source = match &settings.opa {
            Some(url) => {
                let near = url
                    .host_str()
                    .is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]");
                let client =
                    fetch::client(time, near).map_err(|error| PolicyError::Tls(error.to_string()))?;
                Source::Opa(Opa::new(
                    url.clone(),
                    settings.opa_token_file.clone(),
                    client,
                    Arc::clone(&clock),
                ))
            }
            None => Source::Local(Box::new(Local::load(settings, time)?)),
        };
        Ok(Self {
            source,
            decides_alone: settings.decides_alone,
            keep: Duration::from_secs(settings.cache_seconds),
            reload: Duration::from_secs(settings.reload_seconds),
            clock,
            remembered: Cache::new(REMEMBERED),
        })
    }

    /// Whether what it allows needs no role.
    pub fn decides_alone(&self) -> bool {
        self.decides_alone
    }

    /// Whether this may be done. Decisions about reads are remembered for a moment; about writes they never are.
    pub async fn allows(&self, question: &Question<'_>) -> Result<bool, NoDecision> {
        let input = serde_json::to_string(question).map_err(|error| {
            tracing::error!(%error, "the policy's input cannot be written");
            NoDecision { retry_after_seconds: 60 }
        })?;
        let kept = !self.keep.is_zero() && matches!(question.method, "GET" | "HEAD");
        if !kept {
            return self.ask(&input).await;
        }
        let key = sha256(&input);
        if let Some(known) = self.remembered.get(&key).filter(|known| self.clock.monotonic() < known.0) {
            return Ok(known.1);
        }
        let allowed = self.ask(&input).await?;
        let until = self.clock.monotonic() + self.keep;
        self.remembered.insert(key, Arc::new((until, allowed)), |_| false);
        Ok(allowed)
    }

    async fn ask(&self, input: &str) -> Result<bool, NoDecision> {
        let answer = match &self.source {
            Source::Opa(opa) => opa.ask(input).await,
            Source::Local(local) => local.ask(input),
        };
        let outcome = match answer {
            Ok(true) => "allowed",
            Ok(false) => "denied",
            Err(_) => "failed",
        };
        metrics::counter!("fedreg_policy_decisions_total", "outcome" => outcome).increment(1);
        answer
    }

    /// Asks what nobody may: for the start, and for `fedreg check`. What is wrong, in a sentence.
    pub async fn check(&self) -> Result<(), String> {
        match &self.source {
            Source::Opa(opa) => opa.check().await,
            Source::Local(_) => Ok(()),
        }
    }

    /// Looks for changes of the policy's files, until it is told to stop.
    pub async fn keep_current(&self, stop: CancellationToken) {
        if let Source::Local(local) = &self.source {
            local.keep_current(self.reload, stop).await;
        }
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("decides_alone", &self.decides_alone).finish_non_exhaustive()
    }
}

fn sha256(text: &str) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}
