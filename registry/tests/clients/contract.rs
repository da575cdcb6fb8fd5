//! Answers against the shapes of the contract, as strictly as the Python feeder's library reads them: no key too many,
//! no required one missing or null, types, enumerations and ranges.

use super::{
    common::{Registry, example},
    world::{documents, federation},
};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value as Json};

/// The contract's description of the API.
pub fn contract() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/contract/registry-v1.openapi.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Why a value has not the shape, or nothing.
pub fn misfit(contract: &Json, shape: &Json, value: &Json, at: &str) -> Option<String> {
    let wrong = |what: &str| Some(format!("{at}: {what}: {value:.300}"));
    if let Some(name) = shape["$ref"].as_str() {
        return misfit(contract, contract.pointer(&name[1..]).unwrap(), value, at);
    }
    for all in shape["allOf"].as_array().into_iter().flatten() {
        if let Some(why) = misfit(contract, all, value, at) {
            return Some(why);
        }
    }
    for either in ["anyOf", "oneOf"] {
        if let Some(shapes) = shape[either].as_array() {
            let whys: Vec<_> = shapes.iter().map(|shape| misfit(contract, shape, value, at)).collect();
            if whys.iter().all(Option::is_some) {
                return Some(whys.into_iter().flatten().collect::<Vec<_>>().join("\n  or "));
            }
        }
    }
    if let Some(members) = shape["enum"].as_array()
        && !members.contains(value)
    {
        return wrong("not one of the enumeration");
    }
    let number = |name: &str| shape[name].as_f64().zip(value.as_f64());
    if number("minimum").is_some_and(|(least, n)| n < least)
        || number("maximum").is_some_and(|(most, n)| n > most)
        || number("exclusiveMinimum").is_some_and(|(below, n)| n <= below)
    {
        return wrong("out of range");
    }
    match shape["type"].as_str() {
        Some("string") if !value.is_string() => wrong("no string"),
        Some("boolean") if !value.is_boolean() => wrong("no boolean"),
        Some("integer") if value.as_i64().is_none_or(|n| i32::try_from(n).is_err()) => {
            wrong("no 32-bit integer")
        }
        Some("number") if !value.is_number() => wrong("no number"),
        Some("array") => match value.as_array() {
            Some(items) => items
                .iter()
                .enumerate()
                .find_map(|(i, item)| misfit(contract, &shape["items"], item, &format!("{at}[{i}]"))),
            None => wrong("no list"),
        },
        Some("object") => match value.as_object() {
            Some(object) => misfit_of_object(contract, shape, object, at),
            None => wrong("no object"),
        },
        _ => None,
    }
}

fn misfit_of_object(contract: &Json, shape: &Json, object: &Map<String, Json>, at: &str) -> Option<String> {
    let required = shape["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(missing) = required.iter().filter_map(Json::as_str).find(|name| !object.contains_key(*name)) {
        return Some(format!("{at}: {missing} is missing"));
    }
    object.iter().find_map(|(name, value)| {
        let at = format!("{at}.{name}");
        let shape_of = shape["properties"].get(name).or_else(|| shape.get("additionalProperties"));
        match shape_of {
            None => Some(format!("{at}: the contract has no such key")),
            Some(_) if value.is_null() && !required.contains(&name.as_str().into()) => None,
            Some(shape) => misfit(contract, shape, value, &at),
        }
    })
}

/// The shape of an answer.
pub fn shape<'a>(contract: &'a Json, path: &str, method: &str, status: &str) -> &'a Json {
    let found =
        &contract["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"];
    assert!(!found.is_null(), "the contract has no {method} {path} {status}");
    found
}

/// Every list and every item of every entity, to every audience.
async fn all_fit(registry: &Registry) -> usize {
    let contract = contract();
    let mut items = 0;
    for entity in schema::Schema::get().entities.iter().filter(|entity| entity.decl.v1) {
        let (list, single) = (
            format!("/{}/", entity.decl.path),
            format!("/{}/{{{}}}", entity.decl.path, entity.decl.uid_name),
        );
        for token in [Some(registry.admin.as_str()), None] {
            for query in ["", "?with_conn=true", "?short=true", "?short=true&with_conn=true"] {
                let (status, body) = registry.get(&format!("{list}{query}"), token).await;
                assert_eq!(status, StatusCode::OK);
                let why = misfit(
                    &contract,
                    shape(&contract, &list, "get", "200"),
                    &body,
                    &format!("{list}{query}"),
                );
                assert!(why.is_none(), "{}", why.unwrap_or_default());
                for item in body.as_array().unwrap().iter().step_by(7) {
                    let path = format!("{list}{}{query}", item["uid"].as_str().unwrap());
                    let (status, body) = registry.get(&path, token).await;
                    assert_eq!((status, &body), (StatusCode::OK, item), "alone as in its list");
                    let why = misfit(&contract, shape(&contract, &single, "get", "200"), &body, &path);
                    assert!(why.is_none(), "{}", why.unwrap_or_default());
                    items += 1;
                }
            }
        }
    }
    items
}

#[tokio::test]
async fn every_answer_has_a_shape_of_the_contract() {
    let registry = federation().await;
    assert!(all_fit(&registry).await > 300);
}

#[tokio::test]
async fn unlimited_and_very_large_numbers_fit_the_shapes_too() {
    let registry = Registry::start().await;
    for (document, number) in documents().into_iter().zip([-1_i64, 9_000_000_000_000].into_iter().cycle()) {
        let mut document = document;
        each_quota(&mut document, &mut |quota| {
            for (_, value) in quota.iter_mut().filter(|(_, value)| value.is_i64()) {
                *value = number.into();
            }
        });
        let (status, body) = registry.send(Method::POST, "/providers/", Some(&document)).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let contract = contract();
        let why = misfit(&contract, shape(&contract, "/providers/", "post", "201"), &body, "POST");
        assert!(why.is_none(), "{}", why.unwrap_or_default());
    }
    all_fit(&registry).await;
}

fn each_quota(json: &mut Json, change: &mut dyn FnMut(&mut Map<String, Json>)) {
    match json {
        Json::Object(object) => {
            for (name, value) in object.iter_mut() {
                if let ("quotas", Some(quotas)) = (name.as_str(), value.as_array_mut()) {
                    quotas.iter_mut().filter_map(Json::as_object_mut).for_each(&mut *change);
                }
                each_quota(value, change);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| each_quota(item, change)),
        _ => {}
    }
}

#[test]
fn the_comparison_finds_what_does_not_fit() {
    let contract = contract();
    let shape = shape(&contract, "/projects/", "get", "200");
    let recorded = example("read_projects_list_private")["response"]["body"].clone();
    assert_eq!(misfit(&contract, shape, &recorded, ""), None, "the recorded answer fits");
    for (name, value) in
        [("uid", Json::Null), ("colour", "red".into()), ("schema_type", "other".into()), ("name", 1.into())]
    {
        let mut bad = recorded.clone();
        bad[0][name] = value;
        assert!(misfit(&contract, shape, &bad, "").is_some(), "{name}");
    }
    let mut bad = recorded;
    bad[0].as_object_mut().unwrap().remove("uuid");
    assert!(misfit(&contract, shape, &bad, "").is_some());
}
