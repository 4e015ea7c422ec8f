//! Dijkstra backwards from a payee to everybody.

use super::prices::{InboundHop, Prices};
use super::queue::Queue;
use crate::graph::{Edge, EdgeIndex, NodeIndex};

/// Keys hold a cost in msat above the count of hops, so that fewer hops decide between equal costs
/// and every hop adds to the key.
const HOP_BITS: u32 = 16;
const HOPS: u64 = (1 << HOP_BITS) - 1;
const NOWHERE: u64 = u64::MAX;
/// A way stops at 2^47 msat (1,400 BTC): one more hop, of at most 2^42, then keeps within 64 bits.
const COST_LIMIT: u64 = 1 << 47;
const NO_EDGE: u32 = u32::MAX;

fn key_of(weight: u64) -> u64 {
    weight << HOP_BITS | 1
}

/// One search after the other in the same room.
pub struct Searcher<'p> {
    queue: Queue,
    found: Distances<'p>,
}

/// The cheapest ways from every node to one root.
///
/// Costs are in msat of the sender's weighing: fees, and what timelocks, hops and uncertainty count
/// for. A forwarder's cost includes what it takes itself; a payer takes nothing from itself.
pub struct Distances<'p> {
    prices: &'p Prices<'p>,
    root: NodeIndex,
    /// By place, beside `ways` and not in them: most hops only compare keys.
    keys: Vec<u64>,
    ways: Vec<Way>,
    /// Places in the order in which they were settled.
    order: Vec<u32>,
}

/// How a way goes on from a place.
#[derive(Clone, Copy)]
struct Way {
    /// The key of the neighbour that a payer sends to first, with what that neighbour surcharges.
    payer_key: u64,
    payer_next: u32,
    /// The edge on which a forwarder sends on.
    next: u32,
}

const NO_WAY: Way = Way {
    payer_key: NOWHERE,
    payer_next: NO_EDGE,
    next: NO_EDGE,
};

/// One node's way on towards the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The node.
    pub node: NodeIndex,
    /// The node that it forwards to, which comes earlier in the order.
    pub next: NodeIndex,
    /// The edge between them.
    pub edge: EdgeIndex,
}

impl<'p> Searcher<'p> {
    pub(super) fn new(prices: &'p Prices<'p>) -> Self {
        let nodes = prices.node_count();
        Self {
            queue: Queue::default(),
            found: Distances {
                prices,
                root: NodeIndex::new(0),
                keys: vec![NOWHERE; nodes],
                ways: vec![NO_WAY; nodes],
                order: Vec::with_capacity(nodes),
            },
        }
    }

    /// The cheapest ways from every node to `root`, until the next search.
    pub fn to(&mut self, root: NodeIndex) -> &Distances<'p> {
        let found = &mut self.found;
        found.root = root;
        found.order.clear();
        found.keys.fill(NOWHERE);
        found.ways.fill(NO_WAY);
        self.queue.clear();
        if let Some(place) = found.prices.place(root) {
            found.keys[place as usize] = 0;
            found.ways[place as usize].payer_key = 0;
            self.queue.push(0, place);
        }
        while let Some((key, place)) = self.queue.pop(&found.keys) {
            found.settle(key, place, &mut self.queue);
        }
        &self.found
    }

    pub(super) fn into_distances(mut self, root: NodeIndex) -> Distances<'p> {
        self.to(root);
        self.found
    }
}

impl Distances<'_> {
    /// Takes a place whose way is final, and offers it to all that have a hop to it.
    fn settle(&mut self, key: u64, place: u32, queue: &mut Queue) {
        self.order.push(place);
        if key >> HOP_BITS >= COST_LIMIT || key & HOPS == HOPS {
            return;
        }
        let prices = self.prices;
        // Slices of their own, so that the loop need not look up where they lie.
        let (keys, ways) = (&mut self.keys[..], &mut self.ways[..]);
        for (hop, edge) in prices.plain(place) {
            let before = hop.place() as usize;
            let total = key + key_of(hop.weight());
            let best = keys[before];
            if total < best {
                let way = &mut ways[before];
                // Neighbours settle in the order of their keys, so the first is the payer's best.
                if best == NOWHERE {
                    (way.payer_key, way.payer_next) = (key, edge);
                }
                way.next = edge;
                keys[before] = total;
                queue.push(total, hop.place());
            } else if total == best && edge < ways[before].next {
                ways[before].next = edge;
            }
        }
        if let Some((inbound, row)) = prices.inbound(place) {
            let on = self.ways[place as usize].next;
            let onward_fee = (key > 0).then(|| inbound.fees[on as usize]);
            self.settle_inbound(row, onward_fee, key, queue);
        }
    }

    /// The same over hops whose weight depends on the settled place's own fee.
    fn settle_inbound(
        &mut self,
        row: &[InboundHop],
        onward_fee: Option<u64>,
        key: u64,
        queue: &mut Queue,
    ) {
        for hop in row {
            let best = &mut self.keys[hop.place as usize];
            let way = &mut self.ways[hop.place as usize];
            let as_payer = key + (hop.payer_surcharge(onward_fee) << HOP_BITS);
            if (as_payer, hop.edge) < (way.payer_key, way.payer_next) {
                (way.payer_key, way.payer_next) = (as_payer, hop.edge);
            }
            let total = key + key_of(hop.weight(onward_fee));
            if total < *best {
                *best = total;
                way.next = hop.edge;
                queue.push(total, hop.place);
            } else if total == *best && hop.edge < way.next {
                way.next = hop.edge;
            }
        }
    }

    /// The node that all ways lead to.
    pub fn root(&self) -> NodeIndex {
        self.root
    }

    /// What a payment from `node` to the root costs, the node itself taking its fee; zero at the root,
    /// `None` when there is no way.
    pub fn cost(&self, node: NodeIndex) -> Option<u64> {
        let (key, _) = self.found(node)?;
        Some(key >> HOP_BITS)
    }

    /// What a payment that begins at `payer` costs; zero at the root, `None` when there is no way.
    pub fn payer_cost(&self, payer: NodeIndex) -> Option<u64> {
        let (_, way) = self.found(payer)?;
        let first_hop = if payer == self.root {
            0
        } else {
            self.prices.first_hop
        };
        Some((way.payer_key >> HOP_BITS) + first_hop)
    }

    /// How many hops lie between a payer and the root; zero at the root, `None` when there is no way.
    pub fn payer_hops(&self, payer: NodeIndex) -> Option<u32> {
        let (_, way) = self.found(payer)?;
        let first_hop = u32::from(payer != self.root);
        Some((way.payer_key & HOPS) as u32 + first_hop)
    }

    /// The edge on which a forwarder's way goes on; `None` at the root and where there is no way.
    pub fn next(&self, node: NodeIndex) -> Option<EdgeIndex> {
        let (_, way) = self.found(node).filter(|_| node != self.root)?;
        Some(EdgeIndex::from_row(way.next))
    }

    /// The edge on which a payer begins; `None` at the root and where there is no way.
    pub fn payer_next(&self, payer: NodeIndex) -> Option<EdgeIndex> {
        let (_, way) = self.found(payer).filter(|_| payer != self.root)?;
        Some(EdgeIndex::from_row(way.payer_next))
    }

    /// Every node with a way, each after the one that it forwards to, the root left out: one pass
    /// carries along the ways whatever is to be known of them.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let settled = self.order.iter().skip(1);
        settled.map(|place| {
            let edge = EdgeIndex::from_row(self.ways[*place as usize].next);
            let (node, next) = self.prices.graph.ends_of(edge);
            Step { node, next, edge }
        })
    }

    /// The edges of the way of a payment that begins at `payer`, in order; `None` when there is none.
    pub fn path(&self, payer: NodeIndex) -> Option<Vec<Edge>> {
        let mut path = Vec::new();
        let mut at = payer;
        while at != self.root {
            let edge = if path.is_empty() {
                self.payer_next(at)?
            } else {
                self.next(at)?
            };
            let edge = self.prices.graph.edge_at(edge);
            at = edge.to;
            path.push(edge);
        }
        Some(path)
    }

    /// Nodes that the search settled: the unit in which planners count work.
    pub fn settled(&self) -> u64 {
        self.order.len() as u64
    }

    fn found(&self, node: NodeIndex) -> Option<(u64, Way)> {
        let place = self.prices.place(node)? as usize;
        let key = self.keys.get(place).filter(|key| **key != NOWHERE)?;
        Some((*key, *self.ways.get(place)?))
    }
}
