//! The identity of a node.

use std::{fmt, str::FromStr};

/// 32 lower-case hexadecimal characters on the wire, 16 bytes here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(u128);

impl Uid {
    /// A fresh one (UUID version 4) from a random source.
    pub fn random(random: &mut (impl rand::RngCore + ?Sized)) -> Self {
        let mut bytes = [0; 16];
        random.fill_bytes(&mut bytes);
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid().as_u128())
    }

    /// As bytes, for stores.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// From the bytes of [`Uid::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl serde::Serialize for Uid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no uid: nothing in the graph can have it.
#[derive(Debug, thiserror::Error)]
#[error("a uid is 32 lower-case hexadecimal characters")]
pub struct NoUid;

impl FromStr for Uid {
    type Err = NoUid;

    /// Upper case and dashes are other texts, not other spellings (`behaviour.md` 7).
    fn from_str(text: &str) -> Result<Self, NoUid> {
        let exact = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if exact { u128::from_str_radix(text, 16).map(Self).map_err(|_| NoUid) } else { Err(NoUid) }
    }
}
