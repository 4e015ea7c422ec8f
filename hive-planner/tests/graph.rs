//! The graph is what was put in, whatever the order.

#![allow(clippy::unwrap_used)]

mod common;

use common::parts::{Parts, any_parts, any_policy, build, build_on};
use common::{builder_of, graph_of, node, policy, scid};
use hive_planner::graph::{BuildError, Graph, GraphBuilder, GraphUpdate};
use hive_types::Sat;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

#[test]
fn looks_up_nodes_channels_and_parallel_channels() {
    let channels = [(7, 3, 1, 100), (5, 1, 2, 200), (6, 1, 3, 400)];
    let graph = graph_of(&channels, &policy(1, 2, 3));
    assert_eq!((graph.node_count(), graph.channel_count()), (3, 3));
    let one = graph.node_index(&node(1)).unwrap();
    let three = graph.node_index(&node(3)).unwrap();
    assert_eq!(graph.node_id(one), node(1));
    assert_eq!(graph.node_index(&node(9)), None);
    assert_eq!(graph.capacity_of(one), Sat::new(700));
    assert_eq!(graph.degree_of(one), 3);
    let parallel: Vec<u64> = graph.between(one, three).map(|e| e.scid.to_u64()).collect();
    assert_eq!(parallel, [6, 7]);
    let channel = graph.channel(scid(7)).unwrap();
    assert_eq!(channel.nodes, [one, three]);
    assert_eq!(graph.channel(scid(8)), None);
    let edge = graph.edge(scid(7), three).unwrap();
    assert_eq!((edge.from, edge.to), (three, one));
    assert_eq!(graph.edge(scid(5), three), None);
    assert_eq!(graph.edges().len(), 6);
}

#[test]
fn an_empty_graph_answers() {
    for graph in [Graph::default(), GraphBuilder::new().build()] {
        assert_eq!(graph.node_index(&node(1)), None);
        assert_eq!(graph.channel(scid(1)), None);
        assert_eq!((graph.nodes().len(), graph.edges().len()), (0, 0));
        assert_eq!(graph.updated(&[]), GraphBuilder::new().build());
    }
}

#[test]
fn refuses_what_does_not_fit() {
    let mut builder = builder_of(&[(1, 1, 2, 100)], &policy(0, 0, 40));
    let sat = Sat::new(5);
    assert_eq!(
        builder.add_channel(scid(2), [node(1), node(9)], sat),
        Err(BuildError::UnknownNode {
            scid: scid(2),
            node: node(9)
        })
    );
    builder.add_node(node(9));
    assert_eq!(
        builder.add_channel(scid(1), [node(1), node(9)], sat),
        Err(BuildError::Contradiction { scid: scid(1) })
    );
    assert_eq!(
        builder.set_policy(scid(3), node(1), &policy(0, 0, 0)),
        Err(BuildError::UnknownChannel { scid: scid(3) })
    );
    assert_eq!(
        builder.set_policy(scid(1), node(9), &policy(0, 0, 0)),
        Err(BuildError::NotAnEnd {
            scid: scid(1),
            node: node(9)
        })
    );
    let base = u64::from(u32::MAX) + 1;
    assert!(matches!(
        builder.set_policy(scid(1), node(1), &policy(base, 0, 0)),
        Err(BuildError::BaseFee { .. })
    ));
    let absurd = policy(base - 1, u32::MAX, u16::MAX);
    builder.set_policy(scid(1), node(1), &absurd).unwrap();
    let graph = builder.build();
    let edge = graph
        .channels_of(graph.node_index(&node(1)).unwrap())
        .next();
    assert_eq!(edge.unwrap().policy, Some(absurd));
}

#[test]
fn drops_and_counts_channels_to_oneself() {
    let mut builder = builder_of(&[(1, 1, 2, 100)], &policy(0, 0, 40));
    let ends = [node(2), node(2)];
    builder.add_channel(scid(2), ends, Sat::new(5)).unwrap();
    builder
        .set_policy(scid(2), node(2), &policy(0, 0, 0))
        .unwrap();
    assert_eq!(builder.self_loops(), 1);
    assert_eq!(builder.build().channel_count(), 1);
}

#[test]
fn the_inbound_fee_stands_on_the_edge_that_it_is_charged_for() {
    let mut discount = policy(1, 2, 3);
    (discount.inbound_base_msat, discount.inbound_ppm) = (-7, -9);
    let mut builder = builder_of(&[(1, 1, 2, 100)], &policy(0, 0, 40));
    builder.set_policy(scid(1), node(2), &discount).unwrap();
    let graph = builder.build();
    let towards = |n| graph.edge(scid(1), graph.node_index(&node(n)).unwrap());
    assert_eq!(towards(1).unwrap().inbound, (-7, -9));
    assert_eq!(towards(2).unwrap().inbound, (0, 0));
}

#[test]
fn updates_add_close_and_reprice() {
    let before = graph_of(&[(1, 1, 2, 100), (2, 2, 3, 200)], &policy(1, 1, 1));
    let cheaper = policy(0, 0, 40);
    let after = before.updated(&[
        GraphUpdate::ChannelAdded {
            scid: scid(3),
            nodes: [node(4), node(1)],
            capacity: Sat::new(300),
        },
        GraphUpdate::Policy {
            scid: scid(3),
            from: node(4),
            policy: cheaper,
        },
        GraphUpdate::Policy {
            scid: scid(77),
            from: node(4),
            policy: cheaper,
        },
        GraphUpdate::ChannelClosed { scid: scid(2) },
    ]);
    let numbers: Vec<u64> = after.channels().map(|c| c.scid.to_u64()).collect();
    assert_eq!((numbers, after.node_count()), (vec![1, 3], 4));
    let four = after.node_index(&node(4)).unwrap();
    assert_eq!(
        after.channels_of(four).next().unwrap().policy,
        Some(cheaper)
    );
    assert_eq!(before.channel_count(), 2);
}

/// What a part says, as updates in the order in which gossip brings them.
fn updates_of(parts: &Parts) -> Vec<GraphUpdate> {
    let mut updates = Vec::new();
    for (number, a, b, capacity, policies) in parts {
        let (scid, nodes) = (scid(*number), [node(*a), node(*b)]);
        updates.push(GraphUpdate::ChannelAdded {
            scid,
            nodes,
            capacity: Sat::new(*capacity),
        });
        let known = nodes.into_iter().zip(policies);
        updates.extend(known.filter_map(|(from, policy)| {
            let policy = (*policy)?;
            Some(GraphUpdate::Policy { scid, from, policy })
        }));
    }
    updates
}

proptest! {
    #[test]
    fn gives_back_what_was_put_in(parts in any_parts()) {
        let (graph, self_loops) = build(&parts);
        prop_assert_eq!(graph.channel_count() + self_loops, parts.len());
        for (number, a, b, capacity, policies) in parts.iter().filter(|part| part.1 != part.2) {
            for (from, to, policy) in [(a, b, policies[0]), (b, a, policies[1])] {
                let place = graph.node_index(&node(*from)).unwrap();
                let edge = graph.edge(scid(*number), place).unwrap();
                prop_assert_eq!(graph.node_id(edge.to), node(*to));
                prop_assert_eq!((edge.capacity, edge.policy), (Sat::new(*capacity), policy));
                prop_assert!(graph.channels_of(place).any(|listed| listed == edge));
                prop_assert!(graph.between(place, edge.to).any(|listed| listed == edge));
            }
        }
        let ends: usize = graph.nodes().map(|(place, _)| graph.degree_of(place)).sum();
        prop_assert_eq!(ends, graph.edges().len());
    }

    #[test]
    fn does_not_depend_on_order(parts in any_parts(), by in any::<u64>()) {
        let (graph, _) = build(&parts);
        let mut shuffled = parts;
        shuffled.sort_by_key(|part| part.0.rotate_left(32) ^ by);
        prop_assert_eq!(build(&shuffled).0, graph.clone());
        prop_assert_eq!(graph.updated(&[]), graph);
    }

    /// Later policies replace earlier ones, closed channels go and leave their nodes, and it makes no
    /// difference in how many steps a graph came about.
    #[test]
    fn updates_one_by_one_and_at_once_make_what_a_fresh_build_makes(
        mut parts in any_parts(),
        repriced in vec((any::<Index>(), 0..2usize, any_policy()), 0..9),
        closed in vec(any::<Index>(), 0..6),
    ) {
        let mut updates = updates_of(&parts);
        let nodes: Vec<u32> = parts.iter().flat_map(|part| [part.1, part.2]).collect();
        if !parts.is_empty() {
            for (at, end, policy) in repriced {
                let (number, a, b, _, policies) = &mut parts[at.index(nodes.len() / 2)];
                let from = node(if end == 0 { *a } else { *b });
                updates.push(GraphUpdate::Policy { scid: scid(*number), from, policy });
                policies[end] = Some(policy);
            }
            let closed: Vec<u64> = closed.iter().map(|at| at.get(&parts).0).collect();
            let close = |number: &u64| GraphUpdate::ChannelClosed { scid: scid(*number) };
            updates.extend(closed.iter().map(close));
            parts.retain(|part| !closed.contains(&part.0));
        }
        let mut fresh = builder_of(&[], &policy(0, 0, 0));
        nodes.into_iter().for_each(|n| fresh.add_node(node(n)));
        let fresh = build_on(fresh, &parts).0;

        prop_assert_eq!(&Graph::default().updated(&updates), &fresh);
        let step = |graph: Graph, update| graph.updated(&[update]);
        let one_by_one = updates.iter().copied().fold(Graph::default(), step);
        prop_assert_eq!(&one_by_one, &fresh);
        let (some, others) = updates.split_at(updates.len() / 2);
        prop_assert_eq!(&Graph::default().updated(some).updated(others), &fresh);
    }
}
