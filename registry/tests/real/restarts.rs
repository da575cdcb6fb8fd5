//! An issuer that crashes, comes back, and is replaced by another one of its name.

use super::lab::{Good, Own, Tokens, good_for, registry, until};
use reqwest::StatusCode;

const PORT: u16 = 8092;

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_goes_and_comes_back() {
    let mut own = Own::start("oidc", PORT);
    let tokens = Tokens::of(&format!("http://127.0.0.1:{PORT}")).await;
    let registry = registry(&tokens.issuer, |settings| {
        settings.auth.keys.refresh_seconds = 1;
        settings.auth.keys.cooldown_seconds = 1;
    })
    .await;
    let seen = tokens.user("orchestrator", "admin").await;
    let unseen = tokens.user("orchestrator", "user").await;
    assert_eq!(good_for(&registry, &seen).await, Good::Writing);

    // down: whoever has a token goes on, also with one that was never seen; nobody waits for the issuer
    own.kill();
    for _ in 0..20 {
        assert_eq!(good_for(&registry, &seen).await, Good::Writing);
    }
    assert_eq!(good_for(&registry, &unseen).await, Good::Reading);
    let (head, rest) = unseen.split_once('.').unwrap();
    let header = String::from_utf8(base64(head)).unwrap();
    let (from, _) = header.split_once(r#""kid":""#).unwrap();
    let forged = format!("{}.{rest}", encode(&format!(r#"{from}"kid":"another"}}"#)));
    assert_eq!(
        good_for(&registry, &forged).await,
        Good::Nothing(StatusCode::SERVICE_UNAVAILABLE),
        "whether that key exists cannot be known"
    );

    // back, with the keys that it had
    own.up();
    assert_eq!(good_for(&registry, &seen).await, Good::Writing);
    until(async || good_for(&registry, &forged).await == Good::Nothing(StatusCode::UNAUTHORIZED)).await;
    assert_eq!(good_for(&registry, &tokens.user("orchestrator", "user").await).await, Good::Reading);

    // another one in its place: its tokens are good at once, those of the old one no longer
    own.replace();
    let new = tokens.user("orchestrator", "user").await;
    until(async || good_for(&registry, &new).await == Good::Reading).await;
    until(async || good_for(&registry, &seen).await == Good::Nothing(StatusCode::UNAUTHORIZED)).await;
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn encode(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}
