//! Listening, and stopping without dropping anyone.

mod admission;
mod tls;
mod watched;

pub use tls::{Tls, TlsError, TlsSettings};

use super::{
    Readiness,
    client::{Peer, Proxies},
};
use admission::{Admission, Place};
use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use std::{error::Error, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;
use tower::Service;
use watched::{Pulse, Watched};

/// Bounds of the server.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Longest time until all headers of a request are there, or a TLS handshake is over.
    pub header_time: Duration,
    /// Longest request line and headers together, in bytes.
    pub header_bytes: usize,
    /// How long a connection may do nothing.
    pub idle_time: Duration,
    /// How many connections there may be at once.
    pub connections: usize,
    /// How many of them one client may have.
    pub connections_per_client: usize,
    /// Those are not counted by client.
    pub proxies: Proxies,
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

/// Serves until `stop`; then withdraws readiness, goes on for a notice, lets requests end, and returns. Speaks TLS when
/// it is given one.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    readiness: &Readiness,
    bounds: Bounds,
    stop: CancellationToken,
) {
    let (notice_time, drain_time) = (bounds.notice_time, bounds.drain_time);
    let server = Server::new(tls, router, bounds);
    let graceful = GracefulShutdown::new();
    let last = async {
        stop.cancelled().await;
        readiness.withdraw();
        tracing::info!(notice_seconds = notice_time.as_secs_f64(), "stopping: not ready any more");
        tokio::time::sleep(notice_time).await;
    };
    tokio::pin!(last);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut last => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be closed instead of spinning.
                tracing::warn!(error = %error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        match server.admission.admit(peer.ip()) {
            Ok(place) => drop(tokio::spawn(server.clone().answer(stream, peer, place, graceful.watcher()))),
            Err(bound) => {
                tracing::debug!(client = %peer.ip(), bound, "a connection was refused");
                metrics::counter!("fedreg_connections_refused_total", "bound" => bound).increment(1);
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => tracing::info!("stopped: all requests were answered"),
        () = tokio::time::sleep(drain_time) => tracing::warn!("stopped: some requests did not end in time"),
    }
}

/// What every connection is served with.
#[derive(Clone)]
struct Server {
    builder: auto::Builder<TokioExecutor>,
    tls: Option<Tls>,
    router: Router,
    admission: Arc<Admission>,
    header_time: Duration,
    idle_time: Duration,
}

impl Server {
    fn new(tls: Option<Tls>, router: Router, bounds: Bounds) -> Self {
        let bytes = bounds.header_bytes.max(8192);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // how long heads may take is watched below, together with silence
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(bytes);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(bytes).unwrap_or(u32::MAX));
        let admission = Admission::new(bounds.connections, bounds.connections_per_client, bounds.proxies);
        let (header_time, idle_time) = (bounds.header_time, bounds.idle_time);
        Self { builder, tls, router, admission: Arc::new(admission), header_time, idle_time }
    }

    /// Answers the requests of one connection.
    async fn answer(self, stream: TcpStream, peer: SocketAddr, _place: Place, watcher: Watcher) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "could not set TCP_NODELAY");
        }
        let pulse = Arc::new(Pulse::default());
        let stream = Watched::new(stream, self.idle_time, self.header_time, Arc::clone(&pulse));
        let ended = match self.tls.clone() {
            None => self.converse(stream, peer, pulse, watcher).await,
            Some(tls) => match tokio::time::timeout(self.header_time, tls.acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                        pulse.is_http2();
                    }
                    self.converse(stream, peer, pulse, watcher).await
                }
                Ok(Err(error)) => Err(error.into()),
                Err(late) => Err(late.into()),
            },
        };
        if let Err(error) = ended {
            tracing::debug!(client = %peer.ip(), error = %error, "a connection ended early");
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        peer: SocketAddr,
        pulse: Arc<Pulse>,
        watcher: Watcher,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let router = self.router;
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            let under_way = pulse.request();
            request.extensions_mut().insert(Peer(peer));
            let answer = router.clone().call(request);
            async move {
                let answer = answer.await;
                drop(under_way);
                answer
            }
        });
        let connection =
            self.builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        watcher.watch(connection.into_owned()).await
    }
}
