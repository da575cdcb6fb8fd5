//! A compact JSON web signature (RFC 7515), taken apart. Nothing here is trusted yet.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::AuthError;
use super::error::Refused;

/// The members of a JSON object.
pub(super) type Members = Map<String, Value>;

/// A token, split into its parts; its claims decoded, its signature not checked.
pub(super) struct Token<'a> {
    /// The claims.
    pub claims: Members,
    header: &'a str,
    signed: &'a str,
    signature: &'a str,
}

/// What the header says, as far as it is listened to. `jku`, `jwk`, `x5u`, `x5c` and the rest are not read.
pub(super) struct Header {
    /// `alg`, as written.
    pub algorithm: String,
    /// `kid`.
    pub key_id: String,
    /// `typ`, without `application/`, in lower case.
    pub kind: Option<String>,
}

impl<'a> Token<'a> {
    /// Splits a token and decodes its claims.
    pub fn parse(text: &'a str) -> Result<Self, Refused> {
        let malformed = |detail: &'static str| Refused::new(AuthError::Malformed, detail);
        let (signed, signature) = text.rsplit_once('.').ok_or_else(|| malformed("no dot in it"))?;
        let (header, claims) = signed.split_once('.').ok_or_else(|| malformed("one dot in it"))?;
        if claims.contains('.') {
            return Err(malformed("more than three parts; an encrypted token cannot be read here"));
        }
        Ok(Self { claims: object(claims, "claims")?, header, signed, signature })
    }

    /// Whether a text that is no token of this form may be one that only its issuer can read: of the letters of RFC 6750,
    /// section 2.1, and not begun like a signed token.
    pub fn may_be_opaque(text: &str) -> bool {
        let letters = text.trim_end_matches('=');
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        let signed = text.split('.').count() == 3
            && text.split('.').next().is_some_and(|header| object(header, "header").is_ok());
        !letters.is_empty() && letters.bytes().all(allowed) && !signed
    }

    /// The header.
    pub fn header(&self) -> Result<Header, Refused> {
        let mut members = object(self.header, "header")?;
        // RFC 7515, 4.1.11: what must be understood and is not makes the whole token invalid. No extension is
        // understood here.
        if members.contains_key("crit") {
            return Err(Refused::new(AuthError::Malformed, "the header has crit"));
        }
        let mut text = |name: &'static str| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refused::new(AuthError::Malformed, format!("{name} in the header is not a text"))),
        };
        let algorithm = text("alg")?.ok_or_else(|| Refused::new(AuthError::Malformed, "no alg"))?;
        // The WLCG profile demands a key id; so does picking up new keys the moment they are used.
        let key_id = text("kid")?.ok_or_else(|| Refused::new(AuthError::Malformed, "no kid"))?;
        let kind = text("typ")?.map(|kind| {
            let kind = kind.to_ascii_lowercase();
            kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind)
        });
        Ok(Header { algorithm, key_id, kind })
    }

    /// The bytes that are signed.
    pub fn signed(&self) -> &'a [u8] {
        self.signed.as_bytes()
    }

    /// The signature.
    pub fn signature(&self) -> Result<Vec<u8>, Refused> {
        decode(self.signature, "signature")
    }
}

fn decode(part: &str, name: &'static str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|e| Refused::new(AuthError::Malformed, format!("the {name} is not base64url: {e}")))
}

fn object(part: &str, name: &'static str) -> Result<Members, Refused> {
    let Unique(members) = serde_json::from_slice(&decode(part, name)?)
        .map_err(|e| Refused::new(AuthError::Malformed, format!("the {name} cannot be read: {e}")))?;
    Ok(members)
}

/// A JSON object with every name once: of two claims with one name, two readers may take different ones (RFC 8725,
/// RFC 7519 section 4).
pub(super) struct Unique(pub Members);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name occurs twice"));
                    }
                }
                Ok(Unique(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    fn fault(text: &str) -> String {
        let refused = match Token::parse(text) {
            Err(refused) => refused,
            Ok(token) => token.header().err().expect("a fault"),
        };
        assert_eq!(refused.error, AuthError::Malformed);
        refused.detail.into_owned()
    }

    #[test]
    fn a_token_comes_apart() {
        let text = token(
            r#"{"alg":"ES256","kid":"k","typ":"application/AT+JWT","jku":"http://x"}"#,
            r#"{"iss":"i"}"#,
        );
        let token = Token::parse(&text).ok().unwrap();
        let header = token.header().ok().unwrap();
        assert_eq!(token.claims["iss"], "i");
        assert_eq!(token.signature().ok().unwrap(), b"sig");
        assert_eq!(token.signed(), text.strip_suffix(".c2ln").unwrap().as_bytes());
        assert_eq!((header.algorithm.as_str(), header.key_id.as_str()), ("ES256", "k"));
        assert_eq!(header.kind.as_deref(), Some("at+jwt"));
    }

    proptest::proptest! {
        /// Whatever is sent is taken or refused, and what is no token of this form is told apart without a fault of ours.
        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC{0,80}", parts in "[A-Za-z0-9_-]{0,40}([.][A-Za-z0-9_-]{0,40}){0,5}") {
            for text in [text, parts] {
                let _ = Token::parse(&text).map(|token| (token.header().is_ok(), token.signature().is_ok()));
                let _ = Token::may_be_opaque(&text);
            }
        }
    }

    #[test]
    fn what_only_an_issuer_can_read() {
        for text in ["x", "a.b", "2YotnFZFEjr1zCsicMWpAA==", "Az09-._~+/", "a.b.c", "a.b.c.d.e", "..."] {
            assert!(Token::may_be_opaque(text), "{text}");
        }
        let signed = token(r#"{"alg":"none"}"#, "not claims");
        for text in ["", "=", "a b", "a=b", "pässword", "a\n", "a&token=b", "{}", signed.as_str()] {
            assert!(!Token::may_be_opaque(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_token_is_malformed() {
        let good = token(r#"{"alg":"ES256","kid":"k"}"#, "{}");
        assert!(Token::parse(&good).is_ok_and(|token| token.header().is_ok()));
        for (text, reason) in [
            (String::new(), "no dot"),
            ("a.b".into(), "one dot"),
            (format!("{good}.x.y"), "encrypted"),
            ("a.b=.c".into(), "claims is not base64url"),
            (token("{}", "nested.jwt.here"), "claims cannot be read"),
            (token("{}", "[1]"), "claims cannot be read"),
            (token("{}", "{} {}"), "claims cannot be read"),
            (token("{}", r#"{"sub":"a","sub":"b"}"#), "twice"),
            (token(r#"{"alg":"ES256","alg":"none","kid":"k"}"#, "{}"), "twice"),
            (token(r#"{"kid":"k"}"#, "{}"), "no alg"),
            (token(r#"{"alg":"ES256"}"#, "{}"), "no kid"),
            (token(r#"{"alg":"ES256","kid":7}"#, "{}"), "kid in the header"),
            (token(r#"{"alg":"ES256","kid":"k","typ":["JWT"]}"#, "{}"), "typ in the header"),
            (token(r#"{"alg":"ES256","kid":"k","crit":["exp"],"exp":1}"#, "{}"), "crit"),
            (token(r#"{"alg":"ES256","kid":"k","crit":[]}"#, "{}"), "crit"),
            (token("{}", &"[".repeat(100_000)), "claims cannot be read"),
        ] {
            let detail = fault(&text);
            assert!(detail.contains(reason), "{reason}: {detail}");
        }
    }
}
