//! The solver against a second one that shares nothing with it, against its own certificate, and
//! against what it is given in bad faith.
#![allow(clippy::unwrap_used, clippy::panic)]

use hive_planner::circulation::{
    AMOUNT_MAX, Arc, COST_MAX, Flaw, Network, NetworkError, Segment, SolveError, WORK_LIMIT,
    cycles, solve,
};
use proptest::prelude::*;

/// Least cost by successive shortest paths (Bellman and Ford's) in the residual network; `None` when
/// nothing fits. Small, slow, and of another kind than the simplex method.
fn least_cost(network: &Network) -> Option<i128> {
    struct Residual {
        from: usize,
        to: usize,
        room: i128,
        cost: i128,
    }
    let mut excess: Vec<i128> = network.supplies().iter().map(|s| i128::from(*s)).collect();
    let mut arcs = Vec::new();
    let mut total = 0;
    for arc in network.arcs() {
        // Arcs that gain begin full, so that no residual arc costs less than nothing.
        let carried = if arc.cost < 0 { arc.upper } else { arc.lower };
        let (carried, cost) = (i128::from(carried), i128::from(arc.cost));
        total += carried * cost;
        excess[arc.from] -= carried;
        excess[arc.to] += carried;
        let (from, to) = (arc.from, arc.to);
        let (room, back) = (
            i128::from(arc.upper) - carried,
            carried - i128::from(arc.lower),
        );
        arcs.push(Residual {
            from,
            to,
            room,
            cost,
        });
        let (from, to, cost) = (to, from, -cost);
        arcs.push(Residual {
            from,
            to,
            room: back,
            cost,
        });
    }
    while let Some(source) = excess.iter().position(|by| *by > 0) {
        let mut distance: Vec<Option<(i128, usize)>> = vec![None; network.nodes()];
        distance[source] = Some((0, usize::MAX));
        for _ in 0..network.nodes() {
            for (place, arc) in arcs.iter().enumerate().filter(|(_, arc)| arc.room > 0) {
                let Some((begin, _)) = distance[arc.from] else {
                    continue;
                };
                if distance[arc.to].is_none_or(|(known, _)| begin + arc.cost < known) {
                    distance[arc.to] = Some((begin + arc.cost, place));
                }
            }
        }
        let sink = (0..network.nodes()).find(|n| excess[*n] < 0 && distance[*n].is_some())?;
        let mut way = Vec::new();
        let mut at = sink;
        while at != source {
            let (_, place) = distance[at].unwrap();
            way.push(place);
            at = arcs[place].from;
        }
        let narrowest = way.iter().map(|place| arcs[*place].room).min().unwrap();
        let amount = narrowest.min(excess[source]).min(-excess[sink]);
        for place in way {
            arcs[place].room -= amount;
            arcs[place ^ 1].room += amount;
            total += amount * arcs[place].cost;
        }
        excess[source] -= amount;
        excess[sink] += amount;
    }
    excess.iter().all(|by| *by == 0).then_some(total)
}

fn any_network() -> impl Strategy<Value = Network> {
    let arc = (any::<(u16, u16)>(), 0..30i64, 0..4i64, -60..40i64, 0..8u8);
    let arcs = proptest::collection::vec(arc, 0..50);
    let supplies = proptest::collection::vec(-4..5i64, 0..4);
    (1..12usize, arcs, supplies).prop_map(|(nodes, arcs, supplies)| {
        let mut network = Network::new(nodes);
        for ((from, to), width, lower, cost, kind) in arcs {
            let (from, to) = (from as usize % nodes, to as usize % nodes);
            let lower = if kind == 0 { lower } else { 0 };
            let (upper, cost) = (lower + width, if kind == 1 { 0 } else { cost });
            let arc = Arc {
                from,
                to,
                lower,
                upper,
                cost,
            };
            network.add_bounded(arc).unwrap();
        }
        for (node, supply) in supplies.iter().enumerate() {
            let other = nodes - 1 - node % nodes;
            if *supply != 0 && node < nodes && other > node {
                network.set_supply(node, *supply).unwrap();
                network.set_supply(other, -supply).unwrap();
            }
        }
        network
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn costs_what_another_solver_finds(network in any_network()) {
        match (solve(&network, WORK_LIMIT), least_cost(&network)) {
            (Ok(flow), Some(least)) => {
                prop_assert!(flow.optimal);
                prop_assert_eq!(flow.verify(&network), Ok(()));
                prop_assert_eq!(flow.cost, least);
            }
            (Err(SolveError::Infeasible), None) => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }

    /// Cycles add up to the flows where there are no supplies, and each is simple and worth it.
    #[test]
    fn cycles_add_up(network in any_network()) {
        let free = network.supplies().iter().all(|supply| *supply == 0);
        let Ok(flow) = solve(&network, WORK_LIMIT) else { return Ok(()) };
        let mut carried = vec![0; network.arcs().len()];
        for cycle in cycles(&network, &flow.flows) {
            prop_assert!(cycle.amount > 0);
            let mut visited = std::collections::BTreeSet::new();
            let last = network.arcs()[cycle.arcs.last().unwrap().get()];
            let mut at = last.to;
            let mut cost = 0;
            let mut is_free = true;
            for id in &cycle.arcs {
                let arc = network.arcs()[id.get()];
                prop_assert_eq!(arc.from, at);
                prop_assert!(visited.insert(at));
                at = arc.to;
                carried[id.get()] += cycle.amount;
                cost += arc.cost;
                is_free &= arc.lower == 0;
            }
            prop_assert!(cost <= 0 || !is_free);
        }
        for (sum, flow) in carried.iter().zip(&flow.flows) {
            let adds_up = sum == flow || (!free && sum < flow);
            prop_assert!(adds_up);
        }
    }

    /// However early it is stopped: what comes out fits, and never costs more than doing nothing.
    #[test]
    fn stops_at_the_work_limit_with_flows_that_fit(network in any_network(), limit in 0..400u64) {
        let standing = |network: &Network| {
            let arcs = network.arcs().iter();
            network.supplies().iter().all(|s| *s == 0) && arcs.clone().all(|arc| arc.lower == 0)
        };
        match solve(&network, limit) {
            Ok(flow) => {
                prop_assert_eq!(flow.verify(&network), Ok(()));
                prop_assert!(flow.cost <= 0 || !standing(&network));
            }
            Err(_) => prop_assert!(!standing(&network)),
        }
    }
}

#[test]
fn a_flow_that_is_not_the_best_or_does_not_fit_is_caught() {
    let mut network = Network::new(2);
    let out = network.add(0, 1, 5, 3).unwrap();
    network.add(1, 0, 9, -4).unwrap();
    let flow = solve(&network, WORK_LIMIT).unwrap();
    assert_eq!((&flow.flows[..], flow.cost), (&[5, 5][..], -5));
    let changed = |flows: [i64; 2], cost| {
        let mut flow = flow.clone();
        (flow.flows, flow.cost) = (flows.to_vec(), cost);
        flow.verify(&network)
    };
    assert_eq!(changed([5, 5], -5), Ok(()));
    assert!(matches!(changed([4, 4], -4), Err(Flaw::NotOptimal { .. })));
    assert!(matches!(
        changed([5, 5], -6),
        Err(Flaw::WrongCost { actual: -5 })
    ));
    assert!(matches!(
        changed([5, 6], -9),
        Err(Flaw::OffBalance { node: 0, by: 1 })
    ));
    let beyond = Flaw::OutOfBounds {
        arc: out,
        carried: 6,
    };
    assert_eq!(changed([6, 6], -6), Err(beyond));
    let mut other = network.clone();
    other.add(0, 1, 1, 1).unwrap();
    assert_eq!(flow.verify(&other), Err(Flaw::Shape));
}

#[test]
fn bounds_and_supplies_that_cannot_be_met_are_said_to_be_so() {
    let bounded = |lower, upper| {
        let mut network = Network::new(2);
        let (from, to, cost) = (0, 1, 1);
        let arc = Arc {
            from,
            to,
            lower,
            upper,
            cost,
        };
        network.add_bounded(arc).unwrap();
        network.add(1, 0, 3, 1).unwrap();
        solve(&network, WORK_LIMIT)
    };
    assert_eq!(bounded(3, 9).unwrap().flows, [3, 3]);
    assert_eq!(bounded(4, 9), Err(SolveError::Infeasible));
    assert_eq!(bounded(-2, 9).unwrap().flows, [0, 0]);
    let mut lonely = Network::new(2);
    lonely.set_supply(0, 1).unwrap();
    assert_eq!(solve(&lonely, WORK_LIMIT), Err(SolveError::Infeasible));
    lonely.set_supply(1, -1).unwrap();
    assert_eq!(solve(&lonely, WORK_LIMIT), Err(SolveError::Infeasible));
    lonely.add(0, 1, 1, 0).unwrap();
    assert_eq!(solve(&lonely, 0), Err(SolveError::OutOfWork));
    assert_eq!(solve(&lonely, WORK_LIMIT).unwrap().flows, [1]);
}

#[test]
fn numbers_at_the_edge_of_what_fits_do_not_overflow() {
    let nodes = 300;
    let mut network = Network::new(nodes);
    for node in 0..nodes {
        let next = (node + 1) % nodes;
        let cost = if node % 2 == 0 {
            -COST_MAX
        } else {
            COST_MAX - 1
        };
        network.add(node, next, AMOUNT_MAX, cost).unwrap();
        network.add(next, node, AMOUNT_MAX, COST_MAX).unwrap();
    }
    let flow = solve(&network, WORK_LIMIT).unwrap();
    let expected = -i128::from(AMOUNT_MAX) * 150;
    assert_eq!((flow.verify(&network), flow.cost), (Ok(()), expected));

    let mut pushed = network.clone();
    let (half, upper) = (AMOUNT_MAX / 2, AMOUNT_MAX);
    let arc = |from, to, cost| Arc {
        from,
        to,
        lower: half,
        upper,
        cost,
    };
    pushed.add_bounded(arc(0, nodes / 2, COST_MAX)).unwrap();
    let flow = solve(&pushed, WORK_LIMIT).unwrap();
    assert_eq!(flow.verify(&pushed), Ok(()));
    pushed.add_bounded(arc(1, nodes / 2, 0)).unwrap();
    assert_eq!(solve(&pushed, WORK_LIMIT), Err(SolveError::TooLarge));
}

#[test]
fn refuses_what_is_no_network() {
    let mut network = Network::new(2);
    let bounds = |lower, upper| NetworkError::Bounds { lower, upper };
    assert_eq!(network.add(0, 1, -1, 0), Err(bounds(0, -1)));
    assert_eq!(
        network.add(0, 1, AMOUNT_MAX + 1, 0),
        Err(bounds(0, AMOUNT_MAX + 1))
    );
    let cost = COST_MAX + 1;
    assert_eq!(network.add(0, 1, 1, cost), Err(NetworkError::Cost { cost }));
    let (node, nodes) = (2, 2);
    let unknown = NetworkError::UnknownNode { node, nodes };
    assert_eq!(network.add(0, 2, 1, 0), Err(unknown));
    assert_eq!(network.set_supply(2, 0), Err(unknown));
    let falling = [(1, 5), (1, 4)].map(|(width, cost)| Segment { width, cost });
    let (before, cost) = (5, 4);
    assert_eq!(
        network.add_convex(0, 1, &falling),
        Err(NetworkError::NotConvex { before, cost })
    );
    for empty in [Network::default(), Network::new(1), Network::new(7)] {
        let flow = solve(&empty, 0).unwrap();
        assert_eq!((flow.cost, flow.verify(&empty)), (0, Ok(())));
        assert!(cycles(&empty, &flow.flows).is_empty());
    }
}

#[test]
fn an_arc_to_itself_carries_its_most_when_it_gains() {
    let mut network = Network::new(1);
    network.add(0, 0, 7, -2).unwrap();
    network.add(0, 0, 7, 2).unwrap();
    let flow = solve(&network, WORK_LIMIT).unwrap();
    assert_eq!((&flow.flows[..], flow.cost), (&[7, 0][..], -14));
}
