//! Small networks for tests.

use crate::placement::{Arranged, End, Open, Placement};
use hive_planner::demand::{Payment, SplitMix};
use hive_planner::graph::{Graph, GraphBuilder};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};

pub(crate) fn id(number: u16) -> NodeId {
    let mut bytes = [0; NodeId::SIZE];
    bytes[0] = 2;
    bytes[31..].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes).unwrap()
}

pub(crate) fn policy(base: u64, rate: u32) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(base),
        rate: Ppm::new(rate),
        cltv_delta: 40,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(u64::MAX),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// Channels of a million sat, numbered in order, with what each end charges.
pub(crate) fn network(channels: &[(u16, u16, u64, u64)]) -> Graph {
    let mut builder = GraphBuilder::new();
    for (place, (one, other, forth, back)) in channels.iter().enumerate() {
        let scid = ShortChannelId::from_u64(place as u64 + 1);
        let ends = [id(*one), id(*other)];
        ends.iter().for_each(|end| builder.add_node(*end));
        builder
            .add_channel(scid, ends, Sat::new(1_000_000))
            .unwrap();
        builder
            .set_policy(scid, ends[0], &policy(*forth, 0))
            .unwrap();
        builder
            .set_policy(scid, ends[1], &policy(*back, 0))
            .unwrap();
    }
    builder.build()
}

/// A ring with chords that begin at few nodes, so that some are hubs.
pub(crate) fn drawn_network(nodes: u16, chords: u64, seed: u64) -> Graph {
    let mut chance = SplitMix::new(seed);
    let mut builder = GraphBuilder::new();
    (0..nodes).for_each(|node| builder.add_node(id(node)));
    let ring = (0..nodes)
        .map(|node| (node, (node + 1) % nodes))
        .collect::<Vec<_>>();
    let mut ends = ring;
    for _ in 0..chords {
        let hub = chance.below(1 + u64::from(nodes) / 8) as u16;
        let other = chance.below(u64::from(nodes)) as u16;
        if hub != other {
            ends.push((hub, other));
        }
    }
    for (place, (one, other)) in ends.into_iter().enumerate() {
        let scid = ShortChannelId::from_u64(place as u64 + 1);
        let capacity = Sat::new(1_000_000 + chance.below(200_000_000));
        let pair = [id(one), id(other)];
        builder.add_channel(scid, pair, capacity).unwrap();
        for end in pair {
            let mut policy = policy(chance.below(2_000), chance.below(1_500) as u32);
            policy.disabled = chance.below(20) == 0;
            builder.set_policy(scid, end, &policy).unwrap();
        }
    }
    builder.build()
}

pub(crate) fn open(member: usize, to: u16) -> Open {
    Open {
        member,
        to: End::Outside(id(to)),
        capacity: Sat::new(1_000_000),
        base: Msat::new(10),
        rate: Ppm::ZERO,
    }
}

pub(crate) fn link(member: usize, fellow: usize) -> Open {
    Open {
        to: End::Fellow(fellow),
        ..open(member, 0)
    }
}

pub(crate) fn placed(members: usize, opens: &[Open]) -> Placement {
    Placement {
        members,
        opens: opens.to_vec(),
        ..Placement::default()
    }
}

pub(crate) fn payments(graph: &Graph, ends: &[(u16, u16)], msat: u64) -> Vec<Payment> {
    let at = |number: u16| graph.node_index(&id(number)).unwrap();
    let mut payments: Vec<Payment> = ends
        .iter()
        .map(|(payer, payee)| Payment {
            amount: Msat::new(msat),
            payee: at(*payee),
            payer: at(*payer),
        })
        .collect();
    payments.sort_unstable();
    payments
}

/// The channel of an arm's open, by the order of opens: they come after all public ones.
pub(crate) fn opened(with: &Arranged, opens: usize, place: usize) -> ShortChannelId {
    let first = with.graph.channel_count() - opens;
    with.graph.channels().nth(first + place).unwrap().scid
}
