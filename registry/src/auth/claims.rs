//! What the claims of a token with a good signature must say, and what is taken from them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::error::Refused;
use super::rules::Verdict;
use super::token::{Header, Members};
use super::{AuthError, IssuerSettings, VerifiedEmail};

/// What is known about an e-mail address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Email {
    /// The issuer calls it verified, or is trusted for e-mail.
    Verified(VerifiedEmail),
    /// The issuer calls it unverified.
    Unverified,
    /// There is none, or nothing is said about its being verified.
    #[default]
    Unknown,
}

impl Email {
    /// Whether it is this address.
    pub fn is(&self, wanted: &str) -> Verdict {
        match self {
            Self::Verified(address) => (address.as_str() == wanted).into(),
            Self::Unverified => Verdict::Fails,
            Self::Unknown => Verdict::Lacks,
        }
    }

    fn or(self, other: Self) -> Self {
        if self == Self::Unknown { other } else { self }
    }

    pub fn verified(&self) -> Option<&VerifiedEmail> {
        match self {
            Self::Verified(email) => Some(email),
            _ => None,
        }
    }
}

/// What an issuer says about somebody, in a token or in userinfo. Of groups, entitlements and roles, `None` means that
/// none of the claims that hold them is there at all.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub email: Email,
    pub groups: Option<BTreeSet<String>>,
    pub entitlements: Option<BTreeSet<String>>,
    pub roles: Option<BTreeSet<String>>,
}

impl Facts {
    pub fn new(claims: &Members, settings: &IssuerSettings) -> Self {
        Self {
            email: email(claims, settings),
            groups: values(claims, &settings.group_claims),
            entitlements: values(claims, &settings.entitlement_claims),
            roles: values(claims, &settings.role_claims),
        }
    }

    /// What is missing here is taken from the other; what is there stays.
    pub fn or(self, other: Self) -> Self {
        Self {
            email: self.email.or(other.email),
            groups: self.groups.or(other.groups),
            entitlements: self.entitlements.or(other.entitlements),
            roles: self.roles.or(other.roles),
        }
    }
}

/// The claim of this name. A name with dots that is no claim itself leads into objects: `realm_access.roles`.
fn claim<'a>(claims: &'a Members, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
}

fn email(claims: &Members, settings: &IssuerSettings) -> Email {
    let address = claim(claims, &settings.email_claim).and_then(Value::as_str);
    let Some(address) = address.filter(|address| !address.is_empty()) else { return Email::Unknown };
    match claim(claims, &settings.email_verified_claim) {
        Some(Value::Bool(true)) => Email::Verified(VerifiedEmail::new(address)),
        None if settings.trust_email => Email::Verified(VerifiedEmail::new(address)),
        None => Email::Unknown,
        Some(_) => Email::Unverified,
    }
}

fn values(claims: &Members, names: &[String]) -> Option<BTreeSet<String>> {
    let mut found = None;
    for claim in names.iter().filter_map(|name| claim(claims, name)) {
        let found: &mut BTreeSet<String> = found.get_or_insert_default();
        match claim {
            Value::String(one) => {
                found.insert(one.clone());
            }
            Value::Array(several) => {
                found.extend(several.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
    }
    found
}

/// What a token that may be used says about itself.
pub(super) struct Checked {
    pub subject: Box<str>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub expires_at: i64,
}

/// Checks time, audience, kind, profile and subject. `now` in seconds since 1970-01-01T00:00:00Z.
pub(super) fn check(
    claims: &Members,
    form: &Form<'_>,
    settings: &IssuerSettings,
    now: i64,
    leeway_seconds: u32,
) -> Result<Checked, Refused> {
    let expires_at = check_time(claims, now, leeway_seconds)?;
    let aud = claims.get("aud");
    let silent = aud.is_none() && matches!(form, Form::Introspected(_)) && !settings.needs_an_audience();
    if !settings.audiences.is_empty() && !silent && !names_one_of(aud, &settings.audiences) {
        let found = aud.map_or_else(|| "no aud".to_owned(), |aud| format!("aud {aud}"));
        return Err(Refused::new(AuthError::Audience, found));
    }
    if let Some(what) = form.other_kind(claims, settings.at_jwt_only) {
        return Err(Refused::new(AuthError::NotAnAccessToken, what));
    }
    // WLCG profile: an unknown major version must be refused, a newer minor one accepted.
    if let Some(version) = claims.get("wlcg.ver")
        && !version.as_str().is_some_and(|version| version == "1" || version.starts_with("1."))
    {
        return Err(Refused::new(AuthError::Profile, format!("wlcg.ver {version}")));
    }
    // RFC 9068, section 2.2: the subject of a token that no person is behind is the client
    let subject = match (claims.get("sub"), form) {
        (None, Form::Introspected(_)) => claims.get("client_id"),
        (subject, _) => subject,
    };
    match subject.and_then(Value::as_str) {
        Some(subject) if !subject.is_empty() => Ok(Checked { subject: subject.into(), expires_at }),
        _ => Err(Refused::new(AuthError::NoSubject, "no sub")),
    }
}

/// Checks that the token is good now; until when, in seconds since 1970-01-01T00:00:00Z.
pub(super) fn check_time(claims: &Members, now: i64, leeway_seconds: u32) -> Result<i64, Refused> {
    let expires_at =
        numeric_date(claims, "exp")?.ok_or_else(|| Refused::new(AuthError::Malformed, "no exp"))?;
    if now >= expires_at {
        return Err(Refused::new(AuthError::Expired, format!("exp {expires_at}, now {now}")));
    }
    match numeric_date(claims, "nbf")? {
        Some(from) if from > now.saturating_add(i64::from(leeway_seconds)) => {
            Err(Refused::new(AuthError::NotYetValid, format!("nbf {from}, now {now}")))
        }
        _ => Ok(expires_at),
    }
}

/// A `NumericDate` of RFC 7519: seconds, a fraction allowed (cut off: refused a little early, never late).
fn numeric_date(claims: &Members, name: &'static str) -> Result<Option<i64>, Refused> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number.as_i64().unwrap_or_else(|| seconds(number.as_f64())))),
        Some(_) => Err(Refused::new(AuthError::Malformed, format!("{name} is not a number"))),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, which is what a date beyond i64 should do"
)]
fn seconds(number: Option<f64>) -> i64 {
    number.map_or(0, |number| number.floor() as i64)
}

fn names_one_of(aud: Option<&Value>, accepted: &[String]) -> bool {
    let is_accepted = |value: &Value| value.as_str().is_some_and(|aud| accepted.iter().any(|one| one == aud));
    match aud {
        Some(Value::Array(several)) => several.iter().any(is_accepted),
        Some(one) => is_accepted(one),
        None => false,
    }
}

/// Where the claims come from.
pub(super) enum Form<'a> {
    /// The token says them all.
    Signed(&'a Header),
    /// Its issuer said them, or said more than a token with this header does.
    Introspected(Option<&'a Header>),
}

impl Form<'_> {
    /// What the token is instead of an access token, where that can be told.
    fn other_kind(&self, claims: &Members, at_jwt_only: bool) -> Option<&'static str> {
        let kind = claims.get("token_type").and_then(Value::as_str);
        let header = match self {
            Self::Signed(header) => Some(*header),
            Self::Introspected(header) => {
                match kind {
                    // INDIGO IAM writes what kind of token it is (as RFC 8693 names it), others how it is used
                    Some(kind)
                        if ["bearer", "access_token"].iter().all(|one| !kind.eq_ignore_ascii_case(one)) =>
                    {
                        return Some("its issuer says that its token_type is not Bearer");
                    }
                    // what oidc-provider says of refresh tokens
                    None if header.is_none() => {
                        return Some("its issuer says no token_type, as of refresh tokens");
                    }
                    _ => {}
                }
                *header
            }
        };
        header.map_or_else(|| other_mark(claims), |header| other_kind(claims, header, at_jwt_only))
    }
}

fn other_kind(claims: &Members, header: &Header, at_jwt_only: bool) -> Option<&'static str> {
    match header.kind.as_deref() {
        // RFC 9068: this is an access token, and nothing else is written so.
        Some("at+jwt") => None,
        _ if at_jwt_only => Some("the header's typ is not at+jwt"),
        None | Some("jwt") => other_mark(claims),
        Some(_) => Some("the header's typ is none of JWT, at+jwt"),
    }
}

fn other_mark(claims: &Members) -> Option<&'static str> {
    // Keycloak says in a claim what each token is.
    match claims.get("typ").and_then(Value::as_str) {
        Some("Bearer") => return None,
        Some("ID") => return Some("the claim typ is ID"),
        Some("Refresh" | "Offline") => return Some("the claim typ is that of a refresh token"),
        Some("Logout") => return Some("the claim typ is that of a logout token"),
        _ => {}
    }
    if ["at_hash", "c_hash", "s_hash"].iter().any(|name| claims.contains_key(*name)) {
        return Some("it has the hash claims of an ID token");
    }
    if claims.contains_key("events") {
        return Some("it has the events of a logout token");
    }
    // An ID token repeats the client's nonce and has no scope; an access token that repeats it has one.
    if claims.contains_key("nonce") && !claims.contains_key("scope") && !claims.contains_key("scp") {
        return Some("it has a nonce and no scope, as ID tokens do");
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_245_503;

    fn members(value: Value) -> Members {
        match value {
            Value::Object(members) => members,
            other => panic!("{other} is no object"),
        }
    }

    fn settings() -> IssuerSettings {
        IssuerSettings::new("https://iam.example.org/".parse().unwrap())
    }

    fn header(kind: Option<&str>) -> Header {
        Header { algorithm: "ES256".into(), key_id: "k".into(), kind: kind.map(str::to_owned) }
    }

    fn outcome(settings: &IssuerSettings, kind: Option<&str>, more: Value) -> Result<i64, AuthError> {
        let mut claims = members(json!({"sub": "ada", "exp": NOW + 300}));
        claims.extend(members(more));
        claims.retain(|_, value| !value.is_null());
        check(&claims, &Form::Signed(&header(kind)), settings, NOW, 60)
            .map(|checked| checked.expires_at - NOW)
            .map_err(|refused| refused.error)
    }

    #[test]
    fn time() {
        for (more, expected) in [
            (json!({}), Ok(300)),
            (json!({"exp": NOW}), Err(AuthError::Expired)),
            (json!({"exp": NOW - 1}), Err(AuthError::Expired)),
            (json!({"exp": NOW + 1}), Ok(1)),
            (json!({"exp": 1_795_245_503.9}), Err(AuthError::Expired)),
            (json!({"exp": 1_795_245_504.0}), Ok(1)),
            (json!({"exp": 1e300}), Ok(i64::MAX - NOW)),
            (json!({"exp": u64::MAX}), Ok(i64::MAX - NOW)),
            (json!({"exp": -1e300}), Err(AuthError::Expired)),
            (json!({"exp": null}), Err(AuthError::Malformed)),
            (json!({"exp": "1795249999"}), Err(AuthError::Malformed)),
            (json!({"nbf": NOW + 60}), Ok(300)),
            (json!({"nbf": NOW + 61}), Err(AuthError::NotYetValid)),
            (json!({"nbf": "soon"}), Err(AuthError::Malformed)),
            (json!({"nbf": u64::MAX}), Err(AuthError::NotYetValid)),
        ] {
            assert_eq!(outcome(&settings(), None, more.clone()), expected, "{more}");
        }
    }

    #[test]
    fn audience() {
        let mut strict = settings();
        strict.audiences = vec!["federation-registry".into(), "https://wlcg.cern.ch/jwt/v1/any".into()];
        let any = settings();
        for (aud, accepted) in [
            (json!("federation-registry"), true),
            (json!(["x", "federation-registry"]), true),
            (json!("https://wlcg.cern.ch/jwt/v1/any"), true),
            (json!("somebody-else"), false),
            (json!(["somebody-else"]), false),
            (json!("federation-registry "), false),
            (json!("Federation-Registry"), false),
            (json!([]), false),
            (json!([["federation-registry"]]), false),
            (json!({"federation-registry": true}), false),
            (json!(null), false),
        ] {
            let expected = if accepted { Ok(300) } else { Err(AuthError::Audience) };
            assert_eq!(outcome(&strict, None, json!({"aud": aud})), expected, "{aud}");
            assert_eq!(outcome(&any, None, json!({"aud": aud})), Ok(300), "{aud}");
        }
    }

    #[test]
    fn access_tokens_are_told_from_others() {
        for (kind, more, accepted) in [
            (None, json!({}), true),
            (Some("jwt"), json!({}), true),
            (Some("at+jwt"), json!({"nonce": "n"}), true),
            (Some("jwt"), json!({"typ": "Bearer", "nonce": "n"}), true),
            (Some("jwt"), json!({"nonce": "n", "scope": "openid"}), true),
            (Some("jwt"), json!({"nonce": "n"}), false),
            (Some("jwt"), json!({"typ": "ID"}), false),
            (Some("jwt"), json!({"typ": "Refresh"}), false),
            (Some("jwt"), json!({"typ": "Offline"}), false),
            (Some("jwt"), json!({"at_hash": "x", "scope": "openid"}), false),
            (None, json!({"c_hash": "x"}), false),
            (None, json!({"events": {}}), false),
            (Some("logout+jwt"), json!({}), false),
            (Some("dpop+jwt"), json!({}), false),
            (Some("id_token+jwt"), json!({}), false),
        ] {
            let expected = if accepted { Ok(300) } else { Err(AuthError::NotAnAccessToken) };
            assert_eq!(outcome(&settings(), kind, more.clone()), expected, "{kind:?} {more}");
        }
        let mut strict = settings();
        strict.at_jwt_only = true;
        assert_eq!(outcome(&strict, Some("at+jwt"), json!({})), Ok(300));
        for kind in [None, Some("jwt")] {
            assert_eq!(outcome(&strict, kind, json!({})), Err(AuthError::NotAnAccessToken), "{kind:?}");
        }
    }

    #[test]
    fn subject_and_profile() {
        for (more, expected) in [
            (json!({"sub": null}), Err(AuthError::NoSubject)),
            (json!({"sub": ""}), Err(AuthError::NoSubject)),
            (json!({"sub": 7}), Err(AuthError::NoSubject)),
            (json!({"wlcg.ver": "1.0"}), Ok(300)),
            (json!({"wlcg.ver": "1.9"}), Ok(300)),
            (json!({"wlcg.ver": "2.0"}), Err(AuthError::Profile)),
            (json!({"wlcg.ver": "10.0"}), Err(AuthError::Profile)),
            (json!({"wlcg.ver": 1}), Err(AuthError::Profile)),
        ] {
            assert_eq!(outcome(&settings(), None, more.clone()), expected, "{more}");
        }
    }

    #[test]
    fn only_verified_addresses_count() {
        let verified = || Email::Verified(VerifiedEmail::new("ada@example.org"));
        for (claims, plain, trusted) in [
            (json!({"email": "ada@example.org", "email_verified": true}), verified(), verified()),
            (json!({"email": "ada@example.org"}), Email::Unknown, verified()),
            (
                json!({"email": "ada@example.org", "email_verified": false}),
                Email::Unverified,
                Email::Unverified,
            ),
            (
                json!({"email": "ada@example.org", "email_verified": "true"}),
                Email::Unverified,
                Email::Unverified,
            ),
            (json!({"email_verified": true}), Email::Unknown, Email::Unknown),
            (json!({"email": "", "email_verified": true}), Email::Unknown, Email::Unknown),
            (json!({"email": ["ada@example.org"], "email_verified": true}), Email::Unknown, Email::Unknown),
        ] {
            let claims = members(claims);
            let mut settings = settings();
            assert_eq!(email(&claims, &settings), plain, "{claims:?}");
            settings.trust_email = true;
            assert_eq!(email(&claims, &settings), trusted, "{claims:?}");
        }
        let mut other = settings();
        (other.email_claim, other.email_verified_claim) = ("contact.mail".into(), "contact.checked".into());
        let claims = members(json!({"contact": {"mail": "ada@example.org", "checked": true}, "email": "x"}));
        assert_eq!(email(&claims, &other), verified());
    }

    #[test]
    fn groups_come_from_the_configured_claims() {
        let claims = members(json!({
            "groups": ["/users", 7, "/users"],
            "eduperson_entitlement": "urn:one",
            "roles": ["/admins"],
            "wlcg.groups": null,
            "realm_access": {"roles": ["admin"]},
            "a.b": ["literal"],
            "a": {"b": ["inner"]},
        }));
        let found = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            values(&claims, &names).map(|groups| groups.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(found(&["groups", "eduperson_entitlement"]).unwrap(), ["/users", "urn:one"]);
        assert_eq!(found(&["wlcg.groups"]).unwrap(), [""; 0]);
        assert_eq!(found(&["entitlements"]), None);
        assert_eq!(found(&["realm_access.roles"]).unwrap(), ["admin"]);
        assert_eq!(found(&["a.b"]).unwrap(), ["literal"]);
        for name in ["realm_access.groups", "realm_access.roles.0", "groups.x", ".", "realm_access."] {
            assert_eq!(found(&[name]), None, "{name}");
        }
    }

    #[test]
    fn userinfo_fills_gaps_only() {
        let of = |claims: Value| Facts::new(&members(claims), &settings());
        let info = || of(json!({"email": "eve@example.org", "email_verified": true, "groups": ["/admins"]}));
        let found = |facts: Facts| {
            (facts.email.verified().map(|email| email.as_str().to_owned()), facts.groups.unwrap())
        };
        let (email, groups) = found(of(json!({})).or(info()));
        assert_eq!(email.unwrap(), "eve@example.org");
        assert_eq!(groups.into_iter().collect::<Vec<_>>(), ["/admins"]);
        let token = of(json!({"email": "ada@example.org", "email_verified": false, "groups": []}));
        let (email, groups) = found(token.or(info()));
        assert_eq!(email, None);
        assert_eq!(groups.len(), 0);
    }
}
