//! The rules that give roles.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::claims::Facts;

/// One rule: it holds for an identity when every condition that it names does. All comparisons are exact, character by
/// character: no case folding, no Unicode normalization, and membership of `/a/b` is not membership of `/a`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Rule {
    /// The issuer that has to say it, as in `auth.issuers`; any configured one when absent.
    pub issuer: Option<String>,
    /// `sub`: one person or service.
    pub subject: Option<String>,
    /// A value of one of the issuer's `group_claims`.
    pub group: Option<String>,
    /// A value of one of the issuer's `entitlement_claims`.
    pub entitlement: Option<String>,
    /// A value of one of the issuer's `role_claims`.
    pub role: Option<String>,
    /// A verified e-mail address.
    pub email: Option<String>,
    /// The providers that the rule is about; all of them when absent.
    pub providers: Option<Arc<[ProviderName]>>,
}

/// A rule as it stands in the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    issuer: Option<String>,
    subject: Option<String>,
    group: Option<String>,
    entitlement: Option<String>,
    role: Option<String>,
    email: Option<String>,
    providers: Option<Vec<ProviderName>>,
}

impl TryFrom<Written> for Rule {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { issuer, subject, group, entitlement, role, email, providers } = written;
        let conditions = [&issuer, &subject, &group, &entitlement, &role, &email];
        if conditions.into_iter().flatten().any(String::is_empty) {
            return Err("a rule has an empty text; give it a value or leave the key out");
        }
        let about_issuer = [&subject, &group, &entitlement, &role].into_iter().any(Option::is_some);
        match (&issuer, about_issuer, &email) {
            (None, true, _) => {
                return Err(
                    "a rule by subject, group, entitlement or role needs the issuer that it is about",
                );
            }
            (None, false, None) => {
                return Err("a rule needs a condition: issuer, subject, group, entitlement, role or email");
            }
            _ => {}
        }
        if providers.as_ref().is_some_and(Vec::is_empty) {
            return Err("a rule names no provider; leave providers out to mean all of them");
        }
        Ok(Self { issuer, subject, group, entitlement, role, email, providers: providers.map(Into::into) })
    }
}

/// What the facts say about a condition or a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It does not hold, whatever else may be known.
    Fails,
    /// The facts do not say; asking the issuer could help.
    Lacks,
    /// It holds.
    Holds,
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

impl Rule {
    /// A rule about one subject of an issuer.
    pub fn subject(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), subject: Some(subject.into()), ..Self::default() }
    }

    /// A rule about a group of an issuer.
    pub fn group(issuer: impl Into<String>, group: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), group: Some(group.into()), ..Self::default() }
    }

    /// A rule about an e-mail address that any configured issuer calls verified.
    pub fn email(email: impl Into<String>) -> Self {
        Self { email: Some(email.into()), ..Self::default() }
    }

    /// The same rule, about these providers only.
    pub fn of<const N: usize>(self, providers: [&str; N]) -> Self {
        let providers = providers.map(|name| ProviderName::Named { name: name.to_owned(), ty: None });
        Self { providers: Some(providers.into()), ..self }
    }

    /// Whether it names an issuer and nothing else that says who.
    pub(super) fn is_whole_issuer(&self) -> bool {
        [&self.subject, &self.group, &self.entitlement, &self.role, &self.email]
            .into_iter()
            .all(Option::is_none)
    }

    pub(super) fn judge(&self, issuer: &str, subject: &str, facts: &Facts) -> Verdict {
        let among = |wanted: &Option<String>, known: &Option<std::collections::BTreeSet<String>>| match (
            wanted, known,
        ) {
            (None, _) => Verdict::Holds,
            (Some(_), None) => Verdict::Lacks,
            (Some(wanted), Some(known)) => known.contains(wanted).into(),
        };
        [
            self.issuer.as_deref().is_none_or(|wanted| wanted == issuer).into(),
            self.subject.as_deref().is_none_or(|wanted| wanted == subject).into(),
            among(&self.group, &facts.groups),
            among(&self.entitlement, &facts.entitlements),
            among(&self.role, &facts.roles),
            match &self.email {
                None => Verdict::Holds,
                Some(wanted) => facts.email.is(wanted),
            },
        ]
        .into_iter()
        .min()
        .unwrap_or(Verdict::Fails)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = [
            ("subject", &self.subject),
            ("group", &self.group),
            ("entitlement", &self.entitlement),
            ("role", &self.role),
            ("e-mail", &self.email),
        ];
        let said =
            conditions.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        let said = said.collect::<Vec<_>>().join(" and ");
        match &self.issuer {
            Some(issuer) if said.is_empty() => write!(f, "every token of {issuer}"),
            Some(issuer) => write!(f, "{said} of {issuer}"),
            None => f.write_str(&said),
        }
    }
}

/// How a rule names a provider: by name, by name and type (the two together are unique), or by uid.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenProvider")]
pub enum ProviderName {
    /// By name.
    Named {
        /// The provider's name.
        name: String,
        /// Its type, when a provider of another type has the same name.
        ty: Option<String>,
    },
    /// By uid: it stays the same when the provider is renamed.
    Uid(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenProvider {
    Name(String),
    Parts {
        name: Option<String>,
        #[serde(rename = "type")]
        ty: Option<String>,
        uid: Option<String>,
    },
}

impl TryFrom<WrittenProvider> for ProviderName {
    type Error = &'static str;

    fn try_from(written: WrittenProvider) -> Result<Self, Self::Error> {
        match written {
            WrittenProvider::Name(name) if !name.is_empty() => Ok(Self::Named { name, ty: None }),
            WrittenProvider::Parts { name: Some(name), ty, uid: None } if !name.is_empty() => {
                Ok(Self::Named { name, ty })
            }
            WrittenProvider::Parts { name: None, ty: None, uid: Some(uid) } if !uid.is_empty() => {
                Ok(Self::Uid(uid))
            }
            _ => Err("a provider is a name, or {name: NAME, type: openstack}, or {uid: UID}"),
        }
    }
}

impl ProviderName {
    /// Whether this is the provider's name.
    pub fn is(&self, uid: &str, name: &str, ty: &str) -> bool {
        match self {
            Self::Named { name: wanted, ty: of } => {
                wanted == name && of.as_deref().is_none_or(|wanted| wanted == ty)
            }
            Self::Uid(wanted) => wanted == uid,
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { name, ty: Some(ty) } => write!(f, "{name} ({ty})"),
            Self::Named { name, ty: None } => f.write_str(name),
            Self::Uid(uid) => write!(f, "uid {uid}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::VerifiedEmail;
    use super::super::claims::Email;
    use super::*;

    const IAM: &str = "https://iam.example.org/";

    fn parse(text: &str) -> Result<Rule, String> {
        serde_json::from_str(text).map_err(|e| e.to_string())
    }

    fn facts(email: &str, groups: &[&str]) -> Facts {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        Facts { email: Email::Verified(VerifiedEmail::new(email)), groups: Some(groups), ..Facts::default() }
    }

    fn holds(rule: &Rule, issuer: &str, subject: &str, email: &str, groups: &[&str]) -> bool {
        rule.judge(issuer, subject, &facts(email, groups)) == Verdict::Holds
    }

    #[test]
    fn a_rule_names_conditions() {
        assert_eq!(
            parse(r#"{"issuer": "https://iam.example.org/", "subject": "ada"}"#),
            Ok(Rule::subject(IAM, "ada"))
        );
        assert_eq!(
            parse(r#"{"issuer": "https://iam.example.org/", "group": "/admins"}"#),
            Ok(Rule::group(IAM, "/admins"))
        );
        assert_eq!(parse(r#"{"email": "ada@example.org"}"#), Ok(Rule::email("ada@example.org")));
        assert_eq!(
            parse(r#"{"email": "ada@example.org", "providers": ["SITE-A"]}"#),
            Ok(Rule::email("ada@example.org").of(["SITE-A"]))
        );
        for (text, reason) in [
            (r#"{"subject": "ada"}"#, "needs the issuer"),
            (r#"{"group": "/admins"}"#, "needs the issuer"),
            (r#"{"entitlement": "urn:x", "email": "a@b"}"#, "needs the issuer"),
            ("{}", "needs a condition"),
            (r#"{"email": ""}"#, "empty"),
            (r#"{"issuer": "x", "groups": "/a"}"#, "unknown field `groups`"),
            (r#"{"email": "a@b", "providers": []}"#, "names no provider"),
            (r#"{"email": "a@b", "providers": [""]}"#, "a provider is"),
            (r#"{"email": "a@b", "providers": [{"type": "openstack"}]}"#, "a provider is"),
            (r#"{"email": "a@b", "providers": [{"uid": "1", "name": "x"}]}"#, "a provider is"),
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
            Rule { issuer: Some(IAM.into()), ..Rule::email("ada@example.org") },
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

    #[test]
    fn all_conditions_must_hold() {
        let rule = Rule { subject: Some("ada".into()), ..Rule::group(IAM, "/admins") };
        assert_eq!(rule.to_string(), "subject ada and group /admins of https://iam.example.org/");
        let judge = |subject, facts: &Facts| rule.judge(IAM, subject, facts);
        assert_eq!(judge("ada", &facts("", &["/admins"])), Verdict::Holds);
        assert_eq!(judge("eve", &facts("", &["/admins"])), Verdict::Fails);
        assert_eq!(judge("ada", &facts("", &[])), Verdict::Fails);
        assert_eq!(judge("ada", &Facts::default()), Verdict::Lacks);
        // nothing that could still be learnt would help
        assert_eq!(judge("eve", &Facts::default()), Verdict::Fails);
    }

    #[test]
    fn providers_by_name_type_or_uid() {
        let named = |text| serde_json::from_str::<ProviderName>(text).unwrap();
        for (text, providers) in [
            (r#""SITE-A""#, [true, true, false]),
            (r#"{"name": "SITE-A"}"#, [true, true, false]),
            (r#"{"name": "SITE-A", "type": "openstack"}"#, [true, false, false]),
            (r#"{"uid": "1"}"#, [true, false, false]),
            (r#""site-a""#, [false, false, false]),
        ] {
            let of = |uid, name, ty| named(text).is(uid, name, ty);
            let found = [
                of("1", "SITE-A", "openstack"),
                of("2", "SITE-A", "kubernetes"),
                of("3", "SITE-B", "openstack"),
            ];
            assert_eq!(found, providers, "{text}");
        }
    }
}
