//! Fleets and snapshots that tests are made from.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic
)]

use super::{node, scid};
use hive_types::{
    Action, BlockHeight, ChannelId, Constraint, FeeratePerKw, FellowView, FleetView, LocalChannel,
    LocalSnapshot, Msat, Network, NodeId, OnChain, OpenChannel, OutPoint, Proposal, Sat, Tier,
    Txid,
};

pub const HEIGHT: u32 = 920_000;

/// Capacity of own channels.
pub const SIZE: u64 = 10_000_000;

pub fn constraint(slots: u32, capital: u64) -> Constraint {
    Constraint {
        capital: Sat::new(capital),
        slots,
        channel_min: Sat::new(100_000),
        channel_max: Sat::new(10_000_000),
    }
}

pub fn fellow(n: u32, constraint: Constraint) -> FellowView {
    FellowView {
        node_id: node(n),
        tier: Tier::Full,
        fresh: true,
        privileges: Default::default(),
        channels: Vec::new(),
        constraint,
        intents: Vec::new(),
    }
}

/// A fleet of these nodes, seen by the first of them.
pub fn fleet(members: &[u32], constraint: Constraint) -> FleetView {
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    FleetView {
        me: members.first().map(|n| node(*n)),
        members: sorted.iter().map(|n| fellow(*n, constraint)).collect(),
        ..FleetView::default()
    }
}

/// The same fleet in another member's eyes.
pub fn seen_by(fleet: &FleetView, n: u32) -> FleetView {
    FleetView {
        me: Some(node(n)),
        ..fleet.clone()
    }
}

pub fn local(n: u32) -> LocalSnapshot {
    LocalSnapshot {
        node_id: node(n),
        network: Network::Regtest,
        height: BlockHeight::new(HEIGHT),
        synced: true,
        on_chain: OnChain {
            confirmed: Sat::new(1_000_000_000),
            ..OnChain::default()
        },
        feerate: FeeratePerKw::from_sat_per_vbyte(2),
        channels: Vec::new(),
        peers: Vec::new(),
        forwards: Vec::new(),
        peer_events: Vec::new(),
    }
}

pub fn open_of(proposal: &Proposal) -> OpenChannel {
    match &proposal.action {
        Action::Open(open) => *open,
        other => panic!("not an open: {other:?}"),
    }
}

pub fn targets(proposals: &[Proposal]) -> Vec<NodeId> {
    let opens = proposals.iter().map(open_of);
    let mut targets: Vec<NodeId> = opens.map(|open| open.target).collect();
    targets.sort_unstable();
    targets
}

/// An own channel that can send so many sat of [`SIZE`].
pub fn own(number: u64, peer: u32, spendable: u64) -> LocalChannel {
    LocalChannel {
        channel_id: ChannelId::from_bytes([number as u8; 32]),
        scid: Some(scid(number)),
        funding: OutPoint {
            txid: Txid::from_bytes([number as u8; 32]),
            vout: 0,
        },
        peer: node(peer),
        capacity: Sat::new(SIZE),
        spendable: Msat::new(spendable * 1000),
        receivable: Msat::new((SIZE - spendable) * 1000),
        usable: true,
        announced: true,
        opened_by_us: true,
        local_policy: None,
        remote_policy: None,
        htlcs: 0,
    }
}
