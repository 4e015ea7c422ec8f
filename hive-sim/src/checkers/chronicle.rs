//! The fleet's chain as an outsider verifies it: each decision that reaches a disk, folded once.

use crate::fleet::Agent;
use hive_core::{Change, ChangeSet};
use hive_proto::{Certificate, DecisionBody, codec};
use hive_state::decided::{Folded, verify};
use hive_types::{ActionId, BlockHeight, Digest, HiveId, NodeId, UnixMillis};
use std::collections::BTreeMap;

/// A decision and what it made of the fleet.
#[derive(Clone, Debug)]
pub struct Link {
    /// The decision with its acceptances.
    pub certificate: Certificate,
    /// Its hash.
    pub hash: Digest,
    /// The state after it.
    pub after: Folded,
    /// When it first reached a disk.
    pub at: UnixMillis,
}

/// A lock as the chain granted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The fleet.
    pub hive: HiveId,
    /// The decision's number.
    pub slot: u64,
    /// Who may open.
    pub holder: NodeId,
    /// To whom.
    pub target: NodeId,
    /// The height in it.
    pub height: BlockHeight,
    /// When it first reached a disk.
    pub at: UnixMillis,
}

/// All chains of all fleets; a fleet that is founded again begins another.
#[derive(Default)]
pub struct Chronicle {
    chains: BTreeMap<HiveId, BTreeMap<u64, Link>>,
    grants: BTreeMap<ActionId, Grant>,
    /// Slot and moment of each unlock by action.
    unlocks: BTreeMap<ActionId, (u64, UnixMillis)>,
}

impl Chronicle {
    /// The links of a fleet by number.
    pub fn links(&self, hive: &HiveId) -> Option<&BTreeMap<u64, Link>> {
        self.chains.get(hive)
    }

    /// All links of all fleets.
    pub fn all(&self) -> impl Iterator<Item = &Link> {
        self.chains.values().flat_map(BTreeMap::values)
    }

    /// The newest link of a fleet.
    pub fn newest(&self, hive: &HiveId) -> Option<&Link> {
        self.chains.get(hive)?.values().next_back()
    }

    /// The lock that was decided for an action.
    pub fn grant(&self, action: &ActionId) -> Option<&Grant> {
        self.grants.get(action)
    }

    /// Slot and moment of the unlock of an action's lock.
    pub fn unlock(&self, action: &ActionId) -> Option<(u64, UnixMillis)> {
        self.unlocks.get(action).copied()
    }

    /// Takes in what an agent wrote. Returns what can't be: a certificate that proves nothing on an
    /// honest disk, or a second decision in one slot.
    pub(crate) fn learn(
        &mut self,
        at: UnixMillis,
        agent: &Agent,
        changes: &ChangeSet,
    ) -> Vec<String> {
        let decided = changes.changes.iter().filter_map(|change| match change {
            Change::Decision { slot, bytes } => Some((*slot, bytes)),
            _ => None,
        });
        let decided: Vec<_> = decided.collect();
        if decided.is_empty() {
            return Vec::new();
        }
        let Some(manifest) = agent.disk().manifest() else {
            return Vec::new();
        };
        let hive = manifest.certification().hive;
        let fault = |(slot, bytes): (u64, &Vec<u8>)| {
            let fault = self.learn_one(at, hive, slot, bytes)?;
            let node = agent.node();
            agent
                .is_honest()
                .then(|| format!("{} stored slot {slot}: {fault}", node.short()))
        };
        decided.into_iter().filter_map(fault).collect()
    }

    fn learn_one(
        &mut self,
        at: UnixMillis,
        hive: HiveId,
        slot: u64,
        bytes: &[u8],
    ) -> Option<String> {
        let Ok(certificate) = codec::decode::<Certificate>(bytes) else {
            return Some("it can't be read".to_owned());
        };
        let hash = certificate.decision.decision.hash();
        let chain = self.chains.entry(hive).or_default();
        if let Some(known) = chain.get(&slot) {
            if known.hash == hash {
                return None;
            }
            let before = slot.checked_sub(1).and_then(|before| chain.get(&before));
            return Some(
                match before.map(|before| verify(&before.after, &certificate)) {
                    Some(Ok(())) => "a second decision, with a certificate of its own".to_owned(),
                    other => format!("another decision than the one known: {other:?}"),
                },
            );
        }
        let after = match slot {
            0 => Folded::found(&certificate),
            _ => {
                let Some(before) = chain.get(&(slot - 1)) else {
                    return Some("nothing is known of the slot before it".to_owned());
                };
                let mut after = before.after.clone();
                after.fold(&certificate).map(|()| after)
            }
        };
        let after = match after {
            Ok(after) => after,
            Err(error) => return Some(error.to_string()),
        };
        self.note_lock(at, hive, slot, &certificate);
        let link = Link {
            certificate,
            hash,
            after,
            at,
        };
        self.chains.entry(hive).or_default().insert(slot, link);
        None
    }

    fn note_lock(&mut self, at: UnixMillis, hive: HiveId, slot: u64, certificate: &Certificate) {
        let decision = &certificate.decision.decision;
        match decision.body {
            DecisionBody::Lock {
                target,
                action,
                height,
            } => {
                let holder = decision.author;
                self.grants.insert(
                    action,
                    Grant {
                        hive,
                        slot,
                        holder,
                        target,
                        height,
                        at,
                    },
                );
            }
            DecisionBody::Unlock { action, .. } => {
                self.unlocks.insert(action, (slot, at));
            }
            _ => {}
        }
    }
}
