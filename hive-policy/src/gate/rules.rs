//! What an action must be, whatever was spent before.

use super::{Standing, ledger::Subject};
use crate::{
    limits::Limits,
    refusal::{Malformed, PolicyField, Refusal},
};
use hive_types::{
    Action, ActionId, ActionKind, BlockHeight, LocalChannel, LocalSnapshot, Msat, NodeId,
    OpenChannel, Probe, Proposal, Rebalance, RouteHop, Sat, SetPolicy, ShortChannelId, Tier,
    limits::{FUNDING_WEIGHT_MIN, LOCK_START_BLOCKS, ROUTE_HOPS},
};

/// What an action takes, once it is known to be well formed and wanted.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub(super) kind: ActionKind,
    pub(super) subject: Subject,
    pub(super) cost: Msat,
    pub(super) capital: Sat,
    pub(super) in_flight: Msat,
}

/// Checks everything that no earlier spending changes.
pub(super) fn judge(
    limits: &Limits,
    proposal: &Proposal,
    local: &LocalSnapshot,
    standing: &Standing<'_>,
) -> Result<Want, Refusal> {
    let kind = proposal.action.kind();
    check_standing(kind, standing)?;
    if limits.opted_out_kinds.contains(&kind) {
        return Err(Refusal::KindOptedOut { kind });
    }
    let malformed = |problem| Refusal::Malformed { kind, problem };
    let subject = Subject::of(&proposal.action).ok_or_else(|| malformed(Malformed::RouteLength))?;
    let mut want = Want {
        kind,
        subject,
        cost: Msat::ZERO,
        capital: Sat::ZERO,
        in_flight: Msat::ZERO,
    };
    match &proposal.action {
        Action::Open(open) => {
            check_open(limits, open, proposal.cost, local)?;
            want.cost = proposal.cost;
            want.capital = open.capacity;
        }
        Action::Rebalance(rebalance) => {
            want.in_flight = check_rebalance(limits, rebalance, proposal.cost, local)?;
            want.cost = proposal.cost;
        }
        Action::Probe(probe) => want.in_flight = check_probe(limits, probe, local)?,
        Action::SetPolicy(set) => check_policy(limits, set, our_channel(local, set.channel)?)?,
    }
    check_channels(limits, &proposal.action)?;
    if want.cost > limits.cost_per_action {
        return Err(Refusal::ActionCost {
            cost: want.cost,
            ceiling: limits.cost_per_action,
        });
    }
    check_peers(limits, &proposal.action, local, standing)?;
    Ok(want)
}

/// A probationary member sets its discounted fees and probes, but spends nothing.
fn check_standing(kind: ActionKind, standing: &Standing<'_>) -> Result<(), Refusal> {
    let spends = matches!(kind, ActionKind::Open | ActionKind::Rebalance);
    match standing.tier {
        None => Err(Refusal::NotMember),
        Some(Tier::Probationary) if spends => Err(Refusal::Probationary { kind }),
        Some(_) if !standing.reconciled => Err(Refusal::NotReconciled),
        Some(_) => Ok(()),
    }
}

fn check_open(
    limits: &Limits,
    open: &OpenChannel,
    cost: Msat,
    local: &LocalSnapshot,
) -> Result<(), Refusal> {
    let malformed = |problem| Refusal::Malformed {
        kind: ActionKind::Open,
        problem,
    };
    if open.target == local.node_id {
        return Err(malformed(Malformed::OpensToSelf));
    }
    let (capacity, min, max) = (open.capacity, limits.channel_min, limits.channel_max);
    if capacity < min || capacity > max {
        return Err(Refusal::ChannelSize { capacity, min, max });
    }
    if open.feerate_ceiling > limits.feerate_ceiling {
        return Err(Refusal::Feerate {
            feerate: open.feerate_ceiling,
            ceiling: limits.feerate_ceiling,
        });
    }
    let least = open.feerate_ceiling.fee_for(FUNDING_WEIGHT_MIN);
    if cost < least.to_msat_saturating() {
        return Err(malformed(Malformed::CostUnderstated));
    }
    Ok(())
}

/// Gives what is in flight while it lasts.
fn check_rebalance(
    limits: &Limits,
    rebalance: &Rebalance,
    cost: Msat,
    local: &LocalSnapshot,
) -> Result<Msat, Refusal> {
    let kind = ActionKind::Rebalance;
    let (amount, fee) = (rebalance.amount, rebalance.fee);
    let sent = check_route(limits, kind, amount, &rebalance.hops, local)?;
    let malformed = |problem| Refusal::Malformed { kind, problem };
    // Both are known to be there: a route that was checked has a hop.
    let last = rebalance.hops.last();
    if last.is_none_or(|hop| hop.to != local.node_id) {
        return Err(malformed(Malformed::RouteEnd));
    }
    if let Some(hop) = last {
        our_channel(local, hop.channel)?;
    }
    if sent.saturating_sub(amount) > fee || fee > cost {
        return Err(malformed(Malformed::CostUnderstated));
    }
    if limits
        .rebalance_rate
        .fee_on(amount)
        .is_none_or(|most| fee > most)
    {
        let ceiling = limits.rebalance_rate;
        return Err(Refusal::RebalanceRate {
            fee,
            amount,
            ceiling,
        });
    }
    if fee > limits.rebalance_fee {
        let ceiling = limits.rebalance_fee;
        return Err(Refusal::RebalanceFee { fee, ceiling });
    }
    Ok(sent)
}

/// Gives what is in flight while it lasts.
fn check_probe(limits: &Limits, probe: &Probe, local: &LocalSnapshot) -> Result<Msat, Refusal> {
    check_route(limits, ActionKind::Probe, probe.amount, &probe.hops, local)
}

/// A route as a BOLT 4 onion can carry it: leaves by an own channel, delivers what it says, and no
/// hop gets less than it passes on. Gives what leaves this node.
fn check_route(
    limits: &Limits,
    kind: ActionKind,
    amount: Msat,
    hops: &[RouteHop],
    local: &LocalSnapshot,
) -> Result<Msat, Refusal> {
    let malformed = |problem| Refusal::Malformed { kind, problem };
    let (Some(first), Some(last)) = (hops.first(), hops.last()) else {
        return Err(malformed(Malformed::RouteLength));
    };
    if hops.len() > ROUTE_HOPS {
        return Err(malformed(Malformed::RouteLength));
    }
    if amount.is_zero() {
        return Err(malformed(Malformed::NoAmount));
    }
    if our_channel(local, first.channel)?.peer != first.to {
        return Err(malformed(Malformed::RouteStart));
    }
    let falls = hops.windows(2).all(|pair| match pair {
        [near, far] => near.amount >= far.amount,
        _ => true,
    });
    if last.amount != amount || !falls {
        return Err(malformed(Malformed::RouteAmounts));
    }
    let blocks = hops.iter().map(|hop| hop.cltv_blocks).max().unwrap_or(0);
    if blocks > limits.max_cltv {
        let ceiling = limits.max_cltv;
        return Err(Refusal::Cltv { blocks, ceiling });
    }
    Ok(first.amount)
}

/// What a policy changes stays inside the operator's bounds; what it leaves as it is may lie outside.
fn check_policy(limits: &Limits, set: &SetPolicy, own: &LocalChannel) -> Result<(), Refusal> {
    let now = own.local_policy;
    let policy = &set.policy;
    let (base, rate) = (policy.base.get(), policy.rate.get().into());
    let (least, most) = (policy.htlc_minimum.get(), policy.htlc_maximum.get());
    let bounded = |field, value: u64, min: u64, max: u64| {
        let channel = set.channel;
        let is_inside = (min..=max).contains(&value);
        is_inside.then_some(()).ok_or(Refusal::PolicyBound {
            channel,
            field,
            value,
            min,
            max,
        })
    };
    if now.is_none_or(|now| now.base != policy.base) {
        let (min, max) = (limits.policy_base_min, limits.policy_base_max);
        bounded(PolicyField::Base, base, min.get(), max.get())?;
    }
    if now.is_none_or(|now| now.rate != policy.rate) {
        let (min, max) = (limits.policy_rate_min.get(), limits.policy_rate_max.get());
        bounded(PolicyField::Rate, rate, min.into(), max.into())?;
    }
    if now.is_none_or(|now| now.htlc_minimum != policy.htlc_minimum) {
        let max = limits.policy_htlc_minimum_max.get();
        bounded(PolicyField::HtlcMinimum, least, 0, max)?;
    }
    if now.is_none_or(|now| now.htlc_maximum != policy.htlc_maximum) {
        let min = limits.policy_htlc_maximum_min.get();
        bounded(PolicyField::HtlcMaximum, most, min, u64::MAX)?;
    }
    let inbound = policy.inbound_base_msat.max(policy.inbound_ppm);
    let was = now.map_or(0, |now| now.inbound_base_msat.max(now.inbound_ppm));
    if let Ok(positive) = u64::try_from(inbound)
        && inbound > was
    {
        bounded(PolicyField::Inbound, positive, 0, 0)?;
    }
    if policy.disabled && now.is_none_or(|now| !now.disabled) {
        bounded(PolicyField::Disabled, 1, 0, 0)?;
    }
    Ok(())
}

/// Channels that the operator keeps out stay out of routes, too.
fn check_channels(limits: &Limits, action: &Action) -> Result<(), Refusal> {
    let along = |hops: &[RouteHop]| hops.iter().map(|hop| hop.channel).collect();
    let used: Vec<ShortChannelId> = match action {
        Action::Open(_) => Vec::new(),
        Action::Rebalance(rebalance) => along(&rebalance.hops),
        Action::Probe(probe) => along(&probe.hops),
        Action::SetPolicy(set) => vec![set.channel],
    };
    let mut out = used.into_iter();
    let out = out.find(|channel| limits.opted_out_channels.contains(channel));
    out.map_or(Ok(()), |channel| Err(Refusal::ChannelOptedOut { channel }))
}

/// The own channel with this place in the chain.
pub(super) fn our_channel(
    local: &LocalSnapshot,
    channel: ShortChannelId,
) -> Result<&LocalChannel, Refusal> {
    let mut ours = local.channels.iter();
    ours.find(|own| own.scid == Some(channel))
        .ok_or(Refusal::NotOurChannel { channel })
}

/// Opt-outs hold for every peer that an action touches. A ban stops new channels and payments, but
/// not the policy of a channel that is there: bans leave existing channels alone.
fn check_peers(
    limits: &Limits,
    action: &Action,
    local: &LocalSnapshot,
    standing: &Standing<'_>,
) -> Result<(), Refusal> {
    let bans_apply = action.kind() != ActionKind::SetPolicy;
    for peer in peers(action, local) {
        if limits.opted_out_peers.contains(&peer) {
            return Err(Refusal::PeerOptedOut { peer });
        }
        if bans_apply && standing.banned.contains(&peer) {
            return Err(Refusal::PeerBanned { peer });
        }
    }
    Ok(())
}

fn peers(action: &Action, local: &LocalSnapshot) -> Vec<NodeId> {
    let along = |hops: &[RouteHop]| hops.iter().map(|hop| hop.to).collect::<Vec<_>>();
    match action {
        Action::Open(open) => vec![open.target],
        Action::Rebalance(rebalance) => {
            let mut all = along(&rebalance.hops);
            all.extend(rebalance.beneficiary);
            all
        }
        Action::Probe(probe) => along(&probe.hops),
        Action::SetPolicy(set) => {
            let ours = our_channel(local, set.channel);
            ours.map(|own| own.peer).into_iter().collect()
        }
    }
}

/// What the node must be like at this moment.
pub(super) fn check_moment(action: &Action, local: &LocalSnapshot) -> Result<(), Refusal> {
    if !local.synced && action.kind() != ActionKind::SetPolicy {
        return Err(Refusal::NotSynced);
    }
    match action {
        Action::Open(open) if local.feerate > open.feerate_ceiling => Err(Refusal::Feerate {
            feerate: local.feerate,
            ceiling: open.feerate_ceiling,
        }),
        _ => Ok(()),
    }
}

/// An open needs the fleet's lock on its target, held by this node, for this action, and young. Gives
/// the height below which it has to begin.
pub(super) fn check_lock(
    id: ActionId,
    action: &Action,
    local: &LocalSnapshot,
    standing: &Standing<'_>,
) -> Result<Option<BlockHeight>, Refusal> {
    let Action::Open(open) = action else {
        return Ok(None);
    };
    let target = open.target;
    let held = standing
        .lock
        .filter(|lock| lock.target == target && lock.action == id && lock.holder == local.node_id);
    let lock = held.ok_or(Refusal::NoLock { target })?;
    let (below, tip) = (lock.height.plus(LOCK_START_BLOCKS), local.height);
    if tip >= below {
        return Err(Refusal::LockTooOld { target, below, tip });
    }
    Ok(Some(below))
}
