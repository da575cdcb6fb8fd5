//! Why a request was refused: what the client is told, in constant texts. Details are in the log only.

use std::borrow::Cow;

use super::{Access, Role};

/// A refusal. Its `Display` is the `detail` of the answer; no part of it comes from the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// No token where one is needed.
    #[error("This needs a bearer token of an issuer that this registry trusts.")]
    Missing,
    /// The header is not `Bearer TOKEN`, or the token lacks what every access token has.
    #[error("The Authorization header does not hold a well-formed bearer token (a signed JSON web token).")]
    Malformed,
    /// Longer than `auth.token_bytes`.
    #[error("The token is longer than this registry accepts.")]
    TooLong,
    /// At or after `exp`.
    #[error("The token has expired.")]
    Expired,
    /// Before `nbf`, leeway considered.
    #[error("The token is not valid yet.")]
    NotYetValid,
    /// `iss` is not, character by character, one of the configured issuers.
    #[error("The token comes from an issuer that this registry does not trust.")]
    UnknownIssuer,
    /// The issuer was asked and does not publish a key of that id.
    #[error("The token is signed with a key that its issuer does not publish.")]
    UnknownKey,
    /// The signature does not fit.
    #[error("The signature of the token is not valid.")]
    BadSignature,
    /// `alg` is not on the issuer's list.
    #[error("The token is signed with an algorithm that this registry does not accept.")]
    Algorithm,
    /// `aud` does not name this registry.
    #[error("The token is not meant for this registry: its audience is another one.")]
    Audience,
    /// An ID token, a refresh token, a logout token.
    #[error("The token is not an access token.")]
    NotAnAccessToken,
    /// No `sub`: nobody to hold responsible.
    #[error("The token does not name its subject.")]
    NoSubject,
    /// `wlcg.ver` of a major version other than 1.
    #[error("The token follows a version of the WLCG profile that this registry does not know.")]
    Profile,
    /// The issuer's keys are not at hand and could not be fetched.
    #[error("The keys of the token's issuer are not available at the moment; try again later.")]
    IssuerUnavailable {
        /// After how many seconds asking again makes sense.
        retry_after_seconds: u64,
    },
    /// The issuer was asked, and says no more than that.
    #[error("The token is not active: it ended, was withdrawn, or its issuer does not know it.")]
    Inactive,
    /// Only the issuer can tell, and could not be asked.
    #[error(
        "Whether the token is good could not be found out: its issuer has to be asked about it, and does not answer at \
         the moment; try again later."
    )]
    Unchecked {
        /// After how many seconds asking again makes sense.
        retry_after_seconds: u64,
    },
    /// Known, but not allowed.
    #[error("This needs the role {}; the token gives the role {held}.", .needed.roles())]
    Forbidden {
        /// The right that is missing.
        needed: Access,
        /// The strongest role that the identity has.
        held: Role,
    },
    /// The token alone does not give the role, and the issuer could not be asked for e-mail and groups.
    #[error(
        "This needs the role {}; whether the token gives it could not be found out, because its issuer \
         does not answer at the moment; try again later.", .needed.roles()
    )]
    Undecided {
        /// The right that is missing.
        needed: Access,
        /// After how many seconds asking again makes sense.
        retry_after_seconds: u64,
    },
    /// The policy says no.
    #[error("The policy of this registry does not allow this.")]
    Denied,
    /// The policy says nothing, because it cannot be asked.
    #[error("Whether this is allowed could not be found out; try again later.")]
    NoDecision {
        /// After how many seconds asking again makes sense.
        retry_after_seconds: u64,
    },
}

impl AuthError {
    /// HTTP status of the answer: 401, 403 or 503.
    pub fn status(&self) -> u16 {
        match self {
            Self::IssuerUnavailable { .. }
            | Self::Unchecked { .. }
            | Self::Undecided { .. }
            | Self::NoDecision { .. } => 503,
            Self::Forbidden { .. } | Self::Denied => 403,
            _ => 401,
        }
    }

    /// Value of the `WWW-Authenticate` header, as RFC 6750 section 3 has it; none with a 503.
    pub fn www_authenticate(&self) -> Option<String> {
        let error = match self {
            // A request without credentials is told the scheme only (RFC 6750 section 3.1).
            Self::Missing => return Some("Bearer realm=\"fedreg\"".to_owned()),
            _ if self.retry_after_seconds().is_some() => return None,
            Self::Forbidden { .. } | Self::Denied => "insufficient_scope",
            _ => "invalid_token",
        };
        Some(format!("Bearer realm=\"fedreg\", error=\"{error}\", error_description=\"{self}\""))
    }

    /// Value of the `Retry-After` header in seconds; with a 503 only.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::IssuerUnavailable { retry_after_seconds }
            | Self::Unchecked { retry_after_seconds }
            | Self::Undecided { retry_after_seconds, .. }
            | Self::NoDecision { retry_after_seconds } => Some(*retry_after_seconds),
            _ => None,
        }
    }

    /// What to do about it, for whoever set this up; none where the text says it all.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Malformed | Self::NoSubject => Some(
                "A token that only its issuer can read (opaque, or without a subject as Keycloak's lightweight ones) needs \
                 introspection in auth.issuers",
            ),
            Self::UnknownIssuer => {
                Some("auth.issuers must name the issuer exactly as iss does, the slash included")
            }
            Self::Audience => Some("Have the issuer write one of the audiences of auth.issuers into aud"),
            Self::Inactive => Some(
                "If it is so with new tokens too, the issuer does not tell the client of introspection about them: add that \
                 client to their audience (at Keycloak an audience mapper)",
            ),
            Self::IssuerUnavailable { .. } | Self::Unchecked { .. } => Some("fedreg check says why"),
            _ => None,
        }
    }

    /// One word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::UnknownIssuer => "unknown_issuer",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::Algorithm => "algorithm",
            Self::Audience => "audience",
            Self::NotAnAccessToken => "not_an_access_token",
            Self::NoSubject => "no_subject",
            Self::Profile => "profile",
            Self::IssuerUnavailable { .. } => "issuer_unavailable",
            Self::Inactive => "inactive",
            Self::Unchecked { .. } => "unchecked",
            Self::Forbidden { .. } => "forbidden",
            Self::Undecided { .. } => "undecided",
            Self::Denied => "denied",
            Self::NoDecision { .. } => "no_decision",
        }
    }
}

/// A refusal with what only the log is told.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub error: AuthError,
    pub detail: Cow<'static, str>,
}

impl Refused {
    pub fn new(error: AuthError, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { error, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [AuthError; 20] = [
        AuthError::Inactive,
        AuthError::Unchecked { retry_after_seconds: 7 },
        AuthError::Denied,
        AuthError::NoDecision { retry_after_seconds: 7 },
        AuthError::Missing,
        AuthError::Malformed,
        AuthError::TooLong,
        AuthError::Expired,
        AuthError::NotYetValid,
        AuthError::UnknownIssuer,
        AuthError::UnknownKey,
        AuthError::BadSignature,
        AuthError::Algorithm,
        AuthError::Audience,
        AuthError::NotAnAccessToken,
        AuthError::NoSubject,
        AuthError::Profile,
        AuthError::IssuerUnavailable { retry_after_seconds: 7 },
        AuthError::Forbidden { needed: Access::Federation, held: Role::Reader },
        AuthError::Undecided { needed: Access::Federation, retry_after_seconds: 7 },
    ];

    #[test]
    fn statuses_and_headers_go_together() {
        for error in ALL {
            match error.status() {
                401 | 403 => {
                    assert!(error.www_authenticate().is_some(), "{error:?}");
                    assert_eq!(error.retry_after_seconds(), None, "{error:?}");
                }
                503 => {
                    assert_eq!(error.www_authenticate(), None, "{error:?}");
                    assert_eq!(error.retry_after_seconds(), Some(7), "{error:?}");
                }
                other => panic!("{error:?} answers {other}"),
            }
        }
    }

    #[test]
    fn descriptions_hold_only_what_rfc_6750_allows() {
        for error in ALL {
            let text = error.to_string();
            assert!(
                text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
                "{error:?}: {text}"
            );
        }
    }

    #[test]
    fn the_header_reads_as_rfc_6750_shows_it() {
        assert_eq!(AuthError::Missing.www_authenticate().as_deref(), Some(r#"Bearer realm="fedreg""#));
        assert_eq!(
            AuthError::Expired.www_authenticate().as_deref(),
            Some(
                r#"Bearer realm="fedreg", error="invalid_token", error_description="The token has expired.""#
            )
        );
        let forbidden = AuthError::Forbidden { needed: Access::Federation, held: Role::Reader };
        assert_eq!(forbidden.status(), 403);
        assert_eq!(
            forbidden.to_string(),
            "This needs the role administrator; the token gives the role reader."
        );
    }
}
