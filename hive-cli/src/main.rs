//! `hive`: the program.
fn main() {}
