//! What a world starts from.

use super::LinkFaults;
use hive_types::{BlockHeight, FeeratePerKw, UnixMillis};

/// How blocks come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockInterval {
    /// Only by [`World::mine`](super::World::mine).
    Manual,
    /// One each so many milliseconds.
    Fixed(u64),
    /// A Poisson process with this mean in milliseconds, as on the real chain.
    Random(u64),
}

/// What a world starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldConfig {
    /// All chance comes from here.
    pub seed: [u8; 32],
    /// The moment at which it begins.
    pub start: UnixMillis,
    /// The tip at which it begins.
    pub height: BlockHeight,
    /// How blocks come.
    pub blocks: BlockInterval,
    /// The feerate drifts slowly within these bounds, beginning in the middle.
    pub feerate: (FeeratePerKw, FeeratePerKw),
    /// What links do to messages, unless a pair has its own faults.
    pub faults: LinkFaults,
    /// Base round trip of a pair of nodes in milliseconds, drawn per pair: from, to.
    pub rtt_ms: (u64, u64),
}

impl Default for WorldConfig {
    /// The day of the newer real graph; blocks every ten minutes on average; 1 to 20 sat/vB.
    fn default() -> Self {
        Self {
            seed: [0; 32],
            start: UnixMillis::new(1_761_450_000_000),
            height: BlockHeight::new(920_700),
            blocks: BlockInterval::Random(600_000),
            feerate: (
                FeeratePerKw::from_sat_per_vbyte(1),
                FeeratePerKw::from_sat_per_vbyte(20),
            ),
            faults: LinkFaults::default(),
            rtt_ms: (20, 400),
        }
    }
}
