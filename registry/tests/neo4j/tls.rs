//! The database over TLS: only the server that is meant is talked to, and what is wrong is said with what to do.

use crate::{
    server::Server,
    store::neo4j_settings,
    troubles::{note, store},
};
use registry::{
    store::neo4j::Neo4j,
    store::{CommitError, Store, StoreError},
};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const BOLT: u16 = 7707;
const HTTP: u16 = 7494;

fn at(url: &str, ca: Option<&Path>) -> Neo4j {
    store(|settings| {
        url.clone_into(&mut settings.url);
        settings.ca = ca.map(PathBuf::from);
    })
}

#[tokio::test]
async fn only_the_server_that_is_meant_is_talked_to() {
    let server = Server::start(BOLT, HTTP, true);
    let ca = server.ca();
    let another = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/tls/second.ca.pem");
    let localhost = format!("bolt+s://localhost:{BOLT}");
    let began = Instant::now();
    // a server that was just started answers its first questions late
    while at(&localhost, Some(&ca)).load().await.is_err() {
        assert!(began.elapsed() < Duration::from_mins(2), "it does not come up");
    }
    let plain = neo4j_settings().url.replace("bolt://", "bolt+s://");

    for (revision, scheme) in (1..).zip(["bolt+s", "neo4j+s", "bolt+ssc", "neo4j+ssc"]) {
        let checked = scheme.ends_with("+s").then_some(&*ca);
        let store = at(&format!("{scheme}://localhost:{BOLT}"), checked);
        store.load().await.unwrap();
        store.commit(crate::commits::entry(revision, note(revision))).await.unwrap();
        assert_eq!(store.head().await.unwrap().revision, revision, "{scheme}");
    }

    let url = |scheme: &str, host: &str| format!("{scheme}://{host}:{BOLT}");
    for (url, ca, misconfigured, words) in [
        (url("bolt+s", "localhost"), Some(&*another), true, "(store.ca)"),
        (url("neo4j+s", "localhost"), None, true, "(store.ca)"),
        (url("bolt+s", "127.0.0.1"), Some(&*ca), true, "localhost"),
        (url("bolt", "localhost"), None, false, "write bolt+s:// (store.url)"),
        (plain, Some(&*ca), false, "write bolt:// (store.url)"),
    ] {
        let store = at(&url, ca);
        let error = store.load().await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(words) && text.contains(&url), "{text}");
        assert!(!text.contains("labpassword"), "{text}");
        assert_eq!(matches!(error, StoreError::Misconfigured(_)), misconfigured, "{error:?}");
        assert_eq!(error.passes(), !misconfigured, "{error:?}");
        let refused = store.commit(crate::commits::entry(9, note(9))).await.unwrap_err();
        assert!(matches!(refused, CommitError::Store(_)), "{refused:?}");
    }
}
