//! The registry: the graph in memory, its stores, the REST API.
