//! What a simulated provider is: the truth from which its HTTP answers, its entry in the provider file and
//! the document that a feeder must find are all derived.
//!
//! Units are the clouds': RAM in MiB, disks and volumes in GiB, -1 for unlimited.

use std::collections::BTreeMap;

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

/// One provider of the federation.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// `CLOUD-BARI`.
    pub name: String,
    /// Its name in URLs: `cloud-bari`.
    pub slug: String,
    /// How to talk to it.
    pub technology: Technology,
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

/// The inside of one OpenStack region.
#[derive(Debug, Clone, PartialEq)]
pub struct Cloud {
    /// All flavors, disabled and foreign ones included.
    pub flavors: Vec<Flavor>,
    /// All images, inactive ones included.
    pub images: Vec<Image>,
    /// All networks.
    pub networks: Vec<Network>,
    /// Quotas by project id.
    pub quotas: BTreeMap<String, CloudQuota>,
    /// Volume types.
    pub volume_types: Vec<String>,
    /// Swift stands in the catalog.
    pub swift: bool,
    /// An S3 gateway stands in the catalog.
    pub s3: bool,
}

/// A Nova flavor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flavor {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What the site says about it; empty is Nova's null.
    pub description: String,
    /// Virtual CPUs.
    pub vcpus: i64,
    /// MiB.
    pub ram: i64,
    /// GiB.
    pub disk: i64,
    /// MiB.
    pub swap: i64,
    /// GiB.
    pub ephemeral: i64,
    /// Everyone's; else `access` says whose.
    pub is_public: bool,
    /// Ids of the projects that may use a private flavor, foreign ones included.
    pub access: Vec<String>,
    /// Members never see a disabled one.
    pub disabled: bool,
    /// Number, model, vendor.
    pub gpu: Option<(i64, String, String)>,
    /// Extra spec `infiniband`.
    pub infiniband: bool,
    /// Extra spec `aggregate_instance_extra_specs:local_storage`.
    pub local_storage: Option<String>,
}

/// Who sees an image, in Glance's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Everyone.
    Public,
    /// Its owner.
    Private,
    /// Its owner and the members who accepted it.
    Shared,
    /// Everyone who asks for community images.
    Community,
}

impl Visibility {
    /// Glance's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Community => "community",
        }
    }
}

/// A Glance image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Distribution, `ubuntu`.
    pub os_distro: String,
    /// Its version, `22.04`.
    pub os_version: String,
    /// GPU driver and CUDA are in it.
    pub cuda: bool,
    /// Who sees it.
    pub visibility: Visibility,
    /// Id of the project that owns it.
    pub owner: String,
    /// Projects it is shared with, and whether each has accepted it.
    pub members: Vec<(String, bool)>,
    /// Its tags.
    pub tags: Vec<String>,
    /// RFC 3339, UTC, without fraction.
    pub created_at: String,
    /// `false`: deactivated.
    pub active: bool,
}

/// A Neutron network.
#[expect(clippy::struct_excessive_bools, reason = "Neutron's own attributes")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Id of the project that owns it.
    pub owner: String,
    /// `router:external`.
    pub external: bool,
    /// Everyone's.
    pub shared: bool,
    /// The default of its kind; the provider file names it.
    pub is_default: bool,
    /// Bytes.
    pub mtu: i64,
    /// Its tags.
    pub tags: Vec<String>,
    /// `false`: status DOWN.
    pub active: bool,
}

/// A limit and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// -1: unlimited.
    pub limit: i64,
    /// In the same unit.
    pub used: i64,
}

/// Quotas of one project in one OpenStack region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloudQuota {
    /// Virtual CPUs.
    pub cores: Amount,
    /// Servers.
    pub instances: Amount,
    /// MiB.
    pub ram: Amount,
    /// GiB of volumes.
    pub gigabytes: Amount,
    /// GiB of one volume.
    pub per_volume_gigabytes: Amount,
    /// Volumes.
    pub volumes: Amount,
    /// Floating addresses.
    pub public_ips: Amount,
    /// Networks.
    pub networks: Amount,
    /// Ports.
    pub ports: Amount,
    /// Security groups.
    pub security_groups: Amount,
    /// Rules of security groups.
    pub security_group_rules: Amount,
    /// Bytes of objects.
    pub bytes: Amount,
    /// Containers.
    pub containers: Amount,
    /// Objects.
    pub objects: Amount,
}

/// The inside of a Kubernetes cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// The audience its tokens must carry.
    pub audience: String,
    /// Storage classes.
    pub storage_classes: Vec<StorageClass>,
    /// Quotas by namespace.
    pub quotas: BTreeMap<String, NamespaceQuota>,
    /// Worker nodes.
    pub nodes: Vec<Node>,
}

/// A storage class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// Who makes its volumes.
    pub provisioner: String,
    /// Claims without a class get this one.
    pub is_default: bool,
}

/// Quotas of one namespace; memory and storage in GiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceQuota {
    /// Cores.
    pub limits_cpu: Amount,
    /// Cores.
    pub requests_cpu: Amount,
    /// GiB.
    pub limits_memory: Amount,
    /// GiB.
    pub requests_memory: Amount,
    /// Pods.
    pub pods: Amount,
    /// Resource name and number.
    pub gpus: Option<(String, Amount)>,
    /// Claims.
    pub pvcs: Amount,
    /// GiB.
    pub storage: Amount,
    /// GiB.
    pub requests_ephemeral_storage: Amount,
    /// GiB.
    pub limits_ephemeral_storage: Amount,
    /// By storage class: claims and GiB.
    pub classes: BTreeMap<String, (Amount, Amount)>,
}

/// A worker node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Cores.
    pub cpu: i64,
    /// GiB.
    pub memory: i64,
    /// Resource name, product and number.
    pub gpus: Option<(String, String, i64)>,
}

impl Provider {
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
