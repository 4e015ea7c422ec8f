//! What a store does with changes, as a value: the reference that real stores are held to, and the
//! store of simulations.

use crate::io::{ActionState, AuditEntry, Change, ChangeSet, MemberRow, Snapshot, StoredAction};
use hive_policy::GateState;
use hive_types::{ActionId, ChannelId, ChannelPolicy, NodeId};
use std::collections::BTreeMap;

/// A store in memory. Applying the change sets of a run and taking the [`Snapshot`] is what a real
/// store has to equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Small single things by name.
    pub meta: BTreeMap<String, Vec<u8>>,
    /// The roster, for display.
    pub members: BTreeMap<NodeId, MemberRow>,
    /// Certificates by slot.
    pub decisions: BTreeMap<u64, Vec<u8>>,
    /// Promise and acceptance of the open slot.
    pub acceptor: Option<Vec<u8>>,
    /// What outlives authors' records.
    pub authors: BTreeMap<NodeId, Vec<u8>>,
    /// Records' exact bytes by author and key.
    pub records: BTreeMap<(NodeId, Vec<u8>), Vec<u8>>,
    /// Actions by id.
    pub actions: BTreeMap<ActionId, StoredAction>,
    /// The gate.
    pub gate: GateState,
    /// Fees from before joining.
    pub saved_fees: BTreeMap<ChannelId, ChannelPolicy>,
    /// The audit log.
    pub audit: Vec<AuditEntry>,
}

impl Stored {
    /// Makes the changes durable, all of them.
    pub fn apply(&mut self, changes: &ChangeSet) {
        changes
            .changes
            .iter()
            .cloned()
            .for_each(|change| self.apply_one(change));
    }

    fn apply_one(&mut self, change: Change) {
        match change {
            Change::Member(row) => {
                self.members.insert(row.node_id, row);
            }
            Change::ForgetMember(node) => {
                self.members.remove(&node);
            }
            Change::Record { author, key, bytes } => {
                self.records.insert((author, key), bytes);
            }
            Change::DropRecord { author, key } => {
                self.records.remove(&(author, key));
            }
            Change::DropRecords { author } => self.records.retain(|(of, _), _| *of != author),
            Change::Author { author, bytes } => {
                self.authors.insert(author, bytes);
            }
            Change::Decision { slot, bytes } => {
                self.decisions.insert(slot, bytes);
            }
            Change::DropDecisionsBelow { slot } => self.decisions.retain(|at, _| *at >= slot),
            Change::Acceptor { bytes } => self.acceptor = Some(bytes),
            Change::Action(action) => {
                self.actions.insert(action.id, action);
            }
            Change::ForgetAction(id) => {
                self.actions.remove(&id);
            }
            Change::Gate(change) => self.gate.apply(change),
            Change::SavedFee { channel, policy } => {
                self.saved_fees.insert(channel, policy);
            }
            Change::ForgetFee { channel } => {
                self.saved_fees.remove(&channel);
            }
            Change::Audit(entry) => self.audit.push(entry),
            Change::Meta { key, bytes } if bytes.is_empty() => {
                self.meta.remove(&key);
            }
            Change::Meta { key, bytes } => {
                self.meta.insert(key, bytes);
            }
            Change::ForgetFleet => self.forget_fleet(),
        }
    }

    fn forget_fleet(&mut self) {
        self.members.clear();
        self.decisions.clear();
        self.acceptor = None;
        self.authors.clear();
        self.records.clear();
    }

    /// What a machine starts from.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            meta: self.meta.clone().into_iter().collect(),
            decisions: self.decisions.values().cloned().collect(),
            acceptor: self.acceptor.clone(),
            authors: self.authors.clone().into_iter().collect(),
            records: self.records.values().cloned().collect(),
            actions: self.actions.values().cloned().collect(),
            gate: self.gate.clone(),
            saved_fees: self.saved_fees.clone().into_iter().collect(),
        }
    }

    /// Actions that may have begun and whose end is not stored: what a driver asks its node about
    /// before anything else.
    pub fn unfinished(&self) -> impl Iterator<Item = &StoredAction> {
        self.actions
            .values()
            .filter(|action| action.state == ActionState::Acting)
    }
}
