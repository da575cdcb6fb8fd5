//! What one connection says: the border between reading a cloud and merging what was read.
//!
//! A connection is one (provider, region, project). Readers ([`crate::openstack`], [`crate::kubernetes`])
//! make a [`Reading`] of it; [`crate::merge`] makes one provider document of all readings of a provider.
//! Items (flavors, images, ...) are JSON objects in the shape of the provider document, so that what the
//! schema declares is not typed here again.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{inventory::Connection, offer::Lists};

/// One item of a provider document: a flavor, an image, a network, a quota, a storage class.
pub type Item = Map<String, Value>;

/// How a list ended. Only a complete list may remove what it no longer names; what is unknown stays.
#[derive(Debug, Clone, PartialEq)]
pub enum Listing<T> {
    /// All pages were read.
    Complete(T),
    /// The cloud does not offer this: no such service, no such feature.
    Absent,
    /// It could not be read; why.
    Unknown(Fault),
}

/// Why something could not be read, in words for the one who must mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{what}: {why}")]
pub struct Fault {
    /// What was being read: `GET /flavors/detail`, `token`.
    pub what: String,
    /// Why it failed and what to do, without secrets.
    pub why: String,
    /// Which kind of failure this is.
    pub class: FaultClass,
}

/// Kinds of failure, as metrics, the table and retries tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// 401: the token was refused.
    Unauthorized,
    /// 403: the token is good, the permission is missing.
    Forbidden,
    /// 429 or 5xx: the site is overloaded or broken.
    Unavailable,
    /// No connection: refused, no such host, TLS.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// An answer that is not what the API promises.
    Garbage,
    /// The configuration is at fault.
    Configuration,
}

impl FaultClass {
    /// As it is written everywhere: `unauthorized`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Garbage => "garbage",
            Self::Configuration => "configuration",
        }
    }
}

/// The type of a service; a region has one list for each in the provider document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceType {
    /// `block_storage_services`
    BlockStorage,
    /// `compute_services`
    Compute,
    /// `identity_services`
    Identity,
    /// `network_services`
    Network,
    /// `object_store_services`
    ObjectStore,
}

impl ServiceType {
    /// As `type` of the service says it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BlockStorage => "block-storage",
            Self::Compute => "compute",
            Self::Identity => "identity",
            Self::Network => "network",
            Self::ObjectStore => "object-store",
        }
    }
}

/// One service of the region as this project sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceReading {
    /// Its type.
    pub kind: ServiceType,
    /// Its public endpoint, as the catalog writes it.
    pub endpoint: String,
    /// Its name in the contract, `org.openstack.nova`.
    pub name: &'static str,
    /// Its lists by their name in the document: `flavors`, `images`, `networks`, `quotas`, `storage_classes`.
    /// Private items name this project, and others as far as they are known, in `projects`; quotas name it in
    /// `project`. A list that this type of service does not have is not there.
    pub lists: Vec<(&'static str, Listing<Vec<Item>>)>,
}

/// What one connection says.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The region's name.
    pub region: String,
    /// The project's id at its cloud (Kubernetes: the namespace).
    pub project_id: String,
    /// The project: `name`, `uuid`, `description`.
    pub project: Listing<Item>,
    /// Its services. `Unknown` when not even the list of services could be had (no token, no catalog).
    pub services: Listing<Vec<ServiceReading>>,
    /// What it offers beyond v1, see [`crate::offer`].
    pub offer: Listing<Lists>,
}

impl Reading {
    /// Of a connection of which nothing could be read.
    pub fn unknown(connection: &Connection, fault: &Fault) -> Self {
        Self {
            region: connection.region.clone(),
            project_id: connection.project_id.clone(),
            project: Listing::Unknown(fault.clone()),
            services: Listing::Unknown(fault.clone()),
            offer: Listing::Unknown(fault.clone()),
        }
    }
}

impl<T> Listing<T> {
    /// The same list, told in another way.
    pub fn map<U>(self, tell: impl FnOnce(T) -> U) -> Listing<U> {
        match self {
            Self::Complete(known) => Listing::Complete(tell(known)),
            Self::Absent => Listing::Absent,
            Self::Unknown(fault) => Listing::Unknown(fault),
        }
    }
}
