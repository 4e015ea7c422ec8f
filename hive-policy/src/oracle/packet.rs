//! The question: everything that an oracle needs to judge one proposal, in plain JSON.

use crate::gate::{Gate, Mode, Usage};
use crate::limits::Limits;
use hive_types::{
    Action, ActionId, BlockHeight, ChannelPolicy, FeeratePerKw, FleetView, HiveId, LocalSnapshot,
    Msat, Network, NodeId, Nonce, Now, Ppm, Proposal, RouteHop, Sat, ShortChannelId, Tier,
    UnixMillis, limits::ORACLE_LIFETIME,
};
use serde::{Deserialize, Serialize};

/// The version of [`DecisionPacket`] and [`super::OracleReply`]. Another one is another contract.
pub const PACKET_VERSION: u32 = 1;

/// A question to the oracle. Its JSON is the contract in `docs/decision-packet.schema.json`.
///
/// Whole numbers only, each with its unit in its name. Amounts in millisatoshi fit into the integers
/// of a double up to 90,000 BTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionPacket {
    /// [`PACKET_VERSION`].
    pub version: u32,
    /// The proposal's id; the reply repeats it.
    pub action: ActionId,
    /// Random, new for each question; the reply repeats it.
    pub nonce: Nonce,
    /// When it was asked, by this machine's clock.
    pub issued_at_unix_ms: UnixMillis,
    /// From then on no answer counts.
    pub expires_at_unix_ms: UnixMillis,
    /// The chain.
    pub network: Network,
    /// The node that asks.
    pub node_id: NodeId,
    /// Its fleet.
    pub hive_id: HiveId,
    /// The mode in force.
    pub mode: Mode,
    /// What would be done, and why.
    pub proposal: PacketProposal,
    /// What may be spent, and what of it is used.
    pub budget: PacketBudget,
    /// What the node is like.
    pub node: PacketNode,
    /// Who else is there.
    pub fleet: PacketFleet,
}

/// What would be done, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketProposal {
    /// What.
    pub action: PacketAction,
    /// The most that it may cost in fees.
    pub cost_msat: Msat,
    /// The fleet's expected gain in a day.
    pub value_per_day_msat: Msat,
    /// How sure the planner is.
    pub confidence_ppm: Ppm,
    /// Why, in one sentence.
    pub summary: String,
    /// The numbers behind it, in order of weight.
    pub facts: Vec<PacketFact>,
}

/// One number behind a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketFact {
    /// What it is.
    pub name: String,
    /// The number with its unit, for people.
    pub value: String,
}

/// An [`Action`], by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PacketAction {
    /// A channel opened with own funds. `amount_sat` of a reply lowers its capacity.
    Open {
        /// To whom.
        target: NodeId,
        /// Capacity, all of it ours at first.
        capacity_sat: Sat,
        /// The funding pays at most this.
        feerate_ceiling_sat_per_kw: FeeratePerKw,
        /// Whether the network learns of it.
        announce: bool,
    },
    /// A payment to oneself. `amount_sat` of a reply lowers what arrives; each hop keeps its fee.
    Rebalance {
        /// What arrives back.
        amount_msat: Msat,
        /// What the route costs.
        fee_msat: Msat,
        /// The hops in order.
        hops: Vec<PacketHop>,
        /// The fellow that runs dry without it.
        beneficiary: Option<NodeId>,
    },
    /// A policy for an own channel.
    SetPolicy {
        /// The channel.
        channel: ShortChannelId,
        /// Its policy.
        policy: PacketPolicy,
    },
    /// A payment that can't be settled.
    Probe {
        /// What would arrive.
        amount_msat: Msat,
        /// The hops in order.
        hops: Vec<PacketHop>,
    },
}

/// One hop of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketHop {
    /// The channel.
    pub channel: ShortChannelId,
    /// The node at its far end.
    pub to: NodeId,
    /// What crosses it.
    pub amount_msat: Msat,
    /// Blocks from the tip until the HTLC expires.
    pub cltv_blocks: u32,
}

/// A channel's policy (BOLT 7 `channel_update`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketPolicy {
    /// Base fee.
    pub base_msat: Msat,
    /// Proportional fee.
    pub rate_ppm: Ppm,
    /// Timelock.
    pub cltv_delta_blocks: u32,
    /// Smallest HTLC.
    pub htlc_minimum_msat: Msat,
    /// Largest HTLC.
    pub htlc_maximum_msat: Msat,
    /// Whether the direction is shut.
    pub disabled: bool,
}

/// What may be spent, and what of it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketBudget {
    /// The operator's limits.
    pub limits: PacketLimits,
    /// What counts against them now.
    pub used: PacketUsed,
}

/// Those of the operator's limits that bound an action's size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketLimits {
    /// Fees of all kinds in 24 hours.
    pub budget_per_day_sat: Sat,
    /// Own money into new channels in 24 hours.
    pub capital_per_day_sat: Sat,
    /// Fees of one action.
    pub cost_per_action_msat: Msat,
    /// Channels opened in 24 hours.
    pub opens_per_day: u32,
    /// Actions begun in an hour.
    pub actions_per_hour: u32,
    /// Own payments begun in an hour.
    pub sends_per_hour: u32,
    /// Confirmed money that stays untouched.
    pub on_chain_reserve_sat: Sat,
    /// Smallest channel.
    pub channel_min_sat: Sat,
    /// Largest channel.
    pub channel_max_sat: Sat,
    /// Highest feerate of a funding.
    pub feerate_ceiling_sat_per_kw: FeeratePerKw,
    /// Highest fee of a rebalance in millionths of what it moves.
    pub rebalance_rate_ppm: Ppm,
    /// Highest fee of one rebalance.
    pub rebalance_fee_msat: Msat,
    /// Own payments under way together.
    pub max_in_flight_msat: Msat,
}

/// What counts against the limits now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketUsed {
    /// Fees spent in 24 hours.
    pub spent_msat: Msat,
    /// Fees reserved for actions whose end is not known.
    pub reserved_msat: Msat,
    /// Own money put into channels in 24 hours.
    pub capital_sat: Sat,
    /// Channels opened in 24 hours.
    pub opens: u32,
    /// Actions begun in an hour.
    pub actions: u32,
    /// Own payments begun in an hour.
    pub sends: u32,
    /// Own payments under way.
    pub in_flight_msat: Msat,
    /// On-chain money that opens under way hold.
    pub on_chain_held_sat: Sat,
}

/// What the node is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketNode {
    /// Its tip.
    pub block_height: BlockHeight,
    /// Confirmed money on chain.
    pub confirmed_sat: Sat,
    /// Unconfirmed money on chain.
    pub unconfirmed_sat: Sat,
    /// What the node itself keeps back.
    pub node_reserve_sat: Sat,
    /// Its estimate for a funding.
    pub feerate_sat_per_kw: FeeratePerKw,
    /// Its channels.
    pub channels: usize,
}

/// The fleet as this member sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketFleet {
    /// Every member, the one that asks included.
    pub members: Vec<PacketMember>,
    /// Outside peers that this member keeps away from.
    pub banned: Vec<NodeId>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketMember {
    /// Its node.
    pub node_id: NodeId,
    /// Its tier.
    pub tier: Tier,
    /// Whether its heartbeat is recent.
    pub fresh: bool,
    /// Its announced channels to the open's target. What fellows keep from the network is not told.
    pub channels_to_target: usize,
    /// Capacity of those.
    pub capacity_to_target_sat: Sat,
}

/// What a question is made from, besides the proposal.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The gate: mode, limits, and what of them is used.
    pub gate: &'a Gate,
    /// The own node.
    pub local: &'a LocalSnapshot,
    /// The fleet.
    pub fleet: &'a FleetView,
    /// Its id.
    pub hive: HiveId,
}

impl DecisionPacket {
    /// The question about one proposal, asked now. `nonce` is random and never used before.
    pub fn new(
        now: Now,
        action: ActionId,
        nonce: Nonce,
        proposal: &Proposal,
        context: Context<'_>,
    ) -> Self {
        let Context { gate, local, .. } = context;
        Self {
            version: PACKET_VERSION,
            action,
            nonce,
            issued_at_unix_ms: now.wall,
            expires_at_unix_ms: now.wall.plus(ORACLE_LIFETIME),
            network: local.network,
            node_id: local.node_id,
            hive_id: context.hive,
            mode: gate.mode(),
            proposal: described(proposal),
            budget: PacketBudget {
                limits: bounds(gate.limits()),
                used: used(&gate.usage(now)),
            },
            node: PacketNode {
                block_height: local.height,
                confirmed_sat: local.on_chain.confirmed,
                unconfirmed_sat: local.on_chain.unconfirmed,
                node_reserve_sat: local.on_chain.reserve,
                feerate_sat_per_kw: local.feerate,
                channels: local.channels.len(),
            },
            fleet: members(context.fleet, &proposal.action),
        }
    }
}

fn described(proposal: &Proposal) -> PacketProposal {
    let facts = proposal.explanation.facts.iter();
    PacketProposal {
        action: PacketAction::from(&proposal.action),
        cost_msat: proposal.cost,
        value_per_day_msat: proposal.value_per_day,
        confidence_ppm: proposal.confidence,
        summary: proposal.explanation.summary.clone(),
        facts: facts
            .map(|(name, value)| PacketFact {
                name: name.clone(),
                value: value.clone(),
            })
            .collect(),
    }
}

fn bounds(limits: &Limits) -> PacketLimits {
    PacketLimits {
        budget_per_day_sat: limits.budget_per_day,
        capital_per_day_sat: limits.capital_per_day,
        cost_per_action_msat: limits.cost_per_action,
        opens_per_day: limits.opens_per_day,
        actions_per_hour: limits.actions_per_hour,
        sends_per_hour: limits.sends_per_hour,
        on_chain_reserve_sat: limits.on_chain_reserve,
        channel_min_sat: limits.channel_min,
        channel_max_sat: limits.channel_max,
        feerate_ceiling_sat_per_kw: limits.feerate_ceiling,
        rebalance_rate_ppm: limits.rebalance_rate,
        rebalance_fee_msat: limits.rebalance_fee,
        max_in_flight_msat: limits.max_in_flight,
    }
}

fn used(usage: &Usage) -> PacketUsed {
    PacketUsed {
        spent_msat: usage.spent,
        reserved_msat: usage.reserved,
        capital_sat: usage.capital,
        opens: usage.opens,
        actions: usage.actions,
        sends: usage.sends,
        in_flight_msat: usage.in_flight,
        on_chain_held_sat: usage.on_chain,
    }
}

fn members(fleet: &FleetView, action: &Action) -> PacketFleet {
    let target = match action {
        Action::Open(open) => Some(open.target),
        _ => None,
    };
    let members = fleet.members.iter().map(|member| {
        let announced = member.channels.iter().filter(|channel| channel.confirmed);
        let to_target: Vec<Sat> = announced
            .filter(|channel| Some(channel.peer) == target)
            .map(|channel| channel.capacity)
            .collect();
        PacketMember {
            node_id: member.node_id,
            tier: member.tier,
            fresh: member.fresh,
            channels_to_target: to_target.len(),
            capacity_to_target_sat: to_target.into_iter().fold(Sat::ZERO, Sat::saturating_add),
        }
    });
    PacketFleet {
        members: members.collect(),
        banned: fleet.banned.clone(),
    }
}

impl From<&Action> for PacketAction {
    fn from(action: &Action) -> Self {
        match action {
            Action::Open(open) => Self::Open {
                target: open.target,
                capacity_sat: open.capacity,
                feerate_ceiling_sat_per_kw: open.feerate_ceiling,
                announce: open.announce,
            },
            Action::Rebalance(moved) => Self::Rebalance {
                amount_msat: moved.amount,
                fee_msat: moved.fee,
                hops: moved.hops.iter().map(PacketHop::from).collect(),
                beneficiary: moved.beneficiary,
            },
            Action::SetPolicy(set) => Self::SetPolicy {
                channel: set.channel,
                policy: PacketPolicy::from(&set.policy),
            },
            Action::Probe(probe) => Self::Probe {
                amount_msat: probe.amount,
                hops: probe.hops.iter().map(PacketHop::from).collect(),
            },
        }
    }
}

impl From<&RouteHop> for PacketHop {
    fn from(hop: &RouteHop) -> Self {
        Self {
            channel: hop.channel,
            to: hop.to,
            amount_msat: hop.amount,
            cltv_blocks: hop.cltv_blocks,
        }
    }
}

impl From<&ChannelPolicy> for PacketPolicy {
    fn from(policy: &ChannelPolicy) -> Self {
        Self {
            base_msat: policy.base,
            rate_ppm: policy.rate,
            cltv_delta_blocks: policy.cltv_delta.into(),
            htlc_minimum_msat: policy.htlc_minimum,
            htlc_maximum_msat: policy.htlc_maximum,
            disabled: policy.disabled,
        }
    }
}
