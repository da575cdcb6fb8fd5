//! The registry as one running service: store, graph, issuers, API.

use crate::{
    api::{self, App, Options, Readiness, Throttle, server},
    auth::{Authenticator, Clock, IssuerProblem, Policy, PolicyError, SystemClock},
    federation::{Federation, OpenError},
    settings::{Settings, StoreSettings},
    store::{Store, StoreError, embedded::Embedded, neo4j::Neo4j},
};
use chrono::Utc;
use rand::RngCore;
use schema::Schema;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long to wait for the first load from a shared store before listening without it.
const FIRST: Duration = Duration::from_secs(10);
/// The same when there is a file to serve from meanwhile.
const FIRST_WITH_FILE: Duration = Duration::from_secs(2);

/// A registry that listens but does not answer yet.
pub struct Service {
    app: api::Shared,
    listener: TcpListener,
    bounds: server::Bounds,
    tls: Option<server::Tls>,
    backing: Backing,
}

/// What the registry stands on.
pub struct Backing {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Others use it too: it is followed, and need not be there at the start.
    pub shared: bool,
    /// Where the last known graph is kept for starts without the store.
    pub snapshot: Option<PathBuf>,
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
    /// TLS towards others.
    #[error("no TLS client can be made: {0}")]
    Tls(#[from] reqwest::Error),
    /// TLS of this process.
    #[error(transparent)]
    Certificate(#[from] server::TlsError),
    /// The policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Metrics.
    #[error("metrics cannot be recorded: {0}")]
    Metrics(String),
}

fn join(problems: &[IssuerProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Opens the store that the settings name; it keeps so many of the last changes.
pub fn open_store(settings: &StoreSettings, log_entries: u64) -> Result<Arc<dyn Store>, StoreError> {
    match settings {
        StoreSettings::Embedded { path } => Ok(Arc::new(Embedded::open(Schema::get(), path, log_entries)?)),
        StoreSettings::Neo4j(settings) => Ok(Arc::new(Neo4j::new(Schema::get(), settings, log_entries)?)),
    }
}

impl From<&Settings> for Options {
    fn from(settings: &Settings) -> Self {
        Self {
            base_path: settings.base_path.clone(),
            body_bytes: settings.limits.body_bytes,
            request_time: Duration::from_secs(settings.limits.request_seconds),
            body_rate: settings.limits.body_bytes_per_second,
            lenient_documents: settings.lenient_documents,
            heartbeat: Duration::from_secs(settings.history.heartbeat_seconds),
            proxies: settings.proxies.clone(),
            cors: settings.cors.clone(),
            tls: settings.tls.is_some(),
            policy: settings.auth.policy.is_some(),
        }
    }
}

impl From<&Settings> for server::Bounds {
    fn from(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            header_time: Duration::from_secs(limits.header_seconds),
            header_bytes: limits.header_bytes,
            idle_time: Duration::from_secs(limits.idle_seconds),
            connections: limits.connections,
            connections_per_client: limits.connections_per_client,
            proxies: settings.proxies.clone(),
            notice_time: Duration::from_secs(limits.notice_seconds),
            drain_time: Duration::from_secs(limits.drain_seconds),
        }
    }
}

impl Service {
    /// Does all that can fail: binds, loads the graph, asks the issuers for their keys.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let backing = Backing {
            store: open_store(&settings.store, settings.history.entries)?,
            shared: settings.store.is_shared(),
            snapshot: settings.store.snapshot().map(Path::to_owned),
        };
        Self::start_on(settings, backing).await
    }

    /// The same on a store that is open already.
    pub async fn start_on(settings: &Settings, backing: Backing) -> Result<Self, StartError> {
        let metrics = api::metrics_handle().map_err(StartError::Metrics)?;
        let listener = server::bind(settings.listen).await?;
        let tls = settings.tls.as_ref().map(server::Tls::load).transpose()?;
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let limits = &settings.limits;
        let store = Arc::clone(&backing.store);
        let federation =
            Arc::new(Federation::new(Schema::get(), store, Utc::now, seed, limits.answer_cache_bytes));
        first_load(&federation, &backing).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut authenticator = Authenticator::new(&settings.auth, Arc::clone(&clock))?;
        if let Some(policy) = &settings.auth.policy {
            let policy = Arc::new(Policy::new(policy, Arc::clone(&clock))?);
            if let Err(problem) = policy.check().await {
                tracing::error!("{problem}");
            }
            authenticator = authenticator.with_policy(policy);
        }
        if let Err(problems) = authenticator.check().await {
            if settings.auth.issuers_required_at_start {
                return Err(StartError::Issuers(problems));
            }
            for problem in problems {
                tracing::warn!("{problem}");
            }
        }
        let app = Arc::new(App {
            federation,
            authenticator: Arc::new(authenticator),
            options: Options::from(settings),
            throttle: Arc::new(Throttle::new(&limits.rates, clock)),
            followers: Arc::new(Semaphore::new(settings.history.followers)),
            readiness: Readiness::default(),
            metrics,
        });
        Ok(Self { app, listener, bounds: server::Bounds::from(settings), tls, backing })
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
        if let Some(policy) = self.app.authenticator.policy().cloned() {
            let stop = stop.clone();
            tokio::spawn(async move { policy.keep_current(stop).await });
        }
        if let Some(tls) = self.tls.clone() {
            let stop = stop.clone();
            tokio::spawn(async move { tls.keep_current(stop).await });
        }
        let router = api::router(Arc::clone(&self.app));
        let beside = TaskTracker::new();
        let ended = CancellationToken::new();
        if self.backing.shared {
            beside.spawn(self.federation().keep_up(ended.clone()));
        }
        if let Some(path) = self.backing.snapshot {
            beside.spawn(Arc::clone(&self.app.federation).keep_file(path, ended.clone()));
        }
        server::serve(self.listener, self.tls, router, &self.app.readiness, self.bounds, stop).await;
        ended.cancel();
        beside.close();
        beside.wait().await;
    }
}

/// Loads the graph; from a shared store that is not there, nothing, or what an earlier process kept.
async fn first_load(federation: &Arc<Federation>, backing: &Backing) -> Result<(), OpenError> {
    if !backing.shared {
        return federation.load().await;
    }
    let loading = Arc::clone(federation);
    let mut first = tokio::spawn(async move { loading.load().await });
    let patience = if backing.snapshot.is_some() { FIRST_WITH_FILE } else { FIRST };
    let why = match tokio::time::timeout(patience, &mut first).await {
        Ok(Ok(Ok(()))) => return Ok(()),
        Ok(Ok(Err(error))) if error.passes() => error.to_string(),
        Ok(Ok(Err(error))) => return Err(error),
        Ok(Err(broken)) => return Err(StoreError::Failed(broken.to_string()).into()),
        // it goes on meanwhile
        Err(_) => format!("the graph is not loaded after {} s", patience.as_secs()),
    };
    if let Some(path) = &backing.snapshot {
        match federation.serve_file(path).await {
            Ok(true) => {}
            Ok(false) => tracing::info!("there is no {} to serve from yet", path.display()),
            Err(error) => tracing::error!("{} cannot be served from: {error}", path.display()),
        }
    }
    federation.trouble(Some(why));
    Ok(())
}
