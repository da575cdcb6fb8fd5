//! Reads one namespace of a Kubernetes cluster: its resource quotas, and the cluster's storage classes.
//!
//! The services are those that every cluster has: compute at `<auth_url>/v1`, block storage at
//! `<auth_url>/storage.k8s.io/v1`. CPUs are counted in CPUs, memory and storage in GiB; limits are rounded down
//! and usage up.

mod client;
mod offer;
mod quantity;
mod quotas;
mod storage_classes;

use std::sync::Arc;

use k8s_openapi::api::{
    core::v1::{Node, ResourceQuota},
    storage::v1::StorageClass,
};
use serde_json::Value;

use self::{client::Cluster, quotas::Quotas};
use crate::{
    Commons,
    gate::Gate,
    http::{self, Proxies, Way},
    inventory::{Connection, Credentials, Site},
    limits::Limits,
    reading::{Fault, FaultClass, Item, Listing, Reading, ServiceReading, ServiceType},
    tokens::Vault,
    transport::{Patience, fault, listing},
};

/// Reads the namespaces of one cluster; never asks for more at once than its [`Limits`] say.
#[derive(Debug)]
pub struct Reader {
    client: Result<reqwest::Client, Fault>,
    limits: Limits,
    gate: Gate,
    tokens: Arc<Vault>,
}

impl Reader {
    /// One for each provider. Certificates that cannot be used are told in each reading.
    pub fn new(site: &Site, limits: Limits, commons: &Commons) -> Self {
        let way = Way {
            ca_path: site.ca_path.as_deref(),
            // as for kubectl: where it is given, no other authority is trusted
            only_ca: true,
            egress: None,
            proxies: Proxies::of_environment(),
        };
        Self {
            client: http::client(&way, limits.connect),
            gate: Gate::new(&limits, &commons.requests),
            tokens: Arc::clone(&commons.tokens),
            limits,
        }
    }

    /// Reads one connection. Whatever fails is told in the reading.
    pub async fn read(&self, connection: &Connection) -> Reading {
        let namespace = &connection.project_id;
        let (quotas, classes, nodes) = match self.cluster(connection) {
            Err(fault) => return Reading::unknown(connection, &fault),
            Ok(cluster) => tokio::join!(
                cluster.of_namespace::<ResourceQuota>(namespace),
                cluster.of_cluster::<StorageClass>(),
                cluster.of_cluster::<Node>(),
            ),
        };
        // An empty list of quotas is no proof that the namespace is there (the server answers so for any name to
        // those who may read everywhere), but a refusal is one that it cannot be used.
        if let (Err(fault), Err(_)) = (&quotas, &classes) {
            return Reading::unknown(connection, fault);
        }
        let offer = vec![
            (
                "resource_quotas",
                listing(quotas.as_ref().map(|all| offer::quotas(all, namespace)).map_err(Fault::clone)),
            ),
            (
                "storage_classes",
                listing(classes.as_ref().map(|all| offer::storage_classes(all)).map_err(Fault::clone)),
            ),
            ("zones", listing(nodes.map(|nodes| offer::zones(&nodes)))),
        ];
        let quotas = quotas.and_then(|quotas| {
            let what = format!("resource quotas of namespace {namespace}");
            Quotas::of(&quotas).map_err(|why| fault(&what, FaultClass::Garbage, why.to_string()))
        });
        let project = quotas.as_ref().map(|_| project(namespace)).map_err(Fault::clone);
        Reading {
            region: connection.region.clone(),
            project_id: namespace.clone(),
            project: listing(project),
            services: Listing::Complete(services(connection, &quotas, classes)),
            offer: Listing::Complete(offer),
        }
    }

    fn cluster<'a>(&'a self, connection: &'a Connection) -> Result<Cluster<'a>, Fault> {
        let Credentials::BearerToken { token } = &connection.credentials else {
            let why = "Kubernetes takes a token, not an application credential or a password; correct the provider file";
            return Err(fault("login", FaultClass::Configuration, why));
        };
        let patience = Patience::start(&self.limits, &self.gate);
        Cluster::new(
            self.client.clone()?,
            &connection.site.auth_url,
            self.tokens.of(token, &self.limits),
            patience,
        )
    }
}

fn project(namespace: &str) -> Item {
    ["name", "uuid"].map(|field| (field.to_owned(), Value::from(namespace))).into_iter().collect()
}

fn services(
    connection: &Connection,
    quotas: &Result<Quotas, Fault>,
    classes: Result<Vec<StorageClass>, Fault>,
) -> Vec<ServiceReading> {
    let namespace = &connection.project_id;
    let base = connection.site.auth_url.trim_end_matches('/');
    // what a namespace may use of a class is part of the class: without the quotas no class is known as a whole
    let classes = match (quotas, classes) {
        (Ok(quotas), Ok(classes)) => Ok(storage_classes::items(classes, quotas, namespace)),
        (_, Err(fault)) => Err(fault),
        (Err(fault), Ok(_)) => Err(fault.clone()),
    };
    let quotas = |of: fn(&Quotas, &str) -> Vec<Item>| {
        listing(quotas.as_ref().map(|quotas| of(quotas, namespace)).map_err(Fault::clone))
    };
    vec![
        ServiceReading {
            kind: ServiceType::Compute,
            endpoint: format!("{base}/v1"),
            name: "v1",
            lists: vec![("quotas", quotas(Quotas::compute))],
        },
        ServiceReading {
            kind: ServiceType::BlockStorage,
            endpoint: format!("{base}/storage.k8s.io/v1"),
            name: "storage.k8s.io/v1",
            lists: vec![("quotas", quotas(Quotas::block_storage)), ("storage_classes", listing(classes))],
        },
    ]
}
