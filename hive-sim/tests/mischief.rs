//! Nodes that misbehave and word that comes late, by the public interface.

#![allow(clippy::unwrap_used, clippy::panic)]

use hive_planner::graph::Graph;
use hive_sim::world::{
    AlongError, Behaviour, BlockInterval, FailureCode, NodeSpec, PaymentState, World, WorldConfig,
};
use hive_types::{ChannelId, ChannelPolicy, Millis, Msat, NodeId, Ppm, RouteHop, Sat};

const AMOUNT: Msat = Msat::new(100_000_000);

/// Three nodes in a ring whose forwarders charge nothing.
struct Ring {
    world: World,
    nodes: [NodeId; 3],
    channels: [ChannelId; 3],
}

fn free() -> NodeSpec {
    let spec = NodeSpec::agent(Sat::new(1_000_000));
    let policy = ChannelPolicy {
        base: Msat::ZERO,
        rate: Ppm::ZERO,
        ..spec.policy
    };
    NodeSpec { policy, ..spec }
}

fn ring() -> Ring {
    let mut world = World::new(WorldConfig {
        blocks: BlockInterval::Manual,
        ..WorldConfig::default()
    });
    let nodes = [(); 3].map(|()| world.add_node(free()).unwrap());
    let half = Msat::new(1_000_000_000);
    let channels = [0, 1, 2].map(|place| {
        let (one, other) = (nodes[place], nodes[(place + 1) % 3]);
        let size = Sat::new(2_000_000);
        world.settled_channel(one, other, size, half).unwrap()
    });
    world.mine(6);
    Ring {
        world,
        nodes,
        channels,
    }
}

impl Ring {
    /// The way round from the first node back to it.
    fn around(&self) -> Vec<RouteHop> {
        let mut hops = Vec::new();
        for place in 0..3 {
            hops.push(RouteHop {
                channel: self
                    .world
                    .channel(self.channels[place])
                    .unwrap()
                    .scid
                    .unwrap(),
                to: self.nodes[(place + 1) % 3],
                amount: AMOUNT,
                cltv_blocks: 40 + 80 * (2 - place as u32),
            });
        }
        hops
    }

    fn pay_around(&mut self) -> Option<PaymentState> {
        let payer = self.nodes[0];
        let hash = self.world.create_invoice(payer, [7; 32], AMOUNT).unwrap();
        let hops = self.around();
        self.world.send_route(payer, hash, &hops).unwrap();
        self.pass(Millis::from_secs(10));
        self.world.payment(payer, hash)
    }

    fn pass(&mut self, span: Millis) {
        self.world.advance_to(self.world.now().plus(span));
    }

    fn owned(&self, node: NodeId) -> u64 {
        let mut sum = 0;
        for info in self.world.channels() {
            for side in 0..2 {
                if info.nodes[side] == node {
                    sum += info.balances[side].get();
                }
            }
        }
        sum
    }

    /// What the second node sees of the first one's policy on their channel.
    fn seen(&self) -> Ppm {
        let snapshot = self.world.snapshot(self.nodes[1]).unwrap();
        let mut channels = snapshot.channels.iter();
        let channel = channels.find(|channel| channel.channel_id == self.channels[0]);
        channel.unwrap().remote_policy.unwrap().rate
    }

    fn set_rate(&mut self, rate: u32) {
        let info = self.world.channel(self.channels[0]).unwrap();
        let side = usize::from(info.nodes[1] == self.nodes[0]);
        let policy = ChannelPolicy {
            rate: Ppm::new(rate),
            ..info.policies[side]
        };
        self.world
            .set_policy(self.nodes[0], self.channels[0], policy)
            .unwrap();
    }
}

#[test]
fn a_short_paying_last_hop_gains_nothing() {
    let mut ring = ring();
    let how = Behaviour {
        short_pays: Msat::new(1),
        ..Behaviour::default()
    };
    ring.world.set_behaviour(ring.nodes[2], how).unwrap();
    let before = ring.nodes.map(|node| ring.owned(node));
    let Some(PaymentState::Failed(failure)) = ring.pay_around() else {
        panic!("less than the invoice was settled");
    };
    let refused = FailureCode::IncorrectOrUnknownPaymentDetails;
    assert_eq!((failure.hop, failure.code), (3, refused));
    assert_eq!(ring.nodes.map(|node| ring.owned(node)), before);
    ring.world.check_conservation().unwrap();
}

#[test]
fn a_dead_first_hop_is_reported_by_the_payer_itself() {
    let mut ring = ring();
    let how = Behaviour {
        dead_first_hop: true,
        ..Behaviour::default()
    };
    ring.world.set_behaviour(ring.nodes[0], how).unwrap();
    let Some(PaymentState::Failed(failure)) = ring.pay_around() else {
        panic!("a dead hop was crossed");
    };
    assert_eq!((failure.hop, failure.node), (0, ring.nodes[0]));
    // It forwards for others as ever.
    let way = [ring.channels[2], ring.channels[0]];
    ring.world.pay_along(ring.nodes[2], &way, AMOUNT).unwrap();
    ring.world.check_conservation().unwrap();
}

#[test]
fn late_word_leaves_others_with_the_old_policy_and_brings_the_newest() {
    let mut ring = ring();
    ring.set_rate(10);
    assert_eq!(ring.seen(), Ppm::new(10));
    let lag = Millis::from_secs(600);
    ring.world.set_policy_lag(ring.nodes[0], lag).unwrap();
    ring.set_rate(500);
    ring.pass(Millis::from_secs(300));
    ring.set_rate(700);
    ring.pass(Millis::from_secs(299));
    assert_eq!(ring.seen(), Ppm::new(10));
    ring.pass(Millis::from_secs(1));
    assert_eq!(ring.seen(), Ppm::new(700));
    // Gossip follows.
    ring.pass(Millis::from_secs(700));
    let graph = ring.world.graph_of(ring.nodes[2]).unwrap();
    assert_eq!(rate_in(&graph, &ring), Some(Ppm::new(700)));
    // What is asked was new at once.
    ring.world
        .set_policy_lag(ring.nodes[0], Millis::ZERO)
        .unwrap();
    ring.set_rate(0);
    assert_eq!(ring.seen(), Ppm::ZERO);
}

fn rate_in(graph: &Graph, ring: &Ring) -> Option<Ppm> {
    let scid = ring.world.channel(ring.channels[0]).unwrap().scid.unwrap();
    let edge = graph.edge(scid, graph.node_index(&ring.nodes[0])?)?;
    edge.policy.map(|policy| policy.rate)
}

#[test]
fn a_private_channel_is_seen_by_its_ends_with_both_policies() {
    let mut ring = ring();
    let (one, two) = (ring.nodes[0], ring.nodes[1]);
    let id = ring
        .world
        .private_channel(one, two, Sat::new(1_000_000), Msat::new(500_000_000))
        .unwrap();
    ring.world.mine(6);
    let seen = |world: &World, node: NodeId| {
        let snapshot = world.snapshot(node).unwrap();
        let mut channels = snapshot.channels.into_iter();
        channels.find(|channel| channel.channel_id == id)
    };
    let channel = seen(&ring.world, two).unwrap();
    assert!(channel.usable && !channel.announced);
    assert_eq!(
        channel.remote_policy.map(|policy| policy.rate),
        Some(Ppm::ZERO)
    );
    assert!(seen(&ring.world, ring.nodes[2]).is_none());
    let scid = channel.scid.unwrap();
    ring.pass(Millis::from_secs(700));
    let graph = ring.world.graph_of(ring.nodes[2]).unwrap();
    assert!(graph.channels().all(|channel| channel.scid != scid));
    // It carries what its ends send over it.
    ring.world.pay_along(one, &[id], AMOUNT).unwrap();
    ring.world.check_conservation().unwrap();
}

#[test]
fn outsiders_drain_a_corridor_until_it_is_dry() {
    let mut ring = ring();
    let way = [ring.channels[0], ring.channels[1]];
    let mut paid = 0;
    let end = loop {
        match ring.world.pay_along(ring.nodes[0], &way, AMOUNT) {
            Ok(fee) => assert_eq!(fee, Msat::ZERO),
            Err(error) => break error,
        }
        paid += 1;
    };
    // 1 M sat less the reserve of one hundredth, in steps of 100,000 sat.
    assert_eq!(paid, 9);
    let dry = AlongError::Hop(0, FailureCode::TemporaryChannelFailure);
    assert_eq!(end, dry);
    assert_eq!(
        ring.world
            .pay_along(ring.nodes[0], &[ring.channels[1]], AMOUNT),
        Err(AlongError::Broken(ring.channels[1]))
    );
    ring.world.check_conservation().unwrap();
}

#[test]
fn a_black_hole_fails_what_it_forwards_and_pays_its_own() {
    let mut ring = ring();
    let how = Behaviour {
        fails_forwards: true,
        ..Behaviour::default()
    };
    ring.world.set_behaviour(ring.nodes[1], how).unwrap();
    let Some(PaymentState::Failed(failure)) = ring.pay_around() else {
        panic!("it forwarded");
    };
    assert_eq!((failure.hop, failure.node), (1, ring.nodes[1]));
    ring.world
        .pay_along(ring.nodes[1], &[ring.channels[1]], AMOUNT)
        .unwrap();
}
