//! A broker of its own for this test, on ports that are free, and a consumer.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

pub struct Broker {
    pub home: tempfile::TempDir,
    port: u16,
    pub plain: String,
    pub sasl: String,
    pub tls: String,
    pub sasl_tls: String,
}

/// Five ports in a row that nobody has.
fn free_ports() -> u16 {
    for port in (19_092..60_000).step_by(10) {
        let held: Vec<_> = (port..port + 5).map(|port| TcpListener::bind(("127.0.0.1", port))).collect();
        if held.iter().all(Result::is_ok) {
            return port;
        }
    }
    panic!("no five free ports in a row")
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/lab/kafka").join(name)
}

impl Broker {
    pub async fn start() -> Self {
        let port = free_ports();
        let at = |more: u16| format!("127.0.0.1:{}", port + more);
        let home = tempfile::tempdir().unwrap();
        let broker = Self { home, port, plain: at(0), sasl: at(2), tls: at(3), sasl_tls: at(4) };
        broker.again().await;
        broker
    }

    /// Starts it on the data that it has.
    pub async fn again(&self) {
        let mut up = Command::new(script("up.sh"));
        up.arg(self.home.path()).arg(self.port.to_string()).env("KAFKA_SECURE", "1");
        up.env("KAFKA_EXTRA", "message.max.bytes=4194304").stdin(Stdio::null());
        assert!(up.status().await.unwrap().success(), "the broker does not start");
    }

    /// As in a crash.
    pub async fn kill(&self) {
        let down = Command::new(script("down.sh")).arg(self.home.path()).arg("KILL").status().await.unwrap();
        assert!(down.success(), "the broker does not end");
    }

    /// All messages of a topic, which are this many, in order: keys and contents.
    pub async fn read(&self, topic: &str, many: usize) -> Vec<(String, Value)> {
        let (bootstrap, topic) = (self.plain.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || read(&bootstrap, &topic, many)).await.unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = std::process::Command::new(script("down.sh")).arg(self.home.path()).arg("KILL").status();
    }
}

fn read(bootstrap: &str, topic: &str, many: usize) -> Vec<(String, Value)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "selector")
        .set("enable.partition.eof", "true")
        .set("fetch.message.max.bytes", "8388608")
        .create()
        .unwrap();
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&from).unwrap();
    let mut messages = Vec::new();
    let end = Instant::now() + Duration::from_mins(1);
    while Instant::now() < end {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
                messages.push((key, serde_json::from_slice(message.payload().unwrap()).unwrap()));
            }
            // the end of the partition: are all there that shall be?
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) if messages.len() >= many => break,
            _ => {}
        }
    }
    assert_eq!(messages.len(), many, "messages of {topic}");
    messages
}
