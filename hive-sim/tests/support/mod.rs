//! Small fleets for tests of cases.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test support")]
#![allow(dead_code, reason = "each test uses its part")]

use hive_core::{Command, Event, Reply};
use hive_policy::Mode;
use hive_sim::fleet::{Fleet, member_config};
use hive_sim::generate::{GeneratorConfig, generate};
use hive_sim::world::{NodeSpec, World, WorldConfig};
use hive_types::{Capabilities, Millis, Msat, NodeId, Sat, Tier};
use std::sync::Arc;

pub(crate) fn secs(secs: u64) -> Millis {
    Millis::from_secs(secs)
}

/// Nodes with three channels each to a generated network, agents on them, nobody in a fleet yet.
pub(crate) fn alone(count: usize, seed: u8, mode: Mode) -> Fleet {
    let config = GeneratorConfig {
        nodes: 60,
        seed: [seed; 32],
    };
    let graph = Arc::new(generate(&config));
    let world = WorldConfig {
        seed: [seed; 32],
        ..WorldConfig::default()
    };
    let mut world = World::from_graph(&graph, world);
    let outside: Vec<NodeId> = graph.nodes().map(|(_, node)| node).collect();
    let mut fleet = Vec::new();
    for index in 0..count {
        let node = world
            .add_node(NodeSpec::agent(Sat::new(8_000_000)))
            .unwrap();
        for peer in 0..3 {
            let peer = outside[(index * 7 + peer * 3) % outside.len()];
            let half = Msat::new(500_000_000);
            world
                .settled_channel(node, peer, Sat::new(1_000_000), half)
                .unwrap();
        }
        fleet.push(node);
    }
    let mut sim = Fleet::new(world, [seed; 32]);
    for node in fleet {
        let mut config = member_config(node);
        config.mode = mode;
        sim.add(node, config);
    }
    sim
}

pub(crate) fn ticket(fleet: &mut Fleet, by: usize, tier: Tier) -> hive_proto::Ticket {
    let invite = Command::Invite {
        tier,
        guest: None,
        lifetime: Millis::from_hours(24),
        required: Capabilities::NONE,
    };
    match fleet.command(by, invite) {
        Ok(Reply::Ticket(text)) => text.parse().unwrap(),
        other => panic!("no ticket: {other:?}"),
    }
}

/// The first founds, all others join one after the other and are made full.
pub(crate) fn founded(count: usize, seed: u8, mode: Mode) -> Fleet {
    let mut fleet = alone(count, seed, mode);
    fleet.command(0, Command::Init).unwrap();
    fleet.run_for(secs(2));
    for guest in 1..count {
        let ticket = ticket(&mut fleet, 0, Tier::Full);
        fleet.command(guest, Command::Join { ticket }).unwrap();
        fleet.run_for(secs(10));
    }
    fleet.run_for(secs(60));
    for guest in 3..count {
        promote(&mut fleet, guest);
    }
    fleet.run_for(secs(30));
    fleet
}

pub(crate) fn promote(fleet: &mut Fleet, guest: usize) {
    let node = fleet.node(guest);
    for voter in 0..fleet.agents().len() {
        let _ = fleet.command(voter, Command::Vouch { node });
    }
    fleet.run_for(secs(30));
}

pub(crate) fn locked(event: &Event) -> bool {
    matches!(event, Event::Locked { .. })
}
