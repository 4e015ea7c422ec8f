//! Which nodes stand around the plan, and which of their channels are drawn.

use super::Scene;
use hive_types::{NodeId, Sat};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The largest nodes that are shown beside the targets; more names than this nobody reads.
const LARGEST: usize = 36;

/// Peers that a member has already, the largest channels first.
const PEERS: usize = 6;

/// Channels of the surroundings that are drawn for each node.
const PAIRS: usize = 2;

/// The peers that members have already, and the largest nodes.
pub(super) fn choose(scene: &Scene, targets: &[NodeId]) -> Vec<NodeId> {
    let mut taken: BTreeSet<NodeId> = scene.members.iter().chain(targets).copied().collect();
    let mut chosen = Vec::new();
    let peers = scene
        .members
        .iter()
        .flat_map(|member| peers(scene, member).into_iter().take(PEERS));
    let mut largest: Vec<_> = scene.graph.nodes().collect();
    largest.sort_by_cached_key(|(node, id)| (Reverse(scene.graph.capacity_of(*node)), *id));
    let largest = largest
        .into_iter()
        .map(|(_, id)| id)
        .filter(|id| !targets.contains(id));
    for id in peers.chain(largest.take(LARGEST)) {
        if taken.insert(id) {
            chosen.push(id);
        }
    }
    chosen
}

/// A node's peers with what they have in common, the most first.
fn peers(scene: &Scene, node: &NodeId) -> Vec<NodeId> {
    let mut held: BTreeMap<NodeId, Sat> = BTreeMap::new();
    let edges = scene
        .graph
        .node_index(node)
        .map(|node| scene.graph.channels_of(node));
    for edge in edges.into_iter().flatten() {
        let sum = held.entry(scene.graph.node_id(edge.to)).or_default();
        *sum = [*sum, edge.capacity].into_iter().sum();
    }
    let mut peers: Vec<NodeId> = held.keys().copied().collect();
    peers.sort_by_key(|peer| (Reverse(held.get(peer).copied()), *peer));
    peers
}

/// The largest connections of each node among these, each pair once.
pub(super) fn connections(scene: &Scene, shown: &[NodeId]) -> Vec<(NodeId, NodeId, Sat)> {
    let among: BTreeSet<NodeId> = shown.iter().copied().collect();
    let mut pairs = BTreeMap::new();
    for node in shown {
        let peers = peers(scene, node);
        let near = peers
            .iter()
            .filter(|peer| among.contains(*peer) && *peer != node);
        for peer in near.take(PAIRS) {
            let ends = (*node.min(peer), *node.max(peer));
            pairs
                .entry(ends)
                .or_insert_with(|| scene.between(node, peer));
        }
    }
    pairs
        .into_iter()
        .map(|((one, other), held)| (one, other, held))
        .collect()
}

/// Every connection that a member has with nodes that are shown.
pub(super) fn of_members(scene: &Scene, shown: &[NodeId]) -> Vec<(usize, NodeId, Sat)> {
    let one = |(place, member): (usize, &NodeId)| {
        let held = shown
            .iter()
            .map(|node| (place, *node, scene.between(member, node)));
        held.filter(|(_, _, held)| !held.is_zero())
            .collect::<Vec<_>>()
    };
    scene.members.iter().enumerate().flat_map(one).collect()
}
