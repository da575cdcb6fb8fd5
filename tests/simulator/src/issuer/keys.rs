//! Signing keys of the issuer, made while it runs and kept in memory only.

use super::IssuerError;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use p256::pkcs8::EncodePrivateKey as _;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::rand_core::OsRng;
use std::fmt;

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// RSA of 2048 bits, as most issuers do.
    #[default]
    Rs256,
    /// Elliptic curve P-256: a key is made in no time.
    Es256,
}

impl Signing {
    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }
}

/// A key pair with its published half.
pub(super) struct Key {
    pub signing: Signing,
    pub private: EncodingKey,
    pub public: DecodingKey,
    pub jwk: Jwk,
}

impl Key {
    /// Takes the processor for up to some seconds: not for a thread that serves.
    pub fn generate(signing: Signing) -> Result<Self, IssuerError> {
        let failed = |reason: String| IssuerError::Key { reason };
        let private = match signing {
            Signing::Rs256 => {
                let key = rsa::RsaPrivateKey::new(&mut OsRng, 2048).map_err(|e| failed(e.to_string()))?;
                let der = key.to_pkcs1_der().map_err(|e| failed(e.to_string()))?;
                EncodingKey::from_rsa_der(der.as_bytes())
            }
            Signing::Es256 => {
                let key = p256::SecretKey::random(&mut OsRng);
                let der = key.to_pkcs8_der().map_err(|e| failed(e.to_string()))?;
                EncodingKey::from_ec_der(der.as_bytes())
            }
        };
        let mut jwk =
            Jwk::from_encoding_key(&private, signing.algorithm()).map_err(|e| failed(e.to_string()))?;
        jwk.common.key_id = Some(uuid::Uuid::new_v4().to_string());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk).map_err(|e| failed(e.to_string()))?;
        Ok(Self { signing, private, public, jwk })
    }

    pub fn id(&self) -> &str {
        self.jwk.common.key_id.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, {:?})", self.id(), self.signing)
    }
}
