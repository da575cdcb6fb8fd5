//! How often one client and one identity may ask.

use super::common::Registry;
use registry::settings::Settings;
use reqwest::{Response, StatusCode, header::RETRY_AFTER};
use simulator::Subject;

/// Loopback counts here, and this test is a proxy that names clients as it likes.
fn strict(settings: &mut Settings) {
    let rates = &mut settings.limits.rates;
    rates.exempt.clear();
    (rates.client_per_second, rates.client_burst) = (1, 20);
    (rates.identity_per_second, rates.identity_burst) = (1, 30);
    rates.refused_token_cost = 5;
    settings.proxies.trusted = vec!["127.0.0.1".parse().unwrap()];
}

async fn ask(registry: &Registry, client: &str, token: Option<&str>) -> Response {
    let request = registry.request(reqwest::Method::GET, "/providers", token);
    request.header("x-forwarded-for", client).send().await.unwrap()
}

/// How many requests are answered before one is refused.
async fn answered(registry: &Registry, client: &str, token: Option<&str>) -> usize {
    for n in 0..100 {
        let response = ask(registry, client, token).await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            let wait: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            let body = response.text().await.unwrap();
            assert!(body.contains(r#""detail":"too many requests"#), "{body}");
            return n;
        }
    }
    panic!("nothing was refused");
}

fn about(expected: usize, found: usize) {
    // a second or two may pass meanwhile
    assert!((expected..expected + 5).contains(&found), "{found}, not {expected}");
}

#[tokio::test]
async fn a_client_has_a_burst_and_others_have_their_own() {
    let registry = Registry::start_with(strict).await;
    about(20, answered(&registry, "192.0.2.1", None).await);
    about(20, answered(&registry, "192.0.2.2", None).await);
    // one subscriber's IPv6 network is one client
    about(20, answered(&registry, "2001:db8::1", None).await);
    assert_eq!(ask(&registry, "2001:db8::2", None).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask(&registry, "2001:db8:0:1::1", None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_strangers_say_about_themselves_does_not_count() {
    let registry = Registry::start_with(|settings| {
        strict(settings);
        settings.proxies.trusted.clear();
    })
    .await;
    let mut answered = 0;
    for n in 0..40 {
        let response = ask(&registry, &format!("192.0.2.{n}"), None).await;
        answered += usize::from(response.status() == StatusCode::OK);
    }
    about(20, answered);
}

#[tokio::test]
async fn one_identity_is_one_from_wherever_it_asks() {
    let registry = Registry::start_with(strict).await;
    let mut count = 0;
    while ask(&registry, &format!("192.0.2.{count}"), Some(&registry.reader)).await.status() == StatusCode::OK
    {
        count += 1;
        assert!(count < 100);
    }
    about(30, count);
    let other = registry.issuer.token(&Subject::new("other")).unwrap();
    assert_eq!(ask(&registry, "192.0.2.200", Some(&other)).await.status(), StatusCode::OK);
    assert_eq!(ask(&registry, "192.0.2.201", None).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn guessing_tokens_is_expensive() {
    let registry = Registry::start_with(strict).await;
    let (signed, _) = registry.reader.rsplit_once('.').unwrap();
    let mut guesses = 0;
    loop {
        let guess = format!("{signed}.{}", "A".repeat(86 + guesses));
        match ask(&registry, "192.0.2.1", Some(&guess)).await.status() {
            StatusCode::UNAUTHORIZED => guesses += 1,
            StatusCode::TOO_MANY_REQUESTS => break,
            other => panic!("{other}"),
        }
    }
    assert!((3..=5).contains(&guesses), "{guesses} guesses, where 20 requests were allowed");
    // the right one neither, from there; from elsewhere its holder is not disturbed
    assert_eq!(
        ask(&registry, "192.0.2.1", Some(&registry.reader)).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(ask(&registry, "192.0.2.2", Some(&registry.reader)).await.status(), StatusCode::OK);
}

/// What the orchestrator, the ranker and a dashboard do in a busy minute stays far below the defaults.
#[tokio::test]
async fn the_defaults_let_clients_work() {
    let registry = Registry::start_with(|settings| settings.limits.rates.exempt.clear()).await;
    for _ in 0..1000 {
        assert_eq!(ask(&registry, "", Some(&registry.reader)).await.status(), StatusCode::OK);
    }
}
