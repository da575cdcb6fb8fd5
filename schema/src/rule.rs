//! Rules between the fields of one entity: checked in documents and after a patch.

use crate::value::Value;

/// A rule that values broke: the field to name, and what is wrong.
pub struct Broken {
    /// The field at which clients look for the fault.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub msg: String,
}

/// Looks at the values by field name; says what they break. Null, also in the place of what could not be read,
/// breaks nothing.
pub type Rule = fn(&dyn Fn(&str) -> Value) -> Option<Broken>;
