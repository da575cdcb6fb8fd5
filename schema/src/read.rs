//! Reading one JSON value into a field: strict as the contract says, each fault in words that help.

use crate::{
    country,
    fault::{Fault, Loc},
    field::{Field, Otherwise, Type},
    value::Value,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value as Json;

/// What is wrong with a value: message and type, without the place.
type Wrong = (String, &'static str);

/// Reads what a document or a patch says of a field. `Ok(None)`: not said, since null says nothing but where
/// nothing is a value of the field.
pub fn field(field: &Field, json: &Json, path: &[Loc]) -> Result<Option<Value>, Fault> {
    let at_field = |(msg, ty): Wrong| {
        let mut loc = path.to_vec();
        loc.push(field.name.into());
        Fault { loc, msg, ty }
    };
    if json.is_null() {
        return match field.otherwise {
            Otherwise::Required => {
                Err(at_field((format!("{} cannot be null", field.name), "type_error.none.not_allowed")))
            }
            _ => Ok(None),
        };
    }
    if let (Type::Texts { email }, Json::Array(items)) = (field.ty, json) {
        let mut texts = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let text = text(item).and_then(|text| if email { mail(text) } else { Ok(text) });
            texts.push(text.map(Box::from).map_err(|wrong| {
                let mut fault = at_field(wrong);
                fault.loc.push(i.into());
                fault
            })?);
        }
        return Ok(Some(Value::Texts(texts.into())));
    }
    value(field.ty, json).map(Some).map_err(at_field)
}

fn value(ty: Type, json: &Json) -> Result<Value, Wrong> {
    match ty {
        Type::Text => text(json).map(Value::text),
        Type::Url => text(json).and_then(address).map(Value::text),
        Type::Country => text(json).and_then(|name| match country::alpha3(name) {
            Some(_) => Ok(Value::text(name)),
            None => Err((
                format!(
                    "'{name}' is not an ISO 3166-1 English short name of a country{}",
                    did_you_mean(country::nearest(name))
                ),
                "value_error.country",
            )),
        }),
        Type::Enum { members, .. } => {
            let word = json.as_str().filter(|word| members.contains(word)).ok_or_else(|| {
                let permitted: Vec<_> = members.iter().map(|member| format!("'{member}'")).collect();
                let msg =
                    format!("value is not a valid enumeration member; permitted: {}", permitted.join(", "));
                (msg, "type_error.enum")
            })?;
            Ok(Value::text(word))
        }
        Type::Bool => json
            .as_bool()
            .map(Value::Bool)
            .ok_or_else(|| ("value is not a boolean: write true or false".to_owned(), "type_error.bool")),
        Type::Int { min, unlimited } => {
            let n = whole(json)
                .ok_or_else(|| ("value is not a valid integer".to_owned(), "type_error.integer"))?;
            at_least(n, if unlimited { Some(-1) } else { min }, i64::lt)?;
            Ok(Value::Int(n))
        }
        Type::Float { min, max } => {
            let x = json
                .as_f64()
                .filter(|x| x.is_finite())
                .ok_or_else(|| ("value is not a valid number".to_owned(), "type_error.float"))?;
            at_least(x, min, f64::lt)?;
            match max {
                Some(max) if x > max => Err((
                    format!("ensure this value is less than or equal to {max}"),
                    "value_error.number.not_le",
                )),
                _ => Ok(Value::Float(x)),
            }
        }
        Type::Texts { .. } => Err(("value is not a valid list".to_owned(), "type_error.list")),
        Type::Date => text(json).and_then(|text| {
            text.parse::<NaiveDate>()
                .map(Value::Date)
                .map_err(|_| (format!("'{text}' is not a date: write YYYY-MM-DD"), "value_error.date"))
        }),
        Type::Time => text(json).and_then(|text| {
            moment(text).map(Value::Time).ok_or_else(|| {
                (
                    format!("'{text}' is not a date-time: write 2024-05-06T07:08:09Z (RFC 3339)"),
                    "value_error.datetime",
                )
            })
        }),
        Type::Counts => json.as_object().and_then(|counts| Value::counts(counts, whole)).ok_or_else(|| {
            ("value is not an object of integers by name: write {\"A100\": 2}".to_owned(), "type_error.dict")
        }),
    }
}

fn at_least<T: std::fmt::Display>(x: T, min: Option<T>, less: fn(&T, &T) -> bool) -> Result<(), Wrong> {
    match min {
        Some(min) if less(&x, &min) => {
            Err((format!("ensure this value is greater than or equal to {min}"), "value_error.number.not_ge"))
        }
        _ => Ok(()),
    }
}

fn text(json: &Json) -> Result<&str, Wrong> {
    match json.as_str() {
        Some(text) if text.contains('\0') => {
            Err(("text holds a NUL character, which no store can keep".to_owned(), "value_error.str"))
        }
        Some(text) => Ok(text),
        None => Err(("value is not a text".to_owned(), "type_error.str")),
    }
}

fn address(text: &str) -> Result<&str, Wrong> {
    const MOST: usize = 65_536;
    match url::Url::parse(text) {
        Ok(_) if text.len() <= MOST => Ok(text),
        Ok(_) => Err((format!("URL is longer than {MOST} characters"), "value_error.any_str.max_length")),
        Err(why) => {
            Err((format!("'{text}' is not a URL ({why}): write https://host/path"), "value_error.url"))
        }
    }
}

fn mail(text: &str) -> Result<&str, Wrong> {
    let good = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && host.contains('.')
            && !host.starts_with('.')
            && !host.ends_with('.')
            && !host.contains('@')
    });
    if good && !text.contains(char::is_whitespace) {
        Ok(text)
    } else {
        Err((format!("'{text}' is not an e-mail address"), "value_error.email"))
    }
}

/// An integer, also as `12.0` or `"12"` (`behaviour.md` 23).
fn whole(json: &Json) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 2^53")]
    let of_float = |x: f64| (x.fract() == 0.0 && x.abs() < 9e15).then_some(x as i64);
    match json {
        Json::Number(n) => n.as_i64().or_else(|| n.as_f64().and_then(of_float)),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A date-time of any offset; one without offset is UTC, as today's feeder writes it.
pub(crate) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let with_offset = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    with_offset.or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc())).ok()
}

/// `: did you mean 'x'?` or nothing.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(": did you mean '{nearest}'?"))
}
