//! The handshake from HELLO to WELCOME, step by step.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::door::{SEED, attest, door, joined, probed, visitor};
use common::{EXPIRES, Fleet, Party, now};
use hive_proto::handshake::{
    AttestError, Candidate, CandidateError, Contact, Door, Joined, Visitor,
};
use hive_proto::{
    Attest, Challenge, ManifestError, Message, NodeSignatureError, Refusal, SealError, Slot,
    Ticket, TicketError, Welcome,
};
use hive_types::limits::{HANDSHAKE_TIMEOUT, PROBE_BYTES};
use hive_types::{Capabilities, Elapsed, HiveId, Millis, Network, Now};

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
