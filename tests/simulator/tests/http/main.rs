//! The simulator as its clients meet it: over HTTP, with `reqwest`.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod faults;
mod federation;
mod issuer;
mod kubernetes;
mod openstack;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::{Federation, Issuer, IssuerOptions, Params, Running, Signing, Site};
use std::sync::Arc;

/// An issuer whose key is made in no time.
async fn issuer() -> Issuer {
    Issuer::start(IssuerOptions { signing: Signing::Es256, ..IssuerOptions::default() }).await.unwrap()
}

/// One `OpenStack` site of two regions and one cluster.
async fn tiny() -> Running {
    Federation::new(3, Params::tiny()).start(&issuer().await).await.unwrap()
}

fn openstack_site(running: &Running) -> &Arc<Site> {
    &running.sites()[0]
}

fn cluster(running: &Running) -> &Arc<Site> {
    running.sites().last().unwrap()
}

/// The feeder's access token.
fn feeder(running: &Running) -> String {
    running.issuer().token(&running.feeder()).unwrap()
}

async fn json_of(response: Response) -> Value {
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status} from {url}: {text}"))
}

/// A member of a project, by the way a real client goes: federation, scope, catalog.
struct Member {
    http: Client,
    token: String,
    project: String,
    catalog: Value,
}

impl Member {
    async fn login(running: &Running, place: usize) -> Self {
        Self::try_login(running, place).await.unwrap()
    }

    async fn try_login(running: &Running, place: usize) -> Result<Self, (u16, String)> {
        let site = openstack_site(running);
        let project = site.provider().projects[place].id.clone();
        let http = Client::new();
        let auth =
            format!("{}/OS-FEDERATION/identity_providers/127-0-0-1/protocols/openid/auth", site.auth_url());
        let unscoped = http.post(auth).bearer_auth(feeder(running)).send().await.unwrap();
        if unscoped.status() != 201 {
            return Err((unscoped.status().as_u16(), unscoped.text().await.unwrap()));
        }
        let unscoped = unscoped.headers()["x-subject-token"].to_str().unwrap().to_owned();
        let body = json!({ "auth": {
            "identity": { "methods": ["token"], "token": { "id": unscoped } },
            "scope": { "project": { "id": project } },
        } });
        let scoped = http.post(format!("{}/auth/tokens", site.auth_url())).json(&body).send().await.unwrap();
        if scoped.status() != 201 {
            return Err((scoped.status().as_u16(), scoped.text().await.unwrap()));
        }
        let token = scoped.headers()["x-subject-token"].to_str().unwrap().to_owned();
        let catalog = json_of(scoped).await["token"]["catalog"].take();
        Ok(Self { http, token, project, catalog })
    }

    /// The public endpoint of a service in a region.
    fn endpoint(&self, kind: &str, region: &str) -> String {
        let services = self.catalog.as_array().unwrap().iter().filter(|service| service["type"] == kind);
        let mut endpoints = services.flat_map(|service| service["endpoints"].as_array().unwrap());
        let found = endpoints.find(|e| e["interface"] == "public" && e["region"] == region);
        found.unwrap_or_else(|| panic!("no {kind} in {region}"))["url"].as_str().unwrap().to_owned()
    }

    fn ask(&self, method: Method, kind: &str, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.endpoint(kind, "RegionOne"));
        self.http.request(method, url).header("x-auth-token", &self.token)
    }

    async fn get(&self, kind: &str, path: &str) -> Response {
        self.ask(Method::GET, kind, path).send().await.unwrap()
    }

    async fn read(&self, kind: &str, path: &str) -> Value {
        let response = self.get(kind, path).await;
        assert_eq!(response.status(), 200, "{kind} {path}");
        json_of(response).await
    }

    /// Follows a list to its end, each API in its own way.
    async fn pages(&self, kind: &str, path: &str, key: &str) -> Vec<Value> {
        let (mut items, mut path) = (Vec::new(), path.to_owned());
        let endpoint = self.endpoint(kind, "RegionOne");
        loop {
            let mut body = self.read(kind, &path).await;
            items.append(body[key].as_array_mut().unwrap());
            let links = body[format!("{key}_links")].as_array().cloned().unwrap_or_default();
            let next = links.iter().find(|link| link["rel"] == "next").map(|link| &link["href"]);
            match next.unwrap_or(&body["next"]).as_str() {
                None => return items,
                Some(next) => path = next.strip_prefix(&endpoint).unwrap_or(next).to_owned(),
            }
            assert!(items.len() < 10_000, "no end");
        }
    }
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}
