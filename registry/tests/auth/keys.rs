//! Issuers change their keys; nobody notices, and nobody can make the registry ask too often.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use registry::auth::AuthError;
use serde_json::json;
use tokio::sync::Notify;

use super::Setup;
use super::issuer::{DISCOVERY, KEYS, Reply};

#[tokio::test]
async fn keys_are_fetched_once() {
    let setup = Setup::new().await;
    for n in 0..20 {
        assert!(setup.ask(&setup.issuer.token(&format!("user-{n}"))).await.is_ok());
    }
    assert_eq!((setup.issuer.hits(DISCOVERY), setup.issuer.hits(KEYS)), (1, 1));
}

#[tokio::test]
async fn a_new_key_is_picked_up_by_the_first_token_that_uses_it() {
    let setup = Setup::new().await;
    let old = setup.issuer.token("ada");
    assert!(setup.ask(&old).await.is_ok());
    for n in 1..=5 {
        setup.issuer.rotate(&format!("key-{n}"));
        assert!(setup.ask(&setup.issuer.token("ada")).await.is_ok());
        assert!(setup.ask(&old).await.is_ok());
        assert_eq!(setup.issuer.hits(KEYS), 1 + n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_while_keys_change() {
    const TASKS: usize = 16;
    const TOKENS: usize = 60;
    const ROTATIONS: usize = 12;
    let setup = Arc::new(Setup::new().await);
    let done = Arc::new(AtomicUsize::new(0));
    let tasks = (0..TASKS).map(|task| {
        let (setup, done) = (setup.clone(), done.clone());
        tokio::spawn(async move {
            for n in 0..TOKENS {
                let before = done.fetch_add(1, Ordering::SeqCst);
                if before % (TASKS * TOKENS / ROTATIONS) == 0 {
                    setup.issuer.rotate(&format!("key-{before}"));
                }
                let token = setup.issuer.token_with("ada", json!({"jti": format!("{task}-{n}")}));
                if let Err(refused) = setup.ask(&token).await {
                    return Err(format!("token {n} of task {task}: {refused}"));
                }
            }
            Ok(())
        })
    });
    for outcome in join_all(tasks).await {
        assert_eq!(outcome.unwrap(), Ok(()));
    }
    assert_eq!(done.load(Ordering::SeqCst), TASKS * TOKENS);
    let fetches = setup.issuer.hits(KEYS);
    assert!((2..=ROTATIONS + 1).contains(&fetches), "{fetches} fetches for {ROTATIONS} rotations");
}

#[tokio::test]
async fn made_up_key_ids_make_one_fetch_in_each_cooldown() {
    let setup = Setup::new().await;
    assert!(setup.ask(&setup.issuer.token("ada")).await.is_ok());
    let made_up = |n: usize| {
        setup
            .issuer
            .key()
            .sign_with(&json!({"kid": format!("made-up-{n}")}), &setup.issuer.claims("eve").to_string())
    };
    for round in 1..=3 {
        let tokens: Vec<_> = (0..50).map(made_up).collect();
        for answer in join_all(tokens.iter().map(|token| setup.ask(token))).await {
            assert_eq!(answer, Err(AuthError::UnknownKey));
        }
        assert_eq!(setup.issuer.hits(KEYS), 1 + round);
        setup.clock.advance(9);
        assert_eq!(setup.ask(&made_up(0)).await, Err(AuthError::UnknownKey));
        assert_eq!(setup.issuer.hits(KEYS), 1 + round);
        setup.clock.advance(1);
    }
    assert!(setup.ask(&setup.issuer.token("ada")).await.is_ok());
}

/// A caller who goes away neither ends the fetch nor gets around the cool-down.
#[tokio::test]
async fn callers_who_go_away() {
    let setup = Arc::new(Setup::new().await);
    assert!(setup.ask(&setup.issuer.token("ada")).await.is_ok());
    let go = Arc::new(Notify::new());
    setup.issuer.reply(KEYS, Reply::When(go.clone()));
    let made_up =
        setup.issuer.key().sign_with(&json!({"kid": "made-up"}), &setup.issuer.claims("eve").to_string());
    let caller = tokio::spawn({
        let (setup, made_up) = (setup.clone(), made_up.clone());
        async move { setup.ask(&made_up).await }
    });
    setup.issuer.wait_for_hits(KEYS, 2).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go.notify_one();
    assert_eq!(setup.ask(&made_up).await, Err(AuthError::UnknownKey));
    assert_eq!(setup.issuer.hits(KEYS), 2);
}

#[tokio::test]
async fn a_withdrawn_key_ends_the_tokens_signed_with_it() {
    let setup = Setup::with(|settings| settings.keys.refresh_seconds = 100).await;
    let old = setup.issuer.token("ada");
    assert!(setup.ask(&old).await.is_ok());
    setup.issuer.replace_keys("second");
    // not noticed yet: nothing asks the issuer
    assert!(setup.ask(&old).await.is_ok());
    setup.clock.advance(100);
    // it is time: this token is still answered at once, and the keys are fetched behind it
    assert!(setup.ask(&old).await.is_ok());
    // a token of the new key waits for that fetch
    assert!(setup.ask(&setup.issuer.token("ada")).await.is_ok());
    assert_eq!(setup.ask(&old).await, Err(AuthError::UnknownKey));
}

#[tokio::test]
async fn keys_are_renewed_in_the_background() {
    let setup = Setup::new().await;
    let token = setup.issuer.token_with("ada", json!({"exp": super::clock::START + 1_000_000}));
    assert!(setup.ask(&token).await.is_ok());
    setup.clock.advance(3599);
    assert!(setup.ask(&token).await.is_ok());
    assert_eq!(setup.issuer.hits(KEYS), 1);
    setup.clock.advance(1);
    let go = Arc::new(Notify::new());
    setup.issuer.reply(KEYS, Reply::When(go.clone()));
    // many requests, one fetch, and none of them waits for it
    for _ in 0..10 {
        assert!(setup.ask(&token).await.is_ok());
    }
    setup.issuer.wait_for_hits(KEYS, 2).await;
    assert!(setup.ask(&token).await.is_ok());
    // that fetch brought the new key: its first token needs no other one
    setup.issuer.rotate("second");
    go.notify_one();
    let new = setup.issuer.token_with("bob", json!({"exp": super::clock::START + 1_000_000}));
    assert!(setup.ask(&new).await.is_ok());
    assert!(setup.ask(&token).await.is_ok());
    assert_eq!(setup.issuer.hits(KEYS), 2);
}

/// An issuer that was set up anew has other keys; one that gives the new one an old id as well.
#[tokio::test]
async fn an_issuer_set_up_anew() {
    let setup = Setup::with(|settings| settings.keys.refresh_seconds = 100).await;
    let old = setup.issuer.token("ada");
    assert!(setup.ask(&old).await.is_ok());
    setup.issuer.replace_keys("first");
    let new = setup.issuer.token("ada");
    assert_eq!(setup.ask(&new).await, Err(AuthError::BadSignature));
    setup.clock.advance(100);
    assert_eq!(setup.ask(&new).await, Err(AuthError::BadSignature));
    setup.issuer.wait_for_hits(KEYS, 2).await;
    // a token with an unknown key id waits for the fetch that is under way
    let waits =
        setup.issuer.key().sign_with(&json!({"kid": "made-up"}), &setup.issuer.claims("eve").to_string());
    assert_eq!(setup.ask(&waits).await, Err(AuthError::UnknownKey));
    assert!(setup.ask(&new).await.is_ok());
    assert_eq!(setup.ask(&old).await, Err(AuthError::BadSignature));
}
