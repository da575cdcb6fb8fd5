//! TLS spoken by the process itself, with a certificate that is read anew when its files change.

use crate::reload::{Reloaded, Unreadable};
use serde::Deserialize;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};
use tokio_util::sync::CancellationToken;

/// The `tls` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// PEM file: the certificate, then those that connect it to an authority.
    pub certificate: PathBuf,
    /// PEM file: its private key.
    pub key: PathBuf,
    /// After how many seconds a change of the files is noticed, at the latest.
    #[serde(default = "default_reload_seconds")]
    pub reload_seconds: u64,
}

fn default_reload_seconds() -> u64 {
    10
}

/// Why a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] Unreadable),
    /// A file that holds something else. What it holds is not told: it may be a key.
    #[error("{path} holds no {what} in PEM form. Name another file (tls.{key})")]
    Content {
        /// The key of the setting.
        key: &'static str,
        /// The file.
        path: String,
        /// What it should hold.
        what: &'static str,
    },
    /// Certificate and key do not belong together.
    #[error("certificate and key ({0}) cannot be used together: {1}. Both must come from one request")]
    Pair(String, String),
    /// The library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// A server's TLS. New connections get the certificate that is current; those that are open go on.
#[derive(Clone)]
pub struct Tls {
    every: Duration,
    current: Arc<Current>,
    pub(super) acceptor: TlsAcceptor,
}

struct Current(Reloaded<Arc<CertifiedKey>, TlsError>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current()))
    }
}

impl TlsSettings {
    fn certified(&self, contents: &[Vec<u8>], provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let wrong =
            |key, path: &Path, what| TlsError::Content { key, path: path.display().to_string(), what };
        let [certificate, key] = contents else { return Err(TlsError::Setup("two files are needed".into())) };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| wrong("certificate", &self.certificate, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong("key", &self.key, "private key"))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            let files = format!("{}, {}", self.certificate.display(), self.key.display());
            TlsError::Pair(files, error.to_string())
        })
    }
}

impl Tls {
    /// Reads certificate and key.
    pub fn load(settings: &TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let files = vec![settings.certificate.clone(), settings.key.clone()];
        let current = Reloaded::load("certificate", files, {
            let (settings, provider) = (settings.clone(), Arc::clone(&provider));
            move |contents| settings.certified(contents, &provider).map(Arc::new)
        })?;
        let current = Arc::new(Current(current));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let every = Duration::from_secs(settings.reload_seconds);
        Ok(Self { every, current, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Looks at the files again and again, until it is told to stop.
    pub async fn keep_current(&self, stop: CancellationToken) {
        self.current.0.keep_current(self.every, stop).await;
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
