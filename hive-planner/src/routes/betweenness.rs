//! Betweenness centrality: on how many of all cheapest ways a node lies.

use super::SenderModel;
use super::hops::hops;
use super::queue::Queue;
use super::rows::{PLACES, Packed, Rows, number};
use crate::graph::{Graph, NodeIndex};
use hive_types::Msat;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Roots whose shares are summed before they are added to those of the others. Blocks are the same
/// for any number of threads, and so is the order of additions, on which the last bits depend.
const BLOCK: usize = 128;

/// Counts of equally cheap ways are held here, so that quotients of two stay numbers: a row of 1,000
/// forks has more ways than a float can count.
const WAYS_MAX: f64 = 1e300;

const NOWHERE: u64 = u64::MAX;

/// A directed network with a whole, positive weight on each arc.
///
/// ```
/// # use hive_planner::graph::GraphBuilder;
/// # use hive_planner::routes::Digraph;
/// # use hive_types::{NodeId, Sat, ShortChannelId};
/// // A star: each of the six ordered pairs of leaves has its only way through the middle.
/// let id = |n: u64| format!("02{n:064x}").parse::<NodeId>();
/// let mut builder = GraphBuilder::new();
/// for node in 0..4 {
///     builder.add_node(id(node)?);
/// }
/// for leaf in 1..4 {
///     let scid = ShortChannelId::from_u64(leaf);
///     builder.add_channel(scid, [id(0)?, id(leaf)?], Sat::new(1_000_000))?;
/// }
/// let graph = builder.build();
/// assert_eq!(Digraph::of_channels(&graph).betweenness(), [6.0, 0.0, 0.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Digraph {
    /// The place of each node.
    places: Vec<u32>,
    /// The node of each place.
    nodes: Vec<NodeIndex>,
    rows: Rows<Packed>,
    /// Whether all weights are equal, so that a search need not sort.
    even: bool,
}

impl Digraph {
    /// The network as a sender weighs it for an amount, inbound fees left out: at most one arc from a
    /// node to another, with a weight of one msat more than the sender counts, so that none is zero
    /// and of equally dear ways the one with fewest hops is the cheapest.
    pub fn weighed(graph: &Graph, sender: SenderModel, amount: Msat) -> Self {
        let hops = hops(graph, sender, amount, &BTreeSet::new());
        let arcs = hops
            .iter()
            .map(|hop| (hop.from, hop.to, hop.fee + hop.rest + 1));
        Self::of(graph, arcs.collect())
    }

    /// Every channel both ways with a weight of one, usable or not, parallel ones each counted: what
    /// LND's autopilot ranks nodes by (`autopilot/betweenness_centrality.go`, which halves the
    /// values).
    pub fn of_channels(graph: &Graph) -> Self {
        let arcs = graph.edges().map(|edge| (edge.from, edge.to, 1));
        Self::of(graph, arcs.collect())
    }

    fn of(graph: &Graph, mut arcs: Vec<(NodeIndex, NodeIndex, u64)>) -> Self {
        let ends = arcs.iter().flat_map(|(from, to, _)| [*from, *to]);
        let places = number(graph.node_count(), ends);
        let place = |node: NodeIndex| places[node.get()];
        arcs.retain(|(from, _, _)| (place(*from) as usize) < PLACES);
        arcs.sort_unstable_by_key(|(from, to, weight)| (place(*to), place(*from), *weight));
        let pack = |(from, to, weight): &(NodeIndex, NodeIndex, u64)| {
            (place(*to), Packed::new(*weight, place(*from)))
        };
        let mut nodes = vec![NodeIndex::new(0); places.len()];
        for (node, place) in places.iter().enumerate() {
            nodes[*place as usize] = NodeIndex::new(node);
        }
        let mut weights = arcs.iter().map(|(_, _, weight)| *weight);
        let first = weights.next();
        Self {
            rows: Rows::of(places.len(), arcs.iter().map(pack)),
            even: weights.all(|weight| Some(weight) == first),
            places,
            nodes,
        }
    }

    /// Every arc: where it begins, where it ends, and its weight.
    pub fn arcs(&self) -> impl Iterator<Item = (NodeIndex, NodeIndex, u64)> + '_ {
        (0..self.places.len() as u32).flat_map(move |to| {
            let row = self.rows.row(to).iter();
            row.map(move |arc| (self.node(arc.place()), self.node(to), arc.weight()))
        })
    }

    /// For each node of the graph, by its index: the sum over all ordered pairs of other nodes of the
    /// share of their cheapest ways that pass it (Brandes, "A Faster Algorithm for Betweenness
    /// Centrality", 2001). The same bits whatever the number of threads.
    pub fn betweenness(&self) -> Vec<f64> {
        let roots: Vec<u32> = (0..self.places.len() as u32).collect();
        let blocks = roots.par_chunks(BLOCK).map_init(
            || Room::new(self),
            |room, block| {
                let mut shares = vec![0.0; roots.len()];
                block.iter().for_each(|root| room.add(*root, &mut shares));
                shares
            },
        );
        let mut sums = vec![0.0; roots.len()];
        for block in blocks.collect::<Vec<Vec<f64>>>() {
            sums.iter_mut()
                .zip(block)
                .for_each(|(sum, share)| *sum += share);
        }
        let places = self.places.iter();
        places.map(|place| sums[*place as usize]).collect()
    }

    fn node(&self, place: u32) -> NodeIndex {
        self.nodes[place as usize]
    }
}

/// What one search after the other needs.
struct Room<'d> {
    digraph: &'d Digraph,
    queue: Queue,
    costs: Vec<u64>,
    /// How many equally cheap ways lead to the root.
    ways: Vec<f64>,
    /// One, and all that depends on a node, for each of its ways.
    depending: Vec<f64>,
    order: Vec<u32>,
}

impl<'d> Room<'d> {
    fn new(digraph: &'d Digraph) -> Self {
        let nodes = digraph.places.len();
        Self {
            digraph,
            queue: Queue::default(),
            costs: vec![NOWHERE; nodes],
            ways: vec![0.0; nodes],
            depending: vec![0.0; nodes],
            order: Vec::with_capacity(nodes),
        }
    }

    /// Adds the shares that nodes have in the ways from everywhere to `root`.
    fn add(&mut self, root: u32, shares: &mut [f64]) {
        self.costs.fill(NOWHERE);
        self.order.clear();
        self.costs[root as usize] = 0;
        self.ways[root as usize] = 1.0;
        if self.digraph.even {
            self.search_even(root);
        } else {
            self.search(root);
        }
        for place in self.order.iter().skip(1).rev() {
            let cost = self.costs[*place as usize];
            let arcs = self.digraph.rows.row(*place).iter();
            let passing =
                arcs.filter(|arc| self.costs[arc.place() as usize] == cost + arc.weight());
            let each: f64 = passing
                .map(|arc| self.depending[arc.place() as usize])
                .sum();
            let ways = self.ways[*place as usize];
            shares[*place as usize] += ways * each;
            self.depending[*place as usize] = (1.0 + ways * each) / ways;
        }
    }

    fn search(&mut self, root: u32) {
        self.queue.clear();
        self.queue.push(0, root);
        while let Some((cost, place)) = self.queue.pop(&self.costs) {
            self.order.push(place);
            let ways = self.ways[place as usize];
            for arc in self.digraph.rows.row(place) {
                let (before, total) = (arc.place() as usize, cost + arc.weight());
                let best = &mut self.costs[before];
                if total < *best {
                    *best = total;
                    self.ways[before] = ways;
                    self.queue.push(total, arc.place());
                } else if total == *best {
                    self.ways[before] = (self.ways[before] + ways).min(WAYS_MAX);
                }
            }
        }
    }

    /// The order in which nodes are found is that of their costs already.
    fn search_even(&mut self, root: u32) {
        self.order.push(root);
        let mut next = 0;
        while let Some(place) = self.order.get(next).copied() {
            next += 1;
            let (cost, ways) = (self.costs[place as usize], self.ways[place as usize]);
            for arc in self.digraph.rows.row(place) {
                let (before, total) = (arc.place() as usize, cost + arc.weight());
                let best = &mut self.costs[before];
                if *best == NOWHERE {
                    *best = total;
                    self.ways[before] = ways;
                    self.order.push(arc.place());
                } else if total == *best {
                    self.ways[before] = (self.ways[before] + ways).min(WAYS_MAX);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
