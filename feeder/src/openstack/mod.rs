//! Reads one project of an OpenStack cloud in one region.
//!
//! Which services there are is the catalog's word alone: what it does not name is absent, and what it names but
//! cannot be read is unknown. Addresses are built from the catalog, never from what a service says of itself.

mod catalog;
mod cinder;
mod cloud;
mod flavors;
mod gpus;
mod identity;
mod images;
mod keystone;
mod neutron;
mod nova;
mod object_store;
mod offer;
mod page;
mod quota;
mod service;
mod tolerant;

use std::{future::Future, sync::Arc};

use openstack::session::Session;
use url::Url;

pub use self::keystone::KeystoneAuth;
use self::{
    catalog::{versioned, without_project},
    cloud::Cloud,
    service::Service,
};
use crate::{
    Commons,
    egress::Egress,
    gate::Gate,
    http::{self, Proxies, Way},
    inventory::{Connection, Site},
    limits::Limits,
    offer::Lists,
    reading::{Fault, Item, Listing, Reading, ServiceReading, ServiceType},
    tokens::Vault,
    transport::{Patience, listing},
};

/// What provider files call the services whose addresses they may give.
pub(crate) const SERVICES: [&str; Service::ALL.len()] = {
    let mut names = [""; Service::ALL.len()];
    let mut place = 0;
    while place < names.len() {
        names[place] = Service::ALL[place].name();
        place += 1;
    }
    names
};

type Items = Result<Vec<Item>, Fault>;

/// Reads the projects of one provider; never asks for more at once than its [`Limits`] say.
#[derive(Debug)]
pub struct Reader {
    client: Result<reqwest::Client, Fault>,
    egress: Egress,
    limits: Limits,
    gate: Arc<Gate>,
    tokens: Arc<Vault>,
}

impl Reader {
    /// One for each provider. Certificates that cannot be used are told in each reading.
    pub fn new(site: &Site, limits: Limits, commons: &Commons) -> Self {
        let egress = Egress::new(site);
        let way = Way {
            ca_path: site.ca_path.as_deref(),
            only_ca: false,
            egress: Some(egress.clone()),
            proxies: Proxies::of_environment(),
        };
        Self {
            client: http::client(&way, limits.connect),
            egress,
            gate: Arc::new(Gate::new(&limits, &commons.requests)),
            tokens: Arc::clone(&commons.tokens),
            limits,
        }
    }

    /// Reads one connection. Whatever fails is told in the reading.
    pub async fn read(&self, connection: &Connection) -> Reading {
        match self.open(connection).await {
            Err(fault) => Reading::unknown(connection, &fault),
            Ok(cloud) => {
                let lists = async { tokio::join!(identity::project(&cloud), services(&cloud)) };
                // on the heap: many readings run side by side
                let (project, services) = Box::pin(lists).await;
                let (services, offer) = match services {
                    Ok((services, offer)) => (Listing::Complete(services), Listing::Complete(offer)),
                    Err(fault) => (Listing::Unknown(fault.clone()), Listing::Unknown(fault)),
                };
                Reading {
                    region: connection.region.clone(),
                    project_id: connection.project_id.clone(),
                    project: listing(project),
                    services,
                    offer,
                }
            }
        }
    }

    /// A session of the `openstack` crate over the same login, for whoever wants its typed resources:
    /// `openstack::Cloud::from(session)`.
    pub async fn session(&self, connection: &Connection) -> Result<Session, Fault> {
        let session = Session::new_with_client(self.client.clone()?, self.auth(connection)?).await;
        let session = session.map_err(|error| keystone::from_error(&error))?;
        Ok(session.with_region(&connection.region))
    }

    /// Its login alone.
    pub fn auth(&self, connection: &Connection) -> Result<KeystoneAuth, Fault> {
        KeystoneAuth::new(connection, &self.limits, Arc::clone(&self.gate), Arc::clone(&self.tokens))
    }

    async fn open<'a>(&'a self, connection: &'a Connection) -> Result<Cloud<'a>, Fault> {
        let patience = Patience::start(&self.limits, &self.gate);
        let (client, auth) = (self.client.clone()?, self.auth(connection)?);
        Cloud::open(connection, client, auth, self.egress.clone(), patience).await
    }
}

/// A service of the document, and lists of the offer that it tells.
type Told = (Option<ServiceReading>, Lists);

async fn services(cloud: &Cloud<'_>) -> Result<(Vec<ServiceReading>, Lists), Fault> {
    cloud.check_region()?;
    let (compute, network, block_storage, swift, load_balancer, shares, limits) = tokio::join!(
        compute(cloud),
        network(cloud),
        block_storage(cloud),
        swift(cloud),
        load_balancer(cloud),
        shares(cloud),
        offer::unified_limits(cloud),
    );
    let mut services = Vec::new();
    let mut lists =
        vec![("services", Listing::Complete(offer::services(cloud))), ("unified_limits", listing(limits))];
    for (service, offered) in [compute, network, block_storage] {
        services.extend(service);
        lists.extend(offered);
    }
    services.extend(swift);
    services.extend(s3(cloud));
    lists.extend(load_balancer.into_iter().chain(shares));
    Ok((services, lists))
}

async fn compute(cloud: &Cloud<'_>) -> Told {
    let Some(address) = first(cloud, Service::Compute) else { return (None, Lists::new()) };
    let images = async {
        match first(cloud, Service::Image) {
            None => Listing::Absent,
            Some(glance) => {
                let glance = cloud.asked(Service::Image, &glance).map(|address| versioned(&address, "v2"));
                at(&glance, |glance| images::images(cloud, glance)).await
            }
        }
    };
    let nova = cloud.asked(Service::Compute, &address).map(|address| versioned(&address, "v2.1"));
    let (flavors, images, quotas, zones) = tokio::join!(
        asked(cloud, "flavors", at(&nova, |nova| flavors::flavors(cloud, nova))),
        asked(cloud, "images", images),
        at(&nova, |nova| nova::quotas(cloud, nova)),
        at(&nova, |nova| offer::zones(cloud, nova)),
    );
    let whole = quotas.clone().map(|quotas| quotas.whole);
    let service = ServiceReading {
        kind: ServiceType::Compute,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.nova",
        lists: vec![
            ("flavors", flavors),
            ("images", images),
            ("quotas", quotas.map(|quotas| quotas.document)),
        ],
    };
    (Some(service), vec![("compute_quotas", whole), ("compute_zones", zones)])
}

async fn network(cloud: &Cloud<'_>) -> Told {
    let Some(address) = first(cloud, Service::Network) else { return (None, Lists::new()) };
    let neutron = cloud.asked(Service::Network, &address).map(|address| versioned(&address, "v2.0"));
    let (networks, quotas, zones) = tokio::join!(
        asked(cloud, "networks", at(&neutron, |neutron| neutron::networks(cloud, neutron))),
        at(&neutron, |neutron| neutron::quotas(cloud, neutron)),
        at(&neutron, |neutron| offer::network_zones(cloud, neutron)),
    );
    let whole = quotas.clone().map(|quotas| quotas.whole);
    let service = ServiceReading {
        kind: ServiceType::Network,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.neutron",
        lists: vec![("networks", networks), ("quotas", quotas.map(|quotas| quotas.document))],
    };
    (Some(service), vec![("network_quotas", whole), ("network_zones", zones)])
}

async fn block_storage(cloud: &Cloud<'_>) -> Told {
    let Some(address) = first(cloud, Service::BlockStorage) else { return (None, Lists::new()) };
    let cinder = cloud.asked(Service::BlockStorage, &address).map(|address| versioned(&address, "v3"));
    let (quotas, types, zones) = tokio::join!(
        at(&cinder, |cinder| cinder::quotas(cloud, cinder)),
        at(&cinder, |cinder| offer::volume_types(cloud, cinder)),
        at(&cinder, |cinder| offer::zones(cloud, cinder)),
    );
    let whole = quotas.clone().map(|quotas| quotas.whole);
    let service = ServiceReading {
        kind: ServiceType::BlockStorage,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.cinder",
        lists: vec![("quotas", quotas.map(|quotas| quotas.document))],
    };
    let lists =
        vec![("block_storage_quotas", whole), ("block_storage_zones", zones), ("volume_types", types)];
    (Some(service), lists)
}

async fn swift(cloud: &Cloud<'_>) -> Option<ServiceReading> {
    let address = first(cloud, Service::ObjectStore)?;
    let account = cloud.asked(Service::ObjectStore, &address);
    Some(ServiceReading {
        kind: ServiceType::ObjectStore,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.swift",
        lists: vec![("quotas", at(&account, |account| object_store::swift_quotas(cloud, account)).await)],
    })
}

async fn load_balancer(cloud: &Cloud<'_>) -> Lists {
    let Some(address) = first(cloud, Service::LoadBalancer) else { return Lists::new() };
    let octavia = cloud.asked(Service::LoadBalancer, &address).map(|address| versioned(&address, "v2"));
    vec![("load_balancer_quotas", at(&octavia, |octavia| offer::load_balancer_quotas(cloud, octavia)).await)]
}

async fn shares(cloud: &Cloud<'_>) -> Lists {
    let Some(address) = first(cloud, Service::SharedFileSystem) else { return Lists::new() };
    let manila = cloud.asked(Service::SharedFileSystem, &address).map(|address| versioned(&address, "v2"));
    let (quotas, types) = tokio::join!(
        at(&manila, |manila| offer::share_quotas(cloud, manila)),
        at(&manila, |manila| offer::share_types(cloud, manila)),
    );
    vec![("shared_file_system_quotas", quotas), ("share_types", types)]
}

/// S3 endpoints are told to others and never asked.
fn s3(cloud: &Cloud<'_>) -> Vec<ServiceReading> {
    let service = |address: std::borrow::Cow<'_, str>| ServiceReading {
        kind: ServiceType::ObjectStore,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.swift-s3",
        lists: vec![("quotas", Listing::Complete(object_store::s3_quotas(&cloud.connection.project_id)))],
    };
    cloud.addresses(Service::S3).into_iter().map(service).collect()
}

fn first(cloud: &Cloud<'_>, service: Service) -> Option<String> {
    cloud.addresses(service).into_iter().next().map(std::borrow::Cow::into_owned)
}

/// The key of a service in its region, the same for all projects.
fn endpoint(cloud: &Cloud<'_>, address: &str) -> String {
    without_project(address, &cloud.connection.project_id).to_owned()
}

/// A list, if it is asked for; else nothing is said of it, and the registry keeps what it has.
async fn asked<T>(cloud: &Cloud<'_>, list: &str, read: impl Future<Output = Listing<T>>) -> Listing<T> {
    if cloud.connection.asks_for(list) { read.await } else { Listing::Absent }
}

/// Reads a list at the root of an API, when there is one that may be asked.
async fn at<'u, T, F: Future<Output = Result<T, Fault>>>(
    root: &'u Result<Url, Fault>,
    list: impl FnOnce(&'u Url) -> F,
) -> Listing<T> {
    match root {
        Ok(root) => listing(list(root).await),
        Err(fault) => Listing::Unknown(fault.clone()),
    }
}
