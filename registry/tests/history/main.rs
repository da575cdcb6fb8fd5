//! The change log over HTTP: pages, one node's history, and the stream.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "documents are put together from JSON that nobody else holds"
)]

#[path = "../common/mod.rs"]
mod common;
#[expect(dead_code, reason = "of the whole world")]
#[path = "../behaviour/world.rs"]
mod world;

mod following;
mod pages;
