//! The entities of the federation, each declared once, and all that is derived from the declarations:
//! query filters, validation of documents, JSON shapes, OpenAPI schemas, Neo4j labels and properties, sorting and
//! patching. No I/O.
//!
//! Start reading at [`entity`]: a declaration says everything about an entity. [`Schema`] compiles them.

pub mod access;
pub mod country;
pub mod document;
pub mod entity;
pub mod fault;
pub mod feeding;
pub mod field;
pub mod filter;
pub mod openapi;
pub mod read;
pub mod relation;
pub mod rule;
mod schema;
pub mod value;
pub mod view;

pub use access::{Access, Operation, Role};
pub use entity::{Entity, Kind, Projects};
pub use fault::{Fault, Loc};
pub use field::Field;
pub use schema::{EntityInfo, Expansion, RelationId, RelationInfo, Schema, Slot};
pub use value::Value;
pub use view::{Audience, Plain};

/// The candidate that is nearest to what somebody wrote, when it is near. Long texts are near to nothing, and take
/// no time to compare.
pub(crate) fn nearest<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 100;
    if written.len() > LONGEST {
        return None;
    }
    candidates
        .map(|candidate| {
            (strsim::jaro_winkler(&written.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
