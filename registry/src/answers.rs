//! Answers that were written from a snapshot, kept as long as the snapshot is current.

use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A bounded store of whole answers by what was asked. It dies with its snapshot, so it is never stale.
pub struct Answers {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    answers: HashMap<Box<str>, Arc<[Bytes]>>,
}

impl Answers {
    /// Keeps answers up to this many bytes in all.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// The largest answer that is kept: half of all, so that one cannot take the place of all others.
    pub fn largest(&self) -> usize {
        self.most / 2
    }

    /// The answer to this question, in pieces.
    pub fn get(&self, question: &str) -> Option<Arc<[Bytes]>> {
        self.kept().answers.get(question).cloned()
    }

    /// Keeps an answer while there is room.
    pub fn put(&self, question: &str, answer: &Arc<[Bytes]>) {
        let size = answer.iter().map(Bytes::len).sum::<usize>() + question.len();
        let mut kept = self.kept();
        if size <= self.largest() && kept.bytes + size <= self.most {
            kept.bytes += size;
            kept.answers.insert(question.into(), Arc::clone(answer));
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
