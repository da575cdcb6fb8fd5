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
/// a million faults is not answered with a larger one.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<Fault>,
    left_out: bool,
}

impl Faults {
    const MOST: usize = 1000;

    pub fn push(&mut self, fault: Fault) {
        if self.is_full() {
            self.left_out = true;
        } else {
            self.found.push(fault);
        }
    }

    /// Takes no more than there is room for.
    pub fn extend(&mut self, faults: impl Iterator<Item = Fault>) {
        for fault in faults {
            self.push(fault);
            if self.left_out {
                break;
            }
        }
    }

    /// Further ones are left out.
    pub fn is_full(&self) -> bool {
        self.found.len() >= Self::MOST
    }

    /// What was asked for when nothing is wrong, else all that is.
    pub fn unless<T>(mut self, good: T) -> Result<T, Vec<Fault>> {
        if self.left_out {
            let msg = format!("there are more faults: these are the first {}", Self::MOST);
            self.found.push(Fault::body(msg, "value_error.more"));
        }
        if self.found.is_empty() { Ok(good) } else { Err(self.found) }
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
