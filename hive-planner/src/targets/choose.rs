//! Which outside nodes are worth weighing.

use super::scene::Scene;
use super::share::room;
use crate::config::PlannerConfig;
use crate::graph::{Graph, NodeIndex};
use hive_types::NodeId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The nodes that are worth weighing, by the sum of their ranks in capacity and in channels. A node
/// that the smallest welcome channel would lift over the share cap is not among them.
pub(super) fn candidates(
    graph: &Graph,
    scene: &Scene<'_>,
    capped: &BTreeSet<NodeId>,
    config: &PlannerConfig,
) -> Vec<NodeIndex> {
    let able = scene
        .means
        .iter()
        .filter(|means| means.why_idle().is_none());
    let Some(smallest) = able.map(|means| means.channel_min).min() else {
        // Who can open nothing need not find out what would be best.
        return Vec::new();
    };
    let taken =
        |id: &NodeId| config.strictly_unique && scene.paired.iter().any(|(_, peer)| peer == id);
    let open = graph.nodes().filter(|(node, id)| {
        let room = room(
            graph.capacity_of(*node),
            scene.holdings(id),
            config.share_cap,
        );
        let forwards = graph.channels_of(*node).any(|edge| edge.usable().is_some());
        let closed = scene.problem.closed.contains(id) || capped.contains(id);
        let outside = !scene.problem.seats.iter().any(|seat| seat.id == *id);
        outside && !closed && forwards && room.get() >= smallest && !taken(id)
    });
    let open: Vec<NodeIndex> = open.map(|(node, _)| node).collect();
    let mut order = by_ranks(graph, &open);
    order.truncate(config.candidates as usize);
    order
}

/// The best connected first.
fn by_ranks(graph: &Graph, nodes: &[NodeIndex]) -> Vec<NodeIndex> {
    let by_capacity = |node: &NodeIndex| graph.capacity_of(*node).get();
    let by_degree = |node: &NodeIndex| graph.degree_of(*node) as u64;
    let measures: [&dyn Fn(&NodeIndex) -> u64; 2] = [&by_capacity, &by_degree];
    let mut ranks: BTreeMap<NodeIndex, usize> = BTreeMap::new();
    for measure in measures {
        let mut order = nodes.to_vec();
        order.sort_by_cached_key(|node| (Reverse(measure(node)), *node));
        for (rank, node) in order.into_iter().enumerate() {
            *ranks.entry(node).or_default() += rank;
        }
    }
    let mut order: Vec<(usize, NodeIndex)> = ranks.into_iter().map(|(node, r)| (r, node)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, node)| node).collect()
}
