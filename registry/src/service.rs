//! The registry as one running service: store, graph, issuers, API.

use crate::{
    api::{self, App, Options, Readiness, server},
    auth::{Authenticator, IssuerProblem, SystemClock},
    federation::{Federation, OpenError},
    settings::{Settings, StoreSettings},
    store::{Store, StoreError, embedded::Embedded},
};
use chrono::Utc;
use rand::RngCore;
use schema::Schema;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// A registry that listens but does not answer yet.
pub struct Service {
    app: api::Shared,
    listener: TcpListener,
    bounds: server::Bounds,
}

/// Why the registry does not start: a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address.
    #[error(transparent)]
    Listen(#[from] server::ListenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the store holds.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The issuers.
    #[error("{}. Or start without them (auth.issuers_required_at_start: false): requests with their tokens then get 503 until they answer", join(.0))]
    Issuers(Vec<IssuerProblem>),
    /// TLS.
    #[error("no TLS client can be made: {0}")]
    Tls(#[from] reqwest::Error),
    /// Metrics.
    #[error("metrics cannot be recorded: {0}")]
    Metrics(String),
}

fn join(problems: &[IssuerProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Opens the store that the settings name.
pub fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, StoreError> {
    let entries = settings.history.entries;
    match &settings.store {
        StoreSettings::Embedded { path } => Ok(Arc::new(Embedded::open(Schema::get(), path, entries)?)),
    }
}

impl Service {
    /// Does all that can fail: binds, loads the graph, asks the issuers for their keys.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let metrics = api::metrics_handle().map_err(StartError::Metrics)?;
        let listener = server::bind(settings.listen).await?;
        let store = open_store(settings)?;
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let limits = &settings.limits;
        let federation =
            Federation::open(Schema::get(), store, Utc::now, seed, limits.answer_cache_bytes).await?;
        let authenticator = Authenticator::new(&settings.auth, Arc::new(SystemClock::new()))?;
        if let Err(problems) = authenticator.check().await {
            if settings.auth.issuers_required_at_start {
                return Err(StartError::Issuers(problems));
            }
            for problem in problems {
                tracing::warn!("{problem}");
            }
        }
        let app = Arc::new(App {
            federation: Arc::new(federation),
            authenticator: Arc::new(authenticator),
            options: Options {
                base_path: settings.base_path.clone(),
                body_bytes: limits.body_bytes,
                request_time: Duration::from_secs(limits.request_seconds),
                lenient_documents: settings.lenient_documents,
                heartbeat: Duration::from_secs(settings.history.heartbeat_seconds),
            },
            followers: Arc::new(Semaphore::new(settings.history.followers)),
            readiness: Readiness::default(),
            metrics,
        });
        let bounds = server::Bounds {
            header_time: Duration::from_secs(limits.header_seconds),
            header_bytes: limits.header_bytes,
            notice_time: Duration::from_secs(limits.notice_seconds),
            drain_time: Duration::from_secs(limits.drain_seconds),
        };
        let nodes = app.federation.snapshot().graph.len();
        tracing::info!(
            nodes,
            revision = app.federation.snapshot().revision,
            "the graph is loaded: {nodes} nodes"
        );
        Ok(Self { app, listener, bounds })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The graph that it serves.
    pub fn federation(&self) -> Arc<Federation> {
        Arc::clone(&self.app.federation)
    }

    /// Answers until told to stop; then stops being ready, lets requests end, and returns.
    pub async fn run(self, stop: CancellationToken) {
        let router = api::router(Arc::clone(&self.app));
        server::serve(self.listener, router, &self.app.readiness, self.bounds, stop).await;
    }
}
