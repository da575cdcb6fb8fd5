//! What to read: the provider files (`providers.yaml`, or a folder of `*.config.yaml`), checked and resolved.
//!
//! One [`Connection`] is one (provider, region, project) and holds all that a reader needs; readers see nothing
//! of the files. What the merge adds by itself, from here, and readers therefore leave out: the identity service
//! of each region (its endpoint is `auth_url` as written in the file), quotas per user, which network is the
//! default one (readers give the cloud's own `is_default`), and the proxy of private networks.

mod accelerators;
mod agreements;
mod attributes;
mod credentials;
mod entry;
mod fault;
mod file;
mod load;
mod origin;
mod properties;
mod redact;
mod resolve;
mod secret;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use accelerators::Accelerators;
pub(crate) use credentials::token_source;
pub use fault::ConfigFault;
pub use file::TokenIssuer;
pub use load::{load, load_with};
pub use origin::Origin;
pub(crate) use origin::place;
pub(crate) use resolve::Surroundings;
pub(crate) use secret::SecretSource;

use crate::tokens::TokenSource;

/// The technology of a provider: `type` in the provider document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// `openstack[]` of the file.
    Openstack,
    /// `kubernetes[]` of the file.
    Kubernetes,
}

impl fmt::Display for ProviderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.list())
    }
}

/// `status` of a provider; only active ones are contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderStatus {
    /// In use.
    #[default]
    Active,
    /// Not to be used for now.
    Maintenance,
    /// No longer part of the federation.
    Removed,
    /// In use with restrictions.
    Limited,
}

/// What identifies a provider in the whole federation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ProviderKey {
    /// Its name.
    pub name: String,
    /// Its technology.
    #[serde(rename = "type")]
    pub kind: ProviderKind,
}

impl fmt::Display for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.kind)
    }
}

/// The JSON Schema of a provider file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(file::SiteFile)
}

/// What the provider files say.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The providers without fault, in the order of the files.
    pub providers: Vec<Provider>,
    /// The providers that the files name, but that cannot be read because of a fault.
    pub faulty: Vec<ProviderKey>,
    /// What is wrong, in all files.
    pub faults: Vec<ConfigFault>,
    /// What is not wrong, but has no effect.
    pub warnings: Vec<ConfigFault>,
}

impl Inventory {
    /// Whether all was read without fault: only then does it count that a provider is no longer named.
    pub fn is_complete(&self) -> bool {
        self.faults.is_empty()
    }
}

/// One provider of the files.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name and technology.
    pub key: ProviderKey,
    /// Its status.
    pub status: ProviderStatus,
    /// The endpoint of Keystone or of the Kubernetes API server, exactly as written.
    pub auth_url: String,
    /// The provider document as far as the files say it: the provider's attributes and, when it is active, its
    /// identity providers with groups and agreements, and its regions with their locations.
    pub document: Map<String, Value>,
    /// How to reach it.
    pub site: Arc<Site>,
    /// One for each (region, project), regions first, in the order of the file; none when it is not active.
    pub connections: Vec<Connection>,
    /// Where the parts of the document stand in the file.
    pub origin: Origin,
}

/// How to reach a cloud, and how it names things: the same for all its connections.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Site {
    /// The endpoint of Keystone or of the Kubernetes API server, exactly as written.
    pub auth_url: String,
    /// A file with certificates (PEM) to trust: besides the system's, or for Kubernetes instead of them.
    pub ca_path: Option<PathBuf>,
    /// Addresses to use in place of the catalog's: by region, then by type of service.
    pub endpoints: BTreeMap<String, BTreeMap<String, String>>,
    /// Hosts that the catalog may name, `*.example.org` for all below; empty: any outside.
    pub catalog_hosts: Vec<String>,
    /// Which properties of flavors and images tell of accelerators.
    pub accelerators: Accelerators,
}

/// One (provider, region, project): all that a reader needs to know.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The provider's name, for logs and faults.
    pub provider: String,
    /// The provider's technology.
    pub kind: ProviderKind,
    /// How to reach the cloud; the same for all its connections.
    pub site: Arc<Site>,
    /// The region's name.
    pub region: String,
    /// The project's id at its cloud (Kubernetes: the namespace).
    pub project_id: String,
    /// How to log in.
    pub credentials: Credentials,
    /// Images to take, by tag; empty: all.
    pub image_tags: Vec<String>,
    /// Networks to take, by tag; empty: all.
    pub network_tags: Vec<String>,
    /// `block_storage_vol_types`, as written.
    pub volume_types: Map<String, Value>,
    /// What the file says of the project in this region.
    pub properties: ProjectProperties,
    /// Who may use the project, and on what ground.
    pub agreement: Agreement,
    /// The only lists to read in this run; none: all.
    pub asked: Option<Vec<&'static str>>,
}

impl Connection {
    /// Whether a list is to be read in this run.
    pub fn asks_for(&self, list: &str) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.contains(&list))
    }
}

/// How to log in to a cloud.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// OpenStack: Keystone's federation with an access token of the project's issuer.
    OidcAccessToken {
        /// The identity provider's name in Keystone.
        idp_name: String,
        /// The protocol's name in Keystone.
        protocol: String,
        /// Where access tokens come from.
        token: TokenSource,
    },
    /// OpenStack: an application credential, which is bound to one project already.
    ApplicationCredential {
        /// Its id.
        id: String,
        /// Its secret.
        secret: SecretString,
    },
    /// OpenStack: a user and a password, scoped to the project.
    Password {
        /// The user's name.
        username: String,
        /// The name of the user's domain.
        user_domain: String,
        /// The password.
        password: SecretString,
    },
    /// Kubernetes: an access token of the project's issuer, or a service account's token; sent alike.
    BearerToken {
        /// Where tokens come from.
        token: TokenSource,
    },
}

/// What the file says of a project in one region.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProjectProperties {
    /// The name of the default network among those that others share.
    pub default_public_net: Option<String>,
    /// The name of the default network among the project's own.
    pub default_private_net: Option<String>,
    /// The host to go through to reach private networks.
    pub private_net_proxy: Option<NetworkProxy>,
    /// Quotas for each user of the project, by the service's type (`compute`, `block_storage`, `network`,
    /// `object_store`), each in the fields of that quota.
    pub per_user_limits: BTreeMap<String, Map<String, Value>>,
}

/// The host to go through to reach private networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkProxy {
    /// Host, with or without port.
    pub host: String,
    /// The user name on that host.
    pub user: String,
}

/// The user group that may use a project, and the agreement (SLA) it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The issuer's URL, exactly as written.
    pub issuer: String,
    /// The group's name at the issuer.
    pub user_group: String,
    /// The agreement's document.
    pub doc_uuid: String,
}
