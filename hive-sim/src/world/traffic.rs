//! Payments that people make: amounts, senders and receivers drawn from the seed, by capacity.
//!
//! Part of the demand is between nodes near the agents, so that what they open matters. Outside
//! nodes' channels drift back to where they began, as swaps and splices that are not modelled would
//! have it; agents' channels never do.

use super::payment::{Fate, Flight};
use super::rng::Rng;
use super::{ChannelState, Event, NodeIx, World};
use hive_types::{Msat, NodeId};
use std::collections::BTreeSet;

/// Amounts in msat at equal steps of probability: median 20,000 sat, most between 1,000 and 500,000,
/// few up to 5 million. A modelling choice: nobody publishes what is paid.
const AMOUNT_MSAT: [u64; 11] = [
    1_000_000,
    2_000_000,
    4_000_000,
    7_000_000,
    12_000_000,
    20_000_000,
    35_000_000,
    65_000_000,
    140_000_000,
    400_000_000,
    5_000_000_000,
];
/// How often demand is read anew from the network, in milliseconds.
const SURVEY_MS: u64 = 3_600_000;
/// Nodes near the agents that demand is between.
const FOCUS_NODES: usize = 96;
/// Of those, the ones that are paid.
const FOCUS_RECEIVERS: usize = 32;
/// Milliseconds in which half of an outside channel's deviation is undone.
const DRIFT_MS: u64 = 86_400_000;

/// How much is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficConfig {
    /// Payments begun in an hour, in the mean.
    pub per_hour: u32,
    /// Of them, those between nodes near the agents, of one million.
    pub near_ppm: u32,
    /// Nodes that are paid by everybody.
    pub receivers: usize,
    /// Payments whose HTLCs stay under way for a while, of one million.
    pub hold_ppm: u32,
    /// How long those stay, in milliseconds at most.
    pub hold_ms: u64,
    /// Payments are made in rounds of this many milliseconds.
    pub round_ms: u64,
}

impl Default for TrafficConfig {
    fn default() -> Self {
        Self {
            per_hour: 1_000,
            near_ppm: 500_000,
            receivers: 64,
            hold_ppm: 20_000,
            hold_ms: 3_600_000,
            round_ms: 10_000,
        }
    }
}

/// What was paid so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficTotals {
    /// Payments begun.
    pub begun: u64,
    /// Payments that arrived, or whose HTLCs stay under way.
    pub succeeded: u64,
    /// Ways tried for those.
    pub attempts: u64,
    /// What they delivered.
    pub volume: Msat,
    /// What they cost.
    pub fees: Msat,
}

/// People to choose from, by weight.
#[derive(Clone, Debug, Default)]
struct Crowd {
    nodes: Vec<NodeIx>,
    /// Sums of weights up to and with each.
    sums: Vec<u64>,
}

impl Crowd {
    fn new(weights: impl IntoIterator<Item = (NodeIx, u64)>) -> Self {
        let mut crowd = Self::default();
        let mut sum = 0;
        for (node, weight) in weights.into_iter().filter(|(_, weight)| *weight > 0) {
            sum += weight;
            crowd.nodes.push(node);
            crowd.sums.push(sum);
        }
        crowd
    }

    fn draw(&self, rng: &mut Rng) -> Option<NodeIx> {
        let point = rng.below(*self.sums.last()?);
        let place = self.sums.partition_point(|sum| *sum <= point);
        self.nodes.get(place).copied()
    }
}

/// Who pays whom.
#[derive(Clone, Debug, Default)]
struct Demand {
    senders: Crowd,
    receivers: Crowd,
}

/// The demand.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    config: TrafficConfig,
    rng: Rng,
    round: u64,
    /// When the next payment begins.
    next: u64,
    far: Demand,
    near: Demand,
    /// When both were read from the network.
    surveyed: Option<u64>,
    /// The channel that drifts next.
    drift: usize,
    totals: TrafficTotals,
}

impl World {
    /// Lets people pay from now on, in place of what was set before; `None` lets them stop.
    pub fn set_traffic(&mut self, config: Option<TrafficConfig>) {
        let before = self.traffic.take();
        let Some(config) = config.filter(|config| config.per_hour > 0) else {
            return;
        };
        let round = before.as_ref().map_or(0, |traffic| traffic.round) + 1;
        let totals = before.map_or_else(TrafficTotals::default, |traffic| traffic.totals);
        self.traffic = Some(Traffic {
            config,
            rng: Rng::of(&self.config.seed, "traffic", &[&round.to_le_bytes()]),
            round,
            next: self.now,
            far: Demand::default(),
            near: Demand::default(),
            surveyed: None,
            drift: 0,
            totals,
        });
        self.schedule(self.now, Event::Traffic { round });
    }

    /// What was paid so far.
    pub fn traffic_totals(&self) -> TrafficTotals {
        let traffic = self.traffic.as_ref();
        traffic.map_or_else(TrafficTotals::default, |traffic| traffic.totals)
    }

    fn public_capacity(&self, node: NodeIx) -> u64 {
        let channels = self.nodes[node].channels.iter();
        channels
            .map(|channel| &self.channels[*channel])
            .filter(|channel| channel.announced)
            .map(|channel| channel.capacity)
            .sum()
    }

    /// Some nodes are paid much and others pay: one to eight times their capacity's part, each its
    /// own figure. Without that, money would come back by itself.
    fn as_receiver(&self, (node, capacity): (NodeIx, u64)) -> (NodeIx, u64) {
        let id = self.nodes[node].id;
        let skew = Rng::of(&self.config.seed, "sink", &[id.as_bytes()]).between(1, 8);
        (node, capacity * skew)
    }

    /// Demand between all: anybody pays the largest nodes.
    fn far_demand(&self, receivers: usize) -> Demand {
        let weigh = |node: NodeIx| (node, self.public_capacity(node));
        let mut by_capacity: Vec<_> = (0..self.nodes.len()).map(weigh).collect();
        let senders = Crowd::new(by_capacity.iter().copied());
        by_capacity.sort_by_key(|(node, capacity)| (std::cmp::Reverse(*capacity), *node));
        by_capacity.truncate(receivers.max(1));
        let receivers = Crowd::new(by_capacity.into_iter().map(|pair| self.as_receiver(pair)));
        Demand { senders, receivers }
    }

    /// Demand between the agents' channel peers and those peers' largest peers.
    fn near_demand(&self) -> Demand {
        let is_agent = |node: NodeIx| self.nodes[node].agent.is_some();
        let agents = self.agents.iter();
        let near: BTreeSet<NodeIx> = agents.flat_map(|node| self.neighbours(*node)).collect();
        let far = near.iter().flat_map(|node| self.neighbours(*node));
        let all: BTreeSet<NodeIx> = near.iter().copied().chain(far).collect();
        let outside = all.into_iter().filter(|node| !is_agent(*node));
        let mut all: Vec<_> = outside
            .map(|node| (!near.contains(&node), self.public_capacity(node), node))
            .collect();
        all.sort_by_key(|(far, capacity, node)| (*far, std::cmp::Reverse(*capacity), *node));
        all.truncate(FOCUS_NODES);
        // The square root: a large neighbour shall not take all of it. Peers count eightfold.
        let weigh = |(far, capacity, node): &(bool, u64, NodeIx)| {
            (*node, capacity.isqrt() * if *far { 1 } else { 8 })
        };
        let senders = Crowd::new(all.iter().map(weigh));
        let chosen = all.iter().step_by((all.len() / FOCUS_RECEIVERS).max(1));
        let receivers = Crowd::new(chosen.map(weigh).map(|pair| self.as_receiver(pair)));
        Demand { senders, receivers }
    }

    fn neighbours(&self, node: NodeIx) -> impl Iterator<Item = NodeIx> {
        let channels = self.nodes[node].channels.iter();
        channels
            .map(|channel| &self.channels[*channel])
            .filter(|channel| channel.announced)
            .map(move |channel| channel.nodes[1 - channel.side(node)])
    }

    pub(crate) fn traffic_round(&mut self, round: u64) {
        let Some(mut traffic) = self.traffic.take() else {
            return;
        };
        if traffic.round != round {
            self.traffic = Some(traffic);
            return;
        }
        if traffic.surveyed.is_none_or(|at| at + SURVEY_MS <= self.now) {
            traffic.far = self.far_demand(traffic.config.receivers);
            traffic.near = self.near_demand();
            traffic.surveyed = Some(self.now);
        }
        let end = self.now + traffic.config.round_ms.max(1);
        let gap = 3_600_000_000 / u64::from(traffic.config.per_hour);
        // Gaps are counted in microseconds: many payments fall into one millisecond.
        let mut at = traffic.next.saturating_mul(1000);
        while at < end * 1000 {
            self.pay_somebody(&mut traffic);
            at += traffic.rng.exponential(gap);
        }
        traffic.next = at / 1000;
        self.drift_back(&mut traffic);
        self.traffic = Some(traffic);
        self.schedule(end, Event::Traffic { round });
    }

    fn pay_somebody(&mut self, traffic: &mut Traffic) {
        let rng = &mut traffic.rng;
        let near = rng.chance(traffic.config.near_ppm) && !traffic.near.receivers.nodes.is_empty();
        let demand = if near { &traffic.near } else { &traffic.far };
        let (senders, receivers) = (&demand.senders, &demand.receivers);
        let (Some(from), Some(to)) = (senders.draw(rng), receivers.draw(rng)) else {
            return;
        };
        let amount = rng.quantile(&AMOUNT_MSAT);
        let holds = rng.chance(traffic.config.hold_ppm);
        if from == to {
            return;
        }
        traffic.totals.begun += 1;
        let Ok((hops, paid)) = self.pay_by_ways(from, to, amount) else {
            return;
        };
        let totals = &mut traffic.totals;
        totals.succeeded += 1;
        totals.attempts += u64::from(paid.attempts);
        totals.volume = totals.volume.saturating_add(Msat::new(amount));
        totals.fees = totals.fees.saturating_add(paid.fee);
        if holds {
            let wait = traffic.rng.below(traffic.config.hold_ms.max(1));
            let flight = Flight {
                hops,
                fate: Fate::Settle,
                payment: None,
            };
            self.fly(flight, wait);
        } else {
            self.settle(&hops);
        }
    }

    /// Each outside channel in turn, all of them once in the time that halves a deviation.
    fn drift_back(&mut self, traffic: &mut Traffic) {
        let count = self.channels.len() as u64;
        let turns = (count * traffic.config.round_ms)
            .div_ceil(DRIFT_MS)
            .min(count);
        for _ in 0..turns {
            traffic.drift = (traffic.drift + 1) % self.channels.len().max(1);
            let agents = self.channels[traffic.drift].nodes;
            let own = agents.iter().any(|node| self.nodes[*node].agent.is_some());
            let channel = &mut self.channels[traffic.drift];
            if own || channel.state != ChannelState::Normal {
                continue;
            }
            let total = channel.balance[0] + channel.balance[1];
            let rest = u128::from(total) * u128::from(channel.rest_ppm) / 1_000_000;
            let halfway = channel.balance[0].midpoint(rest as u64);
            channel.balance = [halfway, total - halfway];
        }
    }

    /// Nodes that demand near the agents is between, for a look at it.
    pub fn focus_nodes(&self) -> Vec<NodeId> {
        let senders = self.traffic.as_ref().map(|traffic| &traffic.near.senders);
        let nodes = senders.iter().flat_map(|crowd| crowd.nodes.iter());
        nodes.map(|node| self.nodes[*node].id).collect()
    }
}
