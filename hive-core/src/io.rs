//! The one way in and the one way out: what the driver tells the machine, and what the machine wants
//! done, in order.

use crate::command::{Command, CommandError, Reply};
use crate::event::Event;
use crate::fault::Fault;
use crate::plan::{PlanRequest, Planned};
use hive_planner::graph::Graph;
use hive_policy::oracle::DecisionPacket;
use hive_policy::{Authorized, GateChange, GateState};
use hive_types::{
    Action, ActionId, ActionKind, ChannelId, ChannelPolicy, LocalSnapshot, Msat, NodeId, OutPoint,
    Proposal, Sat, ShortChannelId, Tier, UnixMillis,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Matches a reply to its command. The driver chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandId(pub u64);

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The moment that [`crate::Hive::next_wake`] named has come.
    Tick,
    /// A peer is connected over BOLT 8.
    PeerConnected {
        /// The peer.
        peer: NodeId,
        /// Its BOLT 9 feature bits, as they travel.
        features: &'a [u8],
    },
    /// A peer is no longer connected.
    PeerDisconnected {
        /// The peer.
        peer: NodeId,
    },
    /// A custom message of this protocol's type, without the type's two bytes.
    Message {
        /// Who sent it, says BOLT 8.
        from: NodeId,
        /// The frame.
        bytes: &'a [u8],
    },
    /// The node was read.
    Observed(&'a LocalSnapshot),
    /// The node's graph was read.
    Graph(Arc<Graph>),
    /// The node signed a text, or would not.
    NodeSigned {
        /// The text that [`Output::SignWithNode`] named.
        text: &'a str,
        /// The zbase32 signature, or why there is none.
        signature: Result<&'a str, &'a str>,
    },
    /// An action ended, or what became of it after a restart is known.
    Completed {
        /// The action.
        id: ActionId,
        /// How it ended.
        result: ActionResult,
    },
    /// The plan of an [`Output::Plan`] was made, or none was.
    Planned(Planned),
    /// What came of an [`Output::Consult`]; exactly one for each.
    Advice {
        /// The action that the packet names.
        action: ActionId,
        /// The oracle's reply, not yet judged, or why there is none: a time-out, a status that is not
        /// 200, a redirect, a body that is too long.
        answer: Result<OracleAnswer, String>,
    },
    /// The operator wants something.
    Command {
        /// Comes back with the reply.
        id: CommandId,
        /// What.
        command: Command,
    },
}

/// Something to be done. The driver does them in order and starts none before a
/// [`Output::Persist`] ahead of it is durable.
#[derive(Debug)]
pub enum Output {
    /// Store these changes in one transaction.
    Persist(ChangeSet),
    /// Send a frame to a connected peer. Whether it arrives is unknown.
    Send {
        /// To whom.
        to: NodeId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Dial a node; `PeerConnected` follows when it works.
    Connect {
        /// Whom.
        to: NodeId,
        /// `host:port`; may be empty when the node knows it from the graph.
        addresses: Vec<String>,
    },
    /// Have the node sign a text with `signmessage`.
    SignWithNode {
        /// The text.
        text: String,
    },
    /// Execute a permitted action.
    Act {
        /// The action.
        id: ActionId,
        /// The permit.
        permit: Authorized,
    },
    /// Read the node again: something that the machine waits for may have changed.
    Observe,
    /// Make a plan, where it may take seconds, and answer with [`Input::Planned`]. None is asked for
    /// while one is under way.
    Plan(Box<PlanRequest>),
    /// Ask the oracle, and answer with [`Input::Advice`] whatever happens. The packet's JSON is the
    /// body; it is signed as [`hive_policy::signature`] says.
    Consult {
        /// The question.
        packet: Box<DecisionPacket>,
    },
    /// Answer the operator.
    Reply {
        /// The command's id.
        id: CommandId,
        /// The answer.
        reply: Result<Reply, CommandError>,
    },
    /// Tell who listens: logs, displays, webhooks.
    Emit(Event),
}

/// What the oracle replied, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OracleAnswer {
    /// The HTTP body, of a reply with status 200.
    pub body: Vec<u8>,
    /// The value of its [`hive_policy::signature::HEADER`]; empty where there is none.
    pub signature: String,
}

/// How an action ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionResult {
    /// It happened.
    Done(Done),
    /// It did not happen, and money is where it was.
    NotDone {
        /// Why, for the operator.
        reason: String,
        /// Whose fault it was; `None` where the agent withdrew it before its node was told, and in what
        /// was stored before faults were told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
    /// Nobody knows yet. The driver asks the node again and tells later.
    Unknown {
        /// Why, for the operator.
        reason: String,
    },
}

/// What an action brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// A channel is funded; the funding was published.
    Opened {
        /// The channel.
        channel_id: ChannelId,
        /// Its funding output.
        funding: OutPoint,
        /// What the transaction paid.
        fee: Sat,
    },
    /// A payment to oneself came back.
    Paid {
        /// What the route cost.
        fee: Msat,
    },
    /// A policy is set.
    Set {
        /// What it was before.
        before: Option<ChannelPolicy>,
    },
    /// A probe ended.
    Probed {
        /// Whether it reached its end.
        arrived: bool,
        /// Where and why it ended, unless it arrived.
        #[serde(default)]
        failure: Option<ProbeFailure>,
    },
}

/// Where and why a probe ended short of its last node (BOLT 4 failure messages).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFailure {
    /// The node that says so, own node included; absent when nothing came back in time.
    pub at: Option<NodeId>,
    /// The channel that was not crossed, where that is known.
    pub channel: Option<ShortChannelId>,
    /// Why.
    pub kind: ProbeFailureKind,
    /// The policy in the `channel_update` that came with the failure.
    #[serde(default)]
    pub policy: Option<ChannelPolicy>,
}

/// Why a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeFailureKind {
    /// `fee_insufficient`: the hop asks for more than its gossip said.
    FeeInsufficient,
    /// `channel_disabled`.
    ChannelDisabled,
    /// `temporary_channel_failure`: mostly too little balance.
    TemporaryChannel,
    /// `unknown_next_peer`: no such channel, or its other end is offline.
    UnknownNextPeer,
    /// Nothing came back in time, or a hop's HTLC ran into its timeout.
    Timeout,
    /// Anything else.
    Other,
}

/// Changes that become durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// In order.
    pub changes: Vec<Change>,
}

/// One change to what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A row of `fleet_nodes`: inserted or replaced.
    Member(MemberRow),
    /// A member is gone from the roster.
    ForgetMember(NodeId),
    /// A record's exact bytes, by author and key.
    Record {
        /// The author.
        author: NodeId,
        /// The record's key.
        key: Vec<u8>,
        /// The record.
        bytes: Vec<u8>,
    },
    /// A record was pushed out by newer ones.
    DropRecord {
        /// The author.
        author: NodeId,
        /// The record's key.
        key: Vec<u8>,
    },
    /// All records of an author are gone: it began a new epoch, or it left.
    DropRecords {
        /// The author.
        author: NodeId,
    },
    /// What outlives an author's records: epoch, highest counter, proofs.
    Author {
        /// The author.
        author: NodeId,
        /// Encoded by hive-state.
        bytes: Vec<u8>,
    },
    /// A decision's certificate.
    Decision {
        /// Its number.
        slot: u64,
        /// Encoded.
        bytes: Vec<u8>,
    },
    /// Decisions behind a checkpoint.
    DropDecisionsBelow {
        /// The first one that stays.
        slot: u64,
    },
    /// Promise and acceptance of the open slot.
    Acceptor {
        /// Encoded by hive-state.
        bytes: Vec<u8>,
    },
    /// An action's state.
    Action(StoredAction),
    /// An ended action that is not remembered any more, or an intention that came to nothing.
    ForgetAction(ActionId),
    /// A change of the gate: ledger, pending proposals, mode, pause.
    Gate(GateChange),
    /// A fee from before joining, to be restored on leaving.
    SavedFee {
        /// The channel; BOLT 2 splicing keeps this id.
        channel: ChannelId,
        /// Its policy before.
        policy: ChannelPolicy,
    },
    /// A saved fee was restored.
    ForgetFee {
        /// The channel.
        channel: ChannelId,
    },
    /// A line of the audit log.
    Audit(AuditEntry),
    /// Anything small and single: identity, charter, own bans.
    Meta {
        /// Its name.
        key: String,
        /// Encoded by hive-core. Empty: forget it.
        bytes: Vec<u8>,
    },
    /// Everything of the fleet is forgotten: records, authors, decisions, acceptor, members. Actions,
    /// ledger, saved fees and audit stay.
    ForgetFleet,
}

/// A row of `fleet_nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRow {
    /// The node.
    pub node_id: NodeId,
    /// Its tier.
    pub tier: Tier,
    /// Its epoch.
    pub epoch: u64,
    /// Its member key, 64 hex digits.
    pub member_key: String,
    /// The decision that admitted it.
    pub admitted_at: u64,
    /// Its agent's name and version, as it says.
    pub software: String,
    /// Where it is reached.
    pub addresses: Vec<String>,
    /// Names of the capabilities that a live connection confirmed.
    pub capabilities: Vec<String>,
}

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// Wanted; nothing was permitted yet. Forgotten by a restart.
    Intended,
    /// Permitted; the node may have been told.
    Acting,
    /// It happened.
    Done,
    /// It did not happen.
    NotDone,
}

/// An action as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAction {
    /// Its id.
    pub id: ActionId,
    /// Its kind.
    pub kind: ActionKind,
    /// Where it stands.
    pub state: ActionState,
    /// What was proposed, and why.
    pub proposal: Proposal,
    /// How it ended.
    pub result: Option<ActionResult>,
    /// When it got here, for display.
    pub wall: UnixMillis,
}

impl StoredAction {
    /// What was to be done.
    pub const fn action(&self) -> &Action {
        &self.proposal.action
    }
}

/// A line of the audit log: what was decided, why, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When, for display.
    pub wall: UnixMillis,
    /// What it is about, in one word: `permit`, `settle`, `refuse`, `join`, `decide`, ….
    pub subject: String,
    /// The action, when it is about one.
    pub action: Option<ActionId>,
    /// What happened and why.
    pub text: String,
}

/// What a store gives back at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Small single things by name.
    pub meta: Vec<(String, Vec<u8>)>,
    /// Certificates in order of slots.
    pub decisions: Vec<Vec<u8>>,
    /// Promise and acceptance of the open slot.
    pub acceptor: Option<Vec<u8>>,
    /// What outlives authors' records.
    pub authors: Vec<(NodeId, Vec<u8>)>,
    /// Records' exact bytes.
    pub records: Vec<Vec<u8>>,
    /// Actions that are not done with, and those that ended lately.
    pub actions: Vec<StoredAction>,
    /// The gate as it was stored.
    pub gate: GateState,
    /// Fees from before joining.
    pub saved_fees: Vec<(ChannelId, ChannelPolicy)>,
}
