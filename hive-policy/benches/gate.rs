//! How many decisions the gate takes in a second, each on a day's full ledger: a proposal is judged,
//! reserved and settled.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement stops at the first surprise"
)]

#[path = "../tests/policy/common.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod common;

use common::{DAY, after, full, local, rebalance, wide};
use hive_policy::{Gate, Mode, Settlement, Verdict};
use hive_types::{ActionId, Msat, Sat};
use std::time::Instant;

/// Decisions that are timed.
const TIMED: u64 = 2_000;

fn main() {
    // What the default rate lets through in a day, and ten times that.
    figure("gate_decisions_per_second", 720);
    figure("gate_decisions_per_second_7200_entries", 7_200);
}

fn figure(name: &str, entries: u64) {
    let limits = wide(|limits| {
        limits.budget_per_day = Sat::new(1_000_000_000);
        limits.actions_per_hour = 3_600;
        limits.sends_per_hour = 3_600;
    });
    let mut gate = Gate::new(limits, Mode::Autonomous);
    let step = DAY / (entries + 1);
    for number in 0..entries {
        decide(&mut gate, number, number * step);
    }
    gate.take_changes();
    assert_eq!(gate.ledger().count() as u64, entries);
    let begun = Instant::now();
    for number in entries..entries + TIMED {
        // A day goes on: as many entries leave as come.
        decide(&mut gate, number, number * step);
        gate.take_changes();
    }
    let rate = TIMED as f64 / begun.elapsed().as_secs_f64();
    let held = gate.ledger().count() as u64;
    assert!(held >= entries, "the ledger stays full: {held}");
    println!("FIGURE {name} {rate:.0} 1/s -");
}

fn decide(gate: &mut Gate, number: u64, millis: u64) {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    let (id, now) = (ActionId::from_bytes(bytes), after(millis));
    let pair = (number % 20) as u8;
    let proposal = rebalance(10 + pair, 30 + pair, 100_000, 10);
    let verdict = gate.consider(now, id, &proposal, &local(), full());
    let Verdict::Execute(permit) = verdict else {
        panic!("{verdict:?}");
    };
    let spent = Msat::new(10);
    gate.settle(now, permit.id(), Settlement::Done { spent })
        .unwrap();
}
