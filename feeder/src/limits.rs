//! How much a reader may take: of a provider's patience, of our time and of our memory.

use std::time::Duration;

/// The bounds of everything that a reader does to one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// To connect.
    pub connect: Duration,
    /// One request, from sending it to the last byte of the answer.
    pub request: Duration,
    /// One connection (provider, region, project) as a whole; what is not read by then is unknown.
    pub connection: Duration,
    /// Requests at once to one provider.
    pub concurrency: usize,
    /// Items asked for in one page; providers give fewer when they want to.
    pub page_size: u32,
    /// Pages of one list.
    pub pages: usize,
    /// Bytes of one list, all pages together, after decompression; and of all answers of the provider that are being
    /// read at once.
    pub bytes: usize,
    /// Further tries after a transient failure.
    pub retries: u32,
    /// Pause before the first further try; it doubles each time.
    pub pause: Duration,
    /// Longest pause. A provider that asks for a longer one (`Retry-After`) is left alone until the next run.
    pub longest_pause: Duration,
    /// After so many connections in a row that the provider did not answer it is left alone; 0: never.
    pub failures: u32,
    /// For how long at first; it doubles each time that the provider still does not answer.
    pub rest: Duration,
    /// For how long at most.
    pub longest_rest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            connection: Duration::from_mins(5),
            concurrency: 8,
            page_size: 500,
            pages: 200,
            bytes: 64 << 20,
            retries: 2,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            failures: 5,
            rest: Duration::from_mins(1),
            longest_rest: Duration::from_mins(15),
        }
    }
}

impl Limits {
    /// How long to wait before the given further try (1 is the first); `None`: give up.
    ///
    /// `asked` is what the provider asked for, `dice` a random number from 0 to 1: many connections that failed
    /// together must not come back together.
    pub(crate) fn pause_before(&self, retry: u32, asked: Duration, dice: f64) -> Option<Duration> {
        if retry > self.retries || asked > self.longest_pause {
            return None;
        }
        let doubled = self.pause.saturating_mul(1 << (retry - 1).min(16)).min(self.longest_pause);
        Some(asked + doubled.mul_f64(0.5 + dice / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            retries: 3,
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(3),
            ..Limits::default()
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_are_spread() {
        let pauses = |dice| {
            [1, 2, 3, 4]
                .map(|retry| limits().pause_before(retry, Duration::ZERO, dice).map(|p| p.as_millis()))
        };
        assert_eq!(pauses(0.0), [Some(500), Some(1000), Some(1500), None]);
        assert_eq!(pauses(1.0), [Some(1000), Some(2000), Some(3000), None]);
    }

    #[test]
    fn what_the_provider_asks_for_is_the_least_and_too_much_is_not_waited_for() {
        let asked = |seconds| limits().pause_before(1, Duration::from_secs(seconds), 0.0);
        assert_eq!(asked(2), Some(Duration::from_millis(2500)));
        assert_eq!(asked(4), None);
    }
}
