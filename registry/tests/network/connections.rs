//! Connections that are held without being used, and heads without end.

use super::{LONG, common::Registry, exchange, rest};
use std::{
    fmt::Write,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

async fn open(registry: &Registry) -> TcpStream {
    TcpStream::connect(registry.address()).await.unwrap()
}

/// Asks once; whether there was an answer.
async fn answers(stream: &mut TcpStream) -> bool {
    let mut start = [0; 12];
    stream.write_all(GET).await.is_ok()
        && stream.read_exact(&mut start).await.is_ok()
        && start == *b"HTTP/1.1 200"
}

#[tokio::test]
async fn connections_are_counted() {
    for (all, of_one) in [(5, 100), (100, 5)] {
        let registry = Registry::start_with(|settings| {
            (settings.limits.connections, settings.limits.connections_per_client) = (all, of_one);
        })
        .await;
        let mut held = Vec::new();
        for _ in 0..5 {
            let mut stream = open(&registry).await;
            assert!(answers(&mut stream).await);
            held.push(stream);
        }
        assert!(!answers(&mut open(&registry).await).await, "a sixth one");
        // those that were there go on
        drop(held.pop());
        tokio::time::timeout(LONG, async { while !answers(&mut open(&registry).await).await {} })
            .await
            .unwrap();
        drop(held);
        registry.stopped().await;
    }
}

/// How long a connection lasts on which these bytes are sent, then nothing or more and more.
async fn lasts(registry: &Registry, first: &[u8], drip: bool) -> f64 {
    let mut stream = open(registry).await;
    let start = Instant::now();
    stream.write_all(first).await.unwrap();
    if drip {
        while stream.write_all(b"x").await.is_ok() && start.elapsed() < LONG {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    rest(&mut stream).await;
    start.elapsed().as_secs_f64()
}

#[tokio::test]
async fn who_holds_a_connection_without_asking_loses_it() {
    let registry = Registry::start_with(|settings| {
        (settings.limits.header_seconds, settings.limits.idle_seconds) = (1, 3);
    })
    .await;
    let (nothing, half, drip, idle, http2) = tokio::join!(
        lasts(&registry, b"", false),
        lasts(&registry, b"GET /healthz HT", false),
        lasts(&registry, b"GET /healthz HTTP/1.1\r\nx-", true),
        lasts(&registry, GET, false),
        lasts(&registry, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", false),
    );
    for (what, seconds, expected) in [
        ("nothing", nothing, 1.0),
        ("half", half, 1.0),
        ("drip", drip, 1.0),
        ("idle", idle, 3.0),
        ("http2", http2, 3.0),
    ] {
        assert!((expected - 0.1..expected + 1.5).contains(&seconds), "{what}: {seconds} s, not {expected} s");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let registry = Registry::start().await;
    let head = |count: usize, length: usize| {
        let mut head = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
        for n in 0..count {
            write!(head, "x-{n}: {}\r\n", "y".repeat(length)).unwrap();
        }
        head + "\r\n"
    };
    for (count, length, status) in [
        (90, 10, "200 OK"),
        (3, 9000, "200 OK"),
        (101, 1, "431 "),
        (1, 40_000, "431 "),
        (90, 1000, "431 "),
        (100_000, 10, "431 "),
    ] {
        let answer = exchange(registry.address(), head(count, length).as_bytes()).await;
        // so much at once may be answered by a reset that overtakes the answer
        let reset = answer.is_empty() && count * length > 500_000;
        assert!(reset || answer.starts_with(&format!("HTTP/1.1 {status}")), "{count} x {length}: {answer}");
    }
    let target = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(40_000));
    let answer = exchange(registry.address(), target.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
    // HTTP/2 compresses heads: what counts is what they unfold to
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/healthz", registry.address());
    let sent = async |length: usize| client.get(&url).header("x", "y".repeat(length)).send().await;
    assert_eq!(sent(9000).await.unwrap().status(), 200);
    let refused = sent(40_000).await;
    assert!(refused.as_ref().map_or(true, |answer| answer.status() == 431), "{refused:?}");
    assert_eq!(sent(10).await.unwrap().status(), 200);
}
