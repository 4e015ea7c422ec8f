//! The simulated chain and network by its public interface.

#![allow(clippy::unwrap_used, clippy::panic)]

use hive_sim::world::{
    BlockInterval, ChannelState, LinkFaults, NodeEvent, NodeSpec, OpenError, OutPointState,
    SendError, World, WorldConfig,
};
use hive_types::{BlockHeight, ChannelId, NodeId, OutPoint, Sat, UnixMillis};

const KIND: u16 = 48865;

fn config(seed: u8) -> WorldConfig {
    WorldConfig {
        seed: [seed; 32],
        blocks: BlockInterval::Manual,
        ..WorldConfig::default()
    }
}

fn world_of(config: WorldConfig, agents: usize) -> (World, Vec<NodeId>) {
    let mut world = World::new(config);
    let nodes = (0..agents)
        .map(|_| {
            world
                .add_node(NodeSpec::agent(Sat::new(10_000_000)))
                .unwrap()
        })
        .collect();
    (world, nodes)
}

fn inputs(world: &World, node: NodeId) -> Vec<OutPoint> {
    let utxos = world.utxos(node).unwrap();
    utxos.iter().map(|utxo| utxo.outpoint).collect()
}

fn open(world: &mut World, from: NodeId, to: NodeId, sats: u64) -> ChannelId {
    let inputs = inputs(world, from);
    let feerate = world.feerate();
    world
        .open_channel(from, to, Sat::new(sats), &inputs, feerate, true)
        .unwrap()
        .0
}

fn pass(world: &mut World, millis: u64) {
    let end = UnixMillis::new(world.now().get() + millis);
    world.advance_to(end);
}

fn messages(world: &mut World, node: NodeId) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(event) = world.poll_event(node) {
        if let NodeEvent::Message { bytes, .. } = event {
            all.push(bytes);
        }
    }
    all
}

#[test]
fn a_channel_is_usable_after_three_blocks_and_announced_after_six() {
    let (mut world, nodes) = world_of(config(1), 2);
    let id = open(&mut world, nodes[0], nodes[1], 1_000_000);
    let state = |world: &World| {
        let channel = world.channel(id).unwrap();
        (channel.state, channel.announced)
    };
    world.mine(2);
    assert_eq!(state(&world), (ChannelState::AwaitingConfirmations, false));
    assert!(!world.snapshot(nodes[0]).unwrap().channels[0].usable);
    world.mine(1);
    assert_eq!(state(&world), (ChannelState::Normal, false));
    let seen = world.snapshot(nodes[0]).unwrap();
    assert!(seen.channels[0].usable);
    assert!(seen.channels[0].spendable.get() > 980_000_000);
    assert_eq!(seen.channels[0].receivable.get(), 0);
    world.mine(3);
    assert_eq!(state(&world), (ChannelState::Normal, true));
    let scid = world.channel(id).unwrap().scid.unwrap();
    assert_eq!(world.channel_at(scid), Some(id));
    world.check_conservation().unwrap();
}

#[test]
fn two_opens_from_the_same_inputs_make_one_channel() {
    let (mut world, nodes) = world_of(config(2), 3);
    let inputs = inputs(&world, nodes[0]);
    let feerate = world.feerate();
    let sats = Sat::new(1_000_000);
    let (_, funding) = world
        .open_channel(nodes[0], nodes[1], sats, &inputs[..1], feerate, true)
        .unwrap();
    for target in [nodes[1], nodes[2]] {
        let again = world.open_channel(nodes[0], target, sats, &inputs[..2], feerate, true);
        assert_eq!(again, Err(OpenError::InputSpent(inputs[0], funding.txid)));
    }
    world.mine(6);
    let again = world.open_channel(nodes[0], nodes[2], sats, &inputs[..1], feerate, true);
    assert_eq!(again, Err(OpenError::InputSpent(inputs[0], funding.txid)));
    assert_eq!(world.fundings().len(), 1);
    assert_eq!(
        world.chain().outpoint(&inputs[0]),
        OutPointState::Spent(funding.txid)
    );
    assert_eq!(
        world.chain().outpoint(&inputs[1]),
        OutPointState::Unspent(Some(WorldConfig::default().height))
    );
    // Another's money cannot be spent either.
    let theirs = world.open_channel(nodes[1], nodes[2], sats, &inputs[1..2], feerate, true);
    assert_eq!(theirs, Err(OpenError::InputUnknown(inputs[1])));
    world.check_conservation().unwrap();
}

#[test]
fn a_refusing_peer_costs_nothing() {
    let (mut world, nodes) = world_of(config(3), 2);
    world.set_refuses_channels(nodes[1], true).unwrap();
    let inputs = inputs(&world, nodes[0]);
    let feerate = world.feerate();
    let result = world.open_channel(
        nodes[0],
        nodes[1],
        Sat::new(500_000),
        &inputs,
        feerate,
        true,
    );
    assert_eq!(result, Err(OpenError::Refused(nodes[1])));
    assert!(world.fundings().is_empty());
    assert_eq!(world.chain().mempool().count(), 0);
}

#[test]
fn a_reorg_takes_the_channel_back_and_confirms_it_elsewhere() {
    let (mut world, nodes) = world_of(config(4), 2);
    let id = open(&mut world, nodes[0], nodes[1], 1_000_000);
    world.mine(6);
    let before = world.channel(id).unwrap().scid.unwrap();
    world.reorg(6);
    world.check_conservation().unwrap();
    let channel = world.channel(id).unwrap();
    assert_eq!(channel.state, ChannelState::AwaitingConfirmations);
    assert!(!channel.announced);
    assert_eq!(world.channel_at(before), None);
    world.mine(6);
    let channel = world.channel(id).unwrap();
    assert!(channel.announced);
    assert_eq!(channel.scid.unwrap().block(), before.block() + 6);
    world.check_conservation().unwrap();
}

#[test]
fn a_funding_that_loses_to_a_conflict_frees_its_inputs() {
    let (mut world, nodes) = world_of(config(5), 2);
    let spent = inputs(&world, nodes[0]);
    let id = open(&mut world, nodes[0], nodes[1], 1_000_000);
    let txid = world.channel(id).unwrap().funding.txid;
    world.mine(1);
    assert!(!world.evict(txid), "it is in a block");
    world.disconnect_blocks(1);
    assert!(world.evict(txid));
    world.mine(2);
    assert_eq!(world.channel(id).unwrap().state, ChannelState::Closed);
    assert_eq!(inputs(&world, nodes[0]), spent);
    world.check_conservation().unwrap();
}

#[test]
fn a_forced_close_pays_both_ends() {
    let (mut world, nodes) = world_of(config(6), 2);
    let id = open(&mut world, nodes[0], nodes[1], 1_000_000);
    world.mine(6);
    let before = world.snapshot(nodes[0]).unwrap().on_chain;
    world.force_close(nodes[0], id).unwrap();
    world.mine(1);
    assert!(world.snapshot(nodes[0]).unwrap().channels.is_empty());
    let now = world.snapshot(nodes[0]).unwrap().on_chain;
    assert_eq!(now.confirmed, before.confirmed);
    assert_eq!(now.unconfirmed, Sat::new(1_000_000 - 3_470));
    world.mine(144);
    let now = world.snapshot(nodes[0]).unwrap().on_chain;
    assert_eq!(now.unconfirmed, Sat::ZERO);
    world.check_conservation().unwrap();
    world.reorg(147);
    world.check_conservation().unwrap();
    assert_eq!(
        world.channel(id).unwrap().state,
        ChannelState::Closed,
        "the last block of the new branch holds both transactions"
    );
}

#[test]
fn messages_arrive_in_order_and_not_at_strangers() {
    let (mut world, nodes) = world_of(config(7), 3);
    let far = world.send_message(nodes[0], nodes[1], KIND, vec![0]);
    assert_eq!(far, Err(SendError::NotConnected(nodes[1])));
    world.connect(nodes[0], nodes[1]).unwrap();
    for number in 0..100u8 {
        world
            .send_message(nodes[0], nodes[1], KIND, vec![number])
            .unwrap();
    }
    assert!(
        messages(&mut world, nodes[1]).is_empty(),
        "latency is not zero"
    );
    pass(&mut world, 1_000);
    let got = messages(&mut world, nodes[1]);
    assert_eq!(
        got,
        (0..100u8).map(|number| vec![number]).collect::<Vec<_>>()
    );
    let large = world.send_message(nodes[0], nodes[1], KIND, vec![0; 65_534]);
    assert_eq!(large, Err(SendError::TooLarge(65_534)));
    world
        .send_message(nodes[0], nodes[1], KIND, vec![0; 65_533])
        .unwrap();
}

#[test]
fn faulty_links_lose_double_and_reorder() {
    let mut config = config(8);
    config.faults = LinkFaults {
        loss_ppm: 300_000,
        duplicate_ppm: 200_000,
        reorder_ppm: 200_000,
        reorder_ms: 5_000,
        delay_ms: 0,
    };
    let (mut world, nodes) = world_of(config, 2);
    world.connect(nodes[0], nodes[1]).unwrap();
    for number in 0..1000u16 {
        let bytes = number.to_be_bytes().to_vec();
        world.send_message(nodes[0], nodes[1], KIND, bytes).unwrap();
    }
    pass(&mut world, 60_000);
    let got = messages(&mut world, nodes[1]);
    let totals = world.link_totals();
    assert_eq!(totals.sent, 1000);
    assert_eq!(totals.delivered, got.len() as u64);
    assert_eq!(
        totals.sent + totals.duplicated,
        totals.delivered + totals.lost
    );
    assert!((240..360).contains(&totals.lost), "{totals:?}");
    assert!((80..200).contains(&totals.duplicated), "{totals:?}");
    assert!(got.windows(2).any(|pair| pair[0] > pair[1]));
    let mut distinct = got.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len() as u64, totals.sent - totals.lost);
}

#[test]
fn a_blocked_way_is_one_way_and_a_stopped_node_hears_nothing() {
    let (mut world, nodes) = world_of(config(9), 2);
    world.connect(nodes[0], nodes[1]).unwrap();
    world.set_blocked(nodes[0], nodes[1], true).unwrap();
    world
        .send_message(nodes[0], nodes[1], KIND, vec![1])
        .unwrap();
    world
        .send_message(nodes[1], nodes[0], KIND, vec![2])
        .unwrap();
    pass(&mut world, 2_000);
    assert!(messages(&mut world, nodes[1]).is_empty());
    assert_eq!(messages(&mut world, nodes[0]), [[2]]);
    world.set_blocked(nodes[0], nodes[1], false).unwrap();
    world
        .send_message(nodes[0], nodes[1], KIND, vec![3])
        .unwrap();
    world.set_online(nodes[1], false).unwrap();
    pass(&mut world, 2_000);
    world.set_online(nodes[1], true).unwrap();
    assert!(messages(&mut world, nodes[1]).is_empty());
    assert!(!world.is_connected(nodes[0], nodes[1]));
}

#[test]
fn a_lagging_node_sees_an_older_chain() {
    let (mut world, nodes) = world_of(config(10), 2);
    world.set_lag(nodes[1], 4).unwrap();
    let id = open(&mut world, nodes[0], nodes[1], 1_000_000);
    world.mine(6);
    let ahead = world.snapshot(nodes[0]).unwrap();
    let behind = world.snapshot(nodes[1]).unwrap();
    assert_eq!(behind.height, BlockHeight::new(ahead.height.get() - 4));
    assert!(ahead.synced && !behind.synced);
    // The one that is ahead waits for the other's `channel_ready`, and sees no policy of its.
    assert!(!ahead.channels[0].usable && !behind.channels[0].usable);
    assert!(ahead.channels[0].scid.is_some() && behind.channels[0].scid.is_none());
    assert_eq!(ahead.channels[0].remote_policy, None);
    assert_eq!(behind.channels[0].channel_id, id);
    world.set_lag(nodes[1], 0).unwrap();
    for node in [nodes[0], nodes[1]] {
        assert!(world.snapshot(node).unwrap().channels[0].usable);
    }
}

#[test]
fn signatures_are_those_of_lightning_nodes() {
    use bitcoin::hashes::{Hash, sha256d};
    use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
    let (world, nodes) = world_of(config(11), 1);
    let text = "hive manifest v1 00";
    let signed = world.sign_message(nodes[0], text).unwrap();
    assert_eq!(signed.len(), 104);
    // Decoded here by hand, apart from the encoder under test.
    let alphabet = "ybndrfg8ejkmcpqxot1uwisza345h769";
    let mut bits = signed.chars().flat_map(|symbol| {
        let value = alphabet.find(symbol).unwrap();
        (0..5).rev().map(move |bit| (value >> bit & 1) as u8)
    });
    let bytes: Vec<u8> = (0..65)
        .map(|_| (0..8).fold(0, |byte, _| byte << 1 | bits.next().unwrap()))
        .collect();
    let recovery = RecoveryId::from_i32(i32::from(bytes[0]) - 31).unwrap();
    let signature = RecoverableSignature::from_compact(&bytes[1..], recovery).unwrap();
    let hash = sha256d::Hash::hash(format!("Lightning Signed Message:{text}").as_bytes());
    let message = secp256k1::Message::from_digest(hash.to_byte_array());
    let key = secp256k1::SECP256K1
        .recover_ecdsa(&message, &signature)
        .unwrap();
    assert_eq!(&key.serialize(), nodes[0].as_bytes());
}

#[test]
fn equal_seeds_give_equal_worlds() {
    let run = |seed: u8| {
        let mut config = config(seed);
        config.blocks = BlockInterval::Random(600_000);
        config.faults.loss_ppm = 100_000;
        let (mut world, nodes) = world_of(config, 3);
        open(&mut world, nodes[0], nodes[1], 1_000_000);
        for number in 0..50 {
            world.connect(nodes[1], nodes[2]).unwrap();
            world
                .send_message(nodes[1], nodes[2], KIND, vec![number])
                .unwrap();
            pass(&mut world, 300_000);
        }
        world.reorg(2);
        world.trace_hash()
    };
    assert_eq!(run(12), run(12));
    assert_ne!(run(12), run(13));
}

#[test]
fn a_private_channel_carries_payments_and_nobody_hears_of_it() {
    let (mut world, nodes) = world_of(config(14), 3);
    let inputs = inputs(&world, nodes[0]);
    let feerate = world.feerate();
    let (id, _) = world
        .open_channel(
            nodes[0],
            nodes[1],
            Sat::new(1_000_000),
            &inputs,
            feerate,
            false,
        )
        .unwrap();
    world.mine(20);
    let own = world.snapshot(nodes[0]).unwrap().channels.remove(0);
    assert!(own.usable && !own.announced && own.scid.is_some());
    assert!(!world.channel(id).unwrap().announced);
    pass(&mut world, 3_600_000);
    for node in nodes {
        assert_eq!(world.graph_of(node).unwrap().channel_count(), 0);
    }
}

#[test]
fn gossip_follows_a_channel_to_its_new_place_after_a_reorg() {
    let (mut world, nodes) = world_of(config(15), 3);
    let id = open(&mut world, nodes[0], nodes[1], 1_000_000);
    world.mine(6);
    pass(&mut world, 3_600_000);
    let before = world.channel(id).unwrap().scid.unwrap();
    let graph = world.graph_of(nodes[2]).unwrap();
    assert!(graph.channel(before).is_some());
    world.reorg(6);
    world.mine(5);
    pass(&mut world, 3_600_000);
    let after = world.channel(id).unwrap().scid.unwrap();
    assert_ne!(before, after);
    let graph = world.graph_of(nodes[2]).unwrap();
    assert!(graph.channel(before).is_none());
    assert_eq!(graph.channel(after).unwrap().capacity, Sat::new(1_000_000));
    let policy = graph.edges().filter(|edge| edge.usable().is_some());
    assert_eq!(policy.count(), 2);
}
