//! Cases of what is merged.

use crate::support::{
    alone, converge, divide, founded, join, lossy, minutes, no_violation, restored, secs,
};
use hive_core::{Command, Event};
use hive_policy::Mode;
use hive_sim::fleet::Lie;
use hive_types::Millis;

#[test]
fn t08_a_member_that_was_down_for_ten_minutes_has_everything_after_one_reconciliation() {
    let mut fleet = founded(4, 11, Mode::Advisor);
    let node = fleet.node(2);
    fleet.crash(2);
    fleet.world_mut().set_online(node, false).unwrap();
    fleet.run_for(minutes(10));
    fleet.world_mut().set_online(node, true).unwrap();
    fleet.boot(2);
    converge(&mut fleet, minutes(2));
    assert!(!fleet.heard(2, restored));
    no_violation(&fleet);
}

#[test]
fn t09_a_dead_link_makes_nobody_wait() {
    let mut fleet = founded(4, 12, Mode::Advisor);
    // From 0 to 3 nothing arrives, and neither end notices.
    let (from, to) = (fleet.node(0), fleet.node(3));
    fleet.world_mut().set_blocked(from, to, true).unwrap();
    fleet.run_for(minutes(20));
    // What 0 says reaches 3 through others.
    converge(&mut fleet, minutes(3));
    no_violation(&fleet);
}

#[test]
fn t24_records_of_strangers_are_not_kept() {
    let mut fleet = founded(4, 13, Mode::Advisor);
    fleet.command(3, Command::Leave).unwrap();
    fleet.run_for(minutes(10));
    let gone = fleet.node(3);
    for member in 0..3 {
        let records = fleet.agents()[member].disk().stored.records.keys();
        assert_eq!(records.filter(|(author, _)| *author == gone).count(), 0);
    }
    no_violation(&fleet);
}

#[test]
fn t25_two_contents_under_one_version_meet_and_flag_their_author() {
    let mut fleet = founded(5, 14, Mode::Advisor);
    fleet.set_lie(4, Some(Lie::Equivocates));
    fleet.run_for(minutes(40));
    let liar = fleet.node(4);
    for member in 0..4 {
        let saw = |event: &Event| *event == Event::Equivocation { author: liar };
        assert!(fleet.heard(member, saw), "{member}");
    }
    no_violation(&fleet);
}

#[test]
fn t26_a_restored_backup_begins_a_new_epoch_and_converges() {
    let mut fleet = founded(4, 15, Mode::Autonomous);
    let backup = fleet.backup(1);
    fleet.run_for(minutes(30));
    let spent = crate::support::opens(&fleet, 1);
    fleet.restore(1, backup);
    fleet.run_for(minutes(60));
    assert!(fleet.heard(1, restored));
    // What it forgot that it spent, it does not spend again.
    assert_eq!(crate::support::opens(&fleet, 1), spent);
    converge(&mut fleet, minutes(10));
    fleet.judge_quiet();
    no_violation(&fleet);
}

#[test]
fn t26_a_copied_store_stops() {
    let mut fleet = founded(4, 16, Mode::Advisor);
    let copy = fleet.clone_agent(2);
    fleet.run_for(minutes(30));
    let met = |event: &Event| matches!(event, Event::CloneMet);
    assert!(fleet.heard(2, met) || fleet.heard(copy, met));
    no_violation(&fleet);
}

#[test]
fn t27_clocks_that_are_off_change_no_state_and_no_membership() {
    let mut fleet = founded(4, 17, Mode::Advisor);
    let day = 86_400_000;
    for (member, skew) in [(1, 360_000), (2, day), (3, -day)] {
        fleet.set_skew(member, skew);
    }
    fleet.run_for(minutes(60));
    converge(&mut fleet, minutes(5));
    for member in 0..4 {
        assert_eq!(fleet.status(member).members, 4);
    }
    let told = |event: &Event| matches!(event, Event::Alert { text } if text.contains("clock"));
    assert!((0..4).any(|member| fleet.heard(member, told)));
    no_violation(&fleet);
}

#[test]
fn t29_fifty_members_agree_after_loss_and_a_partition() {
    let mut fleet = alone(50, 18, Mode::Advisor);
    fleet.command(0, Command::Init).unwrap();
    fleet.run_for(secs(2));
    for guest in 1..50 {
        join(&mut fleet, guest, 0);
        fleet.run_for(secs(3));
    }
    lossy(&mut fleet, 300_000);
    divide(&mut fleet, |one, other| (one < 20) != (other < 20));
    fleet.run_for(minutes(8));
    assert!(!fleet.unconverged().is_empty());
    divide(&mut fleet, |_, _| false);
    converge(&mut fleet, minutes(20));
    assert_eq!(fleet.status(49).members, 50);
    no_violation(&fleet);
}

#[test]
fn a_member_that_left_comes_back_over_bad_links() {
    for seed in 20..23 {
        let mut fleet = founded(4, seed, Mode::Advisor);
        fleet.keep_lines();
        lossy(&mut fleet, 300_000);
        // The founder meets the seat that it had at the very beginning.
        fleet.command(0, Command::Leave).unwrap();
        fleet.run_for(minutes(3));
        let end = fleet.now().plus(Millis::from_hours(2));
        while fleet.status(0).stage != "member" {
            assert!(fleet.now() < end, "seed {seed}: {:#?}", fleet.take_lines());
            if fleet.status(0).stage == "alone" {
                join(&mut fleet, 0, 1);
            }
            fleet.run_for(minutes(1));
        }
        converge(&mut fleet, minutes(20));
        assert_eq!(fleet.status(0).members, 4);
        no_violation(&fleet);
    }
}
