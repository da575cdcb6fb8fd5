//! A whole registry beside real servers: Keycloak and oidc-provider as its issuers, an Open Policy Agent.
//!
//! Built with the feature `real-issuer` only; the variables that `tests/lab/lab up keycloak oidc opa` prints have to be
//! set: `KEYCLOAK_ISSUER`, `KEYCLOAK_LAB`, `OIDC_ISSUER`, `OPA_URL`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests are tests too")]

#[path = "../common/mod.rs"]
mod common;
mod keycloak;
mod lab;
mod opa;
mod restarts;
