//! Every numbered point of `openapi/contract/behaviour.md` that concerns the registry, over HTTP, with a real issuer
//! and a real store. The name of a test begins with the number of its point; `p40` (Kafka) is the feeder's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "documents are put together from JSON that nobody else holds"
)]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod deleting;
mod documents;
mod faults;
mod filters;
mod forms;
mod order;
mod patching;
mod pruning;
mod replacing;
mod shapes;
mod sharing;
mod stored;
mod world;
