//! Strategies for every message of the protocol.

use super::{Fleet, Party};
use hive_proto::{
    Acceptance, Attest, Ballot, Certificate, ChainRequest, ChainSegment, ChainSnapshot, Challenge,
    Cookie, Decision, DecisionBody, Delta, DigestLine, Epoch, Hello, Item, KeyVersion, Listing,
    Message, Refusal, Routed, Sealed, SignedDecision, Slot, Statement, Ticket, UnlockReason,
    Version, Welcome,
};
use hive_types::{
    ActionId, BlockHeight, Capabilities, Digest, Elapsed, NodeId, OutPoint, Signature, TicketId,
    Tier, Txid, UnixMillis,
};
use proptest::collection::vec;
use proptest::prelude::*;

pub fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

pub fn signature() -> impl Strategy<Value = Signature> {
    (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(left, right)| {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&left);
        bytes[32..].copy_from_slice(&right);
        Signature::from_bytes(bytes)
    })
}

pub fn node() -> impl Strategy<Value = NodeId> {
    (any::<bool>(), any::<[u8; 32]>()).prop_map(|(odd, x)| {
        let mut bytes = [2 + u8::from(odd); 33];
        bytes[1..].copy_from_slice(&x);
        NodeId::from_bytes(bytes).unwrap()
    })
}

fn version() -> impl Strategy<Value = Version> {
    let number = prop_oneof![0u64..600, any::<u64>()];
    (number.clone(), number).prop_map(|(epoch, counter)| Version {
        epoch: Epoch(epoch),
        counter: hive_proto::Counter(counter),
    })
}

pub fn ticket() -> impl Strategy<Value = Ticket> {
    (
        any::<[u8; 16]>(),
        any::<bool>(),
        any::<u32>(),
        any::<u64>(),
        proptest::option::of(node()),
        vec((node(), "[a-z.:0-9]{0,40}"), 0..3),
    )
        .prop_map(|(id, full, required, expires, guest, contacts)| {
            let fleet = Fleet::new(1, 1);
            let mut body = fleet.ticket_body();
            body.id = TicketId::from_bytes(id);
            body.tier = if full { Tier::Full } else { Tier::Probationary };
            body.required = Capabilities::from_bits(required);
            body.expires = UnixMillis::new(expires);
            body.guest = guest;
            body.contacts = contacts;
            Ticket::sign(body, &fleet.founder.secret).unwrap()
        })
}

fn manifest() -> impl Strategy<Value = hive_proto::Manifest> {
    (1u8..120, any::<u8>())
        .prop_map(|(party, nonce)| Party::new(party).manifest(Fleet::new(1, nonce).hive))
}

fn ballot() -> impl Strategy<Value = Ballot> {
    (any::<u32>(), digest(), node()).prop_map(|(round, rank, proposer)| Ballot {
        round,
        rank,
        proposer,
    })
}

fn decision_body() -> impl Strategy<Value = DecisionBody> {
    let action = || any::<[u8; 16]>().prop_map(ActionId::from_bytes);
    let votes = || {
        (node(), 0usize..4).prop_map(|(node, count)| {
            let votes = vec![Fleet::new(1, 1).vote(node); count];
            (node, votes)
        })
    };
    let reason = prop_oneof![
        Just(UnlockReason::Abandoned),
        (any::<[u8; 32]>(), any::<u32>()).prop_map(|(txid, vout)| {
            let txid = Txid::from_bytes(txid);
            UnlockReason::Opened(OutPoint { txid, vout })
        })
    ];
    prop_oneof![
        manifest().prop_map(|manifest| DecisionBody::Charter {
            charter: Fleet::new(1, 1).charter,
            manifest: Box::new(manifest)
        }),
        (ticket(), manifest()).prop_map(|(ticket, manifest)| DecisionBody::Admit {
            ticket: Box::new(ticket),
            manifest: Box::new(manifest)
        }),
        votes().prop_map(|(node, votes)| DecisionBody::Promote { node, votes }),
        votes().prop_map(|(node, votes)| DecisionBody::Expel { node, votes }),
        (node(), vec(any::<u8>(), 0..300))
            .prop_map(|(node, departure)| DecisionBody::Depart { node, departure }),
        manifest().prop_map(|manifest| DecisionBody::Reseat {
            manifest: Box::new(manifest)
        }),
        (node(), action(), any::<u32>()).prop_map(|(target, action, height)| {
            let height = BlockHeight::new(height);
            DecisionBody::Lock {
                target,
                action,
                height,
            }
        }),
        (node(), action(), reason).prop_map(|(target, action, reason)| DecisionBody::Unlock {
            target,
            action,
            reason
        }),
        digest().prop_map(|state| DecisionBody::Checkpoint { state }),
    ]
}

fn signed_decision() -> impl Strategy<Value = SignedDecision> {
    (
        any::<u64>(),
        digest(),
        node(),
        decision_body(),
        any::<u64>(),
        signature(),
    )
        .prop_map(
            |(slot, previous, author, body, epoch, signature)| SignedDecision {
                decision: Decision {
                    slot: Slot(slot),
                    previous,
                    author,
                    body,
                },
                epoch: Epoch(epoch),
                signature,
            },
        )
}

fn certificate() -> impl Strategy<Value = Certificate> {
    let acceptance =
        (node(), any::<u64>(), signature()).prop_map(|(acceptor, epoch, signature)| Acceptance {
            acceptor,
            epoch: Epoch(epoch),
            signature,
        });
    (signed_decision(), ballot(), vec(acceptance, 0..4)).prop_map(
        |(decision, ballot, acceptances)| Certificate {
            decision,
            ballot,
            acceptances,
        },
    )
}

pub fn statement() -> impl Strategy<Value = Statement> {
    let slot = || any::<u64>().prop_map(Slot);
    prop_oneof![
        (slot(), digest(), ballot(), digest()).prop_map(|(slot, previous, ballot, resource)| {
            Statement::Prepare {
                slot,
                previous,
                ballot,
                resource,
            }
        }),
        (
            slot(),
            ballot(),
            proptest::option::of((ballot(), signed_decision()))
        )
            .prop_map(|(slot, ballot, accepted)| Statement::Promise {
                slot,
                ballot,
                accepted: accepted.map(|(ballot, decision)| (ballot, Box::new(decision))),
            }),
        (slot(), ballot(), signed_decision()).prop_map(|(slot, ballot, decision)| {
            Statement::Propose {
                slot,
                ballot,
                decision: Box::new(decision),
            }
        }),
        (slot(), ballot(), digest()).prop_map(|(slot, ballot, decision)| Statement::Accepted {
            slot,
            ballot,
            decision
        }),
        (slot(), ballot(), ballot()).prop_map(|(slot, ballot, promised)| Statement::Behind {
            slot,
            ballot,
            promised
        }),
        (slot(), ballot(), digest(), ".{0,40}").prop_map(|(slot, ballot, decision, reason)| {
            Statement::Declined {
                slot,
                ballot,
                decision,
                reason,
            }
        }),
    ]
}

fn digest_line() -> impl Strategy<Value = DigestLine> {
    (node(), version(), digest(), any::<u8>()).prop_map(|(author, newest, hash, proofs)| {
        DigestLine {
            author,
            newest,
            hash,
            proofs,
        }
    })
}

fn item() -> impl Strategy<Value = Item> {
    let bytes = || vec(any::<u8>(), 0..300);
    prop_oneof![
        bytes().prop_map(Item::Record),
        manifest().prop_map(|manifest| Item::Epoch(Box::new(manifest))),
        (manifest(), bytes(), bytes()).prop_map(|(manifest, first, second)| Item::Proof {
            manifest: Box::new(manifest),
            first,
            second,
        }),
    ]
}

fn hello() -> impl Strategy<Value = Hello> {
    (digest(), any::<[u8; 32]>()).prop_map(|(ticket, nonce)| Hello { ticket, nonce })
}

fn cookie() -> impl Strategy<Value = Cookie> {
    (any::<u64>(), digest()).prop_map(|(made, mac)| Cookie {
        made: Elapsed::new(made),
        mac,
    })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    prop::sample::select(vec![
        Refusal::Ticket,
        Refusal::TicketExpired,
        Refusal::TicketUsed,
        Refusal::Manifest,
        Refusal::Capabilities,
        Refusal::Probe,
        Refusal::Full,
        Refusal::Expelled,
        Refusal::Busy,
        Refusal::NoMajority,
        Refusal::NotReady,
    ])
}

fn handshake() -> impl Strategy<Value = Message> {
    let bytes = || vec(any::<u8>(), 0..2_000);
    prop_oneof![
        hello().prop_map(Message::Hello),
        (cookie(), manifest())
            .prop_map(|(cookie, manifest)| Message::Challenge(Challenge { cookie, manifest })),
        (hello(), cookie(), ticket(), manifest(), signature()).prop_map(
            |(hello, cookie, ticket, manifest, signature)| Message::Attest(Attest {
                hello,
                cookie,
                ticket,
                manifest,
                signature
            })
        ),
        bytes().prop_map(Message::Probe),
        bytes().prop_map(Message::Echo),
        (certificate(), certificate(), any::<u64>(), signature()).prop_map(
            |(charter, admission, head, signature)| Message::Welcome(Welcome {
                charter,
                admission,
                head: Slot(head),
                signature
            })
        ),
        refusal().prop_map(Message::Refused),
    ]
}

fn merged() -> impl Strategy<Value = Message> {
    let key =
        (version(), any::<[u8; 16]>()).prop_map(|(version, hash)| KeyVersion { version, hash });
    prop_oneof![
        vec(digest_line(), 0..20).prop_map(Message::Digest),
        (
            any::<u8>(),
            vec(item(), 0..5),
            vec(digest_line(), 0..5),
            any::<bool>()
        )
            .prop_map(|(hops, items, want, more)| Message::Delta(Delta {
                hops,
                items,
                want,
                more
            })),
        (
            node(),
            any::<u64>(),
            vec(key, 0..20),
            vec(any::<[u8; 16]>(), 0..3),
            any::<bool>()
        )
            .prop_map(|(author, epoch, records, proofs, reply)| Message::Listing(
                Listing {
                    author,
                    epoch: Epoch(epoch),
                    records,
                    proofs,
                    reply
                }
            )),
    ]
}

fn decided() -> impl Strategy<Value = Message> {
    let sealed = (node(), any::<u64>(), statement(), signature()).prop_map(
        |(author, epoch, statement, signature)| Sealed {
            author,
            epoch: Epoch(epoch),
            body: hive_proto::codec::encode(&statement),
            signature,
        },
    );
    prop_oneof![
        (node(), any::<u8>(), sealed).prop_map(|(to, hops, statement)| Message::Routed(Routed {
            to,
            hops,
            statement
        })),
        any::<(u64, u64)>().prop_map(|(from, wall)| Message::ChainRequest(ChainRequest {
            from: Slot(from),
            wall: UnixMillis::new(wall),
        })),
        (vec(certificate(), 0..3), any::<u64>()).prop_map(|(certificates, head)| {
            let head = Slot(head);
            Message::Chain(ChainSegment { certificates, head })
        }),
        (certificate(), certificate(), vec(any::<u8>(), 0..500)).prop_map(
            |(charter, checkpoint, state)| Message::Snapshot(ChainSnapshot {
                charter,
                checkpoint,
                state
            })
        ),
    ]
}

/// Any message of the protocol.
pub fn message() -> impl Strategy<Value = Message> {
    prop_oneof![handshake(), merged(), decided()]
}
