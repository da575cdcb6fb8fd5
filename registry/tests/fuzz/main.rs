//! Bad, random and large input: nothing panics, nothing hangs, nothing is a fault of ours; what is refused is told
//! where; what is accepted is answered as a simple model says. More cases: `PROPTEST_CASES=100000 cargo test -p
//! registry --test fuzz --release`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;

mod bodies;
mod documents;
mod model;
mod mutate;
mod queries;
mod streaming;

/// As many cases as a test command has time for; `PROPTEST_CASES` asks for more.
fn cases(few: u32) -> proptest::test_runner::Config {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    proptest::test_runner::Config {
        cases: asked.unwrap_or(few),
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
