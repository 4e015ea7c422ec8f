//! The fold: roster, locks and all else that is a plain function of the chain.

use super::certificate::{self, CertificateError};
use super::check::Invalid;
use super::locks::Lock;
use super::quorum::Quorum;
use hive_proto::codec::{self, DecodeError};
use hive_proto::{
    Certificate, Charter, Decision, DecisionBody, Epoch, FleetParameters, Manifest, SealError,
    Slot, VerifyingKey, admitted_tier, tagged_hash,
};
use hive_types::{Digest, HiveId, MemberKey, Network, NodeId, TicketId, Tier};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// A member's place in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Which of its member keys counts.
    pub epoch: Epoch,
    /// That key, parsed once.
    pub key: VerifyingKey,
    /// Where it stands.
    pub tier: Tier,
    /// The decision that admitted it.
    pub admitted_at: Slot,
    /// The manifest as the chain showed it; `None` for a seat taken over from a checkpoint, which
    /// carries keys only. Newer profiles travel as records.
    pub manifest: Option<Box<Manifest>>,
}

/// A ticket that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redeemed {
    /// Who invited.
    pub issuer: NodeId,
    /// Who came.
    pub guest: NodeId,
}

/// What the chain says up to its newest decision. Equal chains give equal states, bit for bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    pub(crate) fixed: Fixed,
    pub(crate) head: Slot,
    pub(crate) head_hash: Digest,
    pub(crate) checkpoint: Slot,
    pub(crate) members: BTreeMap<NodeId, Seat>,
    pub(crate) departed: BTreeMap<NodeId, Epoch>,
    pub(crate) expelled: BTreeMap<NodeId, MemberKey>,
    pub(crate) redeemed: BTreeMap<TicketId, Redeemed>,
    pub(crate) locks: BTreeMap<NodeId, Lock>,
}

/// What the charter fixes for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fixed {
    pub(crate) hive: HiveId,
    pub(crate) network: Network,
    pub(crate) founder: NodeId,
    pub(crate) parameters: FleetParameters,
}

/// The state as a checkpoint's hash covers it and a snapshot carries it.
#[derive(Serialize, Deserialize)]
struct Stored {
    fixed: Fixed,
    head: Slot,
    head_hash: Digest,
    checkpoint: Slot,
    members: BTreeMap<NodeId, StoredSeat>,
    departed: BTreeMap<NodeId, Epoch>,
    expelled: BTreeMap<NodeId, MemberKey>,
    redeemed: BTreeMap<TicketId, Redeemed>,
    locks: BTreeMap<NodeId, Lock>,
}

#[derive(Serialize, Deserialize)]
struct StoredSeat {
    epoch: Epoch,
    key: MemberKey,
    tier: Tier,
    admitted_at: Slot,
}

/// The bytes are no state of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// Not one canonical encoding.
    #[error("state: {0}")]
    Encoding(#[from] DecodeError),
    /// A member's key is no key.
    #[error("state: {0}")]
    Key(#[from] SealError),
}

impl Folded {
    /// The state after decision 0.
    ///
    /// # Errors
    /// [`CertificateError`] when the certificate is no charter's.
    pub fn found(charter: &Certificate) -> Result<Self, CertificateError> {
        let (text, manifest) = match &charter.decision.decision.body {
            DecisionBody::Charter { charter, manifest } => (charter, manifest),
            _ => return Err(Invalid::Charter.into()),
        };
        let folded = Self::genesis(text, manifest, charter.decision.decision.hash())?;
        certificate::verify_charter(&folded, charter)?;
        Ok(folded)
    }

    fn genesis(charter: &Charter, manifest: &Manifest, hash: Digest) -> Result<Self, Invalid> {
        let hive = charter.hive_id();
        let verified = manifest
            .clone()
            .verify(&hive, charter.network)
            .map_err(Invalid::Manifest)?;
        let seat = Seat {
            epoch: verified.epoch(),
            key: *verified.key(),
            tier: Tier::Full,
            admitted_at: Slot(0),
            manifest: Some(Box::new(manifest.clone())),
        };
        Ok(Self {
            fixed: Fixed {
                hive,
                network: charter.network,
                founder: charter.founder,
                parameters: charter.parameters,
            },
            head: Slot(0),
            head_hash: hash,
            checkpoint: Slot(0),
            members: BTreeMap::from([(verified.node_id(), seat)]),
            departed: BTreeMap::new(),
            expelled: BTreeMap::new(),
            redeemed: BTreeMap::new(),
            locks: BTreeMap::new(),
        })
    }

    /// Checks the next decision's certificate and takes it in.
    ///
    /// # Errors
    /// [`CertificateError`]; the state stays as it was.
    pub fn fold(&mut self, certificate: &Certificate) -> Result<(), CertificateError> {
        certificate::verify(self, certificate)?;
        self.apply(&certificate.decision.decision);
        Ok(())
    }

    /// Takes in a decision that passed [`Folded::check`].
    pub(crate) fn apply(&mut self, decision: &Decision) {
        match &decision.body {
            DecisionBody::Charter { .. } => {}
            DecisionBody::Admit { ticket, manifest } => {
                let guest = *manifest.node_id();
                let (issuer, tier) = (ticket.body().issuer, ticket.body().tier);
                let tier = admitted_tier(tier, self.full_members().count());
                self.redeemed
                    .insert(ticket.body().id, Redeemed { issuer, guest });
                self.departed.remove(&guest);
                self.seat(manifest, tier, decision.slot);
            }
            DecisionBody::Promote { node, .. } => {
                if let Some(seat) = self.members.get_mut(node) {
                    seat.tier = Tier::Full;
                }
            }
            DecisionBody::Expel { node, .. } => {
                if let Some(seat) = self.unseat(node) {
                    self.expelled.insert(*node, seat.key.member_key());
                }
            }
            DecisionBody::Depart { node, .. } => {
                if let Some(seat) = self.unseat(node) {
                    self.departed.insert(*node, seat.epoch);
                }
            }
            DecisionBody::Reseat { manifest } => self.reseat(manifest),
            DecisionBody::Lock {
                target,
                action,
                height,
            } => {
                let lock = Lock {
                    holder: decision.author,
                    action: *action,
                    height: *height,
                    slot: decision.slot,
                };
                self.locks.insert(*target, lock);
            }
            DecisionBody::Unlock { target, .. } => {
                self.locks.remove(target);
            }
            DecisionBody::Checkpoint { .. } => self.checkpoint = decision.slot,
        }
        self.head = decision.slot;
        self.head_hash = decision.hash();
    }

    fn seat(&mut self, manifest: &Manifest, tier: Tier, admitted_at: Slot) {
        let certification = manifest.certification();
        let Ok(key) = VerifyingKey::new(&certification.member_key) else {
            return;
        };
        let seat = Seat {
            epoch: certification.epoch,
            key,
            tier,
            admitted_at,
            manifest: Some(Box::new(manifest.clone())),
        };
        self.members.insert(certification.node, seat);
    }

    /// Tickets that the old key signed admit nobody any more, so what was redeemed of them needs no
    /// memory.
    fn reseat(&mut self, manifest: &Manifest) {
        let node = *manifest.node_id();
        if let Some((tier, admitted_at)) = self.members.get(&node).map(|s| (s.tier, s.admitted_at))
        {
            self.redeemed.retain(|_, ticket| ticket.issuer != node);
            self.seat(manifest, tier, admitted_at);
        }
    }

    fn unseat(&mut self, node: &NodeId) -> Option<Seat> {
        self.redeemed.retain(|_, ticket| ticket.issuer != *node);
        self.locks.retain(|_, lock| lock.holder != *node);
        self.members.remove(node)
    }

    /// The fleet.
    pub const fn hive(&self) -> &HiveId {
        &self.fixed.hive
    }

    /// The chain that its nodes are on.
    pub const fn network(&self) -> Network {
        self.fixed.network
    }

    /// Who founded it; perhaps no member any more.
    pub const fn founder(&self) -> &NodeId {
        &self.fixed.founder
    }

    /// What it agreed on at its founding.
    pub const fn parameters(&self) -> &FleetParameters {
        &self.fixed.parameters
    }

    /// The newest decision's number.
    pub const fn head(&self) -> Slot {
        self.head
    }

    /// The newest decision's hash.
    pub const fn head_hash(&self) -> &Digest {
        &self.head_hash
    }

    /// The newest checkpoint's number; 0 before the first.
    pub const fn last_checkpoint(&self) -> Slot {
        self.checkpoint
    }

    /// The roster.
    pub const fn members(&self) -> &BTreeMap<NodeId, Seat> {
        &self.members
    }

    /// One member's seat.
    pub fn member(&self, node: &NodeId) -> Option<&Seat> {
        self.members.get(node)
    }

    /// The full members.
    pub fn full_members(&self) -> impl Iterator<Item = (&NodeId, &Seat)> {
        self.members
            .iter()
            .filter(|(_, seat)| seat.tier == Tier::Full)
    }

    /// Who left, with the newest epoch that counted.
    pub const fn departed(&self) -> &BTreeMap<NodeId, Epoch> {
        &self.departed
    }

    /// Who was put out, with its last key.
    pub const fn expelled(&self) -> &BTreeMap<NodeId, MemberKey> {
        &self.expelled
    }

    /// Tickets of present members and keys that were used.
    pub const fn redeemed(&self) -> &BTreeMap<TicketId, Redeemed> {
        &self.redeemed
    }

    /// The locks by target.
    pub const fn locks(&self) -> &BTreeMap<NodeId, Lock> {
        &self.locks
    }

    /// Who must accept the next decision.
    pub fn quorum(&self) -> Quorum<NodeId> {
        let members: BTreeSet<NodeId> = self.full_members().map(|(node, _)| *node).collect();
        Quorum::new(members, self.fixed.founder)
    }

    /// Hash of members, epochs and tiers: what a vote names.
    pub fn roster_hash(&self) -> Digest {
        let roster: Vec<(&NodeId, Epoch, Tier)> = self
            .members
            .iter()
            .map(|(node, seat)| (node, seat.epoch, seat.tier))
            .collect();
        tagged_hash("hive/roster", &[&codec::encode(&roster)])
    }

    /// Hash of [`Folded::encode`]: what a checkpoint names.
    pub fn state_hash(&self) -> Digest {
        state_hash(&self.encode())
    }

    /// The state in its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        let stored_seat = |seat: &Seat| StoredSeat {
            epoch: seat.epoch,
            key: seat.key.member_key(),
            tier: seat.tier,
            admitted_at: seat.admitted_at,
        };
        codec::encode(&Stored {
            fixed: self.fixed,
            head: self.head,
            head_hash: self.head_hash,
            checkpoint: self.checkpoint,
            members: self
                .members
                .iter()
                .map(|(node, seat)| (*node, stored_seat(seat)))
                .collect(),
            departed: self.departed.clone(),
            expelled: self.expelled.clone(),
            redeemed: self.redeemed.clone(),
            locks: self.locks.clone(),
        })
    }

    /// Reads a state. Whether it is this fleet's is for a checkpoint's certificate to say.
    ///
    /// # Errors
    /// [`StateError`] for anything but one canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let stored: Stored = codec::decode(bytes)?;
        let seat = |(node, seat): (NodeId, StoredSeat)| {
            Ok((
                node,
                Seat {
                    epoch: seat.epoch,
                    key: VerifyingKey::new(&seat.key)?,
                    tier: seat.tier,
                    admitted_at: seat.admitted_at,
                    manifest: None,
                },
            ))
        };
        Ok(Self {
            fixed: stored.fixed,
            head: stored.head,
            head_hash: stored.head_hash,
            checkpoint: stored.checkpoint,
            members: stored
                .members
                .into_iter()
                .map(seat)
                .collect::<Result<_, SealError>>()?,
            departed: stored.departed,
            expelled: stored.expelled,
            redeemed: stored.redeemed,
            locks: stored.locks,
        })
    }
}

/// The hash that a checkpoint names for an encoded state.
pub(crate) fn state_hash(encoded: &[u8]) -> Digest {
    tagged_hash("hive/state", &[encoded])
}
