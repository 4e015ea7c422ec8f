//! Pushing liquidity to a fellow before its channel runs dry.
//!
//! A push is never a gift: it leaves its payer by one channel and comes back by another, so every
//! member's total stays what it was, less fees. The cheap circle is A -> X -> B -> A. X is an outside
//! peer of both, B the fellow whose channel with X runs low, A the payer with a surplus towards X. The
//! HTLC crosses the low channel towards B and fills B's side; B passes it on to A for nothing. Only X
//! charges, and a plain payment from A to B over their own channel would not do: it would move A's
//! money to B and fill nothing towards X. Where A has no channel with X, the circle takes one more
//! outside hop.

mod circle;
mod needs;

pub use circle::{Circle, CircleRequest, OwnChannel, circular_route};

use crate::config::PlannerConfig;
use crate::graph::Graph;
use hive_types::{
    Action, ChannelPolicy, Explanation, FleetView, LocalChannel, LocalSnapshot, Msat, NodeId, Ppm,
    Proposal, Rebalance, Sat, Tier, limits,
};
use needs::{Need, is_our_turn, needs};

/// What a push moved is taken to be forwarded once within this time.
const TURNOVER_DAYS: u64 = 7;

/// Sureness that a circle goes through when both balances that matter are known, one by its owner's
/// word.
const TOLD_SIDES: Ppm = Ppm::new(900_000);

/// A forwarder whose update is not known yet is given this many blocks: above what any common node
/// asks for.
const GENEROUS_CLTV_DELTA: u16 = 144;

/// Proposes pushes from this member to fellows whose channels run low, the driest first.
///
/// Full members push to full members. Where several could, they take turns by block height, so that
/// they do not all fill the same channel. No push takes this member's own channel below the low water
/// mark, nor the fellow's channel that it returns by. Each of a channel's balances is used once in a
/// plan.
pub fn plan_pushes(
    graph: &Graph,
    fleet: &FleetView,
    local: &LocalSnapshot,
    config: &PlannerConfig,
) -> Vec<Proposal> {
    let own = fleet.members.iter();
    let own = own.filter(|m| Some(m.node_id) == fleet.me && m.node_id == local.node_id);
    if !own.into_iter().any(|me| me.tier == Tier::Full) {
        return Vec::new();
    }
    let mut channels = own_channels(graph, local);
    let needs = needs(fleet, config).into_iter();
    let turns = needs.filter(|need| is_our_turn(need, fleet, local, config));
    turns
        .filter_map(|need| push(graph, local, config, &need, &mut channels))
        .take(limits::PENDING_PROPOSALS)
        .collect()
}

/// Own usable channels with their place in the chain, with the peer's policy from its own update, else
/// from the graph.
fn own_channels(graph: &Graph, local: &LocalSnapshot) -> Vec<OwnChannel> {
    let usable = local.channels.iter().filter(|channel| channel.usable);
    usable
        .filter_map(|channel| {
            Some(OwnChannel {
                scid: channel.scid?,
                peer: channel.peer,
                capacity: channel.capacity,
                spendable: channel.spendable,
                receivable: channel.receivable,
                peer_policy: peer_policy(graph, channel),
            })
        })
        .collect()
}

fn peer_policy(graph: &Graph, channel: &LocalChannel) -> Option<ChannelPolicy> {
    let published = || {
        let peer = graph.node_index(&channel.peer)?;
        graph.edge(channel.scid?, peer)?.policy
    };
    channel.remote_policy.or_else(published)
}

fn push(
    graph: &Graph,
    local: &LocalSnapshot,
    config: &PlannerConfig,
    need: &Need,
    channels: &mut [OwnChannel],
) -> Option<Proposal> {
    let offered: Vec<OwnChannel> = channels
        .iter()
        .map(|c| above_low_water(c, config))
        .collect();
    let circle = best_circle(graph, local.node_id, config, need, &offered)?;
    let proposal = propose(graph, config, need, &circle, channels);
    let hops = &circle.route.hops;
    for channel in channels {
        if let Some(first) = hops.first().filter(|hop| hop.channel == channel.scid) {
            channel.spendable = channel.spendable.saturating_sub(first.amount);
            channel.receivable = channel.receivable.saturating_add(first.amount);
        }
        if let Some(last) = hops.last().filter(|hop| hop.channel == channel.scid) {
            channel.receivable = channel.receivable.saturating_sub(last.amount);
            channel.spendable = channel.spendable.saturating_add(last.amount);
        }
    }
    Some(proposal)
}

/// The channel with what lies above the low water mark of each side.
fn above_low_water(channel: &OwnChannel, config: &PlannerConfig) -> OwnChannel {
    let mark = share_of(channel.capacity, config.low_water);
    OwnChannel {
        spendable: channel.spendable.saturating_sub(mark),
        receivable: channel.receivable.saturating_sub(mark),
        ..*channel
    }
}

fn share_of(capacity: Sat, share: Ppm) -> Msat {
    let share = share.min(Ppm::ONE);
    share
        .fee_on(capacity.to_msat_saturating())
        .unwrap_or_default()
}

/// The largest push that is within every limit, of amounts that each are three quarters of the one
/// before: balances, fees and limits of HTLCs bound one another, and a fit this close is near enough.
fn best_circle(
    graph: &Graph,
    payer: NodeId,
    config: &PlannerConfig,
    need: &Need,
    channels: &[OwnChannel],
) -> Option<Circle> {
    let largest = channels.iter().map(|channel| channel.spendable).max()?;
    let most = need.wanted.min(largest);
    let most = most.min(config.push_max.to_msat_saturating());
    let least = config.push_min.to_msat_saturating().max(Msat::new(1));
    let amounts =
        core::iter::successors(Some(most), |amount| Some(Msat::new(amount.get() / 4 * 3)));
    let mut amounts = amounts.take_while(|amount| *amount >= least);
    amounts.find_map(|amount| {
        let request = CircleRequest {
            payer,
            channels,
            refill: need.scid,
            beneficiary: need.fellow,
            amount,
            outside_hops: config.push_outside_hops,
            unknown_policy: fellow_policy(),
        };
        let circle = circular_route(graph, &request)?;
        is_worth_it(graph, config, need, &circle, amount).then_some(circle)
    })
}

/// What a full fellow asks for, as long as its update is not known.
fn fellow_policy() -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::ZERO,
        rate: Ppm::ZERO,
        cltv_delta: GENEROUS_CLTV_DELTA,
        htlc_minimum: Msat::ZERO,
        htlc_maximum: Msat::new(u64::MAX),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

fn is_worth_it(
    graph: &Graph,
    config: &PlannerConfig,
    need: &Need,
    circle: &Circle,
    amount: Msat,
) -> bool {
    let fee = circle.route.fee;
    let rate_cap = config.push_fee_rate.fee_on(amount).unwrap_or_default();
    let earned = u128::from(earned_once(graph, config, need, amount).get()) * 1_000_000;
    let asked = u128::from(fee.get()) * u128::from(config.push_return.get());
    fee <= rate_cap.min(config.push_fee_max) && earned >= asked
}

/// What the fellow earns when it forwards the amount out of the filled channel once.
fn earned_once(graph: &Graph, config: &PlannerConfig, need: &Need, amount: Msat) -> Msat {
    let published = || {
        let fellow = graph.node_index(&need.fellow)?;
        graph.edge(need.scid, fellow)?.policy
    };
    let fee = match published() {
        Some(policy) => policy.fee(amount),
        None => config
            .assumed_rate
            .fee_on(amount)
            .and_then(|fee| fee.checked_add(config.assumed_base)),
    };
    fee.unwrap_or_default()
}

fn propose(
    graph: &Graph,
    config: &PlannerConfig,
    need: &Need,
    circle: &Circle,
    channels: &[OwnChannel],
) -> Proposal {
    let hops = &circle.route.hops;
    let amount = hops.last().map_or(Msat::ZERO, |hop| hop.amount);
    let earned = earned_once(graph, config, need, amount);
    let unknown = circle.unknown.iter().map(|edge| {
        let capacity = edge.capacity.to_msat_saturating();
        Ppm::of(capacity.saturating_sub(amount).get(), capacity.get())
    });
    let confidence = unknown.fold(TOLD_SIDES, |sure, likely| {
        let both = u64::from(sure.get()) * u64::from(likely.get()) / 1_000_000;
        Ppm::new(u32::try_from(both).unwrap_or(0))
    });
    Proposal {
        action: Action::Rebalance(Rebalance {
            amount,
            fee: circle.route.fee,
            hops: hops.clone(),
            beneficiary: Some(need.fellow),
        }),
        cost: circle.route.fee,
        value_per_day: Msat::new(earned.get() / TURNOVER_DAYS),
        confidence,
        explanation: explain(config, need, circle, channels, amount, earned),
    }
}

fn explain(
    config: &PlannerConfig,
    need: &Need,
    circle: &Circle,
    channels: &[OwnChannel],
    amount: Msat,
    earned: Msat,
) -> Explanation {
    let fee = circle.route.fee;
    let whole = need.capacity.to_msat_saturating().get();
    let after = need.spendable.saturating_add(amount);
    let summary = format!(
        "Push {amount} in a circle to {}: its channel with {} can send {} of its capacity. It costs {fee}.",
        need.fellow.short(),
        need.peer.short(),
        need.share,
    );
    let mut facts = vec![
        fact("channel that runs low", need.scid),
        fact("share it can send before", need.share),
        fact("share it can send after", Ppm::of(after.get(), whole)),
        fact("low water mark", config.low_water),
        fact("fee", fee),
        fact("fee of the amount", Ppm::of(fee.get(), amount.get())),
        fact("fee cap of the amount", config.push_fee_rate),
        fact("earned when the amount is forwarded once", earned),
        fact("forwarders before the fellow", circle.unknown.len() + 1),
    ];
    let first = circle.route.hops.first();
    let left = first.and_then(|hop| {
        let channel = channels
            .iter()
            .find(|channel| channel.scid == hop.channel)?;
        let left = channel.spendable.checked_sub(hop.amount)?;
        let whole = channel.capacity.to_msat_saturating().get();
        Some((channel.scid, Ppm::of(left.get(), whole)))
    });
    if let Some((scid, share)) = left {
        facts.push(fact("own channel that pays", scid));
        facts.push(fact("share it can send after", share));
    }
    Explanation { summary, facts }
}

fn fact(name: &str, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}
