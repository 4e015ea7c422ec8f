//! Drivers with a defect put in, to show that checkers find it.

use super::Fleet;
use super::act::payment_hash;
use super::agent::{Agent, Defect, Prepared};
use crate::world::hash_of;
use hive_core::{ActionResult, Change, ChangeSet};
use hive_proto::{
    Counter, Message, Record, RecordBody, RecordFields, RecordKind, Routed, SealDomain, Sealed,
    Statement, Version, codec, keys,
};
use hive_types::{Action, ActionId, BlockHeight, Intent, Msat, NodeId, Sat};

impl Fleet {
    /// What a driver with a defect sends in place of a frame.
    pub(super) fn defective(&self, agent: usize, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        match self.agents[agent].defect {
            Some(Defect::RelayFlipped) => vec![self.flip_records(agent, bytes)],
            Some(Defect::Stutters(times)) => vec![bytes; times as usize],
            Some(Defect::AcceptancesHidden) => {
                vec![hide_acceptance(&self.agents[agent], &bytes).unwrap_or(bytes)]
            }
            _ => vec![bytes],
        }
    }

    /// What comes of it when a driver with a defect does once more what it does not remember.
    pub(super) fn begin_anew(&mut self, agent: usize, id: ActionId) -> Option<ActionResult> {
        let this = &mut self.agents[agent];
        if this.defect != Some(Defect::BeginsAnew) {
            return None;
        }
        let any_cost = Msat::new(u64::MAX);
        match this.disk.stored.actions.get(&id)?.action().clone() {
            Action::Open(open) => {
                let (inputs, _) = self.choose_inputs(agent, &open, any_cost).ok()?;
                Some(self.open(agent, id, &open, &inputs, any_cost))
            }
            Action::Rebalance(moved) => {
                let preimage = hash_of("anew", &[id.as_bytes(), &this.life.to_le_bytes()]);
                let hash = payment_hash(&preimage);
                let prepared = Prepared::Payment { preimage, hash };
                this.disk.prepared.insert(id, prepared);
                let ended = self.rebalance(agent, id, &moved, preimage, hash);
                Some(ended.unwrap_or(ActionResult::Unknown {
                    reason: "it was begun anew".to_owned(),
                }))
            }
            Action::SetPolicy(_) | Action::Probe(_) => None,
        }
    }

    /// What a driver with a defect writes.
    pub(super) fn spoil(&self, agent: usize, changes: &mut ChangeSet) {
        let keep: fn(&Change) -> bool = match self.agents[agent].defect {
            Some(Defect::NothingStored) => |_| false,
            Some(Defect::AcceptorNotStored) => |change| !matches!(change, Change::Acceptor { .. }),
            Some(Defect::MembersNotStored) => |change| !matches!(change, Change::Member(_)),
            Some(Defect::VersionsLowered) => return lower(&self.agents[agent], changes),
            Some(Defect::Announces(target)) => {
                let until = self.world.chain().height().plus(1);
                return announce(&self.agents[agent], target, until, changes);
            }
            _ => return,
        };
        changes.changes.retain(keep);
    }
}

fn hide_acceptance(agent: &Agent, bytes: &[u8]) -> Option<Vec<u8>> {
    let Ok(Message::Routed(routed)) = Message::from_frame(bytes) else {
        return None;
    };
    let (secret, manifest) = agent.disk.identity()?;
    let Ok(Statement::Promise { slot, ballot, .. }) = codec::decode(&routed.statement.body) else {
        return None;
    };
    if routed.statement.author != agent.node {
        return None;
    }
    let (hive, epoch) = (manifest.certification().hive, routed.statement.epoch);
    let promise = Statement::Promise {
        slot,
        ballot,
        accepted: None,
    };
    let body = codec::encode(&promise);
    let statement = Sealed::new(
        &secret,
        SealDomain::Statement,
        &hive,
        agent.node,
        epoch,
        body,
    );
    Message::Routed(Routed {
        statement,
        ..routed
    })
    .to_frame()
    .ok()
}

fn announce(agent: &Agent, target: NodeId, until: BlockHeight, changes: &mut ChangeSet) {
    let Some((secret, manifest)) = agent.disk.identity() else {
        return;
    };
    let hive = manifest.certification().hive;
    let own = agent.disk.stored.records.iter();
    let mut own = own.filter(|((author, _), _)| *author == agent.node);
    let Some(record) = own.find_map(|(_, bytes)| Record::parse(bytes.clone()).ok()) else {
        return;
    };
    let intent = Intent {
        target,
        capacity: Sat::new(1_000_000),
        value_per_day: Msat::ZERO,
        until,
    };
    let key = keys::intent(&target);
    let fields = RecordFields {
        key: key.clone(),
        kind: RecordKind::INTENT,
        body: intent.encode(),
        ..record.fields().clone()
    };
    if let Ok(announced) = Record::sign(fields, &secret, &hive) {
        let (author, bytes) = (agent.node, announced.bytes().to_vec());
        changes.changes.push(Change::Record { author, key, bytes });
    }
}

fn lower(agent: &Agent, changes: &mut ChangeSet) {
    let Some((secret, manifest)) = agent.disk.identity() else {
        return;
    };
    let hive = manifest.certification().hive;
    for change in &mut changes.changes {
        let Change::Record { author, bytes, .. } = change else {
            continue;
        };
        let Some(record) = Record::parse(bytes.clone())
            .ok()
            .filter(|_| *author == agent.node)
        else {
            continue;
        };
        let fields = record.fields().clone();
        let version = Version {
            counter: Counter(fields.version.counter.0.saturating_sub(1)),
            ..fields.version
        };
        if let Ok(lower) = Record::sign(RecordFields { version, ..fields }, &secret, &hive) {
            *bytes = lower.bytes().to_vec();
        }
    }
}
