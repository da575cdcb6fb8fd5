//! Filters, order and pages against the simplest model: the items as they are shown, in a plain list.

use super::cases;
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use registry::graph::{
    Graph,
    expand::Writer,
    plan,
    select::{Special, select},
    uid::Uid,
};
use schema::{Audience, Field, Kind, Schema, document, field::Type, filter};
use serde_json::Value as Json;
use simulator::Params;
use std::cmp::Ordering;

fn graph(seed: u64) -> Graph {
    let mut random = StdRng::seed_from_u64(seed);
    let mut graph = Graph::empty(Schema::get());
    for mut json in simulator::documents(seed, &Params::tiny()) {
        for region in json["regions"].as_array_mut().unwrap() {
            region["description"] = ["", "Région", "a\nb"].choose(&mut random).unwrap().to_string().into();
        }
        let item = document::provider(Schema::get(), &json, document::Reading::default(), &[]).unwrap();
        let (_, changes) = plan::create(&graph, &item, &mut || Uid::random(&mut random)).unwrap();
        graph = graph.apply(&changes).unwrap();
    }
    graph
}

/// An item as it is shown, but for numbers that v1 cannot show: comparisons know them.
fn shown(graph: &Graph, id: u32) -> Json {
    let special = Special::default();
    let mut out = Vec::new();
    Writer { graph, audience: Audience::Private, extended: false, special: &special }.node(id, &mut out);
    let mut json: Json = serde_json::from_slice(&out).unwrap();
    for field in &graph.entity(id).fields {
        let value = graph.value(id, field.name);
        if value.is_beyond_v1() {
            json[field.name] = value.to_json();
        }
    }
    json
}

/// What comparisons look at: numbers by name count together.
fn comparable(json: &Json) -> Json {
    match json {
        Json::Object(counts) => counts.values().filter_map(Json::as_f64).sum::<f64>().into(),
        other => other.clone(),
    }
}

fn order(a: &Json, b: &Json) -> Ordering {
    let (a, b) = (comparable(a), comparable(b));
    match (&a, &b) {
        (Json::Null, Json::Null) => Ordering::Equal,
        (Json::Null, _) => Ordering::Greater,
        (_, Json::Null) => Ordering::Less,
        (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
        (Json::String(a), Json::String(b)) => a.cmp(b),
        (Json::Array(x), Json::Array(y)) => {
            let text = |items: &[Json]| {
                items.iter().map(|item| item.as_str().unwrap().to_owned()).collect::<Vec<_>>()
            };
            text(x).cmp(&text(y))
        }
        _ => a.as_f64().unwrap().total_cmp(&b.as_f64().unwrap()),
    }
}

/// A condition as text, and as the model sees it.
struct Condition {
    name: String,
    value: String,
    holds: Box<dyn Fn(&Json) -> bool>,
}

fn condition(field: &Field, sample: &Json, random: &mut StdRng) -> Option<Condition> {
    let name = field.name;
    let suffix = (*filter::suffixes(field).choose(random)?).to_owned();
    let (given, of_text) = match field.ty {
        Type::Text | Type::Url | Type::Country | Type::Enum { .. } | Type::Texts { .. } => {
            let whole = match sample {
                Json::Array(items) => items.first().and_then(Json::as_str).unwrap_or("x").to_owned(),
                other => other.as_str().unwrap_or("x").to_owned(),
            };
            let chars: Vec<char> = whole.chars().collect();
            let (mut start, mut end) =
                (random.random_range(0..=chars.len()), random.random_range(0..=chars.len()));
            if start > end {
                std::mem::swap(&mut start, &mut end);
            }
            let (start, end) = match suffix.as_str() {
                "" | "regex" | "iregex" => (0, chars.len()),
                _ => (start, end),
            };
            let part: String = chars[start..end].iter().collect();
            (if random.random_bool(0.3) { part.to_uppercase() } else { part }, true)
        }
        Type::Bool => (if random.random_bool(0.5) { "True" } else { "no" }.to_owned(), false),
        _ => (comparable(sample).to_string().trim_matches('"').trim_end_matches(".0").to_owned(), false),
    };
    if given == "null" {
        return None;
    }
    let value = given.clone();
    let test = suffix.clone();
    let holds: Box<dyn Fn(&Json) -> bool> = if of_text {
        let one = move |text: &str| {
            let (lower, given_lower) = (text.to_lowercase(), given.to_lowercase());
            match test.as_str() {
                "contains" => text.contains(&given),
                "icontains" => lower.contains(&given_lower),
                "startswith" => text.starts_with(&given),
                "istartswith" => lower.starts_with(&given_lower),
                "endswith" => text.ends_with(&given),
                "iendswith" => lower.ends_with(&given_lower),
                "iregex" => lower == given_lower,
                _ => text == given,
            }
        };
        Box::new(move |json| match json {
            Json::Array(items) => items.iter().any(|item| one(item.as_str().unwrap())),
            other => other.as_str().is_some_and(&one),
        })
    } else if field.ty == Type::Bool {
        Box::new(move |json| *json == Json::Bool(given == "True"))
    } else {
        let given: Json = serde_json::from_str(&given).unwrap_or_else(|_| given.into());
        Box::new(move |json| {
            let order = order(json, &given);
            !json.is_null()
                && match test.as_str() {
                    "lt" => order.is_lt(),
                    "gt" => order.is_gt(),
                    "lte" => order.is_le(),
                    "gte" => order.is_ge(),
                    "ne" => order.is_ne(),
                    _ => order.is_eq(),
                }
        })
    };
    let value = if suffix.ends_with("regex") { escaped(&value) } else { value };
    Some(Condition {
        name: filter::parameter(field, &suffix),
        value,
        holds: Box::new(move |item| holds(&item[name])),
    })
}

/// A pattern that matches this text alone.
fn escaped(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() }).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_list_is_what_a_plain_list_would_be(seed in any::<u64>()) {
        let mut random = StdRng::seed_from_u64(seed);
        let graph = graph(seed % 8);
        let kind = *Kind::ALL.choose(&mut random).unwrap();
        let entity = Schema::get().entity(kind);
        let all: Vec<(u32, Json)> = graph.all(kind).iter().map(|id| (id, shown(&graph, id))).collect();
        let mut pairs = Vec::new();
        let mut expected = all.clone();
        for _ in 0..random.random_range(0..3) {
            let Some((_, sample)) = all.choose(&mut random) else { continue };
            let field = entity.fields.choose(&mut random).unwrap();
            if let Some(condition) = condition(field, &sample[field.name], &mut random) {
                // of a repeated parameter the last wins
                if pairs.iter().any(|(name, _)| *name == condition.name) {
                    continue;
                }
                expected.retain(|(_, item)| (condition.holds)(item));
                pairs.push((condition.name, condition.value));
            }
        }
        if random.random_bool(0.7) {
            let names: Vec<&str> = entity.fields.iter().map(|field| field.name).chain(["uid"]).collect();
            let name = *names.choose(&mut random).unwrap();
            let (sort, descending) = *[("", false), ("_asc", false), ("_desc", true)].choose(&mut random).unwrap();
            let minus = random.random_bool(0.3);
            pairs.push(("sort".to_owned(), format!("{}{name}{sort}", if minus { "-" } else { "" })));
            expected.sort_by(|(_, a), (_, b)| order(&a[name], &b[name]).then_with(|| order(&a["uid"], &b["uid"])));
            if minus || descending {
                expected.reverse();
            }
        }
        let mut number = |name: &str, least: usize| {
            random.random_bool(0.4).then(|| {
                let n = random.random_range(least..12);
                pairs.push((name.to_owned(), n.to_string()));
                n
            })
        };
        let (skip, limit, size, page) = (number("skip", 0), number("limit", 0), number("size", 1), number("page", 0));
        let expected: Vec<u32> = expected.into_iter().map(|(id, _)| id).collect();
        let cut: Vec<u32> = expected.into_iter().skip(skip.unwrap_or(0)).take(limit.unwrap_or(usize::MAX)).collect();
        let cut: Vec<u32> = match size {
            Some(size) => cut.chunks(size).nth(page.unwrap_or(0)).unwrap_or_default().to_vec(),
            None => cut,
        };
        let query = filter::parse(entity, &pairs).unwrap_or_else(|faults| panic!("{pairs:?}: {faults:?}"));
        let found = select(&graph, kind, &query, &Special::default(), &mut || false).unwrap();
        prop_assert_eq!(found, cut, "{} {:?}", entity.decl.path, pairs);
    }
}
