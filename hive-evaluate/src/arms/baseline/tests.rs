use super::*;
use crate::testing::{drawn_network, id, network};
use hive_types::NodeId;
use std::collections::BTreeMap;

fn settings(members: u32, channels: u32) -> Settings {
    let capital = Sat::new(u64::from(channels) * 1_000_000);
    Settings {
        members,
        channels,
        capital,
        ..Settings::default()
    }
}

/// 1 in the middle of 2 to 5, and 2 - 3 beside.
fn star() -> Graph {
    network(&[
        (1, 2, 0, 0),
        (1, 3, 0, 0),
        (1, 4, 0, 0),
        (1, 5, 0, 0),
        (2, 3, 0, 0),
    ])
}

#[test]
fn draws_go_by_weight_without_putting_back() {
    let graph = drawn_network(12, 0, 1);
    let nodes: Vec<NodeIndex> = graph.nodes().map(|(node, _)| node).collect();
    let weights: Vec<u64> = (0..12)
        .map(|place| if place < 2 { 3 - place } else { 0 })
        .collect();
    let mut chance = SplitMix::new(5);
    let mut times = [0; 12];
    for _ in 0..30_000 {
        times[draw(&nodes, &weights, &mut chance).unwrap()] += 1;
    }
    // Three in five against two in five; four standard deviations are 340.
    assert!((times[0] - 18_000i32).abs() < 340, "{times:?}");
    assert_eq!(times[0] + times[1], 30_000);
    assert_eq!(draw(&nodes, &[0; 12], &mut chance), None);
}

#[test]
fn the_autopilot_draws_only_nodes_between_others() {
    let graph = star();
    let scores = Scores::new(&graph, &[Arm::Autopilot]);
    // Only the middle lies between others; the autopilot opens once and finds no more weight.
    let placed = scores
        .place(Arm::Autopilot, &graph, &settings(2, 3), 1)
        .unwrap();
    let targets: Vec<End> = placed.opens.iter().map(|open| open.to).collect();
    assert_eq!(targets, [End::Outside(id(1)), End::Outside(id(1))]);
}

#[test]
fn preferential_attachment_counts_small_channels_against_a_node() {
    let mut builder = hive_planner::graph::GraphBuilder::new();
    (1..=4).for_each(|node| builder.add_node(id(node)));
    let sizes = [
        (1, 2, 8_000),
        (1, 3, 8_000),
        (2, 3, 2_000),
        (1, 4, 1_999),
        (3, 4, 1_999),
    ];
    for (place, (one, other, sat)) in sizes.into_iter().enumerate() {
        let scid = hive_types::ShortChannelId::from_u64(place as u64);
        builder
            .add_channel(scid, [id(one), id(other)], Sat::new(sat))
            .unwrap();
    }
    // The median is 2,000, so only channels under 500 count against a node: none here.
    assert_eq!(preferential(&builder.build()), [3, 2, 3, 2]);
    // With a median of 8,000 the two smallest do.
    let mut builder = hive_planner::graph::GraphBuilder::new();
    (1..=4).for_each(|node| builder.add_node(id(node)));
    let sizes = [
        (1, 2, 8_000),
        (1, 3, 8_000),
        (2, 3, 8_000),
        (1, 4, 1_999),
        (3, 4, 1_999),
    ];
    for (place, (one, other, sat)) in sizes.into_iter().enumerate() {
        let scid = hive_types::ShortChannelId::from_u64(place as u64);
        builder
            .add_channel(scid, [id(one), id(other)], Sat::new(sat))
            .unwrap();
    }
    assert_eq!(preferential(&builder.build()), [1, 2, 1, 0]);
}

#[test]
fn the_earlier_tool_leaves_small_and_served_targets_alone() {
    let mut builder = hive_planner::graph::GraphBuilder::new();
    (1..=5).for_each(|node| builder.add_node(id(node)));
    // 1: 9 BTC, 2: 6 BTC, 3: 5 BTC, 4: 0.9 BTC.
    let sizes = [(1, 2, 500), (1, 3, 400), (2, 3, 100), (4, 5, 90)];
    for (place, (one, other, million)) in sizes.into_iter().enumerate() {
        let scid = hive_types::ShortChannelId::from_u64(place as u64);
        let ends = [id(one), id(other)];
        builder
            .add_channel(scid, ends, Sat::new(million * 1_000_000))
            .unwrap();
        for end in ends {
            builder
                .set_policy(scid, end, &crate::testing::policy(0, 1))
                .unwrap();
        }
    }
    let graph = builder.build();
    let settings = Settings {
        capital: Sat::new(40_000_000),
        ..settings(3, 2)
    };
    let placed = Scores::new(&graph, &[])
        .place(Arm::Predecessor, &graph, &settings, 1)
        .unwrap();
    let mut taken: BTreeMap<NodeId, Vec<usize>> = BTreeMap::new();
    for open in &placed.opens {
        if let End::Outside(node) = open.to {
            taken.entry(node).or_default().push(open.member);
        }
    }
    // 20 million each: at 1 the share is 2 % after one and 4 % after two, when most members are there;
    // at 2 and 3 it is over 3 % after one, and over 5 % after two.
    assert_eq!(taken[&id(1)], [0, 1]);
    assert_eq!(taken[&id(2)], [2, 0]);
    assert_eq!(taken[&id(3)], [1, 2]);
    assert!(!taken.contains_key(&id(4)) && !taken.contains_key(&id(5)));
}

#[test]
fn arms_that_plan_are_none_of_these() {
    let graph = star();
    let scores = Scores::new(&graph, &[]);
    for arm in Arm::ALL {
        let baseline = scores.place(arm, &graph, &settings(1, 1), 1).is_some();
        assert_eq!(baseline, !arm.is_planned(), "{arm}");
    }
}
