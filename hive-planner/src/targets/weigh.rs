//! Everything that a choice needs: the sample, the ways over outside nodes, what is there.

use super::board::Board;
use super::budget::Budget;
use super::choose;
use super::lines::{Line, Maker};
use super::planner::Candidate;
use super::reach::Reach;
use super::sample::{CLASSES, FAR, Sample, Ways};
use super::scene::Scene;
use crate::config::PlannerConfig;
use crate::demand::Payment;
use crate::graph::{Graph, NodeIndex};
use hive_types::{NodeId, Ppm, Sat};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The sample, and the ways over the peers that are there and then over the candidates.
pub(super) struct Weighed<'a> {
    pub(super) sample: Sample<'a>,
    pub(super) ways: Vec<Ways>,
    pub(super) candidates: Vec<Candidate>,
}

impl<'a> Weighed<'a> {
    /// Weighs the payments and every node that the plan could concern. Peers come first, the largest
    /// before the others, so that a budget that ends early leaves out the least.
    pub(super) fn of(
        graph: &'a Graph,
        scene: &Scene<'_>,
        payments: &[Payment],
        capped: &BTreeSet<NodeId>,
        config: &PlannerConfig,
        budget: &mut Budget<'_>,
    ) -> Self {
        let candidates = choose::candidates(graph, scene, capped, config);
        let wanted = wanted(graph, scene, &candidates);
        let members = &scene.indices;
        let mut sample = Sample::of(graph, payments, members, &wanted, config, budget);
        let ways = sample.ways(graph, &wanted, budget);
        let candidates: Vec<Candidate> = candidates
            .iter()
            .filter_map(|node| {
                let id = graph.node_id(*node);
                Some(Candidate {
                    id,
                    public: graph.capacity_of(*node),
                    way: ways.iter().position(|ways| ways.node == *node)?,
                    worth: worth(scene, &id),
                })
            })
            .collect();
        let fixed = fixed_lines(graph, scene, &sample, &ways, config);
        let (enter, leave) = bounds(&sample, &ways, &candidates, &fixed, config);
        sample.drop_lost(&enter, &leave);
        Self {
            sample,
            ways,
            candidates,
        }
    }

    /// The board with nothing planned yet.
    pub(super) fn board<'b>(
        &'b self,
        graph: &Graph,
        scene: &Scene<'_>,
        config: &PlannerConfig,
    ) -> Board<'b> {
        board_of(graph, scene, &self.sample, &self.ways, config)
    }
}

/// A board with what is there.
pub(super) fn board_of<'b>(
    graph: &Graph,
    scene: &Scene<'_>,
    sample: &'b Sample<'b>,
    ways: &'b [Ways],
    config: &PlannerConfig,
) -> Board<'b> {
    let fixed = fixed_lines(graph, scene, sample, ways, config);
    let links = links(graph, scene, sample, config);
    Board::new(sample, ways, config, fixed, links)
}

fn wanted(graph: &Graph, scene: &Scene<'_>, candidates: &[NodeIndex]) -> Vec<NodeIndex> {
    let peers: BTreeSet<NodeIndex> = scene.attachments.iter().map(|a| a.peer).collect();
    let mut wanted: Vec<NodeIndex> = peers.iter().copied().collect();
    wanted.sort_by_key(|peer| (Reverse(graph.capacity_of(*peer)), *peer));
    wanted.extend(candidates.iter().filter(|node| !peers.contains(node)));
    wanted
}

fn worth(scene: &Scene<'_>, id: &NodeId) -> Ppm {
    let known = scene.problem.evidence.get(id).copied();
    known.unwrap_or(Ppm::ONE)
}

fn fixed_lines(
    graph: &Graph,
    scene: &Scene<'_>,
    sample: &Sample<'_>,
    ways: &[Ways],
    config: &PlannerConfig,
) -> Vec<Line> {
    let maker = Maker { sample, config };
    let attachments = scene.attachments.iter();
    let lines = attachments.filter_map(|attachment| {
        let way = ways.iter().position(|ways| ways.node == attachment.peer)?;
        let worth = worth(scene, &graph.node_id(attachment.peer));
        Some(maker.existing(attachment, way, worth))
    });
    lines.collect()
}

/// What links between members count for, those that the graph shows.
fn links(
    graph: &Graph,
    scene: &Scene<'_>,
    sample: &Sample<'_>,
    config: &PlannerConfig,
) -> Vec<Vec<[u32; CLASSES]>> {
    let maker = Maker { sample, config };
    let cost = |from: &Option<NodeIndex>, to: &Option<NodeIndex>| {
        let mut best = [FAR; CLASSES];
        let (Some(from), Some(to)) = (from, to) else {
            return best;
        };
        for edge in graph.between(*from, *to).filter(|_| from != to) {
            if let Some(policy) = edge.usable() {
                let costs = maker.link_by(edge.capacity, policy);
                best.iter_mut()
                    .zip(costs)
                    .for_each(|(best, cost)| *best = (*best).min(cost));
            }
        }
        best
    };
    let row = |from| scene.nodes.iter().map(|to| cost(from, to)).collect();
    scene.nodes.iter().map(row).collect()
}

/// The cheapest arrival and departure that any plan can give each end of a payment.
fn bounds(
    sample: &Sample<'_>,
    ways: &[Ways],
    candidates: &[Candidate],
    fixed: &[Line],
    config: &PlannerConfig,
) -> (Vec<u32>, Vec<u32>) {
    let maker = Maker { sample, config };
    let rates = config.rates.values().iter().copied();
    let rate = rates.chain([config.assumed_rate]).min().unwrap_or_default();
    // The widest channel is the cheapest to cross.
    let widest = maker.planned(0, 0, Sat::new(u64::MAX), rate, Ppm::ONE);
    let mut reach = Reach::far(sample.payers.len(), sample.payees.len());
    for candidate in candidates {
        reach.join(sample, &ways[candidate.way], &widest, 0);
    }
    for line in fixed {
        reach.join(sample, &ways[line.way], line, 0);
    }
    (reach.enter, reach.leave)
}
