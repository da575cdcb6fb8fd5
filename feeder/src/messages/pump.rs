//! Sends what waits, in a task of its own: a broker that does not answer holds up nothing else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{TimeDelta, Utc};
use futures::StreamExt;
use futures::stream;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::outbox::{Outbox, Parcel, Refused};
use super::{Message, Settings};

/// Messages that are under way at once.
const AT_ONCE: usize = 16;
/// Bytes that may wait for a broker.
const MOST_WAITING: usize = 64 << 20;
/// Between two tries while the broker does not answer: from, to.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Where messages go.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Sends one; done when it is there to stay. The error is a sentence for people.
    async fn send(&self, key: &str, text: &str) -> Result<(), String>;
}

/// How things are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many messages wait.
    pub waiting: usize,
    /// How many were sent since the start.
    pub sent: u64,
    /// Why the last try failed; none when it did not.
    pub fault: Option<String>,
}

/// See the module.
pub struct Pump {
    outbox: Mutex<Outbox>,
    more: Notify,
    standing: watch::Sender<Standing>,
}

impl Pump {
    /// Starts sending; stops when cancelled.
    pub fn start(sink: Arc<dyn Sink>, settings: &Settings, cancel: CancellationToken) -> Arc<Self> {
        let repeat = TimeDelta::from_std(settings.repeat()).unwrap_or(TimeDelta::MAX);
        let pump = Arc::new(Self {
            outbox: Mutex::new(Outbox::new(repeat, settings.message_bytes, MOST_WAITING)),
            more: Notify::new(),
            standing: watch::Sender::default(),
        });
        let this = Arc::clone(&pump);
        tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = this.run(&*sink) => {}
            }
        });
        pump
    }

    /// Takes messages to send; those that cannot be taken are told.
    pub fn offer(&self, messages: Vec<Message>) -> Vec<Refused> {
        let now = Utc::now();
        let mut refused = Vec::new();
        let waiting = {
            let mut outbox = self.outbox();
            for message in messages {
                refused.extend(outbox.offer(message, now).err());
            }
            outbox.waiting()
        };
        self.standing.send_modify(|standing| standing.waiting = waiting);
        self.more.notify_one();
        refused
    }

    /// How things are.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until all is sent, or a try failed, or the time is over; how things are then.
    pub async fn settle(&self, longest: Duration) -> Standing {
        let mut standing = self.standing.subscribe();
        let settled = standing.wait_for(|standing| standing.waiting == 0 || standing.fault.is_some());
        let _ = tokio::time::timeout(longest, settled).await;
        self.standing()
    }

    async fn run(&self, sink: &dyn Sink) {
        let mut pause = PAUSES.0;
        loop {
            let failed = self.round(sink).await;
            let wait = if let Some(fault) = failed {
                if self.standing.borrow().fault.is_none() {
                    tracing::error!(fault, "messages cannot be sent; the newest of each project waits");
                }
                self.standing.send_modify(|standing| standing.fault = Some(fault));
                let wait = pause.mul_f64(0.5 + rand::random::<f64>() / 2.0);
                pause = (pause * 2).min(PAUSES.1);
                wait
            } else {
                if self.standing.borrow().fault.is_some() {
                    tracing::info!("messages are sent again");
                }
                self.standing.send_modify(|standing| standing.fault = None);
                pause = PAUSES.0;
                if self.outbox().waiting() == 0 {
                    self.more.notified().await;
                    continue;
                }
                // what waits was sent in this very second
                Duration::from_millis(100)
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends all that is due, once. Why one failed, if one did.
    async fn round(&self, sink: &dyn Sink) -> Option<String> {
        let mut last: Option<String> = None;
        let due = std::iter::from_fn(|| {
            let parcel = self.outbox().next(last.as_deref(), Utc::now())?;
            last = Some(parcel.key.clone());
            Some(parcel)
        });
        let due: Vec<Parcel> = due.collect();
        let sends = due.into_iter().map(|parcel| async move {
            let result = sink.send(&parcel.key, &parcel.text).await;
            if result.is_ok() {
                let waiting = {
                    let mut outbox = self.outbox();
                    outbox.arrived(&parcel);
                    outbox.waiting()
                };
                self.standing.send_modify(|standing| {
                    standing.waiting = waiting;
                    standing.sent += 1;
                });
            }
            result.err()
        });
        let failed: Vec<Option<String>> = stream::iter(sends).buffer_unordered(AT_ONCE).collect().await;
        failed.into_iter().flatten().next()
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    /// A broker that can be away.
    #[derive(Default)]
    struct Broker {
        away: std::sync::atomic::AtomicBool,
        got: Mutex<BTreeMap<String, Vec<String>>>,
    }

    #[async_trait]
    impl Sink for Broker {
        async fn send(&self, key: &str, text: &str) -> Result<(), String> {
            if self.away.load(std::sync::atomic::Ordering::SeqCst) {
                return Err("the broker is away".to_owned());
            }
            self.got.lock().unwrap().entry(key.to_owned()).or_default().push(text.to_owned());
            Ok(())
        }
    }

    fn message(key: &str, says: i32) -> Message {
        let body = json!({ "says": says }).as_object().unwrap().clone();
        Message { key: key.to_owned(), body, timed: false }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waited_for_the_broker_goes_out_when_it_is_back_newest_state_only() {
        let broker = Arc::new(Broker::default());
        let settings = serde_json::from_value(json!({"bootstrap_servers": "b:1"})).unwrap();
        let cancel = CancellationToken::new();
        let pump = Pump::start(broker.clone(), &settings, cancel.clone());
        broker.away.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(pump.offer(vec![message("a", 1), message("b", 1)]), []);
        let standing = pump.settle(Duration::from_mins(1)).await;
        assert_eq!((standing.waiting, standing.fault.as_deref()), (2, Some("the broker is away")));
        assert_eq!(pump.offer(vec![message("a", 2)]), [], "it is taken all the same, at once");

        broker.away.store(false, std::sync::atomic::Ordering::SeqCst);
        let mut standing = pump.standing.subscribe();
        let sent = standing.wait_for(|standing| standing.waiting == 0 && standing.fault.is_none());
        tokio::time::timeout(Duration::from_mins(2), sent).await.unwrap().unwrap();
        let got = broker.got.lock().unwrap().clone();
        assert_eq!(json!(got), json!({"a": [r#"{"says":2}"#], "b": [r#"{"says":1}"#]}));
        assert_eq!(pump.standing(), Standing { waiting: 0, sent: 2, fault: None });
        cancel.cancel();
    }
}
