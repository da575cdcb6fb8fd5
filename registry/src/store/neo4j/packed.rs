//! How an entry of the change log stands in the database: as JSON, which people can read there; a long one packed, since to
//! send and to keep it would cost more than all else of its commit.
//!
//! Packed: the JSON deflated, in base64, then a blank and the first characters of each uid that it is about, by which the
//! database finds it.

use crate::{
    graph::{change::Unreadable, stored::Stored, uid::Uid},
    store::Entry,
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use schema::Schema;
use std::{
    collections::BTreeSet,
    io::{Read, Write},
};

/// Bytes of an entry that is not packed: it fits into one message with all else that a commit begins with.
const PLAIN: usize = 6_000;
/// Characters of a uid by which it is found.
const SHORT: usize = 8;

/// What is kept of an entry.
pub(super) fn pack(schema: &Schema, entry: &Entry) -> serde_json::Result<String> {
    let json = Stored(schema, entry).text()?;
    if json.len() <= PLAIN {
        return Ok(json);
    }
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(json.len() / 4), Compression::new(4));
    // into memory: cannot fail; and if it did, the text would do as well
    let Ok(deflated) = encoder.write_all(json.as_bytes()).and_then(|()| encoder.finish()) else {
        return Ok(json);
    };
    let mut packed = BASE64.encode(deflated);
    for short in entry.changes.uids().map(short).collect::<BTreeSet<_>>() {
        packed.push_str(&short);
    }
    Ok(packed)
}

/// How a packed entry says that it is about a node.
pub(super) fn short(uid: Uid) -> String {
    format!(" {:.SHORT$}", uid.to_string())
}

/// The entry that was kept so.
pub(super) fn unpack(schema: &Schema, revision: u64, kept: &str) -> Result<Entry, Unreadable> {
    let damaged = || Unreadable { what: format!("log entry {revision}") };
    let read = |json: &[u8]| {
        Entry::from_json(schema, revision, &serde_json::from_slice(json).map_err(|_| damaged())?)
    };
    if kept.starts_with('{') {
        return read(kept.as_bytes());
    }
    let packed = kept.split(' ').next().unwrap_or_default();
    let deflated = BASE64.decode(packed).map_err(|_| damaged())?;
    let mut json = Vec::new();
    DeflateDecoder::new(&*deflated).read_to_end(&mut json).map_err(|_| damaged())?;
    read(&json)
}
