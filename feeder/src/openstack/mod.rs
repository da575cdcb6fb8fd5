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
    egress::Egress,
    gate::{Gate, Overall},
    http::{self, Proxies, Way},
    inventory::{Connection, Site},
    limits::Limits,
    reading::{Fault, Item, Listing, Reading, ServiceReading, ServiceType},
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
}

impl Reader {
    /// One for each provider. Certificates that cannot be used are told in each reading.
    pub fn new(site: &Site, limits: Limits, overall: &Overall) -> Self {
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
            gate: Arc::new(Gate::new(&limits, overall)),
            limits,
        }
    }

    /// Reads one connection. Whatever fails is told in the reading.
    pub async fn read(&self, connection: &Connection) -> Reading {
        let reading = |project, services| Reading {
            region: connection.region.clone(),
            project_id: connection.project_id.clone(),
            project,
            services,
        };
        match self.open(connection).await {
            Err(fault) => reading(Listing::Unknown(fault.clone()), Listing::Unknown(fault)),
            Ok(cloud) => {
                let lists = async { tokio::join!(identity::project(&cloud), services(&cloud)) };
                // on the heap: many readings run side by side
                let (project, services) = Box::pin(lists).await;
                reading(listing(project), listing(services))
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
        KeystoneAuth::new(connection, &self.limits, Arc::clone(&self.gate))
    }

    async fn open<'a>(&'a self, connection: &'a Connection) -> Result<Cloud<'a>, Fault> {
        let patience = Patience::start(&self.limits, &self.gate);
        let (client, auth) = (self.client.clone()?, self.auth(connection)?);
        Cloud::open(connection, client, auth, self.egress.clone(), patience).await
    }
}

async fn services(cloud: &Cloud<'_>) -> Result<Vec<ServiceReading>, Fault> {
    cloud.check_region()?;
    let (compute, network, block_storage, swift) =
        tokio::join!(compute(cloud), network(cloud), block_storage(cloud), swift(cloud));
    let mut services: Vec<_> = [compute, network, block_storage].into_iter().flatten().collect();
    services.extend(swift);
    services.extend(s3(cloud));
    Ok(services)
}

async fn compute(cloud: &Cloud<'_>) -> Option<ServiceReading> {
    let address = first(cloud, Service::Compute)?;
    let images = async {
        match first(cloud, Service::Image) {
            None => Listing::Absent,
            Some(glance) => {
                let list = |glance| async move { images::images(cloud, &glance).await };
                read(cloud, Service::Image, &glance, "v2", list).await
            }
        }
    };
    let (flavors, images, quotas) =
        tokio::join!(
            read(cloud, Service::Compute, &address, "v2.1", |nova| async move {
                flavors::flavors(cloud, &nova).await
            }),
            images,
            read(cloud, Service::Compute, &address, "v2.1", |nova| async move {
                nova::quotas(cloud, &nova).await
            }),
        );
    Some(ServiceReading {
        kind: ServiceType::Compute,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.nova",
        lists: vec![("flavors", flavors), ("images", images), ("quotas", quotas)],
    })
}

async fn network(cloud: &Cloud<'_>) -> Option<ServiceReading> {
    let address = first(cloud, Service::Network)?;
    let (networks, quotas) = tokio::join!(
        read(cloud, Service::Network, &address, "v2.0", |neutron| async move {
            neutron::networks(cloud, &neutron).await
        }),
        read(cloud, Service::Network, &address, "v2.0", |neutron| async move {
            neutron::quotas(cloud, &neutron).await
        }),
    );
    Some(ServiceReading {
        kind: ServiceType::Network,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.neutron",
        lists: vec![("networks", networks), ("quotas", quotas)],
    })
}

async fn block_storage(cloud: &Cloud<'_>) -> Option<ServiceReading> {
    let address = first(cloud, Service::BlockStorage)?;
    let list = |cinder| async move { cinder::quotas(cloud, &cinder).await };
    let quotas = read(cloud, Service::BlockStorage, &address, "v3", list).await;
    Some(ServiceReading {
        kind: ServiceType::BlockStorage,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.cinder",
        lists: vec![("quotas", quotas)],
    })
}

async fn swift(cloud: &Cloud<'_>) -> Option<ServiceReading> {
    let address = first(cloud, Service::ObjectStore)?;
    let quotas = match cloud.asked(Service::ObjectStore, &address) {
        Ok(account) => listing(object_store::swift_quotas(cloud, &account).await),
        Err(fault) => Listing::Unknown(fault),
    };
    Some(ServiceReading {
        kind: ServiceType::ObjectStore,
        endpoint: endpoint(cloud, &address),
        name: "org.openstack.swift",
        lists: vec![("quotas", quotas)],
    })
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

/// Reads a list at the root of an API.
async fn read<F: Future<Output = Items>>(
    cloud: &Cloud<'_>,
    service: Service,
    address: &str,
    version: &str,
    list: impl FnOnce(Url) -> F,
) -> Listing<Vec<Item>> {
    match cloud.asked(service, address) {
        Ok(address) => listing(list(versioned(&address, version)).await),
        Err(fault) => Listing::Unknown(fault),
    }
}
