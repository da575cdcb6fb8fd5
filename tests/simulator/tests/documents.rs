//! The document generator: sizes, rules of the contract, repeatability.
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use simulator::{Counts, Params, documents, edit};
use std::collections::HashSet;

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn keys<'a>(items: &'a [Value], key: impl Fn(&'a Value) -> String) -> HashSet<String> {
    let all: Vec<String> = items.iter().map(key).collect();
    let set: HashSet<String> = all.iter().cloned().collect();
    assert_eq!(set.len(), all.len(), "a key stands twice in {all:?}");
    set
}

fn text(name: &'static str) -> impl Fn(&Value) -> String {
    move |value| value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// The rules of the contract that the generator and the edits could break.
fn check(document: &Value) {
    let projects = keys(list(document, "projects"), text("uuid"));
    keys(list(document, "projects"), text("name"));
    keys(list(document, "identity_providers"), text("endpoint"));
    let mut booked = HashSet::new();
    for idp in list(document, "identity_providers") {
        keys(list(idp, "user_groups"), text("name"));
        for group in list(idp, "user_groups") {
            let sla = &group["sla"];
            assert!(projects.contains(sla["project"].as_str().unwrap()), "{sla}");
            assert!(booked.insert(sla["project"].clone()), "a project of two groups: {sla}");
            assert!(sla["start_date"].as_str() <= sla["end_date"].as_str(), "{sla}");
        }
    }
    keys(list(document, "regions"), text("name"));
    for region in list(document, "regions") {
        for services in region.as_object().unwrap().values().filter_map(Value::as_array) {
            keys(services, text("endpoint"));
            for service in services {
                check_service(service, &projects);
            }
        }
    }
}

fn check_service(service: &Value, projects: &HashSet<String>) {
    for name in ["flavors", "images", "networks"] {
        keys(list(service, name), text("uuid"));
        for item in list(service, name) {
            let owners = keys(list(item, "projects"), |id| id.as_str().unwrap().to_owned());
            assert!(owners.is_subset(projects), "{item}");
            assert_eq!(item["is_shared"] == true, owners.is_empty(), "{item}");
        }
    }
    let quotas = list(service, "storage_classes").iter().map(|class| list(class, "quotas"));
    for quotas in quotas.chain([list(service, "quotas")]) {
        keys(quotas, |q| format!("{} {} {}", q["project"], q["usage"], q["per_user"]));
        assert!(quotas.iter().all(|q| projects.contains(q["project"].as_str().unwrap())));
    }
}

#[test]
fn documents_obey_the_contract_however_often_they_are_edited() {
    for seed in 0..30 {
        let mut rng = StdRng::seed_from_u64(seed);
        for mut document in documents(seed, &Params::tiny()).chain(documents(seed, &Params::demo())) {
            check(&document);
            for _ in 0..20 {
                document = edit(&document, &mut rng);
                check(&document);
            }
        }
    }
}

#[test]
fn the_benchmark_has_the_sizes_that_were_measured_before() {
    let small = Counts::of(documents(1, &Params::benchmark(10)));
    let medium = Counts::of(documents(1, &Params::benchmark(100)));
    assert!((1_700..2_300).contains(&small.nodes()), "{small:?} {}", small.nodes());
    assert!((18_000..20_500).contains(&medium.nodes()), "{medium:?} {}", medium.nodes());
    assert_eq!((medium.flavors, medium.images, medium.projects), (3_000, 6_000, 1_000));
    assert!((30_000..45_000).contains(&medium.relations), "{medium:?}");
}

#[test]
fn a_seed_gives_the_same_documents_again() {
    let twice = |seed| documents(seed, &Params::demo()).collect::<Vec<_>>();
    assert_eq!(twice(11), twice(11));
    assert_ne!(twice(11), twice(12));
}
