//! No sat appears or vanishes, whatever happens in whatever order.

#![allow(clippy::unwrap_used, clippy::panic)]

use hive_sim::world::{
    Behaviour, BlockInterval, ChannelState, NodeSpec, TrafficConfig, World, WorldConfig,
};
use hive_types::{ChannelId, FeeratePerKw, Msat, NodeId, OutPoint, RouteHop, Sat, UnixMillis};
use proptest::prelude::*;
use std::collections::BTreeSet;

const NODES: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    Open(usize, usize, u64, usize),
    Settled(usize, usize, u64),
    Pay(usize, usize, u64),
    Circular(usize, u64),
    Close(usize),
    Mine(u32),
    Reorg(u32),
    Conflict,
    Online(usize, bool),
    Hold(usize, bool),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = 0..NODES;
    let step = prop_oneof![
        4 => (node.clone(), node.clone(), 20_000u64..2_000_000, 1usize..4)
            .prop_map(|(a, b, sats, inputs)| Step::Open(a, b, sats, inputs)),
        2 => (node.clone(), node.clone(), 100_000u64..5_000_000)
            .prop_map(|(a, b, sats)| Step::Settled(a, b, sats)),
        6 => (node.clone(), node.clone(), 1u64..1_000_000_000)
            .prop_map(|(a, b, msat)| Step::Pay(a, b, msat)),
        4 => (node.clone(), 1_000u64..500_000_000).prop_map(|(a, msat)| Step::Circular(a, msat)),
        1 => (0usize..8).prop_map(Step::Close),
        4 => (1u32..5).prop_map(Step::Mine),
        2 => (1u32..8).prop_map(Step::Reorg),
        1 => Just(Step::Conflict),
        1 => (node.clone(), any::<bool>()).prop_map(|(a, on)| Step::Online(a, on)),
        1 => (node, any::<bool>()).prop_map(|(a, on)| Step::Hold(a, on)),
        3 => (0u64..10_000_000).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..60)
}

struct Run {
    world: World,
    nodes: Vec<NodeId>,
    count: u8,
}

impl Run {
    fn new(seed: u8) -> Self {
        let mut world = World::new(WorldConfig {
            seed: [seed; 32],
            blocks: BlockInterval::Random(600_000),
            ..WorldConfig::default()
        });
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let spec = NodeSpec::agent(Sat::new(10_000_003));
            nodes.push(world.add_node(spec).unwrap());
        }
        for place in 0..NODES {
            let (a, b) = (nodes[place], nodes[(place + 1) % NODES]);
            let third = Msat::new(1_000_000_001);
            world
                .settled_channel(a, b, Sat::new(3_000_000), third)
                .unwrap();
        }
        world.set_traffic(Some(TrafficConfig {
            per_hour: 20,
            hold_ppm: 300_000,
            ..TrafficConfig::default()
        }));
        let count = 0;
        Self {
            world,
            nodes,
            count,
        }
    }

    fn step(&mut self, step: Step) {
        let nodes = self.nodes.clone();
        let world = &mut self.world;
        // What the world refuses changes nothing, which the check after each step shows.
        match step {
            Step::Open(a, b, sats, count) => {
                let utxos = world.utxos(nodes[a]).unwrap();
                let inputs: Vec<OutPoint> =
                    utxos.iter().take(count).map(|utxo| utxo.outpoint).collect();
                let feerate = FeeratePerKw::new(2_500);
                let _ =
                    world.open_channel(nodes[a], nodes[b], Sat::new(sats), &inputs, feerate, true);
            }
            Step::Settled(a, b, sats) => {
                let at_target = Msat::new(sats * 400);
                let _ = world.settled_channel(nodes[a], nodes[b], Sat::new(sats), at_target);
            }
            Step::Pay(a, b, msat) => {
                let _ = world.pay(nodes[a], nodes[b], Msat::new(msat));
            }
            Step::Circular(a, msat) => self.circular(a, msat),
            Step::Close(place) => {
                let open = world
                    .channels()
                    .filter(|channel| channel.state != ChannelState::Closed);
                if let Some(channel) = open.collect::<Vec<_>>().get(place) {
                    let _ = world.force_close(channel.nodes[place % 2], channel.id);
                }
            }
            Step::Mine(blocks) => world.mine(blocks),
            Step::Reorg(depth) => world.reorg(depth),
            Step::Conflict => {
                world.disconnect_blocks(2);
                let first = world.chain().mempool().next().copied();
                if let Some(txid) = first {
                    world.evict(txid);
                }
                world.mine(3);
            }
            Step::Online(a, on) => world.set_online(nodes[a], on).unwrap(),
            Step::Hold(a, on) => {
                let how = Behaviour {
                    holds_htlcs: on,
                    ..Behaviour::default()
                };
                world.set_behaviour(nodes[a], how).unwrap();
            }
            Step::Pass(millis) => {
                let end = UnixMillis::new(world.now().get() + millis);
                world.advance_to(end);
            }
        }
    }

    /// Out by the first usable channel and back by the next one, through whoever is there.
    fn circular(&mut self, a: usize, msat: u64) {
        self.count = self.count.wrapping_add(1);
        let node = self.nodes[a];
        let channels = self.world.snapshot(node).unwrap().channels;
        let mut usable = channels.iter().filter(|channel| channel.usable);
        let (Some(out), Some(back)) = (usable.next(), usable.next()) else {
            return;
        };
        let preimage = [self.count; 32];
        let amount = Msat::new(msat);
        let Ok(hash) = self.world.create_invoice(node, preimage, amount) else {
            return;
        };
        let mut hops = vec![RouteHop {
            channel: out.scid.unwrap(),
            to: out.peer,
            amount: Msat::new(msat * 2 + 10_000),
            cltv_blocks: 400,
        }];
        let infos: Vec<_> = self.world.channels().collect();
        let bridge = infos.iter().find(|info| {
            info.announced && info.nodes.contains(&out.peer) && info.nodes.contains(&back.peer)
        });
        if out.peer != back.peer {
            let Some(bridge) = bridge else { return };
            hops.push(RouteHop {
                channel: bridge.scid.unwrap(),
                to: back.peer,
                amount: Msat::new(msat + msat / 2 + 5_000),
                cltv_blocks: 200,
            });
        }
        hops.push(RouteHop {
            channel: back.scid.unwrap(),
            to: node,
            amount,
            cltv_blocks: 40,
        });
        let _ = self.world.send_route(node, hash, &hops);
    }
}

/// Fundings whose transaction was not dropped for a conflict.
fn alive(world: &World) -> Vec<(ChannelId, Vec<OutPoint>)> {
    let fundings = world.fundings().iter();
    fundings
        .filter(|funding| world.chain().tx(&funding.outpoint.txid).is_some())
        .map(|funding| (funding.channel, funding.inputs.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sats_are_conserved_and_nothing_is_spent_twice(seed: u8, steps in steps()) {
        let mut run = Run::new(seed);
        for step in steps {
            let label = format!("{step:?}");
            run.step(step);
            let checked = run.world.check_conservation();
            prop_assert!(checked.is_ok(), "after {}: {:?}", label, checked);
            let mut spent = BTreeSet::new();
            for (channel, inputs) in alive(&run.world) {
                for input in inputs {
                    prop_assert!(spent.insert(input), "{} spends {} again", channel, input);
                }
            }
        }
        // Everything under way ends: no HTLC outlives its timeout.
        for node in run.nodes.clone() {
            run.world.set_online(node, true).unwrap();
        }
        run.world.set_traffic(None);
        let end = run.world.now().get() + 500 * 600_000;
        run.world.advance_to(UnixMillis::new(end));
        for channel in run.world.channels() {
            prop_assert_eq!(channel.htlcs, 0);
            prop_assert_eq!(channel.in_flight, [Msat::ZERO; 2]);
        }
        prop_assert!(run.world.check_conservation().is_ok());
    }
}
