//! The keys an issuer publishes, and signatures checked with them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

/// More keys than any issuer has; a longer list is a fault or an attack.
pub(super) const MAX_KEYS: usize = 100;

/// The signing keys of one issuer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct KeySet(Vec<Key>);

/// One key, the algorithms it is for, and its public part in the form the checks need.
#[derive(Debug, PartialEq)]
struct Key {
    id: String,
    algorithms: Vec<Algorithm>,
    public: Public,
}

#[derive(Debug, PartialEq)]
enum Public {
    /// Modulus and exponent.
    Rsa(Vec<u8>, Vec<u8>),
    /// An uncompressed point, or an Ed25519 key.
    Point(Vec<u8>),
}

/// Why a key set cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeySetError {
    #[error("it is no JSON object with a list of keys")]
    Shape,
    #[error("it holds {0} keys; {MAX_KEYS} are allowed")]
    TooMany(usize),
    #[error("it holds no public key for signatures that could be used")]
    Empty,
}

impl KeySet {
    /// Takes the usable keys out of a JWK set (RFC 7517). Others are passed over: keys for encryption, of unknown
    /// types, shared secrets, keys without id, keys too short to be safe.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let Document { keys } = serde_json::from_slice(document).map_err(|_| KeySetError::Shape)?;
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany(keys.len()));
        }
        let keys: Vec<_> = keys
            .into_iter()
            .filter_map(|key| serde_json::from_value(key).ok())
            .filter_map(Key::new)
            .collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(keys)) }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a key of that id for that algorithm.
    pub fn has(&self, id: &str, algorithm: Algorithm) -> bool {
        self.candidates(id, algorithm).next().is_some()
    }

    /// Whether one of the keys of that id for that algorithm made the signature.
    pub fn verify(&self, id: &str, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.candidates(id, algorithm).any(|key| key.public.verify(algorithm, signed, signature))
    }

    /// Usually one; nothing forbids an issuer to give two keys one id.
    fn candidates(&self, id: &str, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| key.id == id && key.algorithms.contains(&algorithm))
    }
}

impl Key {
    fn new(key: Jwk) -> Option<Self> {
        if !matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        if key.common.key_operations.is_some_and(|allowed| !allowed.contains(&KeyOperations::Verify)) {
            return None;
        }
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let (public, mut algorithms) = match &key.algorithm {
            AlgorithmParameters::RSA(key) => {
                let (n, e) = (decode(&key.n)?, decode(&key.e)?);
                let first = n.iter().position(|&byte| byte != 0)?;
                // 2048 to 8192 bits; what is longer would make each check a burden.
                (256..=1024).contains(&(n.len() - first)).then_some(())?;
                (Public::Rsa(n[first..].to_vec(), e), AlgorithmFamily::Rsa.algorithms().to_vec())
            }
            AlgorithmParameters::EllipticCurve(key) => {
                let (length, algorithm) = match key.curve {
                    EllipticCurve::P256 => (32, Algorithm::ES256),
                    EllipticCurve::P384 => (48, Algorithm::ES384),
                    _ => return None,
                };
                let (x, y) = (decode(&key.x)?, decode(&key.y)?);
                (x.len() == length && y.len() == length).then_some(())?;
                (Public::Point([&[4], x.as_slice(), &y].concat()), vec![algorithm])
            }
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                (Public::Point(decode(&key.x).filter(|x| x.len() == 32)?), vec![Algorithm::EdDSA])
            }
            _ => return None,
        };
        if let Some(only) = key.common.key_algorithm {
            let only = Algorithm::try_from(only).ok()?;
            algorithms.retain(|&algorithm| algorithm == only);
        }
        (!algorithms.is_empty()).then_some(())?;
        Some(Self { id: key.common.key_id?, algorithms, public })
    }
}

impl Public {
    fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(n, e) => {
                let parameters = match algorithm {
                    Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
            }
            Self::Point(point) => {
                let how: &dyn signature::VerificationAlgorithm = match algorithm {
                    Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
                    Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
                    Algorithm::EdDSA => &signature::ED25519,
                    _ => return false,
                };
                UnparsedPublicKey::new(how, point).verify(signed, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn parse(keys: &Value) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes())
    }

    fn p256() -> (EcdsaKeyPair, Value) {
        let (how, random) = (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(how, document.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref();
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": text(&point[1..33]), "y": text(&point[33..])});
        (pair, key)
    }

    fn rsa(bytes: usize) -> Value {
        json!({"kty": "RSA", "kid": "k", "n": text(&vec![0xc1; bytes]), "e": "AQAB"})
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn signatures_of_the_right_key_only() {
        let random = SystemRandom::new();
        let ((one, first), (_, second)) = (p256(), p256());
        let signature = one.sign(&random, b"text").unwrap();
        let keys = parse(&json!([first])).unwrap();
        assert!(keys.verify("k", Algorithm::ES256, b"text", signature.as_ref()));
        assert!(!keys.verify("k", Algorithm::ES256, b"texT", signature.as_ref()));
        assert!(!keys.verify("K", Algorithm::ES256, b"text", signature.as_ref()));
        assert!(!keys.verify("k", Algorithm::ES384, b"text", signature.as_ref()));
        assert!(!keys.verify("k", Algorithm::ES256, b"text", &[]));
        assert!(!parse(&json!([second])).unwrap().verify("k", Algorithm::ES256, b"text", signature.as_ref()));
        // two keys with one id: each of them is tried
        assert!(parse(&json!([second, first])).unwrap().verify(
            "k",
            Algorithm::ES256,
            b"text",
            signature.as_ref()
        ));
    }

    #[test]
    fn ed25519_is_checked() {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let x = pair.public_key().as_ref();
        let key = |x: &[u8]| json!([{"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": text(x)}]);
        let keys = parse(&key(x)).unwrap();
        assert!(keys.verify("e", Algorithm::EdDSA, b"text", pair.sign(b"text").as_ref()));
        assert!(!keys.verify("e", Algorithm::EdDSA, b"other", pair.sign(b"text").as_ref()));
        assert_eq!(parse(&key(&x[..31])), Err(KeySetError::Empty));
    }

    #[test]
    fn a_key_is_bound_to_its_algorithms() {
        let keys = parse(&json!([rsa(256)])).unwrap();
        for algorithm in [Algorithm::RS256, Algorithm::PS512] {
            assert!(keys.has("k", algorithm));
        }
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
            assert!(!keys.has("k", algorithm));
        }
        let keys = parse(&json!([with(rsa(256), "alg", json!("PS256"))])).unwrap();
        assert!(keys.has("k", Algorithm::PS256) && !keys.has("k", Algorithm::RS256));
    }

    #[test]
    fn unusable_keys_are_passed_over() {
        let (_, good) = p256();
        for (what, key) in [
            ("encryption", with(rsa(256), "use", json!("enc"))),
            ("RSA-OAEP", with(rsa(256), "alg", json!("RSA-OAEP"))),
            ("an algorithm of another type", with(rsa(256), "alg", json!("ES256"))),
            ("operations without verify", with(rsa(256), "key_ops", json!(["encrypt"]))),
            ("1024 bits", rsa(128)),
            (
                "2048 bits with zeros before",
                with(rsa(128), "n", json!(text(&[vec![0; 128], vec![1; 128]].concat()))),
            ),
            ("16384 bits", rsa(2048)),
            ("a shared secret", json!({"kty": "oct", "kid": "k", "alg": "HS256", "k": "c2VjcmV0"})),
            ("no id", json!({"kty": "RSA", "n": text(&[1; 256]), "e": "AQAB"})),
            ("an unknown type", json!({"kty": "AKP", "kid": "k", "pub": "x"})),
            ("a short coordinate", with(good.clone(), "x", json!(text(&[1; 31])))),
            ("another curve", with(good.clone(), "crv", json!("P-521"))),
            ("no object", json!("key")),
        ] {
            assert_eq!(parse(&json!([key])), Err(KeySetError::Empty), "{what}");
            assert_eq!(parse(&json!([key, good])).unwrap().len(), 1, "{what}");
        }
    }

    #[test]
    fn documents_that_are_no_key_sets() {
        for document in ["", "[]", "{}", r#"{"keys": {}}"#, "<html>"] {
            assert_eq!(KeySet::parse(document.as_bytes()), Err(KeySetError::Shape), "{document}");
        }
        assert_eq!(parse(&json!([])), Err(KeySetError::Empty));
        assert_eq!(
            parse(&Value::Array(vec![rsa(256); MAX_KEYS + 1])),
            Err(KeySetError::TooMany(MAX_KEYS + 1))
        );
        assert_eq!(parse(&Value::Array(vec![rsa(256); MAX_KEYS])).unwrap().len(), MAX_KEYS);
    }
}
