//! Locks and the rounds that grant them: fairness, loss, partitions, quotas.
#![allow(clippy::unwrap_used, clippy::panic)]

mod decided_support;

use decided_support::net::{Faults, Net};
use decided_support::{Chance, Person, Tip, admit, lock, person, unlock};
use hive_proto::{Ballot, DecisionBody, Epoch, SealDomain, Sealed, Statement, VoteKind, codec};
use hive_state::decided::{DeciderOutput, Folded, Ignored, Invalid, Lenient, LockRefused, WishEnd};
use hive_types::limits::LOCKS_PER_MEMBER;
use hive_types::{BlockHeight, Digest, Elapsed, Millis, NodeId, Tier};

const TIP: u32 = 1_000;

fn target(number: u16) -> NodeId {
    let mut bytes = [2; 33];
    bytes[31..].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes).unwrap()
}

fn lock_on(number: u16) -> DecisionBody {
    lock(target(number), 1, TIP)
}

/// Three sigma of a fair coin thrown so often.
fn even(wins: usize, of: usize) -> bool {
    let off = (2 * wins).abs_diff(of);
    off * off <= 9 * of
}

#[test]
fn an_uncontended_decision_takes_two_round_trips() {
    for members in [3, 5] {
        let mut net = Net::of_full(members, 1);
        let delay = (100, 100);
        net.faults = Faults {
            delay,
            ..Faults::default()
        };
        let before = net.now;
        assert_eq!(net.decide(&person(2), lock_on(1)), WishEnd::Decided);
        assert_eq!(net.now.since(before), Millis::new(4 * 100));
    }
}

#[test]
fn t30_contenders_that_announce_within_a_round_trip_win_evenly() {
    const CONFLICTS: usize = 1_000;
    /// Twice the mean delay of the network below.
    const ROUND_TRIP: u64 = 140;
    let mut net = Net::of_full(3, 30);
    net.judge(&[1, 2, 3], Tip::at(TIP));
    let mut chance = Chance(30);
    let mut first = 0;
    for _ in 0..CONFLICTS {
        net.run_for(Millis::new(1_000));
        let mut contenders = [person(2), person(3)];
        if chance.percent(50) {
            contenders.reverse();
        }
        let [early, late] = contenders;
        let a = net.wish(&early, lock_on(1));
        net.run_for(Millis::new(chance.below(ROUND_TRIP)));
        let b = net.wish(&late, lock_on(1));
        let ends = [net.end_of(&early, a), net.end_of(&late, b)];
        let won = |end: &WishEnd| *end == WishEnd::Decided;
        assert_eq!(ends.iter().filter(|end| won(end)).count(), 1, "{ends:?}");
        let winner = if won(&ends[0]) { &early } else { &late };
        first += usize::from(winner.node == person(2).node);
        assert_eq!(net.decide(winner, unlock(target(1), 1)), WishEnd::Decided);
    }
    assert!(even(first, CONFLICTS), "{first} of {CONFLICTS}");
}

#[test]
fn t30_a_ground_key_gains_nothing() {
    let resource = lock_on(1).resource();
    let rank = |previous: &Digest, node: NodeId| Ballot::new(1, previous, &resource, node).rank;
    let known = Digest::from_bytes([0; 32]);
    let honest = person(1).node;
    // The best of 200 keys for the decision that is known, and for the target.
    let ground = (2..=201).map(|number| person(number).node);
    let ground = ground.max_by_key(|node| rank(&known, *node)).unwrap();
    assert!(rank(&known, ground) > rank(&known, honest));
    let mut chance = Chance(5);
    let wins = (0..1_000)
        .filter(|_| {
            let mut next = [0; 32];
            next.fill_with(|| chance.draw() as u8);
            let next = Digest::from_bytes(next);
            rank(&next, ground) > rank(&next, honest)
        })
        .count();
    assert!(even(wins, 1_000), "{wins} of 1000");
}

/// Replays the chain and sees that no lock was granted on a target that was taken.
fn one_lock_at_a_time(net: &Net) -> usize {
    let mut certificates = net.decided.values();
    let mut folded = Folded::found(certificates.next().unwrap()).unwrap();
    let mut granted = 0;
    for certificate in certificates {
        if let DecisionBody::Lock { target, .. } = &certificate.decision.decision.body {
            assert!(!folded.locks().contains_key(target), "a second lock");
            granted += 1;
        }
        folded.fold(certificate).unwrap();
    }
    granted
}

#[test]
fn t31_lost_statements_and_certificates_leave_one_lock_at_a_time_per_target() {
    let mut net = Net::of_full(5, 31);
    net.judge(&[1, 2, 3, 4, 5], Tip::at(TIP));
    net.faults = Faults {
        loss_percent: 30,
        repeat_percent: 20,
        delay: (20, 2_000),
    };
    let mut granted = 0;
    for round in 0..12 {
        let mut wishes = Vec::new();
        for number in 1..=5 {
            let wanted = lock_on(u16::from((number + round) % 2));
            wishes.push((
                person(number),
                wanted.clone(),
                net.wish(&person(number), wanted),
            ));
        }
        for (who, wanted, id) in wishes {
            match net.end_of(&who, id) {
                WishEnd::Decided => granted += 1,
                WishEnd::Impossible(reason) => assert!(reason.starts_with("taken"), "{reason}"),
                WishEnd::Declined(reason) => assert!(reason.starts_with("taken"), "{reason}"),
            }
            let DecisionBody::Lock { target, .. } = wanted else {
                unreachable!()
            };
            let held = net.sites[&who.node].decider.as_ref().unwrap();
            let held = held.folded().locks().get(&target);
            if held.is_some_and(|lock| lock.holder == who.node) {
                assert_eq!(net.decide(&who, unlock(target, 1)), WishEnd::Decided);
            }
        }
    }
    net.settle();
    assert_eq!(one_lock_at_a_time(&net), granted);
    assert!(granted >= 12, "{granted}");
}

#[test]
fn t32_an_intent_after_a_commit_is_answered_taken_until_the_channel_is_seen() {
    let mut net = Net::of_full(3, 32);
    net.judge(&[1, 2, 3], Tip::at(TIP));
    assert_eq!(net.decide(&person(2), lock_on(1)), WishEnd::Decided);
    let taken = LockRefused::Taken {
        holder: person(2).node,
        until: BlockHeight::new(TIP + 144),
    };
    let taken = WishEnd::Impossible(taken.to_string());
    net.settle();
    assert_eq!(net.decide(&person(3), lock_on(1)), taken);
    net.run_for(Millis::from_hours(48));
    assert_eq!(net.decide(&person(3), lock_on(1)), taken);
    let seen = Tip {
        height: TIP,
        channel_seen: true,
    };
    net.judge(&[3], seen);
    let declined = net.decide(&person(3), lock_on(1));
    assert!(matches!(declined, WishEnd::Declined(reason) if reason.starts_with("taken")));
    net.judge(&[1, 2, 3], seen);
    assert_eq!(net.decide(&person(3), lock_on(1)), WishEnd::Decided);
}

#[test]
fn t33_a_lock_without_end_is_capped_and_a_member_holds_few() {
    let mut net = Net::of_full(3, 33);
    net.judge(&[1, 3], Tip::at(TIP));
    net.judge(&[2], Lenient);
    // The squatter names a height far above everybody's tip; the others decline.
    let endless = lock(target(1), 1, u32::MAX);
    let end = net.decide(&person(2), endless);
    assert!(matches!(end, WishEnd::Declined(reason) if reason.contains("names block")));
    for number in 0..LOCKS_PER_MEMBER as u16 {
        assert_eq!(
            net.decide(&person(2), lock_on(10 + number)),
            WishEnd::Decided
        );
    }
    let end = net.decide(&person(2), lock_on(20));
    assert_eq!(end, WishEnd::Impossible(Invalid::LockQuota.to_string()));
    let end = net.decide(&person(2), unlock(target(10), 1));
    assert_eq!(end, WishEnd::Decided);
    assert_eq!(net.decide(&person(2), lock_on(20)), WishEnd::Decided);
}

fn prepare(by: &Person, net: &Net, round: u32, number: u16) -> Sealed {
    let folded = net.folded(1);
    let (slot, previous) = (folded.head().next(), *folded.head_hash());
    let resource = lock_on(number).resource();
    let prepare = Statement::Prepare {
        slot,
        previous,
        ballot: Ballot::new(round, &previous, &resource, by.node),
        resource,
    };
    seal(by, net, &prepare)
}

fn seal(by: &Person, net: &Net, statement: &Statement) -> Sealed {
    let bytes = codec::encode(statement);
    let secret = by.secret(1);
    Sealed::new(
        &secret,
        SealDomain::Statement,
        &net.hive,
        by.node,
        Epoch(1),
        bytes,
    )
}

fn ignored(outputs: &[DeciderOutput]) -> Option<Ignored> {
    outputs.iter().find_map(|output| match output {
        DeciderOutput::Ignored { why, .. } => Some(*why),
        _ => None,
    })
}

#[test]
fn t33_a_member_asks_for_few_things_in_one_slot() {
    let mut net = Net::of_full(3, 34);
    let squatter = person(2);
    let mut refused = 0;
    for number in 0..20 {
        let sealed = prepare(&squatter, &net, 1 + u32::from(number), number);
        let outputs = net.decider_mut(1).handle(Elapsed::ZERO, &sealed, &Lenient);
        refused += usize::from(ignored(&outputs) == Some(Ignored::Quota));
    }
    assert_eq!(refused, 12);
}

#[test]
fn a_round_near_the_end_locks_nobody_out() {
    let mut net = Net::of_full(3, 35);
    let sealed = prepare(&person(2), &net, u32::MAX, 1);
    for number in [1, 3] {
        let outputs = net
            .decider_mut(number)
            .handle(Elapsed::ZERO, &sealed, &Lenient);
        assert_eq!(ignored(&outputs), Some(Ignored::Ballot));
    }
    assert_eq!(net.decide(&person(1), lock_on(1)), WishEnd::Decided);
}

#[test]
fn a_rank_that_does_not_follow_is_no_ballot() {
    let mut net = Net::of_full(3, 36);
    let Statement::Prepare {
        slot,
        previous,
        mut ballot,
        resource,
    } = codec::decode(&prepare(&person(2), &net, 1, 1).body).unwrap()
    else {
        unreachable!()
    };
    ballot.rank = Digest::from_bytes([0xff; 32]);
    let forged = Statement::Prepare {
        slot,
        previous,
        ballot,
        resource,
    };
    let sealed = seal(&person(2), &net, &forged);
    let outputs = net.decider_mut(1).handle(Elapsed::ZERO, &sealed, &Lenient);
    assert_eq!(ignored(&outputs), Some(Ignored::Ballot));
    // Prepared for one thing and proposed for another.
    let sealed = prepare(&person(2), &net, 1, 1);
    net.decider_mut(1).handle(Elapsed::ZERO, &sealed, &Lenient);
    let foreign = seal(&person(3), &net, &forged);
    let outputs = net.decider_mut(1).handle(Elapsed::ZERO, &foreign, &Lenient);
    assert_eq!(ignored(&outputs), Some(Ignored::Ballot));
}

#[test]
fn t37_only_the_side_with_a_majority_decides() {
    let mut net = Net::of_full(5, 37);
    net.judge(&[1, 2, 3, 4, 5], Tip::at(TIP));
    net.partition(&[1, 2]);
    let minority = net.wish(&person(1), lock_on(1));
    let head = net.folded(1).head();
    assert_eq!(net.decide(&person(4), lock_on(1)), WishEnd::Decided);
    net.run_for(Millis::from_hours(1));
    assert_eq!(net.folded(1).head(), head);
    assert_eq!(net.folded(2).head(), head);
    net.heal();
    let end = net.end_of(&person(1), minority);
    assert!(matches!(end, WishEnd::Impossible(reason) if reason.starts_with("taken")));
    net.settle();
    assert_eq!(one_lock_at_a_time(&net), 1);
}

#[test]
fn t37_of_two_members_the_founder_decides() {
    let mut net = Net::of_full(2, 38);
    net.judge(&[1, 2], Tip::at(TIP));
    net.partition(&[1]);
    let other = net.wish(&person(2), lock_on(1));
    net.run_for(Millis::from_hours(1));
    assert!(net.folded(2).locks().is_empty());
    assert_eq!(net.decide(&person(1), lock_on(1)), WishEnd::Decided);
    net.heal();
    let end = net.end_of(&person(2), other);
    assert!(matches!(end, WishEnd::Impossible(reason) if reason.starts_with("taken")));
    assert_eq!(net.decide(&person(2), lock_on(2)), WishEnd::Decided);
}

#[test]
fn t37_while_the_roster_changes_one_side_decides() {
    let mut net = Net::of_full(3, 39);
    net.partition(&[1]);
    let alone = net.wish(&person(1), lock_on(1));
    let folded = net.folded(2).clone();
    let out = person(1).node;
    let votes = [2, 3].map(|number| person(number).vote(VoteKind::Expel, out, &folded));
    let votes = votes.to_vec();
    let expel = DecisionBody::Expel { node: out, votes };
    assert_eq!(net.decide(&person(2), expel), WishEnd::Decided);
    assert_eq!(net.decide(&person(3), lock_on(1)), WishEnd::Decided);
    // Two are left and the founder is none of them: neither decides alone.
    net.partition(&[2]);
    let single = net.wish(&person(2), lock_on(2));
    net.run_for(Millis::from_hours(1));
    assert!(!net.folded(2).locks().contains_key(&target(2)));
    assert_eq!(net.folded(1).head(), folded.head());
    net.heal();
    assert_eq!(net.end_of(&person(2), single), WishEnd::Decided);
    let reason = Invalid::Author(out).to_string();
    assert_eq!(net.end_of(&person(1), alone), WishEnd::Impossible(reason));
}

#[test]
fn t16_the_last_place_goes_to_one_of_two_across_a_partition() {
    let mut net = Net::founded_for(40, 6);
    (2..=5).for_each(|number| net.join(number));
    net.partition(&[1, 2]);
    let guest = |net: &Net, by: u8, number| {
        let ticket = person(by).ticket(net.hive, number, Tier::Probationary, None);
        admit(ticket, &person(number), net.hive, 1)
    };
    let (one, other) = (guest(&net, 2, 11), guest(&net, 4, 12));
    let a = net.wish(&person(2), one);
    let b = net.wish(&person(4), other);
    net.run_for(Millis::from_secs(60));
    net.heal();
    assert_eq!(net.end_of(&person(4), b), WishEnd::Decided);
    let full = WishEnd::Impossible(Invalid::Full.to_string());
    assert_eq!(net.end_of(&person(2), a), full);
    net.settle();
    assert_eq!(net.folded(1).members().len(), 6);
}
