//! Channels as a circulation: which directions can help, how much fits, what it costs.
//!
//! Amounts are in msat, costs in billionths of an msat per msat. A direction costs what its source asks
//! for forwarding, the payer's return on fees counted in, and where its far end is a member's side it
//! gains what that side is worth to fill; a direction that drains a member's side costs that side's
//! worth. What a member asks from outsiders is no cost as long as the payer is open: between fellows it
//! is a transfer, and the payer's own first hop is free. Where one payer is named, what other members
//! ask counts. Routes are priced to the msat afterwards, for their payer.

use super::channel::{ChannelState, Way};
use super::worth::{PPB_PER_PPM, Pair, Worth, amount};
use super::{RebalanceRequest, share_of};
use crate::circulation::{COST_MAX, Network, Segment};
use hive_types::{Msat, NodeId, Ppm, limits};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// BOLT 2 lets a node ask for a reserve, by custom a hundredth of the capacity: the other side cannot
/// send its last hundredth.
const RESERVE: Ppm = Ppm::new(10_000);

/// Nobody in the fleet knows the balance of a channel between outsiders. Half of the capacity is as
/// likely to pass as not, when balances are spread evenly; more is not planned.
const OUTSIDE_SHARE: Ppm = Ppm::new(500_000);

/// What each third of that is taken to cost beyond its fee, in ppm: the chance of a failed attempt grows
/// with the amount.
const OUTSIDE_RISK_PPM: [i64; 3] = [10, 30, 90];

/// What each third of what a link between members can spare is taken to cost, in ppm: next to nothing,
/// but a balanced link serves both ways.
const LINK_PPM: [i64; 3] = [0, 2, 5];

/// What every hop is taken to cost, in ppm: each locks liquidity and may fail, so that of two ways
/// that cost the same the shorter one is taken, and nothing is moved for nothing.
const HOP_PPM: i64 = 1;

/// The channels with what is known of them, and working balances.
pub(super) struct Model<'a> {
    pub(super) request: &'a RebalanceRequest<'a>,
    /// For each channel and side: what its owner can send; none where nobody in the fleet knows.
    pub(super) there: Vec<[Option<i64>; 2]>,
    /// For each channel and side: what may still leave it, whatever comes in. So all that is planned
    /// fits in any order.
    free: Vec<[Option<i64>; 2]>,
    /// Channels between members, one direction of each.
    links: Vec<Way>,
    /// For each channel and side that a member holds towards an outsider: what it is worth.
    pub(super) worth: Vec<[Option<Worth>; 2]>,
    members: &'a BTreeSet<NodeId>,
}

/// A problem for the solver, with the direction that each arc stands for.
pub(super) struct Problem {
    pub(super) network: Network,
    pub(super) ways: Vec<Way>,
}

impl<'a> Model<'a> {
    /// `members` are those whose balances are known and who may pay.
    pub(super) fn new(request: &'a RebalanceRequest<'a>, members: &'a BTreeSet<NodeId>) -> Self {
        let channels = request.channels;
        let is_member = |node: &NodeId| members.contains(node);
        let there: Vec<_> = channels
            .iter()
            .map(|channel| known(channel, is_member))
            .collect();
        let mut pairs: BTreeMap<(NodeId, NodeId), Pair> = BTreeMap::new();
        let owned = |channel: &'a ChannelState| {
            Way::both(0).into_iter().filter_map(move |way| {
                let (near, far) = channel.ends(way);
                let owned = is_member(&near.node) && !is_member(&far.node);
                owned.then_some((way.from, (near.node, far.node)))
            })
        };
        for channel in channels {
            for (owner, pair) in owned(channel) {
                pairs.entry(pair).or_default().add(channel, owner);
            }
        }
        let joined = channels.iter().enumerate().filter(|(_, channel)| {
            let mut sides = channel.sides.iter();
            sides.all(|side| is_member(&side.node))
        });
        let links = joined.map(|(place, _)| Way { place, from: 0 }).collect();
        let worth = channels.iter().map(|channel| {
            let mut worth = [None, None];
            for (owner, pair) in owned(channel) {
                let pair = pairs.get(&pair).copied().unwrap_or_default();
                worth[owner] = Some(Worth::of(channel, owner, &pair, request.config));
            }
            worth
        });
        Self {
            request,
            free: there.clone(),
            there,
            links,
            worth: worth.collect(),
            members,
        }
    }

    pub(super) fn is_member(&self, node: &NodeId) -> bool {
        self.members.contains(node)
    }

    pub(super) fn channel(&self, way: Way) -> &'a ChannelState {
        &self.request.channels[way.place]
    }

    /// What the source of a direction can send now, as far as the fleet knows.
    pub(super) fn sendable(&self, way: Way) -> Option<i64> {
        self.there[way.place][way.from]
    }

    /// The worth of the source's side of a direction.
    pub(super) fn worth_of(&self, way: Way) -> Option<&Worth> {
        self.worth[way.place][way.from].as_ref()
    }

    /// How much may cross: what the source has above its mark, and no more than leaves an outside
    /// source its mark too. Never what lies under a member's low water mark.
    pub(super) fn room(&self, way: Way) -> i64 {
        let channel = self.channel(way);
        let (near, far) = channel.ends(way);
        let mark = amount(share_of(channel.capacity, self.request.config.low_water));
        let spare = match (self.is_member(&near.node), self.is_member(&far.node)) {
            (false, false) => amount(share_of(channel.capacity, OUTSIDE_SHARE)),
            _ => self.free[way.place][way.from].map_or(0, |free| free - mark),
        };
        spare.max(0)
    }

    /// What the source asks for, spread over the amount; `None` when it forwards nothing or more than
    /// any route may cost.
    fn fee_ppb(
        &self,
        way: Way,
        payer: Option<&NodeId>,
        least_out: &BTreeMap<NodeId, i128>,
    ) -> Option<i64> {
        let config = self.request.config;
        let (_, far) = self.channel(way).ends(way);
        let outgoing = self.outgoing_ppb(way, payer)?;
        let inbound = match (self.is_member(&far.node), &far.policy) {
            (false, Some(policy)) => self.spread(
                way,
                i128::from(policy.inbound_base_msat),
                i128::from(policy.inbound_ppm),
            ),
            _ => 0,
        };
        // A forwarder takes nothing below zero: no discount exceeds the least that it asks for.
        let least = least_out.get(&far.node).copied().unwrap_or(0);
        let asked = outgoing + inbound.max(-least);
        let cap = i128::from(config.push_fee_rate.get()) * i128::from(PPB_PER_PPM);
        (asked <= cap).then_some(())?;
        let with_return = asked * i128::from(config.push_return.get()) / 1_000_000;
        let within = with_return.clamp(-i128::from(COST_MAX / 4), i128::from(COST_MAX / 4));
        i64::try_from(within).ok()
    }

    /// The part for forwarding out: nothing from the payer, nor, where any member may be the payer, from
    /// a member towards an outsider.
    fn outgoing_ppb(&self, way: Way, payer: Option<&NodeId>) -> Option<i128> {
        let (near, far) = self.channel(way).ends(way);
        if near.policy.is_some_and(|policy| policy.disabled) {
            return None;
        }
        let smallest = self.request.config.push_min.to_msat_saturating();
        let largest = self.request.config.push_max.to_msat_saturating();
        let fits = |policy: &hive_types::ChannelPolicy| {
            policy.htlc_maximum >= smallest && policy.htlc_minimum <= largest
        };
        let pays = payer.is_none_or(|payer| *payer == near.node);
        match (self.is_member(&near.node), self.is_member(&far.node)) {
            (true, false) if pays => Some(0),
            (true, true) if near.policy.is_none() => Some(0),
            _ => near.policy.filter(fits).map(|policy| {
                let base = i128::from(policy.base.get());
                self.spread(way, base, i128::from(policy.rate.get()))
            }),
        }
    }

    /// A base fee is paid for each HTLC. It is spread over the largest that is likely: what fits the
    /// direction, between the smallest and the largest push.
    fn spread(&self, way: Way, base_msat: i128, rate_ppm: i128) -> i128 {
        let config = self.request.config;
        let least = amount(config.push_min.to_msat_saturating()).max(1);
        let most = amount(config.push_max.to_msat_saturating()).max(least);
        let size = self.room(way).clamp(least, most);
        rate_ppm * i128::from(PPB_PER_PPM) + base_msat * 1_000_000_000 / i128::from(size)
    }

    /// The directions that can be part of a push: with room for one, between nodes that more than one
    /// neighbour can be reached from. Between outsiders only those from a peer that a member has a surplus
    /// towards, to a peer from whom a member's side can be filled.
    pub(super) fn directions(&self) -> Vec<Way> {
        let least = amount(self.request.config.push_min.to_msat_saturating()).max(1);
        let all = (0..self.request.channels.len()).flat_map(Way::both);
        let roomy: Vec<Way> = all
            .filter(|way| {
                let (near, far) = self.channel(*way).ends(*way);
                near.node != far.node && self.room(*way) >= least
            })
            .collect();
        let (mut surplus, mut needy) = (BTreeSet::new(), BTreeSet::new());
        for way in &roomy {
            let (near, far) = self.channel(*way).ends(*way);
            match (self.is_member(&near.node), self.is_member(&far.node)) {
                (true, false) => surplus.insert(far.node),
                (false, true) if self.wanted(*way) > 0 => needy.insert(near.node),
                _ => false,
            };
        }
        let outside = self.request.config.push_outside_hops >= 2;
        let helpful = roomy.into_iter().filter(|way| {
            let (near, far) = self.channel(*way).ends(*way);
            let between_outsiders = !self.is_member(&near.node) && !self.is_member(&far.node);
            let joins = outside && surplus.contains(&near.node) && needy.contains(&far.node);
            !between_outsiders || joins
        });
        self.on_cycles(helpful.collect())
    }

    /// How much more the far side of a direction could use.
    pub(super) fn wanted(&self, way: Way) -> i64 {
        let back = way.back();
        match (self.worth_of(back), self.sendable(back)) {
            (Some(worth), Some(there)) => worth.wanted(there),
            _ => 0,
        }
    }

    /// Leaves out nodes with a single neighbour, again and again: no cycle of three passes them.
    fn on_cycles(&self, mut ways: Vec<Way>) -> Vec<Way> {
        loop {
            let mut neighbours: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
            for way in &ways {
                let (near, far) = self.channel(*way).ends(*way);
                neighbours.entry(near.node).or_default().insert(far.node);
                neighbours.entry(far.node).or_default().insert(near.node);
            }
            let many = |node: &NodeId| neighbours.get(node).is_some_and(|all| all.len() > 1);
            let before = ways.len();
            ways.retain(|way| {
                let (near, far) = self.channel(*way).ends(*way);
                many(&near.node) && many(&far.node)
            });
            if ways.len() == before {
                return ways;
            }
        }
    }

    /// The circulation over all directions that can help, as the fleet sees it or, where a payer is named,
    /// as that member would pay it; `None` when it is too large to state.
    pub(super) fn problem(&self, payer: Option<&NodeId>) -> Option<Problem> {
        let directions = self.directions();
        let mut least_out: BTreeMap<NodeId, i128> = BTreeMap::new();
        let mut nodes: BTreeMap<NodeId, usize> = BTreeMap::new();
        for way in &directions {
            let (near, far) = self.channel(*way).ends(*way);
            for node in [near.node, far.node] {
                let next = nodes.len();
                nodes.entry(node).or_insert(next);
            }
            if let Some(asked) = self.outgoing_ppb(*way, payer) {
                let least = least_out.entry(near.node).or_insert(asked);
                *least = asked.min(*least);
            }
        }
        let mut network = Network::new(nodes.len());
        let mut ways = Vec::new();
        for way in directions {
            let (near, far) = self.channel(way).ends(way);
            let Some(fee) = self.fee_ppb(way, payer, &least_out) else {
                continue;
            };
            let ends = (nodes.get(&near.node)?, nodes.get(&far.node)?);
            let segments = self.segments(way, fee);
            let added = network.add_convex(*ends.0, *ends.1, &segments).ok()?;
            ways.extend(added.iter().map(|_| way));
        }
        Some(Problem { network, ways })
    }

    /// The convex cost of a direction: its fee on every part, with what its two sides are worth.
    fn segments(&self, way: Way, fee_ppb: i64) -> Vec<Segment> {
        let (near, far) = self.channel(way).ends(way);
        let room = self.room(way).min(self.htlc_room(way));
        let each = fee_ppb + HOP_PPM * PPB_PER_PPM;
        let third = room / 3;
        let in_thirds = |ppm: [i64; 3]| {
            let widths = [third, third, room - 2 * third];
            let parts = widths.into_iter().zip(ppm);
            parts
                .map(|(width, ppm)| (width, ppm * PPB_PER_PPM))
                .collect()
        };
        let parts: Vec<(i64, i64)> = match (self.worth_of(way), self.worth_of(way.back())) {
            (Some(worth), _) => {
                let there = self.sendable(way).unwrap_or(0);
                worth.draining(there, room).to_vec()
            }
            (None, Some(worth)) => {
                let there = self.sendable(way.back()).unwrap_or(0);
                let parts = worth.filling(there, room);
                parts.map(|(width, gain)| (width, -gain)).to_vec()
            }
            (None, None) if self.is_member(&near.node) && self.is_member(&far.node) => {
                in_thirds(LINK_PPM)
            }
            (None, None) => in_thirds(OUTSIDE_RISK_PPM),
        };
        let parts = parts.into_iter().filter(|(width, _)| *width > 0);
        parts
            .map(|(width, cost)| Segment {
                width,
                cost: each + cost,
            })
            .collect()
    }

    /// What fits into the HTLCs that one plan sends over a direction.
    fn htlc_room(&self, way: Way) -> i64 {
        let (near, _) = self.channel(way).ends(way);
        let largest = near.policy.map_or(Msat::new(u64::MAX), |p| p.htlc_maximum);
        amount(largest).saturating_mul(limits::PUSH_PARTS as i64)
    }

    /// The link from one member to another that can lend most, one way and back in whatever order, and
    /// is none of those taken.
    pub(super) fn link(&self, from: NodeId, to: NodeId, taken: &[Way]) -> Option<Way> {
        let both = self.links.iter().flat_map(|link| [*link, link.back()]);
        let joining = both.filter(|way| {
            let (near, far) = self.channel(*way).ends(*way);
            let untaken = !taken.iter().any(|link| link.place == way.place);
            untaken && (near.node, far.node) == (from, to) && self.lendable(*way) > 0
        });
        joining.max_by_key(|way| (self.lendable(*way), Reverse(*way)))
    }

    /// What a link can carry both ways.
    pub(super) fn lendable(&self, link: Way) -> i64 {
        self.room(link).min(self.room(link.back()))
    }

    /// Books what a direction carried.
    pub(super) fn book(&mut self, way: Way, carried: i64) {
        let [near, far] = [way, way.back()].map(|way| (way.place, way.from));
        for balances in [&mut self.there, &mut self.free] {
            if let Some(there) = &mut balances[near.0][near.1] {
                *there -= carried;
            }
        }
        if let Some(there) = &mut self.there[far.0][far.1] {
            *there += carried;
        }
    }
}

/// What each side can send, as members know it: their own side by their word, an outsider's by what is
/// left of the capacity, and nothing of channels between outsiders.
fn known(channel: &ChannelState, is_member: impl Fn(&NodeId) -> bool) -> [Option<i64>; 2] {
    let [one, other] = &channel.sides;
    let members = [is_member(&one.node), is_member(&other.node)];
    let whole = channel.capacity;
    let free = whole
        .to_msat_saturating()
        .saturating_sub(share_of(whole, RESERVE));
    let rest = |there: Msat| free.saturating_sub(there);
    let told = [one.spendable, other.spendable];
    let side = |mine: usize, theirs: usize| match (members[mine], members[theirs]) {
        (true, false) => told[mine],
        (true, true) => told[mine].or(told[theirs].map(rest)),
        (false, true) => {
            let rest = told[theirs].map(rest);
            // An outsider's own word, where there is one, lowers what is left, and never raises it.
            match (rest, told[mine]) {
                (Some(rest), Some(word)) => Some(rest.min(word)),
                (rest, _) => rest,
            }
        }
        (false, false) => None,
    };
    [side(0, 1), side(1, 0)].map(|side| side.map(amount))
}
