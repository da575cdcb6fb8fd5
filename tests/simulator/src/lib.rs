//! A simulated federation that speaks the real HTTP APIs, and a development-only issuer.
//!
//! Three ways to use it:
//!
//! * [`documents`]: whole provider documents of a federation of any size, without HTTP, for benchmarks and
//!   property tests; [`edit`] changes one of them at random and keeps it valid.

mod count;
mod document;
mod edit;
mod endpoints;
mod generate;
pub mod model;
mod names;

pub use count::Counts;
pub use document::{document, documents};
pub use edit::edit;
pub use generate::{Params, World};
