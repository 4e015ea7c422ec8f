//! What the machine tells whoever listens. Events carry no duty: losing one loses nothing.

use hive_policy::conduct::FlagKind;
use hive_proto::VoteKind;
use hive_types::{ActionId, BanReason, BlockHeight, HiveId, Msat, NodeId, Proposal, Sat};
use serde::{Deserialize, Serialize};

/// Something worth a line in a log or on a display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// This node founded a fleet.
    Founded {
        /// The fleet.
        hive: HiveId,
    },
    /// This node is in a fleet now.
    Joined {
        /// The fleet.
        hive: HiveId,
    },
    /// A handshake failed, on either side.
    HandshakeFailed {
        /// With whom.
        peer: NodeId,
        /// Why.
        reason: String,
    },
    /// The roster changed.
    MemberAdmitted {
        /// Who.
        node: NodeId,
    },
    /// A probationary member is full now.
    MemberPromoted {
        /// Who.
        node: NodeId,
    },
    /// A member was put out.
    MemberExpelled {
        /// Who.
        node: NodeId,
    },
    /// A member has left.
    MemberLeft {
        /// Who.
        node: NodeId,
    },
    /// This node is in no fleet any more.
    Left,
    /// The fleet decided who may open to a target.
    Locked {
        /// The target.
        target: NodeId,
        /// Who may.
        holder: NodeId,
        /// The height in the lock.
        height: BlockHeight,
    },
    /// A lock ended.
    Unlocked {
        /// The target.
        target: NodeId,
        /// Who held it.
        holder: NodeId,
    },
    /// This node wanted a lock and did not get it.
    LockLost {
        /// The target.
        target: NodeId,
        /// Why.
        reason: String,
    },
    /// A proposal waits for the operator.
    Proposed {
        /// Its id.
        id: ActionId,
        /// What and why.
        proposal: Box<Proposal>,
    },
    /// The oracle was asked about a proposal, which waits for the operator meanwhile.
    Consulted {
        /// Its id.
        id: ActionId,
        /// What and why.
        proposal: Box<Proposal>,
    },
    /// The oracle decided.
    Advised {
        /// The proposal's id.
        id: ActionId,
        /// Yes or no.
        approved: bool,
        /// Why, as the oracle says.
        reason: String,
    },
    /// The oracle did not decide, so the operator does.
    OracleFailed {
        /// The proposal's id.
        id: ActionId,
        /// Why, and what to do.
        reason: String,
    },
    /// A dry run: this would have been done, and nothing was.
    DryRun {
        /// The proposal's id.
        id: ActionId,
        /// What and why.
        proposal: Box<Proposal>,
        /// What would be reserved, and what is left of the limits.
        text: String,
    },
    /// A proposal was not permitted.
    Refused {
        /// What and why not.
        reason: String,
    },
    /// An action was permitted and begins.
    Acting {
        /// Its id.
        id: ActionId,
        /// What and why.
        proposal: Box<Proposal>,
    },
    /// A channel was funded.
    Opened {
        /// The action.
        id: ActionId,
        /// To whom.
        target: NodeId,
        /// Capacity.
        capacity: Sat,
    },
    /// Balance was moved.
    Pushed {
        /// The action.
        id: ActionId,
        /// The fellow that would have run dry.
        beneficiary: Option<NodeId>,
        /// How much.
        amount: Msat,
        /// What it cost.
        fee: Msat,
    },
    /// An action did not happen.
    ActionFailed {
        /// The action.
        id: ActionId,
        /// Why.
        reason: String,
    },
    /// Somebody signed two contents under one version; the proof is kept.
    Equivocation {
        /// Who.
        author: NodeId,
    },
    /// A fellow may do something wrong: it is blamed if that stays so.
    Suspected {
        /// Who.
        node: NodeId,
        /// Of what.
        kind: FlagKind,
        /// What was seen, in words and numbers.
        evidence: String,
    },
    /// A fellow is blamed for something: what this member itself found.
    Flagged {
        /// Who.
        node: NodeId,
        /// For what.
        kind: FlagKind,
        /// What was seen, in words and numbers.
        evidence: String,
    },
    /// A blame is over.
    Unflagged {
        /// Whose.
        node: NodeId,
        /// Which.
        kind: FlagKind,
    },
    /// This member keeps away from an outside peer from now on. Its channels stay.
    PeerBanned {
        /// Whom.
        peer: NodeId,
        /// Of what there is most evidence; the operator's word where there is none.
        reason: BanReason,
        /// Whose evidence counts.
        by: Vec<NodeId>,
    },
    /// This member no longer keeps away from an outside peer.
    PeerUnbanned {
        /// Whom.
        peer: NodeId,
    },
    /// A vote that this member's operator may want to cast. It is never cast by itself.
    VoteProposed {
        /// On whom.
        subject: NodeId,
        /// To what end.
        kind: VoteKind,
        /// What speaks for it, in words and numbers.
        reason: String,
    },
    /// This agent's own newer records came back: it was restored from a backup and begins a new epoch.
    Restored,
    /// This agent met a copy of itself and stops.
    CloneMet,
    /// A peer's bytes were refused. Counted; named at most once a minute per peer.
    BadPeer {
        /// Who.
        peer: NodeId,
        /// Why.
        reason: String,
    },
    /// Something that the operator should look at.
    Alert {
        /// What, and what to do.
        text: String,
    },
}
