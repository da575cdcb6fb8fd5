//! TLS of the process itself.

use super::{LONG, common::Registry, exchange};
use registry::settings::{Settings, StoreSettings};
use reqwest::{Certificate, Client, StatusCode, Version, header};
use serde_json::json;
use std::{fs, path::Path};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls};

const FIRST: &[u8] = include_bytes!("tls/first.ca.pem");
const SECOND: &[u8] = include_bytes!("tls/second.ca.pem");

/// Puts a certificate in place the way tools do: beside, then over the old one.
fn put(folder: &Path, name: &str) {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/tls");
    for (from, to) in [(format!("{name}.key.pem"), "tls.key"), (format!("{name}.pem"), "tls.crt")] {
        fs::copy(files.join(from), folder.join("new")).unwrap();
        fs::rename(folder.join("new"), folder.join(to)).unwrap();
    }
}

fn settings(folder: &Path) -> impl FnOnce(&mut Settings) {
    let tls = json!({
        "certificate": folder.join("tls.crt"), "key": folder.join("tls.key"), "reload_seconds": 1,
    });
    |settings| settings.tls = Some(serde_json::from_value(tls).unwrap())
}

/// A client that trusts one authority only.
fn client(authority: &[u8]) -> Client {
    let builder = Client::builder().no_proxy().use_rustls_tls().tls_built_in_root_certs(false);
    builder.add_root_certificate(Certificate::from_pem(authority).unwrap()).build().unwrap()
}

/// A connection by hand, with HTTP/1.1.
async fn connect(registry: &Registry, authority: &[u8]) -> TlsStream<TcpStream> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(registry.address()).await.unwrap();
    TlsConnector::from(std::sync::Arc::new(config))
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap()
}

async fn answers(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut start = [0; 1024];
    let length = stream.read(&mut start).await.unwrap();
    assert!(start[..length].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&start[..length]));
}

async fn until(what: impl AsyncFn() -> bool) {
    let done = async {
        while !what().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, done).await.expect("it does not happen");
}

#[tokio::test]
async fn both_versions_of_http_and_nothing_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "first");
    let registry = Registry::start_with(settings(folder.path())).await;
    let url = format!("https://{}/api/v1/providers/", registry.address());
    let response = client(FIRST).get(&url).bearer_auth(&registry.admin).send().await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(response.headers()[header::STRICT_TRANSPORT_SECURITY], "max-age=31536000");
    answers(&mut connect(&registry, FIRST).await).await;
    assert!(client(SECOND).get(&url).send().await.is_err(), "another authority's");
    let plain = exchange(registry.address(), b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(!plain.contains("200"), "{plain}");
    // many at once, large answers, an end in good order
    let client = client(FIRST);
    let requests =
        (0..50).map(|_| client.get(format!("https://{}/api/v1/openapi.json", registry.address())).send());
    for response in futures::future::join_all(requests).await {
        assert!(response.unwrap().bytes().await.unwrap().len() > 100_000);
    }
    registry.stop.cancel();
    tokio::time::timeout(LONG, registry.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn certificates_change_and_connections_stay() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "first");
    let registry = Registry::start_with(settings(folder.path())).await;
    let url = format!("https://{}/healthz", registry.address());
    // a new connection each time
    let good = async |authority: &[u8]| client(authority).get(&url).send().await.is_ok();
    let mut held = connect(&registry, FIRST).await;
    let pooled = client(FIRST);
    answers(&mut held).await;
    assert_eq!(pooled.get(&url).send().await.unwrap().status(), StatusCode::OK);

    // what cannot be used changes nothing: a key of another certificate, half a file, none
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/network/tls/second.key.pem"),
        folder.path().join("tls.key"),
    )
    .unwrap();
    let failed = async |count: u64| {
        let metrics = pooled.get(format!("https://{}/metrics", registry.address())).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let line = r#"fedreg_reloads_total{what="certificate",outcome="failed"} "#;
        metrics
            .lines()
            .filter_map(|text| text.strip_prefix(line))
            .any(|text| text.parse::<u64>().unwrap() >= count)
    };
    until(async || failed(1).await).await;
    assert!(good(FIRST).await && !good(SECOND).await);
    fs::write(folder.path().join("tls.crt"), "-----BEGIN CERTIFICATE-----\nMII").unwrap();
    until(async || failed(2).await).await;
    fs::remove_file(folder.path().join("tls.crt")).unwrap();
    until(async || failed(3).await).await;
    assert!(good(FIRST).await && !good(SECOND).await);

    put(folder.path(), "second");
    until(async || good(SECOND).await).await;
    assert!(!good(FIRST).await, "new connections get the new one");
    answers(&mut held).await;
    assert_eq!(pooled.get(&url).send().await.unwrap().status(), StatusCode::OK, "old connections go on");
}

#[tokio::test]
async fn a_start_with_what_cannot_be_used_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let mut with = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..Settings::default() };
        with.store = StoreSettings::Embedded { path: folder.path().join("store") };
        settings(folder.path())(&mut with);
        registry::service::Service::start(&with).await.err().unwrap().to_string()
    };
    assert!(start().await.contains("tls.crt cannot be read: No such file"), "{}", start().await);
    put(folder.path(), "first");
    fs::write(folder.path().join("tls.key"), "secret stuff").unwrap();
    let sentence = start().await;
    assert!(sentence.contains("holds no private key in PEM form. Name another file (tls.key)"), "{sentence}");
    assert!(!sentence.contains("secret"), "{sentence}");
    fs::write(folder.path().join("tls.crt"), "").unwrap();
    assert!(start().await.contains("holds no certificate in PEM form"), "{}", start().await);
    put(folder.path(), "second");
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/network/tls/first.pem"),
        folder.path().join("tls.crt"),
    )
    .unwrap();
    assert!(start().await.contains("cannot be used together"), "{}", start().await);
}
