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
