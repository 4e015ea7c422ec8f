//! Who is a member: admission, votes, departures, expulsions, as the chain says it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod decided_support;

use decided_support::net::Net;
use decided_support::{admit, found, lock, person};
use hive_proto::{Decision, DecisionBody, Epoch, SignedDecision, Slot, VoteKind, VoteText};
use hive_state::decided::{
    CertificateError, Folded, Invalid, LearnError, Lenient, TicketFault, VoteFault, WishEnd, verify,
};
use hive_types::{Elapsed, HiveId, Millis, NodeId, Tier};

fn next(folded: &Folded, author: NodeId, body: DecisionBody) -> Decision {
    Decision {
        slot: folded.head().next(),
        previous: *folded.head_hash(),
        author,
        body,
    }
}

#[test]
fn a_founder_alone_decides_at_once() {
    let founder = person(1);
    let mut decider = found(&founder, 50);
    decider.wish(lock(person(9).node, 1, 100)).unwrap();
    assert_eq!(decider.next_wake(), Elapsed::ZERO);
    decider.tick(Elapsed::ZERO, &Lenient);
    assert_eq!(decider.folded().head(), Slot(1));
    assert_eq!(
        decider.folded().locks()[&person(9).node].holder,
        founder.node
    );
}

#[test]
fn t12_a_ticket_is_redeemed_once_also_by_two_at_once() {
    let mut net = Net::of_full(3, 12);
    let (first, second) = (person(8), person(9));
    let ticket = person(1).ticket(net.hive, 77, Tier::Probationary, None);
    let a = net.wish(&person(2), admit(ticket.clone(), &first, net.hive, 1));
    let b = net.wish(&person(3), admit(ticket.clone(), &second, net.hive, 1));
    let ends = [net.end_of(&person(2), a), net.end_of(&person(3), b)];
    let won = ends.iter().filter(|end| **end == WishEnd::Decided).count();
    assert_eq!(won, 1, "{ends:?}");
    let redeemed = Invalid::from(TicketFault::Redeemed).to_string();
    assert!(ends.contains(&WishEnd::Impossible(redeemed.clone())));
    net.settle();
    let folded = net.folded(1);
    let guests = [first.node, second.node];
    assert_eq!(
        guests
            .iter()
            .filter(|node| folded.member(node).is_some())
            .count(),
        1
    );
    let third = net.decide(&person(1), admit(ticket, &person(10), net.hive, 1));
    assert_eq!(third, WishEnd::Impossible(redeemed));
}

#[test]
fn t12_a_ticket_is_redeemed_once_across_a_partition() {
    let mut net = Net::of_full(5, 13);
    let ticket = person(1).ticket(net.hive, 77, Tier::Probationary, None);
    net.partition(&[1, 2]);
    let a = net.wish(&person(2), admit(ticket.clone(), &person(8), net.hive, 1));
    let b = net.wish(&person(4), admit(ticket, &person(9), net.hive, 1));
    assert_eq!(net.end_of(&person(4), b), WishEnd::Decided);
    net.run_for(Millis::from_secs(120));
    assert!(net.folded(1).member(&person(8).node).is_none());
    net.heal();
    assert!(matches!(net.end_of(&person(2), a), WishEnd::Impossible(_)));
    net.settle();
    assert!(net.folded(1).member(&person(9).node).is_some());
    assert!(net.folded(1).member(&person(8).node).is_none());
}

#[test]
fn t12_a_stolen_ticket_is_for_its_guest_only() {
    let mut net = Net::of_full(3, 14);
    let ticket = person(1).ticket(net.hive, 77, Tier::Probationary, Some(person(8).node));
    let thief = net.decide(&person(2), admit(ticket.clone(), &person(9), net.hive, 1));
    let reason = Invalid::from(TicketFault::Guest).to_string();
    assert_eq!(thief, WishEnd::Impossible(reason));
    let guest = net.decide(&person(2), admit(ticket, &person(8), net.hive, 1));
    assert_eq!(guest, WishEnd::Decided);
}

#[test]
fn t13_a_ticket_vote_or_departure_of_another_hive_is_refused() {
    let mut net = Net::of_full(3, 15);
    let other = HiveId::from_bytes([5; 32]);
    let ticket = person(1).ticket(other, 77, Tier::Probationary, None);
    let end = net.decide(&person(2), admit(ticket, &person(8), net.hive, 1));
    let reason = Invalid::from(TicketFault::Foreign).to_string();
    assert_eq!(end, WishEnd::Impossible(reason));
    let ticket = person(1).ticket(net.hive, 77, Tier::Probationary, None);
    let end = net.decide(&person(2), admit(ticket, &person(8), other, 1));
    assert!(matches!(end, WishEnd::Impossible(_)));
    let departure = DecisionBody::Depart {
        node: person(3).node,
        departure: person(3).departure(other, 1),
    };
    let end = net.decide(&person(2), departure);
    let reason = Invalid::Departure(person(3).node).to_string();
    assert_eq!(end, WishEnd::Impossible(reason));
}

#[test]
fn t15_a_rogue_member_admits_and_promotes_nobody_alone() {
    let mut net = Net::of_full(4, 16);
    net.join_as_probationary(5);
    let rogue = person(2);
    let before = net.folded(1).state_hash();
    let ticket = rogue.ticket(net.hive, 90, Tier::Full, None);
    let folded = net.folded(2).clone();
    let bodies = [
        admit(ticket, &person(9), net.hive, 1),
        DecisionBody::Promote {
            node: person(5).node,
            votes: vec![rogue.vote(VoteKind::Promote, person(5).node, &folded)],
        },
    ];
    for body in bodies {
        let decision = next(&folded, rogue.node, body);
        let signed = SignedDecision::sign(decision, Epoch(1), &rogue.secret(1), &net.hive);
        let mut certificate = net.decided[&folded.head()].clone();
        certificate.decision = signed;
        certificate.acceptances.truncate(1);
        assert!(matches!(
            verify(&folded, &certificate),
            Err(CertificateError::Quorum)
        ));
        let victim = net.decider_mut(1);
        assert!(matches!(
            victim.learn(&certificate),
            Err(LearnError::Invalid(_))
        ));
    }
    assert_eq!(net.folded(1).state_hash(), before);
}

#[test]
fn t16_the_51st_member_is_refused() {
    let founder = person(1);
    let mut decider = found(&founder, 50);
    let hive = *decider.folded().hive();
    for number in 2..=51 {
        let ticket = founder.ticket(hive, number, Tier::Probationary, None);
        decider
            .wish(admit(ticket, &person(number), hive, 1))
            .unwrap();
        decider.tick(Elapsed::ZERO, &Lenient);
    }
    assert_eq!(decider.folded().members().len(), 50);
    assert!(decider.folded().member(&person(51).node).is_none());
    let ticket = founder.ticket(hive, 51, Tier::Probationary, None);
    let body = admit(ticket, &person(51), hive, 1);
    let decision = next(decider.folded(), founder.node, body);
    assert_eq!(decider.folded().check(&decision), Err(Invalid::Full));
}

#[test]
fn t17_a_departed_member_returns_by_a_new_ticket_and_epoch_only() {
    let mut net = Net::of_full(3, 17);
    let leaver = person(3);
    let old = net.folded(1).head();
    let body = leaver.depart(net.hive);
    assert_eq!(net.decide(&leaver, body), WishEnd::Decided);
    net.settle();
    assert!(net.folded(1).member(&leaver.node).is_none());

    let used = person(1).ticket(net.hive, 3, Tier::Full, Some(leaver.node));
    let end = net.decide(&person(1), admit(used, &leaver, net.hive, 2));
    let reason = Invalid::from(TicketFault::Redeemed).to_string();
    assert_eq!(end, WishEnd::Impossible(reason));
    let fresh = person(1).ticket(net.hive, 33, Tier::Probationary, Some(leaver.node));
    let end = net.decide(&person(1), admit(fresh.clone(), &leaver, net.hive, 1));
    let reason = Invalid::OldEpoch(Epoch(1)).to_string();
    assert_eq!(end, WishEnd::Impossible(reason));

    // A stale node's chain is a prefix: what it sends changes nothing.
    let stale = net.decided[&old].clone();
    assert_eq!(net.decider_mut(1).learn(&stale), Ok(Vec::new()));
    assert!(net.folded(1).member(&leaver.node).is_none());

    let end = net.decide(&person(1), admit(fresh, &leaver, net.hive, 2));
    assert_eq!(end, WishEnd::Decided);
    assert_eq!(net.folded(1).member(&leaver.node).unwrap().epoch, Epoch(2));
}

#[test]
fn t18_an_expelled_node_and_its_key_never_return() {
    let mut net = Net::of_full(4, 18);
    let (founder, out) = (person(1), person(4));
    let folded = net.folded(1).clone();
    let votes = [1, 2, 3].map(|number| person(number).vote(VoteKind::Expel, out.node, &folded));
    let body = DecisionBody::Expel {
        node: out.node,
        votes: votes.to_vec(),
    };
    assert_eq!(net.decide(&founder, body), WishEnd::Decided);
    net.settle();
    let ticket = founder.ticket(net.hive, 44, Tier::Probationary, None);
    let reason = |node| WishEnd::Impossible(Invalid::Expelled(node).to_string());
    let again = admit(ticket.clone(), &out, net.hive, 2);
    assert_eq!(net.decide(&founder, again), reason(out.node));
    let disguised = DecisionBody::Admit {
        ticket: Box::new(ticket),
        manifest: Box::new(person(9).manifest_with(net.hive, 1, out.secret(1))),
    };
    assert_eq!(net.decide(&founder, disguised), reason(person(9).node));
}

fn promote(net: &Net, voters: &[u8], roster_of: &Folded) -> DecisionBody {
    let node = person(9).node;
    let vote = |number: &u8| person(*number).vote(VoteKind::Promote, node, roster_of);
    let _ = net;
    DecisionBody::Promote {
        node,
        votes: voters.iter().map(vote).collect(),
    }
}

#[test]
fn t19_votes_count_on_the_roster_that_they_name() {
    let mut net = Net::of_full(4, 19);
    net.join_as_probationary(9);
    let earlier = net.folded(1).clone();
    net.join_as_probationary(10);
    let voter = person(1).node;
    let end = net.decide(&person(1), promote(&net, &[1, 2, 3], &earlier));
    let reason = Invalid::from(VoteFault::Text(voter)).to_string();
    assert_eq!(end, WishEnd::Impossible(reason));
    let present = net.folded(1).clone();
    // The same votes, for a roster that another chain has yet to reach, change nothing there.
    let decision = next(&earlier, voter, promote(&net, &[1, 2, 3], &present));
    assert!(matches!(
        earlier.check(&decision),
        Err(Invalid::Votes(VoteFault::Text(_)))
    ));
    let end = net.decide(&person(1), promote(&net, &[1, 2, 3], &present));
    assert_eq!(end, WishEnd::Decided);
}

#[test]
fn t45_every_field_of_a_vote_is_signed() {
    let mut net = Net::of_full(3, 45);
    net.join_as_probationary(9);
    net.join_as_probationary(10);
    let folded = net.folded(1).clone();
    let subject = person(9).node;
    let genuine = [1, 2].map(|number| person(number).vote(VoteKind::Promote, subject, &folded));
    let with = |flip: &dyn Fn(&mut hive_proto::Vote), expel: bool, node: NodeId| {
        let mut votes = genuine.to_vec();
        votes.iter_mut().for_each(flip);
        let body = match expel {
            true => DecisionBody::Expel { node, votes },
            false => DecisionBody::Promote { node, votes },
        };
        folded.check(&next(&folded, person(1).node, body))
    };
    assert_eq!(with(&|_| {}, false, subject), Ok(()));
    let forged = |result| matches!(result, Err(Invalid::Votes(VoteFault::Signature(_))));
    let to_expel = |vote: &mut hive_proto::Vote| vote.text.kind = VoteKind::Expel;
    assert!(forged(with(&to_expel, true, subject)));
    let other = person(10).node;
    assert!(forged(with(
        &|vote| vote.text.subject = other,
        false,
        other
    )));
    let elsewhere = VoteText {
        roster: *folded.head_hash(),
        ..genuine[0].text
    };
    assert!(matches!(
        with(&|vote| vote.text = elsewhere, false, subject),
        Err(Invalid::Votes(VoteFault::Text(_)))
    ));
    let swap = |vote: &mut hive_proto::Vote| {
        vote.voter = person(3).node;
    };
    assert!(with(&swap, false, subject).is_err());
    assert!(matches!(
        with(&|vote| vote.epoch = Epoch(2), false, subject),
        Err(Invalid::Votes(VoteFault::Voter(_)))
    ));
}

#[test]
fn t46_silence_is_no_vote_and_the_accused_counts() {
    let mut net = Net::of_full(4, 46);
    let folded = net.folded(1).clone();
    let accused = person(4).node;
    let expel = |voters: &[u8]| {
        let votes = voters
            .iter()
            .map(|number| person(*number).vote(VoteKind::Expel, accused, &folded))
            .collect();
        DecisionBody::Expel {
            node: accused,
            votes,
        }
    };
    let too_few = |votes| Invalid::from(VoteFault::TooFew { votes, needed: 3 }).to_string();
    for voters in [&[][..], &[1], &[1, 2]] {
        let end = net.decide(&person(1), expel(voters));
        assert_eq!(end, WishEnd::Impossible(too_few(voters.len())));
    }
    let end = net.decide(&person(1), expel(&[1, 1, 2]));
    let twice = Invalid::from(VoteFault::Twice(person(1).node)).to_string();
    assert_eq!(end, WishEnd::Impossible(twice));
    assert_eq!(net.decide(&person(1), expel(&[1, 2, 3])), WishEnd::Decided);
}

#[test]
fn t47_who_was_offline_during_a_vote_learns_the_result_with_its_proof() {
    let mut net = Net::of_full(4, 47);
    net.join_as_probationary(9);
    let offline = person(3).node;
    net.crash(offline);
    let folded = net.folded(1).clone();
    let end = net.decide(&person(1), promote(&net, &[1, 2, 4], &folded));
    assert_eq!(end, WishEnd::Decided);
    net.restart(offline);
    net.settle();
    assert_eq!(net.folded(3).roster_hash(), net.folded(1).roster_hash());
    assert_eq!(
        net.folded(3).member(&person(9).node).unwrap().tier,
        Tier::Full
    );
    let slot = net.folded(3).head();
    let certificate = net.decider(3).chain().certificate(slot).unwrap();
    assert_eq!(verify(&folded, certificate), Ok(()));
}
