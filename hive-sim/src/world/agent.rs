//! What a node tells the program that runs on it: events, and a snapshot of itself.

use super::node::Node;
use super::{NodeError, NodeIx, PaymentState, World};
use hive_types::{
    BlockHeight, Digest, ForwardTotals, LocalSnapshot, Msat, NodeId, PeerEvents, PeerView,
};
use std::collections::{BTreeMap, VecDeque};

/// What an agent hears from its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// A connection stands.
    PeerConnected {
        /// The other end.
        peer: NodeId,
        /// Its feature bits on this connection.
        features: Vec<u8>,
    },
    /// A connection ended.
    PeerDisconnected {
        /// The other end.
        peer: NodeId,
    },
    /// A custom message arrived.
    Message {
        /// Who sent it.
        from: NodeId,
        /// BOLT 1 message type.
        kind: u16,
        /// What follows the type.
        bytes: Vec<u8>,
    },
    /// The node's tip moved. After a reorg it may be a height already heard of.
    Block {
        /// The tip.
        height: BlockHeight,
    },
    /// Channels or on-chain money changed: read the snapshot again. At most one waits at a time.
    ChannelsChanged,
    /// A payment along a route that this node was given has ended.
    PaymentResult {
        /// Its hash.
        hash: Digest,
        /// How.
        state: PaymentState,
    },
}

/// What the world holds of a node that somebody runs a program on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agent {
    pub(crate) events: VecDeque<NodeEvent>,
    /// Whether `ChannelsChanged` waits already.
    pub(crate) changed: bool,
    pub(crate) tip: u32,
    pub(crate) lag: u32,
    /// Count, volume and fees by pair of peers.
    pub(crate) forwards: BTreeMap<(NodeIx, NodeIx), (u64, u64, u64)>,
    /// What each peer did.
    pub(crate) deeds: BTreeMap<NodeIx, PeerEvents>,
}

impl World {
    /// Holds a node's tip this many blocks behind from the next block on; 0 lets it catch up at once.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn set_lag(&mut self, node: NodeId, blocks: u32) -> Result<(), NodeError> {
        let ix = self.ix(node)?;
        if let Some(agent) = self.nodes[ix].agent.as_mut() {
            agent.lag = blocks;
        }
        if blocks == 0 {
            self.see_block(ix, self.chain.height().get());
        }
        Ok(())
    }

    /// The oldest event that the node's agent has not read.
    pub fn poll_event(&mut self, node: NodeId) -> Option<NodeEvent> {
        let ix = self.ix(node).ok()?;
        let agent = self.nodes[ix].agent.as_mut()?;
        let event = agent.events.pop_front()?;
        if event == NodeEvent::ChannelsChanged {
            agent.changed = false;
        }
        Some(event)
    }

    /// Agents that have an event to read, for drivers that step through time.
    pub fn agents_with_events(&self) -> impl Iterator<Item = NodeId> {
        let agents = self.agents.iter().map(|node| &self.nodes[*node]);
        let waiting = |node: &&Node| {
            let agent = node.agent.as_ref();
            agent.is_some_and(|agent| !agent.events.is_empty())
        };
        agents.filter(waiting).map(|node| node.id)
    }

    pub(crate) fn tell(&mut self, node: NodeIx, event: NodeEvent) {
        let node = &mut self.nodes[node];
        let Some(agent) = node.agent.as_mut().filter(|_| node.online) else {
            return;
        };
        if event == NodeEvent::ChannelsChanged && std::mem::replace(&mut agent.changed, true) {
            return;
        }
        agent.events.push_back(event);
    }

    pub(crate) fn see_block(&mut self, node: NodeIx, height: u32) {
        let Some(agent) = self.nodes[node].agent.as_mut() else {
            return;
        };
        // Propagation may swap two blocks; a node keeps the longest chain that it knows.
        if height <= agent.tip {
            return;
        }
        agent.tip = height;
        let height = BlockHeight::new(height);
        self.tell(node, NodeEvent::Block { height });
        self.tell(node, NodeEvent::ChannelsChanged);
    }

    /// Lets every node without lag hear of the tip at once.
    pub(crate) fn see_all(&mut self) {
        let height = self.chain.height().get();
        for node in self.agents.clone() {
            self.see_block(node, height.saturating_sub(self.lag_of(node)));
        }
    }

    /// How many blocks a node is held behind.
    pub(crate) fn lag_of(&self, node: NodeIx) -> u32 {
        let agent = self.nodes[node].agent.as_ref();
        agent.map_or(0, |agent| agent.lag)
    }

    /// The height that a node knows.
    pub(crate) fn tip_of(&self, node: NodeIx) -> u32 {
        let tip = self.chain.height().get();
        self.nodes[node]
            .agent
            .as_ref()
            .map_or(tip, |agent| agent.tip)
    }

    /// What the node says of itself. Takes time by the number of its channels and outputs only.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn snapshot(&self, node: NodeId) -> Result<LocalSnapshot, NodeError> {
        let ix = self.ix(node)?;
        let this = &self.nodes[ix];
        let mut channels: Vec<_> = this
            .channels
            .iter()
            .filter_map(|channel| self.local_channel(ix, *channel))
            .collect();
        channels.sort_by_key(|channel| channel.channel_id);
        let mut peers: Vec<_> = this
            .peers
            .iter()
            .map(|peer| PeerView {
                node_id: self.nodes[*peer].id,
                features: self.nodes[*peer].features.clone(),
            })
            .collect();
        peers.sort_by_key(|peer| peer.node_id);
        let tip = self.tip_of(ix);
        Ok(LocalSnapshot {
            node_id: node,
            network: self.network(),
            height: BlockHeight::new(tip),
            synced: this.online && tip == self.chain.height().get(),
            on_chain: self.on_chain(ix),
            feerate: self.feerate(),
            channels,
            peers,
            forwards: self.forward_totals(ix),
            peer_events: self.peer_events(ix),
        })
    }

    fn forward_totals(&self, node: NodeIx) -> Vec<ForwardTotals> {
        let Some(agent) = self.nodes[node].agent.as_ref() else {
            return Vec::new();
        };
        let totals = agent.forwards.iter();
        let mut totals: Vec<_> = totals
            .map(|((from, to), (count, volume, fees))| ForwardTotals {
                from: self.nodes[*from].id,
                to: self.nodes[*to].id,
                count: *count,
                volume: Msat::new(*volume),
                fees: Msat::new(*fees),
            })
            .collect();
        totals.sort_by_key(|total| (total.from, total.to));
        totals
    }
}
