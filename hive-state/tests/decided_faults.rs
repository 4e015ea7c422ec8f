//! Crashes, restarts, lost keys, departures, checkpoints and lies.
#![allow(clippy::unwrap_used, clippy::panic)]

mod decided_support;

use decided_support::net::{Faults, Net};
use decided_support::{Chance, Tip, admit, found, lock, person};
use hive_proto::{
    Acceptance, Ballot, Certificate, Decision, DecisionBody, Epoch, SealDomain, Sealed,
    SignedDecision, Slot, Statement, codec,
};
use hive_state::decided::{
    Chain, ChainReply, Decider, DeciderOutput, Folded, Identity, Ignored, Judge, LearnError,
    Lenient, RestoreError, Restored, SnapshotError, Standing, WishEnd, verify,
};
use hive_types::limits::{CHECKPOINT_EVERY, FRAME_BYTES};
use hive_types::{Elapsed, Millis, NodeId, Tier};
use proptest::prelude::*;

fn target(number: u8) -> NodeId {
    let mut bytes = [2; 33];
    bytes[32] = number;
    NodeId::from_bytes(bytes).unwrap()
}

#[derive(Clone, Debug)]
enum Event {
    Wish(u8, u8),
    Run(u16),
    CrashWithin(u8, u8),
    Restart(u8),
    Split(u8),
    Heal,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..=5u8, 0..4u8).prop_map(|(by, on)| Event::Wish(by, on)),
        4 => (1..4_000u16).prop_map(Event::Run),
        2 => (1..=5u8, 0..6u8).prop_map(|(who, after)| Event::CrashWithin(who, after)),
        2 => (1..=5u8).prop_map(Event::Restart),
        1 => (0..32u8).prop_map(Event::Split),
        1 => Just(Event::Heal),
    ]
}

fn play(net: &mut Net, event: &Event, members: u8) {
    match event {
        Event::Wish(by, on) if *by <= members => {
            let site = net.sites.get_mut(&person(*by).node).unwrap();
            if let Some(decider) = &mut site.decider {
                let _ = decider.wish(lock(target(*on), 1, 100));
            }
        }
        Event::Run(millis) => net.run_for(Millis::new((*millis).into())),
        Event::CrashWithin(who, after) if *who <= members => {
            net.crash = Some((person(*who).node, (*after).into()));
        }
        Event::Restart(who) if *who <= members => {
            let node = person(*who).node;
            if net.sites[&node].decider.is_none() {
                net.restart(node);
            }
        }
        Event::Split(bits) => {
            let side: Vec<u8> = (1..=members).filter(|n| bits >> (n - 1) & 1 == 1).collect();
            net.heal();
            net.partition(&side);
        }
        Event::Heal => net.heal(),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// The network itself refuses a second decision under one number; after the faults have stopped,
    /// everybody holds one chain and a wish comes through.
    #[test]
    fn any_schedule_leaves_one_decision_per_number(
        members in 1..=5u8,
        seed: u64,
        loss in 0..50u64,
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut net = Net::of_full(members, seed);
        let numbers: Vec<u8> = (1..=members).collect();
        net.judge(&numbers, Tip::at(100));
        net.faults = Faults { loss_percent: loss, repeat_percent: 20, delay: (5, 3_000) };
        for event in &events {
            play(&mut net, event, members);
        }
        net.crash = None;
        net.heal();
        net.faults = Faults { delay: (20, 120), ..Faults::default() };
        for number in &numbers {
            let node = person(*number).node;
            if net.sites[&node].decider.is_none() {
                net.restart(node);
            }
        }
        net.run_for(Millis::from_secs(600));
        let last = person(members);
        let ticket = last.ticket(net.hive, 200, Tier::Probationary, None);
        let guest = admit(ticket, &person(60), net.hive, 1);
        prop_assert_eq!(net.decide(&last, guest), WishEnd::Decided);
        net.settle();
        for number in &numbers {
            prop_assert_eq!(net.folded(*number).state_hash(), net.folded(1).state_hash());
        }
    }

    #[test]
    fn a_state_has_one_encoding(steps in prop::collection::vec(0..200u8, 0..20)) {
        let founder = person(1);
        let mut decider = found(&founder, 50);
        let hive = *decider.folded().hive();
        for step in steps {
            let body = match step {
                0..100 => lock(target(step), 1, 100),
                _ => {
                    let ticket = founder.ticket(hive, step, Tier::Probationary, None);
                    admit(ticket, &person(step), hive, 1)
                }
            };
            decider.wish(body).unwrap();
            decider.tick(Elapsed::ZERO, &Lenient);
        }
        let bytes = decider.folded().encode();
        let back = Folded::decode(&bytes).unwrap();
        prop_assert_eq!(back.encode(), bytes.clone());
        prop_assert_eq!(back.state_hash(), decider.folded().state_hash());
        prop_assert_eq!(back.roster_hash(), decider.folded().roster_hash());
        prop_assert!(Folded::decode(&bytes[1..]).is_err());
    }
}

/// Declines every lock, whoever asks.
#[derive(Clone, Copy)]
struct NoLocks;

impl Judge for NoLocks {
    fn judge(&self, _: &Folded, decision: &Decision, _: Standing) -> Result<(), String> {
        match decision.body {
            DecisionBody::Lock { .. } => Err("not now".into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn what_too_few_accepted_stands_in_nobodys_way() {
    let mut net = Net::of_full(3, 50);
    net.judge(&[1, 3], NoLocks);
    let end = net.decide(&person(2), lock(target(1), 1, 100));
    assert_eq!(end, WishEnd::Declined("not now".into()));
    // Member 2 accepted its own wish; the others go on without it.
    assert_eq!(
        net.decide(&person(3), person(3).depart(net.hive)),
        WishEnd::Decided
    );
    net.settle();
    assert!(net.folded(1).locks().is_empty());
}

#[test]
fn what_its_proposer_left_behind_is_finished_by_others() {
    let mut net = Net::of_full(3, 51);
    let proposer = person(2).node;
    let delay = (100, 100);
    net.faults = Faults {
        delay,
        ..Faults::default()
    };
    net.wish(&person(2), lock(target(1), 1, 100));
    // Both others have accepted; their word has not arrived.
    net.run_for(Millis::new(350));
    assert!(net.folded(1).locks().is_empty() && net.folded(2).locks().is_empty());
    net.crash(proposer);
    net.run_for(Millis::from_secs(120));
    assert!(net.folded(1).locks().contains_key(&target(1)));
    assert!(net.folded(3).locks().contains_key(&target(1)));
}

#[test]
fn a_driver_that_forgets_what_it_persisted_is_found() {
    // One schedule, on a disk that keeps the acceptor's state and on one that loses it.
    let play = |keeps: bool| {
        let mut net = Net::of_full(3, 1);
        net.partition(&[1, 2]);
        net.wish(&person(2), lock(target(1), 1, 100));
        let delay = (100, 100);
        net.faults = Faults {
            delay,
            ..Faults::default()
        };
        // Member 1 has accepted and its word is on the way; then it starts anew.
        net.run_for(Millis::new(350));
        let node = person(1).node;
        net.crash(node);
        if !keeps {
            net.sites.get_mut(&node).unwrap().disk.acceptor = None;
        }
        net.restart(node);
        net.heal();
        net.partition(&[2]);
        net.wish(&person(3), lock(target(2), 1, 100));
        net.run_for(Millis::from_secs(60));
    };
    play(true);
    let found = std::panic::catch_unwind(|| play(false)).unwrap_err();
    let words = found.downcast_ref::<String>().unwrap();
    assert!(words.contains("two decisions have one number"), "{words}");
}

#[test]
fn who_may_not_take_part_says_nothing() {
    let mut net = Net::of_full(3, 52);
    net.decider_mut(3).may_take_part(false);
    net.decider_mut(3).wish(lock(target(2), 1, 100)).unwrap();
    assert_eq!(net.decider(3).next_wake(), Elapsed::NEVER);
    net.crash(person(2).node);
    net.wish(&person(1), lock(target(1), 1, 100));
    net.run_for(Millis::from_secs(300));
    assert!(net.folded(1).locks().is_empty());
    assert!(net.folded(3).locks().is_empty());
    net.decider_mut(3).may_take_part(true);
    net.run_for(Millis::from_secs(300));
    assert_eq!(net.folded(1).locks().len(), 2);
}

#[test]
fn a_departure_ends_acceptances_at_once() {
    let mut net = Net::of_full(3, 53);
    let leaver = person(3);
    net.crash(person(2).node);
    for number in [1, 3] {
        let _ = net.decider_mut(number).note_departure(leaver.node);
    }
    net.wish(&person(1), lock(target(1), 1, 100));
    net.run_for(Millis::from_secs(300));
    assert!(
        net.folded(1).locks().is_empty(),
        "two of three, one has left"
    );
    let refused = net.decider_mut(3).wish(lock(target(2), 1, 100));
    assert!(refused.is_ok());
    // It still carries its own departure; then the rest decides by its own number.
    let depart = leaver.depart(net.hive);
    net.decider_mut(3).wish(depart).unwrap();
    net.run_for(Millis::from_secs(300));
    assert!(net.folded(1).member(&leaver.node).is_none());
    assert!(net.folded(1).locks().contains_key(&target(1)));
    assert!(!net.folded(1).locks().contains_key(&target(2)));
}

#[test]
fn a_new_key_takes_over_and_the_old_one_is_heard_no_more() {
    let mut net = Net::of_full(3, 54);
    let member = person(2);
    let manifest = member.manifest(net.hive, 2);
    let verified = manifest.verify(&net.hive, net.folded(1).network()).unwrap();
    let id = net
        .decider_mut(2)
        .rotate(&verified, member.secret(2))
        .unwrap();
    assert_eq!(net.end_of(&member, id), WishEnd::Decided);
    net.settle();
    assert_eq!(net.decider(2).identity().epoch, Epoch(2));
    assert_eq!(net.folded(1).member(&member.node).unwrap().epoch, Epoch(2));
    assert_eq!(
        net.decide(&member, lock(target(1), 1, 100)),
        WishEnd::Decided
    );
    let old = Sealed::new(
        &member.secret(1),
        SealDomain::Statement,
        &net.hive,
        member.node,
        Epoch(1),
        codec::encode(&Statement::Behind {
            slot: net.folded(1).head().next(),
            ballot: net.decided[&Slot(1)].ballot,
            promised: net.decided[&Slot(1)].ballot,
        }),
    );
    let outputs = net.decider_mut(1).handle(Elapsed::ZERO, &old, &Lenient);
    let from = member.node;
    let why = Ignored::Epoch;
    assert_eq!(outputs, [DeciderOutput::Ignored { from, why }]);
}

/// A member that lost its old key begins a new epoch from its stored chain.
fn restored_with_new_key(net: &mut Net, number: u8) {
    let who = person(number);
    net.crash(who.node);
    net.sites.get_mut(&who.node).unwrap().disk.acceptor = None;
    net.sites.get_mut(&who.node).unwrap().identity = who.identity(2);
    net.restart(who.node);
    tell_of_new_key(net, number);
}

/// What gossip does, again after each restart.
fn tell_of_new_key(net: &mut Net, number: u8) {
    let who = person(number);
    let (hive, network) = (net.hive, net.folded(number).network());
    let manifest = who.manifest(hive, 2).verify(&hive, network).unwrap();
    for site in net.sites.values_mut() {
        if let Some(decider) = &mut site.decider {
            decider.note_epoch(manifest.clone());
        }
    }
}

#[test]
fn t26_a_restored_member_is_reseated_and_accepts_nothing_before() {
    let mut net = Net::of_full(3, 55);
    restored_with_new_key(&mut net, 3);
    net.crash(person(2).node);
    net.wish(&person(1), lock(target(1), 1, 100));
    net.run_for(Millis::from_secs(300));
    assert!(net.folded(1).locks().is_empty());
    net.restart(person(2).node);
    tell_of_new_key(&mut net, 3);
    let manifest = Box::new(person(3).manifest(net.hive, 2));
    let end = net.decide(&person(3), DecisionBody::Reseat { manifest });
    assert_eq!(end, WishEnd::Decided);
    net.settle();
    assert_eq!(
        net.folded(1).member(&person(3).node).unwrap().epoch,
        Epoch(2)
    );
}

#[test]
fn a_founder_that_lost_its_key_reseats_itself_where_it_is_needed() {
    for members in [1, 2] {
        let mut net = Net::of_full(members, 56);
        restored_with_new_key(&mut net, 1);
        let end = net.decide(&person(1), lock(target(1), 1, 100));
        assert!(
            matches!(end, WishEnd::Impossible(_)),
            "not yet under the new key"
        );
        let manifest = Box::new(person(1).manifest(net.hive, 2));
        let end = net.decide(&person(1), DecisionBody::Reseat { manifest });
        assert_eq!(end, WishEnd::Decided);
        let end = net.decide(&person(1), lock(target(1), 1, 100));
        assert_eq!(end, WishEnd::Decided);
        net.settle();
    }
}

#[test]
fn a_store_that_lost_certificates_is_not_gone_on_with() {
    let mut net = Net::of_full(3, 57);
    assert_eq!(
        net.decide(&person(1), lock(target(1), 1, 100)),
        WishEnd::Decided
    );
    let acceptor = net.sites[&person(1).node].disk.acceptor.clone();
    let restored = Restored {
        charter: net.decided[&Slot(0)].clone(),
        snapshot: None,
        certificates: Vec::new(),
        acceptor,
    };
    let result = Decider::restore(restored, person(1).identity(1), 1);
    assert!(matches!(result, Err(RestoreError::Lost)));
}

/// A founder's chain of so many decisions, with what the last checkpoint put out.
fn long_chain(decisions: u64) -> Decider {
    let mut decider = found(&person(1), 50);
    let hive = *decider.folded().hive();
    let ticket = person(1).ticket(hive, 2, Tier::Full, Some(person(2).node));
    decider.wish(admit(ticket, &person(2), hive, 1)).unwrap();
    while decider.folded().head().0 < decisions {
        if decider.folded().checkpoint_due() {
            let state = decider.folded().state_hash();
            decider.wish(DecisionBody::Checkpoint { state }).unwrap();
        } else if decider.waiting().count() == 0 {
            decider.wish(lock(target(1), 1, 100)).unwrap();
        }
        decider.tick(Elapsed::ZERO, &Lenient);
    }
    decider
}

#[test]
fn a_newcomer_gets_the_checkpoint_and_the_rest() {
    let decider = long_chain(4 * CHECKPOINT_EVERY + 10);
    let charter = decider.chain().charter().clone();
    let mut newcomer = Decider::join(charter, person(2).identity(1), 1).unwrap();
    let ChainReply::Snapshot(snapshot) = decider.chain_after(Slot(1)) else {
        panic!("the first decisions were dropped");
    };
    assert!(codec::encode(&*snapshot).len() < FRAME_BYTES);
    let outputs = newcomer.adopt(&snapshot, false).unwrap();
    assert!(matches!(
        outputs[..],
        [
            DeciderOutput::PersistCheckpoint { .. },
            DeciderOutput::PersistCertificate(_),
            DeciderOutput::Adopted { .. }
        ]
    ));
    while newcomer.folded().head() < decider.folded().head() {
        let reply = decider.chain_after(newcomer.folded().head().next());
        let ChainReply::Segment(segment) = reply else {
            panic!("what follows the checkpoint is kept");
        };
        assert!(codec::encode(&segment).len() < FRAME_BYTES - 8);
        for certificate in &segment.certificates {
            newcomer.learn(certificate).unwrap();
        }
    }
    assert_eq!(
        newcomer.folded().state_hash(),
        decider.folded().state_hash()
    );
    assert_eq!(newcomer.adopt(&snapshot, true), Err(SnapshotError::Old));
    // Kept: from a tail's length before the newest checkpoint on.
    let tail = decider.chain();
    assert_eq!(tail.kept_from(), Slot(4 * CHECKPOINT_EVERY - 256));
}

#[test]
fn a_checkpoint_by_strangers_or_of_another_state_is_refused() {
    let decider = long_chain(CHECKPOINT_EVERY + 1);
    let snapshot = decider.chain().snapshot().unwrap().clone();
    let mut chain = Chain::new(decider.chain().charter().clone()).unwrap();
    let mut other = snapshot.clone();
    other.state = decider.folded().encode();
    assert_eq!(chain.adopt(&other, true), Err(SnapshotError::OtherState));

    // A made-up roster that signs its own checkpoint.
    let mut net = Net::of_full(1, 60);
    restored_with_new_key(&mut net, 1);
    let manifest = Box::new(person(1).manifest(net.hive, 2));
    let reseat = DecisionBody::Reseat { manifest };
    assert_eq!(net.decide(&person(1), reseat), WishEnd::Decided);
    while net.folded(1).head().0 < CHECKPOINT_EVERY {
        let state = net.folded(1).state_hash();
        let body = match net.folded(1).checkpoint_due() {
            true => DecisionBody::Checkpoint { state },
            false => lock(target(1), 1, 100),
        };
        assert_eq!(net.decide(&person(1), body), WishEnd::Decided);
    }
    let forged = net.decider(1).chain().snapshot().unwrap().clone();
    assert_eq!(chain.adopt(&forged, false), Err(SnapshotError::Strangers));
    assert_eq!(chain.adopt(&snapshot, false), Ok(()));
}

#[test]
fn two_certificates_for_one_number_name_who_signed_both() {
    let mut net = Net::of_full(3, 61);
    let before = net.folded(1).clone();
    assert_eq!(
        net.decide(&person(1), lock(target(1), 1, 100)),
        WishEnd::Decided
    );
    net.settle();
    let decision = Decision {
        slot: before.head().next(),
        previous: *before.head_hash(),
        author: person(2).node,
        body: lock(target(2), 1, 100),
    };
    let resource = decision.body.resource();
    let ballot = Ballot::new(9, before.head_hash(), &resource, person(2).node);
    let secret = person(2).secret(1);
    let mut other = Certificate {
        decision: SignedDecision::sign(decision, Epoch(1), &secret, &net.hive),
        ballot,
        acceptances: Vec::new(),
    };
    let body = codec::encode(&other.accepted());
    let mut liars = [1, 2, 3].map(person).to_vec();
    liars.sort_by_key(|liar| liar.node);
    for liar in &liars {
        let Identity {
            node,
            epoch,
            secret,
        } = liar.identity(1);
        let bytes = Sealed::signed_bytes(&node, epoch, &body);
        other.acceptances.push(Acceptance {
            acceptor: node,
            epoch,
            signature: secret.seal(SealDomain::Statement, &net.hive, &bytes),
        });
    }
    assert_eq!(verify(&before, &other), Ok(()));
    let kept = &net.decided[&before.head().next()];
    let signers: Vec<NodeId> = kept.acceptances.iter().map(|one| one.acceptor).collect();
    let slot = before.head().next();
    assert_eq!(
        net.decider_mut(1).learn(&other),
        Err(LearnError::Contradiction { slot, signers })
    );
    other.acceptances.clear();
    assert!(matches!(
        net.decider_mut(1).learn(&other),
        Err(LearnError::Invalid(_))
    ));
}

#[test]
fn any_flipped_bit_breaks_a_certificate() {
    let mut net = Net::of_full(3, 62);
    let before = net.folded(1).clone();
    assert_eq!(
        net.decide(&person(1), lock(target(1), 1, 100)),
        WishEnd::Decided
    );
    let certificate = &net.decided[&before.head().next()];
    let bytes = codec::encode(certificate);
    let mut chance = Chance(1);
    for _ in 0..300 {
        let mut flipped = bytes.clone();
        let at = chance.below(8 * bytes.len() as u64) as usize;
        flipped[at / 8] ^= 1 << (at % 8);
        if let Ok(changed) = codec::decode::<Certificate>(&flipped) {
            assert!(verify(&before, &changed).is_err(), "bit {at}");
        }
    }
}
