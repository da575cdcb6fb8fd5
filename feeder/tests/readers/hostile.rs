//! A site that was taken over, or is very broken: it costs its own lists, bounded time and bounded memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use feeder::{limits::Limits, reading::FaultClass};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use wiremock::{Request, ResponseTemplate};

use super::{
    openstack::{Cloud, reader},
    support::{count, fault_of, limits, list, ok, on, site, status, unknown},
};

const NETWORKS: &str = "/9696/v2.0/networks";

/// A server that answers each request with a head and then whatever `body` writes, and counts the bytes it got rid of.
async fn endless(length: &str, piece: &'static [u8], pause: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(AtomicUsize::new(0));
    let (head, counted) =
        (format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{length}\r\n"), Arc::clone(&sent));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(drip(stream, head.clone(), piece, pause, Arc::clone(&counted)));
        }
    });
    (address, sent)
}

async fn drip(mut stream: TcpStream, head: String, piece: &[u8], pause: Duration, sent: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let mut written = stream.write_all(head.as_bytes()).await;
    while written.is_ok() {
        written = stream.write_all(piece).await;
        sent.fetch_add(piece.len(), Ordering::Relaxed);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

/// The captured cloud with its network service somewhere else.
async fn with_network_at(address: &str) -> Cloud {
    let cloud = Cloud::start().await;
    cloud.with_catalog(|catalog| network_at(catalog, address)).await;
    cloud
}

fn network_at(catalog: &mut [Value], address: &str) {
    let network = catalog.iter_mut().find(|service| service["type"] == "network").unwrap();
    network["endpoints"] = json!([{"interface": "public", "region": "RegionOne", "url": address}]);
}

/// What is lost is the network service, in one way; why.
async fn lost(cloud: &Cloud, limits: Limits, class: FaultClass) -> String {
    let connection = cloud.connection();
    let reading = reader(&connection, limits).read(&connection).await;
    assert_eq!(unknown(&reading), ["networks", "network quotas"].map(|name| (name.to_owned(), class)));
    fault_of(list(&reading, "networks")).to_string()
}

#[tokio::test]
async fn ten_gigabytes_are_cut_at_the_bound() {
    static PIECE: [u8; 1 << 16] = [b' '; 1 << 16];
    for length in ["content-length: 10737418240\r\n", "connection: close\r\n"] {
        let (address, sent) = endless(length, &PIECE, Duration::ZERO).await;
        let cloud = with_network_at(&address).await;
        let why = lost(&cloud, Limits { bytes: 4 << 20, ..limits() }, FaultClass::Garbage).await;
        assert!(why.contains("too large"), "{why}");
        // two lists, and what lay in buffers of the sockets
        assert!(sent.load(Ordering::Relaxed) < 40 << 20, "{sent:?}");
    }
}

#[tokio::test]
async fn a_drip_ends_with_the_time_of_the_request() {
    let (address, _) = endless("content-length: 1000000\r\n", b" ", Duration::from_millis(20)).await;
    let cloud = with_network_at(&address).await;
    let begun = Instant::now();
    let patient = Limits { request: Duration::from_secs(3), retries: 0, ..limits() };
    let why = lost(&cloud, patient, FaultClass::Timeout).await;
    assert!(why.contains("no answer within 3.0 s") && begun.elapsed() < Duration::from_secs(30), "{why}");
}

#[tokio::test]
async fn an_endless_chain_of_pages_is_left() {
    let cloud = Cloud::start().await;
    let (asked, uri) = (Arc::new(AtomicUsize::new(0)), cloud.server.uri());
    let page = move |_: &Request| {
        let marker = asked.fetch_add(1, Ordering::Relaxed);
        let next = json!([{"rel": "next", "href": format!("{uri}{NETWORKS}?marker={marker}")}]);
        ok(json!({"networks": [], "networks_links": next}))
    };
    on("GET", NETWORKS).respond_with(page).with_priority(1).mount(&cloud.server).await;
    let connection = cloud.connection();
    let reading = reader(&connection, Limits { pages: 20, ..limits() }).read(&connection).await;
    assert_eq!(unknown(&reading), [("networks".to_owned(), FaultClass::Garbage)]);
    assert!(fault_of(list(&reading, "networks")).why.contains("more than 20 pages"));
    assert_eq!(count(&cloud.server, &format!("GET {NETWORKS}")).await, 20);
}

#[tokio::test]
async fn a_catalog_does_not_lead_to_a_metadata_service() {
    for (address, says) in [
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is link-local"),
        ("http://[fd00:ec2::254]/latest", "fd00:ec2::254 is a cloud's metadata service"),
        ("http://0.0.0.0:9696/", "0.0.0.0 is no address of a single machine"),
        ("file:///etc/passwd", "it names no host"),
        ("gopher://127.0.0.1/x", "it is gopher, neither http nor https"),
        ("nonsense", "relative URL without a base"),
    ] {
        let cloud = with_network_at(address).await;
        let why = lost(&cloud, limits(), FaultClass::Garbage).await;
        assert!(why.starts_with(&format!("catalog: the address of network is {address}: {says}")), "{why}");
        assert!(why.ends_with("give it in `endpoints` of the provider file"), "{why}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_metadata_service_is_not_followed() {
    let cloud = Cloud::start().await;
    let away =
        ResponseTemplate::new(302).insert_header("location", "http://169.254.169.254/latest/meta-data/");
    on("GET", NETWORKS).respond_with(away).with_priority(1).mount(&cloud.server).await;
    let connection = cloud.connection();
    let reading = reader(&connection, limits()).read(&connection).await;
    assert_eq!(unknown(&reading), [("networks".to_owned(), FaultClass::Garbage)]);
    assert!(
        fault_of(list(&reading, "networks")).why.starts_with("HTTP 302: it redirects, which is not followed")
    );
}

#[tokio::test]
async fn the_provider_file_has_the_last_word_on_addresses() {
    let cloud = with_network_at("http://169.254.169.254/").await;
    let mut connection = cloud.connection();
    let address = format!("{}/9696", cloud.server.uri());
    let endpoints = [("RegionOne".to_owned(), [("network".to_owned(), address.clone())].into())].into();
    site(&mut connection).endpoints = endpoints;
    let reading = reader(&connection, limits()).read(&connection).await;
    assert_eq!(unknown(&reading), []);
    let feeder::reading::Listing::Complete(services) = &reading.services else { panic!("{reading:?}") };
    let network = services.iter().find(|service| service.name == "org.openstack.neutron").unwrap();
    assert_eq!(network.endpoint, address);

    let cloud = with_network_at("http://10.0.0.1:9696").await;
    let mut connection = cloud.connection();
    site(&mut connection).catalog_hosts = vec!["*.example.org".to_owned()];
    let reading = reader(&connection, limits()).read(&connection).await;
    let why = fault_of(list(&reading, "networks")).to_string();
    assert!(why.contains("`catalog_hosts` of the provider file does not name 10.0.0.1"), "{why}");
}

#[tokio::test]
async fn an_error_page_of_any_size_is_no_message() {
    let cloud = Cloud::start().await;
    let page = status(503).set_body_string(format!("<html>{}</html>", "busy ".repeat(100_000)));
    on("GET", NETWORKS).respond_with(page).with_priority(1).mount(&cloud.server).await;
    let connection = cloud.connection();
    let reading = reader(&connection, limits()).read(&connection).await;
    assert_eq!(unknown(&reading), [("networks".to_owned(), FaultClass::Unavailable)]);
    assert!(fault_of(list(&reading, "networks")).why.len() < 200);
}
