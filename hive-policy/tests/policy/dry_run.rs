//! A dry run: everything is checked and said, nothing is permitted.

use crate::common::*;
use hive_policy::corridor::{SavedFees, restore_changes};
use hive_policy::{Gate, GateChange, GateState, Mode, Refusal, Settlement, Standing, Verdict};
use hive_types::{Msat, Sat};

const MOVE: u64 = 100_000_000;
const FEE: u64 = 1_000_000;

fn dry(mode: Mode) -> Gate {
    let mut gate = Gate::new(wide(|_| ()), mode);
    gate.set_dry_run(true);
    gate.take_changes();
    gate
}

/// Nothing but what a gate says of time and waiting proposals.
fn changed_nothing(gate: &mut Gate) {
    assert_eq!(gate.ledger().count(), 0);
    let changes = gate.take_changes();
    let reserved = |change: &GateChange| matches!(change, GateChange::Ledger(_));
    assert!(!changes.iter().any(reserved), "{changes:?}");
}

#[test]
fn a_dry_run_permits_nothing_on_any_way_to_a_permit() {
    let mut gate = dry(Mode::Autonomous);
    let proposal = rebalance(10, 30, MOVE, FEE);
    let verdict = gate.consider(after(0), id(1), &proposal, &local(), full());
    let is_dry = matches!(verdict, Verdict::Refuse(Refusal::DryRun { .. }));
    assert!(is_dry, "{verdict:?}");
    // No lock is sought for an open.
    let verdict = gate.consider(after(0), id(2), &open(90), &local(), full());
    let is_dry = matches!(verdict, Verdict::Refuse(Refusal::DryRun { .. }));
    assert!(is_dry, "{verdict:?}");
    let held = lock(90, id(2));
    let standing = Standing {
        lock: Some(&held),
        ..full()
    };
    let refused = gate.authorize(after(0), id(2), &open(90), &local(), standing);
    assert!(
        matches!(refused, Err(Refusal::DryRun { .. })),
        "{refused:?}"
    );
    changed_nothing(&mut gate);
}

#[test]
fn a_dry_run_restores_no_fee() {
    let mut gate = dry(Mode::Advisor);
    let mut own = local();
    own.channels[0].local_policy = Some(policy(0, 0));
    let saved: SavedFees = [(own.channels[0].channel_id, policy(1_000, 100))].into();
    let plan = restore_changes(&own, &saved);
    let set = plan.set[0].set;
    let refused = gate.authorize_restore(after(0), id(1), &set, &saved, &own);
    assert!(
        matches!(refused, Err(Refusal::DryRun { .. })),
        "{refused:?}"
    );
    changed_nothing(&mut gate);
    gate.set_dry_run(false);
    assert!(
        gate.authorize_restore(after(0), id(1), &set, &saved, &own)
            .is_ok()
    );
}

#[test]
fn a_dry_run_says_what_would_be_reserved_and_what_is_left() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Autonomous);
    let spent = rebalance(10, 30, MOVE, FEE);
    let verdict = gate.consider(after(0), id(1), &spent, &local(), full());
    assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
    let settlement = Settlement::Done {
        spent: Msat::new(FEE),
    };
    gate.settle(after(0), id(1), settlement).unwrap();
    gate.set_dry_run(true);
    let Verdict::Refuse(refusal) = gate.consider(after(0), id(2), &open(90), &local(), full())
    else {
        panic!("a dry run");
    };
    let expected = Refusal::DryRun {
        kind: hive_types::ActionKind::Open,
        cost: Msat::new(1_000_000),
        cost_left: Msat::new(10_000_000 - FEE),
        capital: Sat::new(1_000_000),
        capital_left: Sat::new(5_000_000),
    };
    assert_eq!(refusal, expected);
    assert!(refusal.to_string().contains("nothing was done"));
    // What would be refused is refused as ever.
    let refused = gate.consider(after(0), id(3), &open(ME), &local(), full());
    let is_malformed = matches!(refused, Verdict::Refuse(Refusal::Malformed { .. }));
    assert!(is_malformed, "{refused:?}");
}

#[test]
fn a_rehearsed_approval_leaves_everything_as_it_was() {
    let mut gate = Gate::new(wide(|_| ()), Mode::Advisor);
    let proposal = rebalance(10, 30, MOVE, FEE);
    let _ = gate.consider(after(0), id(1), &proposal, &local(), full());
    let mut state = GateState::default();
    restart(&mut gate, &mut state);
    let before = gate.state();
    let refusal = gate.rehearse(after(0), id(1), &local(), full());
    assert!(matches!(refusal, Refusal::DryRun { .. }), "{refusal:?}");
    assert_eq!(gate.state(), before);
    let unknown = gate.rehearse(after(0), id(2), &local(), full());
    assert_eq!(unknown, Refusal::UnknownProposal { id: id(2) });
    // In a dry run by configuration an approval comes to the same, and the proposal waits on.
    gate.set_dry_run(true);
    let refused = gate.approve(after(0), id(1), &local(), full());
    assert_eq!(refused, Err(refusal));
    assert_eq!(gate.pending().len(), 1);
    gate.set_dry_run(false);
    assert!(gate.approve(after(0), id(1), &local(), full()).is_ok());
}
