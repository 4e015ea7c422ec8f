//! A seeded sample of who pays whom.

use crate::config::PlannerConfig;
use crate::demand::{DemandModel, SplitMix};
use crate::graph::{Graph, NodeIndex};
use std::collections::BTreeSet;

/// One payment that somebody would make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) payer: NodeIndex,
    pub(super) payee: NodeIndex,
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
    for turn in 0..config.payees {
        let by_capacity = config.demand == DemandModel::Capacity && turn % 2 == 0;
        let payer = outside.draw(&mut chance, by_capacity);
        for _ in 0..config.payments / config.payees.max(1) {
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
    fn nothing_is_drawn_from_nothing() {
        let config = PlannerConfig::default();
        assert!(sample(&Graph::default(), &BTreeSet::new(), &config).is_empty());
    }
}
