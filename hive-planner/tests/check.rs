//! What stands in the way of an open that was planned earlier.
#![allow(clippy::unwrap_used)]

mod common;

use common::fleet::{HEIGHT, constraint, fleet, local, own};
use common::{graph_of, node, policy};
use hive_planner::graph::Graph;
use hive_planner::{History, OpenObstacle, PlannerConfig, check_open};
use hive_types::{
    ActionId, BlockHeight, FeeratePerKw, FleetView, LockView, NodeId, OpenChannel, Sat,
};

const ME: u32 = 1;
const FELLOW: u32 = 2;
const TARGET: u32 = 3;

/// The target has 80 M sat with others and this much with the fellow.
fn network(held: u64) -> Graph {
    let channels = [(1, TARGET, 9, 80_000_000), (2, TARGET, FELLOW, held)];
    graph_of(&channels, &policy(0, 0, 40))
}

fn check(
    graph: &Graph,
    fleet: &FleetView,
    history: &History,
    target: NodeId,
    capacity: u64,
) -> Result<(), OpenObstacle> {
    let open = OpenChannel {
        target,
        capacity: Sat::new(capacity),
        feerate_ceiling: FeeratePerKw::new(253),
        announce: true,
    };
    check_open(
        graph,
        fleet,
        &local(ME),
        history,
        &PlannerConfig::default(),
        &open,
    )
}

/// As far as the planner has a part in it: the share is looked at again.
#[test]
fn t34_an_open_approved_hours_later_is_checked_again() {
    let members = fleet(&[ME, FELLOW], constraint(1, 1));
    let calm = History::default();
    let at = |held, capacity| check(&network(held), &members, &calm, node(TARGET), capacity);
    // 20 % of 80 + 10 + x = 10 + x at x = 10.
    assert_eq!(at(10_000_000, 10_000_000), Ok(()));
    let room = Sat::new(10_000_000);
    assert_eq!(
        at(10_000_000, 10_000_001),
        Err(OpenObstacle::ShareCap { room })
    );
    let room = Sat::ZERO;
    assert_eq!(at(20_000_000, 1), Err(OpenObstacle::ShareCap { room }));
    let mut capped = calm.clone();
    capped.capped.insert(node(TARGET));
    let after = |held| check(&network(held), &members, &capped, node(TARGET), 100);
    assert_eq!(after(16_000_000), Err(OpenObstacle::ShareCap { room }));
    assert_eq!(after(14_000_000), Ok(()));
    let unknown = check(&network(1), &members, &calm, node(77), 1);
    assert_eq!(unknown, Err(OpenObstacle::ShareCap { room }));
}

#[test]
fn says_what_stands_in_the_way() {
    let (graph, calm) = (network(1), History::default());
    let good = fleet(&[ME, FELLOW], constraint(1, 1));
    let now = BlockHeight::new(HEIGHT);
    assert_eq!(check(&graph, &good, &calm, node(TARGET), 9), Ok(()));
    let alone = FleetView::default();
    let not_a_member = check(&graph, &alone, &calm, node(TARGET), 9);
    assert_eq!(not_a_member, Err(OpenObstacle::NotAMember));
    let inside = check(&graph, &good, &calm, node(FELLOW), 9);
    assert_eq!(inside, Err(OpenObstacle::Fellow(node(FELLOW))));
    let mut banned = good.clone();
    banned.banned.push(node(TARGET));
    let banned = check(&graph, &banned, &calm, node(TARGET), 9);
    assert_eq!(banned, Err(OpenObstacle::Banned(node(TARGET))));
    for (until, waits) in [(now, false), (now.plus(1), true)] {
        let mut history = calm.clone();
        history.cooldowns.insert(node(TARGET), until);
        let refused = check(&graph, &good, &history, node(TARGET), 9);
        assert_eq!(refused.is_err(), waits);
        for (holder, others) in [(ME, false), (FELLOW, true)] {
            let mut locked = good.clone();
            locked.locks.push(LockView {
                target: node(TARGET),
                holder: node(holder),
                action: ActionId::from_bytes([0; 16]),
                height: now,
                until,
                funding: None,
            });
            let locked = check(&graph, &locked, &calm, node(TARGET), 9);
            assert_eq!(locked.is_err(), waits && others);
        }
    }
}

#[test]
fn a_second_channel_with_a_peer_is_not_opened() {
    let mut local = local(ME);
    local.channels = vec![own(7, TARGET, 5)];
    let open = OpenChannel {
        target: node(TARGET),
        capacity: Sat::new(9),
        feerate_ceiling: FeeratePerKw::new(253),
        announce: true,
    };
    let members = fleet(&[ME, FELLOW], constraint(1, 1));
    let (history, config) = (History::default(), PlannerConfig::default());
    let checked = check_open(&network(1), &members, &local, &history, &config, &open);
    assert_eq!(checked, Err(OpenObstacle::Connected));
}
