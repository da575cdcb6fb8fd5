//! What the registry knows of the feeder's work: how fresh each scope is, the runs, who may write. Kept as notes beside
//! the graph, so that one transaction holds what was read and that it was read. No I/O.

use crate::{
    graph::{change::Note, uid::Uid},
    notes::Notes,
    offer,
};

pub mod difference;
pub mod freshness;
pub mod lease;
pub mod provider;
pub mod runs;

/// The change that forgets all notes of a provider: it goes with the provider.
pub fn forget(notes: &Notes, provider: Uid) -> impl Iterator<Item = Note> {
    let keys = [freshness::UNDER, offer::UNDER].map(|under| format!("{under}{provider}"));
    keys.into_iter().filter(|key| notes.get(key).is_some()).map(|key| Note { key, value: None })
}
