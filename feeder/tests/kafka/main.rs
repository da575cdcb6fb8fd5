//! Messages through a real broker (`tests/lab/kafka`), read back by a consumer that checks what the ranker pipeline
//! depends on.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod broker;
mod selector;

use broker::Broker;
use feeder::messages::{self, Message, Pump, Settings, Standing};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_mins(1);

fn settings(bootstrap: &str, topic: &str, more: &Value) -> Settings {
    let mut all = json!({ "bootstrap_servers": bootstrap, "topic": topic, "send_seconds": 5 });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn start(bootstrap: &str, topic: &str, more: &Value) -> Arc<Pump> {
    messages::start(&settings(bootstrap, topic, more), CancellationToken::new()).unwrap()
}

fn message(key: &str, says: &str) -> Message {
    let body = json!({ "project_id": key, "says": says }).as_object().unwrap().clone();
    Message { key: key.to_owned(), body, timed: true }
}

async fn all_sent(pump: &Pump) {
    let standing = pump.settle(LONG).await;
    assert_eq!((standing.waiting, standing.fault), (0, None));
}

/// What each project's messages say, in the order in which they came.
fn said(messages: &[(String, Value)]) -> BTreeMap<&str, Vec<&str>> {
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (key, message) in messages {
        said.entry(key).or_default().push(message["says"].as_str().unwrap());
    }
    said
}

/// One test, since starting a broker takes longer than everything that is asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_whatever_the_broker_does() {
    let broker = Broker::start().await;

    an_unreachable_broker_holds_up_nobody_and_gets_the_newest_state(&broker).await;
    every_way_to_log_in(&broker).await;
    what_is_too_large_is_told(&broker).await;
    selector::what_a_run_sends_is_what_the_selector_reads(&broker).await;
}

async fn an_unreachable_broker_holds_up_nobody_and_gets_the_newest_state(broker: &Broker) {
    let topic = "crash";
    let pump = start(&broker.plain, topic, &json!({}));
    assert_eq!(pump.offer(vec![message("a", "1"), message("b", "1")]), []);
    all_sent(&pump).await;
    assert_eq!(pump.offer(vec![message("a", "1")]), [], "says nothing new");
    assert_eq!(pump.standing(), Standing { waiting: 0, sent: 2, fault: None });

    broker.kill().await;
    pump.offer(vec![message("a", "2"), message("b", "2")]);
    let standing = pump.settle(LONG).await;
    let fault = standing.fault.unwrap();
    assert_eq!(standing.waiting, 2);
    assert!(fault.contains(&broker.plain) && fault.contains("refused"), "{fault}");
    pump.offer(vec![message("a", "3")]);

    broker.again().await;
    tokio::time::timeout(LONG, async {
        while pump.standing() != (Standing { waiting: 0, sent: 4, fault: None }) {
            pump.settle(Duration::from_millis(100)).await;
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let messages = broker.read(topic, 4).await;
    assert_eq!(
        said(&messages),
        BTreeMap::from([("a", vec!["1", "3"]), ("b", vec!["1", "2"])]),
        "the newest state only, each once"
    );
    let times: Vec<_> = messages.iter().map(|(_, message)| message["timestamp"].as_str().unwrap()).collect();
    assert!(
        times.is_sorted() && times.iter().all(|time| time.ends_with("+00:00") && time.len() == 25),
        "{times:?}"
    );
}

async fn every_way_to_log_in(broker: &Broker) {
    let file = |name: &str, text: &str| {
        let path = broker.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls = |name: &str| broker.home.path().join("tls").join(name);
    let (good, bad) = (file("password", "feeder-secret\n"), file("wrong", "wrong-secret"));
    let user = |protocol: &str, mechanism: &str, password: &std::path::Path| json!({"protocol": protocol, "mechanism": mechanism, "username": "feeder", "password_file": password, "ca_path": tls("ca.pem")});
    let certificate = json!({
        "protocol": "ssl", "ca_path": tls("ca.pem"), "certificate_path": tls("client.pem"), "key_path": tls("client.key"),
    });
    for (name, bootstrap, how) in [
        ("plain", &broker.sasl, user("sasl_plaintext", "PLAIN", &good)),
        ("scram", &broker.sasl, user("sasl_plaintext", "SCRAM-SHA-256", &good)),
        ("tls", &broker.tls, certificate),
        ("both", &broker.sasl_tls, user("sasl_ssl", "SCRAM-SHA-512", &good)),
    ] {
        let pump = start(bootstrap, "login", &how);
        pump.offer(vec![message(name, "hello")]);
        all_sent(&pump).await;
    }
    let arrived = broker.read("login", 4).await;
    assert_eq!(said(&arrived).keys().copied().collect::<Vec<_>>(), ["both", "plain", "scram", "tls"]);

    for (bootstrap, how, says) in [
        (&broker.sasl_tls, user("sasl_ssl", "SCRAM-SHA-512", &bad), "Authentication failed"),
        (&broker.tls, json!({"protocol": "ssl", "ca_path": tls("ca.pem")}), "certificate"),
    ] {
        let pump = start(bootstrap, "login", &how);
        pump.offer(vec![message("a", "hello")]);
        let fault = pump.settle(LONG).await.fault.unwrap();
        assert!(fault.contains(says), "{fault}");
        assert!(!fault.contains("wrong-secret"), "{fault}");
    }
}

async fn what_is_too_large_is_told(broker: &Broker) {
    let pump = start(&broker.plain, "large", &json!({"message_bytes": 2_000_000}));
    let noise: String =
        (0..1_500_000_u32).map(|n| char::from(33 + (n.wrapping_mul(2_654_435_761) >> 26) as u8)).collect();
    pump.offer(vec![message("noise", &noise)]);
    all_sent(&pump).await;
    let refused = pump.offer(vec![message("more", &"x".repeat(2_000_000))]);
    let told = refused[0].to_string();
    assert!(told.contains("more than `feeder.kafka.message_bytes` (2000000) allows"), "{told}");
}
