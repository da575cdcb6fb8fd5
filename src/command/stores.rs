//! Opening stores for commands that work while no registry runs.

use registry::{
    service::open_store,
    settings::{HistorySettings, StoreSettings},
    store::{Store, StoreError},
};
use std::sync::Arc;

/// Opens a store; an embedded one is made when there is none.
pub fn open(settings: &StoreSettings) -> Result<Arc<dyn Store>, String> {
    open_store(settings, HistorySettings::default().entries).map_err(|error| match error {
        StoreError::InUse { path } => format!(
            "the store in {path} is in use, by a running registry probably: stop it first (a shared store need not be \
             stopped)"
        ),
        other => other.to_string(),
    })
}

/// Opens a store that must be there.
pub fn existing(settings: &StoreSettings) -> Result<Arc<dyn Store>, String> {
    if let StoreSettings::Embedded { path } = settings
        && path.read_dir().map_or(true, |mut files| files.next().is_none())
    {
        return Err(format!("there is no store in {}: name the folder of one (store.path)", path.display()));
    }
    open(settings)
}
