//! Fees among fellows: what the world's channels ask, who is blamed for it, and what leaving leaves.

use crate::support::{divide, join, minutes, no_violation, on, promote, secs};
use hive_core::{Command, Event, Reply};
use hive_policy::Mode;
use hive_policy::conduct::FlagKind;
use hive_sim::fleet::Fleet;
use hive_sim::generate::{GeneratorConfig, generate};
use hive_sim::world::{World, WorldConfig};
use hive_types::{ChannelId, ChannelPolicy, Millis, Msat, NodeId, Ppm, Sat, Tier};
use std::sync::Arc;

/// What every node asks before it joins.
const BEFORE: (u64, u32) = (1_000, 400);

/// Members in a ring: each has a channel of two million sat with the next one, half of it each, and
/// one with an outside node. Nobody is in a fleet yet.
struct Ring {
    fleet: Fleet,
    nodes: Vec<NodeId>,
    /// Of each member with the next one.
    corridors: Vec<ChannelId>,
    outside: Vec<NodeId>,
}

fn policy(base: u64, rate: u32) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(base),
        rate: Ppm::new(rate),
        cltv_delta: 80,
        htlc_minimum: Msat::new(1_000),
        htlc_maximum: Msat::new(1_900_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

fn ring(count: usize, seed: u8) -> Ring {
    let network = GeneratorConfig {
        nodes: 40,
        seed: [seed; 32],
    };
    let graph = Arc::new(generate(&network));
    let config = WorldConfig {
        seed: [seed; 32],
        ..WorldConfig::default()
    };
    let mut world = World::from_graph(&graph, config);
    let outside: Vec<NodeId> = graph.nodes().map(|(_, node)| node).collect();
    let spec = || hive_sim::world::NodeSpec {
        policy: policy(BEFORE.0, BEFORE.1),
        ..hive_sim::world::NodeSpec::agent(Sat::new(1_000_000))
    };
    let nodes: Vec<NodeId> = (0..count)
        .map(|_| world.add_node(spec()).unwrap())
        .collect();
    let (size, half) = (Sat::new(2_000_000), Msat::new(1_000_000_000));
    let mut corridors = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let next = nodes[(index + 1) % count];
        corridors.push(world.settled_channel(*node, next, size, half).unwrap());
        let peer = outside[3 * index];
        world.settled_channel(*node, peer, size, half).unwrap();
    }
    world.mine(6);
    let fleet = on(world, &nodes, seed, Mode::Advisor);
    Ring {
        fleet,
        nodes,
        corridors,
        outside,
    }
}

/// All of them in one fleet, full members.
fn founded(count: usize, seed: u8) -> Ring {
    let mut ring = ring(count, seed);
    ring.fleet.command(0, Command::Init).unwrap();
    ring.fleet.run_for(secs(2));
    for guest in 1..count {
        join(&mut ring.fleet, guest, 0);
        ring.fleet.run_for(secs(60));
    }
    for guest in 3..count {
        promote(&mut ring.fleet, guest);
    }
    ring.fleet.run_for(minutes(3));
    ring
}

impl Ring {
    /// What a member announces on its channel with another one: base fee and rate.
    fn asks(&self, member: usize, corridor: usize) -> (u64, u32) {
        let policy = self.policy(member, corridor);
        (policy.base.get(), policy.rate.get())
    }

    fn policy(&self, member: usize, corridor: usize) -> ChannelPolicy {
        let info = self.fleet.world().channel(self.corridors[corridor]);
        let info = info.unwrap();
        let side = usize::from(info.nodes[1] == self.nodes[member]);
        info.policies[side]
    }

    /// Another tool on the member's machine sets a policy.
    fn set(&mut self, member: usize, corridor: usize, policy: ChannelPolicy) {
        let (node, channel) = (self.nodes[member], self.corridors[corridor]);
        let world = self.fleet.world_mut();
        world.set_policy(node, channel, policy).unwrap();
    }

    /// Who blamed whom for its fees so far: judge and fellow.
    fn blames(&self) -> Vec<(usize, usize)> {
        let blames = self.fleet.events().iter();
        let blames = blames.filter_map(|(_, judge, event)| match event {
            Event::Flagged {
                node,
                kind: FlagKind::Fees,
                ..
            } => Some((*judge, self.nodes.iter().position(|other| other == node)?)),
            _ => None,
        });
        blames.collect()
    }

    fn suspected(&self, judge: usize, member: usize) -> usize {
        let node = self.nodes[member];
        let events = self.fleet.events().iter();
        let suspicions = events.filter(|(_, by, event)| {
            *by == judge && matches!(event, Event::Suspected { node: of, .. } if *of == node)
        });
        suspicions.count()
    }

    fn flags(&mut self, judge: usize, member: usize) -> Vec<FlagKind> {
        let node = self.nodes[member];
        let Ok(Reply::Members(rows)) = self.fleet.command(judge, Command::Members) else {
            panic!("no members");
        };
        let row = rows.into_iter().find(|row| row.node_id == node).unwrap();
        row.flags.into_iter().map(|flag| flag.kind).collect()
    }

    fn alerts(&self, member: usize, word: &str) -> usize {
        let events = self.fleet.events().iter();
        let alerts = events.filter(|(_, by, event)| {
            *by == member && matches!(event, Event::Alert { text } if text.contains(word))
        });
        alerts.count()
    }
}

#[test]
fn t11_a_probationary_member_pays_half_and_nothing_after_its_promotion() {
    let mut ring = ring(4, 1);
    ring.fleet.command(0, Command::Init).unwrap();
    ring.fleet.run_for(secs(2));
    for guest in 1..4 {
        join(&mut ring.fleet, guest, 0);
        ring.fleet.run_for(secs(90));
    }
    assert_eq!(ring.fleet.status(3).tier, Some(Tier::Probationary));
    let half = (BEFORE.0 / 2, BEFORE.1 / 2);
    // The fourth member's corridors are the third and the fourth, seen from both ends.
    for (member, corridor) in [(2, 2), (3, 2), (3, 3), (0, 3)] {
        assert_eq!(ring.asks(member, corridor), half, "{member} on {corridor}");
    }
    for (member, corridor) in [(0, 0), (1, 0), (1, 1), (2, 1)] {
        assert_eq!(
            ring.asks(member, corridor),
            (0, 0),
            "{member} on {corridor}"
        );
    }
    promote(&mut ring.fleet, 3);
    ring.fleet.run_for(secs(90));
    assert_eq!(ring.fleet.status(3).tier, Some(Tier::Full));
    for (member, corridor) in [(2, 2), (3, 2), (3, 3), (0, 3)] {
        assert_eq!(
            ring.asks(member, corridor),
            (0, 0),
            "{member} on {corridor}"
        );
    }
    no_violation(&ring.fleet);
}

#[test]
fn t50_a_fee_cheat_is_found_loses_the_free_corridor_and_gets_it_back() {
    let mut ring = founded(4, 2);
    assert!(ring.blames().is_empty());
    // The tool comes back each minute; the cheat's own agent gives up after two tries.
    let cheat = policy(0, 500);
    for _ in 0..8 {
        ring.set(1, 0, cheat);
        ring.fleet.run_for(secs(65));
        assert!(ring.suspected(0, 1) > 0, "within one cycle");
    }
    assert_eq!(ring.alerts(1, "something else"), 1);
    assert_eq!(ring.asks(1, 0), (0, 500));
    ring.fleet.run_for(minutes(20));
    assert!(ring.blames().is_empty(), "within the grace");
    ring.fleet.run_for(minutes(15));
    assert_eq!(ring.blames(), [(0, 1)]);
    ring.fleet.run_for(minutes(2));
    assert_eq!(ring.asks(0, 0), BEFORE, "as an outsider");
    assert_eq!(ring.asks(0, 3), (0, 0), "others pass freely");
    // The withdrawal was told: the cheat does not blame who withdrew, and nobody else blames anybody.
    ring.fleet.run_for(Millis::from_hours(6));
    assert_eq!(ring.blames(), [(0, 1)]);
    assert_eq!(ring.flags(0, 1), [FlagKind::Fees]);
    ring.set(1, 0, policy(0, 0));
    ring.fleet.run_for(minutes(3));
    assert!(ring.flags(0, 1).is_empty());
    assert_eq!(ring.asks(0, 0), (0, 0));
    ring.fleet.run_for(minutes(60));
    assert_eq!(ring.blames(), [(0, 1)]);
    // What was set by hand had no permit; all else was as it should be.
    let others = ring.fleet.violations().iter();
    let others = others.filter(|found| found.checker != "policies change by permit only");
    assert_eq!(others.count(), 0, "{:#?}", ring.fleet.violations());
}

#[test]
fn t50_a_private_corridor_is_judged_by_the_peers_own_update() {
    let mut ring = ring(2, 3);
    let (size, half) = (Sat::new(2_000_000), Msat::new(1_000_000_000));
    let (one, other) = (ring.nodes[0], ring.nodes[1]);
    let world = ring.fleet.world_mut();
    let hidden = world.private_channel(one, other, size, half).unwrap();
    world.mine(6);
    ring.corridors.push(hidden);
    ring.fleet.command(0, Command::Init).unwrap();
    ring.fleet.run_for(secs(2));
    join(&mut ring.fleet, 1, 0);
    ring.fleet.run_for(minutes(3));
    let place = ring.corridors.len() - 1;
    assert_eq!((ring.asks(0, place), ring.asks(1, place)), ((0, 0), (0, 0)));
    let mut tiny = policy(0, 0);
    tiny.htlc_maximum = Msat::new(1_000);
    ring.set(1, place, tiny);
    ring.fleet.run_for(minutes(35));
    assert_eq!(ring.blames(), [(0, 1)]);
    no_violation(&ring.fleet);
}

#[test]
fn t51_slow_word_of_fees_and_a_partition_blame_nobody() {
    let mut ring = ring(4, 4);
    // Word of every fee takes twenty minutes to leave its node.
    for node in ring.nodes.clone() {
        let lag = minutes(20);
        ring.fleet.world_mut().set_policy_lag(node, lag).unwrap();
    }
    ring.fleet.command(0, Command::Init).unwrap();
    ring.fleet.run_for(secs(2));
    for guest in 1..4 {
        join(&mut ring.fleet, guest, 0);
        ring.fleet.run_for(secs(60));
    }
    ring.fleet.run_for(minutes(50));
    for node in ring.nodes.clone() {
        let world = ring.fleet.world_mut();
        world.set_policy_lag(node, Millis::ZERO).unwrap();
    }
    // A member that is cut off hears of the promotion late; its clock is set off meanwhile.
    divide(&mut ring.fleet, |one, other| one == 2 || other == 2);
    for voter in [0, 1, 2] {
        let node = ring.nodes[3];
        let _ = ring.fleet.command(voter, Command::Vouch { node });
    }
    ring.fleet.set_skew(0, 86_400_000);
    ring.fleet.run_for(minutes(25));
    divide(&mut ring.fleet, |_, _| false);
    ring.fleet.set_skew(0, -86_400_000);
    ring.fleet.run_for(Millis::from_hours(2));
    assert!(ring.suspected(0, 1) > 0, "seen, and not held against it");
    assert_eq!(ring.blames(), []);
    for (member, corridor) in [(2, 2), (3, 2), (3, 3), (0, 3)] {
        assert_eq!(
            ring.asks(member, corridor),
            (0, 0),
            "{member} on {corridor}"
        );
    }
}

#[test]
fn t52_a_link_that_demands_what_no_update_says_is_a_fault_and_no_cheating() {
    let mut ring = founded(3, 8);
    let (node, channel) = (ring.nodes[1], ring.corridors[0]);
    let hidden = Some(policy(0, 700));
    let world = ring.fleet.world_mut();
    world.set_hidden_policy(node, channel, hidden).unwrap();
    ring.fleet.run_for(Millis::from_hours(26));
    let judge = |ring: &Ring, member| ring.alerts(member, "fault: a test payment");
    assert!(judge(&ring, 0) >= 1, "found within a day");
    assert_eq!(judge(&ring, 2), 0, "its own corridor with it is as it says");
    let told = ring.fleet.heard(0, |event| {
        matches!(event, Event::Alert { text } if text.contains("demands 0msat and 700ppm")
            && text.contains("says 0msat and 0ppm"))
    });
    assert!(told);
    assert_eq!(ring.blames(), []);
    for observer in [0, 2] {
        assert_eq!(ring.flags(observer, 1), []);
    }
    assert_eq!(ring.asks(0, 0), (0, 0), "its corridor stays free");
    no_violation(&ring.fleet);
}

#[test]
fn t61_outsiders_who_drain_a_free_corridor_meet_a_floor_that_nobody_is_blamed_for() {
    let mut ring = founded(3, 5);
    let (from, to) = (ring.outside[0], ring.nodes[1]);
    let scids: Vec<_> = {
        let world = ring.fleet.world();
        let own = world.channels();
        let into = own.filter(|info| info.nodes.contains(&ring.nodes[0]));
        let into = into.filter(|info| info.nodes.contains(&from));
        let first = into.map(|info| info.id).next().unwrap();
        vec![first, ring.corridors[0]]
    };
    let pays = |ring: &mut Ring, sat: u64| {
        let amount = Msat::new(sat * 1_000);
        ring.fleet.world_mut().pay_along(from, &scids, amount)
    };
    assert_eq!(pays(&mut ring, 10_000).unwrap(), Msat::ZERO, "free");
    ring.fleet.run_for(minutes(2));
    for _ in 0..4 {
        pays(&mut ring, 100_000).unwrap();
        ring.fleet.run_for(minutes(20));
    }
    assert_eq!(ring.alerts(0, "outsiders moved"), 0, "under the bound");
    // What comes back is no loss.
    let back: Vec<ChannelId> = scids.iter().rev().copied().collect();
    let world = ring.fleet.world_mut();
    world.pay_along(to, &back, Msat::new(300_000_000)).unwrap();
    ring.fleet.run_for(minutes(2));
    for _ in 0..3 {
        pays(&mut ring, 100_000).unwrap();
        ring.fleet.run_for(minutes(20));
    }
    assert_eq!(ring.alerts(0, "outsiders moved"), 0);
    pays(&mut ring, 150_000).unwrap();
    ring.fleet.run_for(minutes(2));
    assert_eq!(ring.alerts(0, "outsiders moved"), 1);
    assert_eq!(ring.asks(0, 0), (0, BEFORE.1 / 4));
    assert!(pays(&mut ring, 10_000).unwrap() > Msat::ZERO);
    ring.fleet.run_for(minutes(2));
    // The fellow was told, and takes the floor for agreed; a day and more later it is over.
    ring.fleet.run_for(Millis::from_hours(20));
    assert_eq!(ring.asks(0, 0), (0, BEFORE.1 / 4), "hysteresis");
    ring.fleet.run_for(Millis::from_hours(30));
    assert_eq!(ring.asks(0, 0), (0, 0));
    assert_eq!(ring.blames(), []);
    no_violation(&ring.fleet);
}

#[test]
fn t62_the_last_member_leaves_alone_and_every_fee_is_back() {
    let mut ring = founded(3, 6);
    assert_eq!(ring.asks(0, 0), (0, 0));
    // Nobody else is online.
    ring.fleet.crash(1);
    ring.fleet.crash(2);
    ring.fleet.run_for(minutes(2));
    ring.fleet.command(0, Command::Leave).unwrap();
    ring.fleet.run_for(minutes(3));
    assert_eq!((ring.asks(0, 0), ring.asks(0, 2)), (BEFORE, BEFORE));
    assert_eq!(ring.fleet.status(0).stage, "alone");
    assert!(ring.fleet.agents()[0].disk().stored.saved_fees.is_empty());
    // Others come back, learn of it, and leave one after the other.
    for member in [1, 2] {
        ring.fleet.boot(member);
    }
    ring.fleet.run_for(minutes(10));
    assert_eq!(ring.asks(1, 0), BEFORE, "no fellow any more");
    assert_eq!(ring.asks(1, 1), (0, 0));
    for member in [1, 2] {
        ring.fleet.command(member, Command::Leave).unwrap();
        ring.fleet.run_for(minutes(5));
    }
    for (member, corridor) in [(0, 0), (0, 2), (1, 0), (1, 1), (2, 1), (2, 2)] {
        assert_eq!(
            ring.asks(member, corridor),
            BEFORE,
            "{member} on {corridor}"
        );
        assert_eq!(ring.fleet.status(member).stage, "alone");
    }
    assert_eq!(ring.blames(), []);
}

#[test]
fn t63_an_agent_that_is_gone_is_stale_and_one_command_restores_fees_without_the_fleet() {
    let mut ring = founded(3, 7);
    // The agent of one is gone for two days, then its node too.
    ring.fleet.crash(1);
    ring.fleet.run_for(Millis::from_hours(30));
    let node = ring.nodes[1];
    ring.fleet.world_mut().set_online(node, false).unwrap();
    ring.fleet.run_for(Millis::from_hours(18));
    let Ok(Reply::Members(rows)) = ring.fleet.command(0, Command::Members) else {
        panic!("no members");
    };
    let gone = rows.into_iter().find(|row| row.node_id == node).unwrap();
    assert!(!gone.fresh && gone.flags.is_empty(), "{gone:?}");
    assert_eq!(ring.blames(), []);
    // It comes back where nobody else is.
    for member in [0, 2] {
        ring.fleet.crash(member);
    }
    ring.fleet.world_mut().set_online(node, true).unwrap();
    ring.fleet.boot(1);
    ring.fleet.run_for(minutes(2));
    let restored = Command::RestoreFees { resume: false };
    ring.fleet.command(1, restored).unwrap();
    ring.fleet.run_for(minutes(3));
    assert_eq!((ring.asks(1, 0), ring.asks(1, 1)), (BEFORE, BEFORE));
    assert_eq!(ring.fleet.status(1).stage, "starting", "alone");
    // It stays so, over a restart too, until it is told otherwise.
    ring.fleet.crash(1);
    ring.fleet.boot(1);
    ring.fleet.run_for(Millis::from_hours(2));
    assert_eq!((ring.asks(1, 0), ring.asks(1, 1)), (BEFORE, BEFORE));
    for member in [0, 2] {
        ring.fleet.boot(member);
    }
    ring.fleet.run_for(minutes(10));
    let resumed = Command::RestoreFees { resume: true };
    ring.fleet.command(1, resumed).unwrap();
    ring.fleet.run_for(minutes(3));
    assert_eq!((ring.asks(1, 0), ring.asks(1, 1)), ((0, 0), (0, 0)));
    assert_eq!(ring.blames(), []);
}
