//! From a circulation to payments: simple circles, each with its payer, priced to the msat, cut to what
//! HTLCs carry.

use super::channel::Way;
use super::model::{Model, Problem};
use crate::circulation::{Network, cycles};
use crate::routes::{PricedRoute, RouteStep, price_route};
use hive_types::limits::{HTLC_CLTV_BLOCKS, PUSH_PARTS, ROUTE_HOPS};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A forwarder whose update is not known yet is given this many blocks: above what any common node
/// asks for.
const GENEROUS_CLTV_DELTA: u16 = 144;

/// The amount that the absolute fee ceiling allows is found to this part of itself.
const FEE_PRECISION: u64 = 1_000;

/// A closed way over at least three nodes that some amount should go around.
#[derive(Clone, Debug)]
struct Circle {
    ways: Vec<Way>,
    amount: i64,
}

/// A payment that can be made.
#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) payer: NodeId,
    /// The directions in order, from the payer to the payer.
    pub(super) ways: Vec<Way>,
    pub(super) route: PricedRoute,
    /// What the members' sides are worth more after it than before, in msat times 10^9, fees left out.
    pub(super) gain: i128,
    /// The direction that fills the side which gains most.
    pub(super) fills: Way,
    /// What that side could send before.
    pub(super) filled_from: Msat,
    /// What the payer's first channel could send before.
    pub(super) paid_from: Msat,
}

/// The payments that carry out what the solver found, as far as each is worth its fee and within every
/// limit. The balances of the model are as after all of them.
pub(super) fn payments(model: &mut Model<'_>, problem: &Problem, flows: &[i64]) -> Vec<Payment> {
    let mut found = Vec::new();
    let mut circles = circles(problem, flows);
    // Over parallel channels with one peer nothing is gained: it may use either (BOLT 4).
    circles.retain(|circle| circle.ways.len() >= 3);
    // What links can lend is known once all that crosses them for good is booked.
    circles.sort_by_key(|circle| exits(model, &circle.ways) > 1);
    for circle in circles {
        let split_off = send_split(model, &circle, &mut found);
        let amount = circle.amount - split_off;
        send(model, &Circle { amount, ..circle }, &mut found);
    }
    found
}

/// What crosses each channel on balance, as simple circles. The optimum sends nothing both ways over a
/// channel, since every hop costs; what the work limit cut short may.
fn circles(problem: &Problem, flows: &[i64]) -> Vec<Circle> {
    let mut net: BTreeMap<Way, (i64, usize, usize)> = BTreeMap::new();
    let arcs = problem.network.arcs().iter().zip(&problem.ways);
    for ((arc, way), carried) in arcs.zip(flows) {
        net.entry(*way).or_insert((0, arc.from, arc.to)).0 += carried;
    }
    let mut network = Network::new(problem.network.nodes());
    let (mut ways, mut amounts) = (Vec::new(), Vec::new());
    for (way, (carried, from, to)) in &net {
        let back = net.get(&way.back()).map_or(0, |(back, _, _)| *back);
        let amount = carried - back;
        if amount > 0 && network.add(*from, *to, amount, 0).is_ok() {
            ways.push(*way);
            amounts.push(amount);
        }
    }
    let circles = cycles(&network, &amounts).into_iter();
    let ways_of = |arcs: &[crate::circulation::ArcId]| {
        let arcs = arcs.iter();
        arcs.filter_map(|arc| ways.get(arc.get()).copied())
            .collect()
    };
    circles
        .map(|cycle| Circle {
            ways: ways_of(&cycle.arcs),
            amount: cycle.amount,
        })
        .collect()
}

/// Sends as much of a circle as links can lend in pieces; see [`split`]. Gives how much that is.
fn send_split(model: &mut Model<'_>, circle: &Circle, found: &mut Vec<Payment>) -> i64 {
    let mut links = Vec::new();
    let mut pieces = split(model, circle, &mut links);
    let Some(amount) = pieces.iter().map(|piece| piece.amount).min() else {
        return 0;
    };
    pieces.iter_mut().for_each(|piece| piece.amount = amount);
    let can_pay = |piece: &Circle| best(model, piece, amount).is_some();
    if links.is_empty() || !pieces.iter().all(can_pay) {
        return 0;
    }
    pieces.iter().for_each(|piece| send(model, piece, found));
    amount
}

/// Cuts a circle that several members send out of the fleet in, along links between them, into circles
/// that each have one such member. That one pays, and no member pays what another asks from
/// outsiders. What the pieces send over a link and back adds up to nothing; `links` are those.
fn split(model: &Model<'_>, circle: &Circle, links: &mut Vec<Way>) -> Vec<Circle> {
    let ways = &circle.ways;
    if exits(model, ways) < 2 {
        return vec![circle.clone()];
    }
    let source = |place: usize| model.channel(ways[place]).ends(ways[place]).0.node;
    for begin in 0..ways.len() {
        for end in begin + 2..ways.len() {
            let inner = &ways[begin..end];
            let rest = ways[end..].iter().chain(&ways[..begin]);
            let outer: Vec<Way> = rest.copied().collect();
            if exits(model, inner) == 0 || exits(model, &outer) == 0 || outer.len() < 2 {
                continue;
            }
            let Some(link) = model.link(source(end), source(begin), links) else {
                continue;
            };
            links.push(link);
            let close = |ways: &[Way], by: Way| Circle {
                ways: ways.iter().copied().chain([by]).collect(),
                amount: circle.amount.min(model.lendable(link)),
            };
            let mut pieces = split(model, &close(inner, link), links);
            pieces.extend(split(model, &close(&outer, link.back()), links));
            return pieces;
        }
    }
    vec![circle.clone()]
}

/// How many members send the circle to an outsider.
fn exits(model: &Model<'_>, ways: &[Way]) -> usize {
    let exits = ways.iter().filter(|way| {
        let (near, far) = model.channel(**way).ends(**way);
        model.is_member(&near.node) && !model.is_member(&far.node)
    });
    exits.count()
}

/// Sends what goes around a circle in as many payments as its HTLCs need.
fn send(model: &mut Model<'_>, circle: &Circle, found: &mut Vec<Payment>) {
    let rooms = circle.ways.iter().map(|way| model.room(*way));
    let mut left = circle.amount.min(rooms.min().unwrap_or(0));
    for _ in 0..PUSH_PARTS {
        let Some(payment) = best(model, circle, left) else {
            return;
        };
        for (way, hop) in payment.ways.iter().zip(&payment.route.hops) {
            model.book(*way, super::worth::amount(hop.amount));
        }
        let sent = payment.route.hops.first().map_or(Msat::ZERO, |h| h.amount);
        left -= super::worth::amount(sent);
        found.push(payment);
    }
}

/// The payment around the circle for the member that it is cheapest for; of equal ones the member with
/// the largest surplus where the payment begins.
fn best(model: &Model<'_>, circle: &Circle, most: i64) -> Option<Payment> {
    let places = 0..circle.ways.len();
    let payable = places.filter_map(|first| {
        let mut ways = circle.ways.clone();
        ways.rotate_left(first);
        payment(model, ways, most)
    });
    payable.min_by_key(|payment| {
        let first = payment.ways.first();
        let surplus = first.map_or(0, |way| model.room(*way));
        (payment.route.fee, Reverse(surplus), payment.payer)
    })
}

/// The circle as its first node would pay it, if that is a member and every limit holds.
fn payment(model: &Model<'_>, ways: Vec<Way>, most: i64) -> Option<Payment> {
    let first = *ways.first()?;
    let payer = model.channel(first).ends(first).0.node;
    if !model.is_member(&payer) || ways.len() > ROUTE_HOPS {
        return None;
    }
    let route = fitting_route(model, &ways, most)?;
    let amounts: Vec<i64> = route
        .hops
        .iter()
        .map(|hop| super::worth::amount(hop.amount))
        .collect();
    let gain: i128 = ways
        .iter()
        .zip(&amounts)
        .map(|(way, amount)| gain(model, *way, *amount))
        .sum();
    let asked = u128::from(route.fee.get()) * u128::from(model.request.config.push_return.get());
    let asked = i128::try_from(asked).ok()?.checked_mul(1_000)?;
    (gain > 0 && gain >= asked).then_some(())?;
    let filling = ways.iter().zip(&amounts);
    let (fills, _) = filling
        .filter(|(way, _)| model.worth_of(way.back()).is_some())
        .max_by_key(|(way, amount)| (gain_of_filling(model, **way, **amount), Reverse(**way)))?;
    let fills = *fills;
    let told = |way: Way| {
        let there = model.sendable(way).unwrap_or(0);
        Msat::new(u64::try_from(there).unwrap_or(0))
    };
    let (filled_from, paid_from) = (told(fills.back()), told(first));
    Some(Payment {
        payer,
        ways,
        route,
        gain,
        fills,
        filled_from,
        paid_from,
    })
}

/// What the two sides of a channel are worth more once the amount has crossed it.
fn gain(model: &Model<'_>, way: Way, amount: i64) -> i128 {
    let drained = match (model.worth_of(way), model.sendable(way)) {
        (Some(worth), Some(there)) => worth.between(there, there - amount),
        _ => 0,
    };
    drained + gain_of_filling(model, way, amount)
}

fn gain_of_filling(model: &Model<'_>, way: Way, amount: i64) -> i128 {
    match (model.worth_of(way.back()), model.sendable(way.back())) {
        (Some(worth), Some(there)) => worth.between(there, there + amount),
        _ => 0,
    }
}

/// The largest route of which no more than `most` leaves the payer, within the limits of pushes.
fn fitting_route(model: &Model<'_>, ways: &[Way], most: i64) -> Option<PricedRoute> {
    let config = model.request.config;
    let steps = steps(model, ways)?;
    let largest = steps.iter().filter_map(|step| step.policy);
    let largest = largest.map(|policy| policy.htlc_maximum).min();
    let out = Msat::new(u64::try_from(most).ok()?);
    let out = largest.map_or(out, |largest| out.min(largest));
    // With the highest fee that is paid at all, no more than that leaves the payer.
    let millions = 1_000_000 + u128::from(config.push_fee_rate.get());
    let amount = u128::from(out.get()) * 1_000_000 / millions;
    let amount = Msat::new(u64::try_from(amount).ok()?);
    let priced = |amount: Msat| {
        let route = price_route(&steps, amount)?;
        let first = route.hops.first()?;
        let cheap = route.fee <= config.push_fee_rate.fee_on(amount)?;
        let short = first.cltv_blocks <= HTLC_CLTV_BLOCKS;
        (first.amount <= out && cheap && short).then_some(route)
    };
    let least = config.push_min.to_msat_saturating().max(Msat::new(1));
    let amount = amount.min(config.push_max.to_msat_saturating());
    let route = priced(amount).filter(|_| amount >= least)?;
    if route.fee <= config.push_fee_max {
        return Some(route);
    }
    let within = |amount: Msat| priced(amount).filter(|route| route.fee <= config.push_fee_max);
    let (mut found, mut low, mut high) = (within(least)?, least, amount);
    while high.get() - low.get() > low.get() / FEE_PRECISION {
        let middle = Msat::new(low.get() + (high.get() - low.get()) / 2);
        match within(middle) {
            Some(route) => (found, low) = (route, middle),
            None => high = middle,
        }
    }
    Some(found)
}

/// The steps as prices see them: nothing for the payer's own first hop, what is published for all
/// others, and the agreed nothing between fellows whose update is not known.
fn steps(model: &Model<'_>, ways: &[Way]) -> Option<Vec<RouteStep>> {
    let last = ways.len().checked_sub(1)?;
    let step = |(place, way): (usize, &Way)| {
        let channel = model.channel(*way);
        let (near, far) = channel.ends(*way);
        let between_fellows = model.is_member(&near.node) && model.is_member(&far.node);
        let policy = match (place, near.policy) {
            (0, _) => None,
            (_, Some(policy)) => Some(policy),
            (_, None) if between_fellows => Some(fellow_policy()),
            (_, None) => return None,
        };
        let on_receipt = far.policy.filter(|_| place < last);
        Some(RouteStep {
            scid: channel.scid,
            to: far.node,
            capacity: channel.capacity,
            policy,
            inbound: on_receipt.map_or((0, 0), |p| (p.inbound_base_msat, p.inbound_ppm)),
        })
    };
    ways.iter().enumerate().map(step).collect()
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
