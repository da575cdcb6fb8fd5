//! A Kafka broker: acknowledged by all replicas, without duplicates, one message after the other for each project.

use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use secrecy::ExposeSecret;

use std::sync::{Arc, Mutex, PoisonError};

use super::pump::Sink;
use super::{MessagesError, Settings};

/// See the module.
pub struct Producer {
    queue: FutureProducer<Context>,
    topic: String,
    brokers: String,
    why: Arc<Mutex<Option<String>>>,
}

/// Hears what librdkafka says: why a message is not acknowledged stands nowhere else.
struct Context {
    why: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "kafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "kafka", %error, "{reason}");
        // the more telling causes come first, "all brokers are down" last
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        }
    }
}

impl Producer {
    /// Reads the files of the settings; asks no broker yet.
    pub fn new(settings: &Settings) -> Result<Self, MessagesError> {
        let wrong = |what: String| MessagesError::Settings(what);
        let mut config = ClientConfig::new();
        let mut set = |name: &str, value: &str| {
            config.set(name, value);
        };
        set("bootstrap.servers", &settings.bootstrap_servers);
        set("client.id", concat!("fedreg-feeder/", env!("CARGO_PKG_VERSION")));
        set("acks", "all");
        set("enable.idempotence", "true");
        set("compression.type", "gzip");
        // librdkafka looks at the size before it compresses
        set("message.max.bytes", &(settings.message_bytes + 64 * 1024).to_string());
        set("message.timeout.ms", &(u64::from(settings.send_seconds) * 1000).to_string());
        set("reconnect.backoff.max.ms", "5000");
        set("security.protocol", settings.protocol.word());
        for (name, path) in [
            ("ssl.ca.location", &settings.ca_path),
            ("ssl.certificate.location", &settings.certificate_path),
            ("ssl.key.location", &settings.key_path),
        ] {
            if let Some(path) = path {
                set(name, &path.display().to_string());
            }
        }
        if let Some(password) = settings.key_password().map_err(wrong)? {
            set("ssl.key.password", password.expose_secret());
        }
        if let (Some(user), Some(password)) = (&settings.username, settings.password().map_err(wrong)?) {
            set("sasl.mechanism", settings.mechanism.word());
            set("sasl.username", user);
            set("sasl.password", password.expose_secret());
        }
        let why = Arc::new(Mutex::new(None));
        let context = Context { why: Arc::clone(&why) };
        let producer = config.create_with_context(context);
        let producer =
            producer.map_err(|error| wrong(format!("librdkafka refuses the settings: {error}")))?;
        Ok(Self {
            queue: producer,
            topic: settings.topic.clone(),
            brokers: settings.bootstrap_servers.clone(),
            why,
        })
    }

    fn explained(&self, error: &KafkaError) -> String {
        let Self { topic, brokers, .. } = self;
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let heard = why.map(|why| format!(": {why}")).unwrap_or_default();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => format!(
                "Kafka at {brokers} refuses a message as too large: raise `max.message.bytes` of the topic {topic}, or lower \
                 `feeder.kafka.message_bytes`"
            ),
            Some(RDKafkaErrorCode::MessageTimedOut) => {
                format!("Kafka at {brokers} did not acknowledge a message in time{heard}")
            }
            _ => format!("Kafka at {brokers}, topic {topic}: {error}{heard}"),
        }
    }
}

#[async_trait]
impl Sink for Producer {
    async fn send(&self, key: &str, text: &str) -> Result<(), String> {
        let record = FutureRecord::to(&self.topic).key(key).payload(text);
        match self.queue.send(record, Duration::ZERO).await {
            Ok(_) => {
                *self.why.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(())
            }
            Err((error, _)) => Err(self.explained(&error)),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.queue.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    }
}
