//! Messages for the ranker pipeline: what each project has at each region, on a Kafka topic.
//!
//! [`message`] makes them of a provider document and of what [`Known`] remembers, [`outbox`] keeps the newest one of each project until it is sent,
//! [`pump`] sends them and waits where a broker does not answer, `kafka` is the broker. A feeder that is built without
//! the feature `kafka` has all of this but the last.

#[cfg(feature = "kafka")]
mod kafka;
mod known;
pub mod message;
mod messenger;
pub mod outbox;
pub mod pump;
pub mod settings;

pub use known::Known;
pub use message::{Message, Version, messages};
pub(crate) use messenger::{Beside, Messenger};
pub use pump::{Pump, Sink, Standing};
pub use settings::Settings;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

/// Why messages cannot be sent at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessagesError {
    /// The settings contradict themselves, or a file is missing.
    #[error("`feeder.kafka`: {0}")]
    Settings(String),
    /// This program was built without Kafka.
    #[error(
        "`feeder.kafka` is set, but this program was built without Kafka: build it with `--features kafka`, or remove the section"
    )]
    NotBuilt,
}

/// Starts what sends messages; it stops when cancelled.
pub fn start(settings: &Settings, cancel: CancellationToken) -> Result<Arc<Pump>, MessagesError> {
    settings.check()?;
    #[cfg(feature = "kafka")]
    return Ok(Pump::start(Arc::new(kafka::Producer::new(settings)?), settings, cancel));
    #[cfg(not(feature = "kafka"))]
    {
        drop(cancel);
        Err(MessagesError::NotBuilt)
    }
}
