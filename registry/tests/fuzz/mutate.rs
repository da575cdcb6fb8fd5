//! Random damage to JSON: wrong types, extreme numbers, odd texts, missing, unknown, repeated and moved parts.

use rand::{
    Rng,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};
use serde_json::{Map, Value as Json, json};

const NAMES: &[&str] = &[
    "name",
    "uuid",
    "projects",
    "project",
    "regions",
    "quotas",
    "is_shared",
    "",
    "uid",
    "nmae",
    "type",
    "sla",
    "\0",
    "é",
];

/// Anything, up to a few levels deep.
pub fn anything(rng: &mut StdRng, depth: u8) -> Json {
    let texts = [
        "",
        "x",
        "\0",
        "a\u{0}b",
        "openstack",
        "2024-02-30",
        "2024-01-01",
        "https://x",
        "Italy",
        "é\u{202e}🙂",
        "-1",
        "12",
        "1e9",
        "true",
    ];
    match rng.random_range(0..if depth == 0 { 8 } else { 10 }) {
        0 => Json::Null,
        1 => rng.random_bool(0.5).into(),
        2 => (*[0, -1, -2, 1, i64::MAX, i64::MIN, 4_294_967_296].choose(rng).unwrap()).into(),
        3 => json!(u64::MAX),
        4 => (*[0.0, -0.0, 1.5, 1e300, -1e-300, 12.0, 9_007_199_254_740_993.0].choose(rng).unwrap()).into(),
        5 | 6 => (*texts.choose(rng).unwrap()).into(),
        7 => "x".repeat(rng.random_range(0..3000)).into(),
        8 => (0..rng.random_range(0..4)).map(|_| anything(rng, depth - 1)).collect(),
        _ => {
            let entries = (0..rng.random_range(0..4))
                .map(|_| ((*NAMES.choose(rng).unwrap()).to_owned(), anything(rng, depth - 1)));
            entries.collect::<Map<_, _>>().into()
        }
    }
}

/// The way to a random part of a value.
fn somewhere(json: &Json, rng: &mut StdRng) -> String {
    let mut way = String::new();
    let mut at = json;
    loop {
        let steps: Vec<(String, &Json)> = match at {
            Json::Object(object) => object
                .iter()
                .map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value))
                .collect(),
            Json::Array(items) => items.iter().enumerate().map(|(i, item)| (i.to_string(), item)).collect(),
            _ => Vec::new(),
        };
        match steps.choose(rng) {
            Some((step, next)) if way.is_empty() || rng.random_bool(0.85) => {
                way = format!("{way}/{step}");
                at = next;
            }
            _ => return way,
        }
    }
}

/// One change.
pub fn damage(json: &mut Json, rng: &mut StdRng) {
    let way = somewhere(json, rng);
    let other = json.pointer(&somewhere(json, rng)).cloned().unwrap_or_default();
    let Some(place) = json.pointer_mut(&way) else { return };
    match (rng.random_range(0..8), place) {
        (0, Json::Object(object)) => {
            let name = object.keys().nth(rng.random_range(0..object.len().max(1))).cloned();
            name.map(|name| object.remove(&name));
        }
        (1, Json::Object(object)) => {
            object.insert((*NAMES.choose(rng).unwrap()).to_owned(), anything(rng, 2));
        }
        (2, Json::Object(object)) => {
            let name = object.keys().nth(rng.random_range(0..object.len().max(1))).cloned();
            if let Some(value) = name.and_then(|name| object.remove(&name)) {
                object.insert((*NAMES.choose(rng).unwrap()).to_owned(), value);
            }
        }
        (0..3, Json::Array(items)) => {
            if let Some(item) = items.choose(rng).cloned() {
                items.push(item);
            }
        }
        (3, Json::Array(items)) => items.shuffle(rng),
        (4, Json::Array(items)) => {
            items.pop();
        }
        (5, place) => *place = other,
        (_, place) => *place = anything(rng, 2),
    }
}
