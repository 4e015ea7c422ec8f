//! Betweenness as LND's autopilot computes it.

use hive_planner::graph::Graph;
use rayon::prelude::*;

/// Roots whose sums are added before they meet others': fixed, so that the order of additions, and with
/// it every last bit, does not depend on the number of threads.
const BLOCK: usize = 256;

/// Hop-count betweenness of every node over all announced channels, in both directions, disabled ones
/// and each of parallel ones included (LND `autopilot/betweenness_centrality.go`; Brandes, "A Faster
/// Algorithm for Betweenness Centrality", 2001). Not normalized: draws go by proportion.
pub(crate) fn betweenness(graph: &Graph) -> Vec<f64> {
    let rows: Vec<Vec<u32>> = graph
        .nodes()
        .map(|(node, _)| {
            graph
                .channels_of(node)
                .map(|edge| edge.to.get() as u32)
                .collect()
        })
        .collect();
    let roots: Vec<u32> = (0..rows.len() as u32).collect();
    let blocks: Vec<Vec<f64>> = roots
        .par_chunks(BLOCK)
        .map(|roots| {
            let mut search = Search::new(rows.len());
            roots.iter().for_each(|root| search.add(&rows, *root));
            search.centrality
        })
        .collect();
    let mut total = vec![0.0; rows.len()];
    for block in blocks {
        total
            .iter_mut()
            .zip(block)
            .for_each(|(sum, more)| *sum += more);
    }
    total
}

const UNSEEN: u32 = u32::MAX;

struct Search {
    centrality: Vec<f64>,
    hops: Vec<u32>,
    /// Shortest ways from the root; as a fraction, since there may be more than integers hold.
    ways: Vec<f64>,
    dependency: Vec<f64>,
    order: Vec<u32>,
}

impl Search {
    fn new(nodes: usize) -> Self {
        Self {
            centrality: vec![0.0; nodes],
            hops: vec![UNSEEN; nodes],
            ways: vec![0.0; nodes],
            dependency: vec![0.0; nodes],
            order: Vec::with_capacity(nodes),
        }
    }

    /// Adds what every node carries of the shortest ways from this root.
    fn add(&mut self, rows: &[Vec<u32>], root: u32) {
        self.hops.fill(UNSEEN);
        self.ways.fill(0.0);
        self.dependency.fill(0.0);
        self.order.clear();
        self.hops[root as usize] = 0;
        self.ways[root as usize] = 1.0;
        self.order.push(root);
        let mut next = 0;
        while let Some(node) = self.order.get(next).copied() {
            next += 1;
            for other in &rows[node as usize] {
                let (from, to) = (node as usize, *other as usize);
                if self.hops[to] == UNSEEN {
                    self.hops[to] = self.hops[from] + 1;
                    self.order.push(*other);
                }
                if self.hops[to] == self.hops[from] + 1 {
                    self.ways[to] += self.ways[from];
                }
            }
        }
        for node in self.order.iter().rev().map(|node| *node as usize) {
            let due = (1.0 + self.dependency[node]) / self.ways[node];
            for other in rows[node].iter().map(|other| *other as usize) {
                if self.hops[other] + 1 == self.hops[node] {
                    self.dependency[other] += self.ways[other] * due;
                }
            }
            if node != root as usize {
                self.centrality[node] += self.dependency[node];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(edges: &[(u32, u32)], nodes: usize) -> Vec<f64> {
        let mut rows = vec![Vec::new(); nodes];
        for (one, other) in edges {
            rows[*one as usize].push(*other);
            rows[*other as usize].push(*one);
        }
        let mut search = Search::new(nodes);
        (0..nodes as u32).for_each(|root| search.add(&rows, root));
        search.centrality
    }

    #[test]
    fn a_line_and_a_square_by_hand() {
        assert_eq!(of(&[(0, 1), (1, 2)], 3), [0.0, 2.0, 0.0]);
        // Each corner carries half of the two ways between its neighbours.
        assert_eq!(of(&[(0, 1), (1, 2), (2, 3), (3, 0)], 4), [1.0; 4]);
        // Of three shortest ways two use the doubled channel to 1.
        let doubled = of(&[(0, 1), (0, 1), (1, 2), (2, 3), (3, 0)], 4);
        assert!((doubled[1] - 4.0 / 3.0).abs() < 1e-12 && (doubled[3] - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(of(&[(0, 1)], 4), [0.0; 4]);
    }
}
