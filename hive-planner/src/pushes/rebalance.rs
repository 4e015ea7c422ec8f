//! What to move, for whoever has channels with balances: a member's plan, an experiment, a script.

use super::channel::ChannelState;
use super::circle::{Payment, payments};
use super::model::Model;
use super::worth::amount;
use crate::circulation::solve;
use crate::config::PlannerConfig;
use core::iter;
use hive_types::{Msat, NodeId, RouteHop, ShortChannelId, limits};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Who plans together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Each member for itself, in order of node ids: it knows its own channels alone, and fellows are
    /// forwarders like any other.
    Local,
    /// All members at once.
    Fleet,
}

/// Channels, and by whom and how they may be rebalanced.
#[derive(Clone, Copy, Debug)]
pub struct RebalanceRequest<'a> {
    /// Channels of members, and those between outsiders that payments may pass.
    pub channels: &'a [ChannelState],
    /// Those whose balances are known and who may pay.
    pub members: &'a BTreeSet<NodeId>,
    /// Who plans together.
    pub scope: Scope,
    /// What all moves together may cost in fees to forwarders.
    pub budget: Msat,
    /// Marks, sizes and fee limits: `low_water` and all that begins with `push_` or `refill_`, and the
    /// assumed fee where a member's own policy is not known.
    pub config: &'a PlannerConfig,
}

/// A payment to oneself that is worth its fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Who pays and is paid.
    pub payer: NodeId,
    /// What comes back.
    pub amount: Msat,
    /// What forwarders take, fellows among them: what leaves the payer beyond `amount`.
    pub fee: Msat,
    /// The hops in order; the last one ends at the payer.
    pub hops: Vec<RouteHop>,
    /// The channel that it is made for: a member's side of it is filled.
    pub fills: ShortChannelId,
    /// Whose side that is.
    pub owner: NodeId,
    /// What members' sides are worth more after it than before, fee left out: what they earn
    /// sooner, less what drained ones earn later.
    pub gain: Msat,
}

/// The moves that gain most, best first: gains of filled sides, less what drained ones lose, less
/// fees. All of them fit together, whatever their order.
///
/// No member's total changes but by fees. Nothing is left under the low water mark that was not under
/// it, and every limit of a push holds for each move. Equal input gives equal moves.
///
/// ```
/// use hive_planner::PlannerConfig;
/// use hive_planner::pushes::{ChannelState, RebalanceRequest, Scope, Side, rebalance};
/// use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
/// use std::collections::BTreeSet;
///
/// let id = |n: u64| format!("02{n:064x}").parse::<NodeId>();
/// let (a, b, shared) = (id(1)?, id(2)?, id(3)?);
/// let policy = |ppm| ChannelPolicy {
///     base: Msat::ZERO,
///     rate: Ppm::new(ppm),
///     cltv_delta: 40,
///     htlc_minimum: Msat::new(1),
///     htlc_maximum: Msat::new(5_000_000_000),
///     disabled: false,
///     inbound_base_msat: 0,
///     inbound_ppm: 0,
/// };
/// let side = |node, sat: u64, ppm| Side {
///     node,
///     spendable: Some(Msat::new(sat * 1_000)),
///     policy: Some(policy(ppm)),
///     drain_msat_per_day: None,
/// };
/// let channel = |number, one, other| ChannelState {
///     scid: ShortChannelId::from_u64(number),
///     capacity: Sat::new(5_000_000),
///     sides: [one, other],
/// };
/// // A has plenty towards the peer that it shares with B, whose channel there is nearly empty.
/// let channels = [
///     channel(1, side(a, 4_500_000, 300), side(shared, 450_000, 80)),
///     channel(2, side(b, 100_000, 300), side(shared, 4_850_000, 80)),
///     channel(3, side(a, 2_500_000, 0), side(b, 2_500_000, 0)),
/// ];
/// let members = BTreeSet::from([a, b]);
/// let request = RebalanceRequest {
///     channels: &channels,
///     members: &members,
///     scope: Scope::Fleet,
///     budget: Msat::new(1_000_000),
///     config: &PlannerConfig::default(),
/// };
/// let moves = rebalance(&request);
/// let ways: Vec<u64> = moves[0].hops.iter().map(|hop| hop.channel.to_u64()).collect();
/// assert_eq!((moves[0].payer, &ways[..]), (a, &[1, 2, 3][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn rebalance(request: &RebalanceRequest<'_>) -> Vec<Move> {
    let found = match request.scope {
        Scope::Fleet => {
            let (found, model) = planned(request, request.members);
            let found = found.into_iter();
            found.map(|payment| to_move(&model, payment)).collect()
        }
        Scope::Local => each_alone(request),
    };
    within_budget(found, request.budget)
}

/// The payments of these members, and the model as it is after them.
///
/// First what is best for the fleet as a whole. Of that, circles that leave the fleet more than once may
/// cost their payer too much. So then, for one payer after the other, what is best of what is left.
pub(super) fn planned<'a>(
    request: &'a RebalanceRequest<'a>,
    members: &'a BTreeSet<NodeId>,
) -> (Vec<Payment>, Model<'a>) {
    let mut model = Model::new(request, members);
    let mut steps = limits::CIRCULATION_STEPS;
    let mut found = Vec::new();
    for payer in iter::once(None).chain(members.iter().map(Some)) {
        let Some(problem) = model.problem(payer) else {
            continue;
        };
        let Ok(flow) = solve(&problem.network, steps) else {
            continue;
        };
        steps = steps.saturating_sub(flow.work.steps);
        found.extend(payments(&mut model, &problem, &flow.flows));
    }
    (found, model)
}

/// One member after the other. What the ones before take is gone for those after, and what they bring is
/// not there yet: so all moves fit in any order.
fn each_alone(request: &RebalanceRequest<'_>) -> Vec<Move> {
    let mut channels = request.channels.to_vec();
    let mut all = Vec::new();
    for member in request.members {
        let alone = BTreeSet::from([*member]);
        let request = RebalanceRequest {
            channels: &channels,
            ..*request
        };
        let (found, model) = planned(&request, &alone);
        let found: Vec<Move> = found
            .into_iter()
            .map(|payment| to_move(&model, payment))
            .collect();
        let moved = found.iter().flat_map(|found| found.hops.iter());
        let moved: Vec<RouteHop> = moved.copied().collect();
        for hop in moved {
            take(&mut channels, &hop);
        }
        all.extend(found);
    }
    all
}

/// Takes what a hop carries from the side that it leaves.
fn take(channels: &mut [ChannelState], hop: &RouteHop) {
    let all = channels.iter_mut();
    for channel in all.filter(|channel| channel.scid == hop.channel) {
        let near = channel.sides.iter_mut().filter(|side| side.node != hop.to);
        for side in near {
            let there = side.spendable;
            side.spendable = there.map(|there| there.saturating_sub(hop.amount));
        }
    }
}

fn to_move(model: &Model<'_>, payment: Payment) -> Move {
    let filled = model.channel(payment.fills);
    let (_, owner) = filled.ends(payment.fills);
    let hops = payment.route.hops;
    let gain = u64::try_from(payment.gain / 1_000_000_000).unwrap_or(0);
    Move {
        payer: payment.payer,
        amount: hops.last().map_or(Msat::ZERO, |hop| hop.amount),
        fee: payment.route.fee,
        hops,
        fills: filled.scid,
        owner: owner.node,
        gain: Msat::new(gain),
    }
}

/// The moves that gain most for each msat of fee, as far as the budget goes.
fn within_budget(mut found: Vec<Move>, budget: Msat) -> Vec<Move> {
    found.sort_by(|one, other| {
        let ratio = |a: &Move, b: &Move| i128::from(amount(a.gain)) * i128::from(amount(b.fee));
        ratio(other, one)
            .cmp(&ratio(one, other))
            .then(other.gain.cmp(&one.gain))
    });
    let mut left = budget;
    found.retain(|found| {
        let rest = left.checked_sub(found.fee);
        left = rest.unwrap_or(left);
        rest.is_some()
    });
    found.sort_by_key(|found| Reverse(found.gain.saturating_sub(found.fee)));
    found
}
