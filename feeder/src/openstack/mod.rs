//! Reads one project of an OpenStack cloud in one region.
//!
//! Which services there are is the catalog's word alone: what it does not name is absent, and what it names but
//! cannot be read is unknown. Addresses are built from the catalog, never from what a service says of itself.

mod catalog;
mod cinder;
mod cloud;
mod flavors;
mod gpus;
mod http;
mod identity;
mod images;
mod keystone;
mod neutron;
mod nova;
mod object_store;
mod quota;
mod tolerant;

use std::{future::Future, path::Path, sync::Arc};

use openstack::session::Session;
use tokio::sync::Semaphore;
use url::Url;

pub use self::keystone::KeystoneAuth;
use self::{
    catalog::{versioned, without_project},
    cloud::Cloud,
};
use crate::{
    inventory::Connection,
    limits::Limits,
    reading::{Fault, FaultClass, Item, Listing, Reading, ServiceReading, ServiceType},
    transport::{Patience, fault, listing},
};

/// Types under which catalogs name Cinder, the newest first.
const CINDER: &[&str] = &["volumev3", "block-storage", "block-store", "volume", "volumev2"];

type Items = Result<Vec<Item>, Fault>;

/// Reads the projects of one provider; never asks for more at once than its [`Limits`] say.
#[derive(Debug)]
pub struct Reader {
    client: Result<reqwest::Client, Fault>,
    limits: Limits,
    gate: Arc<Semaphore>,
}

impl Reader {
    /// One for each provider. `ca_path` names a file with certificates (PEM) to trust besides the system's; one that
    /// cannot be used is told in each reading.
    pub fn new(ca_path: Option<&Path>, limits: Limits) -> Self {
        let gate = Arc::new(Semaphore::new(limits.concurrency.max(1)));
        Self { client: http::client(ca_path, &limits), limits, gate }
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

    fn auth(&self, connection: &Connection) -> Result<KeystoneAuth, Fault> {
        KeystoneAuth::new(connection, &self.limits, Arc::clone(&self.gate))
    }

    async fn open<'a>(&'a self, connection: &'a Connection) -> Result<Cloud<'a>, Fault> {
        let patience = Patience::start(&self.limits, &self.gate);
        Cloud::open(connection, self.client.clone()?, self.auth(connection)?, patience).await
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
    let address = *cloud.addresses(&["compute"]).first()?;
    let images = async {
        match cloud.addresses(&["image"]).first() {
            None => Listing::Absent,
            Some(glance) => {
                read(glance, "v2", |glance| async move { images::images(cloud, &glance).await }).await
            }
        }
    };
    let (flavors, images, quotas) = tokio::join!(
        read(address, "v2.1", |nova| async move { flavors::flavors(cloud, &nova).await }),
        images,
        read(address, "v2.1", |nova| async move { nova::quotas(cloud, &nova).await }),
    );
    Some(ServiceReading {
        kind: ServiceType::Compute,
        endpoint: endpoint(cloud, address),
        name: "org.openstack.nova",
        lists: vec![("flavors", flavors), ("images", images), ("quotas", quotas)],
    })
}

async fn network(cloud: &Cloud<'_>) -> Option<ServiceReading> {
    let address = *cloud.addresses(&["network"]).first()?;
    let (networks, quotas) = tokio::join!(
        read(address, "v2.0", |neutron| async move { neutron::networks(cloud, &neutron).await }),
        read(address, "v2.0", |neutron| async move { neutron::quotas(cloud, &neutron).await }),
    );
    Some(ServiceReading {
        kind: ServiceType::Network,
        endpoint: endpoint(cloud, address),
        name: "org.openstack.neutron",
        lists: vec![("networks", networks), ("quotas", quotas)],
    })
}

async fn block_storage(cloud: &Cloud<'_>) -> Option<ServiceReading> {
    let address = *cloud.addresses(CINDER).first()?;
    let quotas = read(address, "v3", |cinder| async move { cinder::quotas(cloud, &cinder).await }).await;
    Some(ServiceReading {
        kind: ServiceType::BlockStorage,
        endpoint: endpoint(cloud, address),
        name: "org.openstack.cinder",
        lists: vec![("quotas", quotas)],
    })
}

async fn swift(cloud: &Cloud<'_>) -> Option<ServiceReading> {
    let address = *cloud.addresses(&["object-store"]).first()?;
    let quotas = match parsed(address) {
        Ok(account) => listing(object_store::swift_quotas(cloud, &account).await),
        Err(fault) => Listing::Unknown(fault),
    };
    Some(ServiceReading {
        kind: ServiceType::ObjectStore,
        endpoint: endpoint(cloud, address),
        name: "org.openstack.swift",
        lists: vec![("quotas", quotas)],
    })
}

fn s3(cloud: &Cloud<'_>) -> Vec<ServiceReading> {
    let service = |address| ServiceReading {
        kind: ServiceType::ObjectStore,
        endpoint: endpoint(cloud, address),
        name: "org.openstack.swift-s3",
        lists: vec![("quotas", Listing::Complete(object_store::s3_quotas(&cloud.connection.project_id)))],
    };
    cloud.addresses(&["s3"]).into_iter().map(service).collect()
}

/// The key of a service in its region, the same for all projects.
fn endpoint(cloud: &Cloud<'_>, address: &str) -> String {
    without_project(address, &cloud.connection.project_id).to_owned()
}

/// Reads a list at the root of an API.
async fn read<F: Future<Output = Items>>(
    address: &str,
    version: &str,
    list: impl FnOnce(Url) -> F,
) -> Listing<Vec<Item>> {
    match parsed(address) {
        Ok(address) => listing(list(versioned(&address, version)).await),
        Err(fault) => Listing::Unknown(fault),
    }
}

fn parsed(address: &str) -> Result<Url, Fault> {
    address.parse().map_err(|error| {
        fault("catalog", FaultClass::Garbage, format!("`{address}` is not an address: {error}"))
    })
}
