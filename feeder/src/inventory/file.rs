//! The provider files as they are written: one type for each object, unknown fields refused.
//!
//! What the schema declares is read by its declarations ([`Attributes`]); here stands what only the files have.

use std::collections::BTreeMap;
use std::path::PathBuf;

use garde::Validate;
use schema::Kind;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::attributes::{Attributes, Declared};
use super::{Accelerators, ProviderKey, ProviderKind, ProviderStatus};

/// One file.
#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteFile {
    /// The identity providers, their groups and agreements.
    #[garde(dive, custom(at_least_one))]
    pub trusted_idps: Vec<TrustedIdp>,
    /// OpenStack clouds.
    #[serde(default)]
    #[garde(dive)]
    pub openstack: Vec<ProviderEntry>,
    /// Kubernetes clusters.
    #[serde(default)]
    #[garde(dive)]
    pub kubernetes: Vec<ProviderEntry>,
}

impl SiteFile {
    /// All providers, with the name of their list and their place in it.
    pub fn providers(&self) -> impl Iterator<Item = (ProviderKind, usize, &ProviderEntry)> {
        let openstack =
            self.openstack.iter().enumerate().map(|(i, entry)| (ProviderKind::Openstack, i, entry));
        let kubernetes =
            self.kubernetes.iter().enumerate().map(|(i, entry)| (ProviderKind::Kubernetes, i, entry));
        openstack.chain(kubernetes)
    }

    /// What identifies each of them.
    pub fn keys(&self) -> impl Iterator<Item = ProviderKey> {
        self.providers().map(|(kind, _, entry)| ProviderKey { name: entry.name.clone(), kind })
    }
}

/// An identity provider that the federation trusts.
#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedIdp {
    /// Its URL.
    #[garde(custom(web_address))]
    pub issuer: String,
    /// The claim that holds the groups.
    #[garde(custom(not_empty))]
    pub group_claim: String,
    /// Free text; the registry keeps what it has when nothing is said.
    #[garde(skip)]
    pub description: Option<String>,
    /// An access token, in the file itself.
    #[garde(skip)]
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// A file that holds the token.
    #[garde(skip)]
    pub token_file: Option<PathBuf>,
    /// An environment variable that holds the token.
    #[garde(skip)]
    pub token_env: Option<String>,
    /// Tokens of oidc-agent.
    #[garde(skip)]
    pub oidc_agent: Option<OidcAgent>,
    /// Tokens for a client of its own.
    #[garde(skip)]
    pub client_credentials: Option<ClientCredentials>,
    /// Tokens for somebody who gave a refresh token.
    #[garde(skip)]
    pub refresh_token: Option<RefreshToken>,
    /// What to ask the issuer for, with spaces between.
    #[garde(skip)]
    pub scope: Option<String>,
    /// Whom tokens shall be for.
    #[garde(skip)]
    pub audience: Option<String>,
    /// Where tokens are asked for; none: where the issuer says.
    #[garde(inner(custom(web_address)))]
    pub token_endpoint: Option<String>,
    /// Certificates (PEM) to trust at the issuer.
    #[garde(skip)]
    pub ca_path: Option<PathBuf>,
    /// The groups that use resources of the federation.
    #[garde(dive, custom(at_least_one))]
    pub user_groups: Vec<UserGroup>,
}

/// An issuer that is asked for tokens, and in which of its ways.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenIssuer {
    /// Its URL.
    pub issuer: String,
    /// Tokens of oidc-agent.
    pub oidc_agent: Option<OidcAgent>,
    /// Tokens for a client of its own.
    pub client_credentials: Option<ClientCredentials>,
    /// Tokens for somebody who gave a refresh token.
    pub refresh_token: Option<RefreshToken>,
    /// What to ask the issuer for, with spaces between.
    pub scope: Option<String>,
    /// Whom tokens shall be for.
    pub audience: Option<String>,
    /// Where tokens are asked for; none: where the issuer says.
    pub token_endpoint: Option<String>,
    /// Certificates (PEM) to trust at the issuer.
    pub ca_path: Option<PathBuf>,
}

/// An account of oidc-agent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcAgent {
    /// Its short name; none: one of the issuer.
    pub account: Option<String>,
    /// The agent's socket; none: what `OIDC_SOCK` says.
    pub socket: Option<PathBuf>,
}

/// A client of the issuer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the file")]
pub struct ClientCredentials {
    /// Its id.
    pub client_id: String,
    /// Its secret, in the file itself.
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<SecretString>,
    /// A file that holds the secret.
    pub client_secret_file: Option<PathBuf>,
    /// An environment variable that holds the secret.
    pub client_secret_env: Option<String>,
}

/// A refresh token, and the client that it was given to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshToken {
    /// The client's id.
    pub client_id: String,
    /// The client's secret, in the file itself; public clients have none.
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<SecretString>,
    /// A file that holds the secret.
    pub client_secret_file: Option<PathBuf>,
    /// An environment variable that holds the secret.
    pub client_secret_env: Option<String>,
    /// The refresh token, in the file itself.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// A file that holds it, and gets the next one when the issuer changes it.
    pub token_file: Option<PathBuf>,
    /// An environment variable that holds it.
    pub token_env: Option<String>,
}

/// A group of users.
#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserGroup {
    /// Its name at the issuer.
    #[garde(custom(not_empty))]
    pub name: String,
    /// Free text; the registry keeps what it has when nothing is said.
    #[garde(skip)]
    pub description: Option<String>,
    /// Its agreements.
    #[garde(skip)]
    pub slas: Vec<Attributes<Sla>>,
}

/// A cloud.
#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderEntry {
    /// Its name.
    #[garde(custom(not_empty))]
    pub name: String,
    /// May repeat in which list the entry stands.
    #[serde(rename = "type")]
    #[garde(skip)]
    pub kind: Option<ProviderKind>,
    /// Its status.
    #[serde(default)]
    #[garde(skip)]
    pub status: ProviderStatus,
    /// Whether it is a public cloud.
    #[serde(default)]
    #[garde(skip)]
    pub is_public: bool,
    /// Whom to write.
    #[serde(default)]
    #[garde(skip)]
    pub support_emails: Vec<String>,
    /// Free text.
    #[serde(default)]
    #[garde(skip)]
    pub description: String,
    /// Keystone, or the API server.
    #[garde(custom(web_address))]
    pub auth_url: String,
    /// Certificates to trust (PEM).
    #[garde(skip)]
    pub ca_path: Option<PathBuf>,
    /// OpenStack: addresses to use in place of the catalog's, by region and type of service.
    #[serde(default)]
    #[garde(skip)]
    pub endpoints: BTreeMap<String, BTreeMap<String, String>>,
    /// OpenStack: hosts that the catalog may name.
    #[serde(default)]
    #[garde(skip)]
    pub catalog_hosts: Vec<String>,
    /// OpenStack: which properties tell of accelerators.
    #[serde(default)]
    #[garde(skip)]
    pub accelerators: Accelerators,
    /// Images to take.
    #[serde(default)]
    #[garde(skip)]
    pub image_tags: Vec<String>,
    /// Networks to take.
    #[serde(default)]
    #[garde(skip)]
    pub network_tags: Vec<String>,
    /// Volume types; kept as written.
    #[serde(default)]
    #[garde(skip)]
    pub block_storage_vol_types: Option<Map<String, Value>>,
    /// The identity providers it trusts.
    #[garde(dive, custom(at_least_one))]
    pub identity_providers: Vec<ProviderIdp>,
    /// How to log in, where there is no federation.
    #[garde(skip)]
    pub auth: Option<Auth>,
    /// Its regions; none is one with the default name.
    #[serde(default)]
    #[garde(skip)]
    pub regions: Vec<Attributes<Region>>,
    /// Its projects.
    #[garde(dive)]
    pub projects: Vec<ProjectEntry>,
}

impl ProviderEntry {
    /// Fields that are given and that only OpenStack has.
    pub fn of_openstack_only(&self) -> Vec<&'static str> {
        let given = [
            ("endpoints", !self.endpoints.is_empty()),
            ("catalog_hosts", !self.catalog_hosts.is_empty()),
            ("accelerators", self.accelerators != Accelerators::default()),
        ];
        given.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
    }
}

/// An identity provider as one cloud knows it.
#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderIdp {
    /// The issuer's URL.
    #[garde(custom(web_address))]
    pub endpoint: String,
    /// Its name in Keystone.
    #[garde(skip)]
    pub name: Option<String>,
    /// The protocol's name in Keystone.
    #[garde(skip)]
    pub protocol: Option<String>,
    /// The audience that the Kubernetes API server asks for.
    #[garde(skip)]
    pub audience: Option<String>,
}

/// A project, or a namespace.
#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectEntry {
    /// Its id at the cloud.
    #[garde(custom(not_empty))]
    pub id: String,
    /// The agreement it rests on.
    #[garde(custom(not_empty))]
    pub sla: String,
    /// How to log in to this project, instead of the provider's way.
    #[garde(skip)]
    pub auth: Option<Auth>,
    /// See [`super::ProjectProperties`].
    #[garde(skip)]
    pub default_public_net: Option<String>,
    /// See [`super::ProjectProperties`].
    #[garde(skip)]
    pub default_private_net: Option<String>,
    /// See [`super::ProjectProperties`].
    #[garde(skip)]
    pub private_net_proxy: Option<Proxy>,
    /// See [`super::ProjectProperties`].
    #[garde(skip)]
    pub per_user_limits: Option<Limits>,
    /// What replaces these four in one region.
    #[serde(default)]
    #[garde(dive)]
    pub per_region_props: Vec<RegionProperties>,
}

/// What replaces a project's properties in one region.
#[derive(Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionProperties {
    /// The region.
    #[garde(custom(not_empty))]
    pub region_name: String,
    /// See [`super::ProjectProperties`].
    #[garde(skip)]
    pub default_public_net: Option<String>,
    /// See [`super::ProjectProperties`].
    #[garde(skip)]
    pub default_private_net: Option<String>,
    /// See [`super::ProjectProperties`].
    #[garde(skip)]
    pub private_net_proxy: Option<Proxy>,
    /// See [`super::ProjectProperties`].
    #[garde(skip)]
    pub per_user_limits: Option<Limits>,
}

/// The host to go through to reach private networks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// Host, with or without port.
    pub host: String,
    /// The user name on it.
    pub user: String,
}

/// Quotas for each user, by service.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Of the compute service.
    pub compute: Option<Attributes<ComputeLimits>>,
    /// Of the block storage service.
    pub block_storage: Option<Attributes<BlockStorageLimits>>,
    /// Of the network service.
    pub network: Option<Attributes<NetworkLimits>>,
    /// Of the object store services.
    pub object_store: Option<Attributes<ObjectStoreLimits>>,
}

/// How to log in without federation: exactly one of the ways.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// OpenStack.
    pub application_credential: Option<ApplicationCredential>,
    /// OpenStack.
    pub password: Option<Password>,
    /// Kubernetes: a service account's token, in the file itself.
    #[schemars(with = "Option<String>")]
    pub token: Option<SecretString>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
    /// An environment variable that holds the token.
    pub token_env: Option<String>,
}

/// An application credential of OpenStack.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationCredential {
    /// Its id.
    pub id: String,
    /// Its secret, in the file itself.
    #[schemars(with = "Option<String>")]
    pub secret: Option<SecretString>,
    /// A file that holds the secret.
    pub secret_file: Option<PathBuf>,
    /// An environment variable that holds the secret.
    pub secret_env: Option<String>,
}

/// A user of OpenStack.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the file")]
pub struct Password {
    /// The user's name.
    pub username: String,
    /// The name of the user's domain.
    #[serde(default = "default_domain")]
    pub user_domain: String,
    /// The password, in the file itself.
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretString>,
    /// A file that holds the password.
    pub password_file: Option<PathBuf>,
    /// An environment variable that holds the password.
    pub password_env: Option<String>,
}

fn not_empty<C>(text: &str, _: &C) -> garde::Result {
    if text.is_empty() { Err(garde::Error::new("this is empty: write a name")) } else { Ok(()) }
}

fn at_least_one<T, C>(list: &[T], _: &C) -> garde::Result {
    if list.is_empty() { Err(garde::Error::new("this is empty: write at least one entry")) } else { Ok(()) }
}

/// `http://` or `https://`, and a host.
fn web_address<C>(text: &str, _: &C) -> garde::Result {
    address_fault(text).map_or(Ok(()), |fault| Err(garde::Error::new(fault)))
}

/// What is wrong with the address of a service.
pub fn address_fault(text: &str) -> Option<String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => None,
        _ => Some(format!("'{text}' is not the URL of a service: write https://host:port/path")),
    }
}

/// What Keystone creates when it is installed.
fn default_domain() -> String {
    "Default".to_owned()
}

/// Set by the feeder.
const QUOTA_USE: &[&str] = &["per_user", "usage", "type"];

macro_rules! declared {
    ($($name:ident: $kind:expr, $not_here:expr, $below:expr;)*) => {$(
        #[doc = concat!("Declared as [`", stringify!($kind), "`].")]
        pub struct $name;

        impl Declared for $name {
            const KIND: Kind = $kind;
            const NOT_HERE: &'static [&'static str] = $not_here;
            const BELOW: Option<(&'static str, Kind)> = $below;
        }
    )*};
}

declared! {
    Sla: Kind::Sla, &[], None;
    Region: Kind::Region, &[], Some(("location", Kind::Location));
    ComputeLimits: Kind::ComputeQuota, QUOTA_USE, None;
    BlockStorageLimits: Kind::BlockStorageQuota, QUOTA_USE, None;
    NetworkLimits: Kind::NetworkQuota, QUOTA_USE, None;
    ObjectStoreLimits: Kind::ObjectStoreQuota, QUOTA_USE, None;
}
