//! What is usual at an issuer of a known make.

use serde::Deserialize;

use super::{IssuerSettings, IssuerUrl, SignatureAlgorithm};

/// The make of an issuer: it says in which claims groups, entitlements and roles are. Each can be said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Groups and entitlements wherever one of the makes below has them; a rule by group finds both.
    #[default]
    Any,
    /// INDIGO IAM: `groups` in its own profile, `wlcg.groups` in the WLCG profile (WLCG-AuthZ-WG, Common JWT Profile),
    /// `entitlements` or `eduperson_entitlement` in the AARC profile.
    IndigoIam,
    /// Keycloak: what a group membership mapper writes to `groups`, and the realm's roles.
    Keycloak,
    /// EGI Check-in: `entitlements` (AARC-G069), formerly `eduperson_entitlement` (AARC-G002).
    EgiCheckIn,
}

impl Profile {
    /// The settings of an issuer of this make.
    pub(super) fn issuer(self, issuer: IssuerUrl) -> IssuerSettings {
        let (groups, entitlements, roles): (&[&str], &[&str], &[&str]) = match self {
            Self::Any => (
                &["groups", "wlcg.groups", "entitlements", "eduperson_entitlement"],
                &["entitlements", "eduperson_entitlement"],
                &["roles", "realm_access.roles"],
            ),
            Self::IndigoIam => {
                (&["groups", "wlcg.groups"], &["entitlements", "eduperson_entitlement"], &["roles"])
            }
            Self::Keycloak => (&["groups"], &["entitlements"], &["realm_access.roles"]),
            Self::EgiCheckIn => (&["groups"], &["entitlements", "eduperson_entitlement"], &["roles"]),
        };
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        IssuerSettings {
            issuer,
            audiences: Vec::new(),
            algorithms: SignatureAlgorithm::all(),
            group_claims: owned(groups),
            entitlement_claims: owned(entitlements),
            role_claims: owned(roles),
            email_claim: "email".to_owned(),
            email_verified_claim: "email_verified".to_owned(),
            trust_email: false,
            at_jwt_only: false,
            introspection: None,
        }
    }
}
