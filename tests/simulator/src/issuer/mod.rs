//! A development-only OIDC issuer: it hands a token to anybody who asks, and therefore listens on loopback
//! addresses only.

mod keys;
mod routes;
mod token;

pub use keys::Signing;
pub use token::{Audience, Claims, Person, Subject};

use crate::fault::Faults;
use crate::server::{ListenError, Server, locked};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Header, Validation};
use keys::Key;
use std::collections::HashMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio_util::sync::CancellationToken;

/// Why the issuer cannot start or cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// It would hand tokens to the network.
    #[error(
        "the development issuer gives a token to anybody who asks, so it listens on loopback addresses only \
         (127.0.0.1 or [::1]), not on {0}; use a real issuer for anything else"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// No key.
    #[error("no signing key could be made: {reason}")]
    Key {
        /// What the library says.
        reason: String,
    },
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Not a JWT that one of the published keys signed.
    #[error("the token is not signed by this issuer")]
    Signature,
    /// Not valid at this time.
    #[error("the token is expired or not valid yet")]
    Time,
}

/// How an issuer starts.
#[derive(Debug, Clone)]
pub struct IssuerOptions {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// How it signs.
    pub signing: Signing,
    /// Subjects it knows: asked for a token by `sub` alone, it gives what stands here.
    pub subjects: Vec<Subject>,
    /// The time, in seconds since 1970.
    pub clock: fn() -> i64,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            signing: Signing::default(),
            subjects: Vec::new(),
            clock: || chrono::Utc::now().timestamp(),
        }
    }
}

/// A running issuer. Clones are the same issuer; it stops when the last one is dropped, or by [`Issuer::stop`].
#[derive(Clone)]
pub struct Issuer {
    shared: Arc<Shared>,
    server: Arc<Server>,
}

struct Shared {
    url: String,
    clock: fn() -> i64,
    /// The first one signs; all are published.
    keys: RwLock<Vec<Key>>,
    subjects: Mutex<HashMap<String, Subject>>,
    faults: Faults,
}

impl Issuer {
    /// Makes a key, binds and serves.
    pub async fn start(options: IssuerOptions) -> Result<Self, IssuerError> {
        crate::record_log();
        if !options.address.ip().is_loopback() {
            return Err(IssuerError::NotLoopback(options.address));
        }
        let listener = Server::bind(options.address).await?;
        let address = listener.address();
        let key = generate(options.signing).await?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            url: format!("http://{address}"),
            clock: options.clock,
            keys: RwLock::new(vec![key]),
            subjects: Mutex::new(options.subjects.into_iter().map(|s| (s.sub.clone(), s)).collect()),
            faults: Faults::new(stop.child_token()),
        });
        let server = listener.serve(routes::router(Arc::clone(&shared)), stop);
        Ok(Self { shared, server: Arc::new(server) })
    }

    /// The issuer's URL, as its tokens write it: no slash at the end.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Signs a token.
    pub fn token(&self, subject: &Subject) -> Result<String, IssuerError> {
        self.shared.token(subject, "simulator")
    }

    /// Checks signature, issuer and time of a token, as a resource server that has just fetched the keys would.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenRefused> {
        self.shared.verify(token)
    }

    /// Takes a new key into use. The old ones stay published when `keep`, else their tokens are worthless at once.
    pub async fn rotate(&self, signing: Signing, keep: bool) -> Result<(), IssuerError> {
        let key = generate(signing).await?;
        let mut keys = self.shared.keys.write().unwrap_or_else(PoisonError::into_inner);
        if !keep {
            keys.clear();
        }
        keys.insert(0, key);
        Ok(())
    }

    /// The time by the issuer's clock, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        (self.shared.clock)()
    }

    /// Makes a subject known: `POST /token` with its `sub` alone gives what stands in it.
    pub fn know(&self, subject: Subject) {
        locked(&self.shared.subjects).insert(subject.sub.clone(), subject);
    }

    /// What goes wrong on purpose, by path: `/jwks`, `/.well-known`, `/userinfo`, `/token`.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Stops listening and waits until every answer that was begun is sent.
    pub async fn stop(&self) {
        self.server.stop().await;
    }
}

/// Shows no key and no token.
impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.shared.url)
    }
}

async fn generate(signing: Signing) -> Result<Key, IssuerError> {
    match tokio::task::spawn_blocking(move || Key::generate(signing)).await {
        Ok(key) => key,
        Err(failed) => Err(IssuerError::Key { reason: failed.to_string() }),
    }
}

impl Shared {
    fn token(&self, subject: &Subject, client: &str) -> Result<String, IssuerError> {
        let now = (self.clock)();
        let claims = Claims {
            iss: self.url.clone(),
            sub: subject.sub.clone(),
            aud: subject.audience.as_slice().into(),
            iat: now,
            nbf: now - 5,
            exp: now + subject.ttl,
            jti: uuid::Uuid::new_v4().to_string(),
            client_id: client.to_owned(),
            scope: subject.scope.clone(),
            person: if subject.bare { Person::default() } else { subject.into() },
        };
        if subject.bare {
            locked(&self.subjects).insert(subject.sub.clone(), subject.clone());
        }
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.first().ok_or_else(|| IssuerError::Key { reason: "there is none".to_owned() })?;
        let mut header = Header::new(key.signing.algorithm());
        header.kid = Some(key.id().to_owned());
        header.typ = Some(subject.typ.clone());
        jsonwebtoken::encode(&header, &claims, &key.private)
            .map_err(|e| IssuerError::Key { reason: e.to_string() })
    }

    fn verify(&self, token: &str) -> Result<Claims, TokenRefused> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenRefused::Signature)?;
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key =
            keys.iter().find(|key| Some(key.id()) == header.kid.as_deref()).ok_or(TokenRefused::Signature)?;
        let mut validation = Validation::new(key.signing.algorithm());
        validation.set_issuer(&[&self.url]);
        validation.validate_aud = false;
        // by our own clock, below
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &key.public, &validation)
            .map_err(|_| TokenRefused::Signature)?
            .claims;
        let now = (self.clock)();
        if claims.nbf > now || claims.exp <= now {
            return Err(TokenRefused::Time);
        }
        Ok(claims)
    }

    fn jwks(&self) -> JwkSet {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        JwkSet { keys: keys.iter().map(|key| key.jwk.clone()).collect() }
    }

    fn algorithms(&self) -> Vec<&'static str> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = keys
            .iter()
            .map(|key| match key.signing {
                Signing::Rs256 => "RS256",
                Signing::Es256 => "ES256",
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
