//! What must not get through the handshake: theft, replay, floods, and what a bad link does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::door::{SEED, attest, door, joined, probed, visitor, welcome};
use common::{EXPIRES, Fleet, Party, now};
use hive_proto::handshake::{
    AttestError, Candidate, CandidateError, Contact, Door, Redemption, Verdict,
};
use hive_proto::{Attest, ManifestError, Refusal, SealError, Ticket};
use hive_types::limits::{
    ATTESTS_PER_MINUTE, ATTESTS_PER_PEER_MINUTE, COOKIE_LIFETIME, HANDSHAKE_TIMEOUT,
};
use hive_types::{Elapsed, Millis, Now};

#[test]
fn t12_a_stolen_ticket_serves_only_the_guest_that_it_names() {
    let (fleet, guest, thief) = (Fleet::new(1, 1), Party::new(2), Party::new(3));
    let mut door = door(&fleet);
    let mut body = fleet.ticket_body();
    body.guest = Some(guest.node);
    let ticket = Ticket::sign(body, &fleet.founder.secret).unwrap();
    let contact = Contact::FromTicket(fleet.founder.node);
    assert_eq!(
        Candidate::new(now(0), thief.applicant(ticket.clone()), contact, [7; 32]).err(),
        Some(CandidateError::TicketForAnother(guest.node))
    );
    let (_, honest) = attest(&fleet, &door, &guest, ticket);
    let cookie = door
        .on_hello(Elapsed::ZERO, &thief.node, &honest.hello)
        .cookie;
    let stolen = Attest {
        cookie,
        manifest: thief.manifest(fleet.hive),
        ..honest
    };
    let refused = probed(&fleet, &mut door, stolen, thief.node);
    assert_eq!(refused, Err(AttestError::TicketForeign));
}

#[test]
fn t12_a_redeemed_ticket_welcomes_the_same_node_again_and_no_other() {
    let (mut fleet, guest, thief) = (Fleet::new(1, 1), Party::new(2), Party::new(3));
    let mut door = door(&fleet);
    joined(&fleet, &mut door, &guest);
    fleet.redemption = Redemption::By(guest.node);

    let (mut candidate, message) = attest(&fleet, &door, &guest, fleet.ticket());
    let late = Now {
        wall: EXPIRES,
        ..now(300)
    };
    let verdict = door.on_attest(late, &visitor(guest.node), message, SEED, &fleet);
    let Ok(Verdict::Repeat(confirmed)) = verdict else {
        panic!("the same node is welcomed again, also when the ticket has expired since");
    };
    let again = welcome(&fleet, &confirmed, &guest);
    assert!(candidate.on_welcome(&fleet.founder.node, again).is_ok());

    let (_, message) = attest(&fleet, &door, &thief, fleet.ticket());
    let used = AttestError::Refused(Refusal::TicketUsed);
    assert_eq!(
        probed(&fleet, &mut door, message, thief.node),
        Err(used.clone())
    );

    fleet.redemption = Redemption::Spent;
    let (_, message) = attest(&fleet, &door, &guest, fleet.ticket());
    assert_eq!(probed(&fleet, &mut door, message, guest.node), Err(used));
}

#[test]
fn t13_what_is_hive_as_does_not_count_in_hive_b() {
    let (here, there, guest) = (Fleet::new(1, 1), Fleet::new(1, 2), Party::new(2));
    let mut door_there = door(&there);
    let (_, honest) = attest(&here, &door(&here), &guest, here.ticket());
    let cookie = |hello| {
        door_there
            .on_hello(Elapsed::ZERO, &guest.node, hello)
            .cookie
    };
    let replayed = Attest {
        cookie: cookie(&honest.hello),
        ..honest.clone()
    };
    let refused = probed(&there, &mut door_there, replayed, guest.node);
    assert_eq!(refused, Err(AttestError::TicketForeign));

    let (_, theirs) = attest(&there, &door_there, &guest, there.ticket());
    let foreign_manifest = Attest {
        manifest: honest.manifest,
        ..theirs
    };
    let refused = probed(&there, &mut door_there, foreign_manifest, guest.node).unwrap_err();
    assert_eq!(refused, AttestError::Manifest(ManifestError::OtherHive));
    assert_eq!(refused.answer(), Some(Refusal::Manifest));

    let applicant = guest.applicant(here.ticket());
    let contact = Contact::FromTicket(here.founder.node);
    let (mut candidate, hello) = Candidate::new(now(0), applicant, contact, [7; 32]).unwrap();
    let challenge = door_there.on_hello(Elapsed::ZERO, &guest.node, &hello);
    let refused = candidate.on_challenge(Elapsed::ZERO, &here.founder.node, challenge);
    assert_eq!(
        refused,
        Err(CandidateError::Manifest(ManifestError::OtherHive))
    );
}

#[test]
fn an_attest_counts_only_on_its_own_connection() {
    let (fleet, guest, relay) = (Fleet::new(1, 1), Party::new(2), Party::new(3));
    let mut door = door(&fleet);
    let (_, honest) = attest(&fleet, &door, &guest, fleet.ticket());
    let relayed = probed(&fleet, &mut door, honest.clone(), relay.node).unwrap_err();
    assert_eq!((relayed.answer(), relayed), (None, AttestError::Cookie));

    let cookie = door
        .on_hello(Elapsed::ZERO, &relay.node, &honest.hello)
        .cookie;
    let relayed = Attest {
        cookie,
        ..honest.clone()
    };
    assert_eq!(
        probed(&fleet, &mut door, relayed.clone(), relay.node),
        Err(AttestError::ManifestOfAnother)
    );
    let under_its_own_name = Attest {
        manifest: relay.manifest(fleet.hive),
        ..relayed
    };
    assert_eq!(
        probed(&fleet, &mut door, under_its_own_name, relay.node),
        Err(AttestError::Transcript(SealError::Signature))
    );

    let old = now(100 + COOKIE_LIFETIME.get() + 1);
    let outdated = door.on_attest(old, &visitor(guest.node), honest.clone(), SEED, &fleet);
    assert_eq!(outdated, Err(AttestError::CookieOld));
    let mut after_restart = Door::new(fleet.founder.verified(fleet.hive), [0xd1; 32]);
    assert_eq!(
        probed(&fleet, &mut after_restart, honest.clone(), guest.node),
        Err(AttestError::Cookie)
    );

    let mut other_ticket = fleet.ticket_body();
    other_ticket.tier = hive_types::Tier::Full;
    let swapped = Attest {
        ticket: Ticket::sign(other_ticket, &fleet.founder.secret).unwrap(),
        ..honest
    };
    assert_eq!(
        probed(&fleet, &mut door, swapped, guest.node),
        Err(AttestError::NotHellosTicket)
    );
}

/// Delivers each of the five messages as often as `copies` says; whether the candidate joined.
fn attempt(fleet: &Fleet, door: &mut Door, guest: &Party, begun: u64, copies: [u8; 5]) -> bool {
    let (member, from) = (fleet.founder.node, visitor(guest.node));
    let applicant = guest.applicant(fleet.ticket());
    let contact = Contact::FromTicket(member);
    let begin = Candidate::new(now(begun), applicant, contact, [7; 32]);
    let (mut candidate, hello) = begin.unwrap();
    let moment = now(begun + 1);
    let [hellos, challenges, attests, probes, echoes] = copies;
    let challenge = |_| door.on_hello(moment.elapsed, &guest.node, &hello);
    let shown: Vec<_> = (0..hellos).map(challenge).collect();
    let repeated = shown
        .iter()
        .flat_map(|it| vec![it.clone(); challenges.into()]);
    let attest = |it| candidate.on_challenge(moment.elapsed, &member, it).ok();
    let sent: Vec<_> = repeated.filter_map(attest).collect();
    assert!(sent.len() <= 1, "a repeated challenge is answered once");
    let repeated = sent.iter().flat_map(|it| vec![it.clone(); attests.into()]);
    let probed: Vec<_> = repeated
        .filter_map(|it| match door.on_attest(moment, &from, it, SEED, fleet) {
            Ok(Verdict::Probe(bytes)) => Some(bytes),
            _ => None,
        })
        .collect();
    let repeated = probed.iter().flat_map(|it| vec![it.clone(); probes.into()]);
    let echoed: Vec<_> = repeated
        .filter_map(|it| candidate.on_probe(moment.elapsed, &member, it).ok())
        .collect();
    assert!(echoed.len() <= 1, "a repeated probe is echoed once");
    let repeated = echoed.iter().flat_map(|it| vec![it.clone(); echoes.into()]);
    let confirmed: Vec<_> = repeated
        .filter_map(|it| door.on_echo(moment.elapsed, &guest.node, &it)?.ok())
        .collect();
    assert!(confirmed.len() <= 1, "a repeated echo confirms once");
    let welcomed = confirmed.first().map(|it| welcome(fleet, it, guest));
    welcomed.is_some_and(|it| candidate.on_welcome(&member, it).is_ok())
}

#[test]
fn t03_lost_and_repeated_steps_cost_another_attempt_and_leave_nothing_behind() {
    let (fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    for pattern in 0..3u32.pow(5) {
        let mut door = door(&fleet);
        let copies = [0, 1, 2, 3, 4].map(|step| (pattern / 3u32.pow(step) % 3) as u8);
        let joined = attempt(&fleet, &mut door, &guest, 0, copies);
        assert_eq!(
            joined,
            copies.iter().all(|copies| *copies > 0),
            "{copies:?}"
        );
        let later = Elapsed::new(1).plus(HANDSHAKE_TIMEOUT).plus(Millis::new(1));
        door.expire(later);
        assert_eq!(door.deadline(), Elapsed::NEVER, "nothing is left");
        let again = attempt(&fleet, &mut door, &guest, later.get(), [1; 5]);
        assert!(again, "after {copies:?}");
    }
}

#[test]
fn t03_steps_out_of_order_change_nothing() {
    let (fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    let member = fleet.founder.node;
    let mut door = door(&fleet);
    let (_, _, early) = joined(&fleet, &mut door, &guest);
    let applicant = guest.applicant(fleet.ticket());
    let contact = Contact::FromTicket(member);
    let (mut candidate, hello) = Candidate::new(now(0), applicant, contact, [7; 32]).unwrap();
    let unexpected = CandidateError::Unexpected;
    let probe = candidate.on_probe(Elapsed::ZERO, &member, vec![1]);
    assert_eq!(probe, Err(unexpected.clone()));
    assert_eq!(candidate.on_welcome(&member, early), Err(unexpected));
    assert_eq!(door.on_echo(Elapsed::ZERO, &guest.node, &[1]), None);
    let challenge = door.on_hello(Elapsed::new(100), &guest.node, &hello);
    let attest = candidate.on_challenge(Elapsed::new(200), &member, challenge);
    assert!(probed(&fleet, &mut door, attest.unwrap(), guest.node).is_ok());
}

#[test]
fn t07_a_flood_costs_a_bounded_number_of_signature_checks() {
    let (fleet, guest, stranger) = (Fleet::new(1, 1), Party::new(2), Party::new(3));
    let mut door = door(&fleet);
    let forged = Ticket::sign(fleet.ticket_body(), &stranger.secret).unwrap();
    let (_, template) = attest(&fleet, &door, &stranger, fleet.ticket());
    let hello = hive_proto::Hello {
        ticket: forged.hash(),
        nonce: [8; 32],
    };
    for message in 0..10_000u64 {
        let moment = now(message / 10);
        let challenge = door.on_hello(moment.elapsed, &stranger.node, &hello);
        let flood = Attest {
            hello,
            cookie: challenge.cookie,
            ticket: forged.clone(),
            ..template.clone()
        };
        let from = visitor(stranger.node);
        let verdict = door.on_attest(moment, &from, flood, SEED, &fleet);
        assert!(verdict.is_err());
    }
    let bound = u64::from(ATTESTS_PER_PEER_MINUTE);
    assert_eq!(door.signature_checks(), bound);
    assert_eq!(door.deadline(), Elapsed::NEVER, "nothing is remembered");
    joined(&fleet, &mut door, &guest);
}

#[test]
fn t07_a_flood_from_many_nodes_keeps_no_expected_guest_out() {
    let (mut fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    fleet.expected.push(fleet.ticket().hash());
    let mut door = door(&fleet);
    let forged = Ticket::sign(fleet.ticket_body(), &guest.secret).unwrap();
    let mut busy = 0;
    for byte in 3..=127 {
        let stranger = Party::new(byte);
        let hello = hive_proto::Hello {
            ticket: forged.hash(),
            nonce: [8; 32],
        };
        let challenge = door.on_hello(Elapsed::new(250), &stranger.node, &hello);
        let (_, template) = attest(&fleet, &door, &stranger, fleet.ticket());
        let flood = Attest {
            hello,
            cookie: challenge.cookie,
            ticket: forged.clone(),
            ..template
        };
        let verdict = probed(&fleet, &mut door, flood, stranger.node);
        busy += u32::from(verdict == Err(AttestError::Refused(Refusal::Busy)));
    }
    assert_eq!(busy, 125 - ATTESTS_PER_MINUTE);
    assert_eq!(door.signature_checks(), u64::from(ATTESTS_PER_MINUTE));
    joined(&fleet, &mut door, &guest);
}
