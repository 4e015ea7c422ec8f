//! Cheapest ways from one node to all, and from all to one.

use super::SenderModel;
use crate::graph::{Edge, Graph, NodeIndex};
use hive_types::{ChannelPolicy, Msat};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

const UNUSABLE: u64 = u64::MAX;

/// What a node does at the start of a way: a payer pays nothing for its own first hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The payment begins here.
    Payer,
    /// The payment passes through here, so this node charges too.
    Forwarder,
}

/// One edge as a sender weighs it.
#[derive(Clone, Copy)]
struct Weight {
    neighbour: u32,
    arc: u32,
    /// With the forwarder's charge; [`UNUSABLE`] when the amount cannot pass.
    leaving: u64,
    /// The same channel the other way.
    arriving: u64,
    /// The hop's own part of `leaving`.
    hop: u64,
}

/// The whole network weighed for one sender and one amount.
///
/// Each hop is weighed for the amount delivered; fees on later hops' fees are left out, as are
/// inbound discounts, which only some senders apply. [`super::price_route`] is exact.
pub struct Prices<'g> {
    graph: &'g Graph,
    offsets: Vec<u32>,
    weights: Vec<Weight>,
}

/// Whether an HTLC of this amount passes: the direction is enabled and the limits fit.
fn passes(edge: &Edge, amount: Msat) -> Option<&ChannelPolicy> {
    edge.usable()
        .filter(|policy| policy.htlc_minimum <= amount && amount <= policy.htlc_maximum)
}

impl<'g> Prices<'g> {
    /// Weighs every edge. Ways neither pass nor end at a node of `without`.
    pub fn new(
        graph: &'g Graph,
        sender: SenderModel,
        amount: Msat,
        without: &BTreeSet<NodeIndex>,
    ) -> Self {
        let edges = graph.edges().map(|edge| {
            let weight = || {
                let policy = passes(&edge, amount)?;
                let hop = sender.hop(amount, edge.capacity)?;
                let allowed = !without.contains(&edge.from) && !without.contains(&edge.to);
                allowed.then(|| (sender.charge(policy, amount).saturating_add(hop), hop))
            };
            weight().unwrap_or((UNUSABLE, UNUSABLE))
        });
        let costs: Vec<(u64, u64)> = edges.collect();
        let (offsets, weights) = graph.map_half_edges(|neighbour, arc| Weight {
            neighbour,
            arc,
            leaving: costs[arc as usize].0,
            arriving: costs[arc as usize ^ 1].0,
            hop: costs[arc as usize].1,
        });
        Self {
            graph,
            offsets,
            weights,
        }
    }

    /// The cheapest ways from `source` to every node.
    pub fn from(&self, source: NodeIndex, role: Role) -> Distances {
        self.search(source, |weight, at_start| match role {
            Role::Payer if at_start => weight.hop,
            Role::Payer | Role::Forwarder => weight.leaving,
        })
    }

    /// The cheapest ways from every node to `target`, each node charging as a forwarder does; see
    /// [`Prices::as_payer`].
    pub fn to(&self, target: NodeIndex) -> Distances {
        self.search(target, |weight, _| weight.arriving)
    }

    /// What a payment that begins at `payer` costs, by the distances *to* some target.
    pub fn as_payer(&self, payer: NodeIndex, to: &Distances) -> Option<u64> {
        if to.origin == payer {
            return Some(0);
        }
        let ways = self.row(payer.get()).iter().filter_map(|weight| {
            let rest = to.costs[weight.neighbour as usize];
            let total = weight.hop.saturating_add(rest);
            (total < UNUSABLE).then_some(total)
        });
        ways.min()
    }

    /// The edges of the cheapest way from the origin of `distances` (made by [`Prices::from`]) to
    /// `target`, in order; `None` when there is no way.
    pub fn path(&self, distances: &Distances, target: NodeIndex) -> Option<Vec<Edge>> {
        let mut edges = Vec::new();
        let mut at = target;
        while at != distances.origin {
            let edge = self.graph.edge_of_arc(distances.arcs[at.get()]?);
            at = edge.from;
            edges.push(edge);
        }
        edges.reverse();
        Some(edges)
    }

    fn row(&self, node: usize) -> &[Weight] {
        &self.weights[self.offsets[node] as usize..self.offsets[node + 1] as usize]
    }

    /// Dijkstra. Of equal costs the smaller node is settled first, and of equal ways into a node the
    /// first found stays, so the result is a function of the graph alone.
    fn search(&self, origin: NodeIndex, cost: impl Fn(&Weight, bool) -> u64) -> Distances {
        let nodes = self.offsets.len() - 1;
        let mut found = Distances {
            origin,
            costs: vec![UNUSABLE; nodes],
            arcs: vec![None; nodes],
            settled: 0,
        };
        let mut queue = BinaryHeap::new();
        found.costs[origin.get()] = 0;
        queue.push(Reverse((0u64, origin.get() as u32)));
        while let Some(Reverse((so_far, node))) = queue.pop() {
            if so_far > found.costs[node as usize] {
                continue;
            }
            found.settled += 1;
            let at_start = node as usize == origin.get();
            for weight in self.row(node as usize) {
                let total = so_far.saturating_add(cost(weight, at_start));
                let best = &mut found.costs[weight.neighbour as usize];
                if total < *best {
                    *best = total;
                    found.arcs[weight.neighbour as usize] = Some(weight.arc);
                    queue.push(Reverse((total, weight.neighbour)));
                }
            }
        }
        found
    }
}

/// Costs of the cheapest ways between one node and all others.
pub struct Distances {
    origin: NodeIndex,
    costs: Vec<u64>,
    arcs: Vec<Option<u32>>,
    settled: u64,
}

impl Distances {
    /// The cost between the origin and `node` in msat of the sender's weighing; `None` when there is
    /// no way.
    pub fn cost(&self, node: NodeIndex) -> Option<u64> {
        let cost = self.costs.get(node.get()).copied();
        cost.filter(|cost| *cost != UNUSABLE)
    }

    /// Nodes that the search settled: the unit in which planners count work.
    pub fn settled(&self) -> u64 {
        self.settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::GraphBuilder;
    use hive_types::{NodeId, Ppm, Sat, ShortChannelId};

    fn node(n: u8) -> NodeId {
        let mut bytes = [0u8; 33];
        (bytes[0], bytes[32]) = (2, n);
        NodeId::from_bytes(bytes).unwrap()
    }

    fn policy(base: u64) -> ChannelPolicy {
        ChannelPolicy {
            base: Msat::new(base),
            rate: Ppm::ZERO,
            cltv_delta: 40,
            htlc_minimum: Msat::new(10),
            htlc_maximum: Msat::new(1_000_000),
            disabled: false,
            inbound_base_msat: 0,
            inbound_ppm: 0,
        }
    }

    /// 1-2-3 charges 5, 1-4-3 charges 7, 1-3 directly only up to 100 msat.
    fn square() -> Graph {
        let mut builder = GraphBuilder::new();
        (1..=5).for_each(|n| builder.add_node(node(n)));
        for (number, a, b, base) in [(1, 1, 2, 9), (2, 2, 3, 5), (3, 1, 4, 9), (4, 4, 3, 7)] {
            let scid = ShortChannelId::from_u64(number);
            let ends = [node(a), node(b)];
            builder.add_channel(scid, ends, Sat::new(1_000)).unwrap();
            for end in ends {
                builder.set_policy(scid, end, &policy(base)).unwrap();
            }
        }
        let direct = ShortChannelId::from_u64(5);
        builder
            .add_channel(direct, [node(1), node(3)], Sat::new(1_000))
            .unwrap();
        let mut tight = policy(50);
        tight.htlc_maximum = Msat::new(100);
        builder.set_policy(direct, node(1), &tight).unwrap();
        builder.build()
    }

    fn at(graph: &Graph, n: u8) -> NodeIndex {
        graph.node_index(&node(n)).unwrap()
    }

    #[test]
    fn payers_and_forwarders_pay_as_they_should() {
        let graph = square();
        let amount = Msat::new(1_000);
        let prices = Prices::new(&graph, SenderModel::FeeOnly, amount, &BTreeSet::new());
        let (one, three) = (at(&graph, 1), at(&graph, 3));
        assert_eq!(prices.from(one, Role::Payer).cost(three), Some(5));
        assert_eq!(prices.from(one, Role::Forwarder).cost(three), Some(14));
        let to = prices.to(three);
        assert_eq!(to.cost(one), Some(14));
        assert_eq!(prices.as_payer(one, &to), Some(5));
        assert_eq!(prices.as_payer(three, &to), Some(0));
        assert_eq!(to.cost(at(&graph, 5)), None);
        assert_eq!(prices.as_payer(at(&graph, 5), &to), None);
        assert_eq!(to.settled(), 4);
    }

    #[test]
    fn misfits_and_excluded_nodes_are_passed_over() {
        let graph = square();
        let cost = |amount, without: &[u8]| {
            let without = without.iter().map(|n| at(&graph, *n)).collect();
            let amount = Msat::new(amount);
            let prices = Prices::new(&graph, SenderModel::FeeOnly, amount, &without);
            let found = prices.from(at(&graph, 1), Role::Payer);
            let path = prices.path(&found, at(&graph, 3));
            let hops = path.map(|edges| edges.len());
            found.cost(at(&graph, 3)).zip(hops)
        };
        assert_eq!(cost(100, &[]), Some((0, 1)));
        assert_eq!(cost(101, &[]), Some((5, 2)));
        assert_eq!(cost(101, &[2]), Some((7, 2)));
        assert_eq!(cost(101, &[2, 4]), None);
        assert_eq!(cost(9, &[]), None);
        assert_eq!(cost(1_000_000, &[]), Some((5, 2)));
        assert_eq!(cost(1_000_001, &[]), None);
    }
}
