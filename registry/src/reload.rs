//! Values that are made of files, and made anew when the files change.

use arc_swap::ArcSwap;
use std::{
    fmt::Display,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// A file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be read: {why}. Let this user read it, or name another file")]
pub struct Unreadable {
    path: String,
    why: String,
}

type Make<T, E> = dyn Fn(&[Vec<u8>]) -> Result<T, E> + Send + Sync;
type Contents = Result<Vec<Vec<u8>>, Unreadable>;

/// What was made of some files the last time that it could be.
pub struct Reloaded<T, E> {
    what: &'static str,
    files: Vec<PathBuf>,
    make: Box<Make<T, E>>,
    current: ArcSwap<T>,
    known: Mutex<Contents>,
}

impl<T: Send + Sync, E: Display + From<Unreadable>> Reloaded<T, E> {
    /// Reads the files; `make` gets their contents in the same order. `what` is a word for the log and the metrics.
    pub fn load(
        what: &'static str,
        files: Vec<PathBuf>,
        make: impl Fn(&[Vec<u8>]) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let known = read(&files);
        let current = make(&known.clone()?)?;
        let current = ArcSwap::from_pointee(current);
        Ok(Self { what, files, make: Box::new(make), current, known: Mutex::new(known) })
    }

    /// The value.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Looks at the files again and again. What cannot be used is told once, and the value stays that was good.
    pub async fn keep_current(&self, every: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            self.look();
        }
    }

    fn look(&self) {
        let found = read(&self.files);
        // No code that can panic runs while the lock is held, so poison carries no information.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if found == *known {
            return;
        }
        (*known).clone_from(&found);
        drop(known);
        let outcome = match found.map_err(E::from).and_then(|contents| (self.make)(&contents)) {
            Ok(value) => {
                self.current.store(Arc::new(value));
                tracing::info!("the {} changed and is in use", self.what);
                "ok"
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    "the {} changed and cannot be used; the one before stays in use until that is mended", self.what
                );
                "failed"
            }
        };
        metrics::counter!("fedreg_reloads_total", "what" => self.what, "outcome" => outcome).increment(1);
    }
}

fn read(files: &[PathBuf]) -> Contents {
    let read = |path: &PathBuf| {
        std::fs::read(path)
            .map_err(|why| Unreadable { path: path.display().to_string(), why: why.to_string() })
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, thiserror::Error)]
    enum Wrong {
        #[error(transparent)]
        File(#[from] Unreadable),
        #[error("no number")]
        Number,
    }

    #[test]
    fn what_is_good_is_taken_and_what_is_not_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("number");
        let load = || {
            Reloaded::load("number", vec![file.clone()], |contents| {
                String::from_utf8_lossy(&contents[0]).trim().parse::<u8>().map_err(|_| Wrong::Number)
            })
        };
        let missing = load().err().unwrap().to_string();
        assert!(missing.contains("number cannot be read: No such file"), "{missing}");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(load().err(), Some(Wrong::Number));
        std::fs::write(&file, "1").unwrap();
        let number = load().unwrap();
        for (text, expected) in [("2", 2), ("x", 2), ("", 2), ("2", 2), ("3\n", 3)] {
            std::fs::write(&file, text).unwrap();
            number.look();
            assert_eq!(*number.current(), expected, "{text:?}");
        }
        std::fs::remove_file(&file).unwrap();
        number.look();
        assert_eq!(*number.current(), 3);
    }
}
