//! How senders choose routes: by fees, hops and timelocks on the public network, without knowing
//! balances.
//!
//! Costs are taken at one amount for a whole bucket of amounts, so that the cheapest ways from every
//! node to one receiver form a tree that serves many payments. Once channels have failed, the tree's
//! distances guide a search around them: leaving edges out only makes ways longer.

use super::channel::Channel;
use super::{ChannelIx, ChannelState, NodeIx, World};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// What a hop costs a sender beside its fee, in msat: more hops fail more often.
const HOP_MSAT: u64 = 300;
/// The same as a part of the amount, in millionths.
const HOP_PPM: u64 = 50;
/// What a block of timelock costs, per billion of the amount: LND's `risk_factor_billionths`.
const RISK_BILLIONTHS: u64 = 15;
/// Ways above this cost are not looked for: this part of the amount in millionths, and this in msat.
const LIMIT_PPM: u64 = 50_000;
const LIMIT_MSAT: u64 = 100_000;
/// Bytes that trees may take; the oldest go first.
const TREE_BYTES: usize = 96 << 20;
/// A node that no way was found from.
const FAR: u32 = u32::MAX;
/// Nodes that one search around failed channels looks at.
const SEARCH_NODES: usize = 20_000;

/// One direction of a channel, as far as senders look at it. Its number is twice the channel's, plus
/// the side that forwards.
#[derive(Clone, Copy, Debug, Default)]
struct Edge {
    from: u32,
    to: u32,
    base: u64,
    ppm: u32,
    cltv: u32,
    min: u64,
    /// Zero when nothing can cross.
    max: u64,
}

impl Edge {
    fn carries(&self, amount: u64) -> bool {
        (self.min..=self.max).contains(&amount)
    }

    fn cost(&self, amount: u64) -> u64 {
        let fee = self.base.saturating_add(share(amount, u64::from(self.ppm)));
        let risk = amount.saturating_mul(u64::from(self.cltv) * RISK_BILLIONTHS) / 1_000_000_000;
        fee.saturating_add(hop_cost(amount)).saturating_add(risk)
    }
}

fn hop_cost(amount: u64) -> u64 {
    HOP_MSAT + share(amount, HOP_PPM)
}

fn share(amount: u64, ppm: u64) -> u64 {
    amount.saturating_mul(ppm) / 1_000_000
}

/// The cheapest ways to one node.
#[derive(Clone, Debug)]
struct Tree {
    /// Cost from each node.
    cost: Vec<u32>,
    /// The edge that each node takes.
    next: Vec<u32>,
    /// The amount that costs are taken at.
    amount: u64,
}

/// The public network as senders see it, and what they found there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Router {
    edges: Vec<Edge>,
    /// Channels of each node.
    at: Vec<Vec<u32>>,
    trees: BTreeMap<(u32, u32), Tree>,
    order: VecDeque<(u32, u32)>,
}

/// Amounts between two powers of four share a tree.
fn bucket(amount: u64) -> u32 {
    amount.max(1).ilog2() / 2
}

impl Router {
    pub(crate) fn add_node(&mut self) {
        self.at.push(Vec::new());
    }

    pub(crate) fn add_channel(&mut self, ix: ChannelIx, nodes: [NodeIx; 2]) {
        self.edges.resize(2 * ix + 2, Edge::default());
        for side in 0..2 {
            let edge = &mut self.edges[2 * ix + side];
            edge.from = nodes[side] as u32;
            edge.to = nodes[1 - side] as u32;
            self.at[nodes[side]].push(ix as u32);
        }
    }

    fn update(&mut self, ix: ChannelIx, channel: &Channel) {
        let open = channel.announced && channel.state == ChannelState::Normal;
        for side in 0..2 {
            let policy = &channel.policy[side];
            let edge = &mut self.edges[2 * ix + side];
            let usable = open && !policy.disabled;
            edge.base = policy.base.get();
            edge.ppm = policy.rate.get();
            edge.cltv = u32::from(policy.cltv_delta);
            edge.min = policy.htlc_minimum.get();
            edge.max = if usable {
                policy.htlc_maximum.get().min(channel.capacity * 1000)
            } else {
                0
            };
        }
        self.trees.clear();
        self.order.clear();
    }

    /// The edges of the cheapest way on which every edge can carry `amount`, none is in `without`, and
    /// the first one passes `first`.
    pub(crate) fn route(
        &mut self,
        from: NodeIx,
        to: NodeIx,
        amount: u64,
        without: &[u32],
        first: impl Fn(u32) -> bool,
    ) -> Option<Vec<u32>> {
        let key = (to as u32, bucket(amount));
        if !self.trees.contains_key(&key) {
            let tree = self.grow(key);
            let room = TREE_BYTES / (8 * self.at.len().max(1));
            while self.order.len() >= room.max(1) {
                if let Some(oldest) = self.order.pop_front() {
                    self.trees.remove(&oldest);
                }
            }
            self.trees.insert(key, tree);
            self.order.push_back(key);
        }
        let tree = self.trees.get(&key)?;
        let usable =
            |edge: u32| !without.contains(&edge) && self.edges[edge as usize].carries(amount);
        let follow = self.follow(tree, from as u32, to as u32, &usable, &first);
        follow.or_else(|| self.search(tree, from as u32, to as u32, &usable, &first))
    }

    fn outgoing(&self, node: u32) -> impl Iterator<Item = u32> {
        let channels = self.at[node as usize].iter();
        channels.map(move |channel| {
            let edge = 2 * channel;
            edge + u32::from(self.edges[edge as usize].from != node)
        })
    }

    /// Dijkstra from the receiver backwards.
    fn grow(&self, (to, bucket): (u32, u32)) -> Tree {
        // The smallest amount of the bucket: edges that carry none of it are left out.
        let (least, most) = (1u64 << (2 * bucket), (4u64 << (2 * bucket)) - 1);
        let limit = (LIMIT_MSAT + share(least, LIMIT_PPM)).min(u64::from(FAR) - 1);
        let mut cost = vec![FAR; self.at.len()];
        let mut next = vec![FAR; self.at.len()];
        let mut heap = BinaryHeap::new();
        cost[to as usize] = 0;
        heap.push(Reverse((0u32, to)));
        while let Some(Reverse((reached, node))) = heap.pop() {
            if reached > cost[node as usize] {
                continue;
            }
            for out in self.outgoing(node) {
                let incoming = out ^ 1;
                let edge = &self.edges[incoming as usize];
                if edge.max < least || edge.min > most {
                    continue;
                }
                let total = u64::from(reached).saturating_add(edge.cost(least));
                if total <= limit && total < u64::from(cost[edge.from as usize]) {
                    cost[edge.from as usize] = total as u32;
                    next[edge.from as usize] = incoming;
                    heap.push(Reverse((total as u32, edge.from)));
                }
            }
        }
        Tree {
            cost,
            next,
            amount: least,
        }
    }

    /// The way along the tree behind the best first hop, when all of it can be used. A sender pays no
    /// fee to itself, so its first hop costs a hop only.
    fn follow(
        &self,
        tree: &Tree,
        from: u32,
        to: u32,
        usable: &impl Fn(u32) -> bool,
        first: &impl Fn(u32) -> bool,
    ) -> Option<Vec<u32>> {
        let best = self
            .outgoing(from)
            .filter(|edge| tree.cost[self.edges[*edge as usize].to as usize] != FAR)
            .filter(|edge| usable(*edge) && first(*edge))
            .min_by_key(|edge| (tree.cost[self.edges[*edge as usize].to as usize], *edge))?;
        let mut way = vec![best];
        let mut node = self.edges[best as usize].to;
        while node != to {
            let edge = tree.next[node as usize];
            if node == from || edge == FAR || !usable(edge) {
                return None;
            }
            way.push(edge);
            node = self.edges[edge as usize].to;
        }
        Some(way)
    }

    /// A* forwards with the tree's costs as the bound.
    fn search(
        &self,
        tree: &Tree,
        from: u32,
        to: u32,
        usable: &impl Fn(u32) -> bool,
        first: &impl Fn(u32) -> bool,
    ) -> Option<Vec<u32>> {
        let mut best: BTreeMap<u32, (u64, u32)> = BTreeMap::new();
        let mut heap = BinaryHeap::new();
        heap.push(Reverse((0u64, 0u64, from)));
        best.insert(from, (0, FAR));
        let mut seen = 0;
        while let Some(Reverse((_, reached, node))) = heap.pop() {
            if node == to {
                return Some(self.walk_back(&best, from, to));
            }
            if best.get(&node).is_some_and(|(cost, _)| reached > *cost) {
                continue;
            }
            seen += 1;
            if seen > SEARCH_NODES {
                return None;
            }
            for out in self.outgoing(node) {
                let edge = &self.edges[out as usize];
                let rest = tree.cost[edge.to as usize];
                if rest == FAR || !usable(out) || (node == from && !first(out)) {
                    continue;
                }
                let own = if node == from {
                    0
                } else {
                    edge.cost(tree.amount)
                };
                let total = reached + own;
                let known = best.get(&edge.to).map_or(u64::MAX, |(cost, _)| *cost);
                if total < known {
                    best.insert(edge.to, (total, out));
                    heap.push(Reverse((total + u64::from(rest), total, edge.to)));
                }
            }
        }
        None
    }

    fn walk_back(&self, best: &BTreeMap<u32, (u64, u32)>, from: u32, to: u32) -> Vec<u32> {
        let mut way = Vec::new();
        let mut node = to;
        while node != from {
            let Some((_, edge)) = best.get(&node) else {
                break;
            };
            way.push(*edge);
            node = self.edges[*edge as usize].from;
        }
        way.reverse();
        way
    }
}

impl World {
    /// Senders look at a channel anew.
    pub(crate) fn reroute(&mut self, ix: ChannelIx) {
        self.router.update(ix, &self.channels[ix]);
    }
}
