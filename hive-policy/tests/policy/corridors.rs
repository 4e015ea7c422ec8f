//! Withdrawn corridors, floors, few updates, and another tool that sets fees too.

use crate::common::*;
use hive_policy::corridor::{
    self, Advice, FeeChange, FeePlan, Floors, Passage, Restraint, SavedFees, Terms, passage,
};
use hive_policy::{Gate, Mode, Refusal, outflow};
use hive_types::limits::{CORRIDOR_FLOOR_MAX, FEE_SETTLE, FEE_UNDONE_MEMORY};
use hive_types::{Action, Elapsed, FleetView, LocalSnapshot, Ppm, Tier};

fn at(millis: u64) -> Elapsed {
    Elapsed::new(millis)
}

/// A fleet of two full members with a free corridor, in force.
fn free() -> (FleetView, LocalSnapshot, SavedFees) {
    let (mut local, mut saved) = (two_channels(), SavedFees::new());
    let all = fleet(&[(ME, Tier::Full), (10, Tier::Full)]);
    let plan = corridor::fee_changes(&terms(&all, &saved), &local);
    carry_out(&plan, &mut local, &mut saved);
    (all, local, saved)
}

#[test]
fn a_blamed_fellow_pays_as_outsiders_do_until_it_is_right_again() {
    let (mut all, mut local, mut saved) = free();
    assert_eq!(fees(&local, 0), (0, 0));
    all.members[1].privileges.free_corridor = false;
    let plan = corridor::fee_changes(&terms(&all, &saved), &local);
    assert_eq!(plan.set[0].passage, Passage::Withdrawn);
    carry_out(&plan, &mut local, &mut saved);
    assert_eq!(fees(&local, 0), (1_000, 100));
    assert!(!saved.is_empty(), "leaving still knows what was before");
    let again = corridor::fee_changes(&terms(&all, &saved), &local);
    assert_eq!(again, FeePlan::default());
    all.members[1].privileges.free_corridor = true;
    let plan = corridor::fee_changes(&terms(&all, &saved), &local);
    carry_out(&plan, &mut local, &mut saved);
    assert_eq!(fees(&local, 0), (0, 0));
}

#[test]
fn the_gate_permits_a_withdrawal_and_no_other_fee() {
    let (mut all, local, saved) = free();
    all.members[1].privileges.free_corridor = false;
    let set = corridor::fee_changes(&terms(&all, &saved), &local).set[0].set;
    let mut dearer = set;
    dearer.policy.rate = Ppm::new(101);
    let mut gate = Gate::new(limits(|_| {}), Mode::Advisor);
    for (number, set, passes) in [(1, dearer, false), (2, set, true)] {
        let asked = proposal(Action::SetPolicy(set), 0);
        let terms = terms(&all, &saved);
        let permit = gate.authorize_agreed(after(0), id(number), &asked, &terms, &local, full());
        assert_eq!(permit.is_ok(), passes);
        if let Err(refusal) = permit {
            assert!(matches!(refusal, Refusal::NotAgreed { .. }), "{refusal}");
        }
    }
}

#[test]
fn t61_a_floor_is_a_quarter_within_bounds_and_never_dearer_than_before() {
    for (before, floor) in [
        (100, 25),
        (40, 20),
        (10, 10),
        (0, 0),
        (300, 75),
        (5_000, 100),
    ] {
        assert_eq!(
            outflow::floor(Ppm::new(before)),
            Ppm::new(floor),
            "{before}"
        );
    }
    let (all, mut local, mut saved) = free();
    let mut floors = Floors::from([(node(10), Ppm::new(25))]);
    let plan = |floors: &Floors, local: &LocalSnapshot, saved: &SavedFees| {
        let terms = Terms {
            fleet: &all,
            saved,
            floors,
        };
        corridor::fee_changes(&terms, local)
    };
    let made = plan(&floors, &local, &saved);
    carry_out(&made, &mut local, &mut saved);
    assert_eq!(fees(&local, 0), (0, 25));
    assert_eq!(fees(&local, 1), (1_000, 100), "no fellow's channel");
    // A rate a little off would be more than fellows were told.
    local.channels[0].local_policy = Some(policy(0, 26));
    assert_eq!(plan(&floors, &local, &saved).set.len(), 1);
    floors.insert(node(10), Ppm::new(5_000));
    let (me, fellow) = (&all.members[0], &all.members[1]);
    assert_eq!(
        passage(me, fellow, &floors),
        Passage::Floor(CORRIDOR_FLOOR_MAX)
    );
    floors.clear();
    let made = plan(&floors, &local, &saved);
    carry_out(&made, &mut local, &mut saved);
    assert_eq!(fees(&local, 0), (0, 0));
}

fn change(passage: Passage, rate: u32) -> FeeChange {
    FeeChange {
        channel_id: channel(10).channel_id,
        peer: node(10),
        passage,
        set: hive_types::SetPolicy {
            channel: scid(10),
            policy: policy(0, rate),
        },
    }
}

/// Sets what is advised, and lets the node have done it.
fn set(restraint: &mut Restraint, now: Elapsed, change: &FeeChange) {
    assert_eq!(restraint.advise(now, change), Advice::Set, "at {now:?}");
    restraint.note_begun(now, change);
    restraint.note_done(&change.channel_id);
}

#[test]
fn another_tool_is_met_twice_then_told_of_and_left_alone() {
    let mut restraint = Restraint::default();
    let free = change(Passage::Free, 0);
    let minute = 60 * SECOND;
    set(&mut restraint, at(0), &free);
    // What the node shows right after may be from before.
    assert_eq!(restraint.advise(at(SECOND), &free), Advice::Wait);
    set(&mut restraint, at(minute), &free);
    set(&mut restraint, at(2 * minute), &free);
    assert_eq!(restraint.advise(at(3 * minute), &free), Advice::Tell);
    for minutes in [4, 60, 24 * 60] {
        assert_eq!(restraint.advise(at(minutes * minute), &free), Advice::Leave);
    }
    // Over a restart too.
    let mut restarted = Restraint::restore(restraint.undone(), at(0));
    assert!(restarted.is_left(&free.channel_id));
    assert_eq!(restarted.advise(at(0), &free), Advice::Leave);
    // Right for long enough: forgotten.
    let local = two_channels();
    for now in [at(DAY), at(DAY + FEE_UNDONE_MEMORY.get())] {
        restarted.note_right(now, &local, &FeePlan::default());
    }
    let later = at(2 * DAY + FEE_UNDONE_MEMORY.get());
    assert_eq!(restarted.advise(later, &free), Advice::Set);
    // Leaving restores all the same.
    let outside = change(Passage::Outside, 100);
    assert_eq!(restraint.advise(at(2 * DAY), &outside), Advice::Set);
}

#[test]
fn few_updates_go_out_however_often_terms_change() {
    let mut restraint = Restraint::default();
    set(&mut restraint, at(0), &change(Passage::Discounted, 50));
    // Promotion passes at once; a fellow that is blamed and forgiven every ten minutes does not.
    set(&mut restraint, at(1), &change(Passage::Free, 0));
    let terms = [change(Passage::Withdrawn, 100), change(Passage::Free, 0)];
    let (mut changes, mut in_force) = (0, Passage::Free);
    for round in 0..6 * 24 {
        let (now, wanted) = (at(round * 600 * SECOND), &terms[round as usize % 2]);
        if wanted.passage != in_force && restraint.advise(now, wanted) == Advice::Set {
            restraint.note_begun(now, wanted);
            restraint.note_done(&wanted.channel_id);
            (changes, in_force) = (changes + 1, wanted.passage);
        }
    }
    // Four at once, and one more every six hours.
    assert_eq!(changes, 4 + 3);
    // Leaving does not wait.
    let outside = change(Passage::Outside, 100);
    assert_eq!(restraint.advise(at(DAY), &outside), Advice::Set);
}

#[test]
fn a_node_that_fails_to_set_a_fee_is_asked_again_and_not_taken_for_another_tool() {
    let mut restraint = Restraint::default();
    let free = change(Passage::Free, 0);
    for attempt in 0..20 {
        let now = at(attempt * 2 * FEE_SETTLE.get());
        assert_eq!(restraint.advise(now, &free), Advice::Set);
        restraint.note_begun(now, &free);
        restraint.note_failed(&free.channel_id);
    }
    assert!(restraint.undone().is_empty());
}

#[test]
fn a_pause_does_not_make_a_fee_cheat_of_a_member() {
    let (local, mut saved) = (two_channels(), SavedFees::new());
    let all = fleet(&[(ME, Tier::Full), (10, Tier::Full)]);
    let plan = corridor::fee_changes(&terms(&all, &saved), &local);
    saved.extend(plan.save);
    let mut gate = Gate::new(limits(|_| {}), Mode::Advisor);
    gate.pause(after(0), hive_types::Millis::new(DAY));
    let asked = proposal(Action::SetPolicy(plan.set[0].set), 0);
    let ask = |gate: &mut Gate, number| {
        let terms = terms(&all, &saved);
        gate.authorize_agreed(after(1), id(number), &asked, &terms, &local, full())
    };
    assert!(ask(&mut gate, 1).is_ok());
    gate.stop();
    assert_eq!(ask(&mut gate, 2), Err(Refusal::Stopped));
}
