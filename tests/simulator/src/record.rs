//! What tests write down for the search for secrets at the end of all of them (`tests/secrets/scan.py`).

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::PathBuf,
    sync::{Mutex, Once},
};
use tracing_subscriber::EnvFilter;

/// Names the folder for logs in the environment.
const OUTPUT: &str = "FEDREG_TEST_OUTPUT";
/// Names the folder for secrets.
const SECRETS: &str = "FEDREG_TEST_SECRETS";

/// Writes all that this process logs into a file of its own, where the environment names a folder for that and nobody
/// else takes the log.
pub fn record_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if tracing::dispatcher::has_been_set() {
            return;
        }
        let Some(file) = folder(OUTPUT).and_then(|folder| create(&folder, "log")) else { return };
        let lines = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("info,registry=trace,feeder=trace,schema=trace"))
            .with_writer(Mutex::new(file))
            .with_ansi(false);
        // somebody else may have been faster
        let _ = lines.try_init();
    });
}

/// Has a secret looked for that has no form by which it would be found: an opaque token, for example.
pub fn register_secret(name: &str, value: &str) {
    let Some(folder) = folder(SECRETS) else { return };
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).open(folder.join(format!("{name}.{}", std::process::id())));
    let _ = file.and_then(|mut file| writeln!(file, "{value}"));
}

fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_dir())
}

fn create(folder: &std::path::Path, ending: &str) -> Option<File> {
    let program = std::env::current_exe().ok()?;
    let name = program.file_stem()?.to_string_lossy().into_owned();
    File::create(folder.join(format!("{name}.{}.{ending}", std::process::id()))).ok()
}
