//! What strangers can do to a registry over the network, and what its own TLS does. Real sockets, real time.
//!
//! | attack | test |
//! |---|---|
//! | brute force: many requests, many tokens | `rates` |
//! | an invented `X-Forwarded-For` | `rates::what_strangers_say_about_themselves_does_not_count` |
//! | many idle connections, slow heads | `connections` |
//! | slow bodies | `api::body` (unit tests), `behaviour` |
//! | header bombs | `connections::heads_are_bounded` |
//! | path traversal in the page's files | `browsers::no_path_leads_out_of_the_page` |
//! | pages of other origins | `browsers` |
//! | certificates that change, break, come back | `tls` |

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests too")]

mod browsers;
#[path = "../common/mod.rs"]
mod common;
mod connections;
mod rates;
mod tls;

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than anything here may take.
const LONG: Duration = Duration::from_secs(20);

impl common::Registry {
    fn address(&self) -> SocketAddr {
        let rest = self.url.split_once("://").unwrap().1;
        rest.split('/').next().unwrap().parse().unwrap()
    }
}

/// Sends bytes and reads until the other side closes.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // it may be closed before all was sent
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

/// Reads until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await;
    // a reset is an end too
    let _ = closed.expect("the connection stays open");
    String::from_utf8_lossy(&answer).into_owned()
}
