//! HTTP to sites: whom a client trusts, which way its requests take, and answers under bounds.

use std::{path::Path, sync::Arc, time::Duration};

use chrono::Utc;
use reqwest::{
    Client, NoProxy, Proxy, Request, StatusCode, header::HeaderMap, header::RETRY_AFTER, redirect,
};
use serde::de::DeserializeOwned;
use url::Url;

use crate::{
    egress::Egress,
    gate::Gate,
    reading::{Fault, FaultClass},
    tls,
    transport::{Again, Failure, USER_AGENT, fault, message_of, retry_after, root_cause},
};

/// Never asked through a proxy, whatever `NO_PROXY` says: what a proxy calls so is itself.
const DIRECT: &str = "localhost,127.0.0.0/8,::1";

/// How a client reaches whom it asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way<'a> {
    /// A file with certificates (PEM) to trust.
    pub ca_path: Option<&'a Path>,
    /// Whether these alone are trusted, or besides the system's.
    pub only_ca: bool,
    /// Where names may lead; none: anywhere.
    pub egress: Option<Egress>,
    /// Through whom.
    pub proxies: Proxies,
}

/// A client. It never follows a redirect, which could carry a token to somebody else.
pub(crate) fn client(way: &Way<'_>, connect: Duration) -> Result<Client, Fault> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(connect)
        .redirect(redirect::Policy::none())
        // sites are asked at each run, minutes apart: no connection need wait for that
        .pool_idle_timeout(Duration::from_secs(15))
        .use_preconfigured_tls(tls::config(way.ca_path, way.only_ca)?)
        .no_proxy();
    for proxy in way.proxies.reqwest()? {
        builder = builder.proxy(proxy);
    }
    if let Some(egress) = &way.egress {
        builder = builder.dns_resolver(Arc::new(egress.clone()));
    }
    builder.build().map_err(|error| fault("HTTP client", FaultClass::Configuration, root_cause(&error)))
}

/// The proxies that the environment names, as curl and most programs read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    http: Option<(&'static str, String)>,
    https: Option<(&'static str, String)>,
    no_proxy: String,
}

impl Proxies {
    /// Those of this process: `http_proxy`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`; small letters come first.
    pub fn of_environment() -> Self {
        Self::of(&|name| std::env::var(name).ok())
    }

    fn of(environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let named = |name: &'static str| {
            environment(name).filter(|value| !value.is_empty()).map(|value| (name, value))
        };
        let first = |names: [&'static str; 4]| names.into_iter().find_map(named);
        Self {
            http: first(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            https: first(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            no_proxy: named("no_proxy")
                .or_else(|| named("NO_PROXY"))
                .map(|(_, list)| list)
                .unwrap_or_default(),
        }
    }

    fn reqwest(&self) -> Result<Vec<Proxy>, Fault> {
        type Make = fn(String) -> reqwest::Result<Proxy>;
        let direct = || NoProxy::from_string(&format!("{DIRECT},{}", self.no_proxy));
        let proxy = |(variable, address): &(&str, String), make: Make| {
            let address = if address.contains("://") { address.clone() } else { format!("http://{address}") };
            match make(address) {
                Ok(proxy) => Ok(proxy.no_proxy(direct())),
                // the value can hold a password
                Err(_) => Err(fault(
                    &format!("environment variable {variable}"),
                    FaultClass::Configuration,
                    "it is not the address of a proxy: write http://host:port",
                )),
            }
        };
        let http = self.http.iter().map(|from| proxy(from, Proxy::http));
        http.chain(self.https.iter().map(|from| proxy(from, Proxy::https))).collect()
    }
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The failure that this answer is, when it is one.
    pub fn failure(&self, what: &str) -> Option<Failure> {
        if self.status.is_success() {
            return None;
        }
        let wait = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after(value, Utc::now()));
        Some(Failure::refused(what, self.status.as_u16(), message_of(&self.body).as_deref(), wait))
    }

    /// The body.
    pub fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| Failure::garbage(what, error).fault)
    }

    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends a request and reads its answer, which may have that many bytes. Answers that may pass are failures here,
/// so that they are tried again; all others are for the caller to judge.
pub(crate) async fn exchange(
    client: &Client,
    request: Request,
    what: &str,
    budget: usize,
    gate: &Gate,
) -> Result<Answer, Failure> {
    let mut response = client.execute(request).await.map_err(|error| Failure::broken(what, &error))?;
    let mut body = Vec::new();
    let mut held = gate.hold();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::broken(what, &error))? {
        if body.len() + chunk.len() > budget || !held.more(chunk.len()) {
            return Err(Failure::garbage(what, "it is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    let answer = Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body };
    match answer.failure(what) {
        Some(failure) if failure.again != Again::Never => Err(failure),
        _ => Ok(answer),
    }
}

/// A request in words: method and address, without what could be secret in it.
pub(crate) fn named(method: &str, url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // both fail only for addresses without a host, which no request can go to
    let _ = url.set_username("");
    let _ = url.set_password(None);
    format!("{method} {url}")
}

#[cfg(test)]
mod tests {
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

    use super::*;

    fn environment(of: &[(&str, &str)]) -> Proxies {
        Proxies::of(&|name| of.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    async fn get(proxies: &Proxies, url: &str) -> u16 {
        let way = Way { proxies: proxies.clone(), ..Way::default() };
        client(&way, Duration::from_secs(5))
            .unwrap()
            .get(url)
            .send()
            .await
            .map_or(0, |answer| answer.status().as_u16())
    }

    #[tokio::test]
    async fn requests_go_through_the_environments_proxy_but_never_those_to_this_machine() {
        let proxy = MockServer::start().await;
        Mock::given(matchers::any()).respond_with(ResponseTemplate::new(299)).mount(&proxy).await;
        let here = MockServer::start().await;
        Mock::given(matchers::any()).respond_with(ResponseTemplate::new(204)).mount(&here).await;
        for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
            let proxies = environment(&[(name, &proxy.uri()), ("NO_PROXY", "inside.example.org,.invalid")]);
            assert_eq!(get(&proxies, "http://cloud.example.org/v3").await, 299, "{name}");
            assert_eq!(get(&proxies, &here.uri()).await, 204, "{name}");
            assert_eq!(
                get(&proxies, "http://cloud.invalid/v3").await,
                0,
                "{name}: NO_PROXY, and no such host"
            );
        }
        assert_eq!(environment(&[("https_proxy", "p:1"), ("http_proxy", "")]).http, None);
    }

    #[test]
    fn a_proxy_that_is_none_is_told_without_its_password() {
        let why = environment(&[("HTTPS_PROXY", "http://user:sesame@[")]).reqwest().unwrap_err().to_string();
        assert!(why.contains("HTTPS_PROXY") && !why.contains("sesame"), "{why}");
    }
}
