//! Which operation needs which role: the one place that says it. Handlers ask it, the OpenAPI document shows it, and
//! the authorization table tests it.

use crate::Kind;
use std::fmt;

/// What somebody is to the registry. Which rule makes somebody what is in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// No token, or one that no rule makes a reader: the public shapes.
    Anonymous,
    /// The private shapes.
    Reader,
    /// Provider documents, freshness and run records; of named providers only, or of all.
    Feeder,
    /// All that named providers, and no others, hold.
    SiteAdministrator,
    /// Everything.
    Administrator,
}

impl Role {
    /// All of them, the weakest first.
    pub const ALL: [Self; 5] =
        [Self::Anonymous, Self::Reader, Self::Feeder, Self::SiteAdministrator, Self::Administrator];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::Reader => "reader",
            Self::Feeder => "feeder",
            Self::SiteAdministrator => "site administrator",
            Self::Administrator => "administrator",
        })
    }
}

/// A kind of right. Feeders and site administrators have theirs for some providers only; what a write touches is
/// compared with those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// To read the public shapes.
    Public,
    /// To read the private shapes, and what is not for the public at all.
    Private,
    /// To add, replace, change and remove providers as wholes.
    Documents,
    /// To say how fresh a provider's data is, and how a run went.
    Records,
    /// To change and delete single entities.
    Entities,
    /// What concerns the whole federation.
    Federation,
}

impl Access {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Public, Self::Private, Self::Documents, Self::Records, Self::Entities, Self::Federation];

    /// Whether the role has this right, for its providers where it has some.
    pub const fn is_given_to(self, role: Role) -> bool {
        match self {
            Self::Public => true,
            Self::Private => !matches!(role, Role::Anonymous),
            Self::Documents => {
                matches!(role, Role::Feeder | Role::SiteAdministrator | Role::Administrator)
            }
            Self::Records => matches!(role, Role::Feeder | Role::Administrator),
            Self::Entities => matches!(role, Role::SiteAdministrator | Role::Administrator),
            Self::Federation => matches!(role, Role::Administrator),
        }
    }

    /// Whether it is a right to read.
    pub const fn is_reading(self) -> bool {
        matches!(self, Self::Public | Self::Private)
    }

    /// The roles that have it, as a sentence goes on after "needs the role ".
    pub const fn roles(self) -> &'static str {
        match self {
            Self::Public => "anonymous",
            Self::Private => "reader",
            Self::Documents => "administrator, or feeder or site administrator of the provider",
            Self::Records => "administrator, or feeder of the provider",
            Self::Entities => "administrator, or site administrator of every provider that holds the entity",
            Self::Federation => "administrator",
        }
    }
}

/// Something that can be asked of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `GET` of all entities of a kind.
    List(Kind),
    /// `GET` of one.
    Get(Kind),
    /// `POST` of a provider document.
    Create,
    /// `PUT` of a provider document.
    Replace,
    /// `PATCH` of one entity.
    Patch(Kind),
    /// `DELETE` of one entity.
    Delete(Kind),
    /// What changed, and who changed it.
    Changes,
    /// The same for one entity.
    History(Kind),
    /// Sending what a feeder read of a provider.
    Reconcile,
    /// Removing a provider that the provider files no longer name.
    Remove,
    /// Taking the feeder's lease, or keeping it longer.
    TakeLease,
    /// Who has it.
    GetLease,
    /// Asking for a run.
    AskRun,
    /// The newest runs.
    ListRuns,
    /// Keeping the record of a run.
    RecordRun,
    /// One run.
    GetRun,
    /// How fresh all providers are.
    Freshness,
    /// How fresh one provider is.
    ProviderFreshness,
    /// What a provider offers beyond v1.
    GetOffer,
    /// Saying that.
    PutOffer,
    /// Who asks, and what they may do.
    Whoami,
}

impl Operation {
    /// What it needs.
    pub const fn needs(self) -> Access {
        match self {
            Self::List(_) | Self::Get(_) | Self::Whoami => Access::Public,
            Self::Create | Self::Replace | Self::Patch(Kind::Provider) | Self::Delete(Kind::Provider) => {
                Access::Documents
            }
            Self::Patch(_) | Self::Delete(_) => Access::Entities,
            Self::Changes | Self::History(_) | Self::AskRun => Access::Federation,
            Self::Reconcile | Self::Remove => Access::Documents,
            Self::TakeLease
            | Self::GetLease
            | Self::ListRuns
            | Self::RecordRun
            | Self::GetRun
            | Self::PutOffer => Access::Records,
            Self::Freshness | Self::ProviderFreshness | Self::GetOffer => Access::Private,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_who_has_which_right() {
        let page = include_str!("../../docs/security.md");
        let table = page.lines().skip_while(|line| !line.starts_with("| right |"));
        let table: Vec<Vec<&str>> = table
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        assert_eq!(table[0][1..], Role::ALL.map(|role| role.to_string()));
        assert_eq!(table.len(), 2 + Access::ALL.len());
        for (row, access) in table[2..].iter().zip(Access::ALL) {
            for (cell, role) in row[1..].iter().zip(Role::ALL) {
                assert_eq!(!cell.is_empty(), access.is_given_to(role), "{access:?}, {role}: {row:?}");
            }
        }
    }

    #[test]
    fn only_reading_is_for_readers() {
        for access in Access::ALL {
            assert_eq!(access.is_given_to(Role::Reader), access.is_reading(), "{access:?}");
            assert!(access.is_given_to(Role::Administrator), "{access:?}");
        }
    }
}
