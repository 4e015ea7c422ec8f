//! Networks packed for searches: eight bytes for each hop, in rows by the node where it ends.

use crate::graph::NodeIndex;
use std::cmp::Reverse;

const PLACE_BITS: u32 = 24;
/// Nodes beyond this many, those with the fewest hops, are in no way; the public network has fewer
/// than 2^15.
pub(super) const PLACES: usize = 1 << PLACE_BITS;

/// A hop's weight and the place where it begins, in one word.
#[derive(Clone, Copy)]
pub(super) struct Packed(u64);

impl Packed {
    pub(super) fn new(weight: u64, place: u32) -> Self {
        Self(weight << PLACE_BITS | u64::from(place))
    }

    pub(super) fn weight(self) -> u64 {
        self.0 >> PLACE_BITS
    }

    pub(super) fn place(self) -> u32 {
        self.0 as u32 & (PLACES - 1) as u32
    }
}

/// Rows by the node where hops end.
pub(super) struct Rows<T> {
    offsets: Vec<u32>,
    entries: Vec<T>,
}

impl<T> Rows<T> {
    /// Entries come with the row of each, in ascending order of rows.
    pub(super) fn of(rows: usize, entries: impl Iterator<Item = (u32, T)>) -> Self {
        let mut offsets = vec![0u32; rows + 1];
        let count = |(row, entry): (u32, T)| {
            offsets[row as usize + 1] += 1;
            entry
        };
        let entries = entries.map(count).collect();
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        Self { offsets, entries }
    }

    pub(super) fn row(&self, row: u32) -> &[T] {
        let row = row as usize;
        &self.entries[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }
}

/// A place for each node, those that end most hops first: few nodes take part in most of a search,
/// and so lie close to each other in memory.
pub(super) fn number(nodes: usize, ends: impl Iterator<Item = NodeIndex>) -> Vec<u32> {
    let mut counts = vec![0u32; nodes];
    for end in ends {
        counts[end.get()] += 1;
    }
    let mut order: Vec<NodeIndex> = (0..nodes).map(NodeIndex::new).collect();
    order.sort_by_key(|node| Reverse(counts[node.get()]));
    let mut places = vec![0; nodes];
    for (place, node) in order.iter().enumerate() {
        places[node.get()] = place as u32;
    }
    places
}
