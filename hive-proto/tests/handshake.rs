//! The handshake from HELLO to WELCOME, and everything that must not get through it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::{EXPIRES, Fleet, Party, now};
use hive_proto::handshake::{
    AttestError, Candidate, CandidateError, Contact, Door, Guest, Joined, Redemption, Verdict,
    Visitor,
};
use hive_proto::{
    Attest, Challenge, ManifestError, Message, NodeSignatureError, Refusal, SealError, Slot,
    Ticket, TicketError, Welcome,
};
use hive_types::limits::{
    ATTESTS_PER_MINUTE, ATTESTS_PER_PEER_MINUTE, COOKIE_LIFETIME, HANDSHAKE_TIMEOUT, PROBE_BYTES,
};
use hive_types::{Capabilities, Elapsed, HiveId, Millis, Network, NodeId, Now};

const FEATURES: Capabilities = Capabilities::ANCHORS.union(Capabilities::KEYSEND);
const SEED: [u8; 32] = [0x5e; 32];

fn visitor(node: NodeId) -> Visitor {
    Visitor {
        node,
        features: FEATURES,
    }
}

fn door(fleet: &Fleet) -> Door {
    Door::new(fleet.founder.verified(fleet.hive), [0xd0; 32])
}

/// A candidate that has shown its ticket to the founder.
fn attest(fleet: &Fleet, door: &Door, guest: &Party, ticket: Ticket) -> (Candidate, Attest) {
    let member = fleet.founder.node;
    let applicant = guest.applicant(ticket);
    let contact = Contact::FromTicket(member);
    let (mut candidate, hello) = Candidate::new(now(0), applicant, contact, [7; 32]).unwrap();
    let challenge = door.on_hello(Elapsed::new(100), &guest.node, &hello);
    let attest = candidate.on_challenge(Elapsed::new(200), &member, challenge);
    (candidate, attest.unwrap())
}

fn probed(
    fleet: &Fleet,
    door: &mut Door,
    attest: Attest,
    from: NodeId,
) -> Result<Vec<u8>, AttestError> {
    match door.on_attest(now(300), &visitor(from), attest, SEED, fleet)? {
        Verdict::Probe(probe) => Ok(probe),
        Verdict::Repeat(_) => panic!("nothing was redeemed"),
    }
}

/// A whole handshake with an honest guest.
fn joined(fleet: &Fleet, door: &mut Door, guest: &Party) -> (Candidate, Guest, Welcome) {
    let (mut candidate, message) = attest(fleet, door, guest, fleet.ticket());
    let probe = probed(fleet, door, message, guest.node).unwrap();
    assert_eq!(probe.len(), PROBE_BYTES);
    assert!(Message::Probe(probe.clone()).to_frame().is_ok());
    let member = fleet.founder.node;
    let echo = candidate.on_probe(Elapsed::new(400), &member, probe);
    let echoed = door.on_echo(Elapsed::new(500), &guest.node, &echo.unwrap());
    let confirmed = echoed.unwrap().unwrap();
    let welcome = welcome(fleet, &confirmed, guest);
    (candidate, confirmed, welcome)
}

fn welcome(fleet: &Fleet, confirmed: &Guest, guest: &Party) -> Welcome {
    let admission = fleet.admit(guest, confirmed.ticket().clone());
    let charter = fleet.charter_certificate();
    confirmed.welcome(charter, admission, Slot(1), &fleet.founder.secret)
}

#[test]
fn an_honest_guest_joins() {
    let (fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    let mut door = door(&fleet);
    let (mut candidate, confirmed, welcome) = joined(&fleet, &mut door, &guest);
    assert_eq!(confirmed.node_id(), guest.node);
    let frame = Message::Welcome(welcome.clone()).to_frame().unwrap();
    assert_eq!(
        Message::from_frame(&frame),
        Ok(Message::Welcome(welcome.clone()))
    );
    let Joined {
        charter,
        founder,
        admission,
        contact,
        ..
    } = candidate.on_welcome(&fleet.founder.node, welcome).unwrap();
    assert_eq!(charter.hive_id(), fleet.hive);
    assert_eq!(founder.node_id(), fleet.founder.node);
    assert_eq!(contact.node_id(), fleet.founder.node);
    assert_eq!(admission, fleet.admit(&guest, fleet.ticket()));
}

#[test]
fn t10_no_join_without_a_valid_ticket() {
    let (fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    let mut door = door(&fleet);
    let (_, honest) = attest(&fleet, &door, &guest, fleet.ticket());

    let forged = Ticket::sign(fleet.ticket_body(), &guest.secret).unwrap();
    let applicant = guest.applicant(forged.clone());
    let contact = Contact::FromTicket(fleet.founder.node);
    let (mut candidate, hello) = Candidate::new(now(0), applicant, contact, [7; 32]).unwrap();
    let challenge = door.on_hello(Elapsed::new(100), &guest.node, &hello);
    let noticed = candidate.on_challenge(Elapsed::ZERO, &fleet.founder.node, challenge.clone());
    let seal = TicketError::Seal(SealError::Signature);
    assert_eq!(noticed, Err(CandidateError::Ticket(seal.clone())));
    let attest = Attest {
        hello,
        cookie: challenge.cookie,
        ticket: forged,
        ..honest.clone()
    };
    let refused = probed(&fleet, &mut door, attest, guest.node).unwrap_err();
    assert_eq!(refused, AttestError::Ticket(seal));
    assert_eq!(refused.answer(), Some(Refusal::Ticket));

    let late = Now {
        wall: EXPIRES,
        ..now(300)
    };
    let expired = door.on_attest(late, &visitor(guest.node), honest.clone(), SEED, &fleet);
    let expected = AttestError::Refused(Refusal::TicketExpired);
    assert_eq!(expired, Err(expected));
    assert_eq!(
        Candidate::new(late, guest.applicant(fleet.ticket()), contact, [7; 32]).err(),
        Some(CandidateError::TicketExpired)
    );
    assert!(probed(&fleet, &mut door, honest, guest.node).is_ok());
}

#[test]
fn t10_an_issuer_that_is_no_member_or_rotated_its_key_invites_nobody() {
    let (fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    let mut door = door(&fleet);
    for body in [
        hive_proto::TicketBody {
            issuer: guest.node,
            ..fleet.ticket_body()
        },
        hive_proto::TicketBody {
            epoch: hive_proto::Epoch(0),
            ..fleet.ticket_body()
        },
    ] {
        let ticket = Ticket::sign(body, &guest.secret).unwrap();
        let applicant = guest.applicant(ticket.clone());
        let contact = Contact::FromOperator(fleet.founder.node);
        let (_, hello) = Candidate::new(now(0), applicant, contact, [7; 32]).unwrap();
        let Challenge { cookie, .. } = door.on_hello(Elapsed::ZERO, &guest.node, &hello);
        let (_, honest) = attest(&fleet, &door, &guest, fleet.ticket());
        let attest = Attest {
            hello,
            cookie,
            ticket,
            ..honest
        };
        let refused = probed(&fleet, &mut door, attest, guest.node);
        assert_eq!(refused, Err(AttestError::Issuer));
        assert_eq!(door.signature_checks(), 0);
    }
}

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
fn a_ticket_is_shown_only_to_those_who_were_named() {
    let (fleet, guest, stranger) = (Fleet::new(1, 1), Party::new(2), Party::new(3));
    let applicant = || guest.applicant(fleet.ticket());
    let begin = |contact| Candidate::new(now(0), applicant(), contact, [7; 32]);
    assert_eq!(
        begin(Contact::FromTicket(stranger.node)).err(),
        Some(CandidateError::NotNamed(stranger.node))
    );
    assert_eq!(
        begin(Contact::FromOperator(guest.node)).err(),
        Some(CandidateError::OwnNode)
    );
    assert!(begin(Contact::FromOperator(stranger.node)).is_ok());

    let (mut candidate, hello) = begin(Contact::FromTicket(fleet.founder.node)).unwrap();
    let challenge = door(&fleet).on_hello(Elapsed::ZERO, &guest.node, &hello);
    assert_eq!(
        candidate.on_challenge(Elapsed::ZERO, &stranger.node, challenge.clone()),
        Err(CandidateError::OtherPeer(stranger.node))
    );
    let relayed = Challenge {
        manifest: stranger.manifest(fleet.hive),
        ..challenge.clone()
    };
    assert_eq!(
        candidate.on_challenge(Elapsed::ZERO, &fleet.founder.node, relayed),
        Err(CandidateError::ManifestOfAnother(stranger.node))
    );
    let honest = candidate.on_challenge(Elapsed::ZERO, &fleet.founder.node, challenge);
    assert!(honest.is_ok(), "what came before changed nothing");
}

#[test]
fn a_candidate_begins_only_with_its_own_things() {
    let (fleet, guest, other) = (Fleet::new(1, 1), Party::new(2), Party::new(3));
    let contact = Contact::FromTicket(fleet.founder.node);
    let mut applicant = guest.applicant(fleet.ticket());
    applicant.secret = other.secret.clone();
    assert_eq!(
        Candidate::new(now(0), applicant, contact, [7; 32]).err(),
        Some(CandidateError::OwnManifest)
    );
    let mut applicant = guest.applicant(fleet.ticket());
    applicant.manifest = guest.manifest(HiveId::from_bytes([9; 32]));
    assert_eq!(
        Candidate::new(now(0), applicant, contact, [7; 32]).err(),
        Some(CandidateError::OwnManifest)
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

#[test]
fn t20_a_claim_that_the_connection_does_not_confirm_stays_unverified() {
    let (fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    let mut door = door(&fleet);
    let (_, confirmed, _) = joined(&fleet, &mut door, &guest);
    let claimed = confirmed.manifest().profile().capabilities;
    assert!(claimed.contains(Capabilities::SPLICE));
    assert_eq!(confirmed.confirmed(), Capabilities::ANCHORS);

    let (_, message) = attest(&fleet, &door, &guest, fleet.ticket());
    let without = Visitor {
        node: guest.node,
        features: Capabilities::SPLICE,
    };
    let refused = door.on_attest(now(300), &without, message, SEED, &fleet);
    let expected = AttestError::Refused(Refusal::Capabilities);
    assert_eq!(refused, Err(expected));
}

#[test]
fn the_probe_is_echoed_whole_in_time_and_once() {
    let (fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    let member = fleet.founder.node;
    let mut door = door(&fleet);
    let probe = |door: &mut Door| {
        let (candidate, message) = attest(&fleet, door, &guest, fleet.ticket());
        (
            candidate,
            probed(&fleet, door, message, guest.node).unwrap(),
        )
    };
    let last = Elapsed::new(300).plus(HANDSHAKE_TIMEOUT);

    let (mut candidate, bytes) = probe(&mut door);
    let long = vec![0; PROBE_BYTES + 1];
    assert_eq!(
        candidate.on_probe(Elapsed::ZERO, &member, long),
        Err(CandidateError::ProbeTooLong(PROBE_BYTES + 1))
    );
    assert!(
        candidate
            .on_probe(Elapsed::ZERO, &member, bytes.clone())
            .is_ok()
    );
    assert_eq!(
        candidate.on_probe(Elapsed::ZERO, &member, bytes.clone()),
        Err(CandidateError::Unexpected)
    );
    assert_eq!(door.on_echo(last, &member, &bytes), None);
    assert!(door.on_echo(last, &guest.node, &bytes).unwrap().is_ok());
    assert_eq!(door.on_echo(last, &guest.node, &bytes), None);

    let (_, mut bytes) = probe(&mut door);
    bytes[59_999] ^= 1;
    let wrong = door.on_echo(last, &guest.node, &bytes);
    assert_eq!(wrong, Some(Err(Refusal::Probe)));

    let (_, bytes) = probe(&mut door);
    let late = last.plus(Millis::new(1));
    let too_late = door.on_echo(late, &guest.node, &bytes);
    assert_eq!(too_late, Some(Err(Refusal::Probe)));

    probe(&mut door);
    assert_eq!(door.deadline(), last);
    assert!(door.expire(last).is_empty());
    assert_eq!(door.expire(late), [guest.node]);
    assert_eq!(door.deadline(), Elapsed::NEVER);
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

#[test]
fn t14_a_signer_that_is_in_no_graph_verifies() {
    let (fleet, hermit, other) = (Fleet::new(1, 1), Party::new(99), Party::new(98));
    let manifest = hermit.manifest(fleet.hive);
    assert!(
        manifest
            .clone()
            .verify(&fleet.hive, Network::Regtest)
            .is_ok()
    );
    assert_eq!(
        manifest.verify(&fleet.hive, Network::Bitcoin),
        Err(ManifestError::OtherNetwork(Network::Regtest))
    );
    let certification = hermit.certification(fleet.hive);
    let signature = hive_proto::NodeSignature::sign(&certification.text(), &other.node_secret);
    let profile = hive_proto::Profile::new("hive", EXPIRES);
    assert_eq!(
        hive_proto::Manifest::sign(certification, signature, profile, &hermit.secret),
        Err(ManifestError::Node(NodeSignatureError::OtherKey(
            hermit.node
        )))
    );
}

#[test]
fn a_welcome_counts_only_whole_and_from_the_contact() {
    let (fleet, guest, other) = (Fleet::new(1, 1), Party::new(2), Party::new(3));
    let member = fleet.founder.node;
    let mut door = door(&fleet);
    let (mut candidate, confirmed, honest) = joined(&fleet, &mut door, &guest);
    assert_eq!(
        candidate.on_welcome(&other.node, honest.clone()),
        Err(CandidateError::OtherPeer(other.node))
    );
    let seal = CandidateError::Welcome(SealError::Signature);
    let changed = Welcome {
        head: Slot(2),
        ..honest.clone()
    };
    assert_eq!(candidate.on_welcome(&member, changed), Err(seal));

    let secret = &fleet.founder.secret;
    let charter = fleet.charter_certificate();
    let of_another = fleet.admit(&other, fleet.ticket());
    let wrong = confirmed.welcome(charter.clone(), of_another, Slot(1), secret);
    assert_eq!(
        candidate.on_welcome(&member, wrong),
        Err(CandidateError::Admission)
    );
    let foreign = Fleet::new(1, 2).charter_certificate();
    let wrong = confirmed.welcome(foreign, honest.admission.clone(), Slot(1), secret);
    assert_eq!(
        candidate.on_welcome(&member, wrong),
        Err(CandidateError::Charter(hive_proto::CharterError::OtherHive))
    );
    assert!(candidate.on_welcome(&member, honest.clone()).is_ok());
    assert_eq!(
        candidate.on_welcome(&member, honest),
        Err(CandidateError::Unexpected)
    );
}

#[test]
fn a_refusal_ends_the_attempt_when_the_contact_says_it() {
    let (fleet, guest, other) = (Fleet::new(1, 1), Party::new(2), Party::new(3));
    let (mut candidate, _) = attest(&fleet, &door(&fleet), &guest, fleet.ticket());
    assert_eq!(
        candidate.deadline(),
        Elapsed::new(200).plus(HANDSHAKE_TIMEOUT)
    );
    assert_eq!(
        candidate.on_refused(&other.node, Refusal::Full),
        Err(CandidateError::OtherPeer(other.node))
    );
    let member = fleet.founder.node;
    assert_eq!(
        candidate.on_refused(&member, Refusal::Busy),
        Ok(Refusal::Busy)
    );
    assert!(Refusal::Busy.may_pass() && !Refusal::Expelled.may_pass());
    assert_eq!(
        candidate.on_probe(Elapsed::ZERO, &member, vec![1]),
        Err(CandidateError::Unexpected)
    );
}

#[test]
fn an_expelled_node_and_a_full_fleet_are_told() {
    let (mut fleet, guest) = (Fleet::new(1, 1), Party::new(2));
    let mut door = door(&fleet);
    let (_, message) = attest(&fleet, &door, &guest, fleet.ticket());
    fleet.room = false;
    let refused = |refusal| Err(AttestError::Refused(refusal));
    assert_eq!(
        probed(&fleet, &mut door, message.clone(), guest.node),
        refused(Refusal::Full)
    );
    fleet.expelled.push(guest.node);
    assert_eq!(
        probed(&fleet, &mut door, message, guest.node),
        refused(Refusal::Expelled)
    );
    assert_eq!(door.signature_checks(), 0);
}
