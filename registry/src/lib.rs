//! The registry: the graph in memory, its stores, the REST API.
pub mod graph;
pub mod answers;
pub mod federation;
pub mod store;
pub mod auth;
pub mod settings;
pub mod api;
