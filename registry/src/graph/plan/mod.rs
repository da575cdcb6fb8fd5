//! From what somebody wants to the change set that makes it so.

mod delete;
mod document;
mod draft;
mod patch;
mod unknown;

pub use delete::delete;
pub use document::{create, replace, replace_known};
pub use patch::patch;
pub use unknown::{Scope, Unknown};

use schema::Fault;

/// Why a wanted change cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It would break a key, or take what belongs to somebody else: 409.
    #[error("{0}")]
    Conflict(String),
    /// It breaks rules: 422, with every fault.
    #[error("{} faults", .0.len())]
    Invalid(Vec<Fault>),
}
