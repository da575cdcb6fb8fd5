//! Says what runs read to the topic, while others watch the same runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Known, MessagesError, Pump, Settings, Version, messages, start};
use crate::observer::{Event, Observer};

/// See the module.
pub struct Messenger {
    pump: Arc<Pump>,
    version: Version,
    longest: Duration,
    known: Mutex<Known>,
    /// What could not be taken since the last look.
    refused: Mutex<Vec<String>>,
    _stop: DropGuard,
}

impl Messenger {
    /// Starts sending, until it is dropped.
    pub fn start(settings: &Settings) -> Result<Self, MessagesError> {
        let stop = CancellationToken::new();
        Ok(Self {
            pump: start(settings, stop.clone())?,
            version: settings.msg_version,
            longest: Duration::from_secs(settings.send_seconds.into()) * 2,
            known: Mutex::default(),
            refused: Mutex::default(),
            _stop: stop.drop_guard(),
        })
    }

    /// Waits, with a bound, until all is sent; what is wrong.
    pub async fn settle(&self) -> Option<String> {
        let standing = self.pump.settle(self.longest).await;
        let mut faults = std::mem::take(&mut *self.refused());
        if standing.waiting > 0 {
            let why = standing.fault.unwrap_or_else(|| "the broker is slow".to_owned());
            faults.push(format!("{} messages wait for the broker: {why}", standing.waiting));
        }
        (!faults.is_empty()).then(|| faults.join("\n"))
    }

    fn refused(&self) -> MutexGuard<'_, Vec<String>> {
        locked(&self.refused)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run's observer, and the messenger that hears the same.
pub struct Beside {
    /// Sends messages of what was read.
    pub messenger: Arc<Messenger>,
    /// Whether there are runs that ask for some lists only: only then it costs memory to remember the others.
    pub remembers: bool,
    /// Hears everything.
    pub observer: Arc<dyn Observer>,
}

impl Observer for Beside {
    fn event(&self, event: &Event<'_>) {
        if let Event::Merged { provider, readings, document, asked, .. } = *event {
            let messenger = &self.messenger;
            let mut known = self.remembers.then(|| locked(&messenger.known));
            let (messages, left_out) =
                messages(provider, readings, document, messenger.version, asked, known.as_deref_mut());
            drop(known);
            for why in left_out {
                tracing::info!(provider = %provider.key, "{why}");
            }
            let refused = messenger.pump.offer(messages);
            messenger.refused().extend(refused.iter().map(ToString::to_string));
        }
        self.observer.event(event);
    }
}
