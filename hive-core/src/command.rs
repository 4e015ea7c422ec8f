//! What an operator may ask of the machine, and what it answers.

use hive_policy::Mode;
use hive_policy::conduct::FlagKind;
use hive_proto::{Ticket, VoteKind};
use hive_types::{
    ActionId, BanReason, BlockHeight, Capabilities, ChannelId, HiveId, Millis, Msat, NodeId,
    Proposal, Sat, Tier, Toxicity, UnixMillis,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A wish of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Found a fleet.
    Init,
    /// Make a ticket.
    Invite {
        /// What the guest becomes.
        tier: Tier,
        /// The only node that may use it.
        guest: Option<NodeId>,
        /// How long it is valid.
        lifetime: Millis,
        /// What the guest's node must be capable of.
        required: Capabilities,
    },
    /// Join with a ticket.
    Join {
        /// The ticket.
        ticket: Ticket,
    },
    /// Leave the fleet.
    Leave,
    /// How this member fares.
    Status,
    /// The roster.
    Members,
    /// What this member would do next.
    Plan,
    /// Proposals that wait.
    Pending,
    /// Approve one.
    Approve {
        /// Which.
        action: ActionId,
        /// Only say what would be done, and do nothing.
        dry_run: bool,
    },
    /// Reject one.
    Reject {
        /// Which.
        action: ActionId,
        /// Why, for the log.
        reason: String,
    },
    /// Show or change the mode.
    Mode {
        /// The mode to go to.
        mode: Option<Mode>,
    },
    /// Spend nothing for a while; zero ends a pause, none lasts until told.
    Pause {
        /// How long.
        span: Option<Millis>,
    },
    /// Keep away from an outside peer.
    Ban {
        /// Whom.
        peer: NodeId,
        /// Why, for the fellows.
        reason: String,
    },
    /// Take a ban back.
    Unban {
        /// Whom.
        peer: NodeId,
    },
    /// Never keep away from an outside peer, whoever says what.
    Allow {
        /// Whom.
        peer: NodeId,
    },
    /// Take a peer off the allow-list.
    Disallow {
        /// Whom.
        peer: NodeId,
    },
    /// Outside peers that are banned, allowed or accused.
    Bans,
    /// Vote to make a member full.
    Vouch {
        /// Whom.
        node: NodeId,
    },
    /// Vote to put a member out.
    Expel {
        /// Whom.
        node: NodeId,
        /// Why, for the fellows.
        reason: String,
    },
    /// Locks that are held.
    Locks,
    /// Who forwarded how much for whom.
    Contribution {
        /// One member only.
        node: Option<NodeId>,
    },
    /// What the fleet cost and earned.
    Report {
        /// How far back.
        days: u32,
    },
    /// Set the fees from before joining again, in a fleet or not, and leave them so.
    RestoreFees {
        /// End that: set fees as agreed among fellows again.
        resume: bool,
    },
    /// Begin a new epoch with a new member key.
    RotateKey,
    /// Found the fleet again, alone, after its majority was lost for good.
    Refound,
}

/// The answer to a command; its JSON is what `--json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done, or under way; one line says what.
    Done(String),
    /// A ticket's text.
    Ticket(String),
    /// How this member fares.
    Status(Status),
    /// The roster.
    Members(Vec<Member>),
    /// Proposals that wait.
    Proposals(Vec<ProposalRow>),
    /// What this member would do next, and why not more.
    Plan(PlanShown),
    /// The mode.
    Mode(Mode),
    /// Locks.
    Locks(Vec<LockRow>),
    /// Outside peers that are banned, allowed or accused.
    Bans(Vec<BanRow>),
    /// Contributions.
    Contribution(Vec<ContributionRow>),
    /// The bill.
    Report(Report),
}

/// How a member fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node.
    pub node_id: NodeId,
    /// The fleet.
    pub hive: Option<HiveId>,
    /// `alone`, `joining`, `starting`, `member`.
    pub stage: String,
    /// Its tier.
    pub tier: Option<Tier>,
    /// Members of the fleet.
    pub members: usize,
    /// Of those, connected now.
    pub connected: usize,
    /// The newest decision's number.
    pub head: u64,
    /// The mode.
    pub mode: Mode,
    /// Until when spending pauses.
    pub paused_until: Option<UnixMillis>,
    /// The node's tip.
    pub height: BlockHeight,
    /// Whether the node is synced.
    pub synced: bool,
    /// Proposals that wait.
    pub pending: usize,
    /// Actions under way.
    pub acting: usize,
    /// Hash over the newest decision and what all members may read; equal at members that agree.
    pub state: String,
    /// What the operator should look at.
    pub alerts: Vec<String>,
    /// Votes that the operator may want to cast.
    pub votes_proposed: Vec<VoteProposal>,
}

/// A vote that a member's agent proposes to its operator. It is never cast by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteProposal {
    /// On whom.
    pub subject: NodeId,
    /// To what end: `hive-vouch` promotes, `hive-expel` puts out.
    pub kind: VoteKind,
    /// What speaks for it, in words and numbers.
    pub reason: String,
    /// Since when.
    pub since: UnixMillis,
}

/// A member, for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The node.
    pub node_id: NodeId,
    /// Its tier.
    pub tier: Tier,
    /// Whether it is connected to this node.
    pub connected: bool,
    /// Whether its heartbeat is recent.
    pub fresh: bool,
    /// Channels that it tells of.
    pub channels: usize,
    /// Whether it signed two contents under one version.
    pub equivocated: bool,
    /// What this member blames it for.
    #[serde(default)]
    pub flags: Vec<FlagRow>,
    /// How well it forwards, where this member knows anything of it.
    pub reputation: Option<ReputationRow>,
    /// In how much of the last week fellows saw it, where enough of it was watched.
    pub uptime: Option<UptimeRow>,
    /// Its agent's name and version, as it says.
    pub software: String,
    /// Capabilities that a live connection confirmed.
    pub confirmed: Vec<String>,
}

/// What a fellow is blamed for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagRow {
    /// For what.
    pub kind: FlagKind,
    /// Since when.
    pub since: UnixMillis,
    /// What was seen, in words and numbers.
    pub evidence: String,
}

/// A member's uptime in the last week, the same at every observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UptimeRow {
    /// Of one million.
    pub share_ppm: u32,
    /// Slots of six blocks that somebody watched it.
    pub slots: u32,
}

/// How well a fellow forwards, as this member's own probes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReputationRow {
    /// Expected success rate, of one million.
    pub mean_ppm: u32,
    /// Lower end of its credible interval, of one million.
    pub low_ppm: u32,
    /// Own observations that count now, old ones less, in thousandths of one.
    pub samples_milli: u64,
}

/// A plan, for display.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanShown {
    /// What this member would do, in the order of the plan.
    pub proposals: Vec<ProposalRow>,
    /// Why it would not open more: one sentence each.
    pub notes: Vec<String>,
}

/// A proposal, for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalRow {
    /// Its id, when it waits for approval.
    pub id: Option<ActionId>,
    /// What, and why.
    pub proposal: Proposal,
    /// Until when it waits.
    pub expires: Option<UnixMillis>,
}

/// A lock, for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRow {
    /// The node that is locked.
    pub target: NodeId,
    /// Who may open to it.
    pub holder: NodeId,
    /// The height in the lock.
    pub height: BlockHeight,
    /// Free at this height without an unlock.
    pub until: BlockHeight,
}

/// What speaks against an outside peer, for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanRow {
    /// The peer.
    pub peer: NodeId,
    /// Whether this member keeps away from it: no new channels, no probes, no pushes.
    pub banned: bool,
    /// Whether the operator put it on the allow-list.
    pub allowed: bool,
    /// Of what there is most evidence; the operator's word where there is none.
    pub reason: BanReason,
    /// What the own operator said, if the operator banned it.
    pub said: Option<String>,
    /// Until when the operator's ban holds.
    pub until: Option<UnixMillis>,
    /// Members' evidence.
    pub words: Vec<BanWord>,
}

/// One member's evidence against an outside peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanWord {
    /// Whose word.
    pub author: NodeId,
    /// The incidents that it counted.
    pub evidence: Toxicity,
    /// Whether it counts for a ban: recent, grave, and by a full member or this one.
    pub counts: bool,
}

/// One fellow's contribution, as this node counted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContributionRow {
    /// The fellow.
    pub node_id: NodeId,
    /// Whole days over which it was counted, fourteen at most.
    pub days: u32,
    /// What this node forwarded to the fellow, circles left out.
    pub forwarded_for: Msat,
    /// What the fellow forwarded to this node and this node forwarded on, circles left out.
    pub forwarded_by: Msat,
    /// What the fellow says of the first, coarsely; it does not count what ended in it.
    pub told_for: Option<Msat>,
    /// What the fellow says of the second, coarsely; it counts what ended in this node too.
    pub told_by: Option<Msat>,
    /// Whether both sides agree, within a quarter.
    pub agrees: Option<bool>,
    /// By ÷ for in millionths; unknown where too little was forwarded, or for too short a time.
    pub ratio_ppm: Option<u32>,
}

/// What the fleet cost this node and brought it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Over how many days, today's part among them; days are those of UTC.
    pub period_days: u32,
    /// Channels that were opened for the fleet.
    pub opens: u32,
    /// Capital in them.
    pub opened: Sat,
    /// On-chain fees of those opens.
    pub open_fees: Msat,
    /// Rebalances that came back.
    pub rebalances: u32,
    /// What they moved.
    pub rebalanced: Msat,
    /// What they cost.
    pub rebalance_fees: Msat,
    /// Fees of all forwards.
    pub earned: Msat,
    /// Of those, by channels that the fleet opened.
    pub earned_by_opens: Msat,
    /// Volume that went out over free corridors.
    pub corridor_volume: Msat,
    /// What that volume would have earned more at the fees from before joining; an estimate, for at
    /// those fees some of it had gone elsewhere.
    pub forgone: Msat,
    /// Revenue of opened channels less on-chain fees, rebalancing fees and what was forgone, in msat.
    pub net_msat: i64,
    /// Reserved for actions whose end is unknown.
    pub reserved: Msat,
    /// The same by day, oldest first; days on which nothing was are left out.
    pub days: Vec<BillDay>,
    /// What each action cost, newest first.
    pub actions: Vec<BillAction>,
}

/// One day of the bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillDay {
    /// Days since 1970-01-01 UTC.
    pub day: u32,
    /// On-chain fees of opens.
    pub open_fees: Msat,
    /// What rebalances cost.
    pub rebalance_fees: Msat,
    /// Fees of all forwards.
    pub earned: Msat,
    /// Of those, by channels that the fleet opened.
    pub earned_by_opens: Msat,
    /// Forgone in free corridors.
    pub forgone: Msat,
    /// What is left, in msat.
    pub net_msat: i64,
}

/// One action of the bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillAction {
    /// Its id.
    pub action: ActionId,
    /// When it ended.
    pub at: UnixMillis,
    /// What it did, in words.
    pub what: String,
    /// What it cost.
    pub cost: Msat,
    /// The channel that it opened.
    pub channel: Option<ChannelId>,
    /// What that channel earned since.
    pub earned: Option<Msat>,
}

/// Why a command did nothing, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum CommandError {
    /// Needs a fleet.
    #[error("this node is in no fleet; found one with hive-init or join one with hive-join")]
    NoFleet,
    /// Already in one.
    #[error("this node is in a fleet already; leave it first with hive-leave")]
    InFleet,
    /// A handshake or a founding is under way.
    #[error("another step is under way; look at hive-status and try again")]
    Busy,
    /// The agent has not heard from its node or its fellows yet.
    #[error("the agent is still starting: {waiting_for}; try again in a minute")]
    Starting {
        /// For what.
        waiting_for: String,
    },
    /// Only full members may.
    #[error("only full members may do this; ask a full member to vouch for this node")]
    Probationary,
    /// No such member.
    #[error("{node} is no member; hive-members lists them")]
    NoMember {
        /// Who was named.
        node: NodeId,
    },
    /// No such proposal, or it does not wait any more.
    #[error("{reason}")]
    NoProposal {
        /// What became of it.
        reason: String,
    },
    /// The ticket is of no use here.
    #[error("the ticket can't be used: {reason}")]
    Ticket {
        /// Why.
        reason: String,
    },
    /// Something else, in words.
    #[error("{reason}")]
    Refused {
        /// Why, and what to do.
        reason: String,
    },
}
