//! What is wrong with the settings, said so that it can be mended.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use config::ConfigError;

/// Names closer than this to a known one are taken for misspellings (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.8;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file is not there, or may not be read.
    #[error("The configuration file '{}' cannot be read: {source}. Check the path and its permissions.", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not YAML.
    #[error("The configuration file '{}' is not valid YAML: {reason}.", .file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What the parser said, with line and column.
        reason: String,
    },
    /// Keys or values are wrong.
    #[error("{}", .0.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<Fault>),
}

/// One key or value that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it was given.
    pub origin: Origin,
    /// The key, like `auth.issuers[0].audiences`.
    pub key: String,
    /// What is wrong and what is allowed.
    pub what: String,
}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the configuration file.
    File(PathBuf),
    /// In this environment variable.
    Environment(String),
    /// Nowhere: it is a default, or it is missing.
    Default,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, what } = self;
        match origin {
            Origin::File(file) => write!(f, "{}: {key}: {what}.", display(file)),
            Origin::Environment(name) => write!(f, "Environment variable {name}: {what}."),
            Origin::Default => write!(f, "Configuration: {key}: {what}."),
        }
    }
}

fn display(file: &Path) -> impl fmt::Display {
    file.display()
}

/// Key and complaint out of an error of the `config` crate.
pub(super) fn explain(error: ConfigError) -> (String, String) {
    // The crate writes `issuers[0]issuer`.
    let mend = |key: Option<String>| {
        let key = key.unwrap_or_default().replace(']', "].").replace("].[", "][").replace("]..", "].");
        key.strip_suffix('.').map(str::to_owned).unwrap_or(key)
    };
    match error {
        ConfigError::At { error, key, .. } => {
            let (inner, what) = explain(*error);
            (join(mend(key), &inner), what)
        }
        ConfigError::Type { unexpected, expected, key, .. } => {
            (mend(key), format!("{expected} is expected, not {unexpected}"))
        }
        ConfigError::NotFound(key) => (mend(Some(key)), "is missing".to_owned()),
        ConfigError::Message(text) => match Unknown::parse(&text) {
            Some(unknown) if unknown.is_key => (unknown.name.to_owned(), unknown.explain()),
            Some(unknown) => (String::new(), unknown.explain()),
            None => (String::new(), text),
        },
        other => (String::new(), other.to_string()),
    }
}

fn join(outer: String, inner: &str) -> String {
    // The crate names the unknown key itself in some places and its section in others.
    if outer.is_empty() || outer == inner || outer.ends_with(&format!(".{inner}")) {
        if outer.is_empty() { inner.to_owned() } else { outer }
    } else if inner.is_empty() || inner.starts_with('[') {
        outer + inner
    } else {
        outer + "." + inner
    }
}

/// serde's complaint about a name that it does not know: "unknown field `a`, expected `b` or `c`".
struct Unknown<'a> {
    is_key: bool,
    name: &'a str,
    known: Vec<&'a str>,
}

impl<'a> Unknown<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (is_key, rest) = match text.strip_prefix("unknown field `") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("unknown variant `")?),
        };
        let (name, rest) = rest.split_once("`, ")?;
        Some(Self { is_key, name, known: rest.split('`').skip(1).step_by(2).collect() })
    }

    fn explain(&self) -> String {
        let score = |known: &&str| strsim::jaro_winkler(&self.name.to_lowercase(), known);
        let nearest = self.known.iter().copied().max_by(|a, b| score(a).total_cmp(&score(b)));
        let hint = match nearest.filter(|nearest| score(nearest) >= SIMILAR) {
            Some(nearest) => format!("; did you mean '{nearest}'? Known: "),
            None => "; known: ".to_owned(),
        };
        let what = if self.is_key { "is not a known key" } else { "is not a known value" };
        format!("'{}' {what}{hint}{}", self.name, self.known.join(", "))
    }
}
