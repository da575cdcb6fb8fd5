//! Faults of the provider files: which file, line and column, the lines around, and what to do.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use garde::Validate;
use serde::{Deserialize, Deserializer};
use serde_saphyr::{DefaultMessageFormatter, Error, Localizer, MessageFormatter, Options};

use super::ProviderKey;
use super::redact::redact;

/// One fault of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file.
    pub file: PathBuf,
    /// Line and column, from 1; none when the whole file is meant.
    pub place: Option<(u64, u64)>,
    /// The entry, `openstack[0].projects[1].sla`; empty when the whole file is meant.
    pub entry: String,
    /// What is wrong and what to do, without the place.
    pub message: String,
    /// The providers that cannot be read because of it; none when it is not known which the file names.
    pub providers: Vec<ProviderKey>,
    rendered: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rendered.trim_end())
    }
}

impl std::error::Error for ConfigFault {}

impl ConfigFault {
    /// A fault of a whole file or folder: it cannot be read.
    pub(super) fn of_file(file: PathBuf, message: String) -> Self {
        let rendered = format!("error: {}: {message}", file.display());
        Self { file, place: None, entry: String::new(), message, providers: Vec::new(), rendered }
    }
}

/// A file's text, without its secrets: whatever is quoted from it can be shown.
#[derive(Debug, Clone)]
pub struct Source {
    file: Arc<PathBuf>,
    text: Arc<str>,
}

/// What is wrong with an entry that could be read: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The entry, `openstack[0].projects[1].sla`.
    pub at: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Source {
    /// A file as it was read.
    pub fn new(file: PathBuf, text: &str) -> Self {
        Self { file: Arc::new(file), text: redact(text).into() }
    }

    /// The fault of a file that is not understood at all. The error itself is not shown: it can quote a secret.
    /// The same fault is found in the text without secrets.
    pub fn not_understood<T: for<'de> Deserialize<'de>>(&self, error: &Error) -> ConfigFault {
        let place = line_and_column(error);
        let (message, rendered) = match serde_saphyr::from_str::<T>(&self.text) {
            Err(same) if line_and_column(&same) == place => {
                (Wording.format_message(same.without_snippet()).into_owned(), self.render(&same))
            }
            _ => {
                let message = "a secret is not written as a text; put it in double quotes".to_owned();
                let (line, column) = place.unwrap_or((1, 1));
                let rendered = format!("error: {message}\n  --> {}:{line}:{column}", self.file.display());
                (message, rendered)
            }
        };
        ConfigFault {
            file: self.file.to_path_buf(),
            place,
            entry: String::new(),
            message,
            providers: Vec::new(),
            rendered,
        }
    }

    /// The fault of one entry.
    pub fn fault(&self, issue: &Issue, providers: Vec<ProviderKey>) -> ConfigFault {
        let located = serde_saphyr::from_str_with_options_context_valid::<Located>(
            &self.text,
            Options::default(),
            issue,
        );
        let (place, rendered) = match located {
            Err(error) => (line_and_column(&error), self.render(&error)),
            Ok(_) => (None, format!("error: {}: {}: {}", self.file.display(), issue.at, issue.message)),
        };
        let Issue { at, message } = issue.clone();
        ConfigFault { file: self.file.to_path_buf(), place, entry: at, message, providers, rendered }
    }

    fn render(&self, error: &Error) -> String {
        let name = self.file.display().to_string();
        error.render_with_options(serde_saphyr::render_options! {
            formatter: &Wording,
            source_name: Some(&name),
        })
    }
}

fn line_and_column(error: &Error) -> Option<(u64, u64)> {
    error.location().map(|place| (place.line(), place.column()))
}

/// Any file; "checking" it gives the issue in hand, so that the parser adds the place and the lines around.
struct Located;

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree::deserialize(deserializer).map(|_| Self)
    }
}

impl Validate for Located {
    type Context = Issue;

    fn validate_into(&self, issue: &Issue, _: &mut dyn FnMut() -> garde::Path, report: &mut garde::Report) {
        report.append(path(&issue.at), garde::Error::new(&issue.message));
    }
}

/// Walks a whole document: the parser remembers the places of what is visited.
struct Tree;

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                while map.next_entry::<String, Tree>()?.is_some() {}
                Ok(Tree)
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                while list.next_element::<Tree>()?.is_some() {}
                Ok(Tree)
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
                Tree::deserialize(deserializer)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree)
            }
            fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree)
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree)
            }
            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// `openstack[0].auth_url` as the validation library writes it.
fn path(at: &str) -> garde::Path {
    at.split('.').filter(|step| !step.is_empty()).fold(garde::Path::empty(), |path, step| {
        let mut parts = step.split('[');
        let path = path.join(parts.next().unwrap_or_default());
        let places = parts.filter_map(|place| place.trim_end_matches(']').parse::<usize>().ok());
        places.fold(path, |path, place| path.join(place))
    })
}

/// The parser's messages, in words that say what to do.
struct Wording;

impl MessageFormatter for Wording {
    fn localizer(&self) -> &dyn Localizer {
        self
    }

    fn format_message<'a>(&self, error: &'a Error) -> Cow<'a, str> {
        match error {
            Error::SerdeUnknownField { field, expected, .. } => unknown("field", field, expected).into(),
            Error::SerdeUnknownVariant { variant, expected, .. } => {
                unknown("value", variant, expected).into()
            }
            Error::SerdeMissingField { field, .. } => {
                format!("`{field}` is missing: add it to this entry (is it indented like its neighbours?)")
                    .into()
            }
            Error::InvalidScalar { ty, .. } => {
                let what = match *ty {
                    ty if ty.contains("float") => "a number",
                    ty if ty.contains("bool") => "true or false",
                    _ => "a whole number",
                };
                format!("this must be {what}").into()
            }
            Error::Unexpected { expected: "string scalar", .. } => {
                "this must be a single value: a text or a number".into()
            }
            Error::DuplicateMappingKey { key: Some(key), .. } => {
                format!("`{key}` stands here twice: keep one of them").into()
            }
            Error::MultipleDocuments { .. } => {
                "a second `---` document: write one document for each file".into()
            }
            _ => match DefaultMessageFormatter.format_message(error) {
                tab if tab.ends_with("found a tab") => format!("{tab}: indent with spaces").into(),
                message => message,
            },
        }
    }
}

impl Localizer for Wording {
    fn validation_base_message(&self, entry: &str, resolved_path: &str) -> String {
        format!("{resolved_path}: {entry}")
    }
}

/// `unknown field `nam`: did you mean `name`?`
pub(super) fn unknown(what: &str, written: &str, known: &[&str]) -> String {
    let expected = known.join("`, `");
    match nearest(written, known.iter().copied()) {
        Some(near) => {
            format!("unknown {what} `{written}`: did you mean `{near}`? (expected one of `{expected}`)")
        }
        None => format!("unknown {what} `{written}`, expected one of `{expected}`"),
    }
}

/// The candidate that is nearest to what somebody wrote, when it is near.
pub(super) fn nearest<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this two names are not likely to be meant for each other.
    const NEAR: f64 = 0.8;
    candidates
        .map(|candidate| {
            (strsim::jaro_winkler(&written.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(likeness, _)| *likeness > NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
