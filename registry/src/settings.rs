//! The settings of the registry: defaults, then a YAML file, then environment variables.
//!
//! Every key of the file can be given as a variable: `FEDREG__`, then the keys in capitals, `__` between them
//! (`FEDREG__LIMITS__BODY_BYTES`). `TRUSTED_IDP_LIST` and `ADMIN_EMAIL_LIST` of earlier deployments are read too.
//! `docs/configuration.md` is the page for whoever writes the file.

mod error;
mod load;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::de::{Error, IgnoredAny, IntoDeserializer};
use serde::{Deserialize, Deserializer};

use crate::api::{CorsSettings, RateSettings, client::Proxies, server::TlsSettings};
use crate::auth::AuthSettings;
use crate::store::neo4j::Neo4jSettings;

pub use error::{Fault, Origin, SettingsError};
pub use load::Loaded;

/// All settings of the registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address and port that are listened on.
    #[serde(deserialize_with = "socket_address")]
    pub listen: SocketAddr,
    /// What the paths of the API begin with; empty, or with a slash in front and none at the end.
    pub base_path: String,
    /// Whether unknown fields in documents are ignored instead of refused.
    pub lenient_documents: bool,
    /// Where the graph is kept.
    #[serde(deserialize_with = "section")]
    pub store: StoreSettings,
    /// Who is trusted, and who may do what.
    #[serde(deserialize_with = "section")]
    pub auth: AuthSettings,
    /// Certificate and key, when this process speaks TLS itself.
    pub tls: Option<TlsSettings>,
    /// The proxies between clients and this process.
    #[serde(deserialize_with = "section")]
    pub proxies: Proxies,
    /// Which web pages of other origins may call the API.
    #[serde(deserialize_with = "section")]
    pub cors: CorsSettings,
    /// How much of what changed is kept, and who may follow it.
    #[serde(deserialize_with = "section")]
    pub history: HistorySettings,
    /// What clients may take.
    #[serde(deserialize_with = "section")]
    pub limits: LimitSettings,
    /// How the log is written.
    #[serde(deserialize_with = "section")]
    pub log: LogSettings,
    /// The feeder's own section, which [`Loaded::section`] gives to the feeder.
    pub feeder: IgnoredAny,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            base_path: "/api/v1".to_owned(),
            lenient_documents: false,
            store: StoreSettings::default(),
            auth: AuthSettings::default(),
            tls: None,
            proxies: Proxies::default(),
            cors: CorsSettings::default(),
            history: HistorySettings::default(),
            limits: LimitSettings::default(),
            log: LogSettings::default(),
            feeder: IgnoredAny,
        }
    }
}

/// Where the graph is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum StoreSettings {
    /// A folder on this computer; nothing to install.
    Embedded {
        /// The folder; it is made when it is not there.
        #[serde(default = "default_store_path")]
        path: PathBuf,
    },
    /// A database that several registries can share.
    Neo4j(Neo4jSettings),
}

impl StoreSettings {
    /// Whether several registries may use it at once.
    pub fn is_shared(&self) -> bool {
        !matches!(self, Self::Embedded { .. })
    }

    /// The file in which the last known graph is kept for starts without the store.
    pub fn snapshot(&self) -> Option<&Path> {
        match self {
            Self::Embedded { .. } => None,
            Self::Neo4j(neo4j) => neo4j.snapshot.as_deref(),
        }
    }
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self::Embedded { path: default_store_path() }
    }
}

fn default_store_path() -> PathBuf {
    "fedreg-data".into()
}

/// How much of what changed is kept, and who may follow it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistorySettings {
    /// How many of the last changes the log keeps.
    pub entries: u64,
    /// How many clients may follow changes as they happen, at once.
    pub followers: usize,
    /// After how many seconds without a change they are sent a sign of life.
    pub heartbeat_seconds: u64,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self { entries: 10_000, followers: 100, heartbeat_seconds: 15 }
    }
}

/// What clients may take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// The longest request body, in bytes.
    pub body_bytes: usize,
    /// How many seconds a request may take from its last header to the end of the answer's head.
    pub request_seconds: u64,
    /// How long the request line and headers may be together, in bytes.
    pub header_bytes: usize,
    /// How many seconds a client may take to send them, or for a TLS handshake.
    pub header_seconds: u64,
    /// How many bytes of a body have to come in each second, from its sixth second on; 0: any.
    pub body_bytes_per_second: u32,
    /// For how many seconds a connection may do nothing.
    pub idle_seconds: u64,
    /// How many connections there may be at once.
    pub connections: usize,
    /// How many of them one client may have; proxies are not counted.
    pub connections_per_client: usize,
    /// How often one client and one identity may ask.
    #[serde(deserialize_with = "section")]
    pub rates: RateSettings,
    /// For how many seconds after SIGTERM new requests are still answered, so that load balancers notice.
    pub notice_seconds: u64,
    /// For how many seconds running requests may go on after that.
    pub drain_seconds: u64,
    /// How much memory ready-made answers may take, in bytes; 0 keeps none.
    pub answer_cache_bytes: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            body_bytes: 32 * 1024 * 1024,
            request_seconds: 30,
            header_bytes: 32 * 1024,
            header_seconds: 10,
            body_bytes_per_second: 1024,
            idle_seconds: 75,
            connections: 4096,
            connections_per_client: 512,
            rates: RateSettings::default(),
            notice_seconds: 2,
            drain_seconds: 20,
            answer_cache_bytes: 8 * 1024 * 1024,
        }
    }
}

/// How the log is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Lines for people or for machines.
    #[serde(deserialize_with = "word")]
    pub format: LogFormat,
    /// The least important level that is written.
    #[serde(deserialize_with = "word")]
    pub level: LogLevel,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// The least important level that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Somebody must act.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// Why it happens.
    Debug,
    /// All of it.
    Trace,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

impl Settings {
    /// Loads the settings from a file, if one is given, and the environment of the process.
    pub fn load(path: Option<&Path>) -> Result<Loaded, SettingsError> {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Loaded::new(path, std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect())
    }

    /// Reports what is wrong with the values: `fault(key, what)`.
    fn check(&self, fault: &mut dyn FnMut(&str, String)) {
        let path_ok = |path: &str| {
            path.starts_with('/')
                && !path.ends_with('/')
                && !path.contains("//")
                && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~".contains(&b))
        };
        if !self.base_path.is_empty() && !path_ok(&self.base_path) {
            fault(
                "base_path",
                format!(
                    "'{}' is not a path: write it like /api/v1, with a slash in front, none at the end, and letters, \
                     digits, '-', '.', '_', '~' between; or leave it empty",
                    self.base_path
                ),
            );
        }
        match &self.store {
            StoreSettings::Embedded { path } => {
                if let Some(what) = no_folder(path) {
                    fault("store.path", what);
                }
            }
            StoreSettings::Neo4j(neo4j) => neo4j.check(&mut |key, what| fault(&format!("store.{key}"), what)),
        }
        let (history, limits) = (&self.history, &self.limits);
        let day = 86_400;
        let ranges = [
            ("history.entries", history.entries, 1..=100_000_000),
            ("history.followers", history.followers as u64, 0..=1_000_000),
            ("history.heartbeat_seconds", history.heartbeat_seconds, 1..=day),
            ("limits.body_bytes", limits.body_bytes as u64, 1..=1 << 30),
            ("limits.request_seconds", limits.request_seconds, 1..=day),
            ("limits.header_bytes", limits.header_bytes as u64, 8192..=1 << 20),
            ("limits.header_seconds", limits.header_seconds, 1..=day),
            ("limits.idle_seconds", limits.idle_seconds, 1..=day),
            ("limits.connections", limits.connections as u64, 1..=1 << 20),
            ("limits.connections_per_client", limits.connections_per_client as u64, 1..=1 << 20),
            ("limits.notice_seconds", limits.notice_seconds, 0..=day),
            ("limits.drain_seconds", limits.drain_seconds, 0..=day),
        ];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                fault(key, format!("is {value}; allowed are {} to {}", range.start(), range.end()));
            }
        }
        if let Some(tls) = &self.tls
            && !(1..=day).contains(&tls.reload_seconds)
        {
            fault("tls.reload_seconds", format!("is {}; allowed are 1 to {day}", tls.reload_seconds));
        }
        self.auth.check(&mut |key, what| fault(&format!("auth.{key}"), what));
        if self.auth.token_bytes >= limits.header_bytes {
            fault(
                "auth.token_bytes",
                format!(
                    "is {}, and limits.header_bytes {}: such a token could not be sent; make the second one larger",
                    self.auth.token_bytes, limits.header_bytes
                ),
            );
        }
    }
}

/// Why the folder neither exists nor can be made; what only the attempt shows is left to the store.
fn no_folder(path: &Path) -> Option<String> {
    if path.as_os_str().is_empty() {
        return Some("is empty; name a folder".to_owned());
    }
    let existing = path.ancestors().find(|part| part.symlink_metadata().is_ok())?;
    match existing.metadata() {
        Ok(found) if !found.is_dir() => {
            Some(format!("'{}' is not a folder; name another one", existing.display()))
        }
        Ok(found) if found.permissions().readonly() => Some(format!(
            "nobody may write in '{}'; name another folder or change its permissions",
            existing.display()
        )),
        Ok(_) => None,
        Err(error) => Some(format!("'{}' cannot be used: {error}; name another folder", existing.display())),
    }
}

/// A section without content means its defaults.
fn section<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// One word of several; by way of a text, because the `config` crate does not say which words there are.
fn word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(deserializer)?.into_deserializer())
}

fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!(
            "'{text}' is not an IP address and a port; write it like 127.0.0.1:8000, 0.0.0.0:8000 or [::]:8000"
        ))
    })
}

#[cfg(test)]
mod tests;
