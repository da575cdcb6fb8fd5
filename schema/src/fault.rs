//! What is wrong with a query or a document, in the form that existing clients read.

use serde::Serialize;

/// One step of the way to a fault: a name, or a place in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Loc {
    /// A member of an object, or `body` and `query`.
    Key(String),
    /// A place in a list; in a body that is no JSON, the offset in bytes.
    Index(usize),
}

impl From<&str> for Loc {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Loc {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// One fault: an item of the `detail` of a 422 answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where.
    pub loc: Vec<Loc>,
    /// What is wrong, for people.
    pub msg: String,
    /// What is wrong, for programs.
    #[serde(rename = "type")]
    pub ty: &'static str,
}

impl Fault {
    /// A fault of a query parameter.
    pub fn query(name: &str, msg: impl Into<String>, ty: &'static str) -> Self {
        Self { loc: vec!["query".into(), name.into()], msg: msg.into(), ty }
    }

    /// A fault of a whole body.
    pub fn body(msg: impl Into<String>, ty: &'static str) -> Self {
        Self { loc: vec!["body".into()], msg: msg.into(), ty }
    }
}

/// Faults in the order in which they are found. All of them, up to a number that nobody reads to its end: a body of
/// a million faults is not answered with a larger one, nor read further.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    const MOST: usize = 1000;

    pub fn push(&mut self, fault: Fault) {
        if !self.is_full() {
            self.0.push(fault);
        }
    }

    /// Takes no more than there is room for.
    pub fn extend(&mut self, faults: impl Iterator<Item = Fault>) {
        self.0.extend(faults.take(Self::MOST - self.0.len()));
    }

    /// No further ones are taken.
    pub fn is_full(&self) -> bool {
        self.0.len() >= Self::MOST
    }

    /// What was asked for when nothing is wrong, else all that is.
    pub fn unless<T>(mut self, good: T) -> Result<T, Vec<Fault>> {
        if self.is_full() {
            let msg = format!("there may be more faults: these are the first {}", Self::MOST);
            self.0.push(Fault::body(msg, "value_error.more"));
        }
        if self.0.is_empty() { Ok(good) } else { Err(self.0) }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, step) in self.loc.iter().enumerate() {
            match step {
                Loc::Key(key) if i == 0 => write!(f, "{key}")?,
                Loc::Key(key) => write!(f, ".{key}")?,
                Loc::Index(index) => write!(f, "[{index}]")?,
            }
        }
        write!(f, ": {}", self.msg)
    }
}
