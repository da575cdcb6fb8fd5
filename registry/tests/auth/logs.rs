//! Tokens are in no log line, no error and no `Debug`.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use super::Setup;
use super::introspection::secret;
use super::issuer::{INTROSPECTION, Reply, SECRET, USERINFO};

/// Writes down every field of every event, of all libraries and all levels.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0.lock().unwrap(), " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn no_part_of_a_token_is_written_anywhere() {
    let log = Everything::default();
    // with one subscriber alone, tracing asks that of the thread which comes to a line of code first: none, elsewhere
    let _second = Dispatch::new(Everything::default());
    let _guard = tracing::subscriber::set_default(log.clone());
    let (_file, introspection) = secret(SECRET);
    let setup = Setup::with(|settings| settings.issuers[0].introspection = Some(introspection)).await;
    let (key, claims) = (setup.issuer.key(), setup.issuer.claims("ada").to_string());
    let good = setup.issuer.token("ada");
    let mut tokens = vec![
        good.clone(),
        setup.issuer.token_with("ada", json!({"aud": "somebody-else"})),
        setup.issuer.token_with("ada", json!({"exp": 1})),
        setup.issuer.token_with("ada", json!({"iss": "https://evil.example.org\n injected line"})),
        key.sign_with(&json!({"kid": "unknown"}), &claims),
        key.sign_with(&json!({"crit": ["x"]}), &claims),
        format!("{}x", &good[..good.len() - 5]),
        format!("{good}.more"),
        "not-a-token-at-all-but-a-password".to_owned(),
    ];
    tokens.push(good[..good.len() - 20].to_owned() + "AAAAAAAAAAAAAAAAAAAA");
    let mut said = String::new();
    for reply in [Reply::Status(500), Reply::Status(401), Reply::Text("x".into())] {
        setup.issuer.reply(USERINFO, reply.clone());
        setup.issuer.reply(INTROSPECTION, reply);
        setup.clock.advance(6);
        for token in &tokens {
            write!(said, "{:?} {:?}", setup.ask(token).await, setup.authenticator).unwrap();
        }
    }
    let log = log.0.lock().unwrap().clone();
    for expected in [
        "userinfo could not be asked",
        "the issuer could not be asked about a token",
        "a token was refused",
        "reason=\"audience\"",
        "injected line",
    ] {
        assert!(log.contains(expected), "the log lacks {expected}");
    }
    assert!(!log.contains("\n injected line"), "a token wrote a line of its own");
    tokens.push(SECRET.to_owned());
    for token in &tokens {
        for part in token.split('.').chain([token.as_str()]).filter(|part| part.len() > 8) {
            assert!(!log.contains(part), "the log has {part}");
            assert!(!said.contains(part), "an error or Debug has {part}");
        }
    }
}
