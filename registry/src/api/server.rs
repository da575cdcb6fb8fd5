//! Listening, and stopping without dropping anyone.

use super::Readiness;
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Bounds of the server.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Longest time until all headers of a request are there.
    pub header_time: Duration,
    /// Longest request line and headers together, in bytes.
    pub header_bytes: usize,
    /// How long to go on answering after readiness was withdrawn, so that load balancers notice.
    pub notice_time: Duration,
    /// How long to wait for requests under way after that.
    pub drain_time: Duration,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {why}. {}", advice(.why))]
pub struct ListenError {
    address: SocketAddr,
    why: io::Error,
}

fn advice(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::AddrInUse => "Another process has this port: stop it, or set another one (listen)",
        io::ErrorKind::PermissionDenied => "Ports below 1024 need a privilege: set a higher one (listen)",
        io::ErrorKind::AddrNotAvailable => "This machine has no such address: set one that it has (listen)",
        _ => "Set another address (listen)",
    }
}

/// Binds an address.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|why| ListenError { address, why })
}

/// Serves until `stop`; then withdraws readiness, goes on for a notice, lets requests end, and returns.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    readiness: &Readiness,
    bounds: Bounds,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_time)
        .max_buf_size(bounds.header_bytes.max(8192));
    let last = async {
        stop.cancelled().await;
        readiness.withdraw();
        tracing::info!(notice_ms = bounds.notice_time.as_millis(), "stopping: not ready any more");
        tokio::time::sleep(bounds.notice_time).await;
    };
    tokio::pin!(last);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut last => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be closed instead of spinning.
                tracing::warn!(error = %error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "could not set TCP_NODELAY");
        }
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => tracing::info!("stopped: all requests were answered"),
        () = tokio::time::sleep(bounds.drain_time) => tracing::warn!("stopped: some requests did not end in time"),
    }
}
