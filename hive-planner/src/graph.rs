//! The public network as every member sees it: compact, immutable, in compressed rows.
//!
//! Rows are sorted (nodes by id, channels by short channel id), so equal content gives equal graphs
//! whatever order it arrived in. The whole mainnet of late 2025 takes about seven megabytes.

mod builder;
mod place;
mod policy;
mod update;

pub use builder::{BuildError, GraphBuilder};
pub use place::{EdgeIndex, NodeIndex};
pub use update::GraphUpdate;

use hive_types::{ChannelPolicy, NodeId, Sat, ShortChannelId};
use policy::PackedPolicy;

/// A channel between two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its place in the chain.
    pub scid: ShortChannelId,
    /// Its ends, the smaller node id first (`node_id_1` and `node_id_2` of BOLT 7).
    pub nodes: [NodeIndex; 2],
    /// Both ends' money together.
    pub capacity: Sat,
}

/// One direction of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Its place in the graph.
    pub index: EdgeIndex,
    /// The channel's place in the chain.
    pub scid: ShortChannelId,
    /// The node that forwards and charges.
    pub from: NodeIndex,
    /// The node at the other end.
    pub to: NodeIndex,
    /// The channel's capacity.
    pub capacity: Sat,
    /// What `from` asks for; `None` when no update is known.
    pub policy: Option<ChannelPolicy>,
    /// The inbound fee that `to` puts on HTLCs that arrive here: base in msat and rate in millionths.
    pub inbound: (i32, i32),
}

impl Edge {
    /// The policy when payments can use this direction now: known and not disabled.
    pub fn usable(&self) -> Option<&ChannelPolicy> {
        self.policy.as_ref().filter(|policy| !policy.disabled)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ChannelRow {
    scid: u64,
    capacity: u64,
    nodes: [u32; 2],
}

/// One end's view of a channel. The lowest bit of `arc` is the end (0 for the smaller node id), the
/// rest the channel's row; so `arc` is also the row of the policy that this end set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HalfEdge {
    neighbour: u32,
    arc: u32,
}

/// The network. Cheap to share as `Arc<Graph>`: nothing in it changes, [`Graph::updated`] makes another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    nodes: Vec<NodeId>,
    channels: Vec<ChannelRow>,
    /// Two for each channel, the smaller node id's first.
    policies: Vec<PackedPolicy>,
    /// Where each node's half edges begin; one entry more than there are nodes.
    offsets: Vec<u32>,
    half_edges: Vec<HalfEdge>,
    /// Nodes that tell nobody where they are, in order.
    addressless: Vec<NodeId>,
}

impl Default for Graph {
    /// The graph of nothing.
    fn default() -> Self {
        GraphBuilder::new().build()
    }
}

impl Graph {
    /// How many nodes there are, those without channels included.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many channels there are, parallel ones each counted.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Every node in order of ids.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeIndex, NodeId)> + '_ {
        let places = self.nodes.iter().enumerate();
        places.map(|(place, id)| (NodeIndex::new(place), *id))
    }

    /// Nodes that nobody can dial by what the graph says, in order of ids: no announcement of theirs is
    /// known, or it names no address (BOLT 7, `node_announcement`). Of a graph without addresses none.
    pub fn addressless(&self) -> &[NodeId] {
        &self.addressless
    }

    /// Where the node is; `None` when the graph does not hold it.
    pub fn node_index(&self, id: &NodeId) -> Option<NodeIndex> {
        self.nodes.binary_search(id).ok().map(NodeIndex::new)
    }

    /// Which node this is.
    ///
    /// # Panics
    /// When the index comes from another, larger graph.
    pub fn node_id(&self, node: NodeIndex) -> NodeId {
        self.nodes[node.get()]
    }

    /// Every channel in order of short channel ids.
    pub fn channels(&self) -> impl ExactSizeIterator<Item = Channel> + '_ {
        self.channels.iter().map(Self::read_channel)
    }

    /// The channel of that id; `None` when the graph does not hold it.
    pub fn channel(&self, scid: ShortChannelId) -> Option<Channel> {
        self.row_of(scid)
            .map(|row| Self::read_channel(&self.channels[row]))
    }

    /// The direction of a channel that leaves `from`; `None` when `from` is not one of its ends.
    pub fn edge(&self, scid: ShortChannelId, from: NodeIndex) -> Option<Edge> {
        let row = self.row_of(scid)?;
        let end = self.channels[row]
            .nodes
            .iter()
            .position(|n| *n == from.row())?;
        Some(self.read_edge((row << 1 | end) as u32))
    }

    /// The channels of a node, as edges that leave it, by neighbour and then by short channel id.
    ///
    /// # Panics
    /// When the index comes from another, larger graph.
    pub fn channels_of(&self, node: NodeIndex) -> impl ExactSizeIterator<Item = Edge> + '_ {
        let half_edges = self.half_edges_of(node.row()).iter();
        half_edges.map(|half| self.read_edge(half.arc))
    }

    /// The channels from one node to another, as edges that leave `from`, by short channel id.
    pub fn between(&self, from: NodeIndex, to: NodeIndex) -> impl Iterator<Item = Edge> + '_ {
        let half_edges = self.half_edges_of(from.row());
        let start = half_edges.partition_point(|half| half.neighbour < to.row());
        let parallel = half_edges[start..].iter();
        parallel
            .take_while(move |half| half.neighbour == to.row())
            .map(|half| self.read_edge(half.arc))
    }

    /// Both directions of every channel, by short channel id, the smaller node id's first.
    pub fn edges(&self) -> impl ExactSizeIterator<Item = Edge> + '_ {
        (0..self.policies.len() as u32).map(|arc| self.read_edge(arc))
    }

    /// The edge at this place of [`Graph::edges`].
    ///
    /// # Panics
    /// When the index comes from another, larger graph.
    pub fn edge_at(&self, index: EdgeIndex) -> Edge {
        self.read_edge(index.row())
    }

    /// The nodes that the edge at this place leaves and reaches.
    ///
    /// # Panics
    /// When the index comes from another, larger graph.
    pub fn ends_of(&self, index: EdgeIndex) -> (NodeIndex, NodeIndex) {
        let (nodes, end) = (self.channels[index.get() >> 1].nodes, index.get() & 1);
        (
            NodeIndex::from_row(nodes[end]),
            NodeIndex::from_row(nodes[end ^ 1]),
        )
    }

    /// How many channels a node has.
    pub fn degree_of(&self, node: NodeIndex) -> usize {
        self.half_edges_of(node.row()).len()
    }

    /// What a node's public channels hold together; each channel counts at both its ends.
    pub fn capacity_of(&self, node: NodeIndex) -> Sat {
        let half_edges = self.half_edges_of(node.row()).iter();
        half_edges
            .map(|half| Sat::new(self.channels[half.arc as usize >> 1].capacity))
            .sum()
    }

    /// Bytes that the graph's arrays take.
    pub fn resident_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<NodeId>()
            + self.channels.capacity() * size_of::<ChannelRow>()
            + self.policies.capacity() * size_of::<PackedPolicy>()
            + self.offsets.capacity() * size_of::<u32>()
            + self.half_edges.capacity() * size_of::<HalfEdge>()
            + self.addressless.capacity() * size_of::<NodeId>()
    }

    fn row_of(&self, scid: ShortChannelId) -> Option<usize> {
        let number = scid.to_u64();
        let found = self.channels.binary_search_by_key(&number, |row| row.scid);
        found.ok()
    }

    fn half_edges_of(&self, node: u32) -> &[HalfEdge] {
        let place = node as usize;
        &self.half_edges[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }

    fn read_channel(row: &ChannelRow) -> Channel {
        Channel {
            scid: ShortChannelId::from_u64(row.scid),
            nodes: row.nodes.map(NodeIndex::from_row),
            capacity: Sat::new(row.capacity),
        }
    }

    fn read_edge(&self, arc: u32) -> Edge {
        let (row, end) = (&self.channels[arc as usize >> 1], arc as usize & 1);
        Edge {
            index: EdgeIndex::from_row(arc),
            scid: ShortChannelId::from_u64(row.scid),
            from: NodeIndex::from_row(row.nodes[end]),
            to: NodeIndex::from_row(row.nodes[end ^ 1]),
            capacity: Sat::new(row.capacity),
            policy: self.policies[arc as usize].unpack(),
            inbound: self.policies[arc as usize ^ 1].inbound(),
        }
    }
}
