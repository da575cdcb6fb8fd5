//! What stands in a token.

use serde::{Deserialize, Serialize};

/// Who a token is for and what it says about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Claim `sub`.
    pub sub: String,
    /// Claim `email`.
    pub email: Option<String>,
    /// Claim `email_verified`.
    pub email_verified: bool,
    /// Claim `groups`.
    pub groups: Vec<String>,
    /// Claim `aud`: text when there is one, a list when there are several, absent when there is none.
    pub audience: Vec<String>,
    /// Seconds until it expires; negative makes an expired token.
    pub ttl: i64,
    /// Claim `scope`.
    pub scope: String,
    /// Header `typ`: `at+jwt` (RFC 9068) or `JWT`.
    pub typ: String,
    /// E-mail and groups are told by the userinfo endpoint only, as by issuers that put little into tokens.
    pub bare: bool,
}

impl Subject {
    /// A subject with a verified e-mail at `example.org`, no groups, no audience, an hour.
    pub fn new(sub: impl Into<String>) -> Self {
        let sub = sub.into();
        Self {
            email: Some(format!("{sub}@example.org")),
            sub,
            email_verified: true,
            groups: Vec::new(),
            audience: Vec::new(),
            ttl: 3600,
            scope: "openid profile email".to_owned(),
            typ: "at+jwt".to_owned(),
            bare: false,
        }
    }

    /// Sets the e-mail.
    pub fn email(self, email: impl Into<String>) -> Self {
        Self { email: Some(email.into()), ..self }
    }

    /// Sets the groups.
    pub fn groups<S: Into<String>>(self, groups: impl IntoIterator<Item = S>) -> Self {
        Self { groups: groups.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the audiences.
    pub fn audience<S: Into<String>>(self, audience: impl IntoIterator<Item = S>) -> Self {
        Self { audience: audience.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the life time, in seconds.
    pub fn ttl(self, ttl: i64) -> Self {
        Self { ttl, ..self }
    }
}

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer's URL.
    pub iss: String,
    /// The subject.
    pub sub: String,
    /// For whom.
    #[serde(default, skip_serializing_if = "Audience::is_empty")]
    pub aud: Audience,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// From when it holds.
    pub nbf: i64,
    /// Until when.
    pub exp: i64,
    /// Its id.
    pub jti: String,
    /// The client that asked.
    pub client_id: String,
    /// What was granted.
    pub scope: String,
    /// What the userinfo endpoint says, unless the token is bare.
    #[serde(flatten)]
    pub person: Person,
}

/// What an issuer tells about a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The issuer has seen that it is theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    /// Their groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
}

impl From<&Subject> for Person {
    fn from(subject: &Subject) -> Self {
        Self {
            email: subject.email.clone(),
            email_verified: subject.email.is_some().then_some(subject.email_verified),
            groups: Some(subject.groups.clone()),
        }
    }
}

/// One audience is written as text, several as a list (RFC 7519, 4.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// None or several.
    Many(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl From<&[String]> for Audience {
    fn from(all: &[String]) -> Self {
        match all {
            [one] => Self::One(one.clone()),
            many => Self::Many(many.to_vec()),
        }
    }
}

impl Audience {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Many(all) if all.is_empty())
    }

    /// It is meant for this audience.
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(all) => all.iter().any(|one| one == audience),
        }
    }
}
