//! A circuit breaker for each site: one that keeps failing is left alone for a while, then tried with one connection.
//!
//! It outlives a run, so that a site which is down for a day costs a scheduled feeder one connection now and then,
//! and not the full patience for each of its projects at every run.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};

use crate::{
    inventory::{Connection, ProviderKey},
    limits::Limits,
    reading::{Fault, FaultClass, Listing, Reading},
    run::Reader,
    transport::fault,
};

/// The breakers of all sites.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<BTreeMap<ProviderKey, Arc<Breaker>>>);

impl Breakers {
    /// That of a site.
    pub fn of(&self, site: &ProviderKey) -> Arc<Breaker> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(site.clone()).or_default())
    }
}

/// The breaker of one site.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: Mutex<State>,
    /// Held by the connection that tries whether the site is back.
    probe: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Connections in a row that the site did not answer.
    failures: u32,
    /// Left alone until then; none while it is asked as usual.
    until: Option<Instant>,
    /// How long it was left alone the last time.
    rest: Duration,
    last: String,
}

enum Door {
    Closed,
    /// One connection may try.
    HalfOpen,
    Open(Fault),
}

impl Breaker {
    fn door(&self, now: Instant) -> Door {
        let state = self.state();
        let Some(until) = state.until else { return Door::Closed };
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            return Door::HalfOpen;
        }
        let back = Utc::now() + TimeDelta::from_std(left).unwrap_or_default();
        let why = format!(
            "left alone until {} UTC, because it did not answer {} times in a row ({})",
            back.format("%H:%M:%S"),
            state.failures,
            state.last
        );
        Door::Open(fault("site", FaultClass::Unavailable, why))
    }

    fn note(&self, site: &str, reading: &Reading, limits: &Limits, now: Instant) {
        let mut state = self.state();
        let Some(failed) = unanswered(reading) else {
            if state.until.is_some() {
                tracing::info!(provider = site, "answers again");
            }
            *state = State::default();
            return;
        };
        state.failures += 1;
        state.last = failed.to_string();
        let half_open = state.until.is_some_and(|until| until <= now);
        if limits.failures > 0 && (half_open || (state.until.is_none() && state.failures >= limits.failures))
        {
            state.rest = (state.rest * 2).max(limits.rest).min(limits.longest_rest.max(limits.rest));
            state.until = Some(now + state.rest);
            tracing::warn!(
                provider = site,
                failures = state.failures,
                rest_seconds = state.rest.as_secs(),
                reason = state.last,
                "keeps failing; left alone for a while"
            );
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nothing at all was answered; none when anything was. A refusal is an answer.
fn unanswered(reading: &Reading) -> Option<&Fault> {
    use FaultClass::{Timeout, Unavailable, Unreachable};
    let silent = |fault: &Fault| matches!(fault.class, Timeout | Unavailable | Unreachable);
    match &reading.services {
        Listing::Unknown(fault) => Some(fault).filter(|fault| silent(fault)),
        Listing::Absent => None,
        Listing::Complete(services) => {
            let lists = services.iter().flat_map(|service| &service.lists);
            let faults: Option<Vec<_>> = lists
                .map(|(_, list)| match list {
                    Listing::Unknown(fault) if silent(fault) => Some(fault),
                    _ => None,
                })
                .collect();
            faults?.first().copied()
        }
    }
}

/// A reader behind a breaker.
pub(crate) struct Guarded {
    pub reader: Box<dyn Reader>,
    pub breaker: Arc<Breaker>,
    pub limits: Limits,
    pub clock: Clock,
}

/// What time it is.
pub(crate) type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

#[async_trait]
impl Reader for Guarded {
    async fn read(&self, connection: &Connection) -> Reading {
        let read = async {
            let reading = self.reader.read(connection).await;
            self.breaker.note(&connection.provider, &reading, &self.limits, (self.clock)());
            reading
        };
        match self.breaker.door((self.clock)()) {
            Door::Closed => read.await,
            Door::Open(fault) => Reading::unknown(connection, &fault),
            Door::HalfOpen => {
                // the others wait for what the first one finds
                let probe = self.breaker.probe.lock().await;
                match self.breaker.door((self.clock)()) {
                    Door::Closed => {
                        drop(probe);
                        read.await
                    }
                    Door::Open(fault) => Reading::unknown(connection, &fault),
                    Door::HalfOpen => read.await,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::testing::{provider, reading, timeout};

    #[derive(Default)]
    struct Cloud {
        up: AtomicBool,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl Reader for Arc<Cloud> {
        async fn read(&self, connection: &Connection) -> Reading {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let up = self.up.load(Ordering::SeqCst);
            if up { reading(connection, vec![]) } else { Reading::unknown(connection, &timeout()) }
        }
    }

    async fn all(guarded: &Guarded, connections: &[Connection]) -> usize {
        let readings = futures::future::join_all(connections.iter().map(|one| guarded.read(one))).await;
        readings.iter().filter(|reading| matches!(reading.services, Listing::Complete(_))).count()
    }

    #[tokio::test]
    async fn a_site_that_keeps_failing_is_tried_with_one_connection_now_and_then() {
        let cloud = Arc::new(Cloud::default());
        let limits = Limits { failures: 4, ..Limits::default() };
        let provider = provider(1, 10);
        let breakers = Breakers::default();
        let now = Arc::new(Mutex::new(Instant::now()));
        let advance = |seconds| *now.lock().unwrap() += Duration::from_secs(seconds);
        let clock = Arc::clone(&now);
        let clock: Clock = Arc::new(move || *clock.lock().unwrap());
        let guarded = || Guarded {
            clock: Arc::clone(&clock),
            reader: Box::new(Arc::clone(&cloud)),
            breaker: breakers.of(&provider.key),
            limits: limits.clone(),
        };
        let asked = || cloud.asked.swap(0, Ordering::SeqCst);
        for one in &provider.connections {
            guarded().read(one).await;
        }
        assert_eq!(asked(), 4);
        let last = guarded().read(&provider.connections[0]).await;
        let Listing::Unknown(fault) = last.services else { panic!("{last:?}") };
        assert!(
            fault.why.contains("did not answer 4 times in a row (GET /flavors/detail: no answer"),
            "{fault}"
        );
        // it doubles: 1, 2, 4, 8, then 15 minutes
        for minutes in [1, 2, 4, 8, 15, 15] {
            advance(minutes * 60 - 1);
            assert_eq!((all(&guarded(), &provider.connections).await, asked()), (0, 0), "{minutes}");
            advance(1);
            assert_eq!((all(&guarded(), &provider.connections).await, asked()), (0, 1), "{minutes}");
        }
        advance(15 * 60);
        cloud.up.store(true, Ordering::SeqCst);
        assert_eq!((all(&guarded(), &provider.connections).await, asked()), (10, 10));
        cloud.up.store(false, Ordering::SeqCst);
        guarded().read(&provider.connections[0]).await;
        cloud.up.store(true, Ordering::SeqCst);
        assert_eq!(all(&guarded(), &provider.connections).await, 10, "one failure is none");
    }
}
