//! Real parts: a registry over HTTP with an issuer, and a simulated federation that a feeder reads.

use feeder::{Report, Settings, Silent, run_once};
use registry::{federation::Federation as Graph, service::Service};
use serde_json::{Value as Json, json};
use simulator::{Federation, Issuer, IssuerOptions, Params, Running, Signing, Subject};
use std::{path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

pub struct Parts {
    pub url: String,
    pub admin: String,
    pub reader: String,
    /// Of a feeder that may write the provider SITE and no other.
    pub narrow: String,
    pub sites: Running,
    pub folder: tempfile::TempDir,
    pub graph: Arc<Graph>,
    client: reqwest::Client,
    stop: CancellationToken,
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Parts {
    pub async fn start(params: Params) -> Self {
        Self::start_with(params, &json!({})).await
    }

    /// The same with more settings of the registry.
    pub async fn start_with(params: Params, more: &Json) -> Self {
        let issuer = Issuer::start(IssuerOptions { signing: Signing::Es256, ..IssuerOptions::default() })
            .await
            .unwrap();
        let sites = Federation::new(5, params).start(&issuer).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = json!({
            "listen": "127.0.0.1:0",
            "store": { "kind": "embedded", "path": folder.path().join("store") },
            "limits": { "notice_seconds": 0 },
            "auth": {
                "issuers": [{ "issuer": issuer.url() }],
                "administrators": [{ "issuer": issuer.url(), "group": "admins" }],
                "feeders": [{ "issuer": issuer.url(), "group": "of SITE", "providers": ["SITE"] }],
            },
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let settings: registry::settings::Settings = serde_json::from_value(settings).unwrap();
        let service = Service::start(&settings).await.unwrap();
        let scheme = if more.get("tls").is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/api/v1", service.address().unwrap());
        let (stop, graph) = (CancellationToken::new(), service.federation());
        tokio::spawn(service.run(stop.clone()));
        let parts = Self {
            url,
            admin: issuer.token(&Subject::new("admin").groups(["admins"])).unwrap(),
            narrow: issuer.token(&Subject::new("narrow").groups(["of SITE"])).unwrap(),
            reader: issuer.token(&Subject::new("reader").groups(["users"])).unwrap(),
            folder,
            graph,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            stop,
            sites,
        };
        let token = parts.sites.issuer().token(&parts.sites.feeder()).unwrap();
        std::fs::write(parts.files(), parts.sites.providers_yaml(&token)).unwrap();
        parts
    }

    pub fn files(&self) -> PathBuf {
        self.folder.path().join("providers.yaml")
    }

    pub fn settings(&self) -> Settings {
        serde_json::from_value(json!({
            "providers": self.files(), "registry": self.url, "token": self.admin, "limits": { "retries": 0 },
        }))
        .unwrap()
    }

    pub async fn feed(&self) -> Report {
        run_once(&self.settings(), Arc::new(Silent), CancellationToken::new()).await.unwrap()
    }

    /// A run over these providers (none: all) that waits for no answer long, and removes whatever is gone.
    pub async fn quick(&self, only: &[&str]) -> Report {
        let mut settings = Settings { provider_removal_limit: 1.0, ..self.settings() };
        settings.only = only.iter().map(ToString::to_string).collect();
        settings.limits.request_seconds = 3.0;
        run_once(&settings, Arc::new(Silent), CancellationToken::new()).await.unwrap()
    }

    /// Status and body of a request as somebody.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Json>,
    ) -> (u16, Json) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    pub async fn send(&self, method: &str, path: &str, body: &Json) -> (u16, Json) {
        self.ask(method, path, Some(&self.admin), Some(body)).await
    }

    pub async fn get(&self, path: &str) -> Json {
        let (status, body) = self.ask("GET", path, Some(&self.admin), None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The entry of a list with this name.
    pub async fn named(&self, path: &str, name: &str) -> Json {
        let all = self.get(path).await;
        let found = all.as_array().unwrap().iter().find(|item| item["name"] == name);
        found.unwrap_or_else(|| panic!("{path} has no {name}")).clone()
    }

    /// What a provider has, with its uids, but for its status.
    pub async fn whole(&self, name: &str) -> Json {
        let uid = self.named("/providers", name).await["uid"].as_str().unwrap().to_owned();
        let mut whole = self.get(&format!("/providers/{uid}?with_conn=true")).await;
        whole["status"] = Json::Null;
        sorted(whole)
    }

    pub async fn lease(&self) -> u64 {
        let (status, lease) =
            self.send("PUT", "/feeder/lease", &json!({ "holder": "test", "seconds": 60 })).await;
        assert_eq!(status, 200, "{lease}");
        lease["fence"].as_u64().unwrap()
    }
}

fn sorted(json: Json) -> Json {
    match json {
        Json::Array(items) => {
            let mut items: Vec<Json> = items.into_iter().map(sorted).collect();
            items.sort_by_key(Json::to_string);
            items.into()
        }
        Json::Object(object) => object.into_iter().map(|(name, value)| (name, sorted(value))).collect(),
        other => other,
    }
}
