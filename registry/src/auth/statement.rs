//! Who somebody is to the registry, said to themselves.

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use super::{Access, Identity, Known, Reach};

/// What `GET /whoami` and `fedreg whoami` answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The strongest role.
    pub role: String,
    /// The issuer of the token.
    pub issuer: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// A verified e-mail address, when one is known.
    pub email: Option<String>,
    /// Groups that the issuer asserts.
    pub groups: Vec<String>,
    /// Entitlements that it asserts.
    pub entitlements: Vec<String>,
    /// Roles that it asserts.
    pub roles: Vec<String>,
    /// When the token ends (RFC 3339, UTC).
    pub expires_at: Option<String>,
    /// The rules that hold, the one with the strongest role first.
    pub grants: Vec<Granted>,
    /// What these allow, in sentences.
    pub allows: Vec<String>,
}

/// A rule that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// The role that it gives.
    pub role: String,
    /// The rule.
    pub rule: String,
    /// For which providers; for all when null.
    pub providers: Option<Vec<String>>,
}

impl Statement {
    /// About this identity.
    pub fn new(identity: &Identity) -> Self {
        let mut statement = Self {
            role: identity.role().to_string(),
            issuer: None,
            subject: None,
            email: None,
            groups: Vec::new(),
            entitlements: Vec::new(),
            roles: Vec::new(),
            expires_at: None,
            grants: Vec::new(),
            allows: Access::ALL
                .into_iter()
                .filter_map(|access| allowed(access, &identity.reach(access)))
                .collect(),
        };
        if let Identity::Known(known) = identity {
            statement.tell(known);
        }
        statement
    }

    fn tell(&mut self, known: &Known) {
        self.issuer = Some(known.issuer.to_string());
        self.subject = Some(known.subject.to_string());
        self.email = known.email.as_ref().map(ToString::to_string);
        self.groups = known.groups.iter().cloned().collect();
        self.entitlements = known.entitlements.iter().cloned().collect();
        self.roles = known.roles.iter().cloned().collect();
        self.expires_at = DateTime::from_timestamp(known.expires_at, 0)
            .map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        let grants = known.grants.iter().map(|grant| Granted {
            role: grant.role.to_string(),
            rule: grant.rule.to_string(),
            providers: grant
                .providers
                .as_ref()
                .map(|providers| providers.iter().map(ToString::to_string).collect()),
        });
        self.grants = grants.collect();
    }
}

fn allowed(access: Access, reach: &Reach) -> Option<String> {
    let what = match access {
        Access::Public => "read the public shapes",
        Access::Private => "read the private shapes",
        Access::Documents => "add, replace, change and remove providers",
        Access::Records => "write freshness and run records of providers",
        Access::Entities => "change and delete entities",
        Access::Federation => "read the history and steer the feeder",
    };
    match reach {
        Reach::Nowhere => None,
        Reach::Everywhere => Some(what.to_owned()),
        Reach::Providers(named) => {
            let named: Vec<_> = named.iter().map(ToString::to_string).collect();
            Some(format!("{what}, as far as they belong to {} alone", named.join(", ")))
        }
    }
}
