//! A federation that runs: all its sites on loopback, until it is stopped or dropped.

use crate::count::Counts;
use crate::document::document;
use crate::generate::{Params, World};
use crate::inventory;
use crate::issuer::{Issuer, Subject};
use crate::server::{ListenError, Server};
use crate::site::{Site, Sites};
use crate::{kubernetes, openstack};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use serde_json::Value;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How the sites listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Listeners {
    /// One port for all of them, each under its own path: hundreds of sites cost no more than one.
    #[default]
    Shared,
    /// A port for each, so that connections of one site say nothing about another.
    PerSite,
}

/// A federation to be started.
#[derive(Debug, Clone)]
pub struct Federation {
    /// The same seed gives the same sites.
    pub seed: u64,
    /// How large it is.
    pub params: Params,
    /// How it listens.
    pub listeners: Listeners,
    /// Port of the shared listener; 0 takes a free one, as sites with their own always do.
    pub port: u16,
}

impl Federation {
    /// On one free port.
    pub fn new(seed: u64, params: Params) -> Self {
        Self { seed, params, listeners: Listeners::Shared, port: 0 }
    }

    /// Starts all sites. They take the tokens of this issuer.
    pub async fn start(&self, issuer: &Issuer) -> Result<Running, ListenError> {
        let stop = CancellationToken::new();
        let world = World::new(self.seed, self.params.clone(), vec![issuer.url().to_owned()]);
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (mut sites, mut servers) = (Vec::new(), Vec::new());
        let mut bound = Server::bind(address(self.port)).await?;
        let mut here = Vec::new();
        for provider in world.providers() {
            if self.listeners == Listeners::PerSite && !here.is_empty() {
                let next = Server::bind(address(0)).await?;
                servers.push(
                    std::mem::replace(&mut bound, next)
                        .serve(router(std::mem::take(&mut here)), stop.clone()),
                );
            }
            let root = format!("http://{}/{}", bound.address(), provider.slug);
            let site = Arc::new(Site::new(provider, root, issuer.clone(), stop.child_token()));
            here.push(Arc::clone(&site));
            sites.push(site);
        }
        servers.push(bound.serve(router(here), stop));
        Ok(Running { world, issuer: issuer.clone(), sites, servers })
    }
}

/// All sites of one listener. Faults come before everything, tokens included.
fn router(sites: Vec<Arc<Site>>) -> Router {
    let by_slug: HashMap<_, _> =
        sites.into_iter().map(|site| (site.provider().slug.clone(), Arc::clone(&site))).collect();
    let sites = Sites(Arc::new(by_slug));
    openstack::router()
        .merge(kubernetes::router())
        .fallback(not_here)
        .layer(middleware::from_fn_with_state(sites.clone(), faults))
        .with_state(sites)
}

async fn not_here() -> (axum::http::StatusCode, &'static str) {
    (axum::http::StatusCode::NOT_FOUND, "404 page not found\n")
}

async fn faults(State(sites): State<Sites>, request: Request, next: Next) -> Response {
    let slug = request.uri().path().split('/').nth(1).unwrap_or_default();
    match sites.0.get(slug).cloned() {
        Some(site) => site.faults().answer(request, next).await,
        None => next.run(request).await,
    }
}

/// A running federation. Dropped, it ends; [`Running::stop`] waits for it.
#[derive(Debug)]
pub struct Running {
    world: World,
    issuer: Issuer,
    sites: Vec<Arc<Site>>,
    servers: Vec<Server>,
}

impl Running {
    /// All sites, OpenStack first.
    pub fn sites(&self) -> &[Arc<Site>] {
        &self.sites
    }

    /// The site of a provider, by the provider's name.
    pub fn site(&self, provider: &str) -> Option<&Arc<Site>> {
        self.sites.iter().find(|site| site.provider().name == provider)
    }

    /// The issuer whose tokens the sites take.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The robot that may read every project: in every group, for the clusters' audience. Longer-lived tokens, more
    /// audiences: change it before [`Issuer::token`].
    pub fn feeder(&self) -> Subject {
        Subject::new("feeder").groups(self.world.groups().map(|(_, group)| group)).audience(["kubernetes"])
    }

    /// The provider file that names these sites, with `token` (of [`Running::feeder`]) for the issuer.
    pub fn providers_yaml(&self, token: &str) -> String {
        let entries: Vec<_> =
            self.sites.iter().map(|site| (site.provider().clone(), Arc::clone(site))).collect();
        inventory::providers_yaml(self.issuer.url(), token, &entries)
    }

    /// What a feeder must send to the registry, one document for each provider, as the sites are now. A project that
    /// was withdrawn is still in it.
    pub fn documents(&self) -> impl Iterator<Item = Value> + '_ {
        self.sites.iter().map(|site| document(&site.provider(), site.root()))
    }

    /// What a registry must hold after that.
    pub fn counts(&self) -> Counts {
        Counts::of(self.documents())
    }

    /// Stops all sites and waits until the answers that were begun are sent; what hangs on purpose is let go.
    pub async fn stop(&self) {
        for server in &self.servers {
            server.stop().await;
        }
    }
}
