//! Feeder and registry together: what could not be read stays, one feeder at a time, nothing by half.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod absence;
mod daemon;
mod endpoints;
mod faults;
mod feeding;
mod killed;
mod parts;
mod tls;
mod world;
