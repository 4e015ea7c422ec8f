//! How much of the network an arm's members reach at once.

use crate::placement::Arranged;
use hive_planner::graph::NodeIndex;
use std::collections::BTreeSet;

/// Of the network's usable nodes, the part within two hops of any member, and of one member on
/// average. `None` without usable nodes or members.
pub(crate) fn within_two_hops(arranged: &Arranged) -> (Option<f64>, Option<f64>) {
    let graph = &arranged.graph;
    let usable = graph.nodes().filter(|(node, _)| {
        arranged.member_at(*node).is_none() && next_to(arranged, *node).next().is_some()
    });
    let whole = usable.count();
    let near: Vec<BTreeSet<NodeIndex>> = arranged
        .members
        .iter()
        .map(|member| member.map_or_else(BTreeSet::new, |member| around(arranged, member)))
        .collect();
    if whole == 0 || near.is_empty() {
        return (None, None);
    }
    let any: BTreeSet<NodeIndex> = near.iter().flatten().copied().collect();
    let sum: usize = near.iter().map(BTreeSet::len).sum();
    let of_one = sum as f64 / near.len() as f64;
    (
        Some(any.len() as f64 / whole as f64),
        Some(of_one / whole as f64),
    )
}

/// Outside nodes at most two hops from a member.
fn around(arranged: &Arranged, member: NodeIndex) -> BTreeSet<NodeIndex> {
    let mut found: BTreeSet<NodeIndex> = next_to(arranged, member).collect();
    for near in found.clone() {
        found.extend(next_to(arranged, near));
    }
    found.retain(|node| arranged.member_at(*node).is_none());
    found
}

/// Neighbours to which the node would send.
fn next_to(arranged: &Arranged, node: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
    let edges = arranged.graph.channels_of(node);
    edges
        .filter(|edge| edge.usable().is_some())
        .map(|edge| edge.to)
}
