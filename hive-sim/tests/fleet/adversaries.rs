//! Members that misbehave are found by their honest fellows, and nobody else is blamed.

use crate::support::{alone, found_all, founded, minutes, no_violation, secs, wanted};
use hive_core::Event;
use hive_policy::Mode;
use hive_policy::conduct::FlagKind;
use hive_sim::fleet::{Adversary, Defect, Fleet, Lie};
use hive_sim::world::LinkFaults;
use hive_sim::{Planted, SimConfig, SimReport, simulate};
use hive_types::Millis;
use hive_types::limits::{LOCK_START_BLOCKS, LOCK_WORD_BLOCKS, LOCKS_PER_MEMBER};

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
    // Blame is durable: a member that crashes before it tells of it stands by it.
    for member in 0..3 {
        let flags = fleet.agents()[member].disk().flags();
        assert!(flags.has(&fleet.node(3), FlagKind::Flooding), "{member}");
    }
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

/// Runs a fleet of four on a small network without faults.
fn small(seed: u64, kinds: Vec<Adversary>, planted: Option<Planted>) -> SimReport {
    let config = SimConfig {
        members: 4,
        minutes: 60,
        faults: false,
        nodes: 40,
        payments_per_hour: 0,
        adversaries: usize::from(!kinds.is_empty()),
        kinds,
        planted,
        ..SimConfig::new(seed)
    };
    simulate(&config, None)
}

fn broken(report: &SimReport) -> Vec<&str> {
    let violations = report.violations.iter();
    let mut rules: Vec<&str> = violations.map(|found| found.checker.as_str()).collect();
    rules.dedup();
    rules
}

/// The defect is in a member that nobody drew as an adversary: to the checker it is honest.
#[test]
fn blame_on_a_member_that_counts_as_honest_is_caught() {
    let clean = small(3, Vec::new(), None);
    assert!(clean.passed, "{:?}", clean.violations);
    assert_eq!(clean.false_flags, 0);
    let flips = Planted::In(2, Defect::RelayFlipped);
    let report = small(3, Vec::new(), Some(flips));
    assert!(report.false_flags > 0);
    let rules = broken(&report);
    assert!(rules.contains(&"no honest member is blamed"), "{rules:?}");
}

#[test]
fn an_adversary_that_nobody_finds_is_caught() {
    let kinds = || vec![Adversary::VoteForger];
    let report = small(3, kinds(), None);
    assert!(report.passed, "{:?}", report.violations);
    assert!(report.adversaries[0].found_after_ms.is_some());
    let report = small(3, kinds(), Some(Planted::TameAdversaries));
    assert_eq!(broken(&report), ["adversaries are found in time"]);
    assert!(!report.adversaries[0].undecided);
}

/// What shows in channels shows to some for a while only; who has it before its eyes for all of the time
/// and says nothing is caught all the same.
#[test]
fn a_cheat_and_a_liar_about_channels_that_nobody_finds_are_caught() {
    for kind in [Adversary::FeeCheat, Adversary::CapacityLiar] {
        let report = small(3, vec![kind], None);
        assert!(report.passed, "{kind:?}: {:?}", report.violations);
        assert!(report.adversaries[0].found_after_ms.is_some(), "{kind:?}");
        let report = small(3, vec![kind], Some(Planted::TameAdversaries));
        assert_eq!(broken(&report), ["adversaries are found in time"]);
        assert!(!report.adversaries[0].undecided, "{kind:?}");
    }
}

/// One that took no lock, or used them all, did nothing to be found by: that is told, not hidden.
#[test]
fn a_squatter_is_found_and_one_that_never_squats_is_undecided() {
    let report = small(12, vec![Adversary::Squatter], None);
    assert!(report.passed, "{:?}", report.violations);
    assert!(report.adversaries[0].found_after_ms.is_some());
    assert!(!report.adversaries[0].undecided);
    let tame = Some(Planted::TameAdversaries);
    let report = small(12, vec![Adversary::Squatter], tame);
    assert!(report.passed, "{:?}", report.violations);
    assert_eq!(report.adversaries[0].found_after_ms, None);
    assert!(report.adversaries[0].undecided);
}

/// Locks of a member that were granted by decisions after this one, and the newest decision.
fn granted_after(fleet: &Fleet, member: usize, slot: u64) -> (usize, u64) {
    let hive = fleet.agents()[0].disk().hive().unwrap();
    let links = fleet.chain().links(&hive).unwrap();
    let newer = links.iter().filter(|(number, _)| **number > slot);
    let locks = newer.flat_map(|(_, link)| link.after.locks().values());
    let mut slots: Vec<u64> = locks
        .filter(|lock| lock.holder == fleet.node(member) && lock.slot.0 > slot)
        .map(|lock| lock.slot.0)
        .collect();
    slots.sort_unstable();
    slots.dedup();
    (slots.len(), *links.keys().next_back().unwrap())
}

#[test]
fn t33_a_squatter_is_blamed_and_gets_no_more_locks() {
    let mut fleet = alone(4, 46, Mode::Autonomous);
    fleet.set_lie(3, Some(Lie::Squats));
    let mut fleet = found_all(fleet);
    fleet.run_for(minutes(20));
    let (taken, _) = granted_after(&fleet, 3, 0);
    assert_eq!(taken, LOCKS_PER_MEMBER);
    assert_eq!(blames(&fleet), [], "they may still be used");
    let late = LOCK_START_BLOCKS + LOCK_WORD_BLOCKS;
    fleet.world_mut().mine(late);
    fleet.run_for(minutes(10));
    assert_eq!(blames(&fleet), all_blame(3, 4, FlagKind::Squatting));
    // Started again it gives them back and asks for more, in vain; others get theirs.
    let (_, head) = granted_after(&fleet, 3, 0);
    fleet.crash(3);
    fleet.boot(3);
    fleet.run_for(minutes(90));
    assert!(!wanted(&mut fleet, 3).is_empty());
    assert_eq!(granted_after(&fleet, 3, head).0, 0);
    let others = (0..3).map(|member| granted_after(&fleet, member, head).0);
    assert!(others.sum::<usize>() > 0);
    no_violation(&fleet);
}
