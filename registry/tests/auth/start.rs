//! What is said at the start about issuers that cannot be used.

use std::sync::Arc;

use registry::auth::{AuthError, AuthSettings, Authenticator, IssuerSettings};

use super::issuer::{DISCOVERY, KEYS, Reply};
use super::{Issuer, ManualClock, Setup};

#[tokio::test]
async fn all_is_well() {
    let setup = Setup::new().await;
    assert_eq!(setup.authenticator.check().await, Ok(()));
    assert!(setup.ask(&setup.issuer.token("ada")).await.is_ok());
    assert_eq!(setup.issuer.hits(KEYS), 1);
}

#[tokio::test]
async fn each_problem_says_what_to_do() {
    let (slash, empty, good) = (Issuer::start_as("/").await, Issuer::start().await, Issuer::start().await);
    empty.reply(KEYS, Reply::Json(serde_json::json!({"keys": []})));
    // port 1: nobody listens there
    let silent = "http://127.0.0.1:1";
    let names = [silent, slash.url().trim_end_matches('/'), empty.url(), good.url()];
    let issuers = names.map(|name| IssuerSettings::new(name.parse().unwrap())).into();
    let settings = AuthSettings { issuers, ..AuthSettings::default() };
    let authenticator = Authenticator::new(&settings, Arc::new(ManualClock::default())).unwrap();
    let problems = authenticator.check().await.unwrap_err();
    let mut expected = vec![
        format!(
            "the issuer {silent} cannot be used: no answer from {silent}{DISCOVERY}: Connection refused (os error 111). \
             Check the address in auth.issuers, the network and the certificate; a private certificate authority goes \
             into the file that SSL_CERT_FILE names"
        ),
        format!(
            "the issuer {0} cannot be used: {0}{DISCOVERY} describes the issuer {0}/. Write auth.issuers exactly as the \
             issuer calls itself, trailing slash included",
            slash.url().trim_end_matches('/')
        ),
        format!(
            "the issuer {0} cannot be used: the answer of {0}{KEYS} cannot be used: it holds no public key for \
             signatures that could be used. Check the address in auth.issuers: it must be the issuer itself, not a page \
             of its web site",
            empty.url()
        ),
    ];
    expected.sort();
    let mut found: Vec<_> = problems.iter().map(ToString::to_string).collect();
    found.sort();
    assert_eq!(found, expected);
    // those that answered are usable all the same
    let token = format!("Bearer {}", good.token("ada"));
    assert!(authenticator.authenticate(Some(&token)).await.is_ok());
    let token = format!("Bearer {}", empty.token("ada"));
    let refused = authenticator.authenticate(Some(&token)).await.unwrap_err();
    assert_eq!(refused, AuthError::IssuerUnavailable { retry_after_seconds: 10 });
}

#[tokio::test]
async fn without_issuers_every_token_is_refused() {
    let issuer = Issuer::start().await;
    let authenticator =
        Authenticator::new(&AuthSettings::default(), Arc::new(ManualClock::default())).unwrap();
    assert_eq!(authenticator.check().await, Ok(()));
    let token = format!("Bearer {}", issuer.token("ada"));
    assert_eq!(authenticator.authenticate(Some(&token)).await, Err(AuthError::UnknownIssuer));
    assert_eq!(issuer.all_hits(), 0);
}

/// A proxy that the environment names is for issuers elsewhere; one on this computer is asked directly. The environment
/// belongs to a process, so another one runs a test of this file.
#[test]
fn no_proxy_stands_before_this_computer() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "start::all_is_well"]).env_remove("NO_PROXY").env_remove("no_proxy");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, "http://127.0.0.1:1");
    }
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
