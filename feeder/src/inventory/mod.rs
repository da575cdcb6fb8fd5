//! What to read: the provider files (`providers.yaml`, or a folder of `*.config.yaml`), checked and resolved.
//!
//! One [`Connection`] is one (provider, region, project) and holds all that a reader needs; readers see nothing
//! of the files. What the merge adds by itself, from here, and readers therefore leave out: the identity service
//! of each region (its endpoint is `auth_url` as written in the file), quotas per user, which network is the
//! default one (readers give the cloud's own `is_default`), and the proxy of private networks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDate;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The technology of a provider: `type` in the provider document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// `openstack[]` of the file.
    Openstack,
    /// `kubernetes[]` of the file.
    Kubernetes,
}

/// `status` of a provider; only active ones are contacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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

/// One provider of the files.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name; with the kind the key of the provider in the whole federation.
    pub name: String,
    /// Its technology.
    pub kind: ProviderKind,
    /// Its status.
    pub status: ProviderStatus,
    /// Whether it is a public cloud.
    pub is_public: bool,
    /// Whom to write when something fails.
    pub support_emails: Vec<String>,
    /// Free text.
    pub description: String,
    /// The endpoint of Keystone or of the Kubernetes API server, exactly as written.
    pub auth_url: String,
    /// The identity providers that it trusts.
    pub identity_providers: Vec<IdentityProvider>,
    /// Its regions; never empty.
    pub regions: Vec<Region>,
    /// One for each (region, project), regions first, in the order of the file.
    pub connections: Vec<Connection>,
}

/// An identity provider as one provider trusts it.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityProvider {
    /// The issuer's URL, exactly as written.
    pub endpoint: String,
    /// The claim that holds the groups.
    pub group_claim: String,
    /// Free text.
    pub description: String,
    /// How the provider knows it.
    pub relationship: Relationship,
}

/// How a provider knows an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relationship {
    /// Keystone: the names of the identity provider and of the protocol.
    Openstack {
        /// Its name in Keystone.
        idp_name: String,
        /// The protocol's name in Keystone.
        protocol: String,
    },
    /// Kubernetes: the audience that the API server asks for.
    Kubernetes {
        /// The audience.
        audience: String,
    },
}

/// A region of a provider, with what only the file knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Where it is.
    pub location: Option<Location>,
    /// Virtual over physical CPUs.
    pub overbooking_cpu: f64,
    /// Virtual over physical memory.
    pub overbooking_ram: f64,
    /// Inbound bandwidth, Gbit/s.
    pub bandwidth_in: f64,
    /// Outbound bandwidth, Gbit/s.
    pub bandwidth_out: f64,
}

/// Where a region is.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// The site's name; the key of the location in the whole federation.
    pub site: String,
    /// ISO 3166-1 English short name.
    pub country: String,
    /// Degrees north.
    pub latitude: Option<f64>,
    /// Degrees east.
    pub longitude: Option<f64>,
    /// Free text.
    pub description: Option<String>,
}

/// One (provider, region, project): all that a reader needs to know.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The provider's name, for logs and faults.
    pub provider: String,
    /// The provider's technology.
    pub kind: ProviderKind,
    /// The endpoint of Keystone or of the Kubernetes API server, exactly as written.
    pub auth_url: String,
    /// A file with the certificates (PEM) to trust in addition to the system's.
    pub ca_path: Option<PathBuf>,
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
        /// The access token.
        token: SecretString,
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
        /// The token.
        token: SecretString,
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
    /// The issuer's URL, exactly as written in the provider's `identity_providers`.
    pub issuer: String,
    /// The group's name at the issuer.
    pub user_group: String,
    /// Free text of the group.
    pub user_group_description: String,
    /// The agreement's document.
    pub doc_uuid: String,
    /// Free text of the agreement.
    pub description: String,
    /// Its first day.
    pub start_date: NaiveDate,
    /// Its last day.
    pub end_date: NaiveDate,
}
