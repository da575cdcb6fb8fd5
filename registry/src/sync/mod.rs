//! What the registry knows of the feeder's work: how fresh each scope is, the runs, who may write. Kept as notes beside
//! the graph, so that one transaction holds what was read and that it was read. No I/O.

pub mod difference;
pub mod freshness;
pub mod lease;
pub mod provider;
pub mod runs;
