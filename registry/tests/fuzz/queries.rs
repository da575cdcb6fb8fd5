//! The reader of queries: whatever the text, an answer or faults of parameters that were given.

use super::{cases, common::Registry};
use proptest::prelude::*;
use reqwest::Method;
use schema::{Schema, filter};
use serde_json::Value as Json;
use simulator::Params;
use std::time::{Duration, Instant};

/// Names that mean something, and some that nearly do.
fn name() -> impl Strategy<Value = String> {
    let mut known: Vec<String> = [
        "skip",
        "limit",
        "page",
        "size",
        "sort",
        "short",
        "with_conn",
        "region_name",
        "provider_uid",
        "provider_type",
    ]
    .map(str::to_owned)
    .into();
    for entity in &Schema::get().entities {
        for field in &entity.fields {
            known.extend(filter::suffixes(field).iter().map(|suffix| filter::parameter(field, suffix)));
        }
    }
    known.sort();
    known.dedup();
    prop_oneof![8 => prop::sample::select(known), 1 => "[a-z_]{0,12}(__[a-z]{0,9})?", 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| x.to_string()),
        "-?[a-z_]{1,14}(_asc|_desc)?",
        "[\\[\\](){}.*+?|^$a-c0-9,\\\\:<>=!-]{0,24}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}([.][0-9]{1,9})?(Z|[+-][0-9:]{5})?)?",
        prop::sample::select(vec![
            "",
            "true",
            "True",
            "0",
            "off",
            "maybe",
            "\0",
            "NaN",
            "inf",
            "%",
            "9223372036854775808"
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn parameters_are_read_or_refused_by_name(pairs in prop::collection::vec((name(), value()), 0..8)) {
        for entity in &Schema::get().entities {
            filter::asks_private(entity, &pairs);
            if let Err(faults) = filter::parse(entity, &pairs) {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    let loc = serde_json::to_value(&fault.loc).unwrap();
                    prop_assert_eq!(&loc[0], "query");
                    prop_assert!(pairs.iter().any(|(name, _)| loc[1] == name.as_str()), "{} was not given", fault);
                    prop_assert!(fault.msg.len() < 1000);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_requests_are_answered_or_refused_and_never_fail() {
    let registry = Registry::start().await;
    for document in simulator::documents(1, &Params::tiny()) {
        let (status, body) = registry.send(Method::POST, "/providers", Some(&document)).await;
        assert_eq!(status, 201, "{body}");
    }
    let paths: Vec<&str> = Schema::get().entities.iter().map(|entity| entity.decl.path).collect();
    let raw = prop_oneof![
        prop::collection::vec((name(), value()), 0..6).prop_map(|pairs| {
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        }),
        // not as anybody would encode it
        "[a-z_&=%+;0-9;.,:@!$'()*/?~-]{0,60}",
        "(&?[a-z_]{1,10}(=|%3D|==)?(%[0-9a-fA-F]{0,2}|[a-z0-9]){0,8}){0,5}",
    ];
    let strategy = (
        prop::sample::select(paths),
        prop_oneof![3 => Just(String::new()), 1 => "/[a-zA-Z0-9%._~-]{0,40}"],
        raw,
        any::<bool>(),
    );
    let mut runner = proptest::test_runner::TestRunner::new(cases(700));
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner
            .run(&strategy, |(path, uid, query, known)| {
                let target = format!("/{path}{uid}?{query}");
                let token = known.then_some(registry.admin.as_str());
                let (status, body) = handle.block_on(registry.get(&target, token));
                let allowed: &[u16] = if uid.is_empty() { &[200, 401, 422] } else { &[200, 401, 404, 422] };
                prop_assert!(allowed.contains(&status.as_u16()), "{}: {} {}", target, status, body);
                if status == 422 {
                    for fault in body["detail"].as_array().unwrap() {
                        prop_assert_eq!(&fault["loc"][0], "query", "{}", target);
                    }
                }
                Ok(())
            })
            .unwrap();
    });
}

/// As many nodes as a regular expression takes time for.
#[tokio::test]
async fn a_regular_expression_that_explodes_is_bounded() {
    let registry = Registry::start().await;
    let flavors: Vec<Json> = (0..4000)
        .map(|n| serde_json::json!({ "name": format!("{}{n}", "a".repeat(200)), "uuid": n.to_string(), "description": "a".repeat(4000) }))
        .collect();
    let document = serde_json::json!({ "name": "S", "type": "openstack", "regions": [{ "name": "R", "compute_services": [{
        "endpoint": "https://x", "name": "v1", "flavors": flavors }] }] });
    assert_eq!(registry.send(Method::POST, "/providers", Some(&document)).await.0, 201);
    let long = format!("({})", "a?".repeat(5000));
    for pattern in [
        "(a+)+b",
        "(a|a)*b",
        "(a?){3000}b",
        "((a?){50}){50}b",
        "(.*a){40}b",
        "(?:a|aa)+$b",
        "(\\w*\\d*)*z",
        ".*.*.*.*.*=.*",
        "(x+x+)+y",
        long.as_str(),
    ] {
        for name in ["name__regex", "description__iregex"] {
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair(name, pattern).finish();
            let began = Instant::now();
            let answer = tokio::time::timeout(
                Duration::from_secs(20),
                registry.get(&format!("/flavors?{query}"), Some(&registry.admin)),
            )
            .await;
            let (status, body) = answer.unwrap_or_else(|_| panic!("{pattern} hangs"));
            let took = began.elapsed();
            println!("{status} after {took:?}: {name} {pattern:.40}");
            assert!(status == 200 || status == 422, "{pattern}: {body}");
            if status == 422 {
                assert_eq!(body["detail"][0]["loc"], serde_json::json!(["query", name]));
            }
        }
    }
}
