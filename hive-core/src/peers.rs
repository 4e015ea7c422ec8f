//! Who is connected, and how much of what they send is looked at.

use hive_types::limits::{
    FELLOW_FRAMES_PER_MINUTE, SEEN_FRAMES, STRANGER_FRAMES_PER_MINUTE, STRANGERS_TRACKED,
};
use hive_types::{Capabilities, Digest, Elapsed, Millis, NodeId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const MINUTE: Millis = Millis::from_secs(60);

/// Connected peers with their features, frame counts per peer, and frames already relayed.
#[derive(Default)]
pub(crate) struct Peers {
    connected: BTreeMap<NodeId, Capabilities>,
    counts: BTreeMap<NodeId, Count>,
    seen: BTreeSet<Digest>,
    seen_in_order: VecDeque<Digest>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    since: Elapsed,
    frames: u32,
    reported: Option<Elapsed>,
}

impl Peers {
    pub(crate) fn connect(&mut self, peer: NodeId, features: &[u8]) {
        self.connected
            .insert(peer, Capabilities::from_features(features));
    }

    pub(crate) fn disconnect(&mut self, peer: &NodeId) {
        self.connected.remove(peer);
    }

    pub(crate) fn is_connected(&self, peer: &NodeId) -> bool {
        self.connected.contains_key(peer)
    }

    /// What the live connection's feature bits show.
    pub(crate) fn features(&self, peer: &NodeId) -> Capabilities {
        self.connected.get(peer).copied().unwrap_or_default()
    }

    pub(crate) fn connected(&self) -> impl Iterator<Item = &NodeId> {
        self.connected.keys()
    }

    /// Whether one more frame of this peer is looked at in this minute.
    pub(crate) fn admit_frame(&mut self, peer: NodeId, is_fellow: bool, now: Elapsed) -> bool {
        let limit = if is_fellow {
            FELLOW_FRAMES_PER_MINUTE
        } else {
            STRANGER_FRAMES_PER_MINUTE
        };
        let count = self.count(peer, now);
        if now.since(count.since) >= MINUTE {
            *count = Count {
                since: now,
                frames: 0,
                reported: count.reported,
            };
        }
        count.frames = count.frames.saturating_add(1);
        count.frames <= limit
    }

    /// Whether a complaint about this peer is due: at most one a minute, so that a flood of bad
    /// frames is no flood of log lines.
    pub(crate) fn may_report(&mut self, peer: NodeId, now: Elapsed) -> bool {
        let count = self.count(peer, now);
        let due = count.reported.is_none_or(|last| now.since(last) >= MINUTE);
        if due {
            count.reported = Some(now);
        }
        due
    }

    fn count(&mut self, peer: NodeId, now: Elapsed) -> &mut Count {
        if self.counts.len() >= STRANGERS_TRACKED && !self.counts.contains_key(&peer) {
            let oldest = self.counts.iter().min_by_key(|(_, count)| count.since);
            let oldest = oldest.map(|(oldest, _)| *oldest);
            oldest.and_then(|oldest| self.counts.remove(&oldest));
        }
        self.counts.entry(peer).or_insert(Count {
            since: now,
            ..Count::default()
        })
    }

    /// Whether these verified bytes are new here; from now on they are not.
    pub(crate) fn first_sight(&mut self, hash: Digest) -> bool {
        if !self.seen.insert(hash) {
            return false;
        }
        self.seen_in_order.push_back(hash);
        if self.seen_in_order.len() > SEEN_FRAMES
            && let Some(oldest) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u16) -> NodeId {
        let mut bytes = [2; 33];
        bytes[31..].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes).unwrap()
    }

    #[test]
    fn t07_a_flood_is_counted_and_memory_stays_bounded() {
        let mut peers = Peers::default();
        let now = Elapsed::new(5);
        let looked_at = (0..10_000)
            .filter(|_| peers.admit_frame(node(1), false, now))
            .count();
        assert_eq!(looked_at, STRANGER_FRAMES_PER_MINUTE as usize);
        assert!(peers.admit_frame(node(1), false, now.plus(MINUTE)));
        for number in 0..5_000 {
            peers.admit_frame(node(number), false, now);
        }
        assert_eq!(peers.counts.len(), STRANGERS_TRACKED);
    }

    #[test]
    fn t05_repeats_are_known_within_a_bounded_memory() {
        let mut peers = Peers::default();
        let hash = |number: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            Digest::from_bytes(bytes)
        };
        assert!(peers.first_sight(hash(0)));
        assert!(!peers.first_sight(hash(0)));
        for number in 1..10_000 {
            peers.first_sight(hash(number));
        }
        assert_eq!(peers.seen.len(), SEEN_FRAMES);
        assert_eq!(peers.seen_in_order.len(), SEEN_FRAMES);
    }

    #[test]
    fn a_bad_peer_is_named_once_a_minute() {
        let mut peers = Peers::default();
        assert!(peers.may_report(node(1), Elapsed::new(0)));
        assert!(!peers.may_report(node(1), Elapsed::new(59_999)));
        assert!(peers.may_report(node(1), Elapsed::new(60_000)));
    }
}
