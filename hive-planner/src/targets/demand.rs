//! A seeded sample of who pays whom.

use crate::config::{DemandModel, PlannerConfig};
use crate::graph::{Graph, NodeIndex};
use std::collections::BTreeSet;

/// One payment that somebody would make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) payer: NodeIndex,
    pub(super) payee: NodeIndex,
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough to draw a sample, and its stream is fixed for ever,
/// which equal plans on different versions need.
pub(super) struct SplitMix(u64);

impl SplitMix {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Below `bound`, by the high half of a product: the bias is below 2^-32 for any sum of weights
    /// here.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

/// Pairs in order of payers, each payer's together. Members neither pay nor are paid: the fleet earns
/// by the payments of others.
pub(super) fn sample(
    graph: &Graph,
    members: &BTreeSet<NodeIndex>,
    config: &PlannerConfig,
) -> Vec<Pair> {
    let outside = Weighted::of(graph, members);
    let mut chance = SplitMix::new(config.seed);
    let mut pairs = Vec::new();
    if outside.nodes.len() < 2 {
        return pairs;
    }
    for turn in 0..config.payers {
        let by_capacity = config.demand == DemandModel::Capacity && turn % 2 == 0;
        let payer = outside.draw(&mut chance, by_capacity);
        for _ in 0..config.payees {
            let payee = outside.draw(&mut chance, config.demand == DemandModel::Capacity);
            if payee != payer {
                pairs.push(Pair { payer, payee });
            }
        }
    }
    pairs.sort_by_key(|pair| pair.payer);
    pairs
}

/// Nodes that some payment can use, with running sums of their capacities.
struct Weighted {
    nodes: Vec<NodeIndex>,
    sums: Vec<u64>,
}

impl Weighted {
    fn of(graph: &Graph, members: &BTreeSet<NodeIndex>) -> Self {
        let mut nodes = Vec::new();
        let mut sums = Vec::new();
        let mut sum = 0u64;
        for (node, _) in graph.nodes() {
            let reachable = graph.channels_of(node).any(|edge| edge.usable().is_some());
            if reachable && !members.contains(&node) {
                sum = sum.saturating_add(graph.capacity_of(node).get());
                nodes.push(node);
                sums.push(sum);
            }
        }
        Self { nodes, sums }
    }

    fn draw(&self, chance: &mut SplitMix, by_capacity: bool) -> NodeIndex {
        let total = self.sums.last().copied().unwrap_or(0);
        let place = if by_capacity && total > 0 {
            let point = chance.below(total);
            self.sums.partition_point(|sum| *sum <= point)
        } else {
            chance.below(self.nodes.len() as u64) as usize
        };
        self.nodes[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of the reference implementation for seed 1234567.
        let mut chance = SplitMix::new(1_234_567);
        let stream = [chance.next(), chance.next(), chance.next()];
        assert_eq!(
            stream,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn nothing_is_drawn_from_nothing() {
        let config = PlannerConfig::default();
        assert!(sample(&Graph::default(), &BTreeSet::new(), &config).is_empty());
    }
}
