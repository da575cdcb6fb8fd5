//! What a simulated provider is: the truth from which its HTTP answers, its entry in the provider file and
//! the document that a feeder must find are all derived.
//!
//! Units are the clouds': RAM in MiB, disks and volumes in GiB, -1 for unlimited.

mod cloud;
mod cluster;

pub use cloud::{Cloud, CloudQuota, Flavor, Image, Network, Visibility};
pub use cluster::{Cluster, NamespaceQuota, Node, StorageClass};

/// How to talk to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Technology {
    /// Keystone, Nova, Glance, Neutron, Cinder, Swift.
    OpenStack,
    /// One API server.
    Kubernetes,
}

impl Technology {
    /// The provider's `type` in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenStack => "openstack",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// How the feeder logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Login {
    /// With the access token of the issuer.
    Federation,
    /// OpenStack without federation: one application credential for each project.
    ApplicationCredential,
    /// OpenStack without federation: one user.
    Password,
    /// Kubernetes without OIDC: the token of a service account.
    ServiceAccount,
}

/// One provider of the federation.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// `CLOUD-BARI`.
    pub name: String,
    /// Its name in URLs: `cloud-bari`.
    pub slug: String,
    /// How to talk to it.
    pub technology: Technology,
    /// How the feeder logs in.
    pub login: Login,
    /// Open to everyone, or to members of the federation only.
    pub is_public: bool,
    /// Whom to write to.
    pub support_emails: Vec<String>,
    /// Projects (Kubernetes: namespaces) booked for the federation's groups.
    pub projects: Vec<Project>,
    /// Its regions; a Kubernetes provider has one, called `default`.
    pub regions: Vec<Region>,
}

/// A project with the agreement that gives it to a user group.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Id at its cloud; for Kubernetes the namespace.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What the site says about it.
    pub description: String,
    /// Who may use it, and until when.
    pub agreement: Agreement,
    /// What one user of the group may take at most, when the federation limits it.
    pub per_user: Option<PerUser>,
}

/// A service level agreement between a site and a user group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Issuer of the group's tokens, as the tokens write it.
    pub issuer: String,
    /// Name of the group at that issuer.
    pub group: String,
    /// Id of the signed document.
    pub doc_uuid: String,
    /// First day, `YYYY-MM-DD`.
    pub start_date: String,
    /// Last day, `YYYY-MM-DD`.
    pub end_date: String,
}

/// Limits for one user of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerUser {
    /// Virtual CPUs.
    pub cores: i64,
    /// Servers.
    pub instances: i64,
    /// MiB.
    pub ram: i64,
    /// GiB of volumes.
    pub gigabytes: i64,
}

/// A region: where it is and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// `RegionOne`, `default`.
    pub name: String,
    /// Where it stands.
    pub location: Location,
    /// Virtual CPUs for each real one.
    pub overbooking_cpu: f64,
    /// RAM promised for each unit of real RAM.
    pub overbooking_ram: f64,
    /// Gbit/s.
    pub bandwidth_in: f64,
    /// Gbit/s.
    pub bandwidth_out: f64,
    /// What it offers.
    pub offer: Offer,
}

/// A place on earth.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// Name of the site, unique in the federation.
    pub site: String,
    /// English short name of ISO 3166-1.
    pub country: String,
    /// Degrees.
    pub latitude: f64,
    /// Degrees.
    pub longitude: f64,
}

/// What a region offers, by technology.
#[derive(Debug, Clone, PartialEq)]
pub enum Offer {
    /// An OpenStack cloud.
    OpenStack(Cloud),
    /// A Kubernetes cluster.
    Kubernetes(Cluster),
}

/// A limit and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// -1: unlimited.
    pub limit: i64,
    /// In the same unit.
    pub used: i64,
}

impl Provider {
    /// It takes tokens of the issuer.
    pub fn federated(&self) -> bool {
        self.login == Login::Federation
    }

    /// The project with this id.
    pub fn project(&self, id: &str) -> Option<&Project> {
        self.projects.iter().find(|p| p.id == id)
    }

    /// The OpenStack region of this name.
    pub fn cloud(&self, region: &str) -> Option<&Cloud> {
        self.regions.iter().find(|r| r.name == region).and_then(|r| match &r.offer {
            Offer::OpenStack(cloud) => Some(cloud),
            Offer::Kubernetes(_) => None,
        })
    }

    /// The OpenStack regions, for a change while the site runs.
    pub fn clouds_mut(&mut self) -> impl Iterator<Item = &mut Cloud> {
        self.regions.iter_mut().filter_map(|r| match &mut r.offer {
            Offer::OpenStack(cloud) => Some(cloud),
            Offer::Kubernetes(_) => None,
        })
    }

    /// The cluster of a Kubernetes provider.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.regions.iter().find_map(|r| match &r.offer {
            Offer::Kubernetes(cluster) => Some(cluster),
            Offer::OpenStack(_) => None,
        })
    }

    /// The same, for a change while the site runs.
    pub fn cluster_mut(&mut self) -> Option<&mut Cluster> {
        self.regions.iter_mut().find_map(|r| match &mut r.offer {
            Offer::Kubernetes(cluster) => Some(cluster),
            Offer::OpenStack(_) => None,
        })
    }
}
