//! The network simplex method (Dantzig 1951; Ahuja, Magnanti and Orlin, "Network Flows", chapter 11).
//!
//! Arcs outside a spanning tree carry their least or their most. A pivot takes one whose reduced cost
//! says that a change would pay, sends what fits around the cycle that it closes with the tree, and
//! drops an arc that became full or empty. Which one it drops keeps the tree strongly feasible
//! (Cunningham 1976): every node can send towards the root, which rules out endless pivots without
//! progress. Arcs are priced in blocks, the best of a block enters: blocks of about the root of
//! the number of arcs balance pricing against pivots.

use super::tree::Tree;
use super::{AMOUNT_MAX, Flow, NODES_MAX, Network, SolveError, Work};

/// Arcs priced together at least: with fewer, the best of a block is no good choice.
const BLOCK_MIN: usize = 32;

/// What an arc carries when it is not in the tree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Least,
    Tree,
    Most,
}

/// One arc, its flow counted from its lower bound.
#[derive(Clone, Copy)]
struct Row {
    cost: i64,
    from: u32,
    to: u32,
    place: Place,
}

struct Simplex {
    rows: Vec<Row>,
    flows: Vec<i64>,
    capacities: Vec<i64>,
    tree: Tree,
    real: usize,
    next: usize,
    block: usize,
    work: Work,
}

/// Flows of least cost.
///
/// After `work_limit` steps it stops at flows that fit but may not be the best, marked so; see
/// [`Flow::optimal`]. Equal networks give equal flows, also where several cost the same.
///
/// # Errors
/// [`SolveError`], never for a network without supplies and lower bounds.
pub fn solve(network: &Network, work_limit: u64) -> Result<Flow, SolveError> {
    let mut simplex = Simplex::new(network)?;
    let optimal = simplex.run(work_limit);
    let artificial = &simplex.flows[simplex.real..];
    if artificial.iter().any(|carried| *carried != 0) {
        return Err(match optimal {
            true => SolveError::Infeasible,
            false => SolveError::OutOfWork,
        });
    }
    let flow = simplex.finish(network, optimal);
    debug_assert_eq!(flow.verify(network), Ok(()));
    Ok(flow)
}

/// What leaves each node beyond what enters it, once every arc carries its least.
fn remaining_supplies(network: &Network) -> Result<Vec<i64>, SolveError> {
    let supplies = network.supplies().iter();
    let mut remaining: Vec<i128> = supplies.map(|supply| i128::from(*supply)).collect();
    for arc in network.arcs() {
        remaining[arc.from] -= i128::from(arc.lower);
        remaining[arc.to] += i128::from(arc.lower);
    }
    if remaining.iter().sum::<i128>() != 0 {
        return Err(SolveError::Infeasible);
    }
    let all: i128 = remaining.iter().map(|supply| supply.abs()).sum();
    if all > i128::from(AMOUNT_MAX) {
        return Err(SolveError::TooLarge);
    }
    let small = remaining.into_iter().map(i64::try_from);
    small
        .collect::<Result<_, _>>()
        .map_err(|_| SolveError::TooLarge)
}

impl Simplex {
    /// Begins with a star of artificial arcs to an added root. They carry the supplies and cost more
    /// than any path, so that they are empty in the end; without supplies they are empty throughout.
    fn new(network: &Network) -> Result<Self, SolveError> {
        let nodes = network.nodes();
        if nodes > NODES_MAX {
            return Err(SolveError::TooManyNodes);
        }
        let supplies = remaining_supplies(network)?;
        let dearest = network.arcs().iter().map(|arc| arc.cost.abs()).max();
        let needed = supplies.iter().any(|supply| *supply != 0);
        let price = if needed {
            (nodes as i64 + 1) * (dearest.unwrap_or(0) + 1)
        } else {
            0
        };
        let real = network.arcs().len();
        let mut rows: Vec<Row> = Vec::with_capacity(real + nodes);
        rows.extend(network.arcs().iter().map(|arc| Row {
            cost: arc.cost,
            from: arc.from as u32,
            to: arc.to as u32,
            place: Place::Least,
        }));
        let widths = network.arcs().iter().map(|arc| arc.upper - arc.lower);
        let mut capacities: Vec<i64> = widths.collect();
        let mut flows = vec![0; real];
        for (node, supply) in supplies.iter().enumerate() {
            let ends = (node as u32, nodes as u32);
            let (from, to) = if *supply < 0 { (ends.1, ends.0) } else { ends };
            rows.push(Row {
                cost: price,
                from,
                to,
                place: Place::Tree,
            });
            capacities.push(i64::MAX);
            flows.push(supply.abs());
        }
        let tree = Tree::star(nodes, |node| {
            let up = supplies[node] >= 0;
            let arc = (real + node) as u32;
            (arc, up, if up { -price } else { price })
        });
        Ok(Self {
            rows,
            flows,
            capacities,
            tree,
            real,
            next: 0,
            block: real.isqrt().max(BLOCK_MIN),
            work: Work::default(),
        })
    }

    /// Pivots until nothing pays; false when the work limit ends it.
    fn run(&mut self, work_limit: u64) -> bool {
        while let Some(entering) = self.entering() {
            if self.work.steps > work_limit {
                return false;
            }
            self.pivot(entering);
        }
        true
    }

    /// The arc of the next blocks that gains most for each unit; `None` when none does.
    fn entering(&mut self) -> Option<usize> {
        let (mut best, mut best_gain) = (None, 0);
        let mut priced = 0;
        while priced < self.real {
            let end = (self.next + self.block.min(self.real - priced)).min(self.real);
            let block = self.next..end;
            for (place, row) in block.clone().zip(&self.rows[block.clone()]) {
                let reduced = row.cost + self.tree.price(row.from) - self.tree.price(row.to);
                let gain = match row.place {
                    Place::Least => -reduced,
                    Place::Tree => 0,
                    Place::Most => reduced,
                };
                if gain > best_gain {
                    (best, best_gain) = (Some(place), gain);
                }
            }
            priced += block.len();
            self.next = if end == self.real { 0 } else { end };
            if best.is_some() {
                break;
            }
        }
        self.work.steps += priced as u64;
        best
    }

    /// Sends what fits around the cycle of the entering arc, then lets an arc leave the tree.
    fn pivot(&mut self, entering: usize) {
        self.work.pivots += 1;
        let row = self.rows[entering];
        let (tail, head) = match row.place {
            Place::Most => (row.to, row.from),
            _ => (row.from, row.to),
        };
        let apex = self.tree.join(tail, head);
        let (amount, leaving) = self.blocking(entering, tail, head, apex);
        if amount > 0 {
            self.push(entering, amount, tail, head, apex);
        }
        let Some((side, node)) = leaving else {
            self.rows[entering].place = match row.place {
                Place::Least => Place::Most,
                _ => Place::Least,
            };
            return;
        };
        let (left, _) = self.tree.arc(node);
        self.rows[left].place = match self.flows[left] {
            0 => Place::Least,
            _ => Place::Most,
        };
        self.rows[entering].place = Place::Tree;
        let (start, parent) = match side {
            Side::Tail => (tail, head),
            Side::Head => (head, tail),
        };
        let reduced = row.cost + self.tree.price(row.from) - self.tree.price(row.to);
        let up = start == row.from;
        let shift = if up { -reduced } else { reduced };
        let arc = (entering as u32, up);
        self.work.steps += self.tree.rehang(node, start, parent, arc, shift);
    }

    /// How much fits around the cycle, and the node below the arc that leaves; `None` when the entering
    /// arc itself is the narrowest. Of several the last one leaves, seen along the flow from the
    /// apex: that keeps the tree strongly feasible.
    fn blocking(
        &self,
        entering: usize,
        tail: u32,
        head: u32,
        apex: u32,
    ) -> (i64, Option<(Side, u32)>) {
        let (mut amount, mut leaving) = (self.capacities[entering], None);
        let mut node = tail;
        while node != apex {
            let room = self.room(node, false);
            if room < amount {
                (amount, leaving) = (room, Some((Side::Tail, node)));
            }
            node = self.tree.parent(node);
        }
        let mut node = head;
        while node != apex {
            let room = self.room(node, true);
            if room <= amount {
                (amount, leaving) = (room, Some((Side::Head, node)));
            }
            node = self.tree.parent(node);
        }
        (amount, leaving)
    }

    /// What more fits between a node and its parent, towards the parent or away from it.
    fn room(&self, node: u32, upwards: bool) -> i64 {
        let (arc, up) = self.tree.arc(node);
        match up == upwards {
            true => self.capacities[arc] - self.flows[arc],
            false => self.flows[arc],
        }
    }

    fn push(&mut self, entering: usize, amount: i64, tail: u32, head: u32, apex: u32) {
        self.flows[entering] += match self.rows[entering].place {
            Place::Most => -amount,
            _ => amount,
        };
        for (from, upwards) in [(tail, false), (head, true)] {
            let mut node = from;
            while node != apex {
                let (arc, up) = self.tree.arc(node);
                self.flows[arc] += if up == upwards { amount } else { -amount };
                self.work.steps += 1;
                node = self.tree.parent(node);
            }
        }
    }

    fn finish(self, network: &Network, optimal: bool) -> Flow {
        let arcs = network.arcs().iter();
        let flows: Vec<i64> = arcs
            .zip(&self.flows)
            .map(|(arc, above)| arc.lower + above)
            .collect();
        let costs = network.arcs().iter().zip(&flows);
        let nodes = 0..network.nodes() as u32;
        Flow {
            cost: costs
                .map(|(arc, carried)| i128::from(arc.cost) * i128::from(*carried))
                .sum(),
            potentials: nodes.map(|node| self.tree.price(node)).collect(),
            flows,
            optimal,
            work: self.work,
        }
    }
}

/// On which side of the entering arc a tree arc lies.
#[derive(Clone, Copy)]
enum Side {
    Tail,
    Head,
}
