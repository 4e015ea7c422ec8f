//! The cheapest way around what has failed.
//!
//! Costs to the payee on the whole network never exceed those on a part of it, and differ between
//! neighbours by no more than the lane between them. So A* with them finds the cheapest way without the
//! failed lanes exactly, and looks at little more than the way itself.

use super::net::{FAR, Lane, Net, Weight, Weights};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Arrays that one search leaves to the next.
pub(crate) struct Scratch {
    costs: Vec<u32>,
    /// The place in the rows by which the way came.
    by: Vec<u32>,
    /// The node that it came from.
    before: Vec<u32>,
    /// The search that wrote the two above.
    seen: Vec<u32>,
    turn: u32,
    queue: BinaryHeap<Reverse<(u32, u32)>>,
    /// Nodes that searches took from the queue.
    pub(crate) expanded: u64,
}

impl Scratch {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            costs: vec![FAR; nodes],
            by: vec![0; nodes],
            before: vec![0; nodes],
            seen: vec![0; nodes],
            turn: 0,
            queue: BinaryHeap::new(),
            expanded: 0,
        }
    }

    fn begin(&mut self) {
        self.queue.clear();
        self.turn = self.turn.checked_add(1).unwrap_or_else(|| {
            self.seen.fill(0);
            1
        });
    }

    fn cost(&self, node: u32) -> u32 {
        if self.seen[node as usize] == self.turn {
            self.costs[node as usize]
        } else {
            FAR
        }
    }

    fn set(&mut self, node: u32, cost: u32, (by, before): (usize, u32)) {
        let node = node as usize;
        (self.costs[node], self.seen[node]) = (cost, self.turn);
        (self.by[node], self.before[node]) = (by as u32, before);
    }
}

/// What to find.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) payer: u32,
    pub(crate) payee: u32,
    /// The cost from every node, as a forwarder, to the payee on the whole network; [`FAR`] for none.
    pub(crate) to_payee: &'a [u32],
    pub(crate) failed: &'a [Lane],
}

/// Writes the lanes of the cheapest way into `way`, in order. Whether there is one.
///
/// `knows` says of the payer's own lanes whether they can carry the payment: a sender knows its own
/// balances.
pub(crate) fn cheapest(
    net: &Net,
    weights: &Weights,
    wish: Wish<'_>,
    mut knows: impl FnMut(Lane) -> bool,
    scratch: &mut Scratch,
    way: &mut Vec<Weight>,
) -> bool {
    way.clear();
    scratch.begin();
    scratch.set(wish.payer, 0, (0, wish.payer));
    relax(net, weights, wish, wish.payer, &mut knows, scratch);
    while let Some(Reverse((bound, node))) = scratch.queue.pop() {
        let so_far = scratch.cost(node);
        if bound > so_far.saturating_add(wish.to_payee[node as usize]) {
            continue;
        }
        scratch.expanded += 1;
        if node == wish.payee {
            trace(weights, wish, scratch, way);
            return true;
        }
        relax(net, weights, wish, node, &mut knows, scratch);
    }
    false
}

fn relax(
    net: &Net,
    weights: &Weights,
    wish: Wish<'_>,
    node: u32,
    knows: &mut impl FnMut(Lane) -> bool,
    scratch: &mut Scratch,
) {
    let own = node == wish.payer;
    let so_far = scratch.cost(node);
    for place in net.row(node) {
        let weight = &weights.rows[place];
        let rest = wish.to_payee[weight.to as usize];
        if weight.cost == FAR || rest == FAR {
            continue;
        }
        let step = if own { weight.own } else { weight.cost };
        let cost = so_far.saturating_add(step);
        let bound = cost.saturating_add(rest);
        if bound == FAR || cost >= scratch.cost(weight.to) {
            continue;
        }
        let refused = wish.failed.contains(&weight.lane) || (own && !knows(weight.lane));
        if !refused {
            scratch.set(weight.to, cost, (place, node));
            scratch.queue.push(Reverse((bound, weight.to)));
        }
    }
}

fn trace(weights: &Weights, wish: Wish<'_>, scratch: &Scratch, way: &mut Vec<Weight>) {
    let mut at = wish.payee;
    while at != wish.payer {
        way.push(weights.rows[scratch.by[at as usize] as usize]);
        at = scratch.before[at as usize];
    }
    way.reverse();
}

#[cfg(test)]
mod tests;
