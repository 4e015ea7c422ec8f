//! Who is connected, and how much of what they send is looked at.

use hive_proto::handshake::PeerLimit;
use hive_types::limits::{FELLOW_FRAMES_PER_MINUTE, SEEN_FRAMES, STRANGER_FRAMES_PER_MINUTE};
use hive_types::{Capabilities, Digest, Elapsed, NodeId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Complaints about one peer in a minute: a flood of bad frames is no flood of log lines.
const REPORTS_PER_MINUTE: u32 = 1;

/// Connected peers with their features, limits per peer, and frames already relayed.
pub(crate) struct Peers {
    connected: BTreeMap<NodeId, Capabilities>,
    /// Strangers crowd out each other here, never a fellow.
    strangers: PeerLimit,
    fellows: PeerLimit,
    reports: PeerLimit,
    seen: BTreeSet<Digest>,
    seen_in_order: VecDeque<Digest>,
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            connected: BTreeMap::new(),
            strangers: PeerLimit::new(STRANGER_FRAMES_PER_MINUTE),
            fellows: PeerLimit::new(FELLOW_FRAMES_PER_MINUTE),
            reports: PeerLimit::new(REPORTS_PER_MINUTE),
            seen: BTreeSet::new(),
            seen_in_order: VecDeque::new(),
        }
    }
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
        let limit = match is_fellow {
            true => &mut self.fellows,
            false => &mut self.strangers,
        };
        limit.take(now, &peer)
    }

    /// Whether a complaint about this peer is due: at most one a minute.
    pub(crate) fn may_report(&mut self, peer: NodeId, now: Elapsed) -> bool {
        self.reports.take(now, &peer)
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
    use hive_types::Millis;
    use hive_types::limits::STRANGERS_TRACKED;

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
        for number in 2..5_000 {
            peers.admit_frame(node(number), false, now);
        }
        assert_eq!(peers.strangers.tracked(), STRANGERS_TRACKED);
        assert!(peers.admit_frame(node(5_001), true, now));
        assert!(peers.admit_frame(node(1), false, now.plus(Millis::from_secs(60))));
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
