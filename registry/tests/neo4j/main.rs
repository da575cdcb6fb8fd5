//! The Neo4j store against a real server: what is committed is there, whole, once, and as the earlier registry
//! writes it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/server.rs"]
mod server;
#[path = "../common/store.rs"]
mod store;

mod adoption;
mod commits;
mod python;
mod tls;
mod troubles;
