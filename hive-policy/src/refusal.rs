//! Why something may not be done: which limit, its value, what was asked, what to do.

use hive_types::{
    ActionId, ActionKind, BlockHeight, FeeratePerKw, Millis, Msat, NodeId, Ppm, Sat,
    ShortChannelId, UnixMillis,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How a proposal ended that once waited for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It was approved and got its permit.
    Authorized,
    /// The operator said no.
    Rejected,
    /// The oracle said no.
    Denied,
    /// It could not be carried out any more: its lock went to another member, say.
    Withdrawn,
    /// Nobody answered in time, or an approval could not be carried out in time.
    Expired,
}

impl Ending {
    const fn words(self) -> &'static str {
        match self {
            Self::Authorized => "was carried out already",
            Self::Rejected => "was rejected",
            Self::Denied => "was denied by the oracle",
            Self::Withdrawn => "was withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// The gate says no. Nothing was reserved, nothing was spent.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    // The state of the gate.
    /// The kill switch is on.
    #[error("the kill switch is on: nothing is done until the operator releases it")]
    Stopped,
    /// The operator paused.
    #[error("paused until {} (unix seconds); resume to act sooner", until.get() / 1000)]
    Paused {
        /// When the pause ends, in gate time.
        until: UnixMillis,
    },
    /// The node's real state is not known since the last start.
    #[error("open actions are not reconciled with the node yet; nothing is done before that")]
    NotReconciled,
    /// Not in a fleet.
    #[error("this node is in no fleet; join one first")]
    NotMember,
    /// Too new to spend.
    #[error("a probationary member takes no {kind} action; wait for promotion to full member")]
    Probationary {
        /// What was asked.
        kind: ActionKind,
    },

    // The life of a proposal.
    /// The id is in use, or was until lately.
    #[error("action {id} exists already; every proposal needs an id of its own")]
    DuplicateId {
        /// The id.
        id: ActionId,
    },
    /// Nobody said yes.
    #[error("action {id} waits for the operator; approve or reject it")]
    NotApproved {
        /// The id.
        id: ActionId,
    },
    /// Said yes before.
    #[error("action {id} is approved already; it starts as soon as its lock is held")]
    AlreadyApproved {
        /// The id.
        id: ActionId,
    },
    /// It ended.
    #[error("action {id} {}; the next plan may propose it again", ending.words())]
    Ended {
        /// The id.
        id: ActionId,
        /// How.
        ending: Ending,
    },
    /// Never heard of.
    #[error("no proposal {id} waits; list what waits with hive-pending")]
    UnknownProposal {
        /// The id.
        id: ActionId,
    },
    /// What is to be done is not what was approved.
    #[error("action {id} is not what the operator approved; propose it anew")]
    NotWhatWasApproved {
        /// The id.
        id: ActionId,
    },
    /// An amount that is not a smaller one.
    #[error("action {id} can't be lowered to {amount}; name less than it proposes, or nothing")]
    NotSmaller {
        /// The id.
        id: ActionId,
        /// The amount.
        amount: Sat,
    },
    /// It would be done, but nothing is done in a dry run.
    #[error(
        "dry run: this {kind} passes every check; it would reserve {cost} in fees of {cost_left} left today and put {capital} of {capital_left} left today into a channel; nothing was done"
    )]
    DryRun {
        /// What was asked.
        kind: ActionKind,
        /// Fees that would be reserved.
        cost: Msat,
        /// What is left of the day's fees before it.
        cost_left: Msat,
        /// What would go into a channel.
        capital: Sat,
        /// What is left of the day's capital before it.
        capital_left: Sat,
    },
    /// The same thing waits for the operator.
    #[error("the same {kind} waits for the operator as action {id}; approve or reject that one")]
    AlreadyPending {
        /// What was asked.
        kind: ActionKind,
        /// The one that waits.
        id: ActionId,
    },
    /// The same thing is under way.
    #[error("the same {kind} is under way as action {id}; its outcome must be known first")]
    UnderWay {
        /// What was asked.
        kind: ActionKind,
        /// The one under way.
        id: ActionId,
    },
    /// The operator has enough to read.
    #[error("{limit} proposals wait for the operator, which is the limit; approve or reject some")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },
    /// The lock that an open needs is not held.
    #[error("the fleet's lock on {target} is not held for this action; get the lock first")]
    NoLock {
        /// The open's target.
        target: NodeId,
    },
    /// The lock is too old to start an open.
    #[error(
        "the lock on {target} starts opens below height {below} only, and the tip is {tip}; get a new lock"
    )]
    LockTooOld {
        /// The open's target.
        target: NodeId,
        /// The open starts below this height.
        below: BlockHeight,
        /// The node's tip.
        tip: BlockHeight,
    },

    // What the operator does not want.
    /// Kind opted out.
    #[error("{kind} is in opted_out_kinds; take it out to allow it")]
    KindOptedOut {
        /// The kind.
        kind: ActionKind,
    },
    /// Channel opted out.
    #[error("channel {channel} is in opted_out_channels; take it out to allow it")]
    ChannelOptedOut {
        /// The channel.
        channel: ShortChannelId,
    },
    /// Peer opted out.
    #[error("peer {peer} is in opted_out_peers; take it out to allow it")]
    PeerOptedOut {
        /// The peer.
        peer: NodeId,
    },
    /// Peer banned.
    #[error("peer {peer} is banned; unban or allow-list it to allow it")]
    PeerBanned {
        /// The peer.
        peer: NodeId,
    },
    /// Less sure than the operator wants.
    #[error("confidence {confidence} is under min_confidence {min}; only an approval lets it pass")]
    Confidence {
        /// The planner's.
        confidence: Ppm,
        /// The operator's.
        min: Ppm,
    },

    // What the action itself is.
    /// Contradicts itself.
    #[error("the {kind} contradicts itself: {problem}; this is a defect of the planner, report it")]
    Malformed {
        /// The kind.
        kind: ActionKind,
        /// What is wrong.
        problem: Malformed,
    },
    /// Not a channel of this node.
    #[error("{channel} is no open channel of this node; the next plan sees the current channels")]
    NotOurChannel {
        /// The channel.
        channel: ShortChannelId,
    },
    /// Channel too small or too large.
    #[error("a channel of {capacity} is outside of channel_min {min} to channel_max {max}")]
    ChannelSize {
        /// What was asked.
        capacity: Sat,
        /// The smallest one.
        min: Sat,
        /// The largest one.
        max: Sat,
    },
    /// Feerate too high.
    #[error(
        "the funding may pay {} sat/kw, feerate_ceiling is {}; wait for a lower feerate or raise it",
        feerate.get(), ceiling.get()
    )]
    Feerate {
        /// What was asked, or the node's estimate now.
        feerate: FeeratePerKw,
        /// What is allowed: the operator's ceiling, or the action's own.
        ceiling: FeeratePerKw,
    },
    /// Rebalance fee rate too high.
    #[error(
        "a fee of {fee} on {amount} is over rebalance_rate {ceiling}; find a cheaper route or raise it"
    )]
    RebalanceRate {
        /// What was asked.
        fee: Msat,
        /// What it moves.
        amount: Msat,
        /// What is allowed.
        ceiling: Ppm,
    },
    /// Rebalance fee too high.
    #[error("a fee of {fee} is over rebalance_fee {ceiling}; move less or raise it")]
    RebalanceFee {
        /// What was asked.
        fee: Msat,
        /// What is allowed.
        ceiling: Msat,
    },
    /// HTLC locked too long.
    #[error(
        "the HTLC could be locked for {blocks} blocks, max_cltv is {ceiling}; use a shorter route"
    )]
    Cltv {
        /// What was asked.
        blocks: u32,
        /// What is allowed.
        ceiling: u32,
    },
    /// A policy that the operator does not want.
    #[error(
        "{} of {value} for channel {channel} is outside of {min} to {max}; {}", field.words(), field.remedy()
    )]
    PolicyBound {
        /// The channel.
        channel: ShortChannelId,
        /// Which part of its policy.
        field: PolicyField,
        /// What was asked: msat, millionths, or 1 for yes.
        value: u64,
        /// The smallest one.
        min: u64,
        /// The largest one.
        max: u64,
    },
    /// Cost of one action too high.
    #[error("a cost of {cost} is over cost_per_action {ceiling}; do less at once or raise it")]
    ActionCost {
        /// What was asked.
        cost: Msat,
        /// What is allowed.
        ceiling: Msat,
    },

    // What is left now.
    /// The node is behind.
    #[error("the node has not caught up with the chain; wait until it is synced")]
    NotSynced,
    /// The day's fees are used.
    #[error(
        "a cost of {cost} on top of {used} spent or reserved in 24 h is over budget_per_day {budget}; wait or raise it"
    )]
    Budget {
        /// What was asked.
        cost: Msat,
        /// What is used.
        used: Msat,
        /// What is allowed.
        budget: Sat,
    },
    /// The day's capital is used.
    #[error(
        "{capital} on top of {used} put into channels in 24 h is over capital_per_day {limit}; wait or raise it"
    )]
    Capital {
        /// What was asked.
        capital: Sat,
        /// What is used.
        used: Sat,
        /// What is allowed.
        limit: Sat,
    },
    /// The day's opens are done.
    #[error("{opens} channels were opened in 24 h, opens_per_day is {limit}; wait or raise it")]
    OpensPerDay {
        /// How many count.
        opens: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The hour's actions are done.
    #[error(
        "{actions} actions were begun in an hour, actions_per_hour is {limit}; wait or raise it"
    )]
    ActionsPerHour {
        /// How many count.
        actions: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The hour's payments are done.
    #[error(
        "{sends} own payments were begun in an hour, sends_per_hour is {limit}; wait or raise it"
    )]
    SendsPerHour {
        /// How many count.
        sends: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The same was done too short a while ago.
    #[error("the same {kind} was done lately; wait {left} or lower {setting}")]
    Cooldown {
        /// What was asked.
        kind: ActionKind,
        /// How long it has to wait.
        left: Millis,
        /// The limit that says so.
        setting: String,
    },
    /// Too many probes in an hour.
    #[error(
        "{probes} probes were begun in an hour, {limit} are allowed; the next one comes by itself"
    )]
    ProbesPerHour {
        /// How many count.
        probes: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The on-chain reserve would be touched.
    #[error(
        "{need} is needed on chain, but of {confirmed} confirmed {reserve} is the reserve and {held} is held by other opens; add funds or lower on_chain_reserve"
    )]
    Reserve {
        /// Capital and fee.
        need: Sat,
        /// What the node has, confirmed.
        confirmed: Sat,
        /// The larger of the operator's and the node's reserve.
        reserve: Sat,
        /// What other opens hold.
        held: Sat,
    },
    /// Too much under way.
    #[error(
        "{amount} on top of {used} in flight is over max_in_flight {limit}; wait until payments end or raise it"
    )]
    InFlight {
        /// What was asked.
        amount: Msat,
        /// What is under way.
        used: Msat,
        /// What is allowed.
        limit: Msat,
    },
    /// Too many outcomes are unknown.
    #[error(
        "the outcome of {limit} actions is unknown, which is the limit; look at the node's log"
    )]
    Unsettled {
        /// How many may be unknown.
        limit: usize,
    },
    /// Not a fee that members agreed on, or the one before it is not saved.
    #[error(
        "channel {channel} has no agreed fee like this with the fee before it saved; set other fees yourself"
    )]
    NotAgreed {
        /// The channel.
        channel: ShortChannelId,
    },
    /// Not a fee that was saved before joining.
    #[error("channel {channel} has no saved fee like this; only what joining changed is restored")]
    NotSaved {
        /// The channel.
        channel: ShortChannelId,
    },
}

/// A part of a channel's policy (BOLT 7 `channel_update`) that the operator bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyField {
    /// `fee_base_msat`.
    Base,
    /// `fee_proportional_millionths`.
    Rate,
    /// `htlc_minimum_msat`.
    HtlcMinimum,
    /// `htlc_maximum_msat`.
    HtlcMaximum,
    /// The larger of the two inbound fees (bLIP 18); a discount is a negative one.
    Inbound,
    /// The bit that shuts the direction.
    Disabled,
}

impl PolicyField {
    const fn words(self) -> &'static str {
        match self {
            Self::Base => "a base fee in msat",
            Self::Rate => "a fee rate in ppm",
            Self::HtlcMinimum => "an htlc_minimum_msat",
            Self::HtlcMaximum => "an htlc_maximum_msat",
            Self::Inbound => "a positive inbound fee",
            Self::Disabled => "a disabled flag",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Base => "change policy_base_min or policy_base_max to allow it",
            Self::Rate => "change policy_rate_min or policy_rate_max to allow it",
            Self::HtlcMinimum => "raise policy_htlc_minimum_max to allow it",
            Self::HtlcMaximum => "lower policy_htlc_maximum_min to allow it",
            Self::Inbound => "set one yourself if you want one",
            Self::Disabled => "shut a channel yourself if you want it shut",
        }
    }
}

/// How an action contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// An open to the own node.
    #[error("it opens a channel to this node itself")]
    OpensToSelf,
    /// A route without hops or with more than an onion carries.
    #[error("its route has no hop or too many")]
    RouteLength,
    /// A route that does not end where it must.
    #[error("its route does not come back to this node")]
    RouteEnd,
    /// A first hop that leads elsewhere than the channel does.
    #[error("its first hop names another peer than the channel has")]
    RouteStart,
    /// Amounts along the route that grow, or that do not deliver what it says.
    #[error("the amounts along its route do not fit together")]
    RouteAmounts,
    /// Nothing moves.
    #[error("it moves nothing")]
    NoAmount,
    /// Costs more than it says.
    #[error("it costs more than it says")]
    CostUnderstated,
}
