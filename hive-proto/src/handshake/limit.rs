//! Rate limits whose memory is bounded however many peers there are.

use hive_types::limits::STRANGERS_TRACKED;
use hive_types::{Elapsed, Millis, NodeId};
use std::collections::BTreeMap;

const MINUTE: Millis = Millis::from_secs(60);

/// What was taken in the current minute.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    start: Elapsed,
    taken: u32,
}

impl Window {
    /// Takes one of `limit` per minute, if one is left.
    pub(crate) fn take(&mut self, now: Elapsed, limit: u32) -> bool {
        if self.is_over(now) {
            *self = Self {
                start: now,
                taken: 0,
            };
        }
        let allowed = self.taken < limit;
        self.taken += u32::from(allowed);
        allowed
    }

    fn is_over(&self, now: Elapsed) -> bool {
        now.since(self.start) >= MINUTE
    }
}

/// So many per peer and minute, over at most [`STRANGERS_TRACKED`] peers: the one whose minute began
/// first is forgotten first. A caller that fears many peers needs a limit over all of them too.
#[derive(Clone, Debug)]
pub struct PeerLimit {
    per_minute: u32,
    peers: BTreeMap<NodeId, Window>,
}

impl PeerLimit {
    /// Allows `per_minute` for each peer.
    pub const fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            peers: BTreeMap::new(),
        }
    }

    /// Whether one more from `peer` is within its limit; counts it if so.
    pub fn take(&mut self, now: Elapsed, peer: &NodeId) -> bool {
        if !self.peers.contains_key(peer) {
            self.make_room(now);
        }
        let fresh = Window {
            start: now,
            taken: 0,
        };
        let window = self.peers.entry(*peer).or_insert(fresh);
        window.take(now, self.per_minute)
    }

    /// Peers remembered now.
    pub fn tracked(&self) -> usize {
        self.peers.len()
    }

    fn make_room(&mut self, now: Elapsed) {
        if self.peers.len() < STRANGERS_TRACKED {
            return;
        }
        self.peers.retain(|_, window| !window.is_over(now));
        if self.peers.len() < STRANGERS_TRACKED {
            return;
        }
        let oldest = self.peers.iter().min_by_key(|(_, window)| window.start);
        if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
            self.peers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u32) -> NodeId {
        let mut bytes = [2; 33];
        bytes[1..5].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(bytes).unwrap()
    }

    #[test]
    fn t07_a_peer_has_its_share_each_minute_and_no_more() {
        let mut limit = PeerLimit::new(3);
        let granted = |limit: &mut PeerLimit, now| {
            let now = Elapsed::new(now);
            (0..100).filter(|_| limit.take(now, &node(1))).count()
        };
        assert_eq!(granted(&mut limit, 0), 3);
        assert_eq!(granted(&mut limit, 59_999), 0);
        assert!(limit.take(Elapsed::new(59_999), &node(2)));
        assert_eq!(granted(&mut limit, 60_000), 3);
    }

    #[test]
    fn t07_memory_is_bounded_and_the_oldest_peer_is_forgotten() {
        let mut limit = PeerLimit::new(1);
        for number in 0..5_000 {
            limit.take(Elapsed::new(u64::from(number)), &node(number));
        }
        assert_eq!(limit.tracked(), STRANGERS_TRACKED);
        let now = Elapsed::new(5_000);
        assert!(!limit.take(now, &node(4_999)));
        assert!(limit.take(now, &node(0)));
    }
}
