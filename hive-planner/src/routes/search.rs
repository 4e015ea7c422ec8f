//! Dijkstra backwards from a payee to everybody.

use super::prices::{Inbound, Prices};
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
    /// By place.
    keys: Vec<u64>,
    /// The edge on which the way goes on, by place.
    next: Vec<u32>,
    /// The key of the neighbour that a payer sends to first, by place, with what that neighbour
    /// surcharges.
    payer_keys: Vec<u64>,
    payer_next: Vec<u32>,
    /// Places in the order in which they were settled.
    order: Vec<u32>,
}

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
                next: vec![NO_EDGE; nodes],
                payer_keys: vec![NOWHERE; nodes],
                payer_next: vec![NO_EDGE; nodes],
                order: Vec::with_capacity(nodes),
            },
        }
    }

    /// The cheapest ways from every node to `root`, until the next search.
    pub fn to(&mut self, root: NodeIndex) -> &Distances<'p> {
        let found = &mut self.found;
        found.root = root;
        found.order.clear();
        for keys in [&mut found.keys, &mut found.payer_keys] {
            keys.fill(NOWHERE);
        }
        self.queue.clear();
        if let Some(place) = found.prices.place(root) {
            found.keys[place as usize] = 0;
            found.payer_keys[place as usize] = 0;
            self.queue.push(0, place);
        }
        while let Some((key, place)) = self.queue.pop() {
            if key == found.keys[place as usize] {
                found.settle(key, place, &mut self.queue);
            }
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
        for (hop, edge) in prices.plain(place) {
            let before = hop.place() as usize;
            let total = key + key_of(hop.weight());
            let best = self.keys[before];
            if total < best {
                // Neighbours settle in the order of their keys, so the first is the payer's best.
                if best == NOWHERE {
                    self.payer_keys[before] = key;
                    self.payer_next[before] = edge;
                }
                self.keys[before] = total;
                self.next[before] = edge;
                queue.push(total, hop.place());
            } else if total == best && edge < self.next[before] {
                self.next[before] = edge;
            }
        }
        if let Some(inbound) = prices.inbound() {
            self.settle_inbound(inbound, key, place, queue);
        }
    }

    /// The same over hops whose weight depends on the settled place's own fee.
    fn settle_inbound(&mut self, inbound: &Inbound, key: u64, place: u32, queue: &mut Queue) {
        let onward_fee = (key > 0).then(|| inbound.fees[self.next[place as usize] as usize]);
        for hop in inbound.rows.row(place) {
            let before = hop.place as usize;
            let as_payer = key + (hop.payer_surcharge(onward_fee) << HOP_BITS);
            let (best, edge) = (self.payer_keys[before], self.payer_next[before]);
            if as_payer < best || (as_payer == best && hop.edge < edge) {
                self.payer_keys[before] = as_payer;
                self.payer_next[before] = hop.edge;
            }
            let total = key + key_of(hop.weight(onward_fee));
            let best = self.keys[before];
            if total < best {
                self.keys[before] = total;
                self.next[before] = hop.edge;
                queue.push(total, hop.place);
            } else if total == best && hop.edge < self.next[before] {
                self.next[before] = hop.edge;
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
        let key = self.key(&self.keys, node)?;
        Some(key >> HOP_BITS)
    }

    /// What a payment that begins at `payer` costs; zero at the root, `None` when there is no way.
    pub fn payer_cost(&self, payer: NodeIndex) -> Option<u64> {
        let key = self.key(&self.payer_keys, payer)?;
        let first_hop = if payer == self.root {
            0
        } else {
            self.prices.first_hop
        };
        Some((key >> HOP_BITS) + first_hop)
    }

    /// How many hops lie between a payer and the root.
    pub fn payer_hops(&self, payer: NodeIndex) -> Option<u32> {
        let key = self.key(&self.payer_keys, payer)?;
        let first_hop = u32::from(payer != self.root);
        Some((key & HOPS) as u32 + first_hop)
    }

    /// The edge on which a forwarder's way goes on; `None` at the root and where there is no way.
    pub fn next(&self, node: NodeIndex) -> Option<EdgeIndex> {
        self.edge(&self.keys, &self.next, node)
    }

    /// The edge on which a payer begins; `None` at the root and where there is no way.
    pub fn payer_next(&self, payer: NodeIndex) -> Option<EdgeIndex> {
        self.edge(&self.payer_keys, &self.payer_next, payer)
    }

    /// Every node with a way, each after the one that it forwards to, the root left out: one pass
    /// carries along the ways whatever is to be known of them.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let settled = self.order.iter().skip(1);
        settled.map(|place| {
            let edge = EdgeIndex::from_row(self.next[*place as usize]);
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

    fn key(&self, keys: &[u64], node: NodeIndex) -> Option<u64> {
        let key = keys.get(self.prices.place(node)? as usize).copied();
        key.filter(|key| *key != NOWHERE)
    }

    fn edge(&self, keys: &[u64], edges: &[u32], node: NodeIndex) -> Option<EdgeIndex> {
        self.key(keys, node).filter(|_| node != self.root)?;
        let edge = edges.get(self.prices.place(node)? as usize)?;
        Some(EdgeIndex::from_row(*edge))
    }
}
