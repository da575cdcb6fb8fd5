//! The types of services: what provider files call them, and what catalogs do.

/// A type of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Compute,
    Image,
    Network,
    BlockStorage,
    ObjectStore,
    S3,
    LoadBalancer,
    SharedFileSystem,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Compute,
        Self::Image,
        Self::Network,
        Self::BlockStorage,
        Self::ObjectStore,
        Self::S3,
        Self::LoadBalancer,
        Self::SharedFileSystem,
    ];

    /// Its official name (<https://service-types.openstack.org>), which provider files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Image => "image",
            Self::Network => "network",
            Self::BlockStorage => "block-storage",
            Self::ObjectStore => "object-store",
            Self::S3 => "s3",
            Self::LoadBalancer => "load-balancer",
            Self::SharedFileSystem => "shared-file-system",
        }
    }

    /// The types under which catalogs name it, the newest first.
    pub fn types(self) -> &'static [&'static str] {
        match self {
            Self::Compute => &["compute"],
            Self::Image => &["image"],
            Self::Network => &["network"],
            Self::BlockStorage => &["volumev3", "block-storage", "block-store", "volume", "volumev2"],
            Self::ObjectStore => &["object-store"],
            Self::S3 => &["s3"],
            Self::LoadBalancer => &["load-balancer", "octavia"],
            Self::SharedFileSystem => &["sharev2", "shared-file-system"],
        }
    }
}
