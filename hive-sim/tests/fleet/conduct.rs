//! Cases of conduct: who forwards, who is blamed, and how soon.

use crate::support::{found_all, lossy, minutes, no_violation, on};
use hive_core::{Command, Event, Member, Reply};
use hive_policy::Mode;
use hive_policy::conduct::FlagKind;
use hive_sim::fleet::{Fleet, Lie};
use hive_sim::generate::{GeneratorConfig, generate};
use hive_sim::world::{Behaviour, NodeSpec, TrafficConfig, World, WorldConfig};
use hive_types::limits::{PROBE_INTERVAL, PROBE_PATIENCE, PROBE_SUSPECT_INTERVAL};
use hive_types::{Millis, Msat, NodeId, Sat};
use std::sync::Arc;

/// Members with a channel to each other and three to the network, half of each on either side.
fn linked(count: usize, seed: u8) -> Fleet {
    let config = GeneratorConfig {
        nodes: 60,
        seed: [seed; 32],
    };
    let graph = Arc::new(generate(&config));
    let config = WorldConfig {
        seed: [seed; 32],
        ..WorldConfig::default()
    };
    let mut world = World::from_graph(&graph, config);
    let outside: Vec<NodeId> = graph.nodes().map(|(_, node)| node).collect();
    let (capacity, half) = (Sat::new(1_000_000), Msat::new(500_000_000));
    let mut nodes: Vec<NodeId> = Vec::new();
    for index in 0..count {
        let node = world
            .add_node(NodeSpec::agent(Sat::new(8_000_000)))
            .unwrap();
        let peers = (0..3).map(|peer| outside[(index * 7 + peer * 3) % outside.len()]);
        for peer in peers.chain(nodes.clone()) {
            world.settled_channel(node, peer, capacity, half).unwrap();
        }
        nodes.push(node);
    }
    let mut fleet = found_all(on(world, &nodes, seed, Mode::Advisor));
    // Channels are announced, and all have heard of it.
    fleet.world_mut().mine(8);
    fleet.run_for(minutes(10));
    fleet
}

fn behave(fleet: &mut Fleet, member: usize, how: Behaviour) {
    let node = fleet.node(member);
    fleet.world_mut().set_behaviour(node, how).unwrap();
}

/// Who blamed whom for what, so far.
fn flagged(fleet: &Fleet) -> Vec<(usize, NodeId, FlagKind)> {
    let events = fleet.events().iter();
    let flags = events.filter_map(|(_, by, event)| match event {
        Event::Flagged { node, kind, .. } => Some((*by, *node, *kind)),
        _ => None,
    });
    flags.collect()
}

fn row(fleet: &mut Fleet, by: usize, of: usize) -> Member {
    let node = fleet.node(of);
    let rows = match fleet.command(by, Command::Members) {
        Ok(Reply::Members(rows)) => rows,
        other => panic!("no members: {other:?}"),
    };
    rows.into_iter().find(|row| row.node_id == node).unwrap()
}

/// How long a black hole goes unnoticed at most: the wait for the first probe, one that could not be
/// sent, then four that fail.
fn bound() -> Millis {
    let each = PROBE_SUSPECT_INTERVAL.get() + PROBE_PATIENCE.get();
    Millis::new(PROBE_INTERVAL.get() + 5 * each)
}

/// All others blame the last one as a black hole, and nobody blames anybody else.
fn only_the_last_is_a_black_hole(fleet: &mut Fleet, count: usize) {
    let hole = fleet.node(count - 1);
    let mut found = flagged(fleet);
    found.sort_unstable();
    let all: Vec<_> = (0..count - 1)
        .map(|by| (by, hole, FlagKind::BlackHole))
        .collect();
    assert_eq!(found, all);
    for by in 0..count {
        for of in (0..count).filter(|of| *of != by) {
            let row = row(fleet, by, of);
            let Some(reputation) = row.reputation else {
                continue;
            };
            let (mean, is_hole) = (reputation.mean_ppm, of == count - 1);
            assert_eq!(mean < 500_000, is_hole, "{by} of {of}: {mean}");
        }
    }
}

#[test]
fn t56_a_node_that_holds_htlcs_alone_loses_reputation() {
    let mut fleet = linked(4, 61);
    let hold = Behaviour {
        holds_htlcs: true,
        ..Behaviour::default()
    };
    behave(&mut fleet, 3, hold);
    fleet.run_for(bound());
    only_the_last_is_a_black_hole(&mut fleet, 4);
    no_violation(&fleet);
}

#[test]
fn t56_a_node_that_fails_what_it_could_forward_alone_loses_reputation_until_it_forwards() {
    let mut fleet = linked(4, 62);
    let fail = Behaviour {
        fails_forwards: true,
        ..Behaviour::default()
    };
    behave(&mut fleet, 3, fail);
    fleet.run_for(bound());
    only_the_last_is_a_black_hole(&mut fleet, 4);
    behave(&mut fleet, 3, Behaviour::default());
    fleet.run_for(Millis::from_hours(3));
    for by in 0..3 {
        assert!(row(&mut fleet, by, 3).flags.is_empty(), "{by}");
    }
    no_violation(&fleet);
}

#[test]
fn t56_a_dead_first_hop_of_our_own_is_nobodys_fault() {
    let mut fleet = linked(3, 63);
    let dead = Behaviour {
        dead_first_hop: true,
        ..Behaviour::default()
    };
    behave(&mut fleet, 0, dead);
    fleet.run_for(Millis::from_hours(4));
    assert_eq!(flagged(&fleet), []);
    for of in 1..3 {
        assert_eq!(row(&mut fleet, 0, of).reputation, None);
        // Others' probes through the same fellows, and through this one, arrive.
        let others = row(&mut fleet, 3 - of, of).reputation.unwrap();
        assert!(others.mean_ppm > 600_000 && others.samples_milli > 1_900);
        assert!(row(&mut fleet, of, 0).reputation.unwrap().mean_ppm > 600_000);
    }
    no_violation(&fleet);
}

#[test]
fn t56_probes_move_no_money() {
    let mut fleet = linked(3, 64);
    let balances = |fleet: &Fleet| -> Vec<Msat> {
        let nodes = (0..3).map(|member| fleet.node(member));
        let local = nodes.map(|node| fleet.world().snapshot(node).unwrap());
        local
            .flat_map(|local| local.channels)
            .map(|channel| channel.spendable)
            .collect()
    };
    let before = balances(&fleet);
    fleet.run_for(Millis::from_hours(6));
    assert!(row(&mut fleet, 0, 1).reputation.is_some());
    fleet.run_for(minutes(1));
    assert_eq!(balances(&fleet), before);
    assert_eq!(flagged(&fleet), []);
}

#[test]
fn t28_a_liar_about_its_balances_is_found_by_all_that_have_a_channel_with_it() {
    let mut fleet = linked(4, 65);
    fleet.set_lie(3, Some(Lie::Overstates));
    fleet.run_for(minutes(40));
    let liar = fleet.node(3);
    let mut found = flagged(&fleet);
    found.sort_unstable();
    let all: Vec<_> = (0..3).map(|by| (by, liar, FlagKind::Claims)).collect();
    assert_eq!(found, all);
    for by in 0..3 {
        let evidence = row(&mut fleet, by, 3).flags.remove(0).evidence;
        assert!(evidence.contains("our side leaves"), "{evidence}");
    }
}

#[test]
fn honest_members_are_blamed_for_nothing_while_people_pay_and_links_fail() {
    for seed in 71..74 {
        let mut fleet = linked(4, seed);
        fleet.world_mut().set_traffic(Some(TrafficConfig {
            per_hour: 1_500,
            near_ppm: 900_000,
            round_ms: 60_000,
            ..TrafficConfig::default()
        }));
        lossy(&mut fleet, 200_000);
        fleet.run_for(minutes(150));
        fleet.crash(2);
        fleet.run_for(minutes(45));
        fleet.boot(2);
        let down = fleet.node(1);
        fleet.world_mut().set_online(down, false).unwrap();
        fleet.run_for(minutes(40));
        fleet.world_mut().set_online(down, true).unwrap();
        fleet.run_for(minutes(180));
        assert_eq!(flagged(&fleet), [], "{seed}");
        let probed = row(&mut fleet, 0, 3).reputation.unwrap();
        assert!(probed.samples_milli > 2_000, "{seed} {probed:?}");
        no_violation(&fleet);
    }
}
