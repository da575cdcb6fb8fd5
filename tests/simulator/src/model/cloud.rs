//! The inside of an `OpenStack` cloud.

use super::Amount;
use std::collections::BTreeMap;

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
