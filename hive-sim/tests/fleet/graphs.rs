//! Cases of what members know of the network: graphs that differ, and shares of a target.

use crate::support::{alone, join, minutes, no_violation, on, opens, secs, wanted};
use hive_core::{Command, Event, Reply};
use hive_planner::graph::{Graph, GraphBuilder};
use hive_policy::Mode;
use hive_sim::fleet::Fleet;
use hive_sim::world::{NodeSpec, World, WorldConfig};
use hive_types::{ActionId, ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Members that each miss, or know old policies of, one channel of twenty.
fn differing(seed: u8, mode: Mode) -> Fleet {
    let mut fleet = alone(4, seed, mode);
    fleet.set_graph_noise(Ppm::new(50_000));
    join_all(&mut fleet);
    fleet
}

fn join_all(fleet: &mut Fleet) {
    fleet.command(0, Command::Init).unwrap();
    fleet.run_for(secs(2));
    for guest in 1..fleet.agents().len() {
        join(fleet, guest, 0);
        fleet.run_for(secs(8));
    }
}

#[test]
fn members_whose_graphs_differ_open_without_changing_their_minds() {
    for seed in 60..63 {
        let mut fleet = differing(seed, Mode::Autonomous);
        fleet.run_for(minutes(24 * 60));
        let opened: usize = (0..4).map(|member| opens(&fleet, member)).sum();
        assert!(opened > 3, "{seed}: {opened}");
        fleet.judge_quiet();
        no_violation(&fleet);
    }
}

#[test]
fn t35_proposals_that_wait_stand_while_graphs_differ() {
    let mut fleet = differing(63, Mode::Advisor);
    let mut seen: [BTreeSet<ActionId>; 4] = Default::default();
    for _ in 0..23 {
        fleet.run_for(minutes(60));
        for (member, seen) in seen.iter_mut().enumerate() {
            let Ok(Reply::Proposals(rows)) = fleet.command(member, Command::Pending) else {
                panic!("no list");
            };
            let now: BTreeSet<ActionId> = rows.into_iter().filter_map(|row| row.id).collect();
            assert!(
                seen.is_subset(&now),
                "nothing is withdrawn in favour of another"
            );
            *seen = now;
        }
    }
    assert!(seen.iter().any(|seen| !seen.is_empty()));
    let locked = |(_, _, event): &(_, _, Event)| matches!(event, Event::Locked { .. });
    assert!(
        !fleet.events().iter().any(locked),
        "nobody holds a lock asleep"
    );
    no_violation(&fleet);
}

const HUBS: [u8; 2] = [10, 30];
const DEAR: u8 = 50;

fn outside(number: u8) -> NodeId {
    let mut secret = [0; 32];
    secret[31] = number;
    let key = secp256k1::SecretKey::from_slice(&secret).unwrap();
    NodeId::from_bytes(key.public_key(secp256k1::SECP256K1).serialize()).unwrap()
}

fn policy(rate: u32) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(1_000),
        rate: Ppm::new(rate),
        cltv_delta: 40,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(5_000_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// Two stars of 19 channels of 20 M sat each, and a dear way from one to the other: a member that
/// has channels with both hubs wins what passes between them.
fn two_stars() -> Graph {
    let mut builder = GraphBuilder::new();
    let mut add = |ends: [u8; 2], block: u32, rate: u32| {
        let ends = ends.map(outside);
        ends.iter().for_each(|end| builder.add_node(*end));
        let scid = ShortChannelId::new(block, 1, 0).unwrap();
        let capacity = Sat::new(20_000_000);
        builder.add_channel(scid, ends, capacity).unwrap();
        for end in ends {
            builder.set_policy(scid, end, &policy(rate)).unwrap();
        }
    };
    for (place, hub) in HUBS.into_iter().enumerate() {
        (hub + 1..hub + 20).for_each(|leaf| add([hub, leaf], 700_000 + u32::from(leaf), 0));
        add([hub, DEAR], 800_000 + place as u32, 30_000);
    }
    builder.build()
}

/// What a member has announced stays its own until it ends: a clean slate.
fn reject_all(fleet: &mut Fleet, member: usize) {
    let Ok(Reply::Proposals(rows)) = fleet.command(member, Command::Pending) else {
        panic!("no list");
    };
    for action in rows.into_iter().filter_map(|row| row.id) {
        let reason = String::new();
        let reject = Command::Reject { action, reason };
        fleet.command(member, reject).unwrap();
    }
}

/// The fleet's channel with the second hub has 100 M sat of 500 M: a fifth. It belongs to a member
/// without money, so that the other one would have to open.
#[test]
fn t38_a_target_at_a_fifth_is_proposed_by_nobody_until_below_fifteen_percent() {
    let hub = outside(HUBS[1]);
    let run = |held: u64| {
        let config = WorldConfig::default();
        let mut world = World::from_graph(&Arc::new(two_stars()), config);
        let money = [Sat::ZERO, Sat::new(8_000_000)];
        let nodes = money.map(|sats| world.add_node(NodeSpec::agent(sats)).unwrap());
        let half = Msat::new(held * 500);
        world
            .settled_channel(nodes[0], hub, Sat::new(held), half)
            .unwrap();
        let mut fleet = on(world, &nodes, 64, Mode::Advisor);
        join_all(&mut fleet);
        fleet.run_for(minutes(10));
        fleet
    };
    // The control: with little of the hub, the other member wants it.
    assert!(wanted(&mut run(10_000_000), 1).contains(&hub));
    let mut fleet = run(101_000_000);
    assert!(!wanted(&mut fleet, 1).contains(&hub));
    // The hub grows, from a share of 20.0 % to 17.0 % to 14.0 %.
    for (by_each, is_wanted) in [(5_000_000, false), (7_000_000, true)] {
        for leaf in HUBS[1] + 1..HUBS[1] + 20 {
            let (leaf, part) = (outside(leaf), Msat::new(by_each * 500));
            let world = fleet.world_mut();
            let more = world.settled_channel(leaf, hub, Sat::new(by_each), part);
            more.unwrap();
        }
        fleet.run_for(minutes(45));
        for member in 0..2 {
            reject_all(&mut fleet, member);
            let wants = wanted(&mut fleet, member).contains(&hub);
            assert_eq!(
                wants,
                is_wanted && member == 1,
                "member {member}, {by_each} more"
            );
        }
    }
    no_violation(&fleet);
}
