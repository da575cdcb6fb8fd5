//! Who asks, and the roles.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::AuthError;

/// What an identity may do. Later roles (feeder, administrator of one site) join here; that is why roles are
/// compared with [`Role::includes`] and have no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// No token: the public shapes.
    Anonymous,
    /// A valid token of any configured issuer: the private shapes.
    Reader,
    /// A rule of `auth.administrators` holds: everything.
    Administrator,
}

impl Role {
    /// Whether whoever has this role may do what needs the other one.
    pub fn includes(self, needed: Self) -> bool {
        match needed {
            Self::Anonymous => true,
            Self::Reader => self != Self::Anonymous,
            Self::Administrator => self == Self::Administrator,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::Reader => "reader",
            Self::Administrator => "administrator",
        })
    }
}

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
    /// `exp`, in seconds since 1970-01-01T00:00:00Z.
    pub expires_at: i64,
    /// What the rules say.
    pub role: Role,
    /// The rule that gave the role, where one did; for whoever wants to know why.
    pub rule: Option<Arc<str>>,
    /// Seconds after which asking again makes sense, when e-mail and groups are not known because the issuer did
    /// not answer.
    pub undecided_for_seconds: Option<u64>,
    /// What the token and userinfo say, for a policy; kept only where there is one.
    pub user_info: Option<Arc<serde_json::Map<String, serde_json::Value>>>,
}

impl Identity {
    /// The role.
    pub fn role(&self) -> Role {
        match self {
            Self::Anonymous => Role::Anonymous,
            Self::Known(known) => known.role,
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

/// Lets pass whoever has the role; says which one is missing otherwise (401 without a token, 403 with one).
pub fn require(identity: &Identity, needed: Role) -> Result<(), AuthError> {
    if identity.role().includes(needed) {
        return Ok(());
    }
    match identity {
        Identity::Anonymous => Err(AuthError::Missing),
        Identity::Known(known) => Err(match known.undecided_for_seconds {
            Some(retry_after_seconds) => AuthError::Undecided { needed, retry_after_seconds },
            None => AuthError::Forbidden { needed, held: known.role },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(role: Role, undecided_for_seconds: Option<u64>) -> Identity {
        Identity::Known(Arc::new(Known {
            issuer: "https://iam.example.org/".into(),
            subject: "ada".into(),
            email: None,
            groups: BTreeSet::new(),
            expires_at: 0,
            role,
            rule: None,
            undecided_for_seconds,
            user_info: None,
        }))
    }

    #[test]
    fn each_role_includes_those_below() {
        let roles = [Role::Anonymous, Role::Reader, Role::Administrator];
        for (held_rank, held) in roles.into_iter().enumerate() {
            for (needed_rank, needed) in roles.into_iter().enumerate() {
                assert_eq!(held.includes(needed), held_rank >= needed_rank, "{held} for {needed}");
            }
        }
    }

    #[test]
    fn what_is_missing_decides_the_answer() {
        assert_eq!(require(&Identity::Anonymous, Role::Anonymous), Ok(()));
        assert_eq!(require(&Identity::Anonymous, Role::Reader), Err(AuthError::Missing));
        assert_eq!(require(&known(Role::Reader, None), Role::Reader), Ok(()));
        assert_eq!(
            require(&known(Role::Reader, None), Role::Administrator),
            Err(AuthError::Forbidden { needed: Role::Administrator, held: Role::Reader })
        );
        assert_eq!(
            require(&known(Role::Reader, Some(5)), Role::Administrator),
            Err(AuthError::Undecided { needed: Role::Administrator, retry_after_seconds: 5 })
        );
        assert_eq!(require(&known(Role::Administrator, None), Role::Administrator), Ok(()));
    }

    #[test]
    fn display_names_subject_and_issuer_only() {
        assert_eq!(known(Role::Reader, None).to_string(), "ada of https://iam.example.org/");
    }
}
