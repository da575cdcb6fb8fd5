//! Tokens of issuers: by every grant, kept, renewed, one request at a time, and never shown.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use feeder::{
    inventory::Credentials,
    reading::FaultClass,
    tokens::{Grant, Issued, TokenSource, Vault},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};
use wiremock::{MockServer, Request, matchers};

use super::{
    openstack::{Cloud, reader, token},
    support::{count, fault_of, limits, ok, on, status, unknown},
};

/// An issuer whose tokens are `t0`, `t1`, ..., each good for so many seconds.
async fn issuer(seconds: u64) -> MockServer {
    let server = MockServer::start().await;
    let discovery = json!({"issuer": server.uri(), "token_endpoint": format!("{}/token", server.uri())});
    on("GET", "/.well-known/openid-configuration").respond_with(ok(discovery)).mount(&server).await;
    let given = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let number = given.fetch_add(1, Ordering::SeqCst);
        ok(json!({
            "access_token": format!("t{number}"), "expires_in": seconds, "refresh_token": format!("refresh-{number}"),
        }))
    };
    on("POST", "/token").respond_with(answer).with_priority(5).mount(&server).await;
    server
}

fn source(issuer: &str, grant: Grant) -> TokenSource {
    TokenSource::Issued(Arc::new(Issued {
        issuer: issuer.to_owned(),
        ca_path: None,
        token_endpoint: None,
        scope: Some("openid wlcg.groups".to_owned()),
        audience: None,
        grant,
    }))
}

fn client() -> Grant {
    Grant::ClientCredentials { client_id: "fed reg".to_owned(), client_secret: "s/cret".into() }
}

fn refresh(file: Option<PathBuf>) -> Grant {
    Grant::RefreshToken {
        client_id: "public".to_owned(),
        client_secret: None,
        token: "refresh-x".into(),
        file,
    }
}

async fn get(vault: &Vault, source: &TokenSource) -> String {
    vault.of(source, &limits()).get().await.unwrap().expose_secret().to_owned()
}

/// The forms that the issuer got.
async fn forms(issuer: &MockServer) -> Vec<String> {
    let requests = issuer.received_requests().await.unwrap();
    let asked = requests.iter().filter(|request| request.url.path() == "/token");
    asked.map(|request| String::from_utf8(request.body.clone()).unwrap()).collect()
}

#[tokio::test]
async fn client_credentials_are_asked_for_once_however_many_wait() {
    let issuer = issuer(3600).await;
    let (vault, source) = (Vault::default(), source(&issuer.uri(), client()));
    let all = futures::future::join_all((0..20).map(|_| get(&vault, &source))).await;
    assert_eq!(all, vec!["t0"; 20]);
    assert_eq!(forms(&issuer).await, ["grant_type=client_credentials&scope=openid+wlcg.groups"]);
    let request = &issuer.received_requests().await.unwrap()[1];
    assert_eq!(request.headers["authorization"], "Basic ZmVkK3JlZzpzJTJGY3JldA==", "fed+reg:s%2Fcret");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_when_it_is_refused() {
    let issuer = issuer(0).await;
    let (vault, ends) = (Vault::default(), source(&issuer.uri(), client()));
    assert_eq!([get(&vault, &ends).await, get(&vault, &ends).await], ["t0", "t1"]);

    let issuer = self::issuer(3600).await;
    let (vault, lasts) = (Vault::default(), source(&issuer.uri(), client()));
    let tokens = vault.of(&lasts, &limits());
    let first = tokens.get().await.unwrap();
    let renewed = (0..10).map(|_| tokens.instead_of(&first));
    for token in futures::future::join_all(renewed).await {
        assert_eq!(token.unwrap().expose_secret(), "t1");
    }
    assert_eq!(get(&vault, &lasts).await, "t1");
    assert_eq!(count(&issuer, "POST /token").await, 2);
}

#[tokio::test]
async fn a_refresh_token_that_changes_outlives_the_feeder() {
    let issuer = issuer(0).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("refresh");
    std::fs::write(&file, "refresh-x").unwrap();
    let (vault, source) = (Vault::default(), source(&issuer.uri(), refresh(Some(file.clone()))));
    assert_eq!([get(&vault, &source).await, get(&vault, &source).await], ["t0", "t1"]);
    let sent = ["refresh-x", "refresh-0"].map(|token| {
        format!("grant_type=refresh_token&refresh_token={token}&client_id=public&scope=openid+wlcg.groups")
    });
    assert_eq!(forms(&issuer).await, sent);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "refresh-1");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o77, 0);
    }
}

#[tokio::test]
async fn an_issuer_that_refuses_says_what_to_do() {
    for (answer, says) in [
        (
            status(400)
                .set_body_json(json!({"error": "invalid_grant", "error_description": "Token is not active"})),
            "HTTP 400 (invalid_grant Token is not active): the refresh token has expired",
        ),
        (
            status(401).set_body_json(json!({"error": "invalid_client"})),
            "HTTP 401 (invalid_client): the client is not",
        ),
        (status(200).set_body_json(json!({"id_token": "sesame"})), "/token answered no access token"),
        (status(503), "HTTP 503"),
    ] {
        let issuer = issuer(3600).await;
        on("POST", "/token").respond_with(answer).with_priority(1).mount(&issuer).await;
        let source = source(&issuer.uri(), refresh(None));
        let fault = Vault::default().of(&source, &limits()).get().await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Unauthorized);
        assert_eq!(fault.what, format!("token of {}", issuer.uri()));
        assert!(fault.why.contains(says) && !fault.why.contains("sesame"), "{fault}");
    }
    let issuer = issuer(3600).await;
    let fault = Vault::default().of(&source(&format!("{}/", issuer.uri()), client()), &limits()).get().await;
    let why = fault.unwrap_err().to_string();
    assert!(why.contains("correct `issuer`, to the last slash"), "{why}");
    let discovery = json!({"issuer": issuer.uri(), "token_endpoint": "http://169.254.169.254/token"});
    on("GET", "/.well-known/openid-configuration")
        .respond_with(ok(discovery))
        .with_priority(1)
        .mount(&issuer)
        .await;
    let fault = Vault::default().of(&source(&issuer.uri(), client()), &limits()).get().await.unwrap_err();
    assert!(fault.why.contains("169.254.169.254 is link-local"), "{fault}");
}

/// An oidc-agent that answers so, and what it was asked.
fn agent(socket: &Path, answers: impl Fn(&Value) -> Value + Send + 'static) -> Arc<Mutex<Vec<Value>>> {
    let listener = UnixListener::bind(socket).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let request = loop {
                stream.read_buf(&mut request).await.unwrap();
                if let Ok(request) = serde_json::from_slice::<Value>(&request) {
                    break request;
                }
            };
            let answer = answers(&request).to_string();
            seen.lock().unwrap().push(request);
            // in two pieces, and the connection stays open
            let (one, two) = answer.split_at(answer.len() / 2);
            stream.write_all(one.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
            stream.write_all(two.as_bytes()).await.unwrap();
            tokio::spawn(async move { stream.read_u8().await });
        }
    });
    asked
}

#[tokio::test]
async fn oidc_agent_gives_tokens_over_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("oidc-agent.1");
    let asked = agent(&socket, |request| match request["account"].as_str() {
        Some("fedreg") | None => json!({
            "status": "success", "access_token": "from-agent", "issuer": "https://iam.example.org/",
            "expires_at": chrono::Utc::now().timestamp() + 3600,
        }),
        Some(_) => json!({"status": "failure", "error": "Account not loaded", "info": "try oidc-add"}),
    });
    let by = |account: Option<&str>| {
        let grant = Grant::Agent { account: account.map(str::to_owned), socket: socket.clone() };
        source("https://iam.example.org/", grant)
    };
    let vault = Vault::default();
    for account in [Some("fedreg"), Some("fedreg"), None] {
        assert_eq!(get(&vault, &by(account)).await, "from-agent");
    }
    let fault = vault.of(&by(Some("other")), &limits()).get().await.unwrap_err();
    assert!(fault.why.contains("for account other (Account not loaded; try oidc-add)"), "{fault}");
    let base = json!({
        "request": "access_token", "application_hint": "fedreg", "min_valid_period": 300, "scope": "openid wlcg.groups",
    });
    let with = |name: &str, value: &str| {
        let mut request = base.clone();
        request[name] = value.into();
        request
    };
    let wanted =
        [with("account", "fedreg"), with("issuer", "https://iam.example.org/"), with("account", "other")];
    assert_eq!(*asked.lock().unwrap(), wanted);

    std::fs::remove_file(&socket).unwrap();
    let fault = Vault::default().of(&by(None), &limits()).get().await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Configuration);
    assert!(fault.why.contains("start oidc-agent"), "{fault}");
}

const FEDERATION: &str = "/5000/v3/OS-FEDERATION/identity_providers/lab/protocols/openid/auth";

fn federated(source: TokenSource) -> Credentials {
    Credentials::OidcAccessToken { idp_name: "lab".into(), protocol: "openid".into(), token: source }
}

#[tokio::test]
async fn a_site_that_refuses_a_token_gets_a_new_one_once() {
    let cloud = Cloud::start().await;
    let issuer = issuer(3600).await;
    on("POST", FEDERATION)
        .and(matchers::header("authorization", "Bearer t0"))
        .respond_with(status(401))
        .with_priority(1)
        .mount(&cloud.server)
        .await;
    let connection = cloud.connection_with(federated(source(&issuer.uri(), client())));
    let reading = reader(&connection, limits()).read(&connection).await;
    assert_eq!(unknown(&reading), []);
    on("POST", FEDERATION).respond_with(status(401)).with_priority(1).mount(&cloud.server).await;
    let reader = reader(&connection, limits());
    assert_eq!(fault_of(&reader.read(&connection).await.services).class, FaultClass::Unauthorized);
    assert_eq!(count(&cloud.server, &format!("POST {FEDERATION}")).await, 4);
}

#[tokio::test]
async fn a_file_that_something_keeps_fresh_is_read_again_when_its_token_is_refused() {
    let cloud = Cloud::start().await;
    on("POST", FEDERATION)
        .and(matchers::header("authorization", "Bearer old"))
        .respond_with(status(401))
        .with_priority(1)
        .mount(&cloud.server)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "new\n").unwrap();
    let given = TokenSource::Given { token: "old".into(), file: Some(file) };
    let connection = cloud.connection_with(federated(given));
    assert_eq!(unknown(&reader(&connection, limits()).read(&connection).await), []);
}

/// All that is logged while it lives.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_token_is_ever_shown() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let cloud = Cloud::start().await;
    let scoped = cloud.capture("token");
    on("POST", "/5000/v3/auth/tokens")
        .respond_with(token("scoped-sesame", 201, &scoped))
        .with_priority(1)
        .mount(&cloud.server)
        .await;
    on("POST", FEDERATION)
        .respond_with(token("unscoped-sesame", 201, &cloud.capture("unscoped")))
        .with_priority(3)
        .mount(&cloud.server)
        .await;
    let issuer = issuer(3600).await;
    on("POST", "/token")
        .respond_with(ok(json!({"access_token": "access-sesame", "refresh_token": "next-sesame"})))
        .with_priority(1)
        .mount(&issuer)
        .await;
    let secret = SecretString::from("client-sesame");
    let grant = Grant::RefreshToken {
        client_id: "c".to_owned(),
        client_secret: Some(secret),
        token: "refresh-sesame".into(),
        file: Some("/nowhere/at/all".into()),
    };
    let source = source(&issuer.uri(), grant);
    let connection = cloud.connection_with(federated(source.clone()));
    let reader = reader(&connection, limits());
    let reading = reader.read(&connection).await;
    assert_eq!(unknown(&reading), []);
    let refused = status(401).set_body_json(json!({"error": {"message": "token access-sesame is bad"}}));
    on("POST", FEDERATION).respond_with(refused).with_priority(1).mount(&cloud.server).await;
    let refused = reader.read(&connection).await;
    assert!(fault_of(&refused.services).why.contains("token … is bad"), "{refused:?}");
    drop(guard);
    let shown = format!("{reading:?} {refused:?} {reader:?} {connection:?} {source:?}");
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("cannot be written"), "the log is seen: {logged}");
    // the server of this test logs what it got, by its own name
    let ours: String =
        logged.lines().filter(|line| line.contains(" feeder::")).fold(String::new(), |all, line| all + line);
    for word in ["access", "refresh", "client", "next", "scoped"].map(|kind| format!("{kind}-sesame")) {
        assert!(!shown.contains(&word) && !ours.contains(&word), "{word}");
    }
}
