//! Settings of the feeder: where the provider files and the registry are, when to run, how much to ask at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::inventory::{SecretSource, Surroundings, TokenIssuer, token_source};
use crate::limits::Limits;
use crate::messages;
use crate::order::Order;
use crate::publish::{Registry, RegistryError};
use crate::run::Plan;
use crate::schedule::{Schedule, ScheduleError};
use crate::state::LISTS;
use crate::tokens::{TokenSource, Vault};

/// The feeder's settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A provider file, or a folder of `*.config.yaml` files.
    pub providers: PathBuf,
    /// The registry's base address, `https://registry.example.org/api/v1`.
    pub registry: String,
    /// An administrator's token at the registry, in the settings themselves.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// A file that holds the token; read at every run.
    pub token_file: Option<PathBuf>,
    /// An environment variable that holds the token.
    pub token_env: Option<String>,
    /// Or the issuer that gives it, in one of the ways of provider files.
    pub token_issuer: Option<TokenIssuer>,
    /// A file with certificates (PEM) to trust at the registry, besides the system's.
    pub registry_ca_path: Option<PathBuf>,
    /// When to run: five or six fields of cron. None: once.
    pub schedule: Option<String>,
    /// The time zone of the schedule, by its name in the IANA database.
    pub time_zone: String,
    /// Scheduled runs start up to so many seconds later, at random.
    pub jitter_seconds: f64,
    /// How often to look for changed files and requested runs, in seconds.
    pub poll_seconds: u32,
    /// What scheduled runs need not read each time.
    pub intervals: Intervals,
    /// With a schedule, run at once too.
    pub run_at_start: bool,
    /// Which part of the registry's providers a run may remove without being asked to, from 0 to 1. One provider
    /// may always go.
    pub removal_limit: f64,
    /// Which part of what the registry has of one provider a run may remove without being asked to, from 0 to 1.
    pub provider_removal_limit: f64,
    /// Remove whatever the files and the clouds no longer name, however much it is: for one run, after having looked.
    pub confirm_removals: bool,
    /// Read everything and write nothing.
    pub dry_run: bool,
    /// Names of the only providers to look at; empty: all.
    #[serde(skip)]
    pub only: Vec<String>,
    /// The name of this feeder, for people; none: the computer's.
    pub name: Option<String>,
    /// How long a feeder that died keeps others from writing, in seconds.
    pub lease_seconds: u32,
    /// Connections (provider, region, project) at once, over all providers.
    pub connections: usize,
    /// Requests at once, over all providers.
    pub requests: usize,
    /// Bounds of everything that is done to one provider.
    pub limits: LimitSettings,
    /// Where messages for the ranker pipeline go; none: nowhere.
    pub kafka: Option<messages::Settings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            providers: PathBuf::from("providers.yaml"),
            registry: "http://127.0.0.1:8000/api/v1".to_owned(),
            token: None,
            token_file: None,
            token_env: None,
            token_issuer: None,
            registry_ca_path: None,
            schedule: None,
            time_zone: "UTC".to_owned(),
            jitter_seconds: 0.0,
            poll_seconds: 10,
            intervals: Intervals::default(),
            run_at_start: true,
            removal_limit: 0.3,
            provider_removal_limit: 0.5,
            confirm_removals: false,
            dry_run: false,
            only: Vec::new(),
            name: None,
            lease_seconds: 120,
            connections: 1024,
            requests: 512,
            limits: LimitSettings::default(),
            kafka: None,
        }
    }
}

/// How long what was read is good enough for a scheduled run, in seconds. What is not named is read at each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Intervals {
    /// By the provider's name.
    pub providers: BTreeMap<String, u64>,
    /// By kind of list: `flavors`, `images`, `networks`, `quotas`, `storage_classes`.
    pub lists: BTreeMap<String, u64>,
}

impl Settings {
    /// The JSON Schema of the section `feeder`.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    /// When to run; none: once.
    pub(crate) fn schedule(&self) -> Result<Option<Schedule>, ScheduleError> {
        let parse = |expression: &String| Schedule::parse(expression, &self.time_zone);
        self.schedule.as_ref().map(parse).transpose()
    }

    /// How often to look for changed files and requested runs.
    pub(crate) fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_seconds.max(1).into())
    }

    /// How a run behaves.
    pub(crate) fn plan(&self) -> Result<Plan, RegistryError> {
        if let Some(unknown) = self.intervals.lists.keys().find(|list| !LISTS.contains(&list.as_str())) {
            let message = format!("`intervals.lists` names {unknown:?}: there are {}", LISTS.join(", "));
            return Err(RegistryError::Settings(message));
        }
        if !(0.0..=86_400.0).contains(&self.jitter_seconds) {
            let message =
                format!("`jitter_seconds` is {}: write seconds, from 0 to a day", self.jitter_seconds);
            return Err(RegistryError::Settings(message));
        }
        if !(5..=3600).contains(&self.lease_seconds) {
            let message = format!("`lease_seconds` is {}: write seconds from 5 to 3600", self.lease_seconds);
            return Err(RegistryError::Settings(message));
        }
        Ok(Plan {
            connections: some("connections", self.connections)?,
            requests: some("requests", self.requests)?,
            limits: self.limits.limits()?,
            removal_limit: part("removal_limit", self.removal_limit)?,
            provider_removal_limit: part("provider_removal_limit", self.provider_removal_limit)?,
            confirm_removals: self.confirm_removals,
            dry_run: self.dry_run,
            holder: self.name.clone().unwrap_or_else(this_computer),
            lease: Duration::from_secs(self.lease_seconds.into()),
            order: Order::default(),
        })
    }

    /// The registry; the vault keeps tokens for it.
    pub(crate) fn registry(&self, vault: &Vault) -> Result<Registry, RegistryError> {
        let limits = self.limits.limits()?;
        let source = self.registry_token().map_err(RegistryError::Settings)?;
        let tokens = source.map(|source| vault.of(&source, &limits));
        Registry::trusting(&self.registry, self.registry_ca_path.as_deref(), tokens, limits)
    }

    /// Where the token for the registry comes from; none when the settings say nothing of it.
    pub(crate) fn registry_token(&self) -> Result<Option<TokenSource>, String> {
        let given = SecretSource {
            name: "token",
            value: self.token.as_ref(),
            file: self.token_file.as_ref(),
            env: self.token_env.as_deref(),
        };
        let surroundings =
            Surroundings { folder: Path::new(""), environment: &|name| std::env::var(name).ok() };
        let source = token_source(&given, self.token_issuer.as_ref(), surroundings);
        match (source.map_err(|missing| missing.message)?, &self.token_issuer) {
            (None, Some(TokenIssuer { issuer, .. })) => Err(format!(
                "`token_issuer` names {issuer}, but not how it is asked: add `client_credentials`, `refresh_token` or \
                 `oidc_agent` there"
            )),
            (source, _) => Ok(source),
        }
    }
}

/// [`Limits`] as settings write them. Times are in seconds.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// To connect.
    pub connect_seconds: f64,
    /// One request, from sending it to the last byte of the answer.
    pub request_seconds: f64,
    /// One connection (provider, region, project) as a whole.
    pub connection_seconds: f64,
    /// Requests, and connections, at once to one provider.
    pub concurrency: usize,
    /// Pages of one list.
    pub pages: usize,
    /// Bytes of one list, all pages together.
    pub bytes: usize,
    /// Further tries after a transient failure.
    pub retries: u32,
    /// After so many connections in a row without an answer a provider is left alone for a while; 0: never.
    pub failures: u32,
    /// For how long at first.
    pub rest_seconds: f64,
    /// For how long at most.
    pub longest_rest_seconds: f64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let Limits { connect, request, connection, concurrency, pages, bytes, retries, .. } =
            Limits::default();
        let Limits { failures, rest, longest_rest, .. } = Limits::default();
        Self {
            connect_seconds: connect.as_secs_f64(),
            request_seconds: request.as_secs_f64(),
            connection_seconds: connection.as_secs_f64(),
            concurrency,
            pages,
            bytes,
            retries,
            failures,
            rest_seconds: rest.as_secs_f64(),
            longest_rest_seconds: longest_rest.as_secs_f64(),
        }
    }
}

impl LimitSettings {
    /// The limits that readers take.
    pub fn limits(&self) -> Result<Limits, RegistryError> {
        Ok(Limits {
            connect: seconds("connect_seconds", self.connect_seconds)?,
            request: seconds("request_seconds", self.request_seconds)?,
            connection: seconds("connection_seconds", self.connection_seconds)?,
            concurrency: some("limits.concurrency", self.concurrency)?,
            pages: some("limits.pages", self.pages)?,
            bytes: some("limits.bytes", self.bytes)?,
            retries: self.retries,
            failures: self.failures,
            rest: seconds("rest_seconds", self.rest_seconds)?,
            longest_rest: seconds("longest_rest_seconds", self.longest_rest_seconds)?,
            ..Limits::default()
        })
    }
}

/// The name of this computer, with the number of this process.
fn this_computer() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = if name.trim().is_empty() { "feeder" } else { name.trim() };
    format!("{name} ({})", std::process::id())
}

fn part(name: &str, part: f64) -> Result<f64, RegistryError> {
    if (0.0..=1.0).contains(&part) {
        Ok(part)
    } else {
        Err(RegistryError::Settings(format!("`{name}` is {part}: write a part from 0 to 1, such as 0.3")))
    }
}

fn seconds(name: &str, seconds: f64) -> Result<Duration, RegistryError> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => {
            Err(RegistryError::Settings(format!("`limits.{name}` is {seconds}: write seconds, more than 0")))
        }
    }
}

fn some(name: &str, count: usize) -> Result<usize, RegistryError> {
    if count > 0 {
        Ok(count)
    } else {
        Err(RegistryError::Settings(format!("`{name}` is 0: write at least 1")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_a_default_and_what_is_wrong_is_told() {
        let settings: Settings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings.limits.limits(), Ok(Limits::default()));
        assert!(settings.plan().is_ok());
        assert!(settings.registry_token().unwrap().is_none());

        for (wrong, says) in [
            (r#"{"removal_limit": 30}"#, "`removal_limit` is 30: write a part from 0 to 1, such as 0.3"),
            (r#"{"connections": 0}"#, "`connections` is 0: write at least 1"),
            (r#"{"limits": {"concurrency": 0}}"#, "`limits.concurrency` is 0: write at least 1"),
            (
                r#"{"limits": {"connect_seconds": -1}}"#,
                "`limits.connect_seconds` is -1: write seconds, more than 0",
            ),
        ] {
            let settings: Settings = serde_json::from_str(wrong).unwrap();
            assert_eq!(settings.plan().unwrap_err().to_string(), says);
        }
        let settings: Settings =
            serde_json::from_str(r#"{"token_file": "/nowhere", "token": "sesame"}"#).unwrap();
        assert_eq!(
            settings.registry_token().err().unwrap(),
            "the token is given in more than one way: keep one of `token`, `token_file` and `token_env`"
        );
        assert!(!format!("{settings:?}").contains("sesame"));
        let issuer = |more: &str| {
            let text = format!(r#"{{"token_issuer": {{"issuer": "https://iam.example.org/"{more}}}}}"#);
            serde_json::from_str::<Settings>(&text).unwrap().registry_token()
        };
        assert!(issuer("").err().unwrap().contains("not how it is asked"));
        let client = r#", "client_credentials": {"client_id": "feeder", "client_secret": "sesame"}"#;
        let source = issuer(client).unwrap().unwrap();
        assert!(
            matches!(&source, TokenSource::Issued(issued) if issued.issuer == "https://iam.example.org/")
        );
        assert!(!format!("{source:?}").contains("sesame"));
        let twice = issuer(&format!(r#"{client}, "oidc_agent": {{"socket": "/run/agent"}}"#)).err().unwrap();
        assert!(twice.contains("in more than one way"), "{twice}");
        assert!(serde_json::from_str::<Settings>(r#"{"removal_limits": 0.3}"#).is_err(), "a misspelt name");
    }
}
