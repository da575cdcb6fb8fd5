//! Reading one JSON value into a field: strict as the contract says, each fault in words that help.

use crate::{
    country,
    fault::{Fault, Loc},
    field::{Field, Otherwise, Type},
    value::Value,
};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value as Json;
use std::borrow::Cow;

/// What is wrong with a value: message and type, without the place.
type Wrong = (String, &'static str);

/// Reads what a document or a patch says of a field. `Ok(None)`: not said, since null says nothing but where
/// nothing is a value of the field. Of several faults (of a list) it gives the first.
pub fn field(field: &Field, json: &Json, path: &[Loc]) -> Result<Option<Value>, Fault> {
    let mut first = None;
    let value = field_with(field, json, path, &mut |fault| {
        first.get_or_insert(fault);
    });
    first.map_or(Ok(value), Err)
}

/// As [`field`], but tells every fault.
pub fn field_with(field: &Field, json: &Json, path: &[Loc], note: &mut dyn FnMut(Fault)) -> Option<Value> {
    let mut fault = |below: Option<Loc>, (msg, ty): Wrong| {
        let loc = path.iter().cloned().chain([field.name.into()]).chain(below).collect();
        note(Fault { loc, msg, ty });
    };
    match (field.ty, json) {
        (_, Json::Null) => {
            if field.otherwise == Otherwise::Required {
                fault(None, (format!("{} cannot be null", field.name), "type_error.none.not_allowed"));
            }
            None
        }
        (Type::Texts { email }, Json::Array(items)) => {
            let read = items.iter().enumerate().filter_map(|(i, item)| {
                let text = text(item).and_then(|text| if email { mail(text) } else { Ok(text) });
                text.map(Box::from).map_err(|wrong| fault(Some(i.into()), wrong)).ok()
            });
            Some(Value::Texts(read.collect()))
        }
        (Type::Counts, Json::Object(counts)) => {
            let read = counts.iter().filter_map(|(name, n)| {
                let n = int(n, None).and_then(|n| text_itself(name).map(|name| (Box::from(name), n)));
                n.map_err(|wrong| fault(Some(name.as_str().into()), wrong)).ok()
            });
            let mut counts: Vec<(Box<str>, i64)> = read.collect();
            counts.sort();
            Some(Value::Counts(counts.into()))
        }
        _ => value(field.ty, json).map_err(|wrong| fault(None, wrong)).ok(),
    }
}

fn value(ty: Type, json: &Json) -> Result<Value, Wrong> {
    match ty {
        Type::Text => text(json).map(Value::text),
        Type::Url => text(json).and_then(address).map(Value::text),
        Type::Country => text(json).and_then(|name| match country::alpha3(name) {
            Some(_) => Ok(Value::text(name)),
            None => Err((
                format!(
                    "'{}' is not an ISO 3166-1 English short name of a country{}",
                    short(name),
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
        Type::Int { min, unlimited } => int(json, if unlimited { Some(-1) } else { min }).map(Value::Int),
        Type::Float { min, max } => {
            let x = json
                .as_f64()
                .filter(|x| x.is_finite())
                .ok_or_else(|| ("value is not a valid number".to_owned(), "type_error.float"))?;
            within(x, min, max).map(Value::Float)
        }
        Type::Texts { .. } => Err(("value is not a valid list".to_owned(), "type_error.list")),
        Type::Date => text(json).and_then(|text| {
            let day = text.parse::<NaiveDate>().ok().filter(|day| in_four_digits(day.year()));
            day.map(Value::Date).ok_or_else(|| {
                (format!("'{}' is not a date: write YYYY-MM-DD", short(text)), "value_error.date")
            })
        }),
        Type::Time => text(json).and_then(|text| {
            moment(text).map(Value::Time).ok_or_else(|| {
                (
                    format!("'{}' is not a date-time: write 2024-05-06T07:08:09Z (RFC 3339)", short(text)),
                    "value_error.datetime",
                )
            })
        }),
        Type::Counts => Err((
            "value is not an object of integers by name: write {\"A100\": 2}".to_owned(),
            "type_error.dict",
        )),
    }
}

/// A number between bounds.
pub(crate) fn within(x: f64, min: Option<f64>, max: Option<f64>) -> Result<f64, Wrong> {
    at_least(x, min, f64::lt)?;
    match max {
        Some(max) if x > max => {
            Err((format!("ensure this value is less than or equal to {max}"), "value_error.number.not_le"))
        }
        _ => Ok(x),
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

fn int(json: &Json, min: Option<i64>) -> Result<i64, Wrong> {
    let n = whole(json).ok_or_else(|| ("value is not a valid integer".to_owned(), "type_error.integer"))?;
    at_least(n, min, i64::lt)?;
    Ok(n)
}

fn text(json: &Json) -> Result<&str, Wrong> {
    json.as_str().ok_or_else(|| ("value is not a text".to_owned(), "type_error.str")).and_then(text_itself)
}

fn text_itself(text: &str) -> Result<&str, Wrong> {
    if text.contains('\0') {
        return Err(("text holds a NUL character, which no store can keep".to_owned(), "value_error.str"));
    }
    Ok(text)
}

fn address(text: &str) -> Result<&str, Wrong> {
    const MOST: usize = 65_536;
    match url::Url::parse(text) {
        Ok(_) if text.len() <= MOST => Ok(text),
        Ok(_) => Err((format!("URL is longer than {MOST} characters"), "value_error.any_str.max_length")),
        Err(why) => Err((
            format!("'{}' is not a URL ({why}): write https://host/path", short(text)),
            "value_error.url",
        )),
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
        Err((format!("'{}' is not an e-mail address", short(text)), "value_error.email"))
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
    let time = with_offset.or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc())).ok();
    // no finer than every store can keep it, so that what is read again is what was written
    let time = time.and_then(|time| crate::value::moment(crate::value::seconds(time)));
    time.filter(|time| in_four_digits(time.year()))
}

/// Years that are written with four digits: clients read no others.
fn in_four_digits(year: i32) -> bool {
    (1..=9999).contains(&year)
}

/// As much of a text as a message can repeat.
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

/// `: did you mean 'x'?` or nothing.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(": did you mean '{nearest}'?"))
}
