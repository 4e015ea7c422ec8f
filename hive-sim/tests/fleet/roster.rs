//! Cases of who is in.

use crate::support::{alone, converge, divide, founded, join, minutes, no_violation, secs, ticket};
use hive_core::{Command, Event};
use hive_policy::Mode;
use hive_sim::fleet::CrashPoint;
use hive_types::{NodeId, UnixMillis};

fn roster(fleet: &hive_sim::fleet::Fleet, member: usize) -> Vec<NodeId> {
    let rows = fleet.agents()[member].disk().stored.members.keys();
    rows.copied().collect()
}

#[test]
fn t12_a_ticket_admits_one_node_also_after_a_partition_heals() {
    let mut fleet = alone(6, 31, Mode::Advisor);
    fleet.command(0, Command::Init).unwrap();
    fleet.run_for(secs(2));
    for guest in 1..4 {
        join(&mut fleet, guest, 0);
        fleet.run_for(secs(8));
    }
    fleet.run_for(minutes(1));
    crate::support::promote(&mut fleet, 3);
    let ticket = ticket(&mut fleet, 0);
    // 4 stands with the issuer, 5 with the majority; only the issuer knows the ticket.
    divide(&mut fleet, |one, other| {
        ([0, 4].contains(&one)) != ([0, 4].contains(&other))
    });
    for guest in [4, 5] {
        let ticket = ticket.clone();
        fleet.command(guest, Command::Join { ticket }).unwrap();
    }
    fleet.run_for(minutes(5));
    divide(&mut fleet, |_, _| false);
    for guest in [4, 5] {
        let ticket = ticket.clone();
        let _ = fleet.command(guest, Command::Join { ticket });
    }
    fleet.run_for(minutes(10));
    converge(&mut fleet, minutes(10));
    let seated = roster(&fleet, 0);
    let in_both = [4, 5].map(|guest| seated.contains(&fleet.node(guest)));
    assert_eq!(
        in_both.iter().filter(|is_in| **is_in).count(),
        1,
        "{in_both:?}"
    );
    no_violation(&fleet);
}

#[test]
fn t16_of_two_that_join_on_two_sides_the_fiftyfirst_is_refused() {
    let mut fleet = alone(51, 32, Mode::Advisor);
    fleet.command(0, Command::Init).unwrap();
    fleet.run_for(secs(2));
    for guest in 1..49 {
        join(&mut fleet, guest, 0);
        fleet.run_for(secs(3));
    }
    assert_eq!(fleet.status(0).members, 49);
    // Two full members on one side with one candidate, the third on the other side with the other.
    let tickets = [ticket(&mut fleet, 0), ticket(&mut fleet, 2)];
    let left = |index: usize| index % 2 == 1 && index != 1;
    divide(&mut fleet, |one, other| {
        let side = |index: usize| index == 2 || index == 50 || (left(index) && index < 49);
        side(one) != side(other)
    });
    for (guest, ticket) in [49, 50].into_iter().zip(tickets.clone()) {
        fleet.command(guest, Command::Join { ticket }).unwrap();
    }
    fleet.run_for(minutes(3));
    divide(&mut fleet, |_, _| false);
    for (guest, ticket) in [49, 50].into_iter().zip(tickets) {
        let _ = fleet.command(guest, Command::Join { ticket });
    }
    fleet.run_for(minutes(5));
    assert_eq!(fleet.status(0).members, 50);
    converge(&mut fleet, minutes(10));
    let seated = roster(&fleet, 0);
    assert_eq!(seated.len(), 50);
    assert!(seated.contains(&fleet.node(49)) != seated.contains(&fleet.node(50)));
    no_violation(&fleet);
}

#[test]
fn t17_who_left_stays_out_although_a_stale_member_speaks() {
    let mut fleet = founded(4, 33, Mode::Advisor);
    // 2 hears nothing while 3 leaves.
    divide(&mut fleet, |one, other| (one == 2) != (other == 2));
    fleet.command(3, Command::Leave).unwrap();
    fleet.run_for(minutes(5));
    let gone = fleet.node(3);
    assert!(roster(&fleet, 2).contains(&gone));
    divide(&mut fleet, |_, _| false);
    fleet.run_for(minutes(10));
    for member in 0..3 {
        assert!(!roster(&fleet, member).contains(&gone), "{member}");
    }
    join(&mut fleet, 3, 0);
    fleet.run_for(minutes(2));
    assert!(roster(&fleet, 0).contains(&gone));
    converge(&mut fleet, minutes(5));
    no_violation(&fleet);
}

#[test]
fn t62_who_leaves_out_of_reach_is_out_once_it_is_heard_and_may_come_back() {
    let mut fleet = founded(4, 37, Mode::Advisor);
    divide(&mut fleet, |one, other| (one == 3) != (other == 3));
    fleet.command(3, Command::Leave).unwrap();
    fleet.run_for(minutes(5));
    let gone = fleet.node(3);
    assert_eq!(fleet.status(3).stage, "alone");
    assert!(roster(&fleet, 0).contains(&gone));
    divide(&mut fleet, |_, _| false);
    fleet.run_for(minutes(5));
    assert!(!roster(&fleet, 0).contains(&gone));
    join(&mut fleet, 3, 0);
    fleet.run_for(minutes(2));
    assert!(roster(&fleet, 0).contains(&gone));
    converge(&mut fleet, minutes(5));
    no_violation(&fleet);
}

fn expel(fleet: &mut hive_sim::fleet::Fleet, by: &[usize], whom: usize) {
    let node = fleet.node(whom);
    for voter in by {
        let reason = "test".to_owned();
        fleet
            .command(*voter, Command::Expel { node, reason })
            .unwrap();
    }
}

#[test]
fn t18_an_expelled_member_never_comes_back() {
    let mut fleet = founded(4, 34, Mode::Advisor);
    expel(&mut fleet, &[0, 1, 2], 3);
    fleet.run_for(minutes(5));
    let out = fleet.node(3);
    assert!(!roster(&fleet, 0).contains(&out));
    assert_eq!(fleet.status(3).stage, "alone");
    join(&mut fleet, 3, 0);
    fleet.run_for(minutes(10));
    assert!(!roster(&fleet, 0).contains(&out));
    assert_ne!(fleet.status(3).stage, "member");
    no_violation(&fleet);
}

/// Votes a member out, which may hear the last acceptance before all others: then it forgets its fleet
/// before anybody else has the decision on disk. Returns when that was, if it was the first; the seed
/// draws who is. The member crashes over its next write from `crash` on.
fn expelled(seed: u8, crash: Option<UnixMillis>) -> Option<UnixMillis> {
    let mut fleet = founded(4, seed, Mode::Advisor);
    expel(&mut fleet, &[0, 1, 2], 3);
    let end = fleet.now().plus(minutes(5));
    if let Some(crash) = crash {
        fleet.run_until(crash);
        fleet.crash_at(3, CrashPoint::AfterWrite);
    }
    fleet.run_until(end);
    let out = fleet.node(3);
    for member in 0..3 {
        assert!(!roster(&fleet, member).contains(&out), "{seed}: {member}");
    }
    assert_eq!(fleet.agents()[3].disk().hive(), None, "{seed}");
    assert_eq!(fleet.agents()[3].is_up(), crash.is_none(), "{seed}");
    no_violation(&fleet);
    let mut events = fleet.events().iter();
    let told = events.find(|(_, _, event)| matches!(event, Event::MemberExpelled { .. }));
    told.and_then(|(at, by, _)| (*by == 3).then_some(*at))
}

#[test]
fn t18_the_expelled_may_be_the_first_to_know_and_crash_over_it() {
    let firsts = (0..12).filter_map(|seed| Some((seed, expelled(seed, None)?)));
    let firsts: Vec<(u8, UnixMillis)> = firsts.collect();
    assert!((1..12).contains(&firsts.len()), "{firsts:?}");
    for (seed, at) in firsts {
        // Nothing that it would have told has left.
        let before = UnixMillis::new(at.get() - 1);
        assert_eq!(expelled(seed, Some(before)), None, "{seed}");
    }
}

#[test]
fn t47_a_member_that_was_away_learns_a_vote_with_its_proof() {
    let mut fleet = founded(5, 35, Mode::Advisor);
    let node = fleet.node(4);
    fleet.crash(4);
    fleet.world_mut().set_online(node, false).unwrap();
    expel(&mut fleet, &[0, 1, 2], 3);
    fleet.run_for(minutes(5));
    fleet.world_mut().set_online(node, true).unwrap();
    fleet.boot(4);
    fleet.run_for(minutes(3));
    assert_eq!(roster(&fleet, 4), roster(&fleet, 0));
    assert!(!roster(&fleet, 4).contains(&fleet.node(3)));
    no_violation(&fleet);
}

#[test]
fn t62_who_leaves_frees_its_locks_and_restores_its_fees() {
    let mut fleet = founded(4, 36, Mode::Autonomous);
    fleet.run_for(minutes(18));
    let held = |fleet: &hive_sim::fleet::Fleet, member: usize| {
        let hive = fleet.agents()[member]
            .disk()
            .manifest()
            .unwrap()
            .certification()
            .hive;
        let newest = fleet.chain().newest(&hive).unwrap();
        let locks = newest.after.locks().values();
        locks.map(|lock| lock.holder).collect::<Vec<_>>()
    };
    let leaver = fleet.node(2);
    fleet.command(2, Command::Leave).unwrap();
    fleet.run_for(minutes(10));
    assert!(!held(&fleet, 0).contains(&leaver));
    assert!(fleet.agents()[2].disk().stored.saved_fees.is_empty());
    assert_eq!(fleet.status(2).stage, "alone");
    // The others leave one after the other, and the last one can.
    for member in [3, 1, 0] {
        fleet.command(member, Command::Leave).unwrap();
        fleet.run_for(minutes(3));
        assert_eq!(fleet.status(member).stage, "alone", "{member}");
    }
    no_violation(&fleet);
}
