//! The last known graph in a file beside the process: what is served while a shared store cannot be reached at the start.

use super::{Federation, Held, Snapshot};
use crate::{
    progress::Progress,
    transfer::lines::{self, LinesError},
};
use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// The least time between two writings.
const AT_LEAST: Duration = Duration::from_secs(10);
/// Writing takes at most one part in so many of all time.
const SHARE: u32 = 20;

impl Federation {
    /// Serves what the file says until the store is reached, to be read only. Says whether there was a file.
    pub async fn serve_file(&self, path: &Path) -> Result<bool, LinesError> {
        let (schema, file) = (self.schema, path.to_owned());
        let read = tokio::task::spawn_blocking(move || match File::open(&file) {
            Ok(file) => lines::read(BufReader::new(file), schema).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        });
        let Some(contents) = read.await.map_err(io::Error::other)?? else { return Ok(false) };
        let snapshot = Snapshot::of(self.schema, contents.loaded, self.answer_bytes)?;
        let (nodes, revision) = (snapshot.graph.len(), snapshot.revision);
        if self.standing.borrow().held == Held::Nothing {
            self.replace(snapshot, Held::File);
            tracing::warn!(
                nodes,
                revision,
                "serving {nodes} nodes of {}, read-only, until the store is reached",
                path.display()
            );
        }
        Ok(true)
    }

    /// Writes the graph into the file after it changed, again and again, and once more at the end.
    pub async fn keep_file(self: Arc<Self>, path: PathBuf, stop: CancellationToken) {
        let mut moved = self.moved();
        let mut kept = String::new();
        loop {
            let (began, snapshot) = (Instant::now(), self.snapshot());
            moved.mark_unchanged();
            if self.standing.borrow().held == Held::Store && snapshot.position() != kept {
                let (file, position) = (path.clone(), snapshot.position());
                let written = tokio::task::spawn_blocking(move || write(&file, &snapshot)).await;
                match written.unwrap_or_else(|broken| Err(io::Error::other(broken))) {
                    Ok(()) => kept = position,
                    Err(error) => {
                        tracing::error!(%error, "the graph could not be written to {}", path.display());
                    }
                }
            }
            if stop.is_cancelled() {
                return;
            }
            let pause = (began.elapsed() * SHARE).max(AT_LEAST);
            tokio::select! {
                () = stop.cancelled() => {}
                () = async { sleep(pause).await; let _ = moved.changed().await; } => {}
            }
        }
    }
}

/// Whole or not at all: into a file beside it, which then takes its name.
fn write(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    let mut out = BufWriter::new(File::create(&new)?);
    let progress = Progress::new("writing the graph to its file", snapshot.graph.len());
    lines::write(&mut out, snapshot, &[], &progress)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}
