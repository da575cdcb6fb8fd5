//! Defaults, file, environment: layered, read, checked.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat};
use serde::de::DeserializeOwned;

use super::error::explain;
use super::{Fault, Origin, Settings, SettingsError, StoreSettings};
use crate::auth::{IssuerSettings, IssuerUrl, Rule};

const PREFIX: &str = "FEDREG";
const SEPARATOR: &str = "__";

/// The settings, and what they were read from.
#[derive(Debug)]
pub struct Loaded {
    /// The registry's own.
    pub settings: Settings,
    layers: Layers,
}

struct Layers {
    config: Config,
    file: Option<PathBuf>,
    environment: HashMap<String, String>,
}

impl std::fmt::Debug for Layers {
    /// Not the values: other sections and the environment may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layers").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Loads from a file, if one is given, and an environment. [`Settings::load`] takes that of the process.
    pub fn new(path: Option<&Path>, environment: HashMap<String, String>) -> Result<Self, SettingsError> {
        let layers = Layers::read(path, environment)?;
        let mut settings: Settings =
            layers.config.clone().try_deserialize().map_err(|e| layers.wrong("", e))?;
        let mut faults = layers.add_legacy(&mut settings);
        settings.check(&mut |key, what| faults.push(layers.fault(key.to_owned(), what)));
        if matches!(&settings.store, StoreSettings::Neo4j(neo4j) if neo4j.password.is_some()) {
            let fault = layers.fault(
                "store.password".to_owned(),
                "is not read from a file that others may see: name a file that holds only the password as \
                 store.password_file, or give FEDREG__STORE__PASSWORD"
                    .to_owned(),
            );
            faults.extend(Some(fault).filter(|fault| matches!(fault.origin, Origin::File(_))));
        }
        if faults.is_empty() { Ok(Self { settings, layers }) } else { Err(SettingsError::Wrong(faults)) }
    }

    /// Reads a section that belongs to another part of the program, with the same errors as all others. A section
    /// that is not there reads as an empty one.
    pub fn section<T: DeserializeOwned>(&self, key: &str) -> Result<T, SettingsError> {
        let section = match self.layers.config.get::<config::Value>(key) {
            Ok(value) if value.kind != config::ValueKind::Nil => value,
            _ => config::Map::<String, config::Value>::new().into(),
        };
        section.try_deserialize().map_err(|e| self.layers.wrong(key, e))
    }

    /// The file, if there was one.
    pub fn file(&self) -> Option<&Path> {
        self.layers.file.as_deref()
    }
}

impl Layers {
    fn read(path: Option<&Path>, environment: HashMap<String, String>) -> Result<Self, SettingsError> {
        // Only the kind: the keys beside it differ from kind to kind and have their defaults there.
        let mut builder = Config::builder().set_default("store.kind", "embedded");
        if let Some(file) = path {
            let text = std::fs::read_to_string(file)
                .map_err(|source| SettingsError::Unreadable { file: file.to_owned(), source })?;
            builder = builder.map(|builder| builder.add_source(File::from_str(&text, FileFormat::Yaml)));
        }
        let variables = environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let variables = Environment::with_prefix(PREFIX)
            .prefix_separator(SEPARATOR)
            .separator(SEPARATOR)
            .ignore_empty(true)
            .source(Some(variables));
        let file = path.map(Path::to_owned);
        match builder.and_then(|builder| builder.add_source(variables).build()) {
            Ok(config) => Ok(Self { config, file, environment }),
            Err(error) => {
                let reason = match error {
                    ConfigError::FileParse { cause, .. } => cause.to_string(),
                    other => other.to_string(),
                };
                Err(SettingsError::Syntax { file: file.unwrap_or_default(), reason })
            }
        }
    }

    fn wrong(&self, section: &str, error: ConfigError) -> SettingsError {
        let (key, what) = explain(error);
        let dot = if section.is_empty() || key.is_empty() { "" } else { "." };
        SettingsError::Wrong(vec![self.fault(format!("{section}{dot}{key}"), what)])
    }

    fn fault(&self, key: String, what: String) -> Fault {
        Fault { origin: self.origin(&key), key, what }
    }

    /// The variable that gave the value, or one that gave something below it; else the file.
    fn origin(&self, key: &str) -> Origin {
        let wanted = format!("{PREFIX}{SEPARATOR}{}", key.replace('.', SEPARATOR)).to_uppercase();
        let given = |name: &&String| {
            let name = name.to_uppercase();
            name == wanted || name.starts_with(&format!("{wanted}{SEPARATOR}"))
        };
        match (self.environment.keys().filter(given).min(), &self.file) {
            (Some(name), _) => Origin::Environment(name.clone()),
            (None, Some(file)) => Origin::File(file.clone()),
            (None, None) => Origin::Default,
        }
    }

    /// The variables of earlier deployments add to what the file says.
    fn add_legacy(&self, settings: &mut Settings) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |name: &str, what| {
            faults.push(Fault { origin: Origin::Environment(name.to_owned()), key: name.to_owned(), what });
        };
        for (name, issuer) in self.list("TRUSTED_IDP_LIST", &mut fault) {
            match issuer.parse::<IssuerUrl>() {
                Ok(issuer) if settings.auth.issuers.iter().any(|known| known.issuer == issuer) => {}
                Ok(issuer) => settings.auth.issuers.push(IssuerSettings::new(issuer)),
                Err(what) => fault(name, what),
            }
        }
        for (name, email) in self.list("ADMIN_EMAIL_LIST", &mut fault) {
            if email.contains('@') {
                settings.auth.administrators.push(Rule::email(email));
            } else {
                fault(name, format!("'{email}' is not an e-mail address"));
            }
        }
        faults
    }

    /// A list in a variable: a JSON array, or texts with commas between them.
    fn list(&self, name: &'static str, fault: &mut impl FnMut(&str, String)) -> Vec<(&'static str, String)> {
        let text = self.environment.get(name).map_or("", |text| text.trim());
        let list = if text.starts_with('[') {
            serde_json::from_str(text).unwrap_or_else(|error| {
                fault(
                    name,
                    format!("it is not a JSON list of texts ({error}); write [\"one\", \"two\"] or one,two"),
                );
                Vec::new()
            })
        } else {
            text.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
        };
        list.into_iter().map(|one| (name, one)).collect()
    }
}
