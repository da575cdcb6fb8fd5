//! Answers that were written from a snapshot, kept as long as the snapshot is current.

use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// A bounded store of whole answers by what was asked. It dies with its snapshot, so it is never stale.
pub struct Answers {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    bytes: usize,
    answers: HashMap<Box<str>, Bytes>,
}

impl Answers {
    /// Keeps answers up to this many bytes in all, and none larger than half of that.
    pub fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// Whether an answer of this size can be kept at all.
    pub fn takes(&self, bytes: usize) -> bool {
        bytes <= self.most / 2
    }

    /// The answer to this question.
    pub fn get(&self, question: &str) -> Option<Bytes> {
        self.kept().answers.get(question).cloned()
    }

    /// Keeps an answer while there is room.
    pub fn put(&self, question: &str, answer: &Bytes) {
        let size = answer.len() + question.len();
        let mut kept = self.kept();
        if self.takes(size) && kept.bytes + size <= self.most {
            kept.bytes += size;
            kept.answers.insert(question.into(), answer.clone());
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
