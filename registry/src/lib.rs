//! The registry: the graph in memory, its stores, the REST API.
pub mod answers;
pub mod api;
pub mod audit;
pub mod auth;
pub mod federation;
pub mod graph;
pub mod history;
pub mod notes;
pub mod offer;
pub mod progress;
pub mod reload;
pub mod service;
pub mod settings;
pub mod store;
pub mod sync;
pub mod transfer;
