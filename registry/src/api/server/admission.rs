//! How many connections there may be at once.

use crate::api::{client::Proxies, throttle::block};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts connections: all, and those of each client.
#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    most_of_one: usize,
    /// They bring the connections of many clients.
    proxies: Proxies,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A connection that was admitted, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    client: Option<IpAddr>,
}

impl Admission {
    pub fn new(most: usize, most_of_one: usize, proxies: Proxies) -> Self {
        Self { most, most_of_one, proxies, open: Mutex::default() }
    }

    /// A place for one more connection, or the bound that is reached.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Place, &'static str> {
        let client = (!self.proxies.trust(peer)).then(|| block(peer));
        let mut open = self.open();
        if open.all >= self.most {
            return Err("limits.connections");
        }
        if let Some(client) = client {
            let of_one = open.by_client.entry(client).or_default();
            if *of_one >= self.most_of_one {
                return Err("limits.connections_per_client");
            }
            *of_one += 1;
        }
        open.all += 1;
        Ok(Place { admission: Arc::clone(self), client })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // No code that can panic runs while the lock is held, so poison carries no information.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        open.all -= 1;
        if let Some(client) = self.client
            && let Some(of_one) = open.by_client.get_mut(&client)
        {
            *of_one -= 1;
            if *of_one == 0 {
                open.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let proxies = Proxies { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Proxies::default() };
        let admission = Arc::new(Admission::new(5, 2, proxies));
        let admit = |peer: &str| admission.admit(peer.parse().unwrap());
        let (one, two) = (admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap());
        assert_eq!(admit("2001:db8::3").unwrap_err(), "limits.connections_per_client");
        let of_proxy: Vec<_> = (0..3).map(|_| admit("10.0.0.1").unwrap()).collect();
        assert_eq!(admit("10.0.0.1").unwrap_err(), "limits.connections");
        assert_eq!(admit("192.0.2.1").unwrap_err(), "limits.connections");
        drop(one);
        let three = admit("2001:db8::3").unwrap();
        drop((two, three, of_proxy));
        let open = admission.open();
        assert_eq!((open.all, open.by_client.len()), (0, 0));
    }
}
