//! Whom TLS trusts: the system's authorities, read once in a while for all sites together, and those of a file.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::{
    reading::{Fault, FaultClass},
    transport::{fault, root_cause},
};

/// How long the system's authorities are used before they are read again.
const FRESH: Duration = Duration::from_mins(10);

/// What HTTP versions are offered.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The system's authorities, and when they were read.
static SYSTEM: Mutex<Option<(Instant, Arc<RootCertStore>, ClientConfig)>> = Mutex::new(None);

/// Trusts the system's authorities and those of a file (PEM), or with `only_ca` these alone.
pub(crate) fn config(ca_path: Option<&Path>, only_ca: bool) -> Result<ClientConfig, Fault> {
    let Some(path) = ca_path else { return system().map(|(_, config)| config) };
    let mut roots = if only_ca { RootCertStore::empty() } else { system()?.0.as_ref().clone() };
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, &root_cause(&error)))?;
    }
    trusting(Arc::new(roots))
}

fn system() -> Result<(Arc<RootCertStore>, ClientConfig), Fault> {
    let mut known = SYSTEM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((read, roots, config)) = known.as_ref().filter(|(read, ..)| read.elapsed() < FRESH) {
        tracing::trace!(age_seconds = read.elapsed().as_secs(), "the system's authorities are known");
        return Ok((Arc::clone(roots), config.clone()));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let roots = Arc::new(roots);
    let config = trusting(Arc::clone(&roots))?;
    *known = Some((Instant::now(), Arc::clone(&roots), config.clone()));
    Ok((roots, config))
}

fn trusting(roots: Arc<RootCertStore>) -> Result<ClientConfig, Fault> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| fault("TLS", FaultClass::Configuration, root_cause(&error)))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let pem = std::fs::read(path).map_err(|error| unusable(path, &error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| unusable(path, &root_cause(&error)))?;
    if found.is_empty() { Err(unusable(path, "it holds no certificate")) } else { Ok(found) }
}

fn unusable(path: &Path, why: &str) -> Fault {
    let why = format!("{} cannot be used: {why}; give a file with PEM certificates", path.display());
    fault("ca_path", FaultClass::Configuration, why)
}
