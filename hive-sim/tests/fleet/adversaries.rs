//! Members that misbehave are found by their honest fellows, and nobody else is blamed.

use crate::support::{founded, minutes, no_violation, secs};
use hive_core::Event;
use hive_policy::Mode;
use hive_policy::conduct::FlagKind;
use hive_sim::fleet::{Fleet, Lie};
use hive_sim::world::LinkFaults;
use hive_types::Millis;

/// Lets a lying member misbehave for a while, turn by turn.
fn misbehave(fleet: &mut Fleet, liar: usize, span: Millis) {
    let end = fleet.now().plus(span);
    while fleet.now() < end {
        fleet.misbehave(liar);
        fleet.run_for(secs(10));
    }
}

/// Who blames whom for what, each once.
fn blames(fleet: &Fleet) -> Vec<(usize, usize, FlagKind)> {
    let place = |node| {
        let mut agents = fleet.agents().iter();
        agents.position(|agent| agent.node() == node).unwrap()
    };
    let mut blames: Vec<_> = fleet
        .events()
        .iter()
        .filter_map(|(_, by, event)| match event {
            Event::Flagged { node, kind, .. } => Some((*by, place(*node), *kind)),
            _ => None,
        })
        .collect();
    blames.sort_unstable();
    blames.dedup();
    blames
}

fn all_blame(liar: usize, count: usize, kind: FlagKind) -> Vec<(usize, usize, FlagKind)> {
    let others = (0..count).filter(|member| *member != liar);
    others.map(|member| (member, liar, kind)).collect()
}

/// A fleet of four in which the last member lies for so long.
fn with(lie: Lie, span: Millis) -> Fleet {
    let mut fleet = founded(4, 5, Mode::Advisor);
    fleet.set_lie(3, Some(lie));
    misbehave(&mut fleet, 3, span);
    no_violation(&fleet);
    fleet
}

#[test]
fn t45_a_member_that_hands_over_forged_votes_is_blamed_by_all() {
    let fleet = with(Lie::ForgesVotes, minutes(20));
    assert_eq!(blames(&fleet), all_blame(3, 4, FlagKind::Forgery));
    // And nobody is voted out by them.
    assert_eq!(fleet.agents()[0].disk().stored.members.len(), 4);
}

#[test]
fn t07_a_member_above_its_quota_is_blamed_by_all() {
    let fleet = with(Lie::Floods, minutes(24));
    assert_eq!(blames(&fleet), all_blame(3, 4, FlagKind::Flooding));
}

#[test]
fn t25_a_fork_that_its_author_leaves_open_is_blamed() {
    let fleet = with(Lie::Equivocates, minutes(60));
    assert_eq!(blames(&fleet), all_blame(3, 4, FlagKind::Equivocation));
}

#[test]
fn t26_a_restored_backup_is_blamed_by_nobody() {
    let mut fleet = founded(4, 5, Mode::Advisor);
    let old = fleet.backup(3);
    fleet.run_for(minutes(20));
    fleet.restore(3, old);
    fleet.run_for(minutes(60));
    assert!(fleet.heard(3, |event| matches!(event, Event::Restored)));
    assert_eq!(blames(&fleet), []);
    no_violation(&fleet);
}

#[test]
fn two_acceptances_in_one_ballot_are_proven_to_all_by_whom_they_were_given_to() {
    let mut fleet = founded(4, 5, Mode::Advisor);
    fleet.set_lie(3, Some(Lie::AcceptsTwice));
    // One member asks for one decision.
    fleet
        .command(1, hive_core::Command::RotateKey)
        .expect("nothing else is under way");
    fleet.run_for(minutes(5));
    let expected = all_blame(3, 4, FlagKind::DoubleAcceptance);
    assert_eq!(blames(&fleet), expected);
    no_violation(&fleet);
}

/// Relays pass on what they have verified: whoever only relays is never taken for the forger, and bad
/// links make nobody flood.
#[test]
fn bad_links_make_nobody_a_forger_or_a_flooder() {
    let mut fleet = founded(4, 5, Mode::Advisor);
    fleet.world_mut().set_faults(LinkFaults {
        loss_ppm: 250_000,
        duplicate_ppm: 100_000,
        reorder_ppm: 150_000,
        reorder_ms: 4_000,
        delay_ms: 300,
    });
    fleet.set_lie(3, Some(Lie::ForgesVotes));
    misbehave(&mut fleet, 3, minutes(60));
    assert!(blames(&fleet).iter().all(|(_, whom, _)| *whom == 3));
    assert!(!blames(&fleet).is_empty());
}
