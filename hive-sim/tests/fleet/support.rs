//! Small fleets for tests.

use hive_core::{Command, Config, Event, Reply};
use hive_policy::Mode;
use hive_sim::checkers;
use hive_sim::fleet::{Fleet, member_config};
use hive_sim::generate::{GeneratorConfig, generate};
use hive_sim::world::{LinkFaults, NodeSpec, World, WorldConfig};
use hive_types::{Action, Capabilities, Millis, Msat, NodeId, Sat, Tier};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn secs(secs: u64) -> Millis {
    Millis::from_secs(secs)
}

pub(crate) fn minutes(minutes: u64) -> Millis {
    Millis::from_secs(60 * minutes)
}

/// Nodes with three channels each to a generated network, agents on them, nobody in a fleet yet.
pub(crate) fn alone(count: usize, seed: u8, mode: Mode) -> Fleet {
    let (world, nodes) = ground(count, seed);
    on(world, &nodes, seed, mode)
}

/// The world of [`alone`] and the nodes in it that are for agents.
pub(crate) fn ground(count: usize, seed: u8) -> (World, Vec<NodeId>) {
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
    let mut nodes = Vec::new();
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
        nodes.push(node);
    }
    (world, nodes)
}

/// Agents on these nodes, watched by all checkers.
pub(crate) fn on(world: World, nodes: &[NodeId], seed: u8, mode: Mode) -> Fleet {
    on_with(world, nodes, seed, |config| config.mode = mode)
}

/// Agents with changed settings on these nodes, watched by all checkers.
pub(crate) fn on_with(
    world: World,
    nodes: &[NodeId],
    seed: u8,
    change: impl Fn(&mut Config),
) -> Fleet {
    let mut fleet = Fleet::new(world, [seed; 32]);
    for node in nodes.iter().copied() {
        let mut config = member_config(node);
        change(&mut config);
        fleet.add(node, config);
    }
    for checker in checkers::all() {
        fleet.watch_with(checker);
    }
    fleet
}

pub(crate) fn ticket(fleet: &mut Fleet, by: usize) -> hive_proto::Ticket {
    let invite = Command::Invite {
        tier: Tier::Full,
        guest: None,
        lifetime: Millis::from_hours(24),
        required: Capabilities::NONE,
    };
    match fleet.command(by, invite) {
        Ok(Reply::Ticket(text)) => text.parse().unwrap(),
        other => panic!("no ticket: {other:?}"),
    }
}

pub(crate) fn join(fleet: &mut Fleet, guest: usize, by: usize) {
    let ticket = ticket(fleet, by);
    fleet.command(guest, Command::Join { ticket }).unwrap();
}

/// The first founds, all others join one after the other and are made full.
pub(crate) fn founded(count: usize, seed: u8, mode: Mode) -> Fleet {
    found_all(alone(count, seed, mode))
}

/// The first agent founds, all others join one after the other and are made full.
pub(crate) fn found_all(mut fleet: Fleet) -> Fleet {
    let count = fleet.agents().len();
    fleet.command(0, Command::Init).unwrap();
    fleet.run_for(secs(2));
    for guest in 1..count {
        join(&mut fleet, guest, 0);
        fleet.run_for(secs(8));
    }
    fleet.run_for(secs(60));
    for guest in 3..count {
        promote(&mut fleet, guest);
    }
    fleet
}

/// Everybody vouches for a member.
pub(crate) fn promote(fleet: &mut Fleet, guest: usize) {
    let node = fleet.node(guest);
    for voter in 0..fleet.agents().len() {
        let _ = fleet.command(voter, Command::Vouch { node });
    }
    fleet.run_for(secs(30));
}

/// All links lose this many messages of one million.
pub(crate) fn lossy(fleet: &mut Fleet, loss_ppm: u32) {
    let faults = LinkFaults {
        loss_ppm,
        duplicate_ppm: loss_ppm / 4,
        reorder_ppm: loss_ppm / 2,
        reorder_ms: 2_000,
        delay_ms: 20,
    };
    fleet.world_mut().set_faults(faults);
}

/// Nothing passes between members for which `apart` says so, or everything does.
pub(crate) fn divide(fleet: &mut Fleet, apart: impl Fn(usize, usize) -> bool) {
    let nodes: Vec<NodeId> = fleet.agents().iter().map(|agent| agent.node()).collect();
    for (one, from) in nodes.iter().enumerate() {
        for (other, to) in nodes.iter().enumerate() {
            if from != to {
                let blocked = apart(one, other);
                fleet.world_mut().set_blocked(*from, *to, blocked).unwrap();
            }
        }
    }
}

/// Fails with what checkers found, if anything.
pub(crate) fn no_violation(fleet: &Fleet) {
    assert!(fleet.violations().is_empty(), "{:#?}", fleet.violations());
}

/// Waits until all disks agree.
pub(crate) fn converge(fleet: &mut Fleet, within: Millis) {
    let end = fleet.now().plus(within);
    while !fleet.unconverged().is_empty() {
        assert!(fleet.now() < end, "{:#?}", fleet.unconverged());
        fleet.run_for(secs(5));
    }
}

/// Channels that a member funded.
pub(crate) fn opens(fleet: &Fleet, member: usize) -> usize {
    let node = fleet.node(member);
    let fundings = fleet.world().fundings().iter();
    fundings.filter(|funding| funding.opener == node).count()
}

/// Whether checkers found a breach of this rule.
pub(crate) fn found(fleet: &Fleet, checker: &str) -> bool {
    let mut violations = fleet.violations().iter();
    violations.any(|violation| violation.checker == checker)
}

/// Fundings by target.
pub(crate) fn by_target(fleet: &Fleet) -> BTreeMap<NodeId, usize> {
    let mut count = BTreeMap::new();
    for funding in fleet.world().fundings() {
        *count.entry(funding.target).or_default() += 1;
    }
    count
}

/// A member's fundings by target.
pub(crate) fn targets_of(fleet: &Fleet, member: usize) -> BTreeMap<NodeId, usize> {
    let node = fleet.node(member);
    let mut count = BTreeMap::new();
    let fundings = fleet.world().fundings().iter();
    for funding in fundings.filter(|funding| funding.opener == node) {
        *count.entry(funding.target).or_default() += 1;
    }
    count
}

/// The proposals of opens that a member would make now.
pub(crate) fn wanted(fleet: &mut Fleet, member: usize) -> Vec<NodeId> {
    let Ok(Reply::Plan(plan)) = fleet.command(member, Command::Plan) else {
        return Vec::new();
    };
    let rows = plan.proposals;
    let opens = rows
        .into_iter()
        .filter_map(|row| match row.proposal.action {
            Action::Open(open) => Some(open.target),
            _ => None,
        });
    opens.collect()
}

/// Whether an agent said that it runs on an older disk.
pub(crate) fn restored(event: &Event) -> bool {
    matches!(event, Event::Restored)
}
