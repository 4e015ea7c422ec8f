//! Simple adversaries: what a lying member sends in place of what its machine says.

use super::Fleet;
use crate::world::hash_of;
use hive_proto::{Item, Message, Record, RecordFields, RecordKind};
use hive_types::NodeId;

/// How a member lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Signs two heartbeats under one version and sends them to different members.
    Equivocates,
    /// Flips a bit in records of others that it passes on.
    Forges,
    /// Sends garbage of the protocol's type among its frames.
    Garbage,
    /// Sends old frames again.
    Replays,
    /// Takes locks and never opens.
    Squats,
    /// Answers nothing: hears everything and sends nothing.
    Mute,
    /// Asks fellows for something else than was agreed.
    Cheats(Cheat),
    /// Tells of channels that it has not, and that all of its channels are full.
    Overstates,
    /// Signs a second acceptance, of another decision, after each one.
    AcceptsTwice,
    /// Forges votes in fellows' names, and flips bits in records of others that it passes on.
    ForgesVotes,
    /// Sends more frames than fellows look at.
    Floods,
}

/// What a fee cheat asks of fellows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheat {
    /// 500 ppm.
    Rate,
    /// A base fee of 1 sat.
    Base,
    /// HTLCs of 1 sat at most.
    HtlcMaximum,
    /// 500 ppm on what comes in from the fellow's channel.
    Inbound,
    /// Nothing passes.
    Disabled,
}

impl Lie {
    pub(super) const fn never_acts(self) -> bool {
        matches!(self, Self::Squats)
    }
}

impl Fleet {
    /// The frames that a lying member sends in place of one.
    pub(super) fn lie(
        &mut self,
        agent: usize,
        lie: Lie,
        to: NodeId,
        bytes: Vec<u8>,
    ) -> Vec<Vec<u8>> {
        match lie {
            Lie::Equivocates => vec![self.equivocate(agent, to, bytes)],
            Lie::Forges => vec![self.flip_records(agent, bytes)],
            Lie::Garbage => {
                let noise = hash_of("garbage", &[&self.totals.frames.to_le_bytes(), &bytes]);
                let place = usize::from(noise[0]) * bytes.len() / 256;
                let mut spoiled = bytes.clone();
                if let Some(byte) = spoiled.get_mut(place) {
                    *byte ^= noise[1] | 1;
                }
                vec![noise.to_vec(), spoiled, bytes]
            }
            Lie::Replays => {
                let old = self.agents[agent].remember(&bytes);
                old.into_iter().chain([bytes]).collect()
            }
            Lie::AcceptsTwice => {
                let second = self.second_acceptance(agent, &bytes);
                [bytes].into_iter().chain(second).collect()
            }
            Lie::ForgesVotes => vec![self.flip_records(agent, bytes)],
            Lie::Squats | Lie::Cheats(_) | Lie::Overstates | Lie::Floods => vec![bytes],
            Lie::Mute => Vec::new(),
        }
    }

    /// To every second member: another heartbeat under the same version.
    fn equivocate(&self, agent: usize, to: NodeId, bytes: Vec<u8>) -> Vec<u8> {
        let node = self.agents[agent].node;
        let is_odd = to.as_bytes()[32] % 2 == 1;
        let (Some((secret, manifest)), true) = (self.agents[agent].disk.identity(), is_odd) else {
            return bytes;
        };
        let hive = manifest.certification().hive;
        let other = |record: &Record| {
            let fields = record.fields();
            let beats = [RecordKind::HEARTBEAT_FULL, RecordKind::HEARTBEAT_CHANGE];
            let is_own = fields.author == node && beats.contains(&fields.kind);
            let changed = RecordFields {
                expiry_secs: fields.expiry_secs.wrapping_add(1),
                ..fields.clone()
            };
            let signed = Record::sign(changed, &secret, &hive).ok()?;
            is_own.then(|| signed.bytes().to_vec())
        };
        map_records(bytes, other)
    }

    pub(super) fn flip_records(&self, agent: usize, bytes: Vec<u8>) -> Vec<u8> {
        let node = self.agents[agent].node;
        map_records(bytes, |record| {
            let mut flipped = record.bytes().to_vec();
            let last = flipped.len() - 1;
            flipped[last] ^= 1;
            (record.fields().author != node).then_some(flipped)
        })
    }
}

impl super::Agent {
    /// Keeps a frame, and gives back one from before: each eighth frame brings an old one.
    fn remember(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.remembered.push_back(bytes.to_vec());
        if self.remembered.len() < 64 {
            return None;
        }
        let old = self.remembered.pop_front();
        old.filter(|old| (old.len() + bytes.len()).is_multiple_of(8))
    }
}

impl Fleet {
    /// What reaches a liar's machine. One that signs two contents does not let itself be told of it: it would
    /// take itself for a restored backup, or for a copy, and stop.
    pub(super) fn let_in(&self, agent: usize, bytes: &[u8]) -> Vec<u8> {
        let node = self.agents[agent].node;
        let is_own = |item: &Item| match item {
            Item::Record(bytes) => {
                Record::parse(bytes.clone()).is_ok_and(|record| record.fields().author == node)
            }
            Item::Proof { manifest, .. } => manifest.certification().node == node,
            Item::Epoch(_) => false,
        };
        match (self.agents[agent].lie, Message::from_frame(bytes)) {
            (Some(Lie::Equivocates), Ok(Message::Delta(mut delta))) => {
                delta.items.retain(|item| !is_own(item));
                let frame = Message::Delta(delta).to_frame();
                frame.unwrap_or_else(|_| bytes.to_vec())
            }
            _ => bytes.to_vec(),
        }
    }
}

/// The frame with each record replaced for which `other` gives another one.
fn map_records(bytes: Vec<u8>, other: impl Fn(&Record) -> Option<Vec<u8>>) -> Vec<u8> {
    let Ok(Message::Delta(mut delta)) = Message::from_frame(&bytes) else {
        return bytes;
    };
    for item in &mut delta.items {
        let Item::Record(record) = item else { continue };
        let replaced = Record::parse(record.clone())
            .ok()
            .and_then(|parsed| other(&parsed));
        if let Some(replaced) = replaced {
            *record = replaced;
        }
    }
    Message::Delta(delta).to_frame().unwrap_or(bytes)
}
