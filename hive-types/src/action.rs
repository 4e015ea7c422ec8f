//! What a member may want to do, and why. Wanting is free: only a permit from hive-policy lets a
//! backend act.

use crate::{ChannelPolicy, FeeratePerKw, Msat, NodeId, Ppm, Sat, ShortChannelId};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Something that a node can be asked to do. There is no action that closes a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Opens a channel with own on-chain funds.
    Open(OpenChannel),
    /// Moves balance between own channels by a payment to oneself.
    Rebalance(Rebalance),
    /// Sets the policy of one own channel.
    SetPolicy(SetPolicy),
    /// Sends a payment that cannot be settled, to see how far it gets.
    Probe(Probe),
}

/// The kinds of [`Action`], for limits and opt-outs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// [`Action::Open`].
    Open,
    /// [`Action::Rebalance`].
    Rebalance,
    /// [`Action::SetPolicy`].
    SetPolicy,
    /// [`Action::Probe`].
    Probe,
}

impl ActionKind {
    /// The name that stands in records, logs and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Rebalance => "rebalance",
            Self::SetPolicy => "set_policy",
            Self::Probe => "probe",
        }
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Action {
    /// Which kind this is.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Open(_) => ActionKind::Open,
            Self::Rebalance(_) => ActionKind::Rebalance,
            Self::SetPolicy(_) => ActionKind::SetPolicy,
            Self::Probe(_) => ActionKind::Probe,
        }
    }

    /// The peer that the action is with: the open's target, the first hop of a payment.
    pub fn peer(&self) -> Option<NodeId> {
        match self {
            Self::Open(open) => Some(open.target),
            Self::Rebalance(rebalance) => rebalance.hops.first().map(|hop| hop.to),
            Self::Probe(probe) => probe.hops.first().map(|hop| hop.to),
            Self::SetPolicy(_) => None,
        }
    }
}

/// A channel to open. No push amount and no close address, by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenChannel {
    /// The node to open to; also the resource of the fleet's lock.
    pub target: NodeId,
    /// The channel's capacity, all of it ours at first.
    pub capacity: Sat,
    /// The funding transaction pays at most this.
    pub feerate_ceiling: FeeratePerKw,
    /// Whether the channel is announced to the network.
    pub announce: bool,
}

/// One hop of a route, as BOLT 4 onions need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteHop {
    /// The channel that the HTLC crosses.
    pub channel: ShortChannelId,
    /// The node at its far end.
    pub to: NodeId,
    /// What crosses the channel: the amount delivered plus the fees of all later hops.
    pub amount: Msat,
    /// Blocks from the tip until this hop's HTLC expires.
    pub cltv_blocks: u32,
}

/// A circular payment: leaves by one own channel, comes back by another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebalance {
    /// What arrives back.
    pub amount: Msat,
    /// What the whole route costs; nothing above it is paid.
    pub fee: Msat,
    /// The hops in order, the last of which ends at the payer.
    pub hops: Vec<RouteHop>,
    /// The fellow that runs dry without it, when that is why.
    pub beneficiary: Option<NodeId>,
}

/// A policy to set on one of the node's own channels, complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetPolicy {
    /// The channel.
    pub channel: ShortChannelId,
    /// What to set.
    pub policy: ChannelPolicy,
}

/// A payment with an unknown hash along a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What would arrive.
    pub amount: Msat,
    /// The hops in order.
    pub hops: Vec<RouteHop>,
}

/// An action that the planner would take, with the numbers that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// What to do.
    pub action: Action,
    /// The most that it may cost: on-chain fees and routing fees. Capital is not a cost.
    pub cost: Msat,
    /// Expected gain of the whole fleet in a day.
    pub value_per_day: Msat,
    /// How sure the planner is, of one million.
    pub confidence: Ppm,
    /// Why.
    pub explanation: Explanation,
}

/// Why, in a sentence and in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// One sentence for the operator.
    pub summary: String,
    /// The numbers behind it: name and value with its unit, in order of weight.
    pub facts: Vec<(String, String)>,
}
