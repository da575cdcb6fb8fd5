//! Certificates of a private authority, at the registry and at sites; and a token for the registry by the feeder itself.

use crate::parts::Parts;
use feeder::{Error, Report, Settings, Silent, run_once};
use serde_json::{Value as Json, json};
use simulator::{Params, Subject, model::Technology};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};
use tokio_util::sync::CancellationToken;

/// The certificates for 127.0.0.1 that the registry's own tests have, of two authorities.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("registry/tests/network/tls").join(name)
}

fn one_of_each() -> Params {
    Params { openstack: 1, kubernetes: 1, regions: 1, projects: 1, ..Params::tiny() }
}

async fn run(settings: Settings) -> Result<Report, Error> {
    run_once(&settings, Arc::new(Silent), CancellationToken::new()).await
}

/// TLS in front of a server on loopback, as a site's load balancer does it.
async fn behind_tls(inner: SocketAddr) -> SocketAddr {
    let chain = CertificateDer::pem_file_iter(file("first.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(file("first.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut outer) = acceptor.accept(stream).await else { return };
                let mut inner = TcpStream::connect(inner).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_with_a_private_authority() {
    let parts = Parts::start(one_of_each()).await;
    let plain = parts.sites.sites()[0].root().split('/').take(3).collect::<Vec<_>>().join("/");
    let outer = behind_tls(plain.trim_start_matches("http://").parse().unwrap()).await;
    let secure = format!("https://{outer}");
    for site in parts.sites.sites().iter().filter(|site| site.provider().technology == Technology::OpenStack)
    {
        let (region, project) = {
            let provider = site.provider();
            (provider.regions[0].name.clone(), provider.projects[0].id.clone())
        };
        let root = site.root().replace(&plain, &secure);
        let at = |path: &str| format!("{root}/{region}/{path}");
        let catalog = [
            ("identity", format!("{root}/identity/v3")),
            ("compute", at("compute/v2.1")),
            ("image", at("image")),
            ("network", at("network")),
            ("volumev3", at(&format!("volume/v3/{project}"))),
            ("object-store", at(&format!("object-store/v1/AUTH_{project}"))),
            ("s3", at("s3")),
        ];
        let catalog = catalog.map(|(kind, url)| (kind.to_owned(), url));
        site.configure(|settings| settings.catalog = catalog.into());
    }
    let text = std::fs::read_to_string(parts.files()).unwrap();
    let with = async |ca: Option<&str>| {
        let line = ca.map(|ca| format!("    ca_path: {:?}\n", file(ca).display().to_string()));
        let text = text.replace("    auth_url:", &format!("{}    auth_url:", line.unwrap_or_default()));
        std::fs::write(parts.files(), text.replace(&plain, &secure)).unwrap();
        run(parts.settings()).await.unwrap()
    };
    for wrong in [None, Some("second.ca.pem")] {
        let report = with(wrong).await;
        assert_eq!(report.providers.len(), 2);
        for provider in &report.providers {
            let told = &provider.faults[0].message;
            assert!(told.contains("not trusted here; give that authority as `ca_path`"), "{wrong:?}: {told}");
        }
    }
    let report = with(Some("first.ca.pem")).await;
    assert!(!report.failed(), "{report}");
    assert_eq!(parts.get("/providers").await.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_a_private_authority() {
    let tls = json!({ "certificate": file("first.pem"), "key": file("first.key.pem") });
    let parts = Parts::start_with(one_of_each(), &json!({ "tls": tls })).await;
    let with = async |ca: Option<&str>| {
        let ca = ca.map(file);
        run(Settings { registry_ca_path: ca, ..parts.settings() }).await
    };
    for wrong in [None, Some("second.ca.pem")] {
        let told = with(wrong).await.unwrap_err().to_string();
        assert!(
            told.contains("cannot be reached") && told.contains("give it as `registry_ca_path`"),
            "{told}"
        );
    }
    let told = with(Some("first.key.pem")).await.unwrap_err().to_string();
    assert!(told.contains("first.key.pem cannot be used: it holds no certificate"), "{told}");
    let report = with(Some("first.ca.pem")).await.unwrap();
    assert!(!report.failed(), "{report}");
}

/// As an issuer of provider files: by client credentials here, renewed when the registry refuses the token.
#[tokio::test(flavor = "multi_thread")]
async fn the_feeder_gets_its_token_for_the_registry_itself() {
    let parts = Parts::start(one_of_each()).await;
    let issuer = parts.sites.issuer();
    let with = |more: &Json| {
        let mut whole =
            json!({ "providers": parts.files(), "registry": parts.url, "limits": { "retries": 0 } });
        whole["token_issuer"] = json!({ "issuer": issuer.url() });
        whole["token_issuer"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<Settings>(whole).unwrap()
    };
    let told = run(with(&json!({}))).await.unwrap_err().to_string();
    assert!(told.contains("not how it is asked: add `client_credentials`"), "{told}");

    let client = |id: &str| json!({ "client_credentials": { "client_id": id, "client_secret": "sesame" } });
    let told = run(with(&client("nobody"))).await.unwrap_err().to_string();
    assert!(told.contains("the token is good, but its owner may not write"), "{told}");
    issuer.know(Subject::new("admin-client").groups(["admins"]));
    let report = run(with(&client("admin-client"))).await.unwrap();
    assert!(!report.failed(), "{report}");
    let revoked = issuer.faults();
    revoked.set("/token", simulator::Fault::Status(503));
    let told = run(with(&client("admin-client"))).await.unwrap_err().to_string();
    assert!(told.contains("there is no token for the registry: token of "), "{told}");
    revoked.clear();
}
