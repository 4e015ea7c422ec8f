//! Graphs as bad as they come, from text through weighing to searches: never a panic, never an overflow.
#![allow(clippy::unwrap_used)]

mod common;

use common::export::{describegraph, listchannels};
use common::parts::{any_parts, build};
use common::{builder_of, node, policy, scid};
use hive_planner::graph::{Graph, GraphBuilder, NodeIndex};
use hive_planner::load::{LoadError, load_describegraph, load_listchannels};
use hive_planner::routes::{Digraph, Distances, Prices, SenderModel};
use hive_types::{ChannelPolicy, Msat};
use proptest::prelude::*;
use std::collections::BTreeSet;

const SENDERS: [SenderModel; 3] = [SenderModel::FeeOnly, SenderModel::Lnd, SenderModel::Ldk];

/// Searches from every node for every sender; what a search says holds together.
fn search_everywhere(graph: &Graph, amount: Msat) {
    let roots: Vec<NodeIndex> = graph.nodes().map(|(node, _)| node).collect();
    for sender in SENDERS {
        let prices = Prices::new(graph, sender, amount, &BTreeSet::new());
        let settled = prices.each_root(&roots, |root, found| {
            assert_eq!(found.payer_cost(root), Some(0));
            roots.iter().for_each(|node| check_way(graph, found, *node));
            assert_eq!(found.steps().count() as u64 + 1, found.settled());
            found.settled()
        });
        assert!(settled.iter().all(|settled| *settled <= roots.len() as u64));
        let shares = Digraph::weighed(graph, sender, amount).betweenness();
        assert!(
            shares
                .iter()
                .all(|share| share.is_finite() && *share >= 0.0)
        );
    }
}

fn check_way(graph: &Graph, found: &Distances<'_>, node: NodeIndex) {
    assert_eq!(found.cost(node).is_some(), found.payer_cost(node).is_some());
    let Some(path) = found.path(node) else {
        return assert_eq!(found.cost(node), None);
    };
    assert!(path.len() < graph.node_count());
    assert!(path.iter().all(|edge| edge.usable().is_some()));
    assert_eq!(path.len() as u32, found.payer_hops(node).unwrap());
}

#[test]
fn no_node_and_one_node() {
    search_everywhere(&Graph::default(), Msat::new(1));
    let mut builder = GraphBuilder::new();
    builder.add_node(node(1));
    search_everywhere(&builder.build(), Msat::new(1));
    let empty = load_describegraph(&br#"{"nodes":[],"edges":[]}"#[..]).unwrap();
    assert_eq!(empty.graph, Graph::default());
    let [channels, nodes] = listchannels(&Graph::default());
    let empty = load_listchannels(channels.as_bytes(), nodes.as_bytes()).unwrap();
    assert_eq!(empty.graph, Graph::default());
}

/// A line of nodes, each of which asks for more than there is money.
#[test]
fn the_dearest_policies_are_no_way_and_no_overflow() {
    let absurd = ChannelPolicy {
        inbound_base_msat: i32::MAX,
        inbound_ppm: i32::MAX,
        htlc_minimum: Msat::ZERO,
        ..policy(u64::from(u32::MAX), u32::MAX, u16::MAX)
    };
    let line: Vec<_> = (0..40)
        .map(|n| (u64::from(n), n, n + 1, u64::MAX))
        .collect();
    let graph = builder_of(&line, &absurd).build();
    let first = graph.node_index(&node(0)).unwrap();
    for amount in [0, 1, 60_000_000, 1 << 50, u64::MAX] {
        search_everywhere(&graph, Msat::new(amount));
    }
    // 60,000 sat at 4,295 times the amount and 43 sat more is dear, and still a number.
    let prices = Prices::new(
        &graph,
        SenderModel::FeeOnly,
        Msat::new(60_000_000),
        &BTreeSet::new(),
    );
    let cost = prices
        .to(graph.node_index(&node(2)).unwrap())
        .payer_cost(first);
    let fee = u64::from(u32::MAX) + 60_000_000 * u64::from(u32::MAX) / 1_000_000;
    assert_eq!(cost, Some(fee));
}

#[test]
fn parts_that_do_not_meet_have_no_way() {
    let graph = builder_of(
        &[(1, 1, 2, 1_000_000), (2, 3, 4, 1_000_000)],
        &policy(1, 1, 1),
    )
    .build();
    let prices = Prices::new(&graph, SenderModel::Lnd, Msat::new(1_000), &BTreeSet::new());
    let found = prices.to(graph.node_index(&node(1)).unwrap());
    assert_eq!(found.settled(), 2);
    for far in [3, 4] {
        let far = graph.node_index(&node(far)).unwrap();
        assert_eq!(
            (found.cost(far), found.path(far).map(|path| path.len())),
            (None, None)
        );
    }
}

#[test]
fn unknown_ends_are_named() {
    let graph = builder_of(&[(1, 1, 2, 1_000_000)], &policy(1, 1, 1)).build();
    let all = describegraph(&graph);
    let known = format!("{{\"alias\":\"x\",\"pub_key\":\"{}\"}},", node(1));
    assert!(all.contains(&known), "{all}");
    let error = load_describegraph(all.replace(&known, "").as_bytes()).unwrap_err();
    assert!(matches!(error, LoadError::Inconsistent { .. }), "{error}");
    assert!(error.to_string().contains(&node(1).to_string()));
}

/// A way that is longer than any onion can be.
#[test]
fn long_lines_are_searched_to_their_end() {
    let line: Vec<_> = (0..3_000)
        .map(|n| (u64::from(n), n, n + 1, 1_000_000))
        .collect();
    let graph = builder_of(&line, &policy(1_000, 0, 1)).build();
    let ends = [0, 3_000].map(|n| graph.node_index(&node(n)).unwrap());
    let prices = Prices::new(
        &graph,
        SenderModel::FeeOnly,
        Msat::new(1_000_000),
        &BTreeSet::new(),
    );
    let found = prices.to(ends[1]);
    assert_eq!(found.payer_cost(ends[0]), Some(2_999 * 1_000));
    assert_eq!(found.payer_hops(ends[0]), Some(3_000));
}

proptest! {
    /// Any policies that gossip can carry, parallel channels, self-loops and lone nodes, by way of both
    /// exports: the graph that comes back is the one that went out, and searches keep their word.
    #[test]
    fn any_gossip_survives_export_weighing_and_search(
        mut parts in any_parts(),
        amount in prop_oneof![0..100_000_000u64, any::<u64>()],
    ) {
        // Core Lightning writes capacities in msat; more than 2^64 of them do not exist.
        parts.iter_mut().for_each(|part| part.3 %= u64::MAX / 1_000);
        let (graph, self_loops) = build(&parts);
        let loaded = load_describegraph(describegraph(&graph).as_bytes()).unwrap();
        prop_assert_eq!((&loaded.graph, loaded.self_loops), (&graph, 0));
        prop_assert!(self_loops <= parts.len());

        // Core Lightning lists directions with an update alone, and no inbound fees.
        for part in &mut parts {
            for policy in part.4.iter_mut().flatten() {
                (policy.inbound_base_msat, policy.inbound_ppm) = (0, 0);
            }
        }
        let [channels, nodes] = listchannels(&graph);
        let loaded = load_listchannels(channels.as_bytes(), nodes.as_bytes()).unwrap();
        let silent: Vec<_> = parts.iter().filter(|part| part.4 == [None, None]).map(|part| scid(part.0)).collect();
        let close = silent.into_iter().map(|scid| hive_planner::graph::GraphUpdate::ChannelClosed { scid });
        prop_assert_eq!(loaded.graph, build(&parts).0.updated(&close.collect::<Vec<_>>()));

        search_everywhere(&graph, Msat::new(amount));
    }

    /// Text that somebody damaged is read or refused.
    #[test]
    fn damaged_exports_are_read_or_refused(
        parts in any_parts(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (graph, _) = build(&parts);
        let damaged = |text: String| {
            let mut bytes = text.into_bytes();
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            bytes
        };
        if let Ok(loaded) = load_describegraph(&damaged(describegraph(&graph))[..]) {
            search_everywhere(&loaded.graph, Msat::new(1_000));
        }
        let [channels, nodes] = listchannels(&graph);
        let read = load_listchannels(&damaged(channels)[..], &damaged(nodes)[..]);
        if let Ok(loaded) = read {
            search_everywhere(&loaded.graph, Msat::new(1_000));
        }
    }
}
