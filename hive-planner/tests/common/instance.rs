//! Circulation problems of the shape that rebalancing gives: channels with three segments a direction.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use hive_planner::circulation::{Network, Segment};

/// Nodes and channels of the problems that are measured.
pub const SIZES: [(usize, usize); 4] = [(10, 60), (50, 500), (150, 900), (500, 5_000)];

/// Xorshift (Marsaglia 2003): small, and the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// Channels of 1 to 16 million sat with any balance and rates up to 2,000 ppm, in msat and billionths
/// of them. Every third one runs low on a side: filling it gains up to 3,000 ppm, less the more is
/// there already. Draining costs more the less is left.
pub fn instance(nodes: usize, channels: usize, seed: u64) -> Network {
    let mut dice = Dice::new(seed);
    let mut network = Network::new(nodes);
    for channel in 0..channels {
        let one = dice.below(nodes as u64) as usize;
        let other = (one + 1 + dice.below(nodes as u64 - 1) as usize) % nodes;
        let capacity = 1_000_000_000 * (1 + dice.below(16)) as i64;
        let balance = capacity / 1_000 * dice.below(1_001) as i64;
        for (from, to, room) in [(one, other, balance), (other, one, capacity - balance)] {
            let fee = 1_000 * dice.below(2_001) as i64;
            let low = channel % 3 == 0 && room > capacity / 2;
            let gain = if low {
                1_000 * dice.below(3_001) as i64
            } else {
                0
            };
            let segments = [(2, 0), (3, 1), (4, 2)].map(|(tenths, place)| Segment {
                width: room / 10 * tenths,
                cost: fee - gain / (place + 1) + place * 50_000,
            });
            network.add_convex(from, to, &segments).unwrap();
        }
    }
    network
}
