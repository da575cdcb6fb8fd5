//! An immutable array: a changed copy shares with the old one all but the path to what changed.

use std::sync::Arc;

const BITS: u32 = 5;
const WIDTH: usize = 1 << BITS;

/// An array of shared values with holes, indexed by `u32`. Cloning is O(1), a change O(log n).
#[derive(Debug)]
pub struct Arena<T> {
    root: Branch<T>,
    /// Levels of branches above the leaves.
    height: u32,
    end: u32,
}

#[derive(Debug)]
enum Branch<T> {
    Empty,
    Leaf(Arc<[Option<Arc<T>>; WIDTH]>),
    Inner(Arc<[Branch<T>; WIDTH]>),
}

impl<T> Clone for Branch<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Inner(inner) => Self::Inner(Arc::clone(inner)),
        }
    }
}

impl<T> Clone for Arena<T> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), height: self.height, end: self.end }
    }
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { root: Branch::Empty, height: 0, end: 0 }
    }
}

impl<T> Arena<T> {
    /// What stands at a place.
    pub fn get(&self, place: u32) -> Option<&Arc<T>> {
        if place >= self.end {
            return None;
        }
        let mut branch = &self.root;
        let mut shift = self.height * BITS;
        loop {
            match branch {
                Branch::Empty => return None,
                Branch::Inner(inner) => branch = &inner[slot(place, shift)],
                Branch::Leaf(leaf) => return leaf[slot(place, 0)].as_ref(),
            }
            shift = shift.saturating_sub(BITS);
        }
    }

    /// Appends; places are never given twice, so that their order is the order of creation.
    pub fn push(&mut self, value: T) -> u32 {
        let place = self.end;
        while u64::from(place) >= 1 << ((self.height + 1) * BITS) {
            let mut branches = [const { Branch::Empty }; WIDTH];
            branches[0] = std::mem::replace(&mut self.root, Branch::Empty);
            self.root = Branch::Inner(Arc::new(branches));
            self.height += 1;
        }
        self.end += 1;
        *self.entry(place) = Some(Arc::new(value));
        place
    }

    /// Makes a hole.
    pub fn remove(&mut self, place: u32) {
        if self.get(place).is_some() {
            *self.entry(place) = None;
        }
    }

    /// A place to change, with a copy of all on the way to it that others share.
    fn entry(&mut self, place: u32) -> &mut Option<Arc<T>> {
        let mut branch = &mut self.root;
        for level in (1..=self.height).rev() {
            if matches!(branch, Branch::Empty) {
                *branch = Branch::Inner(Arc::new([const { Branch::Empty }; WIDTH]));
            }
            let Branch::Inner(inner) = branch else { unreachable!("leaves are at the lowest level only") };
            branch = &mut Arc::make_mut(inner)[slot(place, level * BITS)];
        }
        if matches!(branch, Branch::Empty) {
            *branch = Branch::Leaf(Arc::new([const { None }; WIDTH]));
        }
        let Branch::Leaf(leaf) = branch else { unreachable!("the lowest level holds leaves") };
        &mut Arc::make_mut(leaf)[slot(place, 0)]
    }
}

impl<T: Clone> Arena<T> {
    /// A value to change, copied if others share it.
    pub fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.get(place)?;
        self.entry(place).as_mut().map(Arc::make_mut)
    }
}

fn slot(place: u32, shift: u32) -> usize {
    (place >> shift) as usize & (WIDTH - 1)
}

#[cfg(test)]
mod tests {
    use super::Arena;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_like_a_vector_and_old_copies_stay(steps in prop::collection::vec((0..3u8, 0..5000u32), 1..400)) {
            let mut model: Vec<Option<u32>> = Vec::new();
            let mut arena = Arena::default();
            let mut kept = Vec::new();
            for (i, (what, place)) in steps.into_iter().enumerate() {
                match what {
                    0 => for _ in 0..40 {
                        prop_assert_eq!(arena.push(place) as usize, model.len());
                        model.push(Some(place));
                    },
                    1 => { arena.remove(place); if let Some(hole) = model.get_mut(place as usize) { *hole = None; } }
                    _ => if let Some(value) = arena.get_mut(place) { *value += 1; let old = &mut model[place as usize]; *old = old.map(|n| n + 1); },
                }
                if i % 50 == 0 { kept.push((arena.clone(), model.clone())); }
            }
            kept.push((arena, model));
            for (arena, model) in kept {
                for (place, value) in (0..).zip(&model) { prop_assert_eq!(arena.get(place).map(|n| **n), *value); }
                prop_assert!(arena.get(u32::try_from(model.len()).unwrap()).is_none());
            }
        }
    }
}
