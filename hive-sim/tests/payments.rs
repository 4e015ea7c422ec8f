//! Payments, fees, routes, gossip and demand by the public interface.

#![allow(clippy::unwrap_used, clippy::panic)]

use hive_sim::generate::{GeneratorConfig, generate};
use hive_sim::world::{
    Behaviour, BlockInterval, FailureCode, InvoiceError, InvoiceState, NodeEvent, NodeSpec,
    PayError, PaymentState, SendRouteError, TrafficConfig, World, WorldConfig,
};
use hive_types::{ChannelId, ChannelPolicy, Digest, Msat, NodeId, Ppm, RouteHop, Sat, UnixMillis};
use std::sync::Arc;

const CAPACITY: Sat = Sat::new(2_000_000);

fn config() -> WorldConfig {
    WorldConfig {
        blocks: BlockInterval::Manual,
        ..WorldConfig::default()
    }
}

fn agents<const N: usize>(world: &mut World) -> [NodeId; N] {
    [(); N].map(|()| {
        world
            .add_node(NodeSpec::agent(Sat::new(1_000_000)))
            .unwrap()
    })
}

/// A channel with half of its money at each end.
fn channel(world: &mut World, a: NodeId, b: NodeId) -> ChannelId {
    world
        .settled_channel(a, b, CAPACITY, Msat::new(1_000_000_000))
        .unwrap()
}

fn set_fee(world: &mut World, node: NodeId, channel: ChannelId, base: u64, ppm: u32) {
    let policy = policy_of(world, node, channel);
    let policy = ChannelPolicy {
        base: Msat::new(base),
        rate: Ppm::new(ppm),
        ..policy
    };
    world.set_policy(node, channel, policy).unwrap();
}

fn policy_of(world: &World, node: NodeId, channel: ChannelId) -> ChannelPolicy {
    let info = world.channel(channel).unwrap();
    let side = info.nodes.iter().position(|id| *id == node).unwrap();
    info.policies[side]
}

/// Hops along channels, fees and timelocks as announced.
fn route(world: &World, from: NodeId, channels: &[ChannelId], amount: u64) -> Vec<RouteHop> {
    let mut at = from;
    let mut ways = Vec::new();
    for id in channels {
        let info = world.channel(*id).unwrap();
        let side = info.nodes.iter().position(|node| *node == at).unwrap();
        at = info.nodes[1 - side];
        ways.push((info.scid.unwrap(), at, info.policies[side]));
    }
    let (mut carried, mut cltv) = (amount, 40);
    let mut hops = Vec::new();
    for (channel, to, policy) in ways.into_iter().rev() {
        hops.push(RouteHop {
            channel,
            to,
            amount: Msat::new(carried),
            cltv_blocks: cltv,
        });
        carried += policy.fee(Msat::new(carried)).unwrap().get();
        cltv += u32::from(policy.cltv_delta);
    }
    hops.reverse();
    hops
}

fn off_chain(world: &World, node: NodeId) -> u64 {
    let mut sum = 0;
    for channel in world.channels() {
        for side in 0..2 {
            if channel.nodes[side] == node {
                sum += channel.balances[side].get() + channel.in_flight[side].get();
            }
        }
    }
    sum
}

fn pass(world: &mut World, millis: u64) {
    let end = UnixMillis::new(world.now().get() + millis);
    world.advance_to(end);
}

fn failure(world: &World, node: NodeId, hash: Digest) -> (usize, NodeId, FailureCode) {
    match world.payment(node, hash) {
        Some(PaymentState::Failed(failure)) => (failure.hop, failure.node, failure.code),
        other => panic!("{other:?}"),
    }
}

/// Alice - Bob - Carol - Alice, with fees at Bob and Carol.
struct Triangle {
    world: World,
    alice: NodeId,
    bob: NodeId,
    carol: NodeId,
    ab: ChannelId,
    bc: ChannelId,
    ca: ChannelId,
}

fn triangle() -> Triangle {
    let mut world = World::new(config());
    let [alice, bob, carol] = agents(&mut world);
    let ab = channel(&mut world, alice, bob);
    let bc = channel(&mut world, bob, carol);
    let ca = channel(&mut world, carol, alice);
    set_fee(&mut world, bob, bc, 1_000, 100);
    set_fee(&mut world, carol, ca, 0, 500);
    Triangle {
        world,
        alice,
        bob,
        carol,
        ab,
        bc,
        ca,
    }
}

#[test]
fn fees_go_to_those_who_forward() {
    let mut world = World::new(config());
    let nodes: [NodeId; 4] = agents(&mut world);
    let ids: Vec<_> = (0..3)
        .map(|place| channel(&mut world, nodes[place], nodes[place + 1]))
        .collect();
    set_fee(&mut world, nodes[1], ids[1], 1_000, 200);
    set_fee(&mut world, nodes[2], ids[2], 500, 300);
    let before = nodes.map(|node| off_chain(&world, node));
    let amount = 100_000_000;
    let paid = world.pay(nodes[0], nodes[3], Msat::new(amount)).unwrap();
    let second = 500 + amount * 300 / 1_000_000;
    let first = 1_000 + (amount + second) * 200 / 1_000_000;
    assert_eq!(paid.fee, Msat::new(first + second));
    assert_eq!((paid.hops, paid.attempts), (3, 1));
    let after = nodes.map(|node| off_chain(&world, node));
    assert_eq!(after[0], before[0] - amount - first - second);
    assert_eq!(after[1], before[1] + first);
    assert_eq!(after[2], before[2] + second);
    assert_eq!(after[3], before[3] + amount);
    let totals = world.snapshot(nodes[1]).unwrap().forwards;
    assert_eq!(totals.len(), 1);
    assert_eq!((totals[0].from, totals[0].to), (nodes[0], nodes[2]));
    assert_eq!(totals[0].fees, Msat::new(first));
    assert_eq!(totals[0].volume, Msat::new(amount + second));
    assert_eq!(world.fees_earned(nodes[2]), Ok(Msat::new(second)));
    world.check_conservation().unwrap();
}

#[test]
fn senders_try_another_way_when_a_channel_is_empty() {
    let mut world = World::new(config());
    let [alice, bob, carol, dave] = agents(&mut world);
    channel(&mut world, alice, bob);
    channel(&mut world, alice, carol);
    // The cheap way is empty behind Bob, which Alice cannot know.
    let bd = world
        .settled_channel(bob, dave, CAPACITY, CAPACITY.to_msat().unwrap())
        .unwrap();
    let cd = channel(&mut world, carol, dave);
    set_fee(&mut world, bob, bd, 0, 0);
    set_fee(&mut world, carol, cd, 2_000, 1_000);
    let paid = world.pay(alice, dave, Msat::new(50_000_000)).unwrap();
    assert_eq!((paid.attempts, paid.fee), (2, Msat::new(52_000)));
    world.set_online(carol, false).unwrap();
    assert!(matches!(
        world.pay(alice, dave, Msat::new(50_000_000)),
        Err(PayError::NoWay(_))
    ));
    assert_eq!(
        world.pay(alice, carol, Msat::new(1)),
        Err(PayError::Offline(carol))
    );
    world.check_conservation().unwrap();
}

#[test]
fn t60_a_circular_payment_changes_the_total_by_fees_only() {
    let Triangle {
        mut world,
        alice,
        bob,
        carol,
        ab,
        bc,
        ca,
    } = triangle();
    let before = [alice, bob, carol].map(|node| off_chain(&world, node));
    let amount = 200_000_000;
    let hash = world
        .create_invoice(alice, [7; 32], Msat::new(amount))
        .unwrap();
    let hops = route(&world, alice, &[ab, bc, ca], amount);
    world.send_route(alice, hash, &hops).unwrap();
    assert_eq!(world.payment(alice, hash), Some(PaymentState::InFlight));
    assert_eq!(
        world.send_route(alice, hash, &hops),
        Err(SendRouteError::Known)
    );
    assert_eq!(world.snapshot(bob).unwrap().channels[0].htlcs, 1);
    world.check_conservation().unwrap();
    pass(&mut world, 10_000);
    let carols = 100_000;
    let bobs = 1_000 + (amount + carols) / 10_000;
    assert_eq!(
        world.payment(alice, hash),
        Some(PaymentState::Succeeded {
            preimage: [7; 32],
            fee: Msat::new(bobs + carols)
        })
    );
    let after = [alice, bob, carol].map(|node| off_chain(&world, node));
    assert_eq!(after[0], before[0] - bobs - carols);
    assert_eq!(after[1], before[1] + bobs);
    assert_eq!(after[2], before[2] + carols);
    assert_eq!(
        world.cancel_invoice(alice, hash),
        Err(InvoiceError::Settled)
    );
    let told = std::iter::from_fn(|| world.poll_event(alice))
        .any(|event| matches!(event, NodeEvent::PaymentResult { hash: told, .. } if told == hash));
    assert!(told);
    world.check_conservation().unwrap();
}

#[test]
fn a_probe_fails_at_the_final_node_and_costs_nothing() {
    let Triangle {
        mut world,
        alice,
        ab,
        bc,
        carol,
        ..
    } = triangle();
    let before = off_chain(&world, alice);
    let hash = Digest::from_bytes([9; 32]);
    let hops = route(&world, alice, &[ab, bc], 1_000_000);
    world.send_route(alice, hash, &hops).unwrap();
    pass(&mut world, 10_000);
    let unknown = FailureCode::IncorrectOrUnknownPaymentDetails;
    assert_eq!(failure(&world, alice, hash), (2, carol, unknown));
    assert_eq!(off_chain(&world, alice), before);
    // A failed hash may go again.
    world.send_route(alice, hash, &hops).unwrap();
}

#[test]
fn t52_a_fee_that_gossip_does_not_show_is_found_by_a_payment() {
    let Triangle {
        mut world,
        alice,
        bob,
        ab,
        bc,
        ..
    } = triangle();
    let hidden = ChannelPolicy {
        rate: Ppm::new(5_000),
        ..policy_of(&world, bob, bc)
    };
    world.set_hidden_policy(bob, bc, Some(hidden)).unwrap();
    let hash = Digest::from_bytes([9; 32]);
    let hops = route(&world, alice, &[ab, bc], 1_000_000);
    world.send_route(alice, hash, &hops).unwrap();
    pass(&mut world, 10_000);
    assert_eq!(
        failure(&world, alice, hash),
        (1, bob, FailureCode::FeeInsufficient)
    );
}

#[test]
fn every_refusal_names_its_hop_and_reason() {
    let refusal = |change: &dyn Fn(&mut Triangle, &mut Vec<RouteHop>)| {
        let mut all = triangle();
        let channels = [all.ab, all.bc];
        let mut hops = route(&all.world, all.alice, &channels, 10_000_000);
        change(&mut all, &mut hops);
        let hash = Digest::from_bytes([1; 32]);
        all.world.send_route(all.alice, hash, &hops).unwrap();
        pass(&mut all.world, 10_000);
        all.world.check_conservation().unwrap();
        let (hop, node, code) = failure(&all.world, all.alice, hash);
        assert_eq!((hop, node), (1, all.bob));
        code
    };
    let disable = |all: &mut Triangle, _: &mut Vec<RouteHop>| {
        let mut policy = policy_of(&all.world, all.bob, all.bc);
        policy.disabled = true;
        all.world.set_policy(all.bob, all.bc, policy).unwrap();
    };
    assert_eq!(refusal(&disable), FailureCode::ChannelDisabled);
    let raise_minimum = |all: &mut Triangle, _: &mut Vec<RouteHop>| {
        let mut policy = policy_of(&all.world, all.bob, all.bc);
        policy.htlc_minimum = Msat::new(20_000_000);
        all.world.set_policy(all.bob, all.bc, policy).unwrap();
    };
    assert_eq!(refusal(&raise_minimum), FailureCode::AmountBelowMinimum);
    let lower_maximum = |all: &mut Triangle, _: &mut Vec<RouteHop>| {
        let mut policy = policy_of(&all.world, all.bob, all.bc);
        policy.htlc_maximum = Msat::new(1_000_000);
        all.world.set_policy(all.bob, all.bc, policy).unwrap();
    };
    assert_eq!(
        refusal(&lower_maximum),
        FailureCode::TemporaryChannelFailure
    );
    let charge_inbound = |all: &mut Triangle, _: &mut Vec<RouteHop>| {
        let mut policy = policy_of(&all.world, all.bob, all.ab);
        policy.inbound_ppm = 10;
        all.world.set_policy(all.bob, all.ab, policy).unwrap();
    };
    assert_eq!(refusal(&charge_inbound), FailureCode::FeeInsufficient);
    let shorten = |_: &mut Triangle, hops: &mut Vec<RouteHop>| hops[0].cltv_blocks -= 1;
    assert_eq!(refusal(&shorten), FailureCode::IncorrectCltvExpiry);
    let misname = |_: &mut Triangle, hops: &mut Vec<RouteHop>| {
        hops[1].channel = "1x1x1".parse().unwrap();
    };
    assert_eq!(refusal(&misname), FailureCode::UnknownNextPeer);
    let lie = |all: &mut Triangle, _: &mut Vec<RouteHop>| {
        let how = Behaviour {
            fails_forwards: true,
            ..Behaviour::default()
        };
        all.world.set_behaviour(all.bob, how).unwrap();
    };
    assert_eq!(refusal(&lie), FailureCode::TemporaryChannelFailure);
}

#[test]
fn an_inbound_discount_lowers_the_fee_but_never_below_zero() {
    let mut all = triangle();
    let mut policy = policy_of(&all.world, all.bob, all.ab);
    policy.inbound_ppm = -1_000_000;
    all.world.set_policy(all.bob, all.ab, policy).unwrap();
    let mut hops = route(&all.world, all.alice, &[all.ab, all.bc], 10_000_000);
    hops[0].amount = hops[1].amount;
    let hash = all
        .world
        .create_invoice(all.carol, [3; 32], Msat::new(10_000_000))
        .unwrap();
    all.world.send_route(all.alice, hash, &hops).unwrap();
    pass(&mut all.world, 10_000);
    let state = all.world.payment(all.alice, hash);
    let fee = Msat::ZERO;
    let preimage = [3; 32];
    assert_eq!(state, Some(PaymentState::Succeeded { preimage, fee }));
    hops[0].amount = Msat::new(9_999_999);
    let hash = Digest::from_bytes([4; 32]);
    all.world.send_route(all.alice, hash, &hops).unwrap();
    pass(&mut all.world, 10_000);
    let short = (1, all.bob, FailureCode::FeeInsufficient);
    assert_eq!(failure(&all.world, all.alice, hash), short);
}

#[test]
fn t57_less_than_the_invoice_is_not_settled() {
    let mut all = triangle();
    let hash = all
        .world
        .create_invoice(all.alice, [7; 32], Msat::new(1_000_001))
        .unwrap();
    let hops = route(&all.world, all.alice, &[all.ab, all.bc, all.ca], 1_000_000);
    let before = off_chain(&all.world, all.alice);
    all.world.send_route(all.alice, hash, &hops).unwrap();
    pass(&mut all.world, 10_000);
    let refused = FailureCode::IncorrectOrUnknownPaymentDetails;
    assert_eq!(failure(&all.world, all.alice, hash).2, refused);
    assert_eq!(off_chain(&all.world, all.alice), before);
    let invoice = all.world.invoice(all.alice, hash).unwrap();
    assert_eq!(invoice.state, InvoiceState::Open);
}

#[test]
fn t58_an_htlc_returned_over_its_own_channel_moves_nothing_but_fees() {
    let mut world = World::new(config());
    let [alice, bob] = agents(&mut world);
    let one = channel(&mut world, alice, bob);
    let two = channel(&mut world, alice, bob);
    set_fee(&mut world, bob, one, 1_000, 0);
    set_fee(&mut world, bob, two, 1_000, 0);
    let how = Behaviour {
        returns_over_arrival: true,
        ..Behaviour::default()
    };
    world.set_behaviour(bob, how).unwrap();
    let amount = Msat::new(100_000_000);
    let hash = world.create_invoice(alice, [7; 32], amount).unwrap();
    let hops = route(&world, alice, &[one, two], amount.get());
    let balance = |world: &World, id| {
        let info = world.channel(id).unwrap();
        let side = info.nodes.iter().position(|node| *node == alice).unwrap();
        info.balances[side].get()
    };
    let before = (balance(&world, one), balance(&world, two));
    world.send_route(alice, hash, &hops).unwrap();
    pass(&mut world, 10_000);
    assert!(matches!(
        world.payment(alice, hash),
        Some(PaymentState::Succeeded { .. })
    ));
    let after = (balance(&world, one), balance(&world, two));
    assert_eq!(after, (before.0 - 1_000, before.1));
    world.check_conservation().unwrap();
}

#[test]
fn t59_a_held_htlc_stays_until_its_timeout_and_comes_back() {
    let mut all = triangle();
    let how = Behaviour {
        holds_htlcs: true,
        ..Behaviour::default()
    };
    all.world.set_behaviour(all.bob, how).unwrap();
    let before = off_chain(&all.world, all.alice);
    let hash = Digest::from_bytes([1; 32]);
    let hops = route(&all.world, all.alice, &[all.ab, all.bc], 10_000_000);
    let blocks = u64::from(hops[0].cltv_blocks);
    all.world.send_route(all.alice, hash, &hops).unwrap();
    pass(&mut all.world, (blocks - 1) * 600_000);
    let state = all.world.payment(all.alice, hash);
    assert_eq!(state, Some(PaymentState::InFlight));
    let info = all.world.channel(all.ab).unwrap();
    assert_eq!(info.htlcs, 1);
    assert_eq!(
        info.in_flight.iter().map(|msat| msat.get()).sum::<u64>(),
        hops[0].amount.get()
    );
    pass(&mut all.world, 600_000);
    assert_eq!(failure(&all.world, all.alice, hash).1, all.bob);
    assert_eq!(off_chain(&all.world, all.alice), before);
    all.world.check_conservation().unwrap();
}

#[test]
fn a_withdrawn_invoice_is_never_paid() {
    let mut all = triangle();
    let amount = Msat::new(1_000_000);
    let hash = all
        .world
        .create_invoice(all.alice, [7; 32], amount)
        .unwrap();
    let hops = route(&all.world, all.alice, &[all.ab, all.bc, all.ca], 1_000_000);
    all.world.send_route(all.alice, hash, &hops).unwrap();
    all.world.cancel_invoice(all.alice, hash).unwrap();
    pass(&mut all.world, 10_000);
    let refused = FailureCode::IncorrectOrUnknownPaymentDetails;
    assert_eq!(failure(&all.world, all.alice, hash).2, refused);
}

#[test]
fn a_channel_that_closes_fails_what_it_carries() {
    let mut all = triangle();
    let amount = Msat::new(100_000_000);
    let hash = all
        .world
        .create_invoice(all.alice, [7; 32], amount)
        .unwrap();
    let hops = route(
        &all.world,
        all.alice,
        &[all.ab, all.bc, all.ca],
        amount.get(),
    );
    all.world.send_route(all.alice, hash, &hops).unwrap();
    all.world.force_close(all.carol, all.bc).unwrap();
    assert_eq!(
        failure(&all.world, all.alice, hash),
        (1, all.bob, FailureCode::PermanentChannelFailure)
    );
    pass(&mut all.world, 10_000);
    all.world.mine(1);
    assert_eq!(all.world.snapshot(all.bob).unwrap().channels.len(), 1);
    all.world.check_conservation().unwrap();
}

#[test]
fn gossip_reaches_nodes_late_and_at_last_the_same() {
    let mut world = World::new(config());
    let nodes: [NodeId; 5] = agents(&mut world);
    let ids: Vec<_> = (0..4)
        .map(|place| channel(&mut world, nodes[place], nodes[place + 1]))
        .collect();
    pass(&mut world, 900_000);
    let rate = |world: &mut World, node: NodeId| {
        let graph = world.graph_of(node).unwrap();
        let scid = world.channel(ids[0]).unwrap().scid.unwrap();
        let from = graph.node_index(&nodes[0]).unwrap();
        graph.edge(scid, from).unwrap().policy.unwrap().rate.get()
    };
    assert!(nodes.iter().all(|node| rate(&mut world, *node) == 1));
    set_fee(&mut world, nodes[0], ids[0], 0, 777);
    assert_eq!(rate(&mut world, nodes[0]), 777, "own word is known at once");
    assert_eq!(rate(&mut world, nodes[4]), 1, "a far node waits");
    let mut differed = 0;
    for _ in 0..900 {
        pass(&mut world, 1_000);
        let heard = nodes.iter().filter(|node| rate(&mut world, **node) == 777);
        if heard.count() < nodes.len() {
            differed += 1;
        }
    }
    assert!(differed > 1);
    let graphs = nodes.map(|node| world.graph_of(node).unwrap());
    assert!(graphs.iter().all(|graph| Arc::ptr_eq(graph, &graphs[0])));
    assert_eq!(graphs[0].channel_count(), 4);
    world.force_close(nodes[0], ids[0]).unwrap();
    world.mine(1);
    pass(&mut world, 900_000);
    assert_eq!(world.graph_of(nodes[4]).unwrap().channel_count(), 3);
}

fn busy_world(seed: u8, hours: u64) -> (World, Vec<NodeId>) {
    let graph = Arc::new(generate(&GeneratorConfig {
        nodes: 300,
        seed: [seed; 32],
    }));
    let mut world = World::from_graph(
        &graph,
        WorldConfig {
            seed: [seed; 32],
            ..WorldConfig::default()
        },
    );
    let largest = graph
        .nodes()
        .max_by_key(|(node, _)| graph.degree_of(*node))
        .unwrap();
    let mut agents = Vec::new();
    for _ in 0..3 {
        let agent = world
            .add_node(NodeSpec::agent(Sat::new(50_000_000)))
            .unwrap();
        let peers = graph.channels_of(largest.0).map(|edge| edge.to).step_by(7);
        for peer in peers.take(4).chain([largest.0]) {
            let half = Msat::new(5_000_000_000);
            let peer = graph.node_id(peer);
            world
                .settled_channel(agent, peer, Sat::new(10_000_000), half)
                .unwrap();
        }
        agents.push(agent);
    }
    world.set_traffic(Some(TrafficConfig {
        per_hour: 2_000,
        ..TrafficConfig::default()
    }));
    pass(&mut world, hours * 3_600_000);
    (world, agents)
}

#[test]
fn demand_makes_agents_earn_and_moves_their_balances() {
    let (world, agents) = busy_world(1, 4);
    let totals = world.traffic_totals();
    assert!((7_000..9_000).contains(&totals.begun), "{totals:?}");
    assert!(totals.succeeded * 2 > totals.begun, "{totals:?}");
    let mut moved = 0;
    for agent in &agents {
        let snapshot = world.snapshot(*agent).unwrap();
        let earned: u64 = snapshot.forwards.iter().map(|total| total.fees.get()).sum();
        assert_eq!(Ok(Msat::new(earned)), world.fees_earned(*agent));
        moved += earned;
    }
    assert!(moved > 0);
    world.check_conservation().unwrap();
}

#[test]
fn a_busy_world_repeats_byte_for_byte() {
    let run = |seed| busy_world(seed, 1).0.trace_hash();
    assert_eq!(run(2), run(2));
    assert_ne!(run(2), run(3));
}
