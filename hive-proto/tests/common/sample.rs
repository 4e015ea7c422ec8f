//! One message of each kind, all from fixed secrets: the worked examples of the protocol's page.

use super::{EXPIRES, Fleet, Party, WALL, now};
use hive_proto::handshake::{Candidate, Contact, Door, Verdict, Visitor};
use hive_proto::{
    Ballot, Ban, ChainRequest, ChainSegment, ChainSnapshot, Corridor, CorridorTerms, Counter,
    DecisionBody, Delta, Departure, DepartureReason, DigestLine, Epoch, Funding, Heartbeat,
    HeartbeatChange, Item, KeyVersion, Listing, Message, Observation, Record, RecordBody,
    RecordFields, RecordKind, Refusal, Routed, SealDomain, Sealed, Share, Slot, Statement, Tally,
    TallyRow, Unannounced, Version, VoteKind, WithdrawnFor, codec, keys, tagged_hash,
};
use hive_types::{
    ActionId, BanReason, BlockHeight, Capabilities, Constraint, Digest, Elapsed, Intent, Millis,
    Msat, NodeId, Opportunity, OutPoint, Ppm, Sat, Toxicity, Txid,
};

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
            Message::ChainRequest(ChainRequest {
                from: Slot(1),
                wall: super::now(0).wall,
            }),
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

/// A full heartbeat of the examples: three announced channels and one that is not.
pub fn heartbeat() -> Heartbeat {
    heartbeat_of([
        ("800000x1x0", 255),
        ("800000x2000x1", 128),
        ("870123x7x5", 3),
    ])
}

fn heartbeat_of<const N: usize>(channels: [(&str, u8); N]) -> Heartbeat {
    let channels = channels.map(|(scid, share)| (scid.parse().unwrap(), Share::from_steps(share)));
    let unannounced = vec![Unannounced {
        peer: Party::new(5).node,
        capacity: Sat::new(1_000_000),
        share: Share::from_steps(64),
    }];
    Heartbeat::new(channels.into_iter().collect(), unannounced).unwrap()
}

/// What changed since: a share, a channel that is gone, one that came.
pub fn heartbeat_change() -> HeartbeatChange {
    let new = heartbeat_of([
        ("800000x1x0", 254),
        ("800000x2000x1", 128),
        ("900000x1x1", 0),
    ]);
    HeartbeatChange::between(&heartbeat(), Counter(7), &new)
}

/// One body of each kind of record, with its key.
pub fn bodies() -> Vec<(&'static str, RecordKind, Vec<u8>, Vec<u8>)> {
    fn body<T: RecordBody>(
        name: &'static str,
        key: Vec<u8>,
        body: &T,
    ) -> (&'static str, RecordKind, Vec<u8>, Vec<u8>) {
        (name, T::KIND, key, body.encode())
    }
    let (fleet, peer) = (fleet(), Party::new(9).node);
    let subject = Party::new(5).node;
    let toxicity = Toxicity {
        force_closes: 1,
        stuck_htlcs: 12,
        jams: 3,
        dust_htlcs: 40_000,
        fee_raises: 2,
        forwards: 900,
        failure_rate: Ppm::new(700_000),
        window: Millis::from_days(30),
        last_seen: WALL,
    };
    let opportunity = Opportunity {
        capital: Sat::new(5_000_000),
        days: 30,
        volume: Msat::new(40_000_000_000),
        fees: Msat::new(12_000_000),
        success_rate: Some(Ppm::new(910_000)),
    };
    let action = ActionId::from_bytes([0x0a; 16]);
    let outpoint = OutPoint {
        txid: Txid::from_bytes([0x0b; 32]),
        vout: 1,
    };
    vec![
        body(
            "manifest",
            keys::manifest(),
            &fleet.founder.manifest(fleet.hive),
        ),
        body("heartbeat-full", keys::heartbeat_full(), &heartbeat()),
        body(
            "heartbeat-change",
            keys::heartbeat_change(),
            &heartbeat_change(),
        ),
        body(
            "constraint",
            keys::constraint(),
            &Constraint {
                capital: Sat::new(20_000_000),
                slots: 4,
                channel_min: Sat::new(1_000_000),
                channel_max: Sat::new(10_000_000),
            },
        ),
        body(
            "intent",
            keys::intent(&peer),
            &Intent {
                target: peer,
                capacity: Sat::new(5_000_000),
                value_per_day: Msat::new(150_000),
                until: BlockHeight::new(900_144),
            },
        ),
        body(
            "observation",
            keys::observation(&peer),
            &Observation {
                peer,
                toxicity: None,
                opportunity: Some(opportunity),
            },
        ),
        body(
            "vote",
            keys::vote(VoteKind::Promote, &subject),
            &fleet.vote(subject),
        ),
        body(
            "departure",
            keys::departure(),
            &Departure {
                node: fleet.founder.node,
                reason: DepartureReason::Operator,
            },
        ),
        body(
            "funding",
            keys::funding(&peer),
            &Funding {
                target: peer,
                action,
                outpoint,
            },
        ),
        body(
            "ban",
            keys::ban(&peer),
            &Ban {
                peer,
                reason: BanReason::Jamming,
                evidence: toxicity,
                until: EXPIRES,
                lifted: false,
            },
        ),
        body(
            "corridor",
            keys::corridor(&subject),
            &Corridor {
                fellow: subject,
                terms: CorridorTerms::Withdrawn(WithdrawnFor::Fees),
            },
        ),
        body(
            "tally",
            keys::tally(),
            &Tally {
                slot: 133_333,
                watched: [255; 21],
                days: 14,
                rows: vec![TallyRow {
                    fellow: subject,
                    since: 133_000,
                    seen: [127; 21],
                    given: Msat::new(5_000_000_000),
                    taken: Msat::new(4_000_000_000),
                }],
            },
        ),
    ]
}

/// When the examples happen, and when what is in them expires.
pub const DATES: (u64, u64) = (WALL.get(), EXPIRES.get());

/// A digest for where none matters.
pub const ZEROS: Digest = Digest::from_bytes([0; 32]);
