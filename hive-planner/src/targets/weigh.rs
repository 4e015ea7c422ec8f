//! Dijkstra for everything that a plan needs, within the budget of work.

use super::board::{Board, Ends, FAR, units};
use super::demand::{Pair, sample};
use super::scene::{Attachment, Scene};
use crate::config::PlannerConfig;
use crate::graph::{Graph, NodeIndex};
use crate::routes::{Distances, Prices};
use hive_types::{ChannelPolicy, Ppm, Sat};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// This many comparisons of payments cost as much as settling one node.
const COMPARISONS_PER_NODE: u64 = 64;

/// What a plan took, in units that are the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Nodes that Dijkstra settled; comparisons of payments count at 64 for one.
    pub settled: u64,
    /// Payments in the sample.
    pub payments: u32,
    /// Targets that were weighed.
    pub candidates: u32,
    /// Whether the limit ended the plan early.
    pub cut: bool,
}

impl Work {
    /// Counts so many comparisons.
    pub(super) fn compare(&mut self, payments: usize) {
        self.settled += (payments as u64).div_ceil(COMPARISONS_PER_NODE);
    }

    /// Whether less than half of the budget is used: what is there already may not take it all.
    fn has_half(&mut self, config: &PlannerConfig) -> bool {
        self.cut |= self.settled >= config.work_limit / 2;
        !self.cut
    }

    /// Whether there is budget left; once there is not, the plan is cut.
    pub(super) fn has(&mut self, config: &PlannerConfig) -> bool {
        self.cut |= self.settled >= config.work_limit;
        !self.cut
    }
}

/// An outside node's distances from all payers and to all payees.
pub(super) struct Reach {
    pub(super) node: NodeIndex,
    /// What it is taken to charge towards a member: the median of what it charges now.
    charge: u32,
    ends: Ends,
}

pub(super) struct Weighing<'a> {
    graph: &'a Graph,
    config: &'a PlannerConfig,
    prices: Prices<'a>,
    pairs: Vec<Pair>,
    base: Vec<u32>,
    /// What a payment to each payee costs from every node that forwards it.
    departures: BTreeMap<NodeIndex, Vec<u32>>,
    /// What fleet channels charge towards the outside.
    fleet_charge: u32,
}

impl<'a> Weighing<'a> {
    /// Draws the payments and finds what each costs without the fleet. Those that nothing can carry
    /// today are left out: they are no demand that anybody sees.
    pub(super) fn new(
        graph: &'a Graph,
        scene: &Scene,
        config: &'a PlannerConfig,
        work: &mut Work,
    ) -> Self {
        let prices = Prices::new(graph, config.sender, config.amount(), &scene.indices);
        let mut weighing = Self {
            graph,
            config,
            prices,
            pairs: Vec::new(),
            base: Vec::new(),
            departures: BTreeMap::new(),
            fleet_charge: units(Some(
                config.sender.charge(&assumed(config), config.amount()),
            )),
        };
        let pairs = sample(graph, &scene.indices, config);
        let base = weighing.base_costs(&pairs, work);
        for (pair, cost) in pairs.into_iter().zip(base) {
            if let Some(cost) = cost {
                weighing.pairs.push(pair);
                weighing.base.push(units(Some(cost)));
            }
        }
        work.payments = weighing.pairs.len() as u32;
        weighing
    }

    /// One search for each payee, as far as the budget goes.
    fn base_costs(&mut self, pairs: &[Pair], work: &mut Work) -> Vec<Option<u64>> {
        let mut costs = vec![None; pairs.len()];
        let mut by_payee: BTreeMap<NodeIndex, Vec<usize>> = BTreeMap::new();
        for (place, pair) in pairs.iter().enumerate() {
            by_payee.entry(pair.payee).or_default().push(place);
        }
        let mut searcher = self.prices.searcher();
        for (payee, places) in by_payee {
            if !work.has(self.config) {
                break;
            }
            let found = searcher.to(payee);
            work.settled += found.settled();
            for place in places {
                costs[place] = found.payer_cost(pairs[place].payer);
            }
            let nodes = self.graph.nodes();
            let departures = nodes.map(|(node, _)| units(found.cost(node))).collect();
            self.departures.insert(payee, departures);
        }
        costs
    }

    fn departure(&self, node: NodeIndex, payee: NodeIndex) -> u32 {
        let costs = self.departures.get(&payee);
        costs
            .and_then(|costs| costs.get(node.get()))
            .copied()
            .unwrap_or(FAR)
    }

    /// The board with nothing attached yet.
    pub(super) fn board(&self, scene: &Scene) -> Board {
        Board::new(self.pairs.clone(), self.base.clone(), self.links(scene))
    }

    fn links(&self, scene: &Scene) -> Vec<Vec<u32>> {
        let cost = |from: usize, to: usize| {
            let (from, to) = (scene.members[from].index, scene.members[to].index);
            let (Some(from), Some(to)) = (from, to) else {
                return FAR;
            };
            let edges = self.graph.between(from, to);
            let costs = edges.filter_map(|edge| {
                let hop = self.hop(edge.capacity)?;
                let charge = self
                    .config
                    .sender
                    .charge(edge.usable()?, self.config.amount());
                Some(units(Some(charge)).saturating_add(hop))
            });
            costs.min().unwrap_or(FAR)
        };
        let places = 0..scene.members.len();
        let row = |from: usize| {
            let to = places.clone();
            to.map(|to| if from == to { 0 } else { cost(from, to) })
                .collect()
        };
        places.clone().map(row).collect()
    }

    fn hop(&self, capacity: Sat) -> Option<u32> {
        let hop = self.config.sender.hop(self.config.amount(), capacity)?;
        Some(units(Some(hop)))
    }

    /// The distances of a node, or `None` when the budget of work has ended.
    pub(super) fn reach(&self, node: NodeIndex, work: &mut Work) -> Option<Reach> {
        work.has(self.config).then(|| self.weigh(node, work))
    }

    fn weigh(&self, node: NodeIndex, work: &mut Work) -> Reach {
        let to = self.prices.to(node);
        work.settled += to.settled();
        let charge = self.usual_charge(node);
        Reach {
            node,
            charge,
            ends: Ends {
                arrive: self.arrivals(node, &to, charge),
                depart: self
                    .pairs
                    .iter()
                    .map(|pair| self.departure(node, pair.payee))
                    .collect(),
            },
        }
    }

    /// Payers come in order, so each is looked up once.
    fn arrivals(&self, node: NodeIndex, to: &Distances, charge: u32) -> Vec<u32> {
        let mut arrive = Vec::with_capacity(self.pairs.len());
        let by_payer = self.pairs.chunk_by(|one, next| one.payer == next.payer);
        for payments in by_payer {
            let payer = payments.first().map_or(node, |pair| pair.payer);
            let way = units(to.payer_cost(payer));
            let charged = if payer == node { 0 } else { charge };
            let cost = way.saturating_add(charged).min(FAR);
            arrive.resize(arrive.len() + payments.len(), cost);
        }
        arrive
    }

    fn usual_charge(&self, node: NodeIndex) -> u32 {
        let edges = self.graph.channels_of(node);
        let mut charges: Vec<u32> = edges
            .filter_map(|edge| edge.policy.filter(|policy| !policy.disabled))
            .map(|policy| {
                units(Some(
                    self.config.sender.charge(&policy, self.config.amount()),
                ))
            })
            .collect();
        charges.sort_unstable();
        charges.get(charges.len() / 2).copied().unwrap_or(FAR)
    }

    /// What a channel of this capacity between a member and the node would add.
    pub(super) fn planned(&self, reach: &Reach, capacity: Sat) -> Ends {
        let Some(hop) = self.hop(capacity) else {
            return Ends::far(self.pairs.len());
        };
        let more = |costs: &[u32], more: u32| {
            let costs = costs.iter();
            costs
                .map(|cost| cost.saturating_add(more).min(FAR))
                .collect()
        };
        Ends {
            arrive: more(&reach.ends.arrive, hop),
            depart: more(&reach.ends.depart, self.fleet_charge.saturating_add(hop)),
        }
    }

    /// What a channel that is there adds, by the peer's real policy.
    fn existing(&self, attachment: &Attachment, reach: &Reach) -> Ends {
        let mut ends = self.planned(reach, attachment.capacity);
        if let Some(policy) = attachment.inbound {
            let charge =
                policy.map(|policy| self.config.sender.charge(&policy, self.config.amount()));
            let charge = units(charge);
            for (cost, pair) in ends.arrive.iter_mut().zip(&self.pairs) {
                let own = pair.payer == reach.node;
                let usual = if own { 0 } else { reach.charge };
                let real = if own && charge < FAR { 0 } else { charge };
                *cost = cost.saturating_sub(usual).saturating_add(real).min(FAR);
            }
        }
        if !attachment.outbound {
            ends.depart.fill(FAR);
        }
        ends
    }

    /// Attaches what is there and what is spoken for. Peers are weighed once each, the largest first,
    /// so that a budget that ends early leaves out the least.
    pub(super) fn attach_all(&self, scene: &Scene, board: &mut Board, work: &mut Work) {
        let peers: BTreeSet<NodeIndex> = scene.attachments.iter().map(|a| a.peer).collect();
        let mut peers: Vec<NodeIndex> = peers.into_iter().collect();
        peers.sort_by_key(|peer| (core::cmp::Reverse(self.graph.capacity_of(*peer)), *peer));
        let mut by_peer: BTreeMap<NodeIndex, Vec<&Attachment>> = BTreeMap::new();
        for attachment in &scene.attachments {
            by_peer.entry(attachment.peer).or_default().push(attachment);
        }
        let mut own = vec![Ends::far(self.pairs.len()); scene.members.len()];
        for peer in peers {
            if !work.has_half(self.config) {
                break;
            }
            let reach = self.weigh(peer, work);
            for attachment in by_peer.remove(&peer).into_iter().flatten() {
                own[attachment.member].join(&self.existing(attachment, &reach));
            }
        }
        board.set(own);
    }
}

/// The policy that the plan assumes for fleet channels towards the outside.
fn assumed(config: &PlannerConfig) -> ChannelPolicy {
    ChannelPolicy {
        base: config.assumed_base,
        rate: config.assumed_rate,
        cltv_delta: ASSUMED_CLTV_DELTA,
        htlc_minimum: hive_types::Msat::ZERO,
        htlc_maximum: config.amount(),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// LND's default `timelockdelta`, and the most common one in the public graph.
const ASSUMED_CLTV_DELTA: u16 = 80;

/// How surely a channel of this capacity can carry the amount, balances being equally likely anywhere
/// in it (Pickhardt and others, "Security and Privacy of Lightning Network Payments with Uncertain
/// Channel Balances", 2021).
pub(super) fn liquidity(config: &PlannerConfig, capacity: Sat) -> Ppm {
    let capacity = capacity.to_msat_saturating().get();
    let free = capacity.saturating_sub(config.amount().get());
    Ppm::of(free, capacity)
}
