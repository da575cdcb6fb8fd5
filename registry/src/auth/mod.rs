//! Who is it, what may it do.
//!
//! Bearer tokens are JSON web tokens of OIDC issuers, verified here against the keys that each issuer
//! publishes: no request waits for the network, apart from the first one after an issuer changed its keys.
//! The rules are those of RFC 8725 (JWT best practice), RFC 9068 (access tokens) and the WLCG token profile:
//!
//! - the issuer is chosen by exact comparison of `iss` with the configuration, before anything else is looked at;
//! - nothing in a token chooses an address: `jku`, `x5u`, `jwk` and `x5c` are never read;
//! - signature algorithms come from an allow-list, are asymmetric, and are bound to the type of the key;
//! - an identity is (issuer, subject); an e-mail counts only when its issuer says that it is verified.
//!
//! [`Authenticator::authenticate`] tells who asks, [`require`] whether that is enough.

mod authenticator;
mod cache;
mod claims;
mod clock;
mod error;
mod fetch;
mod identity;
mod introspection;
mod issuer;
mod keys;
mod opaque;
mod policy;
mod profile;
mod rules;
mod settings;
mod statement;
mod token;

pub use authenticator::{Authenticator, IssuerProblem, authorization};
pub use clock::{Clock, SystemClock};
pub use error::AuthError;
pub use fetch::FetchError;
pub use identity::{Access, Grant, Identity, Known, Reach, Role, VerifiedEmail, missing, require};
pub use introspection::IntrospectionSettings;
pub use policy::{NoDecision, Policy, PolicyError, PolicySettings, Question};
pub use profile::Profile;
pub use rules::{ProviderName, Rule};
pub use settings::{AuthSettings, IssuerSettings, IssuerUrl, KeySettings, SignatureAlgorithm};
pub use statement::{Granted, Statement};
