//! Places for requests: so many at once at one site, and so many over all sites.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::Limits;

/// Places over all sites.
#[derive(Debug, Clone)]
pub(crate) struct Overall(Arc<Semaphore>);

impl Overall {
    /// So many requests at once.
    pub fn new(requests: usize) -> Self {
        Self(Arc::new(Semaphore::new(requests)))
    }
}

impl Default for Overall {
    /// More than any single site is asked at once.
    fn default() -> Self {
        Self::new(Semaphore::MAX_PERMITS)
    }
}

/// What all requests to one site share.
#[derive(Debug)]
pub(crate) struct Gate {
    own: Semaphore,
    /// One request of each site needs no place among all, so that no site waits for what others keep.
    first: Semaphore,
    all: Overall,
    /// Bytes of answers that are being read, and how many there may be.
    held: AtomicUsize,
    bytes: usize,
}

/// A place; it is free again when dropped.
pub(crate) struct Place<'a> {
    _own: SemaphorePermit<'a>,
    _of_all: SemaphorePermit<'a>,
}

/// Bytes of an answer that is being read.
pub(crate) struct Held<'a> {
    gate: &'a Gate,
    bytes: usize,
}

impl Gate {
    /// For the requests to one site.
    pub fn new(limits: &Limits, all: &Overall) -> Self {
        Self {
            own: Semaphore::new(limits.concurrency.max(1)),
            first: Semaphore::new(1),
            all: all.clone(),
            held: AtomicUsize::new(0),
            bytes: limits.bytes,
        }
    }

    /// Waits for a place. `None` never comes: nobody closes a gate.
    pub async fn enter(&self) -> Option<Place<'_>> {
        let own = self.own.acquire().await.ok()?;
        let of_all = tokio::select! {
            biased;
            first = self.first.acquire() => first,
            of_all = self.all.0.acquire() => of_all,
        };
        Some(Place { _own: own, _of_all: of_all.ok()? })
    }

    /// Nothing is held yet.
    pub fn hold(&self) -> Held<'_> {
        Held { gate: self, bytes: 0 }
    }
}

impl Held<'_> {
    /// Whether there is room for more.
    pub fn more(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        self.gate.held.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.gate.bytes
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.gate.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn sites_share_the_places_but_each_always_has_one() {
        let all = Overall::new(2);
        let limits = Limits { concurrency: 8, ..Limits::default() };
        let (one, other) = (Gate::new(&limits, &all), Gate::new(&limits, &all));
        let mut places: Vec<_> = (0..3).map(|_| one.enter().now_or_never().unwrap()).collect();
        assert!(one.enter().now_or_never().is_none(), "its own one and both of all");
        let first = other.enter().now_or_never();
        assert!(first.is_some() && other.enter().now_or_never().is_none());
        places.pop();
        assert!(other.enter().now_or_never().is_some());
    }

    #[test]
    fn answers_of_a_site_are_bounded_together() {
        let gate = Gate::new(&Limits { bytes: 100, ..Limits::default() }, &Overall::default());
        let (mut a, mut b) = (gate.hold(), gate.hold());
        assert!(a.more(60) && b.more(40) && !b.more(1));
        drop(b);
        assert!(a.more(40));
        drop(a);
        assert_eq!(gate.held.load(Ordering::Relaxed), 0);
    }
}
