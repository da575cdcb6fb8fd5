//! The `auth` section of the configuration.

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::Deserialize;
use url::{Host, Url};

use super::introspection::{IntrospectionSettings, MAX_ISSUERS};
use super::profile::Profile;
use super::{PolicySettings, Role, Rule};

/// Who is trusted, and who may do what.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthSettings {
    /// The OIDC issuers whose access tokens are accepted.
    pub issuers: Vec<IssuerSettings>,
    /// The rules that make somebody an administrator; one that holds is enough.
    pub administrators: Vec<Rule>,
    /// The rules that make somebody an administrator of the providers that they name.
    pub site_administrators: Vec<Rule>,
    /// The rules that make somebody a feeder; of the providers that they name, if they name any.
    pub feeders: Vec<Rule>,
    /// The rules that make somebody a reader. None: every valid token does.
    pub readers: Vec<Rule>,
    /// Whether the public shapes can be read without a token.
    pub anonymous_reads: bool,
    /// Whether the process refuses to start while the keys of an issuer cannot be fetched.
    pub issuers_required_at_start: bool,
    /// How far, in seconds, `nbf` may lie in the future, for clocks that differ. `exp` has no leeway.
    pub leeway_seconds: u32,
    /// The longest token that is looked at, in bytes.
    pub token_bytes: usize,
    /// How many verified tokens are remembered at most.
    pub token_cache_entries: usize,
    /// How long, in seconds, e-mail and groups from userinfo are used; at most 60, and never beyond `exp`.
    pub userinfo_seconds: u64,
    /// How the issuers' keys are fetched and kept.
    pub keys: KeySettings,
    /// Whose rules decide about every request with a token, beside the ones above.
    pub policy: Option<PolicySettings>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            administrators: Vec::new(),
            site_administrators: Vec::new(),
            feeders: Vec::new(),
            readers: Vec::new(),
            anonymous_reads: true,
            issuers_required_at_start: true,
            leeway_seconds: 60,
            token_bytes: 8192,
            token_cache_entries: 10_000,
            userinfo_seconds: 60,
            keys: KeySettings::default(),
            policy: None,
        }
    }
}

/// How the issuers' keys are fetched and kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeySettings {
    /// After how many seconds they are fetched anew, in the background.
    pub refresh_seconds: u64,
    /// For how many seconds fetched keys can be used when the issuer does not answer (WLCG profile: 1 to 2 days).
    pub usable_seconds: u64,
    /// How many seconds have to pass after a fetch that did not help before the next one.
    pub cooldown_seconds: u64,
    /// How many seconds one answer of an issuer may take, from the first packet to the last byte.
    pub fetch_seconds: u64,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self { refresh_seconds: 3600, usable_seconds: 172_800, cooldown_seconds: 10, fetch_seconds: 5 }
    }
}

/// One issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "WrittenIssuer")]
pub struct IssuerSettings {
    /// The issuer's identifier, exactly as its tokens write it in `iss`, trailing slash included.
    pub issuer: IssuerUrl,
    /// A token must name one of these in `aud`; empty: `aud` is not looked at.
    pub audiences: Vec<String>,
    /// The signature algorithms that are accepted.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// The claims, in the token or in userinfo, whose values are groups.
    pub group_claims: Vec<String>,
    /// Those whose values are entitlements.
    pub entitlement_claims: Vec<String>,
    /// Those whose values are roles.
    pub role_claims: Vec<String>,
    /// The claim that holds the e-mail address.
    pub email_claim: String,
    /// The claim that says whether it is verified.
    pub email_verified_claim: String,
    /// Whether an e-mail counts that the issuer does not call verified. One that it calls unverified never does.
    pub trust_email: bool,
    /// Whether only tokens of type `at+jwt` (RFC 9068) are accepted; for issuers that write it.
    pub at_jwt_only: bool,
    /// How the issuer is asked about tokens that do not say enough themselves (RFC 7662); it is not when absent.
    pub introspection: Option<IntrospectionSettings>,
}

/// An issuer as it stands in the configuration: what it leaves out its profile says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenIssuer {
    issuer: IssuerUrl,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    audiences: Vec<String>,
    algorithms: Option<Vec<SignatureAlgorithm>>,
    group_claims: Option<Vec<String>>,
    entitlement_claims: Option<Vec<String>>,
    role_claims: Option<Vec<String>>,
    email_claim: Option<String>,
    email_verified_claim: Option<String>,
    #[serde(default)]
    trust_email: bool,
    #[serde(default)]
    at_jwt_only: bool,
    introspection: Option<IntrospectionSettings>,
}

impl From<WrittenIssuer> for IssuerSettings {
    fn from(written: WrittenIssuer) -> Self {
        let WrittenIssuer { issuer, profile, .. } = written;
        let usual = profile.issuer(issuer);
        Self {
            audiences: written.audiences,
            algorithms: written.algorithms.unwrap_or(usual.algorithms),
            group_claims: written.group_claims.unwrap_or(usual.group_claims),
            entitlement_claims: written.entitlement_claims.unwrap_or(usual.entitlement_claims),
            role_claims: written.role_claims.unwrap_or(usual.role_claims),
            email_claim: written.email_claim.unwrap_or(usual.email_claim),
            email_verified_claim: written.email_verified_claim.unwrap_or(usual.email_verified_claim),
            trust_email: written.trust_email,
            at_jwt_only: written.at_jwt_only,
            introspection: written.introspection.map(|introspection| IntrospectionSettings {
                opaque: Some(introspection.opaque.unwrap_or(profile == Profile::Any)),
                ..introspection
            }),
            ..usual
        }
    }
}

impl IssuerSettings {
    /// An issuer of no special profile, with the defaults for everything else.
    pub fn new(issuer: IssuerUrl) -> Self {
        Profile::Any.issuer(issuer)
    }

    /// Whether what it says about a token has to name an audience.
    pub(super) fn needs_an_audience(&self) -> bool {
        self.introspection.as_ref().is_none_or(|introspection| introspection.audience_required)
    }

    /// Whether it is asked about tokens that are no JSON web tokens.
    pub(super) fn is_shown_opaque_tokens(&self) -> bool {
        self.introspection.as_ref().is_some_and(|introspection| introspection.opaque.unwrap_or(true))
    }
}

impl AuthSettings {
    /// The lists of rules with the role that each gives, the strongest first.
    pub(super) fn rules(&self) -> [(&'static str, Role, &[Rule]); 4] {
        [
            ("administrators", Role::Administrator, &self.administrators),
            ("site_administrators", Role::SiteAdministrator, &self.site_administrators),
            ("feeders", Role::Feeder, &self.feeders),
            ("readers", Role::Reader, &self.readers),
        ]
    }

    fn check_rule(&self, rule: &Rule, role: Role, fault: &mut dyn FnMut(&str, String)) {
        if let Some(named) = &rule.issuer
            && !self.issuers.iter().any(|issuer| issuer.issuer.as_str() == named)
        {
            let what = "is not one of auth.issuers; write it exactly as there, or add it there";
            fault(".issuer", format!("{named} {what}"));
        }
        match (role, &rule.providers) {
            (Role::SiteAdministrator, None) => {
                fault(".providers", "is missing: name the providers that the rule is about".into());
            }
            (Role::Administrator | Role::Reader, Some(_)) => fault(
                ".providers",
                format!(
                    "has no meaning: {role} is a role for all providers; use site_administrators or feeders"
                ),
            ),
            _ => {}
        }
        if rule.is_whole_issuer() && role != Role::Reader {
            let what = "holds for everybody who has a token of the issuer; name a subject, group, entitlement, role or \
                        e-mail as well";
            fault("", what.into());
        }
    }

    /// Reports what is wrong with the values: `fault(key, what)`, the key relative to this section.
    pub fn check(&self, fault: &mut dyn FnMut(&str, String)) {
        for (at, issuer) in self.issuers.iter().enumerate() {
            let key = |name: &str| format!("issuers[{at}].{name}");
            if self.issuers[..at].iter().any(|earlier| earlier.issuer == issuer.issuer) {
                fault(&key("issuer"), format!("{} is listed twice; remove one of the two", issuer.issuer));
            }
            if issuer.algorithms.is_empty() {
                fault(
                    &key("algorithms"),
                    "is empty: no token could be accepted; leave the key out for all".into(),
                );
            }
            let texts = [
                ("audiences", issuer.audiences.as_slice()),
                ("group_claims", &issuer.group_claims),
                ("entitlement_claims", &issuer.entitlement_claims),
                ("role_claims", &issuer.role_claims),
                ("email_claim", std::slice::from_ref(&issuer.email_claim)),
                ("email_verified_claim", std::slice::from_ref(&issuer.email_verified_claim)),
            ];
            if let Some(introspection) = &issuer.introspection {
                introspection.check(&issuer.issuer, &mut |name, what| {
                    fault(&key(&format!("introspection.{name}")), what);
                });
            }
            for (name, values) in texts {
                if values.iter().any(String::is_empty) {
                    fault(&key(name), "holds an empty text; remove it".into());
                }
            }
        }
        let asked = self.issuers.iter().filter(|issuer| issuer.is_shown_opaque_tokens()).count();
        if asked > MAX_ISSUERS {
            fault(
                "issuers",
                format!(
                    "has {asked} issuers that every opaque token would be shown to; allowed are {MAX_ISSUERS}: write \
                     opaque: false into introspection of those that issue JSON web tokens only"
                ),
            );
        }
        for (list, role, rules) in self.rules() {
            for (at, rule) in rules.iter().enumerate() {
                self.check_rule(rule, role, &mut |key, what| fault(&format!("{list}[{at}]{key}"), what));
            }
        }
        if let Some(policy) = &self.policy {
            policy.check(&mut |key, what| {
                fault(&format!("policy{}{key}", if key.is_empty() { "" } else { "." }), what);
            });
        }
        let (year, keys) = (31_536_000, &self.keys);
        let ranges = [
            ("leeway_seconds", u64::from(self.leeway_seconds), 0..=300),
            ("token_bytes", self.token_bytes as u64, 1..=1 << 20),
            ("token_cache_entries", self.token_cache_entries as u64, 1..=10_000_000),
            ("userinfo_seconds", self.userinfo_seconds, 1..=60),
            ("keys.refresh_seconds", keys.refresh_seconds, 1..=year),
            ("keys.usable_seconds", keys.usable_seconds, 1..=year),
            ("keys.cooldown_seconds", keys.cooldown_seconds, 1..=3600),
            ("keys.fetch_seconds", keys.fetch_seconds, 1..=60),
        ];
        for (key, value, range) in ranges {
            if !range.contains(&value) {
                fault(key, format!("is {value}; allowed are {} to {}", range.start(), range.end()));
            }
        }
        if self.keys.usable_seconds < self.keys.refresh_seconds {
            fault(
                "keys.usable_seconds",
                format!(
                    "is {}, less than keys.refresh_seconds ({}): keys would end before they are renewed",
                    self.keys.usable_seconds, self.keys.refresh_seconds
                ),
            );
        }
    }
}

/// An issuer identifier: `https`, or `http` on this computer only; no query, no fragment (OIDC
/// Discovery 1.0, section 3). The text is kept as it was written: it is compared character by character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct IssuerUrl {
    text: String,
    loopback: bool,
}

impl IssuerUrl {
    /// The identifier as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is on this computer, spoken to without TLS.
    pub(super) fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Where its discovery document is (OIDC Discovery 1.0, section 4: a trailing slash goes first).
    pub(super) fn discovery(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.text.trim_end_matches('/'))
    }

    /// Whether an address that the discovery document names may be asked: https, or the same computer.
    pub(super) fn may_name(&self, address: &Url) -> bool {
        address.scheme() == "https" || (self.loopback && address.scheme() == "http" && is_loopback(address))
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for IssuerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            Err(format!(
                "'{text}' is not an issuer: {why}. Write it as in the tokens' iss, like https://iam.example.org/"
            ))
        };
        let Ok(url) = Url::parse(text) else { return wrong("it is not a URL") };
        let loopback = is_loopback(&url);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => {
                return wrong("http is allowed on 127.0.0.1, [::1] and localhost only, elsewhere use https");
            }
            _ => return wrong("it does not begin with https://"),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("it has a query or a fragment");
        }
        if !url.username().is_empty() || url.password().is_some() {
            // The text may hold a password: it is not repeated.
            return Err("an issuer has no user name or password in it".to_owned());
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return wrong("it has spaces around it or control characters in it");
        }
        Ok(Self { text: text.to_owned(), loopback: loopback && url.scheme() == "http" })
    }
}

impl TryFrom<String> for IssuerUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A signature algorithm that a token may use: asymmetric ones only, so that no published key is ever a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SignatureAlgorithm(Algorithm);

impl SignatureAlgorithm {
    const NAMES: [&str; 9] =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

    /// All that can be checked here.
    pub fn all() -> Vec<Self> {
        Self::NAMES.iter().filter_map(|name| name.parse().ok()).collect()
    }

    pub(super) fn algorithm(self) -> Algorithm {
        self.0
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match Algorithm::from_str(name) {
            Ok(algorithm) if algorithm.family() != AlgorithmFamily::Hmac => Ok(Self(algorithm)),
            _ => Err(format!(
                "'{name}' is not an algorithm that can be accepted; allowed are {}",
                Self::NAMES.join(", ")
            )),
        }
    }
}

impl TryFrom<String> for SignatureAlgorithm {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(text: &str) -> IssuerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn the_discovery_document_is_found_with_and_without_slash() {
        for text in ["https://iam.example.org", "https://iam.example.org/"] {
            assert_eq!(issuer(text).as_str(), text);
            assert_eq!(issuer(text).discovery(), "https://iam.example.org/.well-known/openid-configuration");
        }
        assert_eq!(
            issuer("https://sso.example.org/realms/one").discovery(),
            "https://sso.example.org/realms/one/.well-known/openid-configuration"
        );
    }

    #[test]
    fn what_is_no_issuer_is_refused_with_the_reason() {
        for (text, reason) in [
            ("iam.example.org", "not a URL"),
            ("http://iam.example.org/", "127.0.0.1"),
            ("http://127.0.0.1.example.org/", "127.0.0.1"),
            ("ftp://iam.example.org/", "https://"),
            ("https://iam.example.org/?x=1", "query"),
            ("https://iam.example.org/#x", "fragment"),
            ("https://iam.example.org/ ", "spaces"),
        ] {
            let fault = text.parse::<IssuerUrl>().unwrap_err();
            assert!(fault.contains(reason), "{text}: {fault}");
        }
        let fault = "https://ada:hunter2@iam.example.org/".parse::<IssuerUrl>().unwrap_err();
        assert!(!fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn only_https_or_the_same_computer_is_asked() {
        let (far, near) = (issuer("https://iam.example.org/"), issuer("http://127.0.0.1:8080"));
        for (address, from_far, from_near) in [
            ("https://keys.example.org/jwk", true, true),
            ("http://iam.example.org/jwk", false, false),
            ("http://127.0.0.1:8080/jwk", false, true),
            ("http://[::1]:8080/jwk", false, true),
            ("http://169.254.169.254/latest", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            let address = Url::parse(address).unwrap();
            assert_eq!(far.may_name(&address), from_far, "{address}");
            assert_eq!(near.may_name(&address), from_near, "{address}");
        }
    }

    #[test]
    fn shared_secrets_and_none_are_no_algorithms() {
        assert_eq!(SignatureAlgorithm::all().len(), SignatureAlgorithm::NAMES.len());
        for name in ["HS256", "HS384", "HS512", "none", "None", "rs256", ""] {
            assert!(name.parse::<SignatureAlgorithm>().unwrap_err().contains("RS256, RS384"), "{name}");
        }
    }

    #[test]
    fn every_wrong_value_is_reported_with_its_key() {
        let mut twice = IssuerSettings::new(issuer("https://iam.example.org/"));
        twice.algorithms.clear();
        twice.audiences.push(String::new());
        let settings = AuthSettings {
            issuers: vec![IssuerSettings::new(issuer("https://iam.example.org/")), twice],
            administrators: vec![
                Rule::group("https://iam.example.org", "/admins"),
                Rule::group("https://iam.example.org/", "/admins").of(["SITE-A"]),
                Rule { issuer: Some("https://iam.example.org/".into()), ..Rule::default() },
            ],
            site_administrators: vec![
                Rule::email("ada@example.org"),
                Rule::email("ada@example.org").of(["SITE-A"]),
            ],
            feeders: vec![Rule::email("ada@example.org"), Rule::email("ada@example.org").of(["SITE-A"])],
            readers: vec![
                Rule::email("ada@example.org").of(["SITE-A"]),
                Rule { issuer: Some("https://iam.example.org/".into()), ..Rule::default() },
            ],
            leeway_seconds: 301,
            token_bytes: 0,
            userinfo_seconds: 61,
            keys: KeySettings { usable_seconds: 10, cooldown_seconds: 0, ..KeySettings::default() },
            ..AuthSettings::default()
        };
        let mut keys = Vec::new();
        settings.check(&mut |key, _| keys.push(key.to_owned()));
        assert_eq!(
            keys,
            [
                "issuers[1].issuer",
                "issuers[1].algorithms",
                "issuers[1].audiences",
                "administrators[0].issuer",
                "administrators[1].providers",
                "administrators[2]",
                "site_administrators[0].providers",
                "readers[0].providers",
                "leeway_seconds",
                "token_bytes",
                "userinfo_seconds",
                "keys.cooldown_seconds",
                "keys.usable_seconds",
            ]
        );
        let mut none = Vec::new();
        AuthSettings::default().check(&mut |key, what| none.push(format!("{key} {what}")));
        assert_eq!(none, [""; 0]);
    }
}
