//! From what somebody wants to the change set that makes it so.

mod delete;
mod document;
mod draft;
mod patch;

pub use delete::delete;
pub use document::{create, replace};
pub use patch::patch;

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
