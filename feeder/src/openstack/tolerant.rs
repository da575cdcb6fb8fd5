//! Values as clouds write them: numbers that come as text or not at all, flags as `True`, names as null.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::reading::Item;

/// A whole number; text is read, anything else (Nova's `""` for no swap, null) is 0.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    Value::deserialize(from).map(|value| whole(&value).unwrap_or(0))
}

/// A text; null is empty.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// The whole number that a value is.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Whether a value says yes: true, or `true`, `True`, `1`, `yes` and the like as text.
pub(super) fn yes(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => {
            ["true", "1", "yes", "on", "t", "y"].iter().any(|yes| text.trim().eq_ignore_ascii_case(yes))
        }
        _ => false,
    }
}

/// A text that is there and not empty.
pub(super) fn said<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// An item of the document: what is null is left out.
pub(super) fn item(value: Value) -> Item {
    let Value::Object(mut fields) = value else { return Item::new() };
    fields.retain(|_, value| !value.is_null());
    fields
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flags_and_numbers_in_all_their_forms() {
        for value in [json!(true), json!("True"), json!("true"), json!("1"), json!(1), json!(" yes ")] {
            assert!(yes(&value), "{value}");
        }
        for value in [json!(false), json!("False"), json!(""), json!(null), json!("0"), json!(2), json!([])] {
            assert!(!yes(&value), "{value}");
        }
        assert_eq!(
            [json!(5), json!("7"), json!(""), json!(null)].map(|v| whole(&v)),
            [Some(5), Some(7), None, None]
        );
    }
}
