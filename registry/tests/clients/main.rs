//! The existing clients of `openapi/contract/clients.md`, each with its requests in its order and spelling, and what
//! it depends on in the answers. (4, the provider-selector, reads the feeder's messages.)

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;

mod contract;
mod dashboard;
mod feeder;
mod orchestrator;
mod raw;
mod world;
