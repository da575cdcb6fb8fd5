//! What the registry answers to a feeder, as both sides know it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// What became of a provider, or would become on a dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The provider's uid; on a dry run that adds it, none.
    pub uid: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Nodes that are new.
    pub added: usize,
    /// Nodes with other values or relations.
    pub changed: usize,
    /// Nodes that are gone.
    pub removed: usize,
    /// What was not removed, because it is too much at once.
    pub held_back: Option<HeldBack>,
    /// The provider's status from now on.
    pub status: String,
    /// Whether how fresh it is was kept too; else the record of the run must tell it.
    pub recorded: bool,
    /// Names what the change does, whoever computes it.
    pub digest: String,
    /// What the change does, node by node; on dry runs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Difference>>,
}

/// See [`Done`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A new provider.
    Created,
    /// Something changed.
    Updated,
    /// All was so already.
    NotModified,
    /// It is gone.
    Removed,
}

/// A part of a run that was not done, because it would have removed too much at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldBack {
    /// Nodes that would go.
    pub remove: usize,
    /// Of how many that the provider has.
    pub of: usize,
    /// Which part may go at once, from 0 to 1.
    pub limit: f64,
}

/// What becomes of one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Added, changed, removed.
    pub action: Action,
    /// Its entity: `Flavor`.
    pub kind: String,
    /// Its name, or what stands for it.
    pub name: String,
    /// Its id at its provider, where it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uuid: String,
    /// Where it stands: region, then service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    /// Each field that changes: `old` and `new`; of a node that is added only `new`, of relations what is added and removed.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Json>,
}

/// See [`Difference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is new.
    Add,
    /// It gets other values or relations.
    Change,
    /// It goes.
    Remove,
}
