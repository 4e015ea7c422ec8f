//! Synthetic networks whose figures are those of the real one.
//!
//! The tables below hold quantiles of the public mainnet graph of 2025-10-26 (12,842 nodes, 49,808
//! channels), at equal steps of probability, measured over all nodes, channels and enabled directions.
//!
//! ```
//! use hive_sim::generate::{GeneratorConfig, generate};
//!
//! let graph = generate(&GeneratorConfig { nodes: 200, ..GeneratorConfig::default() });
//! assert_eq!(graph.node_count(), 200);
//! assert!(graph.channel_count() > 200);
//! ```

use crate::world::{Rng, hash_of};
use hive_planner::graph::{Graph, GraphBuilder};
use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
use secp256k1::{SECP256K1, SecretKey};
use std::collections::BTreeSet;

/// Channels of a node, for all but the largest fortieth of nodes. Mean of all: 7.76.
pub const DEGREE: [u64; 40] = [
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 4,
    5, 5, 6, 8, 11, 15, 25, 52,
];
/// Channels of a node, for the largest fortieth but for the largest two hundredth of all.
pub const DEGREE_LARGE: [u64; 5] = [52, 64, 84, 116, 194];
/// Channels of a node, for the largest two hundredth.
pub const DEGREE_LARGEST: [u64; 6] = [194, 226, 247, 300, 634, 2_396];
/// Capacity of a channel in sat. Median 2.1 million, mean 11.7 million.
pub const CAPACITY_SAT: [u64; 33] = [
    1_100,
    20_000,
    32_524,
    96_033,
    100_000,
    200_000,
    333_333,
    500_000,
    550_000,
    1_000_000,
    1_000_000,
    1_000_000,
    1_010_000,
    1_500_000,
    2_000_000,
    2_000_000,
    2_100_000,
    3_000_000,
    3_000_000,
    4_000_000,
    5_000_000,
    5_000_000,
    5_000_000,
    6_268_888,
    10_000_000,
    10_000_000,
    10_000_000,
    12_000_000,
    16_777_000,
    25_000_000,
    50_000_000,
    75_000_000,
    800_000_000,
];
/// `fee_base_msat` of a direction; the absurd end (2^32) is left out.
pub const BASE_MSAT: [u64; 21] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 66, 999, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000,
    1_000, 5_000,
];
/// `fee_proportional_millionths` of a direction; the absurd end (2^32) is left out.
pub const PPM: [u64; 33] = [
    0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 5, 10, 15, 33, 55, 100, 100, 153, 200, 260, 350, 499, 500,
    500, 700, 949, 1_000, 1_258, 2_000, 2_500, 4_020, 10_000,
];
/// `cltv_expiry_delta` of a direction.
pub const CLTV: [u64; 21] = [
    14, 34, 40, 40, 40, 40, 72, 80, 80, 80, 80, 80, 80, 80, 100, 100, 140, 144, 144, 144, 288,
];
/// `htlc_maximum_msat` in thousandths of the capacity.
pub const HTLC_MAXIMUM_PERMILLE: [u64; 21] = [
    50, 193, 450, 891, 990, 990, 990, 990, 990, 990, 990, 990, 990, 990, 990, 990, 990, 990, 990,
    1_000, 1_000,
];
/// Directions whose `disable` bit is set or that no update is known of: 15,446 of 99,616.
pub const DISABLED_PPM: u32 = 155_000;

/// A node has channels with at most this part of all others.
const LARGEST_PART: u64 = 4;
/// Heights between which channels were funded.
const HEIGHTS: (u64, u64) = (700_000, 920_000);

/// What network to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// How many nodes.
    pub nodes: u32,
    /// All chance comes from here.
    pub seed: [u8; 32],
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            nodes: 2_000,
            seed: [0; 32],
        }
    }
}

/// Makes a connected network. Node ids are keys of the curve that nobody keeps the secrets of.
pub fn generate(config: &GeneratorConfig) -> Graph {
    let mut rng = Rng::new(&config.seed, "network");
    let ids: Vec<NodeId> = (0..config.nodes)
        .map(|node| node_id(config, node))
        .collect();
    let mut builder = GraphBuilder::new();
    ids.iter().for_each(|id| builder.add_node(*id));
    // Each node's taste in fees: its directions scatter around it, as real ones do.
    let tastes: Vec<u64> = ids.iter().map(|_| rng.next()).collect();
    let mut blocks = BTreeSet::new();
    for (one, other) in pairs(&mut rng, ids.len() as u64) {
        let ends = [ids[one], ids[other]];
        let scid = free_scid(&mut rng, &mut blocks);
        let capacity = Sat::new(rng.quantile(&CAPACITY_SAT));
        builder
            .add_channel(scid, ends, capacity)
            .expect("both ends were added, and no place in the chain is used twice");
        for end in [one, other] {
            let policy = policy(&mut rng, capacity, tastes[end]);
            builder
                .set_policy(scid, ids[end], &policy)
                .expect("the channel was added with this end, and base fees are small");
        }
    }
    builder.build()
}

fn node_id(config: &GeneratorConfig, node: u32) -> NodeId {
    let attempts = (0u32..).map(|attempt| {
        let parts: [&[u8]; 3] = [&config.seed, &node.to_le_bytes(), &attempt.to_le_bytes()];
        hash_of("network node", &parts)
    });
    let mut secrets = attempts.filter_map(|bytes| SecretKey::from_slice(&bytes).ok());
    let secret = secrets
        .next()
        .expect("all but 2^-128 of all 32-byte strings are secret keys");
    NodeId::from_bytes(secret.public_key(SECP256K1).serialize())
        .expect("a compressed key starts with 2 or 3")
}

fn free_scid(rng: &mut Rng, used: &mut BTreeSet<ShortChannelId>) -> ShortChannelId {
    loop {
        let block = rng.between(HEIGHTS.0, HEIGHTS.1) as u32;
        let place = ShortChannelId::new(block, rng.below(3_000) as u32 + 1, 0);
        let place = place.expect("heights and places in a block fit into 24 bits");
        if used.insert(place) {
            return place;
        }
    }
}

fn degree(rng: &mut Rng, nodes: u64) -> u64 {
    let degree = match rng.below(200) {
        0 => rng.quantile(&DEGREE_LARGEST),
        1..5 => rng.quantile(&DEGREE_LARGE),
        _ => rng.quantile(&DEGREE),
    };
    degree.min((nodes / LARGEST_PART).max(1))
}

/// Who has a channel with whom. First every node joins one that came before it, chosen by wanted
/// degree; then the wants that are left meet at random.
fn pairs(rng: &mut Rng, nodes: u64) -> Vec<(usize, usize)> {
    let mut wants: Vec<u64> = (0..nodes).map(|_| degree(rng, nodes)).collect();
    wants.sort_unstable_by(|a, b| b.cmp(a));
    let mut pairs = Vec::new();
    // One entry for each channel that a node still wants.
    let mut stubs: Vec<usize> = Vec::new();
    for (node, want) in wants.into_iter().enumerate() {
        let mut left = want;
        if node > 0 {
            let place = rng.below(stubs.len() as u64) as usize;
            // When nobody wants one more, the largest takes it.
            let other = if stubs.is_empty() {
                0
            } else {
                stubs.swap_remove(place)
            };
            pairs.push((other, node));
            left = left.saturating_sub(1);
        }
        stubs.extend(std::iter::repeat_n(node, left as usize));
    }
    while stubs.len() > 1 {
        let one = stubs.swap_remove(rng.below(stubs.len() as u64) as usize);
        let other = stubs.swap_remove(rng.below(stubs.len() as u64) as usize);
        if one != other {
            pairs.push((one, other));
        }
    }
    pairs
}

fn policy(rng: &mut Rng, capacity: Sat, taste: u64) -> ChannelPolicy {
    let around = Rng::at(&PPM, taste);
    // Half the directions ask for what the node usually does, the others for anything.
    let rate = if rng.below(2) == 0 {
        around
    } else {
        rng.quantile(&PPM)
    };
    let most = capacity.get() * rng.quantile(&HTLC_MAXIMUM_PERMILLE);
    ChannelPolicy {
        base: Msat::new(rng.quantile(&BASE_MSAT)),
        rate: Ppm::new(u32::try_from(rate).unwrap_or(u32::MAX)),
        cltv_delta: u16::try_from(rng.quantile(&CLTV)).unwrap_or(u16::MAX),
        htlc_minimum: Msat::new(1_000),
        htlc_maximum: Msat::new(most),
        disabled: rng.chance(DISABLED_PPM),
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(mut values: Vec<u64>) -> u64 {
        values.sort_unstable();
        values[values.len() / 2]
    }

    #[test]
    fn figures_are_those_of_the_real_network() {
        let graph = generate(&GeneratorConfig::default());
        assert_eq!(graph.node_count(), 2_000);
        let mean = 2_000 * graph.channel_count() / graph.node_count();
        assert!((6_000..9_500).contains(&mean), "mean degree {mean} / 1000");
        let capacities = graph.channels().map(|channel| channel.capacity.get());
        let capacity = median(capacities.collect());
        assert!((1_500_000..3_000_000).contains(&capacity), "{capacity}");
        let rates = graph.edges().filter_map(|edge| edge.policy);
        let rate = median(rates.map(|policy| u64::from(policy.rate.get())).collect());
        assert!((50..200).contains(&rate), "{rate}");
        let degrees = graph.nodes().map(|(node, _)| graph.degree_of(node) as u64);
        assert!((1..=2).contains(&median(degrees.collect())));
    }

    #[test]
    fn everybody_reaches_everybody_and_seeds_repeat() {
        for seed in 0..3 {
            let config = GeneratorConfig {
                nodes: 150,
                seed: [seed; 32],
            };
            let graph = generate(&config);
            assert_eq!(graph, generate(&config));
            let (first, _) = graph.nodes().next().unwrap();
            let mut reached = BTreeSet::from([first]);
            let mut next = vec![first];
            while let Some(node) = next.pop() {
                for edge in graph.channels_of(node) {
                    if reached.insert(edge.to) {
                        next.push(edge.to);
                    }
                }
            }
            assert_eq!(reached.len(), 150);
        }
    }
}
