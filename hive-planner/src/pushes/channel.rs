//! Channels as rebalancing reads them: plain values, whoever gives them.

use hive_types::{ChannelPolicy, Msat, NodeId, Sat, ShortChannelId};

/// One end of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// The node.
    pub node: NodeId,
    /// What it can send over the channel now, reserves and HTLCs in flight taken off; `None` where
    /// nobody in the fleet knows.
    pub spendable: Option<Msat>,
    /// What it asks for forwarding out over the channel; `None` where no update is known.
    pub policy: Option<ChannelPolicy>,
    /// How fast `spendable` falls by itself, in msat a day; negative where it grows, `None` where too
    /// little was seen.
    pub drain_msat_per_day: Option<i64>,
}

/// A channel with both its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// Its place in the chain.
    pub scid: ShortChannelId,
    /// Both ends' money together.
    pub capacity: Sat,
    /// The ends, in any order.
    pub sides: [Side; 2],
}

/// One direction of a channel: out of `sides[from]` of the channel at `place`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) place: usize,
    pub(super) from: usize,
}

impl Way {
    /// Both directions of the channel at a place.
    pub(super) fn both(place: usize) -> [Self; 2] {
        [0, 1].map(|from| Self { place, from })
    }

    pub(super) fn back(self) -> Self {
        Self {
            from: self.from ^ 1,
            ..self
        }
    }
}

impl ChannelState {
    /// The end that a direction leaves, and the one that it reaches.
    pub(super) fn ends(&self, way: Way) -> (&Side, &Side) {
        let [one, other] = &self.sides;
        match way.from {
            0 => (one, other),
            _ => (other, one),
        }
    }
}
