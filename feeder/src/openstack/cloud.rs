//! One cloud as one project sees it in one region: requests with the project's token, lists with all their pages.

use std::{collections::BTreeSet, future::Future, sync::Arc};

use openstack::session::Session;
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::{sync::OnceCell, time::timeout_at};
use url::Url;

use super::{
    catalog::Catalog,
    http::{Answer, Refused, exchange, named},
    keystone::{KeystoneAuth, from_error},
};
use crate::{
    inventory::Connection,
    reading::{Fault, FaultClass},
    transport::{Failure, Patience, fault},
};

/// Headers of a request.
pub(super) type Headers<'a> = &'a [(&'a str, &'a str)];

/// An open connection.
pub(super) struct Cloud<'a> {
    pub connection: &'a Connection,
    /// The project's name, as the token gives it.
    pub project_name: String,
    /// The root of the identity API.
    pub identity: Url,
    catalog: Arc<Catalog>,
    session: Session,
    patience: Patience<'a>,
    renewed: OnceCell<()>,
}

impl<'a> Cloud<'a> {
    /// Logs in.
    pub async fn open(
        connection: &'a Connection,
        client: Client,
        auth: KeystoneAuth,
        patience: Patience<'a>,
    ) -> Result<Self, Fault> {
        let login = async {
            let session =
                Session::new_with_client(client, auth.clone()).await.map_err(|error| from_error(&error))?;
            let scope = auth.scope(session.client().inner()).await?;
            Ok((session.with_region(&connection.region), scope))
        };
        let (session, scope) = timeout_at(patience.deadline, login).await.unwrap_or_else(|_| Err(late()))?;
        let cloud = Self {
            connection,
            project_name: scope.project_name,
            identity: auth.base().clone(),
            catalog: scope.catalog,
            session,
            patience,
            renewed: OnceCell::new(),
        };
        Ok(cloud)
    }

    /// The public addresses of the first of these types of service that the region has.
    pub fn addresses(&self, kinds: &[&str]) -> Vec<&str> {
        self.catalog.addresses(kinds, "public", &self.connection.region)
    }

    /// A region that the catalog does not know is a fault of the provider file: it must not look like a region
    /// whose services are gone.
    pub fn check_region(&self) -> Result<(), Fault> {
        let region = &self.connection.region;
        if self.catalog.has_region(region) {
            return Ok(());
        }
        let regions: Vec<_> = self.catalog.regions().into_iter().collect();
        let why = if regions.is_empty() {
            "it is empty; ask the site which services the project has".to_owned()
        } else {
            format!(
                "it has no region {region}, but {}: correct `regions[].name` in the provider file",
                regions.join(", ")
            )
        };
        Err(fault("catalog", FaultClass::Configuration, why))
    }

    /// One object.
    pub async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, Refused> {
        let answer = self.fetch(Method::GET, url, &[], self.patience.limits.bytes).await?;
        Ok(answer.json(&named("GET", url))?)
    }

    /// The headers of an object.
    pub async fn head(&self, url: &Url) -> Result<Answer, Refused> {
        self.fetch(Method::HEAD, url, &[], self.patience.limits.bytes).await
    }

    /// All items of a list, which stand under `key` in each page.
    pub async fn list<T: DeserializeOwned>(
        &self,
        url: &Url,
        key: &str,
        headers: Headers<'_>,
    ) -> Result<Vec<T>, Refused> {
        let what = named("GET", url);
        let garbage = |why: &str| Refused::from(Failure::garbage(&what, why).fault);
        let mut first = url.clone();
        first.query_pairs_mut().append_pair("limit", &self.patience.limits.page_size.to_string());
        let (mut page, mut seen, mut items) = (first.clone(), BTreeSet::new(), Vec::new());
        let mut budget = self.patience.limits.bytes;
        for _ in 0..self.patience.limits.pages {
            let answer = self.fetch(Method::GET, &page, headers, budget).await?;
            budget = budget.saturating_sub(answer.body.len());
            let mut body: Map<String, Value> = answer.json(&what)?;
            let Some(found) = body.remove(key) else { return Err(garbage(&format!("`{key}` is missing"))) };
            let found: Vec<T> =
                serde_json::from_value(found).map_err(|error| garbage(&format!("`{key}`: {error}")))?;
            items.extend(found);
            let Some(link) = next_link(&body, key) else { return Ok(items) };
            page = next_page(&first, link).ok_or_else(|| garbage("the link to the next page is none"))?;
            if !seen.insert(page.query().map(str::to_owned)) {
                return Err(garbage("its pages lead in a circle"));
            }
        }
        Err(garbage(&format!("more than {} pages", self.patience.limits.pages)))
    }

    /// Sends a request; a token that is refused is renewed once for the whole connection.
    async fn fetch(
        &self,
        method: Method,
        url: &Url,
        headers: Headers<'_>,
        budget: usize,
    ) -> Result<Answer, Refused> {
        let what = named(method.as_str(), url);
        let mut answer = self.send(&what, &method, url, headers, budget).await?;
        if answer.status.as_u16() == 401 {
            self.renewed.get_or_try_init(|| self.renew()).await?;
            answer = self.send(&what, &method, url, headers, budget).await?;
        }
        tracing::debug!(%what, status = answer.status.as_u16(), bytes = answer.body.len());
        match answer.failure(&what) {
            None => Ok(answer),
            Some(failure) => Err(Refused { status: Some(answer.status.as_u16()), fault: failure.fault }),
        }
    }

    async fn send(
        &self,
        what: &str,
        method: &Method,
        url: &Url,
        headers: Headers<'_>,
        budget: usize,
    ) -> Result<Answer, Fault> {
        let client = self.session.client().inner();
        let mut request = client.request(method.clone(), url.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = self.in_time(self.session.auth_type().authenticate(client, request)).await?;
        let request = request.build().map_err(|error| Failure::broken(what, &error).fault)?;
        let again = || async {
            let request = request.try_clone().ok_or_else(|| Failure::garbage(what, "not repeatable"))?;
            exchange(client, request, what, budget).await
        };
        self.patience.attempt(what, again).await
    }

    async fn renew(&self) -> Result<(), Fault> {
        self.in_time(self.session.auth_type().refresh(self.session.client().inner())).await
    }

    /// What Keystone answers within the time of the connection.
    async fn in_time<T>(&self, login: impl Future<Output = Result<T, openstack::Error>>) -> Result<T, Fault> {
        let login = timeout_at(self.patience.deadline, login).await;
        login.map_or_else(|_| Err(late()), |result| result.map_err(|error| from_error(&error)))
    }
}

fn late() -> Fault {
    fault("login", FaultClass::Timeout, "the time of this connection is over")
}

/// The link to the next page: Glance's `next`, or Nova's, Neutron's and Cinder's `KEY_links`.
fn next_link<'v>(body: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    let own = body.get("next");
    let links = body.get(&format!("{key}_links")).and_then(Value::as_array);
    let rel = || links?.iter().find(|link| link.get("rel").is_some_and(|rel| rel == "next"))?.get("href");
    own.or_else(rel)?.as_str().filter(|link| !link.is_empty())
}

/// The next page: the same address with what the link asks for. The link's own address is not used: behind a proxy
/// it is often wrong (`http` for `https`), and it must not lead the token to somebody else.
fn next_page(first: &Url, link: &str) -> Option<Url> {
    let link = first.join(link).ok()?;
    link.query()?;
    let asked: Vec<_> = link.query_pairs().collect();
    let kept = first.query_pairs().filter(|(name, _)| asked.iter().all(|(other, _)| other != name));
    let mut page = first.clone();
    page.query_pairs_mut().clear().extend_pairs(kept.collect::<Vec<_>>()).extend_pairs(&asked);
    Some(page)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn links_to_the_next_page_are_found() {
        let link = |body: Value| next_link(body.as_object().unwrap(), "flavors").map(str::to_owned);
        let nova = json!([{"rel": "previous", "href": "/a"}, {"rel": "next", "href": "/b?marker=1"}]);
        assert_eq!(link(json!({"flavors_links": nova})).as_deref(), Some("/b?marker=1"));
        assert_eq!(link(json!({"next": "/v2/images?marker=2"})).as_deref(), Some("/v2/images?marker=2"));
        assert_eq!(link(json!({"next": null, "first": "/v2/images"})), None);
        assert_eq!(link(json!({"images_links": nova})), None);
    }

    #[test]
    fn a_next_page_never_leaves_the_address_of_the_first_and_keeps_its_filters() {
        let first: Url = "https://cloud:8774/v2.1/flavors/detail?is_public=None&limit=500".parse().unwrap();
        let page = |link| next_page(&first, link).map(|url| url.to_string());
        let expected = "https://cloud:8774/v2.1/flavors/detail?is_public=None&limit=1000&marker=f1";
        assert_eq!(page("http://cloud/flavors/detail?limit=1000&marker=f1").as_deref(), Some(expected));
        assert_eq!(page("https://evil.example.org/?limit=1000&marker=f1").as_deref(), Some(expected));
        assert_eq!(page("/x?limit=1000&marker=f1").as_deref(), Some(expected));
        assert_eq!(page("https://cloud:8774/v2.1/flavors/detail"), None);
        assert_eq!(page("http://["), None);
    }
}
