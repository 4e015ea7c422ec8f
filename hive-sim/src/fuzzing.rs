//! What the fuzz target of action sequences runs: three members, driven by bytes.

use crate::checkers;
use crate::fleet::{CrashPoint, Fleet, member_config};
use crate::generate::{GeneratorConfig, generate};
use crate::world::{LinkFaults, NodeSpec, World, WorldConfig};
use hive_core::{Command, Reply};
use hive_proto::Ticket;
use hive_types::{Capabilities, Millis, Msat, NodeId, Sat, Tier};
use std::sync::Arc;

/// Actions of one sequence at most: longer ones find nothing that shorter ones don't, and cost time.
const ACTIONS: usize = 200;

/// Drives three members by what `data` says: each two bytes are one action.
///
/// # Panics
/// When a safety checker finds a rule broken.
pub fn drive_three_members(data: &[u8]) {
    let mut fleet = three();
    for action in data.chunks_exact(2).take(ACTIONS) {
        if let [what, how] = *action {
            act(&mut fleet, what, how);
        }
    }
    fleet.run_for(Millis::from_secs(60));
    assert!(fleet.violations().is_empty(), "{:#?}", fleet.violations());
}

/// Two members and one that is not in yet, each with money and channels to a small network.
fn three() -> Fleet {
    let network = GeneratorConfig {
        nodes: 60,
        seed: [1; 32],
    };
    let graph = Arc::new(generate(&network));
    let mut world = World::from_graph(&graph, WorldConfig::default());
    let nodes = [0; 3].map(|_| {
        let added = world.add_node(NodeSpec::agent(Sat::new(8_000_000)));
        added.expect("a new key from the seed")
    });
    let peers: Vec<NodeId> = graph
        .nodes()
        .map(|(_, node)| node)
        .step_by(3)
        .take(9)
        .collect();
    for (place, peer) in peers.into_iter().enumerate() {
        let half = Msat::new(500_000_000);
        let opened = world.settled_channel(nodes[place % 3], peer, Sat::new(1_000_000), half);
        opened.expect("both nodes are there");
    }
    let mut fleet = Fleet::new(world, [1; 32]);
    for node in nodes {
        fleet.add(node, member_config(node));
    }
    for checker in checkers::safety() {
        fleet.watch_with(checker);
    }
    // A refusal here is not what is looked for; the bytes may try again.
    let _ = fleet.command(0, Command::Init);
    fleet.run_for(Millis::from_secs(2));
    join(&mut fleet, 1);
    fleet.run_for(Millis::from_secs(5));
    fleet
}

fn act(fleet: &mut Fleet, what: u8, how: u8) {
    let member = usize::from(how % 3);
    let (node, other) = (fleet.node(member), fleet.node((member + 1) % 3));
    let span = u64::from(how / 3);
    let point = match how / 3 % 6 {
        0 => CrashPoint::TornWrite,
        1 => CrashPoint::AfterWrite,
        2 => CrashPoint::BeforeExecution,
        3 => CrashPoint::AfterExecution,
        4 => CrashPoint::OpenSteps(u32::from(how / 18)),
        _ => CrashPoint::Steps(u32::from(how / 18) + 1),
    };
    let (up, world) = (fleet.agents()[member].is_up(), fleet.world_mut());
    match what % 18 {
        0 => fleet.run_for(Millis::new(span)),
        1 => fleet.run_for(Millis::new(100 * span)),
        2 => fleet.run_for(Millis::from_secs(15 * span)),
        3 => world.set_faults(LinkFaults {
            loss_ppm: 4_000 * u32::from(how),
            duplicate_ppm: 2_000 * u32::from(how),
            reorder_ppm: 2_000 * u32::from(how),
            reorder_ms: 3_000,
            delay_ms: span,
        }),
        4 => drop(world.set_blocked(node, other, true)),
        5 => drop(world.set_blocked(node, other, false)),
        6 => drop(world.disconnect(node, other)),
        7 => drop(world.connect(node, other)),
        8 => fleet.crash(member),
        9 => fleet.crash_at(member, point),
        10 if !up => fleet.boot(member),
        11 => world.mine(u32::from(how / 3 % 8)),
        12 => world.reorg(u32::from(how / 3 % 4)),
        13 => join(fleet, member),
        14 => drop(fleet.command(member, Command::Vouch { node: other })),
        15 => drop(fleet.command(member, Command::RotateKey)),
        16 => drop(fleet.command(member, Command::Leave)),
        17 => drop(world.set_lag(node, u32::from(how / 3 % 10))),
        _ => {}
    }
}

/// Joins with a ticket of whoever gives one.
fn join(fleet: &mut Fleet, guest: usize) {
    let invite = Command::Invite {
        tier: Tier::Full,
        guest: None,
        lifetime: Millis::from_hours(24),
        required: Capabilities::NONE,
    };
    for by in (0..3).filter(|by| *by != guest) {
        if let Ok(Reply::Ticket(text)) = fleet.command(by, invite.clone())
            && let Ok(ticket) = text.parse::<Ticket>()
        {
            let _ = fleet.command(guest, Command::Join { ticket });
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Rng;

    #[test]
    fn sequences_break_no_rule() {
        for seed in 0..30u8 {
            let mut rng = Rng::new(&[seed; 32], "sequence");
            let data: Vec<u8> = (0..160).map(|_| rng.below(256) as u8).collect();
            drive_three_members(&data);
        }
    }

    #[test]
    fn a_sequence_without_faults_opens() {
        let mut fleet = three();
        for _ in 0..30 {
            act(&mut fleet, 2, 240);
        }
        assert!(!fleet.world().fundings().is_empty());
        assert_eq!(fleet.status(1).stage, "member");
    }
}
