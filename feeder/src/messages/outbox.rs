//! What is to be sent: of each project the newest state only, and nothing that was said already. No I/O.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, TimeDelta, Utc};

use super::Message;

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    /// After how long what was said is said again.
    repeat: TimeDelta,
    /// Most bytes of one message.
    largest: usize,
    /// Most bytes that may wait, all messages together. What finds no place is offered again by the next run.
    most: usize,
    bytes: usize,
    waiting: BTreeMap<String, Waiting>,
    sent: HashMap<String, Sent>,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    digest: u64,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    digest: u64,
    at: DateTime<Utc>,
}

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Whose.
    pub key: String,
    /// As it is sent.
    pub text: String,
    digest: u64,
    at: DateTime<Utc>,
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is too large for the topic.
    #[error(
        "the message of {key} has {bytes} bytes, more than `feeder.kafka.message_bytes` ({largest}) allows: it is not sent. Raise \
         that, and the topic's `max.message.bytes`"
    )]
    TooLarge {
        /// Whose.
        key: String,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        largest: usize,
    },
    /// Too much waits already.
    #[error(
        "{waiting} messages ({bytes} bytes) wait for the broker; that of {key} is made anew at the next run"
    )]
    Full {
        /// Whose.
        key: String,
        /// How many wait.
        waiting: usize,
        /// How large they are together.
        bytes: usize,
    },
}

impl Outbox {
    /// Nothing to send yet.
    pub fn new(repeat: TimeDelta, largest: usize, most: usize) -> Self {
        Self { repeat, largest, most, bytes: 0, waiting: BTreeMap::new(), sent: HashMap::new() }
    }

    /// Takes a message, in place of an older one of the same project. Whether it is to be sent.
    pub fn offer(&mut self, message: Message, now: DateTime<Utc>) -> Result<bool, Refused> {
        let key = message.key.clone();
        self.forget(&key);
        let text = message.text(now);
        let bytes = text.len();
        if bytes > self.largest {
            return Err(Refused::TooLarge { key, bytes, largest: self.largest });
        }
        let digest = digest(&message);
        if let Some(sent) = self.sent.get(&key)
            && sent.digest == digest
            && now.signed_duration_since(sent.at) < self.repeat
        {
            return Ok(false);
        }
        if self.bytes + bytes > self.most {
            return Err(Refused::Full { key, waiting: self.waiting.len(), bytes: self.bytes });
        }
        self.bytes += bytes;
        self.waiting.insert(key, Waiting { message, digest, bytes });
        Ok(true)
    }

    fn forget(&mut self, key: &str) {
        if let Some(older) = self.waiting.remove(key) {
            self.bytes -= older.bytes;
        }
    }

    /// What to send next, beginning after a key: of each project at most one a second, since the selector
    /// compares times to the second.
    pub fn next(&self, after: Option<&str>, now: DateTime<Utc>) -> Option<Parcel> {
        let due = |key: &str| self.sent.get(key).is_none_or(|sent| sent.at.timestamp() < now.timestamp());
        let mut waiting =
            self.waiting.iter().filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        let (key, Waiting { message, digest, .. }) = waiting.find(|(key, _)| due(key))?;
        Some(Parcel { key: key.clone(), text: message.text(now), digest: *digest, at: now })
    }

    /// It arrived. A newer message that came meanwhile goes on waiting.
    pub fn arrived(&mut self, parcel: &Parcel) {
        self.sent.insert(parcel.key.clone(), Sent { digest: parcel.digest, at: parcel.at });
        if self.waiting.get(&parcel.key).is_some_and(|waiting| waiting.digest == parcel.digest) {
            self.forget(&parcel.key);
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// What a message says, whenever it says it.
fn digest(message: &Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    let never = DateTime::UNIX_EPOCH;
    message.text(never).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(key: &str, says: i32) -> Message {
        let mut message = Message { key: key.to_owned(), body: serde_json::Map::new(), timed: true };
        message.body.insert("says".to_owned(), json!(says));
        message
    }

    fn second(n: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + n, 0).unwrap()
    }

    fn outbox() -> Outbox {
        Outbox::new(TimeDelta::hours(1), 200, 300)
    }

    fn send(outbox: &mut Outbox, at: i64) -> Option<String> {
        let parcel = outbox.next(None, second(at))?;
        outbox.arrived(&parcel);
        Some(parcel.text)
    }

    #[test]
    fn the_newest_state_is_sent_once() {
        let mut outbox = outbox();
        assert_eq!(outbox.offer(message("a", 1), second(0)), Ok(true));
        assert_eq!(outbox.offer(message("a", 2), second(1)), Ok(true));
        assert_eq!(outbox.waiting(), 1);
        assert_eq!(send(&mut outbox, 2).unwrap(), r#"{"says":2,"timestamp":"1970-01-12T13:46:42+00:00"}"#);
        assert_eq!(send(&mut outbox, 3), None);
        assert_eq!(outbox.offer(message("a", 2), second(4)), Ok(false), "said already");
        assert_eq!(outbox.offer(message("a", 2), second(3602)), Ok(true), "long ago");
        assert!(send(&mut outbox, 3603).is_some());
    }

    #[test]
    fn what_goes_back_to_what_was_said_is_not_said_again() {
        let mut outbox = outbox();
        outbox.offer(message("a", 1), second(0)).unwrap();
        send(&mut outbox, 0).unwrap();
        assert_eq!(outbox.offer(message("a", 2), second(1)), Ok(true), "and the broker is away");
        assert_eq!(outbox.offer(message("a", 1), second(2)), Ok(false));
        assert_eq!((outbox.waiting(), outbox.bytes), (0, 0));
    }

    #[test]
    fn a_newer_state_that_comes_while_one_is_sent_waits_for_the_next_second() {
        let mut outbox = outbox();
        outbox.offer(message("a", 1), second(0)).unwrap();
        let parcel = outbox.next(None, second(0)).unwrap();
        outbox.offer(message("a", 2), second(0)).unwrap();
        outbox.arrived(&parcel);
        assert_eq!(outbox.waiting(), 1);
        assert_eq!(outbox.next(None, second(0)), None, "times are compared to the second");
        assert!(send(&mut outbox, 1).unwrap().contains(r#""says":2"#));
    }

    #[test]
    fn sizes_are_bounded_and_told() {
        let mut outbox = outbox();
        let mut large = message("large", 1);
        large.body.insert("more".to_owned(), "x".repeat(200).into());
        let told = outbox.offer(large, second(0)).unwrap_err().to_string();
        assert!(told.contains("more than `feeder.kafka.message_bytes` (200) allows"), "{told}");
        let mut taken = 0;
        while outbox.offer(message(&format!("m{taken}"), 1), second(0)).is_ok() {
            taken += 1;
            assert!(taken < 100);
        }
        assert!(taken > 1 && outbox.bytes <= 300);
        assert_eq!(outbox.offer(message("m0", 2), second(1)), Ok(true), "in place of the older one");
        while send(&mut outbox, 2).is_some() {}
        assert_eq!((outbox.waiting(), outbox.bytes), (0, 0));
    }

    #[test]
    fn one_that_cannot_be_sent_holds_up_no_other() {
        let mut outbox = outbox();
        for key in ["a", "b"] {
            outbox.offer(message(key, 1), second(0)).unwrap();
        }
        let first = outbox.next(None, second(0)).unwrap();
        let second_one = outbox.next(Some(&first.key), second(0)).unwrap();
        assert_eq!((first.key.as_str(), second_one.key.as_str()), ("a", "b"));
        assert_eq!(outbox.next(Some("b"), second(0)), None);
    }
}
