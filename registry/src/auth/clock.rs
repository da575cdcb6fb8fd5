//! Where the time comes from; tests bring a clock that they move by hand.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The two times that decisions depend on.
pub trait Clock: Send + Sync + 'static {
    /// Seconds since 1970-01-01T00:00:00Z: what `exp` and `nbf` are compared with. It may be set back.
    fn now(&self) -> i64;

    /// Time since an arbitrary moment, never going back: what ages and cool-downs are measured with.
    fn monotonic(&self) -> Duration;
}

/// The computer's own clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        // A clock before 1970 makes every token "not yet valid" or unexpired by decades; i64::MAX refuses all of them.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok())
            .unwrap_or(i64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
