//! The rules that give roles.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;

use super::VerifiedEmail;
use super::claims::Facts;

/// One rule: it holds for an identity, or it does not. All comparisons are exact, character by character: no
/// case folding, no Unicode normalization, and membership of `/a/b` is not membership of `/a`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Rule {
    /// One person or service.
    Subject {
        /// The issuer, as in `auth.issuers`.
        issuer: String,
        /// Its `sub`.
        subject: String,
    },
    /// All members of a group, all holders of an entitlement.
    Group {
        /// The issuer, as in `auth.issuers`.
        issuer: String,
        /// A value of one of the issuer's `group_claims`.
        group: String,
    },
    /// Whoever has this verified e-mail address.
    Email {
        /// The issuer that has to say so; any configured one when absent.
        issuer: Option<String>,
        /// The address.
        email: String,
    },
}

/// A rule as it stands in the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: Option<String>,
    subject: Option<String>,
    group: Option<String>,
    email: Option<String>,
}

impl TryFrom<Written> for Rule {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { issuer, subject, group, email } = written;
        if [&issuer, &subject, &group, &email].into_iter().flatten().any(String::is_empty) {
            return Err("a rule has an empty text; give it a value or leave the key out");
        }
        match (issuer, subject, group, email) {
            (Some(issuer), Some(subject), None, None) => Ok(Self::Subject { issuer, subject }),
            (Some(issuer), None, Some(group), None) => Ok(Self::Group { issuer, group }),
            (issuer, None, None, Some(email)) => Ok(Self::Email { issuer, email }),
            (None, Some(_), None, None) | (None, None, Some(_), None) => {
                Err("a rule by subject or group needs the issuer that it is about")
            }
            _ => Err("a rule has exactly one of subject, group and email; make one rule of each"),
        }
    }
}

impl Rule {
    /// A rule about one subject of an issuer.
    pub fn subject(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self::Subject { issuer: issuer.into(), subject: subject.into() }
    }

    /// A rule about a group of an issuer.
    pub fn group(issuer: impl Into<String>, group: impl Into<String>) -> Self {
        Self::Group { issuer: issuer.into(), group: group.into() }
    }

    /// A rule about an e-mail address that any configured issuer calls verified.
    pub fn email(email: impl Into<String>) -> Self {
        Self::Email { issuer: None, email: email.into() }
    }

    /// The issuer that the rule names.
    pub(super) fn issuer(&self) -> Option<&str> {
        match self {
            Self::Subject { issuer, .. } | Self::Group { issuer, .. } => Some(issuer),
            Self::Email { issuer, .. } => issuer.as_deref(),
        }
    }

    /// Whether the rule could hold for anybody of this issuer.
    fn concerns(&self, issuer: &str) -> bool {
        self.issuer().is_none_or(|named| named == issuer)
    }

    pub(super) fn holds(
        &self,
        issuer: &str,
        subject: &str,
        email: Option<&VerifiedEmail>,
        groups: &BTreeSet<String>,
    ) -> bool {
        self.concerns(issuer)
            && match self {
                Self::Subject { subject: wanted, .. } => wanted == subject,
                Self::Group { group, .. } => groups.contains(group),
                Self::Email { email: wanted, .. } => email.is_some_and(|email| email.as_str() == wanted),
            }
    }

    /// Whether the rule needs what these facts do not say, so that asking the issuer could help.
    pub(super) fn lacks(&self, issuer: &str, facts: &Facts) -> bool {
        self.concerns(issuer)
            && match self {
                Self::Subject { .. } => false,
                Self::Group { .. } => facts.groups.is_none(),
                Self::Email { .. } => facts.email.is_unknown(),
            }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject { issuer, subject } => write!(f, "subject {subject} of {issuer}"),
            Self::Group { issuer, group } => write!(f, "group {group} of {issuer}"),
            Self::Email { issuer: Some(issuer), email } => write!(f, "e-mail {email} of {issuer}"),
            Self::Email { issuer: None, email } => write!(f, "e-mail {email}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IAM: &str = "https://iam.example.org/";

    fn parse(text: &str) -> Result<Rule, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }

    fn holds(rule: &Rule, issuer: &str, subject: &str, email: &str, groups: &[&str]) -> bool {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        rule.holds(issuer, subject, Some(&VerifiedEmail::new(email)), &groups)
    }

    #[test]
    fn a_rule_is_one_of_three() {
        assert_eq!(
            parse(r#"{"issuer": "https://iam.example.org/", "subject": "ada"}"#),
            Ok(Rule::subject(IAM, "ada"))
        );
        assert_eq!(
            parse(r#"{"issuer": "https://iam.example.org/", "group": "/admins"}"#),
            Ok(Rule::group(IAM, "/admins"))
        );
        assert_eq!(parse(r#"{"email": "ada@example.org"}"#), Ok(Rule::email("ada@example.org")));
        for (text, reason) in [
            (r#"{"subject": "ada"}"#, "needs the issuer"),
            (r#"{"group": "/admins"}"#, "needs the issuer"),
            (r#"{"issuer": "x"}"#, "exactly one"),
            (r#"{"issuer": "x", "group": "/a", "subject": "b"}"#, "exactly one"),
            (r#"{"email": ""}"#, "empty"),
            (r#"{"issuer": "x", "groups": "/a"}"#, "unknown field `groups`"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(reason), "{text}: {fault}");
        }
    }

    #[test]
    fn comparisons_are_exact() {
        let rule = Rule::group(IAM, "/admins");
        assert!(holds(&rule, IAM, "ada", "", &["/users", "/admins"]));
        for other in ["/Admins", "admins", "/admins/", "/admins/sub", "/аdmins", "/admins\u{200b}", "/ADMINS"]
        {
            assert!(!holds(&rule, IAM, "ada", "", &[other]), "{other:?}");
        }
        // "é" in one and in two code points: the same on the screen, not the same group
        let rule = Rule::group(IAM, "/caf\u{e9}");
        assert!(!holds(&rule, IAM, "ada", "", &["/cafe\u{301}"]));
        // the parent asserts nothing about the child, nor the child about the parent
        let rule = Rule::group(IAM, "/admins/sub");
        assert!(!holds(&rule, IAM, "ada", "", &["/admins"]));
    }

    #[test]
    fn a_rule_is_about_its_issuer_only() {
        let other = "https://other.example.org/";
        for rule in [
            Rule::subject(IAM, "ada"),
            Rule::group(IAM, "/admins"),
            Rule::Email { issuer: Some(IAM.into()), email: "ada@example.org".into() },
        ] {
            assert!(holds(&rule, IAM, "ada", "ada@example.org", &["/admins"]), "{rule}");
            assert!(!holds(&rule, other, "ada", "ada@example.org", &["/admins"]), "{rule}");
            assert!(
                !holds(&rule, "https://iam.example.org", "ada", "ada@example.org", &["/admins"]),
                "{rule}"
            );
        }
        assert!(holds(&Rule::email("ada@example.org"), other, "x", "ada@example.org", &[]));
        assert!(!holds(&Rule::email("ada@example.org"), other, "x", "eve@example.org", &[]));
    }
}
