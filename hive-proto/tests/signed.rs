//! What is signed is signed whole: every bit of it counts, for one purpose, in one fleet.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::{Fleet, Party, now, sample};
use hive_proto::handshake::{Candidate, Contact, Door, Transcript, Visitor};
use hive_proto::{
    Acceptance, Attest, Ballot, Certificate, Challenge, Epoch, Manifest, Message, Record,
    SealDomain, SealError, Sealed, SignedDecision, Slot, Statement, Ticket, VerifyingKey, Vote,
    VoteKind, Welcome, codec, tagged_hash,
};
use hive_types::{Capabilities, Digest, Elapsed, HiveId, Network};

fn key(fleet: &Fleet) -> VerifyingKey {
    VerifyingKey::new(&fleet.founder.secret.public()).unwrap()
}

/// Checks that `bytes` count, and that they don't with any one bit flipped.
fn every_bit_counts(name: &str, bytes: &[u8], mut counts: impl FnMut(&[u8]) -> bool) {
    assert!(counts(bytes), "{name} counts as it is");
    let mut flipped = bytes.to_vec();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            flipped[place] ^= 1 << bit;
            assert!(!counts(&flipped), "{name}: bit {bit} of byte {place}");
            flipped[place] ^= 1 << bit;
        }
    }
}

#[test]
fn t45_every_bit_of_a_vote_a_decision_and_an_acceptance_counts() {
    let fleet = sample::fleet();
    let (hive, key) = (fleet.hive, key(&fleet));
    let vote = codec::encode(&fleet.vote(Party::new(5).node));
    every_bit_counts("vote", &vote, |bytes| {
        codec::decode::<Vote>(bytes).is_ok_and(|vote| vote.verify(&hive, &key).is_ok())
    });
    let certificate = fleet.decide(sample::lock());
    let decision = codec::encode(&certificate.decision);
    every_bit_counts("decision", &decision, |bytes| {
        let decision = codec::decode::<SignedDecision>(bytes);
        decision.is_ok_and(|decision| decision.verify(&hive, &key).is_ok())
    });
    let whole = codec::encode(&certificate);
    every_bit_counts("certificate", &whole, |bytes| {
        let certificate = codec::decode::<Certificate>(bytes);
        certificate.is_ok_and(|certificate| certificate_counts(&certificate, &hive, &key))
    });
}

fn certificate_counts(certificate: &Certificate, hive: &HiveId, key: &VerifyingKey) -> bool {
    let accepted = certificate.accepted();
    let all = |acceptance: &Acceptance| acceptance.verify(&accepted, hive, key).is_ok();
    certificate.decision.verify(hive, key).is_ok()
        && certificate.acceptances.len() == 1
        && certificate.acceptances.iter().all(all)
}

#[test]
fn t45_a_flipped_field_of_a_vote_makes_it_nobodys() {
    let (fleet, other) = (sample::fleet(), Party::new(5));
    let (hive, key) = (fleet.hive, key(&fleet));
    let vote = fleet.vote(other.node);
    assert_eq!(vote.verify(&hive, &key), Ok(()));
    type Flip = fn(&mut Vote);
    let flips: [(&str, Flip); 5] = [
        ("kind", |vote| vote.text.kind = VoteKind::Expel),
        ("subject", |vote| vote.text.subject = Party::new(6).node),
        ("roster", |vote| vote.text.roster = sample::ZEROS),
        ("voter", |vote| vote.voter = Party::new(6).node),
        ("epoch", |vote| vote.epoch = Epoch(2)),
    ];
    for (field, flip) in flips {
        let mut flipped = vote;
        flip(&mut flipped);
        let refused = flipped.verify(&hive, &key);
        assert_eq!(refused, Err(SealError::Signature), "{field}");
    }
}

#[test]
fn t45_a_flipped_field_of_a_ballot_or_an_acceptance_makes_it_nobodys() {
    let fleet = sample::fleet();
    let (hive, key) = (fleet.hive, key(&fleet));
    let certificate = fleet.decide(sample::lock());
    assert!(certificate_counts(&certificate, &hive, &key));
    let other = Party::new(6).node;
    type Flip = Box<dyn Fn(&mut Certificate)>;
    let flips: [(&str, Flip); 8] = [
        ("round", Box::new(|it| it.ballot.round += 1)),
        ("rank", Box::new(|it| it.ballot.rank = sample::ZEROS)),
        ("proposer", Box::new(move |it| it.ballot.proposer = other)),
        ("slot", Box::new(|it| it.decision.decision.slot = Slot(2))),
        (
            "previous",
            Box::new(|it| it.decision.decision.previous = sample::ZEROS),
        ),
        (
            "author",
            Box::new(move |it| it.decision.decision.author = other),
        ),
        (
            "acceptor",
            Box::new(move |it| it.acceptances[0].acceptor = other),
        ),
        (
            "acceptor's epoch",
            Box::new(|it| it.acceptances[0].epoch = Epoch(2)),
        ),
    ];
    for (field, flip) in flips {
        let mut flipped = certificate.clone();
        flip(&mut flipped);
        assert!(!certificate_counts(&flipped, &hive, &key), "{field}");
    }
}

#[test]
fn every_bit_of_a_record_a_statement_a_ticket_and_a_manifest_counts() {
    let fleet = sample::fleet();
    let (hive, key) = (fleet.hive, key(&fleet));
    every_bit_counts("record", sample::record().bytes(), |bytes| {
        let record = Record::parse(bytes.to_vec());
        record.is_ok_and(|record| record.verify(&hive, &key).is_ok())
    });
    let sealed = codec::encode(&sample::sealed());
    every_bit_counts("statement", &sealed, |bytes| {
        let verify = |sealed: Sealed| sealed.verify(SealDomain::Statement, &hive, &key);
        codec::decode::<Sealed>(bytes).is_ok_and(|sealed| verify(sealed).is_ok())
    });
    let ticket = codec::encode(&fleet.ticket());
    every_bit_counts("ticket", &ticket, |bytes| {
        codec::decode::<Ticket>(bytes).is_ok_and(|ticket| ticket.verify(&key).is_ok())
    });
    let manifest = codec::encode(&sample::guest().manifest(hive));
    every_bit_counts("manifest", &manifest, |bytes| {
        let verify = |manifest: Manifest| manifest.verify(&hive, Network::Regtest);
        codec::decode::<Manifest>(bytes).is_ok_and(|manifest| verify(manifest).is_ok())
    });
    let charter = codec::encode(&fleet.charter_certificate());
    every_bit_counts("charter", &charter, |bytes| {
        let verify = |charter: Certificate| charter.verify_charter(&hive);
        codec::decode::<Certificate>(bytes).is_ok_and(|charter| verify(charter).is_ok())
    });
}

#[test]
fn every_bit_of_a_handshake_counts() {
    let (fleet, guest) = (sample::fleet(), sample::guest());
    let message = |name: &str| {
        let mut all = sample::messages().into_iter();
        all.find_map(|(of, message)| (of == name).then_some(message))
    };
    let (Some(Message::Attest(attest)), Some(Message::Welcome(welcome))) =
        (message("attest"), message("welcome"))
    else {
        panic!("there is a sample of each kind");
    };
    let visitor = Visitor {
        node: guest.node,
        features: Capabilities::ANCHORS,
    };
    every_bit_counts("attest", &codec::encode(&attest), |bytes| {
        let mut door = Door::new(fleet.founder.verified(fleet.hive), [0xd0; 32]);
        codec::decode::<Attest>(bytes).is_ok_and(|attest| {
            let verdict = door.on_attest(now(1_200), &visitor, attest, [0; 32], &fleet);
            verdict.is_ok()
        })
    });
    let member = fleet.founder.node;
    let applicant = guest.applicant(fleet.ticket());
    let contact = Contact::FromTicket(member);
    let (mut candidate, hello) = Candidate::new(now(0), applicant, contact, [7; 32]).unwrap();
    let door = Door::new(fleet.founder.verified(fleet.hive), [0xd0; 32]);
    let challenge = door.on_hello(Elapsed::new(1_000), &guest.node, &hello);
    let again = candidate.on_challenge(Elapsed::ZERO, &member, challenge);
    assert_eq!(again, Ok(attest), "signing is deterministic");
    every_bit_counts("welcome", &codec::encode(&welcome), |bytes| {
        let mut candidate = candidate.clone();
        let welcome = codec::decode::<Welcome>(bytes);
        welcome.is_ok_and(|welcome| candidate.on_welcome(&member, welcome).is_ok())
    });
}

#[test]
fn every_part_of_a_transcript_counts() {
    let (fleet, guest, other) = (sample::fleet(), sample::guest(), Party::new(6));
    let (hello, challenge) = match &sample::messages()[..] {
        [
            (_, Message::Hello(hello)),
            (_, Message::Challenge(challenge)),
            ..,
        ] => (*hello, challenge.clone()),
        _ => panic!("samples begin with the handshake"),
    };
    let ids = (&guest.node, &fleet.founder.node);
    let (ticket, manifest) = (fleet.ticket(), guest.manifest(fleet.hive));
    let base = Transcript::attest(ids, &hello, &challenge, &ticket, &manifest);
    let mut later = challenge.clone();
    later.cookie.made = Elapsed::new(1_001);
    let other_manifest = Challenge {
        manifest: other.manifest(fleet.hive),
        ..challenge.clone()
    };
    let mut nonce = hello;
    nonce.nonce[31] ^= 1;
    let mut body = fleet.ticket_body();
    body.guest = Some(guest.node);
    let named = Ticket::sign(body, &fleet.founder.secret).unwrap();
    let of = Transcript::attest;
    let third = other.manifest(fleet.hive);
    let changed = [
        of((ids.1, ids.0), &hello, &challenge, &ticket, &manifest),
        of((ids.0, &other.node), &hello, &challenge, &ticket, &manifest),
        of((&other.node, ids.1), &hello, &challenge, &ticket, &manifest),
        of(ids, &nonce, &challenge, &ticket, &manifest),
        of(ids, &hello, &later, &ticket, &manifest),
        of(ids, &hello, &other_manifest, &ticket, &manifest),
        of(ids, &hello, &challenge, &named, &manifest),
        of(ids, &hello, &challenge, &ticket, &third),
    ];
    assert!(changed.iter().all(|transcript| *transcript != base));
}

#[test]
fn t13_nothing_that_is_signed_in_one_fleet_counts_in_another() {
    let (here, there) = (Fleet::new(1, 1), Fleet::new(1, 2));
    let key = key(&here);
    let refused = Err(SealError::Signature);
    let vote = here.vote(Party::new(5).node);
    assert_eq!(vote.verify(&here.hive, &key), Ok(()));
    assert_eq!(vote.verify(&there.hive, &key), refused);
    let decision = here.decide(sample::lock()).decision;
    assert_eq!(decision.verify(&here.hive, &key), Ok(()));
    assert_eq!(decision.verify(&there.hive, &key), refused);
    let sealed = sample::sealed();
    let domain = SealDomain::Statement;
    assert_eq!(sealed.verify(domain, &here.hive, &key), Ok(()));
    assert_eq!(sealed.verify(domain, &there.hive, &key), refused);
    assert!(sample::record().verify(&there.hive, &key).is_err());
    let mut body = here.ticket_body();
    body.hive = there.hive;
    let moved = codec::encode(&(body, codec_signature(&here.ticket())));
    let moved: Ticket = codec::decode(&moved).unwrap();
    assert!(
        moved.verify(&key).is_err(),
        "a ticket names its hive itself"
    );
    assert!(
        here.charter_certificate()
            .verify_charter(&there.hive)
            .is_err()
    );
}

/// The signature at the end of a ticket's encoding.
fn codec_signature(ticket: &Ticket) -> hive_types::Signature {
    let bytes = codec::encode(ticket);
    codec::decode(&bytes[bytes.len() - 64..]).unwrap()
}

#[test]
fn a_charter_is_its_founders_own_act() {
    let (fleet, other) = (sample::fleet(), Party::new(6));
    let good = fleet.charter_certificate();
    assert!(good.verify_charter(&fleet.hive).is_ok());
    let theirs = other.verified(fleet.hive);
    assert!(Certificate::found(fleet.charter, &theirs, &other.secret).is_err());
    let own = fleet.founder.verified(fleet.hive);
    assert!(Certificate::found(fleet.charter, &own, &other.secret).is_err());
    let mut none = good.clone();
    none.acceptances.clear();
    assert!(none.verify_charter(&fleet.hive).is_err());
    let mut twice = good.clone();
    twice.acceptances.push(twice.acceptances[0]);
    assert!(twice.verify_charter(&fleet.hive).is_err());
    assert!(
        fleet
            .decide(sample::lock())
            .verify_charter(&fleet.hive)
            .is_err()
    );
}

#[test]
fn ballots_rank_by_a_hash_that_nobody_can_choose() {
    let parts = |previous: u8, resource: u8, node: u8| {
        let digest = |byte| Digest::from_bytes([byte; 32]);
        Ballot::new(
            1,
            &digest(previous),
            &digest(resource),
            Party::new(node).node,
        )
        .rank
    };
    let base = parts(1, 2, 3);
    assert_eq!(base, parts(1, 2, 3));
    assert!(
        [parts(9, 2, 3), parts(1, 9, 3), parts(1, 2, 9)]
            .iter()
            .all(|rank| *rank != base)
    );
    let Statement::Prepare { ballot, .. } = sample::statement() else {
        panic!("the sample is a Prepare");
    };
    let next_round = Ballot {
        round: 2,
        rank: sample::ZEROS,
        ..ballot
    };
    assert!(ballot < next_round, "the round counts first");
}

#[test]
fn tagged_hashes_are_those_of_bip_340() {
    // From BIP 341's wallet test vectors.
    let internal = "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d";
    let internal: Digest = internal.parse().unwrap();
    let tweak = tagged_hash("TapTweak", &[internal.as_bytes()]);
    assert_eq!(
        tweak.to_string(),
        "b86e7be8f39bab32a6f2c0443abbc210f0edac0e2c53d501b36b64437d9c6c70"
    );
    let script = "d85a959b0290bf19bb89ed43c916be835475d013da4b362117393e25a48229b8";
    let script: Digest = script.parse().unwrap();
    let leaf = tagged_hash(
        "TapLeaf",
        &[&[0xc0, 0x22, 0x20], script.as_bytes(), &[0xac]],
    );
    assert_eq!(
        leaf.to_string(),
        "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21"
    );
}
