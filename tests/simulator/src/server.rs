//! Listening on loopback and ending cleanly.

use axum::Router;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; choose another port, or 0 for a free one")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// What the system says.
    pub source: std::io::Error,
}

/// A bound port that nobody serves yet.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// A served port. Dropped, it stops accepting and ends idle connections.
#[derive(Debug)]
pub(crate) struct Server {
    stop: CancellationToken,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    pub async fn bind(address: SocketAddr) -> Result<Bound, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Bound { listener, address })
    }

    /// Stops and waits until the answers that were begun are sent.
    pub async fn stop(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take()
            && let Err(failed) = task.await
            && failed.is_panic()
        {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bound {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`.
    pub fn serve(self, router: Router, stop: CancellationToken) -> Server {
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            // an accept error is retried inside; the future ends with `stopped` only
            drop(axum::serve(self.listener, router).with_graceful_shutdown(stopped).await);
        });
        Server { stop, task: tokio::sync::Mutex::new(Some(task)) }
    }
}

/// Locks; a panic elsewhere while it was locked leaves simulated data that are good enough.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
