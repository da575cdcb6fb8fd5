//! Access tokens of issuers: where they come from, kept while they are good, renewed before they end.
//!
//! What provider files say is a [`TokenSource`]. The [`Vault`] outlives runs and has one [`Tokens`] for each source, so
//! that an issuer gets one request at a time however many clouds wait for its token.

mod agent;
mod endpoint;

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    limits::Limits,
    reading::{Fault, FaultClass},
    transport::fault,
};

/// A token that ends within this time is renewed before it is used: it must outlast a project's reading.
const MARGIN: Duration = Duration::from_mins(5);
/// One that the issuer gives for less is used for this part of its life.
const SHORT: f64 = 0.5;

/// Where access tokens come from.
#[derive(Clone)]
pub enum TokenSource {
    /// They are given, and somebody else keeps them fresh.
    Given {
        /// The token.
        token: SecretString,
        /// The file that it was in, which is read again when the token is refused.
        file: Option<PathBuf>,
    },
    /// An issuer gives them.
    Issued(Arc<Issued>),
}

/// How an issuer is asked for tokens.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The issuer's URL.
    pub issuer: String,
    /// A file with certificates (PEM) to trust besides the system's.
    pub ca_path: Option<PathBuf>,
    /// Where tokens are asked for; none: where the issuer's discovery document says.
    pub token_endpoint: Option<String>,
    /// What to ask for, with spaces between.
    pub scope: Option<String>,
    /// Whom the token shall be for.
    pub audience: Option<String>,
    /// In which way.
    pub grant: Grant,
}

/// A way to get tokens.
#[derive(Debug, Clone)]
pub enum Grant {
    /// oidc-agent, over its socket.
    Agent {
        /// The account's short name; none: one of this issuer.
        account: Option<String>,
        /// The socket.
        socket: PathBuf,
    },
    /// RFC 6749, 4.4.
    ClientCredentials {
        /// Who asks.
        client_id: String,
        /// The proof.
        client_secret: SecretString,
    },
    /// RFC 6749, 6.
    RefreshToken {
        /// Who asks.
        client_id: String,
        /// The proof; public clients have none.
        client_secret: Option<SecretString>,
        /// The refresh token.
        token: SecretString,
        /// The file that it was in, which gets the next one when the issuer changes it.
        file: Option<PathBuf>,
    },
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given { file, .. } => f.debug_struct("Given").field("file", file).finish_non_exhaustive(),
            Self::Issued(issued) => issued.fmt(f),
        }
    }
}

impl From<&str> for TokenSource {
    fn from(token: &str) -> Self {
        Self::Given { token: token.into(), file: None }
    }
}

impl TokenSource {
    /// The same for another audience, unless the file names one for the whole issuer.
    pub(crate) fn for_audience(self, audience: &str) -> Self {
        match self {
            Self::Issued(issued) if issued.audience.is_none() => {
                let audience = Some(audience.to_owned());
                Self::Issued(Arc::new(Issued { audience, ..Issued::clone(&issued) }))
            }
            source => source,
        }
    }
}

impl Issued {
    /// Whether a token of the one is a token of the other.
    fn key(&self) -> String {
        let Self { issuer, scope, audience, grant, .. } = self;
        let who = match grant {
            Grant::Agent { account, socket } => format!("agent {account:?} {}", socket.display()),
            Grant::ClientCredentials { client_id, .. } => format!("client {client_id}"),
            Grant::RefreshToken { client_id, .. } => format!("refresh {client_id}"),
        };
        format!("{issuer} {scope:?} {audience:?} {who}")
    }

    /// Whether the proofs are the same.
    fn same_secrets(&self, other: &Self) -> bool {
        let secrets = |issued: &Self| match &issued.grant {
            Grant::Agent { .. } => (None, None),
            Grant::ClientCredentials { client_secret, .. } => {
                (Some(client_secret.expose_secret().to_owned()), None)
            }
            Grant::RefreshToken { client_secret, token, .. } => (
                client_secret.as_ref().map(|secret| secret.expose_secret().to_owned()),
                Some(token.expose_secret().to_owned()),
            ),
        };
        secrets(self) == secrets(other)
    }
}

/// All tokens that are kept from run to run.
#[derive(Default)]
pub struct Vault(Mutex<BTreeMap<String, Arc<Tokens>>>);

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// The tokens of a source. One whose secrets were changed in the file begins anew.
    pub fn of(&self, source: &TokenSource, limits: &Limits) -> Arc<Tokens> {
        let TokenSource::Issued(issued) = source else { return Arc::new(Tokens::new(source, limits)) };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&issued.key()).filter(|known| match &known.source {
            TokenSource::Issued(before) => before.same_secrets(issued),
            TokenSource::Given { .. } => false,
        });
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let tokens = Arc::new(Tokens::new(source, limits));
        all.insert(issued.key(), Arc::clone(&tokens));
        tokens
    }
}

/// The tokens of one source.
pub struct Tokens {
    source: TokenSource,
    limits: Limits,
    /// Held while the issuer is asked: one request at a time.
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Fresh>,
    /// The refresh token that the issuer gave last.
    refresh: Option<SecretString>,
}

/// A token, and until when it is used.
#[derive(Clone)]
struct Fresh {
    token: SecretString,
    until: Option<Instant>,
}

/// What an issuer gives.
struct Granted {
    token: SecretString,
    /// How long it is good.
    life: Option<Duration>,
    refresh: Option<SecretString>,
}

impl Tokens {
    fn new(source: &TokenSource, limits: &Limits) -> Self {
        Self { source: source.clone(), limits: limits.clone(), state: tokio::sync::Mutex::default() }
    }

    /// A token that is good for a while yet.
    pub async fn get(&self) -> Result<SecretString, Fault> {
        self.renewed(None).await
    }

    /// A token other than this one, which was refused; the same again when there is no other.
    pub async fn instead_of(&self, refused: &SecretString) -> Result<SecretString, Fault> {
        self.renewed(Some(refused)).await
    }

    async fn renewed(&self, refused: Option<&SecretString>) -> Result<SecretString, Fault> {
        let issued = match &self.source {
            TokenSource::Issued(issued) => issued,
            TokenSource::Given { token, file } => {
                let Some(file) = file.as_ref().filter(|_| refused.is_some()) else {
                    return Ok(token.clone());
                };
                let again = tokio::fs::read_to_string(file).await.unwrap_or_default();
                let again = again.trim();
                return Ok(if again.is_empty() { token.clone() } else { again.into() });
            }
        };
        let mut state = self.state.lock().await;
        let good = |fresh: &&Fresh| {
            fresh.until.is_none_or(|until| until > Instant::now())
                && refused.is_none_or(|refused| refused.expose_secret() != fresh.token.expose_secret())
        };
        if let Some(fresh) = state.token.as_ref().filter(good) {
            return Ok(fresh.token.clone());
        }
        let begun = Instant::now();
        let given = self.ask(issued, state.refresh.as_ref()).await.map_err(|mut failed| {
            failed.what = format!("token of {}", issued.issuer);
            failed
        })?;
        let used = |life: Duration| life.saturating_sub(MARGIN).max(life.mul_f64(SHORT));
        state.token =
            Some(Fresh { token: given.token.clone(), until: given.life.map(|life| begun + used(life)) });
        if let Some(next) = given.refresh {
            keep(issued, &next).await;
            state.refresh = Some(next);
        }
        tracing::debug!(issuer = issued.issuer, life = ?given.life, "a new access token");
        Ok(given.token)
    }

    async fn ask(&self, issued: &Issued, refresh: Option<&SecretString>) -> Result<Granted, Fault> {
        match &issued.grant {
            Grant::Agent { account, socket } => {
                let ask = agent::ask(issued, account.as_deref(), socket, MARGIN);
                let late = || unauthorized("oidc-agent did not answer in time");
                tokio::time::timeout(self.limits.request, ask).await.unwrap_or_else(|_| Err(late()))
            }
            _ => endpoint::ask(issued, refresh, &self.limits).await,
        }
    }
}

/// Writes the next refresh token where the last one was, so that it outlives this process.
async fn keep(issued: &Issued, next: &SecretString) {
    let Grant::RefreshToken { token, file: Some(file), .. } = &issued.grant else { return };
    if token.expose_secret() == next.expose_secret() {
        return;
    }
    let (file, next) = (file.clone(), next.clone());
    let path = file.display().to_string();
    let written = tokio::task::spawn_blocking(move || write_secret(&file, &next)).await;
    if let Err(why) = written.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
        tracing::error!(
            issuer = issued.issuer,
            file = path,
            reason = %why,
            "the issuer changed the refresh token, and the new one cannot be written: make the file and its folder writable, or it is lost when the feeder ends"
        );
    }
}

/// In one step, readable for the owner alone.
fn write_secret(path: &std::path::Path, secret: &SecretString) -> std::io::Result<()> {
    use std::io::Write;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(std::path::Path::new(".")))?;
    file.write_all(secret.expose_secret().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn unauthorized(why: impl Into<String>) -> Fault {
    fault("token", FaultClass::Unauthorized, why)
}

fn configuration(why: impl Into<String>) -> Fault {
    fault("token", FaultClass::Configuration, why)
}
