//! Connections: never without a time limit, never left behind with a lock.

use super::{super::StoreError, settings::Neo4jSettings};
use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use neo4rs::{DetachedRowStream, Error, Graph, Neo4jErrorKind, Query, Row};
use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio_rustls::rustls::{CertificateError as Certificate, Error as Tls};

/// How long a small question may take, a new connection included.
pub(super) const ANSWER: Duration = Duration::from_secs(3);
/// How long one statement may take; the first use of a statement costs the server its planning, seconds when it is cold.
pub(super) const STATEMENT: Duration = Duration::from_secs(20);
/// How long the rows of a load may fail to appear.
pub(super) const ROWS: Duration = Duration::from_mins(1);
/// Three refused log-ins lock the user for five seconds, for everybody: one registry alone must not do that.
const AFTER_REFUSAL: Duration = Duration::from_secs(10);

/// The database, reached over two pools: what commits never waits for what loads.
pub(super) struct Connection {
    settings: Neo4jSettings,
    address: String,
    reading: ArcSwap<Graph>,
    writing: ArcSwap<Graph>,
    refused: Mutex<Option<(Instant, String)>>,
    /// Whether it ever answered.
    spoke: AtomicBool,
}

/// Why a statement did not do what it should.
#[derive(Debug)]
pub(super) enum Fault {
    /// The driver or the server says so.
    Driver(Error),
    /// No answer within the time.
    Silent(Duration),
    /// Not asked: the last log-in was refused.
    Refused(String),
    /// An answer that is not as the statement asks for.
    Answer(String),
    /// What was to be sent could not be put into words.
    Unwritable(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Unwritable(error.to_string())
    }
}

impl From<neo4rs::DeError> for Fault {
    fn from(error: neo4rs::DeError) -> Self {
        Self::Answer(error.to_string())
    }
}

impl Fault {
    /// Rolled back by the server, which says that the same may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Driver(Error::Neo4j(error)) if error.kind() == Neo4jErrorKind::Transient)
    }

    /// The server's code: `Neo.ClientError...`.
    pub fn code(&self) -> &str {
        match self {
            Self::Driver(Error::Neo4j(error)) => error.code(),
            _ => "",
        }
    }
}

impl Connection {
    /// No I/O yet.
    pub fn new(settings: &Neo4jSettings) -> Result<Self, StoreError> {
        if settings.url.starts_with("neo4j") {
            tracing::info!(
                "{} is one server; in a cluster it must route writes itself (dbms.routing.enabled)",
                settings.address()
            );
        }
        Ok(Self {
            address: settings.address(),
            reading: ArcSwap::from_pointee(settings.pool(4)?),
            writing: ArcSwap::from_pointee(settings.pool(2)?),
            refused: Mutex::new(None),
            spoke: AtomicBool::new(false),
            settings: settings.clone(),
        })
    }

    /// Where it is, for messages.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The pool of commits.
    pub fn writing(&self) -> Arc<Graph> {
        self.writing.load_full()
    }

    /// Drops the pool of commits with all its connections: a server that hangs keeps a transaction's locks as long as
    /// its connection lives.
    pub fn renew_writing(&self) {
        if let Ok(graph) = self.settings.pool(2) {
            self.writing.store(Arc::new(graph));
        }
    }

    /// Waits for an answer, so long and no longer. What is not answered in time has lost its connection.
    pub fn within<'a, T: 'a, E: Into<Fault>>(
        &'a self,
        limit: Duration,
        work: impl Future<Output = Result<T, E>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Fault>> {
        // the driver's futures are large
        let work = Box::pin(work);
        Box::pin(async move {
            if let Some(text) = self.still_refused() {
                return Err(Fault::Refused(text));
            }
            match tokio::time::timeout(limit, work).await {
                Ok(Ok(value)) => {
                    self.spoke.store(true, Ordering::Relaxed);
                    Ok(value)
                }
                Ok(Err(error)) => {
                    let error = error.into();
                    if let Fault::Driver(Error::AuthenticationError(text)) = &error {
                        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some((Instant::now(), text.clone()));
                    }
                    Err(error)
                }
                Err(_) => Err(Fault::Silent(limit)),
            }
        })
    }

    fn still_refused(&self) -> Option<String> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.take_if(|(since, _)| since.elapsed() > AFTER_REFUSAL);
        refused.as_ref().map(|(_, text)| text.clone())
    }

    /// The rows of a reading statement, one after the other.
    pub async fn rows(&self, query: Query) -> Result<Rows<'_>, Fault> {
        let graph = self.reading.load_full();
        let stream =
            self.within(STATEMENT, graph.execute_read(query)).await.inspect_err(|fault| self.renew(fault))?;
        Ok(Rows { connection: self, stream })
    }

    /// The only row of a small reading statement.
    pub async fn row(&self, query: Query) -> Result<Option<Row>, Fault> {
        let graph = self.reading.load_full();
        let work = async {
            let mut stream = graph.execute_read(query).await?;
            let row = stream.next().await?;
            while stream.next().await?.is_some() {}
            Ok::<_, Error>(row)
        };
        let mut hangs = Hangs(Some(self));
        let row = self.within(ANSWER, work).await.inspect_err(|fault| self.renew(fault));
        hangs.0 = None;
        row
    }

    /// A statement of its own that writes, or changes the schema; safe to have happened although this fails.
    pub async fn execute(&self, query: Query, limit: Duration) -> Result<Option<Row>, Fault> {
        let graph = self.writing();
        let work = async {
            // never `run`: it sends the statement again when the answer is lost
            let mut stream = graph.execute(query).await?;
            let row = stream.next().await?;
            while stream.next().await?.is_some() {}
            Ok::<_, Error>(row)
        };
        let result = self.within(limit, work).await;
        if matches!(result, Err(Fault::Silent(_))) {
            self.renew_writing();
        }
        result
    }

    /// After silence the connections may hang for ever.
    fn renew(&self, fault: &Fault) {
        if matches!(fault, Fault::Silent(_)) {
            self.renew_reading();
        }
    }

    fn renew_reading(&self) {
        if let Ok(graph) = self.settings.pool(4) {
            self.reading.store(Arc::new(graph));
        }
    }

    /// In words that say what to do.
    pub fn explain(&self, fault: Fault) -> StoreError {
        let address = &self.address;
        match fault {
            Fault::Silent(limit) => {
                StoreError::Unreachable(format!("{address} did not answer within {} s", limit.as_secs()))
            }
            Fault::Refused(text) | Fault::Driver(Error::AuthenticationError(text)) => {
                StoreError::Misconfigured(format!(
                    "{address} refuses the user '{}': {text}. Check store.user and the password",
                    self.settings.user
                ))
            }
            Fault::Driver(Error::Neo4j(error)) => match (error.kind(), error.code()) {
                (_, "Neo.ClientError.Database.DatabaseNotFound") => StoreError::Misconfigured(format!(
                    "{address} has no database '{}'. Name one that it has (store.database)",
                    self.settings.database
                )),
                (Neo4jErrorKind::Transient, _)
                | (
                    _,
                    "Neo.ClientError.Transaction.LockClientStopped" | "Neo.ClientError.Cluster.NotALeader",
                ) => StoreError::Unreachable(format!("{address}: {}", error.message())),
                (_, code) if code.starts_with("Neo.ClientError.Transaction.TransactionTimedOut") => {
                    StoreError::Unreachable(format!("{address}: {}", error.message()))
                }
                (_, code) => StoreError::Failed(format!("{address}: {} ({code})", error.message())),
            },
            Fault::Driver(Error::ProtocolMismatch(_)) => StoreError::Misconfigured(format!(
                "{address} does not speak Bolt. Name the port of Bolt, 7687 usually, not that of HTTP (store.url)"
            )),
            Fault::Driver(Error::IOError { detail }) => self.lost(&detail),
            Fault::Driver(
                error @ (Error::ConnectionError | Error::ConnectionTimedOut | Error::IncompleteBoltExchange),
            ) => StoreError::Unreachable(format!("{address}: {error}")),
            Fault::Driver(error) => StoreError::Failed(format!("{address}: {error}")),
            Fault::Unwritable(text) => StoreError::Failed(format!(
                "a change could not be put into words, and nothing of it was written: {text}. Please report this"
            )),
            Fault::Answer(text) => StoreError::Failed(format!("{address} answered unexpectedly: {text}")),
        }
    }

    /// A connection that failed: of TLS it is said what to do.
    fn lost(&self, why: &std::io::Error) -> StoreError {
        let address = &self.address;
        let scheme = address.split("://").next().unwrap_or_default();
        let plain = scheme.split('+').next().unwrap_or_default();
        let secure = scheme != plain;
        let eof = why.kind() == std::io::ErrorKind::UnexpectedEof;
        let never = !self.spoke.load(Ordering::Relaxed);
        let tls = why.get_ref().and_then(|inner| inner.downcast_ref());
        match tls {
            Some(Tls::InvalidCertificate(wrong)) => {
                let text = format!("the certificate of {address} is not accepted: {why}");
                match wrong {
                    Certificate::UnknownIssuer => StoreError::Misconfigured(format!(
                        "{text}. Name a file with the certificate of the authority that signed it (store.ca)"
                    )),
                    Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                        StoreError::Misconfigured(format!("{text}. Write a name that it is for (store.url)"))
                    }
                    // of all else the server must be rid
                    _ => StoreError::Unreachable(format!("{text}. Give the server another one")),
                }
            }
            Some(_) => StoreError::Unreachable(format!(
                "{address} does not speak TLS as it should: {why}. If it speaks none, write {plain}:// (store.url)"
            )),
            None if eof && never && secure => StoreError::Unreachable(format!(
                "{address} ends the connection when TLS begins. If it speaks none, write {plain}:// (store.url)"
            )),
            None if eof && never => StoreError::Unreachable(format!(
                "{address} ends the connection at once. If it wants TLS, write {plain}+s:// (store.url)"
            )),
            None => StoreError::Unreachable(format!("{address}: {why}")),
        }
    }
}

/// A question whose asker no longer waits for its answer: what it asked may hang for ever.
struct Hangs<'a>(Option<&'a Connection>);

impl Drop for Hangs<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.renew_reading();
        }
    }
}

/// See [`Connection::rows`].
pub(super) struct Rows<'a> {
    connection: &'a Connection,
    stream: DetachedRowStream,
}

impl Rows<'_> {
    /// The next one.
    pub async fn next(&mut self) -> Result<Option<Row>, Fault> {
        let next = self.connection.within(ROWS, self.stream.next()).await;
        next.inspect_err(|fault| self.connection.renew(fault))
    }
}
