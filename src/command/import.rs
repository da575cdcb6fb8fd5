//! `fedreg import`

use super::{Config, failed, settings, stores};
use clap::Args;
use registry::transfer::{self, lines};
use schema::Schema;
use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Fill an empty store with a graph that was exported.
///
/// Uids, order of creation and revision stay as they are. The graph gets a new life (epoch): clients that remember
/// something newer than the export read anew.
#[derive(Args)]
pub struct Import {
    #[command(flatten)]
    config: Config,
    /// The file, or - for standard input.
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Put it in the place of what the store holds, which is then lost.
    #[arg(long)]
    replace: bool,
    /// Keep the epoch: right only when nothing was written since the export.
    #[arg(long)]
    keep_epoch: bool,
}

impl Import {
    /// Reads the file, fills the store, and compares.
    pub async fn run(self) -> ExitCode {
        let loaded = match settings(&self.config) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let read = if self.from == Path::new("-") {
            lines::read(std::io::stdin().lock(), Schema::get())
        } else {
            File::open(&self.from)
                .map_err(Into::into)
                .and_then(|file| lines::read(BufReader::new(file), Schema::get()))
        };
        let mut contents = match read {
            Ok(contents) => contents,
            Err(error) => return failed(&format!("{}: {error}", self.from.display())),
        };
        if !self.keep_epoch {
            transfer::new_life(&mut contents.loaded);
        }
        let store = match stores::open(&loaded.settings.store) {
            Ok(store) => store,
            Err(error) => return failed(&error),
        };
        match transfer::put(Schema::get(), &*store, contents, self.replace).await {
            Ok(arrived) => {
                let (nodes, revision) = (arrived.graph.len(), arrived.revision);
                eprintln!("fedreg: {nodes} nodes at revision {revision} imported and compared: all is equal");
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error),
        }
    }
}
