//! Places of nodes and edges: numbers for arrays that lie beside a graph.

/// A node's place in the [`Graph`](super::Graph) that gave it. Places follow the order of node ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(u32);

impl NodeIndex {
    pub(crate) const fn new(place: usize) -> Self {
        Self(place as u32)
    }

    pub(crate) const fn from_row(row: u32) -> Self {
        Self(row)
    }

    pub(crate) const fn row(self) -> u32 {
        self.0
    }

    /// The place as a number from zero, below [`Graph::node_count`](super::Graph::node_count).
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// An edge's place in [`Graph::edges`](super::Graph::edges). The two directions of a channel follow
/// each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeIndex(u32);

impl EdgeIndex {
    pub(crate) const fn from_row(row: u32) -> Self {
        Self(row)
    }

    pub(crate) const fn row(self) -> u32 {
        self.0
    }

    /// The place as a number from zero, below twice
    /// [`Graph::channel_count`](super::Graph::channel_count).
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// The same channel the other way.
    pub const fn reverse(self) -> Self {
        Self(self.0 ^ 1)
    }
}
