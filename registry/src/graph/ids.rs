//! Sets of places, in order: small ones in one block, large ones in a persistent tree.

use imbl::OrdSet;

/// Below this many a set is copied whole; from it on a change costs O(log n).
const FEW: usize = 48;

/// A set of places in the arena, in order of creation.
#[derive(Debug, Clone)]
pub enum Ids {
    /// Up to [`FEW`], sorted.
    Few(Box<[u32]>),
    /// More.
    Many(Box<OrdSet<u32>>),
}

impl Default for Ids {
    fn default() -> Self {
        Self::Few(Box::default())
    }
}

impl Ids {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    /// None.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first in order of creation.
    pub fn first(&self) -> Option<u32> {
        self.iter().next()
    }

    /// Whether a place is in it.
    pub fn contains(&self, id: u32) -> bool {
        match self {
            Self::Few(few) => few.binary_search(&id).is_ok(),
            Self::Many(many) => many.contains(&id),
        }
    }

    /// In order of creation.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let (few, many) = match self {
            Self::Few(few) => (Some(few.iter()), None),
            Self::Many(many) => (None, Some(many.iter())),
        };
        few.into_iter().flatten().chain(many.into_iter().flatten()).copied()
    }

    /// Adds a place.
    pub fn insert(&mut self, id: u32) {
        match self {
            Self::Few(few) => {
                let Err(at) = few.binary_search(&id) else { return };
                if few.len() < FEW {
                    let mut grown = Vec::with_capacity(few.len() + 1);
                    grown.extend_from_slice(&few[..at]);
                    grown.push(id);
                    grown.extend_from_slice(&few[at..]);
                    *few = grown.into();
                } else {
                    let many: OrdSet<u32> = few.iter().copied().chain([id]).collect();
                    *self = Self::Many(Box::new(many));
                }
            }
            Self::Many(many) => {
                many.insert(id);
            }
        }
    }

    /// Takes a place out.
    pub fn remove(&mut self, id: u32) {
        match self {
            Self::Few(few) => {
                if few.binary_search(&id).is_ok() {
                    *few = few.iter().copied().filter(|known| *known != id).collect();
                }
            }
            Self::Many(many) => {
                many.remove(&id);
                if many.len() < FEW / 2 {
                    *self = Self::Few(many.iter().copied().collect());
                }
            }
        }
    }
}

impl PartialEq for Ids {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(steps in prop::collection::vec((any::<bool>(), 0..120u32), 0..600)) {
            let (mut ids, mut model) = (Ids::default(), BTreeSet::new());
            for (add, id) in steps {
                if add { ids.insert(id); model.insert(id); } else { ids.remove(id); model.remove(&id); }
                prop_assert_eq!(ids.len(), model.len());
                prop_assert_eq!(ids.contains(id), model.contains(&id));
                prop_assert!(ids.iter().eq(model.iter().copied()));
                prop_assert_eq!(ids.first(), model.first().copied());
            }
        }
    }
}
