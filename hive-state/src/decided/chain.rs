//! The chain as a member keeps it: the folded state, the newest checkpoint, the certificates since.

use super::certificate::{self, CertificateError};
use super::fold::{Folded, StateError, state_hash};
use hive_proto::{
    Certificate, ChainSegment, ChainSnapshot, DecisionBody, Message, SealDomain, Sealed, Slot,
    codec,
};
use hive_types::limits::{CHAIN_TAIL, FRAME_BYTES};
use std::collections::BTreeMap;
use thiserror::Error;

/// The decided chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    charter: Certificate,
    snapshot: Option<ChainSnapshot>,
    tail: BTreeMap<Slot, Certificate>,
    folded: Folded,
}

/// What answers a [`hive_proto::ChainRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainReply {
    /// The decisions asked for, as many as a frame holds.
    Segment(ChainSegment),
    /// They were dropped here: the newest checkpoint instead.
    Snapshot(Box<ChainSnapshot>),
}

impl From<ChainReply> for Message {
    fn from(reply: ChainReply) -> Self {
        match reply {
            ChainReply::Segment(segment) => Self::Chain(segment),
            ChainReply::Snapshot(snapshot) => Self::Snapshot(*snapshot),
        }
    }
}

/// The snapshot is not to be built on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// It begins with another charter.
    #[error("the snapshot is of another hive")]
    OtherHive,
    /// The state can't be read.
    #[error("{0}")]
    State(#[from] StateError),
    /// The certificate is of no checkpoint of this state.
    #[error("the checkpoint is not of the state beside it")]
    OtherState,
    /// A certificate in it does not hold.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// It tells nothing new.
    #[error("the snapshot is not newer than what is known")]
    Old,
    /// Nobody known here signed it, so that anybody could have made it up.
    #[error("too few known members signed the checkpoint; ask the member that invited this node")]
    Strangers,
}

impl Chain {
    /// The chain of decision 0 alone.
    ///
    /// # Errors
    /// [`CertificateError`] when it is no charter's certificate.
    pub fn new(charter: Certificate) -> Result<Self, CertificateError> {
        let folded = Folded::found(&charter)?;
        Ok(Self {
            charter,
            snapshot: None,
            tail: BTreeMap::new(),
            folded,
        })
    }

    /// What the chain says.
    pub const fn folded(&self) -> &Folded {
        &self.folded
    }

    /// The certificate of decision 0.
    pub const fn charter(&self) -> &Certificate {
        &self.charter
    }

    /// The newest checkpoint with its state.
    pub const fn snapshot(&self) -> Option<&ChainSnapshot> {
        self.snapshot.as_ref()
    }

    /// A decision's certificate, while it is kept.
    pub fn certificate(&self, slot: Slot) -> Option<&Certificate> {
        match slot {
            Slot(0) => Some(&self.charter),
            slot => self.tail.get(&slot),
        }
    }

    /// The first decision after the charter that is kept.
    pub fn kept_from(&self) -> Slot {
        let first = self.tail.keys().next();
        first.copied().unwrap_or_else(|| self.folded.head().next())
    }

    /// Checks the next certificate and takes it in. A checkpoint drops what lies far behind it.
    ///
    /// # Errors
    /// [`CertificateError`]; nothing changes.
    pub fn append(&mut self, certificate: Certificate) -> Result<(), CertificateError> {
        certificate::verify(&self.folded, &certificate)?;
        let decision = &certificate.decision.decision;
        let slot = decision.slot;
        if matches!(decision.body, DecisionBody::Checkpoint { .. }) {
            self.snapshot = Some(ChainSnapshot {
                charter: self.charter.clone(),
                checkpoint: certificate.clone(),
                state: self.folded.encode(),
            });
            let oldest = Slot(slot.0.saturating_sub(CHAIN_TAIL as u64));
            self.tail = self.tail.split_off(&oldest);
        }
        self.folded.apply(decision);
        self.tail.insert(slot, certificate);
        Ok(())
    }

    /// The decisions from `from` on, or the newest checkpoint when they were dropped.
    pub fn after(&self, from: Slot) -> ChainReply {
        let head = self.folded.head();
        let from = from.max(Slot(1));
        match &self.snapshot {
            Some(snapshot) if from < self.kept_from() => {
                ChainReply::Snapshot(Box::new(snapshot.clone()))
            }
            _ => {
                let mut room = FRAME_BYTES - SEGMENT_OVERHEAD;
                let fits = |certificate: &&Certificate| {
                    let bytes = codec::encode(*certificate).len();
                    let fits = bytes <= room;
                    room = room.saturating_sub(bytes);
                    fits
                };
                let certificates = self.tail.range(from..).map(|(_, kept)| kept);
                ChainReply::Segment(ChainSegment {
                    certificates: certificates.take_while(fits).cloned().collect(),
                    head,
                })
            }
        }
    }

    /// Takes over a checkpoint in place of the decisions before it.
    ///
    /// The state names the members that signed it, so it proves itself only to those who know some of
    /// them: at least a third of the full members known here must have signed, or the snapshot is
    /// `vouched` for: it came from the member that admitted this node.
    ///
    /// # Errors
    /// [`SnapshotError`]; nothing changes.
    pub fn adopt(&mut self, snapshot: &ChainSnapshot, vouched: bool) -> Result<(), SnapshotError> {
        if snapshot.charter.decision != self.charter.decision {
            return Err(SnapshotError::OtherHive);
        }
        let state = Folded::decode(&snapshot.state)?;
        if state.fixed != self.folded.fixed {
            return Err(SnapshotError::OtherHive);
        }
        let checkpoint = &snapshot.checkpoint.decision.decision;
        if checkpoint.slot <= self.folded.head() {
            return Err(SnapshotError::Old);
        }
        match &checkpoint.body {
            DecisionBody::Checkpoint { state } if *state == state_hash(&snapshot.state) => {}
            _ => return Err(SnapshotError::OtherState),
        }
        certificate::verify(&state, &snapshot.checkpoint)?;
        if !vouched && !self.knows_signers(&snapshot.checkpoint) {
            return Err(SnapshotError::Strangers);
        }
        self.folded = state;
        self.folded.apply(checkpoint);
        self.tail = BTreeMap::from([(checkpoint.slot, snapshot.checkpoint.clone())]);
        self.snapshot = Some(ChainSnapshot {
            charter: self.charter.clone(),
            ..snapshot.clone()
        });
        Ok(())
    }

    fn knows_signers(&self, checkpoint: &Certificate) -> bool {
        let body = codec::encode(&checkpoint.accepted());
        let full = self.folded.full_members();
        let signed = full.filter(|(node, seat)| {
            let mut acceptances = checkpoint.acceptances.iter();
            acceptances.any(|one| {
                let bytes = Sealed::signed_bytes(&one.acceptor, one.epoch, &body);
                one.acceptor == **node
                    && one.epoch == seat.epoch
                    && seat
                        .key
                        .verify(
                            SealDomain::Statement,
                            self.folded.hive(),
                            &bytes,
                            &one.signature,
                        )
                        .is_ok()
            })
        });
        3 * signed.count() >= self.folded.full_members().count().max(1)
    }
}

/// Magic, version, kind, head and the length of the list, at most.
const SEGMENT_OVERHEAD: usize = 64;
