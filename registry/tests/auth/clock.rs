//! A clock that is moved by hand.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use registry::auth::Clock;

/// When the tests begin: 2026-11-21T08:00:00Z.
pub const START: i64 = 1_795_248_000;

/// Stands still until it is moved.
pub struct ManualClock {
    now: AtomicI64,
    monotonic_seconds: AtomicU64,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self { now: AtomicI64::new(START), monotonic_seconds: AtomicU64::new(1000) }
    }
}

impl ManualClock {
    /// Time goes by.
    pub fn advance(&self, seconds: u64) {
        self.now.fetch_add(seconds.try_into().unwrap(), Ordering::SeqCst);
        self.monotonic_seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Somebody sets the computer's clock, forwards or back.
    pub fn set_by(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.monotonic_seconds.load(Ordering::SeqCst))
    }
}
