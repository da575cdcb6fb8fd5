//! A whole registry for a test: a store of its own, a real issuer on loopback, real HTTP.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod store;

use registry::{federation::Federation, service::Service, settings::Settings};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value as Json;
use simulator::{Issuer, IssuerOptions, Subject};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use store::TestStore;
use tokio_util::sync::CancellationToken;

pub struct Registry {
    pub url: String,
    pub issuer: Issuer,
    pub admin: String,
    pub reader: String,
    pub stop: CancellationToken,
    pub running: tokio::task::JoinHandle<()>,
    pub client: reqwest::Client,
    pub store: TestStore,
    pub federation: Arc<Federation>,
}

impl Registry {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_on(TestStore::new().await, change).await
    }

    pub async fn start_on(store: TestStore, change: impl FnOnce(&mut Settings)) -> Self {
        let issuer = Issuer::start(IssuerOptions::default()).await.unwrap();
        let mut settings: Settings = serde_json::from_value(serde_json::json!({
            "listen": "127.0.0.1:0",
            "limits": { "notice_seconds": 0 },
            "auth": {
                "issuers": [{ "issuer": issuer.url() }],
                "administrators": [{ "issuer": issuer.url(), "group": "admins" }],
            },
        }))
        .unwrap();
        settings.store = store.settings.clone();
        change(&mut settings);
        let service = Service::start(&settings).await.unwrap();
        let address: SocketAddr = service.address().unwrap();
        let stop = CancellationToken::new();
        let federation = service.federation();
        let running = tokio::spawn(service.run(stop.clone()));
        // a registry does not wait for a slow database for ever; a test does, almost
        let loaded = async {
            while federation.snapshot().is_nothing() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(2), loaded).await.unwrap();
        Self {
            url: format!("http://{address}{}", settings.base_path),
            admin: issuer.token(&Subject::new("admin").groups(["admins"])).unwrap(),
            reader: issuer.token(&Subject::new("reader").groups(["users"])).unwrap(),
            issuer,
            stop,
            running,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            store,
            federation,
        }
    }

    /// Ends it; its store stays.
    pub async fn stopped(mut self) -> TestStore {
        self.stop.cancel();
        (&mut self.running).await.unwrap();
        self.store
    }

    pub fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Json>) -> (StatusCode, Json) {
        let request = self.request(method, path, Some(&self.admin));
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        read(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> (StatusCode, Json) {
        read(self.request(Method::GET, path, token).send().await.unwrap()).await
    }

    pub async fn admin_get(&self, path: &str) -> Json {
        let (status, body) = self.get(path, Some(&self.admin)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}

pub async fn read(response: Response) -> (StatusCode, Json) {
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    let body = if bytes.is_empty() { Json::Null } else { serde_json::from_slice(&bytes).unwrap() };
    (status, body)
}

/// A recorded request and answer of the contract.
pub fn example(name: &str) -> Json {
    let path = format!("{}/../openapi/contract/examples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
        .unwrap()
}
