//! What the tests need of the labs: their addresses, tokens, processes of their own.

use super::common::Registry;
use registry::settings::Settings;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value as Json, json};
use std::{path::PathBuf, process::Command, time::Duration};

/// Longer than anything here may take.
pub const LONG: Duration = Duration::from_mins(1);

/// A variable that a lab prints.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start the labs with `tests/lab/lab up keycloak oidc opa` and set what they print")
    })
}

/// An issuer and what one has to know to get tokens of it.
pub struct Tokens {
    http: Client,
    pub issuer: String,
    endpoint: String,
}

impl Tokens {
    pub async fn of(issuer: &str) -> Self {
        let http = Client::builder().no_proxy().build().unwrap();
        let discovery = http.get(format!("{issuer}/.well-known/openid-configuration")).send().await.unwrap();
        let discovery: Json = discovery.json().await.unwrap();
        Self {
            http,
            issuer: issuer.to_owned(),
            endpoint: discovery["token_endpoint"].as_str().unwrap().to_owned(),
        }
    }

    /// All that the issuer answers.
    pub async fn grant(&self, form: &[(&str, &str)]) -> Json {
        self.http.post(&self.endpoint).form(form).send().await.unwrap().json().await.unwrap()
    }

    pub async fn user_with(&self, client: &str, user: &str, scope: &str) -> Json {
        let password = format!("{user}pw");
        self.grant(&[
            ("grant_type", "password"),
            ("client_id", client),
            ("username", user),
            ("password", &password),
            ("scope", scope),
        ])
        .await
    }

    /// The access token of somebody.
    pub async fn user(&self, client: &str, user: &str) -> String {
        access(&self.user_with(client, user, "openid email profile").await)
    }

    /// That of the feeder, a service.
    pub async fn service(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "feeder"),
            ("client_secret", "feeder-secret"),
            ("scope", "openid"),
        ];
        access(&self.grant(&form).await)
    }

    /// Makes a lab do something; what it says about itself.
    pub async fn tell(&self, handle: &str, what: &Json) -> Json {
        let answer = self.http.post(handle).json(what).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{what}");
        answer.json().await.unwrap()
    }
}

/// The access token in an answer.
pub fn access(answer: &Json) -> String {
    answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
}

/// A registry that trusts one issuer; its group `/admins` administers.
pub async fn registry(issuer: &str, change: impl FnOnce(&mut Settings)) -> Registry {
    let auth = json!({
        "issuers": [{ "issuer": issuer, "audiences": ["federation-registry"] }],
        "administrators": [{ "issuer": issuer, "group": "/admins" }],
    });
    Registry::start_with(|settings| {
        settings.auth = serde_json::from_value(auth).unwrap();
        change(settings);
    })
    .await
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Good {
    Writing,
    Reading,
    /// The status, and what is said about it.
    Nothing(StatusCode),
}

/// Asks with a token: a read, then a write of what is not there.
pub async fn good_for(registry: &Registry, token: &str) -> Good {
    let (status, body) = registry.get("/providers/", Some(token)).await;
    if status != StatusCode::OK {
        assert!(body["detail"].is_string(), "{status}: {body}");
        return Good::Nothing(status);
    }
    let write = registry.request(Method::PATCH, "/providers/00000000000000000000000000000000", Some(token));
    match write.json(&json!({ "description": "x" })).send().await.unwrap().status() {
        StatusCode::NOT_FOUND => Good::Writing,
        StatusCode::FORBIDDEN => Good::Reading,
        other => Good::Nothing(other),
    }
}

/// A server of a lab that belongs to one test: another folder, another port.
pub struct Own {
    script: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Own {
    pub fn start(lab: &str, port: u16) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/lab").join(lab);
        let own = Self { script, folder: tempfile::tempdir().unwrap(), port };
        own.up();
        own
    }

    /// Starts it, on what it knew before.
    pub fn up(&self) {
        self.run("up.sh", &self.port.to_string());
    }

    /// Ends it as a crash does.
    pub fn kill(&self) {
        self.run("down.sh", "KILL");
    }

    /// Another one in its place that knows nothing of it.
    pub fn replace(&mut self) {
        self.kill();
        self.folder = tempfile::tempdir().unwrap();
        self.up();
    }

    fn run(&self, script: &str, argument: &str) {
        let output =
            Command::new(self.script.join(script)).arg(self.folder.path()).arg(argument).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = Command::new(self.script.join("down.sh")).arg(self.folder.path()).arg("KILL").status();
    }
}

/// Waits until something is so.
pub async fn until(what: impl AsyncFn() -> bool) {
    let done = async {
        while !what().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, done).await.expect("it does not happen");
}
