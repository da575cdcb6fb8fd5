//! How often one client and one identity may ask.

use super::{ApiError, client::Network};
use crate::auth::{Clock, Identity};
use governor::{
    NotUntil, Quota, RateLimiter, clock, middleware::NoOpMiddleware, state::keyed::HashMapStateStore,
};
use serde::Deserialize;
use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long what was asked is remembered beyond its use, in seconds; bounds the memory.
const SWEEP_SECONDS: u64 = 30;

/// The `limits.rates` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateSettings {
    /// Requests in one second that one client address may go on making; 0: any number. IPv6: one /64 is one client.
    pub client_per_second: u32,
    /// How many of them it may make at once.
    pub client_burst: u32,
    /// The same for one identity, whatever address it uses.
    pub identity_per_second: u32,
    /// How many of them it may make at once.
    pub identity_burst: u32,
    /// As how many requests one with a refused token counts.
    pub refused_token_cost: u32,
    /// Clients that are not counted.
    pub exempt: Vec<Network>,
}

impl Default for RateSettings {
    fn default() -> Self {
        Self {
            client_per_second: 200,
            client_burst: 2000,
            identity_per_second: 200,
            identity_burst: 2000,
            refused_token_cost: 50,
            exempt: ["127.0.0.0/8", "::1"].iter().filter_map(|text| text.parse().ok()).collect(),
        }
    }
}

/// The monotonic time of the process, as the limiter wants it.
struct Time(Arc<dyn Clock>);

impl clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// One budget for each key.
struct Budgets<K: Hash + Eq + Clone>(RateLimiter<K, HashMapStateStore<K>, Time, NoOpMiddleware<Duration>>);

impl<K: Hash + Eq + Clone> Budgets<K> {
    fn new(per_second: u32, burst: u32, clock: &Arc<dyn Clock>) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(per_second)?);
        let quota = NonZeroU32::new(burst).map_or(quota, |burst| quota.allow_burst(burst));
        Some(Self(RateLimiter::hashmap_with_clock(quota, Time(Arc::clone(clock)))))
    }

    fn take(&self, key: &K) -> Result<(), ApiError> {
        let now = || clock::Clock::now(self.0.clock());
        let wait = |not: NotUntil<Duration>| ApiError::TooMany(not.wait_time_from(now()));
        self.0.check_key(key).map_err(wait)
    }

    /// Takes so much, or all there is.
    fn fine(&self, key: &K, cost: u32) {
        let whole = NonZeroU32::new(cost).map(|cost| self.0.check_key_n(key, cost));
        if !matches!(whole, None | Some(Ok(Ok(())))) {
            while self.0.check_key(key).is_ok() {}
        }
    }

    fn sweep(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

/// Who asked how often.
pub struct Throttle {
    clients: Option<Budgets<IpAddr>>,
    identities: Option<Budgets<u64>>,
    hasher: RandomState,
    refused_token_cost: u32,
    exempt: Vec<Network>,
    clock: Arc<dyn Clock>,
    next_sweep: AtomicU64,
}

impl Throttle {
    /// Nobody asked yet.
    pub fn new(settings: &RateSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            clients: Budgets::new(settings.client_per_second, settings.client_burst, &clock),
            identities: Budgets::new(settings.identity_per_second, settings.identity_burst, &clock),
            hasher: RandomState::new(),
            refused_token_cost: settings.refused_token_cost,
            exempt: settings.exempt.clone(),
            next_sweep: AtomicU64::new(0),
            clock,
        }
    }

    /// Whether this client is counted at all.
    pub fn counts(&self, client: IpAddr) -> bool {
        !self.exempt.iter().any(|network| network.contains(client))
    }

    /// One request of a client.
    pub(super) fn client(&self, client: IpAddr) -> Result<(), ApiError> {
        let Some(clients) = &self.clients else { return Ok(()) };
        let now = self.clock.monotonic();
        if now.as_secs() >= self.next_sweep.load(Ordering::Relaxed) {
            self.next_sweep.store(now.as_secs() + SWEEP_SECONDS, Ordering::Relaxed);
            clients.sweep();
            self.identities.iter().for_each(Budgets::sweep);
        }
        clients.take(&block(client))
    }

    /// The token of a client was refused: guessing is expensive.
    pub(super) fn refused(&self, client: IpAddr) {
        if let Some(clients) = &self.clients {
            clients.fine(&block(client), self.refused_token_cost);
        }
    }

    /// One request of an identity.
    pub(super) fn identity(&self, identity: &Identity) -> Result<(), ApiError> {
        let (Some(identities), Identity::Known(known)) = (&self.identities, identity) else { return Ok(()) };
        let key = self.hasher.hash_one((&known.issuer, &known.subject));
        identities.take(&key)
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("exempt", &self.exempt).finish_non_exhaustive()
    }
}

/// What counts as one client: an IPv4 address, or the IPv6 network that one subscriber gets.
pub(super) fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Hand(Mutex<Duration>);

    impl Clock for Hand {
        fn now(&self) -> i64 {
            0
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    fn throttle(client_per_second: u32, client_burst: u32) -> (Throttle, Arc<Hand>) {
        let hand = Arc::new(Hand::default());
        let settings = RateSettings { client_per_second, client_burst, ..RateSettings::default() };
        (Throttle::new(&settings, hand.clone()), hand)
    }

    fn taken(throttle: &Throttle, client: IpAddr) -> u32 {
        (0..10_000).take_while(|_| throttle.client(client).is_ok()).count().try_into().unwrap()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let (throttle, hand) = throttle(10, 25);
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert_eq!(taken(&throttle, one), 25);
        let Err(ApiError::TooMany(wait)) = throttle.client(one) else { panic!("not refused") };
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(taken(&throttle, other), 25, "others are others");
        *hand.0.lock().unwrap() += Duration::from_secs(1);
        assert_eq!(taken(&throttle, one), 10);
        *hand.0.lock().unwrap() += Duration::from_hours(1);
        assert_eq!(taken(&throttle, one), 25);
    }

    #[test]
    fn a_refused_token_is_expensive() {
        let client = [192, 0, 2, 1].into();
        for (fines, left) in [(0, 240), (1, 190), (4, 40), (5, 0), (100, 0)] {
            let (throttle, _) = throttle(100, 240);
            (0..fines).for_each(|_| throttle.refused(client));
            assert_eq!(taken(&throttle, client), left, "after {fines} fines");
        }
    }

    #[test]
    fn memory_is_given_back() {
        let (throttle, hand) = throttle(10, 10);
        for n in 0..5000_u32 {
            assert!(throttle.client(IpAddr::V4(n.into())).is_ok());
        }
        let clients = throttle.clients.as_ref().unwrap();
        assert!(clients.0.len() >= 5000);
        *hand.0.lock().unwrap() += Duration::from_secs(SWEEP_SECONDS + 1);
        assert!(throttle.client([192, 0, 2, 1].into()).is_ok());
        assert_eq!(clients.0.len(), 1);
    }

    #[test]
    fn what_one_client_is() {
        let block = |text: &str| block(text.parse().unwrap()).to_string();
        assert_eq!(block("192.0.2.1"), "192.0.2.1");
        assert_eq!(block("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(block("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn zero_is_without_bound() {
        let (throttle, _) = throttle(0, 0);
        assert!((0..10_000).all(|_| throttle.client([192, 0, 2, 1].into()).is_ok()));
        assert!(!throttle.counts([127, 0, 0, 1].into()) && throttle.counts([192, 0, 2, 1].into()));
    }
}
