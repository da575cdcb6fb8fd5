//! The 21 declarations, one file for each family. Nothing else in the workspace repeats what stands here.

pub mod flavor;
pub mod identity_provider;
pub mod image;
pub mod location;
pub mod network;
pub mod project;
pub mod provider;
pub mod quota;
pub mod region;
pub mod service;
pub mod sla;
pub mod storage_class;
pub mod user_group;

use crate::{field::Field, relation::Relation, rule::Rule, view::Branch};

/// Declares [`Kind`] and the list of all declarations in the same order.
macro_rules! kinds {
    ($($kind:ident = $declaration:path;)*) => {
        /// Which of the entities a node is. The order is that in which a whole federation can be created.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind {
            $(#[doc = concat!("Declared as [`", stringify!($declaration), "`].")] $kind,)*
        }

        impl Kind {
            /// All of them, in order.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)*];
        }

        pub(crate) const DECLARATIONS: &[Entity] = &[$($declaration,)*];
    };
}

kinds! {
    Provider = provider::PROVIDER;
    Project = project::PROJECT;
    IdentityProvider = identity_provider::IDENTITY_PROVIDER;
    UserGroup = user_group::USER_GROUP;
    Sla = sla::SLA;
    Region = region::REGION;
    Location = location::LOCATION;
    BlockStorageService = service::BLOCK_STORAGE;
    ComputeService = service::COMPUTE;
    IdentityService = service::IDENTITY;
    NetworkService = service::NETWORK;
    ObjectStoreService = service::OBJECT_STORE;
    Flavor = flavor::FLAVOR;
    Image = image::IMAGE;
    Network = network::NETWORK;
    StorageClass = storage_class::STORAGE_CLASS;
    BlockStorageQuota = quota::BLOCK_STORAGE;
    ComputeQuota = quota::COMPUTE;
    NetworkQuota = quota::NETWORK;
    ObjectStoreQuota = quota::OBJECT_STORE;
    StorageClassQuota = quota::STORAGE_CLASS;
}

impl Kind {
    /// Its place in tables that have one entry for each kind.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// How the nodes of an entity name the projects that may use them in a provider document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projects {
    /// They do not.
    No,
    /// `project`: exactly one (a quota, an SLA).
    One,
    /// `is_shared`, and `projects` when it is false (a flavor, an image, a network).
    Sharing,
}

/// A list or object of a provider document, below the entity that it stands in.
#[derive(Debug, Clone, Copy)]
pub struct Child {
    /// Its name in the document.
    pub name: &'static str,
    /// What stands in it.
    pub kind: Kind,
    /// The name, on the parent's side, of the relation that it makes.
    pub relation: &'static str,
    /// A list, or one object.
    pub many: bool,
}

/// A list of a provider document.
pub const fn many(name: &'static str, kind: Kind, relation: &'static str) -> Child {
    Child { name, kind, relation, many: true }
}

/// An object of a provider document.
pub const fn one(name: &'static str, kind: Kind, relation: &'static str) -> Child {
    Child { name, kind, relation, many: false }
}

/// Within what a key is unique, and among what a document's item finds the node that it describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole federation.
    Federation,
    /// Below one parent, reached by this relation's name on the node's side.
    Parent(&'static str),
    /// Below the provider, whichever service offers it (an image).
    Provider,
}

/// One declaration: everything that is said of an entity, once.
#[derive(Debug, Clone, Copy)]
pub struct Entity {
    /// Its name, the main Neo4j label, and the stem of its OpenAPI schemas.
    pub name: &'static str,
    /// Its name in sentences and in the path of its list: `compute_services`.
    pub path: &'static str,
    /// The name of the uid in its path: `service_uid`.
    pub uid_name: &'static str,
    /// A second Neo4j label that a family shares: `Service`, `Quota`.
    pub family: Option<&'static str>,
    /// What it is, for the OpenAPI document.
    pub doc: &'static str,
    /// Its fields, in the order of the answers; families share a first part.
    pub fields: &'static [&'static [Field]],
    /// Each key: names of fields that together are unique within the scope. The first one matches a document's
    /// item with its node. A quota's key is its project and its [`quota::Use`] instead.
    pub keys: &'static [&'static [&'static str]],
    /// Where the keys are unique.
    pub scope: Scope,
    /// Names of relations towards the provider that a node belongs to; the first that leads anywhere counts. What
    /// several providers are reached from belongs to all of them. A provider belongs to itself.
    pub held_by: &'static [&'static str],
    /// Relations that start here.
    pub relations: &'static [Relation],
    /// What a provider document holds below it.
    pub children: &'static [Child],
    /// How it names projects in a document.
    pub projects: Projects,
    /// Shared between providers: what a document does not say stays as stored, and documents never delete it.
    pub common: bool,
    /// Whether v1 answers show it.
    pub v1: bool,
    /// What its `_extended` shapes hold besides its fields.
    pub extended: &'static [Branch],
    /// Rules between fields.
    pub rules: &'static [Rule],
}

impl Entity {
    /// What most entities have in common, to be completed by each declaration.
    pub(crate) const BASE: Self = Self {
        name: "",
        path: "",
        uid_name: "",
        family: None,
        doc: "",
        fields: &[],
        keys: &[],
        scope: Scope::Federation,
        held_by: &[],
        relations: &[],
        children: &[],
        projects: Projects::No,
        common: false,
        v1: true,
        extended: &[],
        rules: &[],
    };
}
