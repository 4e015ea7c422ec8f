//! Each checker finds the defect that was put in for it.

use crate::support::{divide, found, founded, lossy, minutes, no_violation, opens, secs};
use hive_core::Command;
use hive_policy::Mode;
use hive_sim::fleet::{Defect, Fleet, Lie};
use hive_types::{ChannelPolicy, Ppm, Sat};

/// A fleet whose first member has a defect, after an hour.
fn with(defect: Defect) -> Fleet {
    let mut fleet = founded(4, 5, Mode::Autonomous);
    no_violation(&fleet);
    fleet.set_defect(0, Some(defect));
    fleet.run_for(minutes(60));
    fleet
}

fn expect(fleet: &Fleet, checker: &str) {
    assert!(
        found(fleet, checker),
        "{checker}: {:#?}",
        fleet.violations()
    );
}

#[test]
fn a_fleet_without_defects_breaks_no_rule() {
    let mut fleet = founded(4, 5, Mode::Autonomous);
    fleet.run_for(minutes(100));
    assert!((0..4).all(|member| opens(&fleet, member) > 0));
    fleet.judge_quiet();
    no_violation(&fleet);
}

#[test]
fn what_is_announced_and_not_stored_is_found() {
    expect(&with(Defect::NothingStored), "announced is durable");
    expect(&with(Defect::AcceptorNotStored), "announced is durable");
}

#[test]
fn lowered_versions_are_found() {
    expect(
        &with(Defect::VersionsLowered),
        "own version never goes back",
    );
}

#[test]
fn flipped_bits_are_found() {
    expect(&with(Defect::RelayFlipped), "relayed bytes identical");
}

/// It shows where two want the same slot and an answer is lost, which not every seed brings about.
#[test]
fn hidden_acceptances_are_found() {
    let rule = "no promise forgotten";
    let is_found = |seed| {
        let mut fleet = founded(4, seed, Mode::Autonomous);
        (0..4).for_each(|member| fleet.set_defect(member, Some(Defect::AcceptancesHidden)));
        lossy(&mut fleet, 300_000);
        fleet.run_for(minutes(60));
        found(&fleet, rule)
    };
    assert!((5..25).any(is_found), "{rule}");
}

#[test]
fn a_table_that_is_not_the_roster_is_found() {
    let mut fleet = founded(3, 5, Mode::Advisor);
    fleet.set_defect(0, Some(Defect::MembersNotStored));
    fleet.command(1, Command::RotateKey).unwrap();
    fleet.run_for(minutes(5));
    expect(&fleet, "rosters are prefixes of one chain");
}

#[test]
fn an_unwanted_departure_is_found() {
    let mut fleet = founded(3, 5, Mode::Advisor);
    fleet.command_unasked(2, Command::Leave).unwrap();
    fleet.run_for(minutes(5));
    expect(
        &fleet,
        "no honest member out without departure or certificate",
    );
}

#[test]
fn a_flagged_honest_author_is_found() {
    let mut fleet = founded(4, 5, Mode::Advisor);
    fleet.set_lie(0, Some(Lie::Equivocates));
    fleet.pretend_honest(0);
    fleet.run_for(minutes(15));
    expect(&fleet, "no honest author flagged");
}

#[test]
fn a_second_channel_for_one_lock_is_found() {
    let fleet = with(Defect::OpensTwice);
    expect(&fleet, "every funding had its certificate");
    expect(&fleet, "nothing without a permit, one effect per action");
}

#[test]
fn a_channel_without_a_lock_is_found() {
    let mut fleet = founded(3, 5, Mode::Advisor);
    let (node, peer) = (fleet.node(0), fleet.node(1));
    let world = fleet.world_mut();
    let inputs = world.utxos(node).unwrap();
    let inputs: Vec<_> = inputs.iter().map(|utxo| utxo.outpoint).collect();
    let feerate = world.feerate();
    world
        .open_channel(node, peer, Sat::new(1_000_000), &inputs, feerate, true)
        .unwrap();
    fleet.run_for(secs(10));
    expect(&fleet, "every funding had its certificate");
    expect(&fleet, "nothing without a permit, one effect per action");
}

/// It shows when the member opens once more, which not every seed brings about within the hour.
#[test]
fn a_channel_to_a_target_that_another_holds_is_found() {
    let rules = [
        "every funding had its certificate",
        "no resource opened twice",
    ];
    let are_found = |seed| {
        let mut honest = founded(4, seed, Mode::Autonomous);
        honest.run_for(minutes(60));
        let node = honest.node(0);
        let mut fundings = honest.world().fundings().iter();
        let of_another = fundings.find(|funding| funding.opener != node);
        let Some(target) = of_another.map(|funding| funding.target) else {
            return false;
        };
        let mut fleet = founded(4, seed, Mode::Autonomous);
        fleet.set_defect(0, Some(Defect::OpensTo(target)));
        fleet.run_for(minutes(60));
        rules.iter().all(|rule| found(&fleet, rule))
    };
    assert!((5..25).any(are_found), "{rules:?}");
}

#[test]
fn a_fee_above_the_permit_is_found() {
    let fleet = with(Defect::Overpays);
    expect(&fleet, "nothing without a permit, one effect per action");
    expect(&fleet, "no budget exceeded");
}

#[test]
fn a_policy_that_no_action_set_is_found() {
    let mut fleet = founded(3, 5, Mode::Advisor);
    fleet.run_for(minutes(12));
    let node = fleet.node(0);
    let channel = fleet.world().snapshot(node).unwrap().channels[0].clone();
    let policy = ChannelPolicy {
        rate: Ppm::new(4_321),
        ..channel.local_policy.unwrap()
    };
    let world = fleet.world_mut();
    world.set_policy(node, channel.channel_id, policy).unwrap();
    fleet.run_for(minutes(12));
    expect(&fleet, "policies change by permit only");
}

#[test]
fn an_action_that_never_ends_is_found() {
    let mut fleet = founded(4, 5, Mode::Autonomous);
    (0..4).for_each(|member| fleet.set_defect(member, Some(Defect::NeverActs)));
    fleet.run_for(minutes(100));
    fleet.judge_quiet();
    expect(&fleet, "every intent and reservation ends");
}

#[test]
fn a_flood_of_own_frames_is_found() {
    let mut fleet = founded(3, 5, Mode::Advisor);
    fleet.set_defect(0, Some(Defect::Stutters(1_300)));
    fleet.run_for(minutes(1));
    expect(&fleet, "memory and output bounded");
}

#[test]
fn an_open_that_is_announced_again_and_again_is_found() {
    let mut fleet = founded(3, 5, Mode::Advisor);
    let target = fleet.node(1);
    fleet.set_defect(0, Some(Defect::Announces(target)));
    fleet.run_for(minutes(60));
    expect(&fleet, "announced opens are steady");
}

#[test]
fn a_member_that_lacks_the_newest_is_found() {
    let mut fleet = founded(4, 5, Mode::Advisor);
    divide(&mut fleet, |one, other| (one == 3) != (other == 3));
    fleet.run_for(minutes(12));
    fleet.judge_quiet();
    expect(&fleet, "converged means newest");
}
