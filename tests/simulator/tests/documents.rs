//! The document generator: sizes, rules of the contract, repeatability.

use rand::SeedableRng;
use rand::rngs::StdRng;
use schema::Schema;
use schema::document::{Reading, provider};
use serde_json::Value;
use simulator::{Counts, Params, documents, edit};

/// Every rule of the schema, unknown fields included.
fn check(document: &Value) {
    if let Err(faults) = provider(Schema::get(), document, Reading { lenient: false }, &[]) {
        panic!("{faults:?}\n{document:#}");
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
