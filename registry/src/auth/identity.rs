//! Who asks, and the roles.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use schema::access::{Access, Role};

use super::{AuthError, ProviderName};

/// An e-mail address that its issuer calls verified, or whose issuer is trusted for e-mail by the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerifiedEmail(Box<str>);

impl VerifiedEmail {
    pub(super) fn new(address: &str) -> Self {
        Self(address.into())
    }

    /// The address as the issuer wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VerifiedEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who asks. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody said who they are.
    Anonymous,
    /// The holder of a valid token.
    Known(Arc<Known>),
}

/// The holder of a valid token: (issuer, subject), and what the issuer says about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `iss`, as it is configured.
    pub issuer: Arc<str>,
    /// `sub`: unique within the issuer and never given to somebody else.
    pub subject: Box<str>,
    /// From the token, or from the issuer's userinfo endpoint where that had to be asked.
    pub email: Option<VerifiedEmail>,
    /// Values of the group claims that are configured for the issuer, as they were asserted.
    pub groups: BTreeSet<String>,
    /// Values of its entitlement claims.
    pub entitlements: BTreeSet<String>,
    /// Values of its role claims.
    pub roles: BTreeSet<String>,
    /// `exp`, in seconds since 1970-01-01T00:00:00Z.
    pub expires_at: i64,
    /// What the rules give, the strongest role first.
    pub grants: Vec<Grant>,
    /// Seconds after which asking again makes sense, when e-mail and groups are not known because the issuer did
    /// not answer.
    pub undecided_for_seconds: Option<u64>,
    /// What the token and userinfo say, for a policy; kept only where there is one.
    pub user_info: Option<Arc<serde_json::Map<String, serde_json::Value>>>,
}

/// A role, and why somebody has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// For which providers; for all when absent.
    pub providers: Option<Arc<[ProviderName]>>,
    /// The rule that holds, in words.
    pub rule: Arc<str>,
}

/// How far a right reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Somebody does not have it.
    Nowhere,
    /// It is about these providers.
    Providers(Vec<ProviderName>),
    /// It has no bounds.
    Everywhere,
}

impl Known {
    /// The strongest role.
    pub fn role(&self) -> Role {
        self.grants.first().map_or(Role::Anonymous, |grant| grant.role)
    }

    /// The providers that the rules bind all writing of this identity to; none when no rule names providers, or one gives
    /// the right to write without naming any.
    pub(crate) fn bounds(&self) -> Option<Vec<ProviderName>> {
        let mut named = Vec::new();
        for grant in self.grants.iter().filter(|grant| grant.role != Role::Reader) {
            named.extend(grant.providers.as_ref()?.iter().cloned());
        }
        (!named.is_empty()).then_some(named)
    }

    fn reach(&self, access: Access) -> Reach {
        let mut named = Vec::new();
        for grant in self.grants.iter().filter(|grant| access.is_given_to(grant.role)) {
            match &grant.providers {
                None => return Reach::Everywhere,
                Some(_) if access.is_reading() => return Reach::Everywhere,
                Some(providers) => named.extend(providers.iter().cloned()),
            }
        }
        if named.is_empty() { Reach::Nowhere } else { Reach::Providers(named) }
    }
}

impl Identity {
    /// The strongest role.
    pub fn role(&self) -> Role {
        match self {
            Self::Anonymous => Role::Anonymous,
            Self::Known(known) => known.role(),
        }
    }

    /// How far a right of theirs reaches.
    pub fn reach(&self, access: Access) -> Reach {
        match self {
            _ if access.is_given_to(Role::Anonymous) => Reach::Everywhere,
            Self::Anonymous => Reach::Nowhere,
            Self::Known(known) => known.reach(access),
        }
    }
}

impl fmt::Display for Identity {
    /// For logs: the subject and its issuer, nothing else that belongs to the person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Known(known) => write!(f, "{} of {}", known.subject, known.issuer),
        }
    }
}

/// Lets pass whoever has the right, for some provider at least; says which role is missing otherwise (401 without a
/// token, 403 with one).
pub fn require(identity: &Identity, needed: Access) -> Result<Reach, AuthError> {
    // a client that can have the private shapes is not shown the public ones because its issuer is slow
    if let (Identity::Known(known), Access::Public) = (identity, needed)
        && known.undecided_for_seconds.is_some()
        && known.role() == Role::Anonymous
    {
        return Err(missing(identity, Access::Private));
    }
    match identity.reach(needed) {
        Reach::Nowhere => Err(missing(identity, needed)),
        reach => Ok(reach),
    }
}

/// Why somebody may not.
pub fn missing(identity: &Identity, needed: Access) -> AuthError {
    match identity {
        Identity::Anonymous => AuthError::Missing,
        Identity::Known(known) => match known.undecided_for_seconds {
            Some(retry_after_seconds) => AuthError::Undecided { needed, retry_after_seconds },
            None => AuthError::Forbidden { needed, held: known.role() },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(grants: &[(Role, Option<&str>)], undecided_for_seconds: Option<u64>) -> Identity {
        let grants = grants.iter().map(|(role, provider)| Grant {
            role: *role,
            providers: provider.map(|name| [ProviderName::Named { name: name.to_owned(), ty: None }].into()),
            rule: "".into(),
        });
        Identity::Known(Arc::new(Known {
            issuer: "https://iam.example.org/".into(),
            subject: "ada".into(),
            email: None,
            groups: BTreeSet::new(),
            entitlements: BTreeSet::new(),
            roles: BTreeSet::new(),
            expires_at: 0,
            grants: grants.collect(),
            undecided_for_seconds,
            user_info: None,
        }))
    }

    #[test]
    fn what_is_missing_decides_the_answer() {
        let reader = known(&[(Role::Reader, None)], None);
        assert_eq!(require(&Identity::Anonymous, Access::Public), Ok(Reach::Everywhere));
        assert_eq!(require(&Identity::Anonymous, Access::Private), Err(AuthError::Missing));
        assert_eq!(require(&reader, Access::Private), Ok(Reach::Everywhere));
        assert_eq!(
            require(&reader, Access::Federation),
            Err(AuthError::Forbidden { needed: Access::Federation, held: Role::Reader })
        );
        assert_eq!(
            require(&known(&[(Role::Reader, None)], Some(5)), Access::Federation),
            Err(AuthError::Undecided { needed: Access::Federation, retry_after_seconds: 5 })
        );
        let nobody = known(&[], None);
        assert_eq!(require(&nobody, Access::Public), Ok(Reach::Everywhere));
        assert_eq!(
            require(&nobody, Access::Private),
            Err(AuthError::Forbidden { needed: Access::Private, held: Role::Anonymous })
        );
    }

    #[test]
    fn rights_reach_as_far_as_their_rules() {
        let named = |names: &[&str]| {
            let named = names.iter().map(|name| ProviderName::Named { name: (*name).to_owned(), ty: None });
            Reach::Providers(named.collect())
        };
        let both = known(&[(Role::SiteAdministrator, Some("A")), (Role::Feeder, Some("B"))], None);
        assert_eq!(both.role(), Role::SiteAdministrator);
        for (access, reach) in [
            (Access::Public, Reach::Everywhere),
            (Access::Private, Reach::Everywhere),
            (Access::Documents, named(&["A", "B"])),
            (Access::Records, named(&["B"])),
            (Access::Entities, named(&["A"])),
            (Access::Federation, Reach::Nowhere),
        ] {
            assert_eq!(both.reach(access), reach, "{access:?}");
        }
        let feeder = known(&[(Role::Feeder, None), (Role::SiteAdministrator, Some("A"))], None);
        assert_eq!(feeder.reach(Access::Documents), Reach::Everywhere);
        assert_eq!(feeder.reach(Access::Entities), named(&["A"]));
    }

    #[test]
    fn rules_that_name_providers_bind_where_something_else_decides_too() {
        let bounds = |grants: &[(Role, Option<&str>)]| {
            let Identity::Known(known) = known(grants, None) else { panic!("nobody") };
            known.bounds().map(|named| named.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(bounds(&[]), None);
        assert_eq!(bounds(&[(Role::Reader, None)]), None);
        assert_eq!(bounds(&[(Role::Feeder, Some("A")), (Role::Reader, None)]).as_deref(), Some("A"));
        let both = [(Role::SiteAdministrator, Some("A")), (Role::Feeder, Some("B"))];
        assert_eq!(bounds(&both).as_deref(), Some("A B"));
        assert_eq!(bounds(&[(Role::Feeder, None), (Role::SiteAdministrator, Some("A"))]), None);
    }

    #[test]
    fn display_names_subject_and_issuer_only() {
        assert_eq!(known(&[], None).to_string(), "ada of https://iam.example.org/");
    }
}
