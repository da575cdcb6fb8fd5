//! How far something long is: told in the log once a second, never for what takes less than a second.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const EVERY: Duration = Duration::from_secs(1);

/// Counts what is done of a whole.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    of: u64,
    done: AtomicU64,
    began: Instant,
    told: Mutex<Instant>,
}

impl Progress {
    /// Begins: `what` is done to this many nodes, relations and others.
    pub fn new(what: &'static str, of: usize) -> Self {
        let now = Instant::now();
        Self { what, of: of as u64, done: AtomicU64::new(0), began: now, told: Mutex::new(now) }
    }

    /// So many more are done.
    pub fn add(&self, more: usize) {
        let (what, of) = (self.what, self.of);
        let done = self.done.fetch_add(more as u64, Ordering::Relaxed) + more as u64;
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.elapsed() >= EVERY {
            *told = Instant::now();
            let percent = (done * 100).checked_div(of).unwrap_or_default().min(100);
            tracing::info!(done, of, "{what}: {done} of {of} ({percent} %)");
        }
    }

    /// How many are done, and since when it runs.
    pub fn done(&self) -> (u64, Duration) {
        (self.done.load(Ordering::Relaxed), self.began.elapsed())
    }
}
