//! `fedreg export`

use super::{Config, failed, settings, stores};
use clap::Args;
use registry::{
    federation::Snapshot,
    progress::Progress,
    store::Contents,
    transfer::{self, lines},
};
use schema::Schema;
use std::{
    error::Error,
    fs::File,
    io::{BufWriter, IntoInnerError, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Write the whole graph into a file, as lines of JSON: a backup.
///
/// The embedded store can be exported while no registry runs on it; a shared one at any time.
#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    config: Config,
    /// The file, or - for standard output. A file takes its name when it is complete.
    #[arg(value_name = "FILE")]
    to: PathBuf,
    /// The change log too.
    #[arg(long)]
    log: bool,
}

impl Export {
    /// Writes it.
    pub async fn run(self) -> ExitCode {
        let loaded = match settings(&self.config) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let contents = match stores::existing(&loaded.settings.store) {
            Ok(store) => transfer::take(&*store, self.log).await,
            Err(error) => return failed(&error),
        };
        let contents = match contents {
            Ok(contents) => contents,
            Err(error) => return failed(&error),
        };
        match write(contents, &self.to) {
            Ok(told) => {
                eprintln!("fedreg: {told}");
                ExitCode::SUCCESS
            }
            Err(error) => failed(&format!("{} cannot be written: {error}", self.to.display())),
        }
    }
}

fn write(contents: Contents, to: &Path) -> Result<String, Box<dyn Error>> {
    let Contents { loaded, log } = contents;
    let snapshot = Snapshot::of(Schema::get(), loaded, 0)?;
    let progress = Progress::new("exporting", snapshot.graph.len() + log.len());
    if to == Path::new("-") {
        let mut out = BufWriter::new(std::io::stdout().lock());
        lines::write(&mut out, &snapshot, &log, &progress)?;
        out.flush()?;
    } else {
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut out = BufWriter::new(tempfile::NamedTempFile::new_in(folder)?);
        lines::write(&mut out, &snapshot, &log, &progress)?;
        let file = out.into_inner().map_err(IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(to)?;
        File::open(folder)?.sync_all()?;
    }
    Ok(format!(
        "{} nodes, {} notes and {} log entries at revision {} exported to {}",
        snapshot.graph.len(),
        snapshot.notes.under("").count(),
        log.len(),
        snapshot.revision,
        to.display()
    ))
}
