use super::*;
use crate::testing::{drawn_network, id, link, network, open, opened, placed};

#[test]
fn a_peer_charges_a_new_channel_what_is_the_middle_of_its_charges() {
    let graph = network(&[(1, 2, 5, 0), (1, 3, 900, 0), (1, 4, 70, 0)]);
    let usual = usual_policy(&graph, id(1), Sat::new(500)).unwrap();
    assert_eq!((usual.base, usual.cltv_delta), (Msat::new(70), 40));
    assert_eq!(usual.htlc_maximum, Msat::new(500_000));
    assert_eq!(usual_policy(&graph, id(9), Sat::new(500)), None);
}

#[test]
fn the_public_graph_stays_as_it_was() {
    let graph = drawn_network(30, 40, 1);
    let with = arrange(
        &graph,
        &placed(2, &[open(0, 3), open(1, 5), link(1, 0)]),
        true,
    );
    assert_eq!(with.graph.node_count(), 32);
    assert_eq!(with.graph.channel_count(), graph.channel_count() + 3);
    for (node, id) in graph.nodes() {
        let moved = with.moved[node.get()];
        assert_eq!(
            (with.graph.node_id(moved), with.member_at(moved)),
            (id, None)
        );
    }
    for edge in graph.edges() {
        let from = with.moved[edge.from.get()];
        assert_eq!(
            with.graph.edge(edge.scid, from).unwrap().policy,
            edge.policy
        );
    }
    let members: Vec<_> = with.members.iter().flatten().collect();
    assert_eq!(
        members
            .iter()
            .map(|at| with.member_at(**at))
            .collect::<Vec<_>>(),
        [Some(0), Some(1)]
    );
}

#[test]
fn fellows_forward_for_nothing_and_strangers_do_not() {
    let graph = network(&[(1, 2, 5, 5)]);
    let opens = [open(0, 1), link(0, 1), open(1, 2)];
    for (one_house, base) in [(true, 0), (false, 10)] {
        let with = arrange(&graph, &placed(2, &opens), one_house);
        let (first, second) = (with.members[0].unwrap(), with.members[1].unwrap());
        let both = [(first, second), (second, first)];
        for (from, to) in both {
            let edge = with.graph.between(from, to).next().unwrap();
            assert_eq!(edge.policy.unwrap().base, Msat::new(base));
        }
        let out = with.graph.edge(opened(&with, 3, 0), first).unwrap();
        assert_eq!(out.policy.unwrap().base, Msat::new(10));
    }
}

#[test]
fn a_member_without_channels_is_nowhere() {
    let graph = network(&[(1, 2, 5, 5)]);
    let with = arrange(&graph, &placed(2, &[open(1, 2)]), true);
    assert!(with.members[0].is_none() && with.members[1].is_some());
}

#[test]
fn no_arm_takes_more_than_its_share() {
    let settings = Settings {
        members: 2,
        channels: 2,
        capital: Sat::new(2_000_000),
        ..Settings::default()
    };
    let fair = placed(2, &[open(0, 1), open(0, 2), open(1, 3), link(1, 0)]);
    assert_eq!(fair.check(Arm::Fleet, 1, &settings), Ok(()));
    // The whale has the slots of all, a member only its own.
    let four: Vec<Open> = (1..5).map(|to| open(0, to)).collect();
    assert_eq!(placed(1, &four).check(Arm::Whale, 1, &settings), Ok(()));
    let too_many = placed(2, &four[..3]).check(Arm::Random, 1, &settings);
    assert!(matches!(
        too_many,
        Err(EvaluateError::Unequal {
            opens: 3,
            opens_allowed: 2,
            ..
        })
    ));
    let mut rich = open(0, 1);
    rich.capacity = Sat::new(2_000_001);
    assert!(placed(2, &[rich]).check(Arm::Fleet, 1, &settings).is_err());
    assert!(placed(3, &[]).check(Arm::Fleet, 1, &settings).is_err());
    assert!(
        placed(1, &[open(1, 2)])
            .check(Arm::Whale, 1, &settings)
            .is_err()
    );
}
