//! One cloud as one project sees it in one region: requests with the project's token, lists with all their pages.

use std::{borrow::Cow, collections::BTreeSet, future::Future, sync::Arc};

use openstack::session::Session;
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use tokio::{sync::OnceCell, time::timeout_at};
use url::Url;

use super::{
    catalog::Catalog,
    keystone::{KeystoneAuth, from_error},
    page::Page,
    service::Service,
};
use crate::{
    egress::Egress,
    http::{Answer, named},
    inventory::Connection,
    reading::{Fault, FaultClass},
    transport::{Failure, Patience, fault},
};

/// Headers of a request.
pub(super) type Headers<'a> = &'a [(&'a str, &'a str)];

/// An answer that is not a success, after all further tries; its status, when there was an answer.
#[derive(Debug)]
pub(super) struct Refused {
    pub status: Option<u16>,
    pub fault: Fault,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { status: None, fault }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        refused.fault
    }
}

/// An open connection.
pub(super) struct Cloud<'a> {
    pub connection: &'a Connection,
    /// The project's name, as the token gives it.
    pub project_name: String,
    /// The root of the identity API.
    pub identity: Url,
    catalog: Arc<Catalog>,
    egress: Egress,
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
        egress: Egress,
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
            egress,
            session,
            patience,
            renewed: OnceCell::new(),
        };
        Ok(cloud)
    }

    /// The public addresses of a service in this region: the provider file's, else the catalog's.
    pub fn addresses(&self, service: Service) -> Vec<Cow<'_, str>> {
        let overrides = self.connection.site.endpoints.get(&self.connection.region);
        if let Some(address) = overrides.and_then(|of_region| of_region.get(service.name())) {
            return vec![with_project(address, &self.connection.project_id).into()];
        }
        let named = self.catalog.addresses(service.types(), "public", &self.connection.region);
        named.into_iter().map(Cow::from).collect()
    }

    /// All services that the region has, by type and public address.
    pub fn all_services(&self) -> Vec<(&str, Cow<'_, str>)> {
        let mut all: Vec<(&str, Cow<'_, str>)> = Vec::new();
        for (kind, address) in self.catalog.all("public", &self.connection.region) {
            let known = Service::ALL.into_iter().find(|service| service.types().contains(&kind));
            match known {
                None => all.push((kind, address.into())),
                Some(service) if all.iter().any(|(known, _)| *known == service.name()) => {}
                Some(service) => {
                    let first = self.addresses(service).into_iter().next();
                    all.push((service.name(), first.unwrap_or(address.into())));
                }
            }
        }
        all
    }

    /// The type of a service of the catalog.
    pub fn service_type(&self, id: &str) -> Option<&str> {
        self.catalog.type_of(id)
    }

    /// The address of a service, when it may be asked.
    pub fn asked(&self, service: Service, address: &str) -> Result<Url, Fault> {
        let wrong = |class, why: String| {
            let why =
                format!("{why}; have the site correct it, or give it in `endpoints` of the provider file");
            fault("catalog", class, format!("the address of {} is {address}: {why}", service.name()))
        };
        let url: Url = address.parse().map_err(|error| wrong(FaultClass::Garbage, format!("{error}")))?;
        let overrides = self.connection.site.endpoints.get(&self.connection.region);
        if overrides.is_none_or(|of_region| !of_region.contains_key(service.name())) {
            self.egress.check(&url).map_err(|why| wrong(FaultClass::Garbage, why))?;
        }
        Ok(url)
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
        self.get_with(url, &[]).await
    }

    /// One object, asked for with headers.
    pub async fn get_with<T: DeserializeOwned>(&self, url: &Url, headers: Headers<'_>) -> Result<T, Refused> {
        let answer = self.fetch(Method::GET, url, headers, self.patience.limits.bytes).await?;
        Ok(answer.json(&named("GET", url))?)
    }

    /// What is wrong with an answer.
    pub fn garbage(url: &Url, why: &str) -> Fault {
        Failure::garbage(&named("GET", url), why).fault
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
            let Page { items: found, next } =
                Page::read(&answer.body, key).map_err(|error| garbage(&error.to_string()))?;
            items.extend(found);
            let Some(link) = next else { return Ok(items) };
            page = next_page(&first, &link).ok_or_else(|| garbage("the link to the next page is none"))?;
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
        let again = || request.try_clone().ok_or_else(|| Failure::garbage(what, "not repeatable"));
        self.patience.fetch(client, what, again, budget).await
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

/// An address of the provider file with the project in it, written as Keystone's own templates are.
fn with_project(address: &str, project: &str) -> String {
    address.replace("$(project_id)s", project).replace("%(project_id)s", project)
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
    use super::*;

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
