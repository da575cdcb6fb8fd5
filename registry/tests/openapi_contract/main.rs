//! The OpenAPI document cannot drift: what is committed is what the code makes, and what the code makes says of
//! every operation, parameter and shape what the contract says, but for the differences that
//! `openapi/differences.json` lists with their reasons.
#![expect(clippy::unwrap_used, reason = "a test says with a panic that its own files are broken")]

mod compare;
mod shape;

use compare::{Difference, differences};
use regex::Regex;
use registry::api::{openapi, openapi_3_0};
use serde_json::{Value as Json, json};
use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

fn read(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../openapi").join(name);
    std::fs::read_to_string(file).unwrap_or_else(|why| panic!("openapi/{name}: {why}"))
}

fn ours() -> Json {
    openapi("/api/v1").unwrap()
}

#[track_caller]
fn is_committed(name: &str, version: &str, made: &Json) {
    let made = serde_json::to_string_pretty(made).unwrap() + "\n";
    let committed = read(name);
    let differs = committed.lines().zip(made.lines()).position(|(a, b)| a != b);
    assert!(
        committed == made,
        "openapi/{name} is not what the code makes, from line {} on. After\n  \
         cargo run -- openapi --version {version} > openapi/{name}\ngit diff shows what changed.",
        differs.unwrap_or_else(|| committed.lines().count().min(made.lines().count())) + 1,
    );
}

#[test]
fn committed_is_what_the_code_makes() {
    is_committed("registry-v1.json", "3.1", &ours());
}

#[test]
fn committed_for_3_0_is_what_the_code_makes() {
    is_committed("registry-v1.3.0.json", "3.0", &openapi_3_0("/api/v1").unwrap());
}

/// Differences that are meant: where (a pattern), what (a pattern), and why.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Meant {
    r#where: String,
    what: String,
    reason: String,
}

#[test]
fn every_difference_from_the_contract_has_a_reason() {
    let contract: Json = serde_json::from_str(&read("contract/registry-v1.openapi.json")).unwrap();
    let meant: Vec<Meant> = serde_json::from_str(&read("differences.json")).unwrap();
    let whole = |pattern: &str| Regex::new(&format!("^(?:{pattern})$")).unwrap();
    let patterns: Vec<_> = meant.iter().map(|meant| (whole(&meant.r#where), whole(&meant.what))).collect();

    let mut used = vec![0_usize; meant.len()];
    let mut unlisted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Difference { place, what } in differences(&contract, &ours()) {
        match patterns.iter().position(|(at, says)| at.is_match(&place) && says.is_match(&what)) {
            Some(entry) => used[entry] += 1,
            None => unlisted.entry(what).or_default().push(place),
        }
    }

    let mut report = String::new();
    for (what, places) in &unlisted {
        writeln!(report, "not in the list: {what}; {} times, as at\n    {}", places.len(), places[0])
            .unwrap();
    }
    for (entry, _) in meant.iter().zip(&used).filter(|(_, used)| **used == 0) {
        writeln!(report, "in the list, but nowhere: {} at {}", entry.what, entry.r#where).unwrap();
    }
    for entry in meant.iter().filter(|entry| entry.reason.trim().is_empty()) {
        writeln!(report, "in the list without a reason: {} at {}", entry.what, entry.r#where).unwrap();
    }
    assert!(report.is_empty(), "openapi/differences.json, or the declarations:\n{report}");
}

/// A comparison that finds nothing proves nothing: each of these changes must be found, on either side.
#[test]
fn the_comparison_sees_every_kind_of_change() {
    let mut same = ours();
    // enough of it to reach every kind of thing
    let enough = [
        "/slas/",
        "/slas/{sla_uid}",
        "/providers/{provider_uid}",
        "/images/{image_uid}",
        "/regions/{region_uid}",
        "/compute_quotas/{quota_uid}",
    ];
    same["paths"].as_object_mut().unwrap().retain(|path, _| enough.contains(&path.as_str()));
    assert_eq!(differences(&same, &same), Vec::new());
    for (place, becomes) in [
        ("/paths/~1slas~1", None),
        ("/paths/~1slas~1/get", None),
        ("/paths/~1slas~1/get/security/0", None),
        ("/paths/~1slas~1/get/parameters/3", None),
        ("/paths/~1slas~1/get/parameters/3/in", Some(json!("header"))),
        ("/paths/~1slas~1/get/parameters/3/required", Some(json!(true))),
        ("/paths/~1slas~1/get/parameters/3/schema/type", Some(json!("array"))),
        ("/paths/~1slas~1/get/parameters/3/schema/minimum", Some(json!(7))),
        ("/paths/~1slas~1/get/responses/200", None),
        ("/paths/~1slas~1/get/responses/200/content", None),
        ("/paths/~1slas~1{sla_uid}/patch/requestBody", None),
        ("/paths/~1slas~1{sla_uid}/patch/requestBody/required", Some(json!(false))),
        ("/components/schemas/SLA/required/0", None),
        ("/components/schemas/SLA/properties/end_date", None),
        ("/components/schemas/SLA/properties/end_date/type", Some(json!(["string", "null"]))),
        ("/components/schemas/SLA/properties/end_date/format", Some(json!("date-time"))),
        ("/components/schemas/SLA/properties/end_date/pattern", Some(json!(".*"))),
        ("/components/schemas/Region/properties/overbooking_cpu/default", Some(json!(2.0))),
        ("/components/schemas/Image/properties/tags/items/type", Some(json!("integer"))),
        ("/components/schemas/Counts/additionalProperties/type", Some(json!("string"))),
        ("/components/schemas/ProviderType/enum/0", None),
        ("/components/schemas/ProviderService/oneOf/0", None),
        ("/components/schemas/AnySLA/discriminator/mapping/public", None),
    ] {
        let mut changed = same.clone();
        change(&mut changed, place, becomes.as_ref());
        assert_ne!(differences(&same, &changed), Vec::new(), "{place} of ours: {becomes:?}");
        assert_ne!(differences(&changed, &same), Vec::new(), "{place} of the contract: {becomes:?}");
    }
}

/// Sets what stands at a place, or removes it.
fn change(document: &mut Json, place: &str, becomes: Option<&Json>) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/");
    match (document.pointer_mut(parent).unwrap(), becomes) {
        (Json::Object(parent), None) => drop(parent.shift_remove(&name).unwrap()),
        (Json::Object(parent), Some(value)) => drop(parent.insert(name, value.clone())),
        (Json::Array(parent), None) => drop(parent.remove(name.parse().unwrap())),
        _ => panic!("{place} cannot be changed"),
    }
}
