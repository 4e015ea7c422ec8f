//! One message of each kind, all from fixed secrets: the worked examples of the protocol's page.

use super::{EXPIRES, Fleet, Party, WALL, now};
use hive_proto::handshake::{Candidate, Contact, Door, Verdict, Visitor};
use hive_proto::{
    Ballot, ChainRequest, ChainSegment, ChainSnapshot, Counter, DecisionBody, Delta, DigestLine,
    Epoch, Item, KeyVersion, Listing, Message, Record, RecordFields, RecordKind, Refusal, Routed,
    SealDomain, Sealed, Slot, Statement, Version, codec, tagged_hash,
};
use hive_types::{ActionId, BlockHeight, Capabilities, Digest, Elapsed, NodeId};

/// The fleet of the examples: founder 1, nonce 1.
pub fn fleet() -> Fleet {
    Fleet::new(1, 1)
}

/// The guest of the examples.
pub fn guest() -> Party {
    Party::new(2)
}

/// A record of the founder, of a kind that only examples use.
pub fn record() -> Record {
    let fleet = fleet();
    let fields = RecordFields {
        author: fleet.founder.node,
        version: version(7),
        key: b"example".to_vec(),
        kind: RecordKind(0x8000),
        schema: 1,
        expiry_secs: 3_600,
        body: vec![0xca, 0xfe],
    };
    Record::sign(fields, &fleet.founder.secret, &fleet.hive).unwrap()
}

fn version(counter: u64) -> Version {
    Version {
        epoch: Epoch(1),
        counter: Counter(counter),
    }
}

fn digest_line(author: NodeId) -> DigestLine {
    DigestLine {
        author,
        newest: version(7),
        hash: record().hash(),
        proofs: 0,
    }
}

/// The lock that the examples are about: decision 1.
pub fn lock() -> DecisionBody {
    DecisionBody::Lock {
        target: Party::new(9).node,
        action: ActionId::from_bytes([0x0a; 16]),
        height: BlockHeight::new(900_000),
    }
}

/// What the founder says when it wants that lock.
pub fn statement() -> Statement {
    let fleet = fleet();
    let previous = fleet.charter_certificate().decision.decision.hash();
    let resource = lock().resource();
    Statement::Prepare {
        slot: Slot(1),
        previous,
        ballot: Ballot::new(1, &previous, &resource, fleet.founder.node),
        resource,
    }
}

/// The same, sealed.
pub fn sealed() -> Sealed {
    let fleet = fleet();
    let body = codec::encode(&statement());
    let (secret, node) = (&fleet.founder.secret, fleet.founder.node);
    Sealed::new(
        secret,
        SealDomain::Statement,
        &fleet.hive,
        node,
        Epoch(1),
        body,
    )
}

/// The seven messages of a handshake, the last a refusal. The probe is cut to eight bytes.
fn handshake() -> Vec<(&'static str, Message)> {
    let (fleet, guest) = (fleet(), guest());
    let member = fleet.founder.node;
    let mut door = Door::new(fleet.founder.verified(fleet.hive), [0xd0; 32]);
    let applicant = guest.applicant(fleet.ticket());
    let contact = Contact::FromTicket(member);
    let (mut candidate, hello) = Candidate::new(now(0), applicant, contact, [7; 32]).unwrap();
    let challenge = door.on_hello(Elapsed::new(1_000), &guest.node, &hello);
    let attest = candidate.on_challenge(Elapsed::new(1_100), &member, challenge.clone());
    let attest = attest.unwrap();
    let visitor = Visitor {
        node: guest.node,
        features: Capabilities::ANCHORS,
    };
    let seed = [0x5e; 32];
    let verdict = door.on_attest(now(1_200), &visitor, attest.clone(), seed, &fleet);
    let Ok(Verdict::Probe(probe)) = verdict else {
        unreachable!("an honest guest is probed");
    };
    let confirmed = door.on_echo(Elapsed::new(1_300), &guest.node, &probe);
    let confirmed = confirmed.unwrap().unwrap();
    let admission = fleet.admit(&guest, fleet.ticket());
    let charter = fleet.charter_certificate();
    let welcome = confirmed.welcome(charter, admission, Slot(1), &fleet.founder.secret);
    let short = probe[..8].to_vec();
    vec![
        ("hello", Message::Hello(hello)),
        ("challenge", Message::Challenge(challenge)),
        ("attest", Message::Attest(attest)),
        ("probe", Message::Probe(short.clone())),
        ("echo", Message::Echo(short)),
        ("welcome", Message::Welcome(welcome)),
        ("refused", Message::Refused(Refusal::TicketUsed)),
    ]
}

/// One message of each kind, by name.
pub fn messages() -> Vec<(&'static str, Message)> {
    let (fleet, guest) = (fleet(), guest());
    let founder = fleet.founder.node;
    let line = digest_line(founder);
    let mut hash = [0; 16];
    hash.copy_from_slice(&record().hash().as_bytes()[..16]);
    let records = vec![KeyVersion {
        version: version(7),
        hash,
    }];
    let state = b"example".to_vec();
    let checkpoint = fleet.decide(DecisionBody::Checkpoint {
        state: tagged_hash("hive/state", &[&state]),
    });
    let mut messages = handshake();
    messages.extend([
        ("digest", Message::Digest(vec![line])),
        (
            "delta",
            Message::Delta(Delta {
                hops: 8,
                items: vec![Item::Record(record().bytes().to_vec())],
                want: vec![],
                more: false,
            }),
        ),
        (
            "listing",
            Message::Listing(Listing {
                author: founder,
                epoch: Epoch(1),
                records,
                proofs: vec![],
                reply: true,
            }),
        ),
        (
            "routed",
            Message::Routed(Routed {
                to: guest.node,
                hops: 8,
                statement: sealed(),
            }),
        ),
        (
            "chain-request",
            Message::ChainRequest(ChainRequest { from: Slot(1) }),
        ),
        (
            "chain",
            Message::Chain(ChainSegment {
                certificates: vec![fleet.decide(lock())],
                head: Slot(1),
            }),
        ),
        (
            "snapshot",
            Message::Snapshot(ChainSnapshot {
                charter: fleet.charter_certificate(),
                checkpoint,
                state,
            }),
        ),
    ]);
    messages
}

/// When the examples happen, and when what is in them expires.
pub const DATES: (u64, u64) = (WALL.get(), EXPIRES.get());

/// A digest for where none matters.
pub const ZEROS: Digest = Digest::from_bytes([0; 32]);
