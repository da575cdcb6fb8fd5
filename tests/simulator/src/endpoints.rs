//! Where the services of a provider stand under its root URL. Catalogs, documents and routes agree by asking
//! here.

/// URLs of one OpenStack region.
#[derive(Debug, Clone, Copy)]
pub struct Endpoints<'a> {
    /// The provider's root, without a slash at its end.
    pub root: &'a str,
    /// The region's name.
    pub region: &'a str,
}

impl Endpoints<'_> {
    /// Keystone, the same for all regions: the `auth_url` of the provider file.
    pub fn identity(&self) -> String {
        format!("{}/identity/v3", self.root)
    }

    /// Nova.
    pub fn compute(&self) -> String {
        format!("{}/{}/compute/v2.1", self.root, self.region)
    }

    /// Glance.
    pub fn image(&self) -> String {
        format!("{}/{}/image", self.root, self.region)
    }

    /// Neutron.
    pub fn network(&self) -> String {
        format!("{}/{}/network", self.root, self.region)
    }

    /// Cinder; the catalog puts the project's id behind it.
    pub fn volume(&self) -> String {
        format!("{}/{}/volume/v3", self.root, self.region)
    }

    /// Swift; the catalog puts `AUTH_` and the project's id behind it.
    pub fn object_store(&self) -> String {
        format!("{}/{}/object-store/v1", self.root, self.region)
    }

    /// The S3 gateway.
    pub fn s3(&self) -> String {
        format!("{}/{}/s3", self.root, self.region)
    }
}
