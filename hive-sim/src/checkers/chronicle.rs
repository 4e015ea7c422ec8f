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

    /// Takes in what an agent wrote, and which fleet it forgot by that. Returns what can't be: a
    /// certificate that proves nothing on an honest disk, or a second decision in one slot.
    pub(crate) fn learn(
        &mut self,
        at: UnixMillis,
        agent: &Agent,
        left: Option<HiveId>,
        changes: &ChangeSet,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for (hive, slot, bytes) in decisions(agent, left, changes) {
            if let Some(fault) = self.learn_one(at, hive, slot, bytes)
                && agent.is_honest()
            {
                let who = agent.node().short();
                found.push(format!("{who} stored slot {slot}: {fault}"));
            }
        }
        found
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

/// The decisions of a write, each with its fleet: up to where the write forgets a fleet, the one
/// that it left; from there on the one that the disk is in now.
fn decisions<'c>(
    agent: &Agent,
    left: Option<HiveId>,
    changes: &'c ChangeSet,
) -> Vec<(HiveId, u64, &'c [u8])> {
    let changes = &changes.changes;
    let is_forgotten = |change: &Change| matches!(change, Change::ForgetFleet);
    let kept_from = changes.iter().rposition(is_forgotten).unwrap_or(0);
    let (gone, kept) = changes.split_at(kept_from);
    let of = |changes: &'c [Change], hive: &dyn Fn() -> Option<HiveId>| {
        let decided = changes.iter().filter_map(|change| match change {
            Change::Decision { slot, bytes } => Some((hive()?, *slot, bytes.as_slice())),
            _ => None,
        });
        decided.collect::<Vec<_>>()
    };
    let mut decided = of(gone, &|| left);
    decided.extend(of(kept, &|| agent.disk().hive()));
    decided
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::Checker;
    use crate::fleet::{Fleet, member_config};
    use crate::world::{NodeSpec, World, WorldConfig};
    use hive_core::Command;
    use hive_proto::{Acceptance, Ballot, Decision, SignedDecision, Slot};
    use hive_types::{Millis, Sat};

    /// The founder of a fleet of one, which decides alone, and the chain that was seen.
    fn founder() -> Fleet {
        let mut world = World::new(WorldConfig::default());
        let node = world.add_node(NodeSpec::agent(Sat::ZERO)).unwrap();
        let mut fleet = Fleet::new(world, [2; 32]);
        let watches: Box<dyn Checker> = Box::new(crate::checkers::RostersAreOneChain);
        fleet.watch_with(watches);
        fleet.add(node, member_config(node));
        fleet.command(0, Command::Init).unwrap();
        fleet.run_for(Millis::from_secs(5));
        fleet
    }

    /// A lock with the founder's acceptance.
    fn decide(fleet: &Fleet, chain: &Chronicle, action: u8) -> Change {
        let (secret, manifest) = fleet.agents()[0].disk().identity().unwrap();
        let (hive, me) = (manifest.certification().hive, fleet.node(0));
        let epoch = manifest.certification().epoch;
        let previous = chain.newest(&hive).unwrap().hash;
        let target = "0324653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c";
        let body = DecisionBody::Lock {
            target: target.parse().unwrap(),
            action: ActionId::from_bytes([action; 16]),
            height: BlockHeight::new(1),
        };
        let ballot = Ballot::new(0, &previous, &body.resource(), me);
        let decision = Decision {
            slot: Slot(1),
            previous,
            author: me,
            body,
        };
        let mut certificate = Certificate {
            decision: SignedDecision::sign(decision, epoch, &secret, &hive),
            ballot,
            acceptances: Vec::new(),
        };
        let accepted = certificate.accepted();
        let acceptance = Acceptance::sign(&accepted, me, epoch, &secret, &hive);
        certificate.acceptances.push(acceptance);
        let bytes = codec::encode(&certificate);
        Change::Decision { slot: 1, bytes }
    }

    #[test]
    fn a_second_decision_in_one_slot_is_found() {
        let fleet = founder();
        let hive = fleet.agents()[0].disk().manifest().unwrap();
        let hive = hive.certification().hive;
        let mut chain = Chronicle::default();
        let learn = |chain: &mut Chronicle, change: Change| {
            let changes = vec![change];
            chain.learn(
                fleet.now(),
                &fleet.agents()[0],
                None,
                &ChangeSet { changes },
            )
        };
        let bytes = fleet.agents()[0].disk().stored.decisions[&0].clone();
        assert!(learn(&mut chain, Change::Decision { slot: 0, bytes }).is_empty());
        let [first, second] = [1, 2].map(|action| decide(&fleet, &chain, action));
        assert!(learn(&mut chain, first.clone()).is_empty());
        assert!(learn(&mut chain, first).is_empty());
        let found = learn(&mut chain, second);
        assert!(found[0].contains("a second decision"), "{found:?}");
        assert_eq!(chain.links(&hive).unwrap().len(), 2);
    }

    #[test]
    fn the_decision_that_ends_a_membership_is_of_the_fleet_that_ends() {
        let mut fleet = founder();
        let hive = fleet.agents()[0].disk().hive().unwrap();
        let mut chain = Chronicle::default();
        let bytes = fleet.agents()[0].disk().stored.decisions[&0].clone();
        let first = Change::Decision { slot: 0, bytes };
        let agent = &fleet.agents()[0];
        let changes = vec![first];
        chain.learn(fleet.now(), agent, None, &ChangeSet { changes });
        let last = decide(&fleet, &chain, 1);
        fleet.command(0, Command::Leave).unwrap();
        let agent = &fleet.agents()[0];
        assert_eq!(agent.disk().hive(), None);
        let changes = vec![last, Change::ForgetFleet];
        let found = chain.learn(fleet.now(), agent, Some(hive), &ChangeSet { changes });
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(chain.links(&hive).unwrap().len(), 2);
    }

    #[test]
    fn a_certificate_that_proves_nothing_is_found() {
        let fleet = founder();
        let mut chain = Chronicle::default();
        let bytes = fleet.agents()[0].disk().stored.decisions[&0].clone();
        let agent = &fleet.agents()[0];
        let learn = |chain: &mut Chronicle, slot, bytes| {
            let changes = vec![Change::Decision { slot, bytes }];
            chain.learn(fleet.now(), agent, None, &ChangeSet { changes })
        };
        assert!(learn(&mut chain, 0, bytes).is_empty());
        let Change::Decision { bytes, .. } = decide(&fleet, &chain, 1) else {
            panic!("a decision");
        };
        let mut certificate: Certificate = codec::decode(&bytes).unwrap();
        certificate.acceptances.clear();
        let found = learn(&mut chain, 1, codec::encode(&certificate));
        assert!(found[0].contains("too few"), "{found:?}");
        assert!(!learn(&mut chain, 2, bytes).is_empty());
    }
}
