//! A small network in which pushes are worth something.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic
)]

use super::fleet::{SIZE, constraint, fleet, local, own};
use super::{graph_of, node, policy, scid};
use hive_planner::graph::{Graph, GraphUpdate};
use hive_planner::{PlannerConfig, plan_pushes};
use hive_types::{Action, FellowChannel, FleetView, LocalSnapshot, Msat, Proposal, Rebalance, Sat};

pub const A: u32 = 1;
pub const X: u32 = 2;
pub const B: u32 = 3;
pub const Y: u32 = 4;

pub const A_X: u64 = 10;
pub const X_B: u64 = 11;
pub const B_A: u64 = 12;
pub const A_Y: u64 = 13;
pub const Y_X: u64 = 14;

/// A and B are fellows, X and Y outside. X asks 100 ppm, Y 40 ppm, fellows nothing between them and
/// 400 ppm towards the outside.
pub fn network() -> Graph {
    let channels = [
        (A_X, A, X),
        (X_B, X, B),
        (B_A, B, A),
        (A_Y, A, Y),
        (Y_X, Y, X),
    ];
    let channels = channels.map(|(number, a, b)| (number, a, b, SIZE));
    let graph = graph_of(&channels, &policy(0, 400, 34));
    let set = |number, from, policy| GraphUpdate::Policy {
        scid: scid(number),
        from: node(from),
        policy,
    };
    graph.updated(&[
        set(X_B, X, policy(1_000, 100, 80)),
        set(A_X, X, policy(1_000, 100, 80)),
        set(Y_X, Y, policy(0, 40, 60)),
        set(B_A, A, policy(0, 0, 34)),
        set(B_A, B, policy(0, 0, 34)),
    ])
}

pub fn told(number: u64, peer: u32, spendable: u64) -> FellowChannel {
    FellowChannel {
        scid: Some(scid(number)),
        peer: node(peer),
        capacity: Sat::new(SIZE),
        spendable: Some(Msat::new(spendable * 1000)),
        drain_msat_per_day: None,
        confirmed: true,
    }
}

/// A's node with nearly all of its channel with X, half of the one with B.
pub fn payer() -> LocalSnapshot {
    LocalSnapshot {
        channels: vec![own(A_X, X, 9_000_000), own(B_A, B, 5_000_000)],
        ..local(A)
    }
}

/// B can send a twentieth of its channel with X.
pub fn dry() -> FleetView {
    let mut fleet = fleet(&[A, B], constraint(0, 0));
    fleet.members[1].channels = vec![told(X_B, X, 500_000), told(B_A, A, 5_000_000)];
    fleet
}

pub fn rebalance(proposal: &Proposal) -> &Rebalance {
    match &proposal.action {
        Action::Rebalance(rebalance) => rebalance,
        other => panic!("not a push: {other:?}"),
    }
}

pub fn plan(fleet: &FleetView, local: &LocalSnapshot) -> Vec<Proposal> {
    plan_pushes(&network(), fleet, local, &PlannerConfig::default())
}

/// A third member that could fill B's channel as well as A can.
pub fn rivals() -> (Graph, FleetView, LocalSnapshot) {
    let third = 5;
    let mut fleet = fleet(&[A, B, third], constraint(0, 0));
    fleet.members[1].channels = dry().members[1].channels.clone();
    fleet.members[2].channels = vec![told(31, X, 9_000_000), told(32, B, 5_000_000)];
    fleet.members[0].channels = vec![told(A_X, X, 9_000_000), told(B_A, B, 5_000_000)];
    let graph = network().updated(&[31, 32].map(|number| GraphUpdate::ChannelAdded {
        scid: scid(number),
        nodes: [node(third), node(if number == 31 { X } else { B })],
        capacity: Sat::new(SIZE),
    }));
    let others = LocalSnapshot {
        channels: vec![own(31, X, 9_000_000), own(32, B, 5_000_000)],
        ..local(third)
    };
    (graph, fleet, others)
}
