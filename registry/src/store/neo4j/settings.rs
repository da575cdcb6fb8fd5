//! Where the database is and how to get in.

use super::{
    super::StoreError,
    connect::{ROWS, STATEMENT},
};
use neo4rs::{ConfigBuilder, Error, Graph};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use url::Url;

const SCHEMES: &[&str] = &["bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc"];
const PORT: u16 = 7687;
/// Rows in one portion of an answer.
const FETCH: usize = 1_000;

/// The section `store` when its `kind` is `neo4j`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neo4jSettings {
    /// `bolt://host:7687`; `bolt+s` for TLS.
    pub url: String,
    /// The user.
    #[serde(default = "neo4j")]
    pub user: String,
    /// The password; from the environment only.
    #[serde(default)]
    pub password: Option<SecretString>,
    /// A file that holds the password, and nothing else.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The database within the server.
    #[serde(default = "neo4j")]
    pub database: String,
    /// A PEM file with the certificates of the authority that signed the server's; without it those of the system count.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// A file that keeps the last known graph, to be served when the database is not there at the start.
    #[serde(default)]
    pub snapshot: Option<PathBuf>,
}

fn neo4j() -> String {
    "neo4j".to_owned()
}

impl Neo4jSettings {
    /// Reports what is wrong with the values: `fault(key, what)`.
    pub fn check(&self, fault: &mut dyn FnMut(&str, String)) {
        match Url::parse(&self.url) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => fault(
                "url",
                "holds a user or a password, which logs would show; give them as user and password_file"
                    .to_owned(),
            ),
            Ok(url) if !SCHEMES.contains(&url.scheme()) || url.host().is_none() => {
                fault("url", unusable(&self.url));
            }
            Ok(url)
                if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() =>
            {
                fault(
                    "url",
                    format!(
                        "'{}' holds more than a host and a port; name the database as database",
                        self.url
                    ),
                );
            }
            Ok(url) if self.ca.is_some() && !matches!(url.scheme(), "bolt+s" | "neo4j+s") => {
                let secure = format!("{}+s", url.scheme().trim_end_matches("+ssc"));
                fault(
                    "ca",
                    format!(
                        "means nothing with {}, which checks no certificate; write {secure}",
                        url.scheme()
                    ),
                );
            }
            Ok(_) => {}
            Err(_) => fault("url", unusable(&self.url)),
        }
        for (key, value) in [("user", &self.user), ("database", &self.database)] {
            if value.is_empty() {
                fault(key, "is empty; leave it out for neo4j".to_owned());
            }
        }
        match (&self.password, &self.password_file) {
            (Some(_), Some(_)) => {
                fault("password", "is given besides password_file; give one of them".to_owned());
            }
            (None, None) => fault(
                "password_file",
                "is missing; name a file that holds the password, or give FEDREG__STORE__PASSWORD".to_owned(),
            ),
            (Some(password), None) if password.expose_secret().is_empty() => {
                fault("password", "is empty".to_owned());
            }
            (None, Some(file)) => {
                if let Err(why) = read_password(file) {
                    fault("password_file", why);
                }
            }
            (Some(_), None) => {}
        }
        if let Some(why) = self.ca.as_ref().and_then(|file| no_certificates(file)) {
            fault("ca", why);
        }
    }

    /// The password, read anew from its file.
    fn secret(&self) -> Result<SecretString, StoreError> {
        match (&self.password, &self.password_file) {
            (Some(password), _) => Ok(password.clone()),
            (None, Some(file)) => read_password(file)
                .map_err(|why| StoreError::Misconfigured(format!("store.password_file: {why}"))),
            (None, None) => {
                Err(StoreError::Misconfigured("no password is given (store.password_file)".to_owned()))
            }
        }
    }

    /// So many connections at most, to come when they are needed. No I/O yet.
    pub fn pool(&self, connections: usize) -> Result<Graph, StoreError> {
        let mut config = ConfigBuilder::default()
            .uri(&self.url)
            .user(&self.user)
            .password(self.secret()?.expose_secret())
            .db(self.database.as_str())
            .fetch_size(FETCH)
            .max_connections(connections)
            .connection_timeout(ROWS)
            // in this driver: how long to wait for a connection when all are in use
            .max_lifetime(STATEMENT);
        if let Some(ca) = &self.ca {
            config = config.with_client_certificate(ca);
        }
        let unusable =
            |error: Error| StoreError::Misconfigured(format!("{}: {error} (store.url)", self.address()));
        Graph::connect(config.build().map_err(unusable)?).map_err(unusable)
    }

    /// Scheme, host and port: what messages show.
    pub fn address(&self) -> String {
        Url::parse(&self.url).map_or_else(
            |_| "Neo4j".to_owned(),
            |url| {
                format!(
                    "{}://{}:{}",
                    url.scheme(),
                    url.host_str().unwrap_or_default(),
                    url.port().unwrap_or(PORT)
                )
            },
        )
    }
}

fn unusable(url: &str) -> String {
    // not repeated where it may hold a password
    let shown = if url.contains('@') { "it" } else { url };
    format!(
        "'{shown}' is not the address of a Neo4j server; write it like bolt://host:7687, or bolt+s://host:7687 with TLS"
    )
}

fn read_password(file: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(file).map_err(|why| {
        format!("'{}' cannot be read: {why}; check the path and its permissions", file.display())
    })?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("'{}' is empty; write the password into it", file.display())),
        password => Ok(password.into()),
    }
}

fn no_certificates(file: &Path) -> Option<String> {
    match std::fs::read_to_string(file) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => None,
        Ok(_) => Some(format!("'{}' holds no certificate in PEM form", file.display())),
        Err(why) => {
            Some(format!("'{}' cannot be read: {why}; check the path and its permissions", file.display()))
        }
    }
}
