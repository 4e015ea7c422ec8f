//! What the decider asks of its driver, and how its calls end.

use super::super::acceptor::Acceptor;
use super::super::certificate::CertificateError;
use super::super::chain::SnapshotError;
use hive_proto::codec::DecodeError;
use hive_proto::{
    Ballot, Certificate, ChainSnapshot, DecisionBody, Epoch, ManifestError, MemberSecret, Sealed,
    SignedDecision, Slot,
};
use hive_types::limits::PROPOSALS_PER_MEMBER;
use hive_types::{Digest, NodeId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Who a decider speaks for.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The node.
    pub node: NodeId,
    /// Which of its member keys.
    pub epoch: Epoch,
    /// That key.
    pub secret: MemberSecret,
}

/// One wish of this member, from [`super::Decider::wish`] to its [`DeciderOutput::WishEnded`]. Counted
/// within one run of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WishId(pub u64);

/// How a wish ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WishEnd {
    /// It is decided, by the certificate that was put out before this.
    Decided,
    /// The chain or this member's own judgement forbids it now; the reason, as "taken: …".
    Impossible(String),
    /// So many others declined it that no quorum is left. Those that accepted may still carry it
    /// through later in this slot; then it is in the chain like any decision.
    Declined(String),
}

/// What is to be done, in order: nothing is sent before what stands ahead of it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeciderOutput {
    /// The acceptor's state of the open slot, in place of the one before. Durable before any later
    /// output leaves.
    Persist(Vec<u8>),
    /// A link of the chain. Durable before any later output leaves.
    PersistCertificate(Certificate),
    /// The newest checkpoint. Certificates below `keep_from` may be deleted.
    PersistCheckpoint {
        /// Charter, checkpoint and state.
        snapshot: Box<ChainSnapshot>,
        /// The oldest decision that is still kept.
        keep_from: Slot,
    },
    /// A sealed statement for one member.
    Send {
        /// For whom.
        to: NodeId,
        /// What.
        sealed: Sealed,
    },
    /// A decision, made here or learned: tell everybody.
    Decided(Certificate),
    /// The state was taken over from a checkpoint; what was derived from it is to be read again.
    Adopted {
        /// The newest decision now.
        head: Slot,
    },
    /// An own wish has ended.
    WishEnded {
        /// Which.
        id: WishId,
        /// How.
        end: WishEnd,
    },
    /// Somebody is ahead: ask for the chain. It may be nobody: the seal of one that became a member in
    /// the decisions that are missing can't be checked before they are here.
    NeedChain {
        /// The first decision that is missing.
        from: Slot,
        /// Who has more.
        ask: NodeId,
    },
    /// Somebody lags: send it [`super::Decider::chain_after`] that slot.
    Offer {
        /// Who.
        to: NodeId,
        /// The slot that it still works on.
        from: Slot,
    },
    /// A full member accepted two decisions in one ballot. Whoever hears both statements finds the same.
    AcceptedTwice {
        /// Who.
        acceptor: NodeId,
        /// Of which slot.
        slot: Slot,
        /// Both acceptances, sealed by it.
        proof: Box<[Sealed; 2]>,
    },
    /// A statement was not heard; to be counted.
    Ignored {
        /// Whose name it bears.
        from: NodeId,
        /// Why.
        why: Ignored,
    },
}

/// Why a statement was not heard. A bad peer is an event, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Ignored {
    /// Not one canonical statement.
    #[error("not a statement")]
    Malformed,
    /// From no member.
    #[error("the author is no member")]
    Stranger,
    /// Under a key that does not count, or not for this.
    #[error("the author's key of that epoch does not count here")]
    Epoch,
    /// The seal does not match.
    #[error("the seal does not match")]
    Seal,
    /// The author has left.
    #[error("the author has left")]
    Departed,
    /// This member takes part in no decision now.
    #[error("this member does not take part now")]
    NotTakingPart,
    /// It follows another decision than the one known here: two chains exist.
    #[error("it follows another decision than the one known here")]
    Fork,
    /// The ballot's rank does not follow from resource and proposer, or its round is far too high.
    #[error("the ballot is not one that its proposer may use")]
    Ballot,
    /// It asks for too many things in one slot.
    #[error("a member proposes at most {PROPOSALS_PER_MEMBER} things per slot")]
    Quota,
    /// It answers nothing that is being asked.
    #[error("it answers no running attempt")]
    Stale,
}

impl Ignored {
    /// Whether an honest member sends no such thing. Answers that come late, and questions to one that
    /// is only starting, are usual.
    pub const fn is_fault(&self) -> bool {
        !matches!(self, Self::Stale | Self::NotTakingPart | Self::Departed)
    }
}

/// The own queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{PROPOSALS_PER_MEMBER} proposals wait already; try again when one has ended")]
pub struct QuotaFull;

/// A fleet can't be founded like this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FoundError {
    /// The manifest is not the founder's for this fleet.
    #[error("{0}; sign a manifest that names the charter's hive")]
    Manifest(#[from] ManifestError),
    /// The charter or the key does not fit.
    #[error("{0}; check the founder, its key and the largest number of members")]
    Charter(#[from] CertificateError),
}

/// A certificate was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LearnError {
    /// Decisions before it are missing.
    #[error("decision {} is missing; ask for the chain from there", .0.0)]
    Missing(Slot),
    /// It proves nothing.
    #[error("{0}")]
    Invalid(#[from] CertificateError),
    /// Another decision with this number is in the chain here. The members that signed both are the
    /// proof's; the operator must hear of it.
    #[error("two different decisions have the number {}; stop and compare with your fellows", .slot.0)]
    Contradiction {
        /// The number.
        slot: Slot,
        /// Who signed both.
        signers: Vec<NodeId>,
    },
}

/// What the store gives back at a start.
#[derive(Clone, Debug)]
pub struct Restored {
    /// Decision 0.
    pub charter: Certificate,
    /// The newest checkpoint, when there was one.
    pub snapshot: Option<ChainSnapshot>,
    /// The certificates after charter or checkpoint, in order; older ones are passed over.
    pub certificates: Vec<Certificate>,
    /// The newest [`DeciderOutput::Persist`].
    pub acceptor: Option<Vec<u8>>,
}

/// The store does not hold a chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// A certificate does not hold.
    #[error("the stored chain is damaged: {0}; restore the store, or join again")]
    Certificate(#[from] CertificateError),
    /// The checkpoint does not hold.
    #[error("the stored checkpoint is damaged: {0}; restore the store, or join again")]
    Snapshot(#[from] SnapshotError),
    /// The acceptor's state can't be read.
    #[error("the stored acceptor is damaged: {0}; restore the store, or join again")]
    Acceptor(#[from] DecodeError),
    /// The acceptor's state is of a slot that the stored chain does not reach, or of another chain.
    #[error("the store lost certificates; it is not safe to go on with it: begin a new epoch")]
    Lost,
}

/// A snapshot was not taken over.
pub type AdoptError = SnapshotError;

/// What must outlive a crash while a slot is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Durable {
    pub(crate) slot: Slot,
    pub(crate) previous: Digest,
    /// The highest round that this member proposed in: a ballot is used once.
    pub(crate) round: u32,
    pub(crate) acceptor: Acceptor<Ballot, SignedDecision>,
}

impl Durable {
    pub(crate) fn fresh(slot: Slot, previous: Digest) -> Self {
        Self {
            slot,
            previous,
            round: 0,
            acceptor: Acceptor::default(),
        }
    }
}

/// A wish that waits.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) id: WishId,
    pub(crate) body: DecisionBody,
}
