//! Graphs that tests are made from.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod export;
pub mod fleet;
pub mod instance;
pub mod parts;
pub mod push;

use hive_planner::graph::{Graph, GraphBuilder};
use hive_planner::load::{Loaded, load_csv};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
use std::path::PathBuf;

/// Node number `n`: ids are in the order of numbers.
pub fn node(n: u32) -> NodeId {
    let mut bytes = [0u8; 33];
    bytes[0] = 2;
    bytes[29..].copy_from_slice(&n.to_be_bytes());
    NodeId::from_bytes(bytes).unwrap()
}

pub fn scid(n: u64) -> ShortChannelId {
    ShortChannelId::from_u64(n)
}

pub fn policy(base_msat: u64, ppm: u32, cltv_delta: u16) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::new(base_msat),
        rate: Ppm::new(ppm),
        cltv_delta,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(u64::MAX),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// A graph of channels (number, end, end, capacity in sat), both directions with one policy.
pub fn graph_of(channels: &[(u64, u32, u32, u64)], policy: &ChannelPolicy) -> Graph {
    builder_of(channels, policy).build()
}

pub fn builder_of(channels: &[(u64, u32, u32, u64)], policy: &ChannelPolicy) -> GraphBuilder {
    let mut builder = GraphBuilder::new();
    for (number, a, b, capacity) in channels {
        builder.add_node(node(*a));
        builder.add_node(node(*b));
        let ends = [node(*a), node(*b)];
        let capacity = Sat::new(*capacity);
        builder.add_channel(scid(*number), ends, capacity).unwrap();
        for end in ends {
            builder.set_policy(scid(*number), end, policy).unwrap();
        }
    }
    builder
}

/// A mainnet snapshot, where the folder of snapshots lies beside the workspace.
pub fn real_graph(name: &str) -> Option<Loaded> {
    let [nodes, channels] = real_tables(name)?;
    Some(load_csv(&nodes[..], &channels[..]).unwrap())
}

/// The decompressed nodes and channels tables of a mainnet snapshot.
pub fn real_tables(name: &str) -> Option<[Vec<u8>; 2]> {
    let crate_root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let places = ["../../shared", "../../../shared"];
    let folder = places
        .iter()
        .map(|place| crate_root.join(place).join("lngraph").join(name))
        .find(|folder| folder.is_dir());
    let Some(folder) = folder else {
        println!("skipped: no graph {name} beside the workspace");
        return None;
    };
    let table = |file: &str| {
        let packed = std::fs::read(folder.join(file)).unwrap();
        zstd::decode_all(&packed[..]).unwrap()
    };
    Some([table("nodes.csv.zst"), table("channels.csv.zst")])
}
