//! The parameters of a request, decoded strictly.

use super::ApiError;
use schema::Fault;

/// Names and values in the order given. A percent sign that starts no escape, and escapes that are no UTF-8, are
/// faults.
pub(super) fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, ApiError> {
    let mut pairs = Vec::new();
    let mut faults = Vec::new();
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(name), Some(value)) = (decode(name), decode(value)) {
            pairs.push((name, value));
        } else {
            let msg = "not valid percent-encoding of UTF-8: write % as %25";
            faults.push(Fault::query(name, msg, "value_error.encoding"));
        }
    }
    if faults.is_empty() { Ok(pairs) } else { Err(faults.into()) }
}

fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let hex =
                    text.get(at + 1..at + 3).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
                out.push(u8::from_str_radix(hex, 16).ok()?);
                at += 3;
                continue;
            }
            b'+' => out.push(b' '),
            other => out.push(other),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}
