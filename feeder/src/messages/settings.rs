//! Which topic, and how to get there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::{MessagesError, Version};
use crate::inventory::SecretSource;

/// The section `feeder.kafka`; without it no message is sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The brokers to begin with: `host:port`, several with commas between.
    pub bootstrap_servers: String,
    /// The topic.
    #[serde(default = "topic")]
    pub topic: String,
    /// The version of the messages.
    #[serde(default)]
    pub msg_version: Version,
    /// The largest message, in bytes before compression; as large as the topic's `max.message.bytes` allows.
    #[serde(default = "message_bytes")]
    pub message_bytes: usize,
    /// A message that says nothing new is sent again after so many hours; 0: at every run.
    #[serde(default = "repeat_hours")]
    pub repeat_hours: u32,
    /// How many seconds a broker may take to acknowledge a message.
    #[serde(default = "send_seconds")]
    pub send_seconds: u32,
    /// How the connection is protected.
    #[serde(default)]
    pub protocol: Protocol,
    /// A file with the certificates (PEM) of the authorities to trust, instead of the system's.
    pub ca_path: Option<PathBuf>,
    /// A file with the feeder's own certificate (PEM), where brokers ask for one.
    pub certificate_path: Option<PathBuf>,
    /// A file with its private key (PEM).
    pub key_path: Option<PathBuf>,
    /// A file with the password of that key.
    pub key_password_file: Option<PathBuf>,
    /// SASL's mechanism.
    #[serde(default)]
    pub mechanism: Mechanism,
    /// SASL's user.
    pub username: Option<String>,
    /// A file with the user's password.
    pub password_file: Option<PathBuf>,
    /// Instead: the environment variable that has it.
    pub password_env: Option<String>,
}

fn topic() -> String {
    "federation-registry-feeder".to_owned()
}
fn message_bytes() -> usize {
    1_000_000
}
fn repeat_hours() -> u32 {
    24
}
fn send_seconds() -> u32 {
    10
}

/// How the connection to a broker is protected (`security.protocol`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Not at all.
    #[default]
    Plaintext,
    /// TLS; with a certificate of its own where brokers ask for one.
    Ssl,
    /// User and password over a connection that is not encrypted.
    SaslPlaintext,
    /// User and password over TLS.
    SaslSsl,
}

impl Protocol {
    /// As librdkafka writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    /// With user and password.
    pub fn has_user(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// How user and password are shown (`sasl.mechanism`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// As they are.
    #[serde(rename = "PLAIN")]
    Plain,
    /// By a challenge, SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    Scram256,
    /// By a challenge, SHA-512.
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    Scram512,
}

impl Mechanism {
    /// As librdkafka writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram256 => "SCRAM-SHA-256",
            Self::Scram512 => "SCRAM-SHA-512",
        }
    }
}

impl Settings {
    /// After how long a message that says nothing new is sent again.
    pub fn repeat(&self) -> Duration {
        Duration::from_hours(self.repeat_hours.into())
    }

    /// What is wrong with them, without asking anybody.
    pub fn check(&self) -> Result<(), MessagesError> {
        let wrong = |what: &str| Err(MessagesError::Settings(what.to_owned()));
        if self.bootstrap_servers.trim().is_empty() {
            return wrong("`bootstrap_servers` is empty: write `host:port`, several with commas between");
        }
        if self.message_bytes < 1024 || self.message_bytes > 1 << 30 {
            return wrong("`message_bytes` must be between 1024 and 1073741824");
        }
        if self.send_seconds == 0 {
            return wrong("`send_seconds` is 0: write at least 1");
        }
        if self.protocol.has_user() != self.username.is_some() {
            return wrong(
                "`username` and a `protocol` with SASL (sasl_ssl, sasl_plaintext) go together: give both or neither",
            );
        }
        if self.certificate_path.is_some() != self.key_path.is_some() {
            return wrong("`certificate_path` and `key_path` go together: give both or neither");
        }
        self.password().map(|_| ()).map_err(MessagesError::Settings)
    }

    /// The user's password; none without a user.
    pub fn password(&self) -> Result<Option<SecretString>, String> {
        if self.username.is_none() {
            return Ok(None);
        }
        let source = SecretSource {
            name: "password",
            value: None,
            file: self.password_file.as_ref(),
            env: self.password_env.as_deref(),
        };
        let password = source.get(Path::new(""), &|name| std::env::var(name).ok());
        password.map(Some).map_err(|missing| missing.message)
    }

    /// The password of the private key; none without a file for it.
    pub fn key_password(&self) -> Result<Option<SecretString>, String> {
        let source = SecretSource {
            name: "key_password",
            value: None,
            file: self.key_password_file.as_ref(),
            env: None,
        };
        if source.is_absent() {
            return Ok(None);
        }
        source.get(Path::new(""), &|_| None).map(Some).map_err(|missing| missing.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(mut settings: Value) -> Result<(), String> {
        settings["bootstrap_servers"] = json!("kafka.example.org:9093");
        let settings: Settings = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        settings.check().map_err(|error| error.to_string())
    }

    #[test]
    fn what_contradicts_itself_is_told() {
        assert_eq!(check(json!({})), Ok(()));
        assert_eq!(check(json!({"protocol": "ssl", "ca_path": "/etc/ca.pem"})), Ok(()));
        let wrong = [
            (json!({"protocol": "sasl_ssl"}), "`username` and a `protocol` with SASL"),
            (json!({"username": "feeder"}), "`username` and a `protocol` with SASL"),
            (
                json!({"protocol": "sasl_ssl", "username": "feeder"}),
                "there is no password: add `password_file`",
            ),
            (json!({"certificate_path": "c.pem"}), "`certificate_path` and `key_path` go together"),
            (json!({"message_bytes": 10}), "`message_bytes` must be between"),
            (json!({"msg_version": "2.0.0"}), "unknown variant `2.0.0`, expected one of `1.2.0`"),
            (json!({"mechanism": "GSSAPI"}), "unknown variant `GSSAPI`"),
            (json!({"topics": "t"}), "unknown field `topics`"),
        ];
        for (settings, says) in wrong {
            let said = check(settings.clone()).unwrap_err();
            assert!(said.contains(says), "{settings}: {said}");
        }
    }
}
