//! What is decided: the numbered chain, its statements and its certificates. How they are used is
//! hive-state's to say; here they only have a shape.

use crate::codec;
use crate::manifest::Manifest;
use crate::record::Epoch;
use crate::seal::{MemberSecret, SealDomain, SealError, VerifyingKey, tagged_hash};
use crate::ticket::Ticket;
use hive_types::{
    ActionId, BlockHeight, Digest, HiveId, Network, NodeId, OutPoint, Ppm, Signature, Tier,
};
use serde::{Deserialize, Serialize};

/// The number of a decision; 0 is the charter.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Slot(pub u64);

impl Slot {
    /// The one after it.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a fleet agrees on at its founding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FleetParameters {
    /// What a full member asks of a probationary one, as a share of its usual fee.
    pub probation_fee: Ppm,
    /// The fleet holds at most this share of a target's public capacity.
    pub share_cap: Ppm,
    /// Members at most; never above [`hive_types::limits::MEMBERS`].
    pub members_max: u16,
}

impl Default for FleetParameters {
    /// Half the fee, a fifth of a target, 50 members.
    fn default() -> Self {
        Self {
            probation_fee: Ppm::new(500_000),
            share_cap: hive_types::limits::SHARE_CAP,
            members_max: hive_types::limits::MEMBERS as u16,
        }
    }
}

/// The founding act. The fleet's id is its hash, so it can name no manifest: that follows beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Charter {
    /// The chain that all members are on.
    pub network: Network,
    /// The founder.
    pub founder: NodeId,
    /// Random, so that one founder can found twice.
    pub nonce: [u8; 32],
    /// What the fleet agrees on.
    pub parameters: FleetParameters,
}

impl Charter {
    /// The fleet's id.
    pub fn hive_id(&self) -> HiveId {
        HiveId::from_bytes(tagged_hash("hive/charter", &[&codec::encode(self)]).to_bytes())
    }
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecisionBody {
    /// Decision 0: the founder and the parameters.
    Charter {
        /// The founding act.
        charter: Charter,
        /// The founder's manifest, under the fleet's id.
        manifest: Box<Manifest>,
    },
    /// Redeems a ticket.
    Admit {
        /// The ticket.
        ticket: Box<Ticket>,
        /// The new member's manifest.
        manifest: Box<Manifest>,
    },
    /// Makes a probationary member full.
    Promote {
        /// The member.
        node: NodeId,
        /// Votes of a majority of all full members.
        votes: Vec<Vote>,
    },
    /// Puts a member out for good.
    Expel {
        /// The member.
        node: NodeId,
        /// Votes of a majority of all full members.
        votes: Vec<Vote>,
    },
    /// A member has left.
    Depart {
        /// The member.
        node: NodeId,
        /// Its own departure record, as signed.
        #[serde(with = "crate::codec::bytes")]
        departure: Vec<u8>,
    },
    /// A member goes on under a new member key.
    Reseat {
        /// The manifest of its new epoch.
        manifest: Box<Manifest>,
    },
    /// The decision's author may open to the target.
    Lock {
        /// The node to open to.
        target: NodeId,
        /// The author's action.
        action: ActionId,
        /// The open starts below this height plus 6.
        height: BlockHeight,
    },
    /// The decision's author is done with its lock.
    Unlock {
        /// The node that was locked.
        target: NodeId,
        /// The action that the lock was for.
        action: ActionId,
        /// How it ended.
        reason: UnlockReason,
    },
    /// The state after the decision before this one.
    Checkpoint {
        /// Hash of the folded state.
        state: Digest,
    },
}

/// How a lock's holder ended its open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UnlockReason {
    /// The channel is there, funded by this output.
    Opened(OutPoint),
    /// Nothing was opened and nothing will be.
    Abandoned,
}

impl DecisionBody {
    /// What contenders for one slot are ranked by: the thing that the decision is about.
    pub fn resource(&self) -> Digest {
        let (name, subject): (&str, &[u8]) = match self {
            Self::Charter { charter, .. } => ("charter", charter.founder.as_bytes()),
            Self::Admit { ticket, .. } => ("admit", ticket.body().id.as_bytes()),
            Self::Promote { node, .. } => ("promote", node.as_bytes()),
            Self::Expel { node, .. } => ("expel", node.as_bytes()),
            Self::Depart { node, .. } => ("depart", node.as_bytes()),
            Self::Reseat { manifest } => ("reseat", manifest.node_id().as_bytes()),
            Self::Lock { target, .. } => ("lock", target.as_bytes()),
            Self::Unlock { target, .. } => ("unlock", target.as_bytes()),
            Self::Checkpoint { state } => ("checkpoint", state.as_bytes()),
        };
        tagged_hash("hive/resource", &[name.as_bytes(), subject])
    }
}

/// One link of the chain, before it is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its number.
    pub slot: Slot,
    /// Hash of the decision before; zeros for the charter.
    pub previous: Digest,
    /// Whose wish it is.
    pub author: NodeId,
    /// What is decided.
    pub body: DecisionBody,
}

impl Decision {
    /// Its hash, which the next one names.
    pub fn hash(&self) -> Digest {
        tagged_hash("hive/decision-id", &[&codec::encode(self)])
    }
}

/// A decision with its author's seal. Another member that finishes the round passes it on as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedDecision {
    /// The decision.
    pub decision: Decision,
    /// The author's epoch.
    pub epoch: Epoch,
    /// The author's seal over epoch and decision.
    pub signature: Signature,
}

impl SignedDecision {
    /// Seals a decision as its author.
    pub fn sign(decision: Decision, epoch: Epoch, secret: &MemberSecret, hive: &HiveId) -> Self {
        let bytes = codec::encode(&(epoch, &decision));
        let signature = secret.seal(SealDomain::Decision, hive, &bytes);
        Self {
            decision,
            epoch,
            signature,
        }
    }

    /// Checks the author's seal.
    ///
    /// # Errors
    /// [`SealError::Signature`] when it does not match.
    pub fn verify(&self, hive: &HiveId, key: &VerifyingKey) -> Result<(), SealError> {
        let bytes = codec::encode(&(self.epoch, &self.decision));
        key.verify(SealDomain::Decision, hive, &bytes, &self.signature)
    }
}

/// The order of attempts at one slot: the round, then a rank that nobody can choose, then the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    /// Grows with each attempt.
    pub round: u32,
    /// `SHA256(previous ‖ resource ‖ proposer)`, tagged.
    pub rank: Digest,
    /// Who attempts.
    pub proposer: NodeId,
}

impl Ballot {
    /// The ballot of `proposer` for `resource` after the decision `previous`.
    pub fn new(round: u32, previous: &Digest, resource: &Digest, proposer: NodeId) -> Self {
        let parts: [&[u8]; 3] = [
            previous.as_bytes(),
            resource.as_bytes(),
            proposer.as_bytes(),
        ];
        Self {
            round,
            rank: tagged_hash("hive/rank", &parts),
            proposer,
        }
    }
}

/// What members say to each other while they decide one slot; always sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statement {
    /// "I want to propose in this ballot."
    Prepare {
        /// The slot.
        slot: Slot,
        /// Hash of the decision before it.
        previous: Digest,
        /// The attempt.
        ballot: Ballot,
        /// What it will be about; the ballot's rank follows from it.
        resource: Digest,
    },
    /// "I take part in nothing below this ballot, and this is what I accepted so far."
    Promise {
        /// The slot.
        slot: Slot,
        /// The ballot that is promised.
        ballot: Ballot,
        /// The newest acceptance, which the proposer then has to take over.
        accepted: Option<(Ballot, Box<SignedDecision>)>,
    },
    /// "Accept this."
    Propose {
        /// The slot.
        slot: Slot,
        /// The ballot that a majority promised.
        ballot: Ballot,
        /// The decision.
        decision: Box<SignedDecision>,
    },
    /// "I accept this." A majority of them is the certificate.
    Accepted {
        /// The slot.
        slot: Slot,
        /// The ballot.
        ballot: Ballot,
        /// Hash of the decision.
        decision: Digest,
    },
    /// "Not in this ballot": a higher one was promised.
    Behind {
        /// The slot.
        slot: Slot,
        /// The ballot that was refused.
        ballot: Ballot,
        /// The one that is promised.
        promised: Ballot,
    },
    /// "Not this decision", with the reason.
    Declined {
        /// The slot.
        slot: Slot,
        /// The ballot that was refused.
        ballot: Ballot,
        /// Hash of the decision.
        decision: Digest,
        /// Why, in words for the log.
        reason: String,
    },
}

impl Statement {
    /// The slot that it is about.
    pub const fn slot(&self) -> Slot {
        match self {
            Self::Prepare { slot, .. }
            | Self::Promise { slot, .. }
            | Self::Propose { slot, .. }
            | Self::Accepted { slot, .. }
            | Self::Behind { slot, .. }
            | Self::Declined { slot, .. } => *slot,
        }
    }
}

/// One full member's acceptance, as a certificate keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Acceptance {
    /// Who accepted.
    pub acceptor: NodeId,
    /// Under which member key.
    pub epoch: Epoch,
    /// Its seal over the [`Statement::Accepted`].
    pub signature: Signature,
}

/// A decision with the acceptances that make it one, in order of node ids. Anyone can check it, late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The decision and its author's seal.
    pub decision: SignedDecision,
    /// The ballot in which all of them accepted.
    pub ballot: Ballot,
    /// The acceptances.
    pub acceptances: Vec<Acceptance>,
}

impl Certificate {
    /// The statement that every acceptance signs.
    pub fn accepted(&self) -> Statement {
        Statement::Accepted {
            slot: self.decision.decision.slot,
            ballot: self.ballot,
            decision: self.decision.decision.hash(),
        }
    }
}

/// What a vote is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteKind {
    /// To make it full.
    Promote,
    /// To put it out.
    Expel,
}

/// What a voter signs. Every field counts, so none can be flipped on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VoteText {
    /// On what.
    pub kind: VoteKind,
    /// On whom.
    pub subject: NodeId,
    /// Hash of the roster that it applies to; on any other it is worth nothing.
    pub roster: Digest,
}

/// A full member's vote. Silence is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// What was signed.
    pub text: VoteText,
    /// Who votes.
    pub voter: NodeId,
    /// Under which member key.
    pub epoch: Epoch,
    /// The seal over epoch, voter and text.
    pub signature: Signature,
}

impl Vote {
    /// Votes.
    pub fn sign(
        text: VoteText,
        voter: NodeId,
        epoch: Epoch,
        secret: &MemberSecret,
        hive: &HiveId,
    ) -> Self {
        let signature = secret.seal(
            SealDomain::Vote,
            hive,
            &codec::encode(&(epoch, voter, text)),
        );
        Self {
            text,
            voter,
            epoch,
            signature,
        }
    }

    /// Checks the voter's seal.
    ///
    /// # Errors
    /// [`SealError::Signature`] when it does not match.
    pub fn verify(&self, hive: &HiveId, key: &VerifyingKey) -> Result<(), SealError> {
        let bytes = codec::encode(&(self.epoch, self.voter, self.text));
        key.verify(SealDomain::Vote, hive, &bytes, &self.signature)
    }
}

/// Where a member stands after being admitted with `ticket_tier`: full by ticket only until there
/// are three full members.
pub const fn admitted_tier(ticket_tier: Tier, full_members: usize) -> Tier {
    match ticket_tier {
        Tier::Full if full_members < 3 => Tier::Full,
        _ => Tier::Probationary,
    }
}
