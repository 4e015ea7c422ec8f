//! Betweenness beside plain counting of ways.

use super::Digraph;
use crate::graph::{Graph, GraphBuilder, NodeIndex};
use crate::routes::SenderModel;
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
use proptest::collection::vec;
use proptest::prelude::*;

fn node(n: u16) -> NodeId {
    let mut bytes = [0u8; 33];
    bytes[0] = 2;
    bytes[31..].copy_from_slice(&n.to_be_bytes());
    NodeId::from_bytes(bytes).unwrap()
}

/// Channels between numbered nodes; what each end takes in msat.
fn build(nodes: u16, channels: &[(u16, u16, [u64; 2])]) -> Graph {
    let mut builder = GraphBuilder::new();
    (0..nodes).for_each(|n| builder.add_node(node(n)));
    for (number, (a, b, fees)) in channels.iter().enumerate() {
        let scid = ShortChannelId::from_u64(number as u64);
        let ends = [node(*a), node(*b)];
        builder.add_channel(scid, ends, Sat::new(1_000)).unwrap();
        for (end, fee) in ends.into_iter().zip(fees) {
            let policy = ChannelPolicy {
                base: Msat::new(*fee),
                rate: Ppm::ZERO,
                cltv_delta: 40,
                htlc_minimum: Msat::new(1),
                htlc_maximum: Msat::new(1_000_000),
                disabled: false,
                inbound_base_msat: 0,
                inbound_ppm: 0,
            };
            builder.set_policy(scid, end, &policy).unwrap();
        }
    }
    builder.build()
}

fn weighed(graph: &Graph) -> Digraph {
    Digraph::weighed(graph, SenderModel::FeeOnly, Msat::new(1_000))
}

/// All distances and counts of ways by repeated relaxation, then the definition itself.
fn counted(nodes: usize, digraph: &Digraph) -> Vec<f64> {
    let arcs: Vec<(NodeIndex, NodeIndex, u64)> = digraph.arcs().collect();
    let far = u64::MAX / 4;
    let mut costs = vec![vec![far; nodes]; nodes];
    (0..nodes).for_each(|n| costs[n][n] = 0);
    for _ in 0..nodes {
        for (from, to, weight) in &arcs {
            for row in &mut costs {
                row[to.get()] = row[to.get()].min(row[from.get()] + weight);
            }
        }
    }
    let ways: Vec<Vec<f64>> = (0..nodes)
        .map(|root| ways(root, &costs[root], &arcs))
        .collect();
    let share = |middle: usize, from: usize, to: usize| {
        let apart = from != to && middle != from && middle != to && costs[from][to] < far;
        let passes = costs[from][middle] + costs[middle][to] == costs[from][to];
        let counted = ways[from][middle] * ways[middle][to] / ways[from][to];
        if apart && passes { counted } else { 0.0 }
    };
    let pairs = || (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
    (0..nodes)
        .map(|middle| pairs().map(|(from, to)| share(middle, from, to)).sum())
        .collect()
}

/// How many cheapest ways lead from the root to each node.
fn ways(root: usize, costs: &[u64], arcs: &[(NodeIndex, NodeIndex, u64)]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by_key(|node| costs[*node]);
    let mut ways = vec![0.0; costs.len()];
    ways[root] = 1.0;
    for to in order.into_iter().filter(|node| *node != root) {
        let into = arcs.iter().filter(|arc| arc.1.get() == to);
        let cheapest = into.filter(|arc| costs[arc.0.get()] + arc.2 == costs[to]);
        ways[to] = cheapest.map(|arc| ways[arc.0.get()]).sum();
    }
    ways
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let difference = (found - expected).abs();
        assert!(difference <= 1e-9 * expected.max(1.0), "{found} {expected}");
    }
}

#[test]
fn two_equal_ways_share_what_passes() {
    // 0 - 1 - 3 and 0 - 2 - 3.
    let graph = build(
        4,
        &[
            (0, 1, [7; 2]),
            (1, 3, [7; 2]),
            (0, 2, [7; 2]),
            (2, 3, [7; 2]),
        ],
    );
    assert_eq!(weighed(&graph).betweenness(), [1.0; 4]);
    assert_eq!(Digraph::of_channels(&graph).betweenness(), [1.0; 4]);
    // Twice the channels, twice the ways: two of three pass node 1.
    let graph = build(
        4,
        &[
            (0, 1, [7; 2]),
            (0, 1, [7; 2]),
            (1, 3, [7; 2]),
            (0, 2, [7; 2]),
            (2, 3, [7; 2]),
        ],
    );
    let shares = Digraph::of_channels(&graph).betweenness();
    assert_close(&shares[1..3], &[4.0 / 3.0, 2.0 / 3.0]);
    assert_eq!(weighed(&graph).betweenness()[1..3], [1.0, 1.0]);
}

#[test]
fn nothing_and_one_node_have_no_ways() {
    assert_eq!(weighed(&build(0, &[])).betweenness(), [0.0; 0]);
    assert_eq!(weighed(&build(1, &[])).betweenness(), [0.0]);
    assert_eq!(Digraph::of_channels(&build(3, &[])).betweenness(), [0.0; 3]);
}

#[test]
fn more_ways_than_a_float_can_count_still_give_numbers() {
    let forks = 1_100u16;
    let channels: Vec<_> = (0..forks)
        .flat_map(|n| {
            let [left, a, b, right] = [3 * n, 3 * n + 1, 3 * n + 2, 3 * n + 3];
            [(left, a), (left, b), (a, right), (b, right)]
        })
        .map(|(from, to)| (from, to, [1; 2]))
        .collect();
    let graph = build(3 * forks + 1, &channels);
    let shares = Digraph::of_channels(&graph).betweenness();
    assert!(shares.iter().all(|share| share.is_finite()));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let channels: Vec<_> = (0..900u16)
        .map(|n| (n % 300, (n * 7 + n / 300) % 300, [u64::from(n % 5), 3]))
        .collect();
    let digraph = weighed(&build(300, &channels));
    let bits = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let shares = pool.install(|| digraph.betweenness());
        shares
            .iter()
            .map(|share| share.to_bits())
            .collect::<Vec<u64>>()
    };
    let one = bits(1);
    assert!(one.iter().any(|share| *share != 0));
    assert_eq!(bits(2), one);
    assert_eq!(bits(5), one);
}

proptest! {
    #[test]
    fn agrees_with_plain_counting(
        channels in vec((0..9u16, 0..9u16, [0..3u64, 0..3u64]), 0..24),
    ) {
        let graph = build(9, &channels);
        for digraph in [weighed(&graph), Digraph::of_channels(&graph)] {
            assert_close(&digraph.betweenness(), &counted(9, &digraph));
        }
    }
}
