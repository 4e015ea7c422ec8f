//! Announced is durable: what a frame shows of the sender's own word is on its disk when it leaves.

use super::authorship::StoredAuthor;
use super::{Checker, Scene, Sight};
use crate::fleet::Agent;
use hive_proto::{Ballot, Epoch, Item, Message, Record, SignedDecision, Slot, Statement, codec};
use hive_state::decided::Acceptor;
use hive_types::{Digest, NodeId};

/// How the open slot's state lies on the disk: slot, hash before it, round, promise and acceptance.
type StoredAcceptor = (Slot, Digest, u32, Acceptor<Ballot, SignedDecision>);

/// See the module.
#[derive(Default)]
pub struct AnnouncedIsDurable;

impl Checker for AnnouncedIsDurable {
    fn name(&self) -> &'static str {
        "announced is durable"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        let Sight::Sent {
            agent,
            message: Some(message),
            ..
        } = sight
        else {
            return;
        };
        let agent = scene.agent(*agent);
        // Who has left tells of it after having forgotten the fleet.
        if agent.record().liar || agent.disk().head().is_none() {
            return;
        }
        match message {
            Message::Delta(delta) => {
                let records = delta.items.iter().filter_map(|item| match item {
                    Item::Record(bytes) => Some(bytes),
                    _ => None,
                });
                found.extend(records.filter_map(|bytes| record_missing(scene, agent, bytes)));
            }
            Message::Routed(routed) if routed.statement.author == agent.node() => {
                let statement = codec::decode(&routed.statement.body);
                found.extend(
                    statement
                        .ok()
                        .and_then(|said| promise_missing(agent, &said)),
                );
            }
            Message::Chain(segment) => {
                let slots = segment
                    .certificates
                    .iter()
                    .map(|one| one.decision.decision.slot.0);
                let stored = &agent.disk().stored.decisions;
                let missing = slots
                    .filter(|slot| agent.disk().head() < Some(*slot) && !stored.contains_key(slot));
                found.extend(missing.map(|slot| {
                    format!(
                        "{} sent decision {slot}, which is not on its disk",
                        agent.node().short()
                    )
                }));
            }
            _ => {}
        }
    }
}

/// A record that is sent lies on the disk, or a newer one under its key does.
fn record_missing(scene: &Scene<'_>, agent: &Agent, bytes: &[u8]) -> Option<String> {
    let fields = Record::parse(bytes.to_vec()).ok()?.fields().clone();
    let key = (fields.author, fields.key);
    let stored = agent.disk().stored.records.get(&key);
    // Of two contents under one version one is kept; both are passed on, as the proof that they are.
    let is_forked = !scene.is_honest(&key.0);
    let is_there = stored.is_some_and(|stored| {
        let newer = || {
            Record::parse(stored.clone()).is_ok_and(|held| {
                let held = held.fields().version;
                held > fields.version || (is_forked && held == fields.version)
            })
        };
        stored == bytes || newer()
    });
    // Another's record that its author took back by a new epoch in the same frame is nobody's word.
    let is_void = || newest_epoch(agent, &key.0) > Some(fields.version.epoch);
    (!is_there && !is_void()).then(|| {
        format!(
            "{} sent a record of {} at {} that is not on its disk",
            agent.node().short(),
            key.0.short(),
            fields.version
        )
    })
}

/// The epoch in which an agent's disk has an author.
fn newest_epoch(agent: &Agent, author: &NodeId) -> Option<Epoch> {
    let bytes = agent.disk().stored.authors.get(author)?;
    match codec::decode(bytes).ok()? {
        StoredAuthor::Here {
            epoch: Item::Epoch(manifest),
            ..
        } => Some(manifest.certification().epoch),
        StoredAuthor::Here { .. } => None,
        StoredAuthor::Gone(version) => Some(version.epoch),
    }
}

/// A promise or an acceptance that is sent lies on the disk, or the slot is decided there.
fn promise_missing(agent: &Agent, said: &Statement) -> Option<String> {
    let (slot, ballot, accepted) = match said {
        Statement::Promise { slot, ballot, .. } => (*slot, *ballot, None),
        Statement::Accepted {
            slot,
            ballot,
            decision,
        } => (*slot, *ballot, Some(*decision)),
        _ => return None,
    };
    if agent.disk().head() >= Some(slot.0) {
        return None;
    }
    let bytes = agent.disk().stored.acceptor.as_ref();
    let stored = bytes.and_then(|bytes| codec::decode::<StoredAcceptor>(bytes).ok());
    let holds = stored.is_some_and(|(at, _, _, acceptor)| {
        let promised = acceptor
            .promised()
            .is_some_and(|promised| *promised >= ballot);
        let held = acceptor.accepted();
        let has = accepted.is_none_or(|decision| {
            held.is_some_and(|(at, value)| {
                *at > ballot || (*at == ballot && value.decision.hash() == decision)
            })
        });
        at == slot && promised && has
    });
    (!holds).then(|| {
        format!(
            "{} sent a promise or acceptance of slot {} that is not on its disk",
            agent.node().short(),
            slot.0
        )
    })
}
