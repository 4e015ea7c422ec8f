//! A circulation as simple cycles.

use super::{ArcId, Network};

/// A closed way that visits no node twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// Its arcs in order; each begins where the one before ends.
    pub arcs: Vec<ArcId>,
    /// What goes around it.
    pub amount: i64,
}

/// Splits what the arcs carry, in order of their ids, above zero into simple cycles that add up to it. Of the arcs that leave
/// a node the one that carries most goes first, so that few large cycles come out. What begins or ends
/// at a supply is on no cycle and is left out, as are flows below zero.
pub fn cycles(network: &Network, flows: &[i64]) -> Vec<Cycle> {
    let mut walk = Walk::new(network, flows);
    let mut found = Vec::new();
    for start in 0..network.nodes() {
        while let Some(cycle) = walk.from(start) {
            found.push(cycle);
        }
    }
    found
}

struct Walk<'a> {
    network: &'a Network,
    left: Vec<i64>,
    leaving: Vec<Vec<u32>>,
    /// Place of each node on the present way, if it is on it.
    seen: Vec<Option<usize>>,
}

impl<'a> Walk<'a> {
    fn new(network: &'a Network, flows: &[i64]) -> Self {
        let mut leaving = vec![Vec::new(); network.nodes()];
        for (place, (arc, carried)) in network.arcs().iter().zip(flows).enumerate() {
            if *carried > 0 {
                leaving[arc.from].push(place as u32);
            }
        }
        Self {
            network,
            left: flows.to_vec(),
            leaving,
            seen: vec![None; network.nodes()],
        }
    }

    /// The next cycle on a way that begins at `start`. A way that ends without one is dropped from
    /// what is left.
    fn from(&mut self, start: usize) -> Option<Cycle> {
        loop {
            let mut way: Vec<u32> = Vec::new();
            let mut at = start;
            let closed = loop {
                if let Some(place) = self.seen[at] {
                    break Some(place);
                }
                self.seen[at] = Some(way.len());
                let Some(arc) = self.fattest(at) else {
                    break None;
                };
                way.push(arc);
                at = self.network.arcs()[arc as usize].to;
            };
            self.forget(start, &way);
            match closed {
                Some(place) => return Some(self.take(&way[place..])),
                None if way.is_empty() => return None,
                None => {
                    self.drop_amount(&way);
                }
            }
        }
    }

    fn fattest(&mut self, node: usize) -> Option<u32> {
        let left = &self.left;
        self.leaving[node].retain(|arc| left[*arc as usize] > 0);
        let arcs = self.leaving[node].iter().copied();
        arcs.max_by_key(|arc| (left[*arc as usize], std::cmp::Reverse(*arc)))
    }

    fn forget(&mut self, start: usize, way: &[u32]) {
        self.seen[start] = None;
        for arc in way {
            self.seen[self.network.arcs()[*arc as usize].to] = None;
        }
    }

    fn take(&mut self, arcs: &[u32]) -> Cycle {
        let amount = self.drop_amount(arcs);
        let arcs = arcs.iter().map(|arc| ArcId(*arc)).collect();
        Cycle { arcs, amount }
    }

    /// Takes from these arcs what the least of them has left.
    fn drop_amount(&mut self, arcs: &[u32]) -> i64 {
        let amounts = arcs.iter().map(|arc| self.left[*arc as usize]);
        let amount = amounts.min().unwrap_or(0);
        for arc in arcs {
            self.left[*arc as usize] -= amount;
        }
        amount
    }
}
