//! `fedreg migrate`

use super::{failed, stores};
use clap::Args;
use registry::{
    settings::{LogSettings, Settings, StoreSettings},
    transfer,
};
use schema::Schema;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Move a graph from one store to another: from a folder to Neo4j, and back.
///
/// Uids, order, revision, epoch and change log stay as they are, so that no client notices. Stop the registries first.
/// At the end both stores are compared.
#[derive(Args)]
pub struct Migrate {
    /// From where: the folder of an embedded store, or a settings file whose store it is.
    #[arg(long, value_name = "FOLDER|SETTINGS")]
    from: PathBuf,
    /// Where to, likewise.
    #[arg(long, value_name = "FOLDER|SETTINGS")]
    to: PathBuf,
    /// Put it in the place of what the target holds, which is then lost.
    #[arg(long)]
    replace: bool,
    /// Leave the change log behind.
    #[arg(long)]
    without_log: bool,
}

impl Migrate {
    /// Copies and compares.
    pub async fn run(self) -> ExitCode {
        crate::logging::start(&LogSettings::default());
        let stores = [&self.from, &self.to].map(|place| store(place));
        let (from, to) = match stores {
            [Ok(from), Ok(to)] => (from, to),
            [Err(error), _] | [_, Err(error)] => return failed(&error),
        };
        if self.from.canonicalize().is_ok_and(|from| self.to.canonicalize().is_ok_and(|to| from == to)) {
            return failed(&"--from and --to are the same");
        }
        let source = match stores::existing(&from) {
            Ok(store) => store,
            Err(error) => return failed(&error),
        };
        let contents = match transfer::take(&*source, !self.without_log).await {
            Ok(contents) => contents,
            Err(error) => return failed(&error),
        };
        let (epoch, revision) = (contents.loaded.epoch.clone(), contents.loaded.revision);
        let target = match stores::open(&to) {
            Ok(store) => store,
            Err(error) => return failed(&error),
        };
        let arrived = match transfer::put(Schema::get(), &*target, contents, self.replace).await {
            Ok(arrived) => arrived,
            Err(error) => return failed(&error),
        };
        // a registry that was not stopped would write on in the old place
        match source.head().await {
            Ok(head) if (&head.epoch, head.revision) == (&epoch, revision) => {}
            Ok(_) => return failed(&transfer::TransferError::Moved),
            Err(error) => return failed(&transfer::TransferError::Source(error)),
        }
        let nodes = arrived.graph.len();
        eprintln!("fedreg: {nodes} nodes at revision {revision} moved and compared: both sides are equal");
        ExitCode::SUCCESS
    }
}

/// The store of a folder or of a settings file.
fn store(place: &Path) -> Result<StoreSettings, String> {
    let is_file = place.is_file() || place.extension().is_some_and(|name| name == "yaml" || name == "yml");
    if !is_file {
        return Ok(StoreSettings::Embedded { path: place.to_owned() });
    }
    let loaded = Settings::load(Some(place)).map_err(|error| error.to_string())?;
    Ok(loaded.settings.store)
}
