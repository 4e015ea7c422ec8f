//! The example reads what a fleet writes, and nothing else.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

#[path = "../examples/read_ticket.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod example;

use common::sample;
use common::vectors::hex;
use hive_proto::codec;

#[test]
fn the_example_reads_a_ticket_and_verifies_a_manifest() {
    let fleet = sample::fleet();
    let ticket = fleet.ticket().to_string();
    let manifest = |party: &common::Party| hex(codec::encode(&party.manifest(fleet.hive)));
    let text = example::read(&ticket, &manifest(&fleet.founder)).unwrap();
    assert!(text.contains(&fleet.hive.to_string()));
    assert!(text.contains(&format!("{}@127.0.0.1:9735", fleet.founder.node)));
    assert!(example::read(&ticket, &manifest(&sample::guest())).is_err());
    assert!(example::read(&ticket[1..], &manifest(&fleet.founder)).is_err());
    let source = include_str!("../examples/read_ticket.rs");
    assert!(source.lines().count() < 40);
}
