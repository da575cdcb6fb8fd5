//! Answers that were written from a snapshot, kept as long as the snapshot is current.

use bytes::Bytes;
use std::{
    collections::{HashMap, VecDeque},
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
    answers: HashMap<Arc<str>, Bytes>,
    /// The questions, oldest first.
    order: VecDeque<Arc<str>>,
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

    /// The answer to this question.
    pub fn get(&self, question: &str) -> Option<Bytes> {
        self.kept().answers.get(question).cloned()
    }

    /// Keeps an answer; the oldest ones make room.
    pub fn put(&self, question: &str, answer: &Bytes) {
        let size = |question: &str, answer: &Bytes| question.len() + answer.len();
        let more = size(question, answer);
        if more > self.largest() {
            return;
        }
        let question: Arc<str> = question.into();
        let mut kept = self.kept();
        if kept.answers.insert(Arc::clone(&question), answer.clone()).is_some() {
            return;
        }
        kept.bytes += more;
        kept.order.push_back(question);
        while kept.bytes > self.most {
            let Some(oldest) = kept.order.pop_front() else { break };
            if let Some(answer) = kept.answers.remove(&oldest) {
                kept.bytes -= size(&oldest, &answer);
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_answers_make_room_and_large_ones_are_not_kept() {
        let answers = Answers::new(100);
        for question in ["a", "b", "c"] {
            answers.put(question, &Bytes::from(vec![b'x'; 39]));
        }
        assert!(answers.get("a").is_none());
        assert!(answers.get("b").is_some() && answers.get("c").is_some());
        answers.put("large", &Bytes::from(vec![b'x'; 60]));
        assert!(answers.get("large").is_none() && answers.get("b").is_some());
        Answers::new(0).put("", &Bytes::new());
    }
}
