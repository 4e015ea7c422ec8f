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
const LIMIT_PPM: u64 = 15_000;
const LIMIT_MSAT: u64 = 20_000;
/// Bytes that trees may take; the oldest go first.
const TREE_BYTES: usize = 96 << 20;
/// A node that no way was found from.
const FAR: u32 = u32::MAX;
/// Nodes that one search around failed channels looks at.
const SEARCH_NODES: usize = 1_000;

/// One direction of a channel, as far as senders look at it. Its number is twice the channel's, plus
/// the side that forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// The amount that costs are taken at: the least of the bucket.
    amount: u64,
    /// The largest amount of the bucket.
    most: u64,
    /// Dearer ways are not looked for.
    limit: u64,
}

impl Tree {
    fn cost_from(&self, node: u32) -> u32 {
        self.cost.get(node as usize).copied().unwrap_or(FAR)
    }

    fn takes(&self, node: u32) -> u32 {
        self.next.get(node as usize).copied().unwrap_or(FAR)
    }

    /// Whether some amount of the bucket can cross.
    fn admits(&self, edge: &Edge) -> bool {
        edge.max >= self.amount && edge.min <= self.most
    }
}

/// One end of a channel: the node at the other end, and the edge that leads there.
#[derive(Clone, Copy, Debug)]
struct Exit {
    to: u32,
    edge: u32,
}

/// What a search knows of a node.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The search that wrote this.
    search: u32,
    cost: u64,
    /// The edge by which the node was reached.
    by: u32,
}

type Heap<T> = BinaryHeap<Reverse<T>>;

/// The public network as senders see it, and what they found there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Router {
    edges: Vec<Edge>,
    exits: Vec<Vec<Exit>>,
    trees: BTreeMap<(u32, u32), Tree>,
    order: VecDeque<(u32, u32)>,
    marks: Vec<Mark>,
    searches: u32,
}

/// Amounts between two powers of four share a tree.
fn bucket(amount: u64) -> u32 {
    amount.max(1).ilog2() / 2
}

impl Router {
    pub(crate) fn add_node(&mut self) {
        self.exits.push(Vec::new());
    }

    pub(crate) fn add_channel(&mut self, ix: ChannelIx, nodes: [NodeIx; 2]) {
        self.edges.resize(2 * ix + 2, Edge::default());
        for side in 0..2 {
            let edge = &mut self.edges[2 * ix + side];
            edge.from = nodes[side] as u32;
            edge.to = nodes[1 - side] as u32;
            self.exits[nodes[side]].push(Exit {
                to: nodes[1 - side] as u32,
                edge: (2 * ix + side) as u32,
            });
        }
    }

    fn update(&mut self, ix: ChannelIx, channel: &Channel) {
        let open = channel.announced && channel.state == ChannelState::Normal;
        for side in 0..2 {
            let policy = &channel.policy[side];
            let number = 2 * ix + side;
            let before = self.edges[number];
            let most = policy.htlc_maximum.get().min(channel.capacity * 1000);
            let edge = Edge {
                base: policy.base.get(),
                ppm: policy.rate.get(),
                cltv: u32::from(policy.cltv_delta),
                min: policy.htlc_minimum.get(),
                max: if open && !policy.disabled { most } else { 0 },
                ..before
            };
            self.edges[number] = edge;
            if edge != before {
                self.repair_trees(number as u32);
            }
        }
    }

    /// After a change of one edge: trees that use it are forgotten, others take it where it is better.
    fn repair_trees(&mut self, number: u32) {
        let from = self.edges[number as usize].from;
        self.trees.retain(|_, tree| tree.takes(from) != number);
        let trees = &self.trees;
        self.order.retain(|key| trees.contains_key(key));
        let mut trees = std::mem::take(&mut self.trees);
        for tree in trees.values_mut() {
            let mut heap = Heap::new();
            self.relax(tree, number, &mut heap);
            self.spread(tree, heap);
        }
        self.trees = trees;
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
            let room = TREE_BYTES / (8 * self.exits.len().max(1));
            while self.order.len() >= room.max(1) {
                if let Some(oldest) = self.order.pop_front() {
                    self.trees.remove(&oldest);
                }
            }
            self.trees.insert(key, tree);
            self.order.push_back(key);
        }
        let mut marks = std::mem::take(&mut self.marks);
        marks.resize(self.exits.len(), Mark::default());
        self.searches += 1;
        let way = self.trees.get(&key).and_then(|tree| {
            let view = View {
                router: self,
                tree,
                from: from as u32,
                to: to as u32,
                amount,
                without,
            };
            let follow = view.follow(&first);
            follow.or_else(|| view.search(&first, &mut marks))
        });
        self.marks = marks;
        way
    }

    /// Dijkstra from the receiver backwards.
    fn grow(&self, (to, bucket): (u32, u32)) -> Tree {
        let amount = 1u64 << (2 * bucket);
        let mut tree = Tree {
            cost: vec![FAR; self.exits.len()],
            next: vec![FAR; self.exits.len()],
            amount,
            most: 4 * amount - 1,
            limit: (LIMIT_MSAT + share(amount, LIMIT_PPM)).min(u64::from(FAR) - 1),
        };
        tree.cost[to as usize] = 0;
        self.spread(&mut tree, Heap::from([Reverse((0, to))]));
        tree
    }

    fn spread(&self, tree: &mut Tree, mut heap: Heap<(u32, u32)>) {
        while let Some(Reverse((reached, node))) = heap.pop() {
            if reached > tree.cost_from(node) {
                continue;
            }
            for exit in &self.exits[node as usize] {
                if tree.cost_from(exit.to) > reached {
                    self.relax(tree, exit.edge ^ 1, &mut heap);
                }
            }
        }
    }

    fn relax(&self, tree: &mut Tree, number: u32, heap: &mut Heap<(u32, u32)>) {
        let edge = &self.edges[number as usize];
        let onward = tree.cost_from(edge.to);
        if onward == FAR || !tree.admits(edge) {
            return;
        }
        let total = u64::from(onward).saturating_add(edge.cost(tree.amount));
        if total > tree.limit || total >= u64::from(tree.cost_from(edge.from)) {
            return;
        }
        let from = edge.from as usize;
        if tree.cost.len() <= from {
            tree.cost.resize(from + 1, FAR);
            tree.next.resize(from + 1, FAR);
        }
        tree.cost[from] = total as u32;
        tree.next[from] = number;
        heap.push(Reverse((total as u32, edge.from)));
    }
}

/// One sender's look at the network.
struct View<'a> {
    router: &'a Router,
    tree: &'a Tree,
    from: u32,
    to: u32,
    amount: u64,
    without: &'a [u32],
}

impl View<'_> {
    fn usable(&self, edge: u32) -> bool {
        self.router.edges[edge as usize].carries(self.amount) && !self.without.contains(&edge)
    }

    /// The way along the tree behind the best first hop, when all of it can be used. A sender pays no
    /// fee to itself, so its first hop costs a hop only.
    fn follow(&self, first: &impl Fn(u32) -> bool) -> Option<Vec<u32>> {
        let exits = self.router.exits[self.from as usize].iter();
        let best = exits
            .map(|exit| (self.tree.cost_from(exit.to), exit.edge))
            .filter(|(cost, _)| *cost != FAR)
            .min()?
            .1;
        if !self.usable(best) || !first(best) {
            return None;
        }
        let mut way = vec![best];
        let mut node = self.router.edges[best as usize].to;
        while node != self.to {
            let edge = self.tree.takes(node);
            if node == self.from || edge == FAR || !self.usable(edge) {
                return None;
            }
            way.push(edge);
            node = self.router.edges[edge as usize].to;
        }
        Some(way)
    }

    /// A* forwards with the tree's costs as the bound.
    fn search(&self, first: &impl Fn(u32) -> bool, marks: &mut [Mark]) -> Option<Vec<u32>> {
        let search = self.router.searches;
        let hop = hop_cost(self.tree.amount);
        let mut heap = Heap::from([Reverse((0u64, 0u64, self.from))]);
        marks[self.from as usize] = Mark {
            search,
            cost: 0,
            by: FAR,
        };
        // The best complete way so far: nothing that must cost more is looked at.
        let mut bound = self.tree.limit;
        let mut seen = 0;
        while let Some(Reverse((_, reached, node))) = heap.pop() {
            if node == self.to {
                return Some(self.walk_back(marks));
            }
            if reached > marks[node as usize].cost {
                continue;
            }
            seen += 1;
            if seen > SEARCH_NODES {
                return None;
            }
            for exit in &self.router.exits[node as usize] {
                let rest = u64::from(self.tree.cost_from(exit.to));
                if reached + hop + rest > bound {
                    continue;
                }
                let own = if node == self.from {
                    hop
                } else {
                    self.router.edges[exit.edge as usize].cost(self.tree.amount)
                };
                let total = reached + own;
                let mark = &mut marks[exit.to as usize];
                let known = mark.search == search && mark.cost <= total;
                if known || total + rest > bound || !self.usable(exit.edge) {
                    continue;
                }
                if node == self.from && !first(exit.edge) {
                    continue;
                }
                *mark = Mark {
                    search,
                    cost: total,
                    by: exit.edge,
                };
                if exit.to == self.to {
                    bound = total;
                }
                heap.push(Reverse((total + rest, total, exit.to)));
            }
        }
        None
    }

    fn walk_back(&self, marks: &[Mark]) -> Vec<u32> {
        let mut way = Vec::new();
        let mut node = self.to;
        while node != self.from {
            let edge = marks[node as usize].by;
            way.push(edge);
            node = self.router.edges[edge as usize].from;
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
