//! What a node's peers did to its HTLCs and channels, as the node counts it.

use super::payment::Hop;
use super::{ChannelIx, NodeIx, World};
use hive_types::PeerEvents;
use std::collections::BTreeSet;

/// Under this an HTLC has no output of its own on chain (BOLT 3's largest dust limit).
const DUST_MSAT: u64 = 354_000;

/// How HTLCs ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Settled,
    Failed,
    /// Failed by its timeout, because somebody held it.
    TimedOut,
}

impl World {
    /// Each forwarder counts what became of what it offered its next peer, and everybody the dust that
    /// it was offered.
    pub(crate) fn count_deeds(&mut self, hops: &[Hop], end: End) {
        for (place, hop) in hops.iter().enumerate() {
            let [from, to] = self.ends(hop);
            if hop.amount < DUST_MSAT {
                self.deeds(to, from, |seen| seen.dust_htlcs += 1);
            }
            if end == End::TimedOut {
                self.deeds(from, to, |seen| seen.stuck_htlcs += 1);
            }
            // The first node pays; it forwards for nobody.
            if place > 0 {
                let failed = u64::from(end != End::Settled);
                self.deeds(from, to, |seen| {
                    seen.forwards += 1;
                    seen.failed += failed;
                });
            }
        }
    }

    /// The other end's force close.
    pub(crate) fn count_force_close(&mut self, channel: ChannelIx, closer: usize) {
        let nodes = self.channels[channel].nodes;
        let (closer, other) = (nodes[closer], nodes[1 - closer]);
        self.deeds(other, closer, |seen| seen.force_closes += 1);
    }

    /// What a node tells: an entry of each peer with a channel, and of those that did something.
    pub(crate) fn peer_events(&self, node: NodeIx) -> Vec<PeerEvents> {
        let Some(agent) = self.nodes[node].agent.as_ref() else {
            return Vec::new();
        };
        let channels = self.nodes[node].channels.iter();
        let with_channel = channels.flat_map(|channel| self.channels[*channel].nodes);
        let mut peers: BTreeSet<NodeIx> = with_channel.collect();
        peers.extend(agent.deeds.keys());
        peers.remove(&node);
        let mut events: Vec<_> = peers
            .into_iter()
            .map(|peer| {
                let id = self.nodes[peer].id;
                let seen = agent.deeds.get(&peer).copied();
                seen.unwrap_or(PeerEvents::none(id))
            })
            .collect();
        events.sort_by_key(|seen| seen.peer);
        events
    }

    fn ends(&self, hop: &Hop) -> [NodeIx; 2] {
        let nodes = self.channels[hop.channel].nodes;
        [nodes[hop.side], nodes[1 - hop.side]]
    }

    fn deeds(&mut self, node: NodeIx, peer: NodeIx, count: impl FnOnce(&mut PeerEvents)) {
        let id = self.nodes[peer].id;
        if let Some(agent) = self.nodes[node].agent.as_mut() {
            count(agent.deeds.entry(peer).or_insert(PeerEvents::none(id)));
        }
    }
}
