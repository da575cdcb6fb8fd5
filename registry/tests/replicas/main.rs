//! Several registries on one store, and a store that fails in every way: what is acknowledged stays, everybody sees the
//! same, reads go on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;

mod flaky;
mod following;
mod http;
mod model;
mod moving;
#[cfg(feature = "real-neo4j")]
mod proxy;
#[cfg(feature = "real-neo4j")]
mod real;
#[cfg(feature = "real-neo4j")]
#[path = "../common/server.rs"]
mod server;
mod troubles;
mod world;
