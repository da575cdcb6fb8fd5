//! Verified tokens, by digest, so that a token that was seen before costs one hash and one look-up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The key: SHA-256 of the token. The token itself is not kept.
pub(super) type Digest = [u8; 32];

const SHARDS: usize = 16;

/// A bounded map. What was used lately stays: each shard has a young and an old half; a hit in the old half moves
/// to the young one, and when the young half is full the old one is dropped.
pub(super) struct Cache<V> {
    shards: [Mutex<Shard<V>>; SHARDS],
    /// Entries in one half of one shard.
    half: usize,
}

struct Shard<V> {
    young: HashMap<Digest, Arc<V>>,
    old: HashMap<Digest, Arc<V>>,
}

impl<V> Cache<V> {
    /// A cache for about so many entries: rounded up to a multiple of 32.
    pub fn new(entries: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard { young: HashMap::new(), old: HashMap::new() })),
            half: entries.div_ceil(2 * SHARDS),
        }
    }

    pub fn get(&self, digest: &Digest) -> Option<Arc<V>> {
        let mut shard = self.shard(digest);
        if let Some(value) = shard.young.get(digest) {
            return Some(value.clone());
        }
        let value = shard.old.remove(digest)?;
        shard.insert(*digest, value.clone(), self.half);
        Some(value)
    }

    /// Remembers a value; when another one is there already and is as good, that one stays and is returned, so that
    /// all who came together share one.
    pub fn insert(&self, digest: Digest, value: Arc<V>, as_good: impl Fn(&V) -> bool) -> Arc<V> {
        let mut shard = self.shard(&digest);
        if let Some(there) = shard.young.get(&digest).filter(|there| as_good(there)) {
            return there.clone();
        }
        shard.old.remove(&digest);
        shard.insert(digest, value.clone(), self.half);
        value
    }

    pub fn remove(&self, digest: &Digest) {
        let mut shard = self.shard(digest);
        shard.young.remove(digest);
        shard.old.remove(digest);
    }

    fn shard(&self, digest: &Digest) -> std::sync::MutexGuard<'_, Shard<V>> {
        // No code that can panic runs while the lock is held, so poison carries no information.
        self.shards[usize::from(digest[0]) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Shard<V> {
    fn insert(&mut self, digest: Digest, value: Arc<V>, half: usize) {
        if self.young.len() >= half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digests that all fall into one shard.
    fn digest(n: u32) -> Digest {
        let mut digest = [0; 32];
        digest[1..5].copy_from_slice(&n.to_be_bytes());
        digest
    }

    fn held(cache: &Cache<u32>) -> usize {
        cache
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap())
            .map(|shard| shard.young.len() + shard.old.len())
            .sum()
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::new(20 * SHARDS);
        for n in 0..1000 {
            cache.insert(digest(n), Arc::new(n), |_| false);
            assert_eq!(cache.get(&digest(0)).as_deref(), Some(&0), "after {n}");
            assert!(held(&cache) <= 20);
        }
        assert_eq!(cache.get(&digest(999)).as_deref(), Some(&999));
        assert_eq!(cache.get(&digest(500)), None);
    }

    #[test]
    fn one_entry_per_digest() {
        let cache = Cache::new(4 * SHARDS);
        for n in 0..3 {
            cache.insert(digest(n), Arc::new(n), |_| false);
        }
        assert_eq!(*cache.insert(digest(0), Arc::new(7), |there| *there == 1), 7);
        assert_eq!(*cache.insert(digest(0), Arc::new(8), |there| *there == 7), 7);
        assert_eq!(cache.get(&digest(0)).as_deref(), Some(&7));
        assert_eq!(held(&cache), 3);
        cache.remove(&digest(0));
        assert_eq!(cache.get(&digest(0)), None);
    }
}
