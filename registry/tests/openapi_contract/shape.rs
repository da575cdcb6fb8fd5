//! Schemas in one form: references followed, `allOf` of one merged, the ways to say null, one word and bounds made
//! equal, prose left out.

use serde_json::{Map, Value as Json, json};

/// What a schema says. `members` stands for `oneOf` and `anyOf`, `nullable` for every way to allow null.
pub type Shape = Map<String, Json>;

const PROSE: [&str; 4] = ["title", "description", "example", "examples"];

/// Follows references.
pub fn resolve<'a>(api: &'a Json, value: &'a Json) -> &'a Json {
    let mut value = value;
    while let Some(reference) = value["$ref"].as_str() {
        let place = reference.trim_start_matches('#');
        value = api.pointer(place).unwrap_or_else(|| panic!("{reference} leads nowhere"));
    }
    value
}

/// A schema in the one form. What is below it is left as it is.
pub fn shape(api: &Json, schema: &Json) -> Shape {
    let mut out = resolve(api, schema).as_object().cloned().unwrap_or_default();
    // what stands beside a reference holds too
    out.extend(schema.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    out.retain(|key, _| key != "$ref" && !PROSE.contains(&key.as_str()));

    if let Some(Json::Array(types)) = out.get("type").cloned() {
        let (null, types): (Vec<_>, Vec<_>) = types.into_iter().partition(|ty| ty == "null");
        out.insert("type".into(), if let [one] = &types[..] { one.clone() } else { types.into() });
        if !null.is_empty() {
            out.insert("nullable".into(), json!(true));
        }
    }
    if let Some(Json::Array(all)) = out.get("allOf").cloned()
        && let [one] = &all[..]
    {
        out.shift_remove("allOf");
        merge(&mut out, shape(api, one));
    }
    if let Some(Json::Array(members)) = out.shift_remove("oneOf").or_else(|| out.shift_remove("anyOf")) {
        let (null, members): (Vec<_>, Vec<_>) =
            members.into_iter().partition(|member| member["type"] == "null");
        if !null.is_empty() {
            out.insert("nullable".into(), json!(true));
        }
        match &members[..] {
            [one] => merge(&mut out, shape(api, one)),
            _ => drop(out.insert("members".into(), members.into())),
        }
    }
    if let Some(word) = out.shift_remove("const") {
        out.insert("enum".into(), json!([word]));
    }
    if let (Some("integer"), Some(Json::Number(above))) =
        (out.get("type").and_then(Json::as_str), out.get("exclusiveMinimum").cloned())
    {
        out.shift_remove("exclusiveMinimum");
        out.insert("minimum".into(), json!(above.as_f64().unwrap() + 1.0));
    }
    for number in ["minimum", "maximum", "default"] {
        if let Some(Json::Number(n)) = out.get(number) {
            let n = json!(n.as_f64());
            out.insert(number.into(), n);
        }
    }
    if let Some(Json::Array(words)) = out.get_mut("enum") {
        words.sort_by_key(ToString::to_string);
    }
    out
}

/// What stands outside wins.
fn merge(outer: &mut Shape, inner: Shape) {
    for (key, value) in inner {
        outer.entry(key).or_insert(value);
    }
}

/// What tells a member of a union from the others: the properties that can hold one word only, else its type.
pub fn mark(api: &Json, schema: &Json) -> String {
    let shape = shape(api, schema);
    if let Some(items) = shape.get("items") {
        return format!("[{}]", mark(api, items));
    }
    let Some(Json::Object(properties)) = shape.get("properties") else {
        return shape.get("type").map(ToString::to_string).unwrap_or_default();
    };
    let mut words: Vec<String> = properties
        .iter()
        .filter_map(|(name, property)| {
            let property = self::shape(api, property);
            match property.get("enum")?.as_array()?.as_slice() {
                [Json::String(word)] => Some(word.clone()),
                [word] => Some(format!("{name} {word}")),
                _ => None,
            }
        })
        .collect();
    if words.is_empty() {
        words = properties.keys().cloned().collect();
    }
    words.sort();
    words.join(" ")
}
