//! The `fedreg` command.
fn main() {}
