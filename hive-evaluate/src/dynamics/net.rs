//! The network as payments cross it: arcs in rows, weighed for one sender.

use crate::placement::Arranged;
use hive_planner::graph::{Edge, NodeIndex};
use hive_planner::routes::SenderModel;
use hive_types::{ChannelPolicy, Msat};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An arc that this amount cannot use, or a node from which there is no way.
pub(crate) const FAR: u32 = u32::MAX;

/// A channel as one of its ends sees it: twice the channel's place, plus one for the larger node id.
/// The other end sees `arc ^ 1`.
pub(crate) type Arc = u32;

/// Both directions of every channel.
pub(crate) struct Net {
    /// Where each node's arcs begin in `out`.
    offsets: Vec<u32>,
    out: Vec<Arc>,
    pub(crate) to: Vec<u32>,
    policies: Vec<Option<ChannelPolicy>>,
    /// By channel, in msat.
    pub(crate) capacity: Vec<u64>,
    /// By channel: whether the arm opened it.
    pub(crate) of_arm: Vec<bool>,
    /// By node: one more than the member's number, zero for others.
    member: Vec<u8>,
}

impl Net {
    pub(crate) fn new(arranged: &Arranged) -> Self {
        let graph = &arranged.graph;
        let edges: Vec<Edge> = graph.edges().collect();
        let mut offsets = vec![0u32; graph.node_count() + 1];
        for edge in &edges {
            offsets[edge.from.get() + 1] += 1;
        }
        for node in 1..offsets.len() {
            offsets[node] += offsets[node - 1];
        }
        let mut next = offsets.clone();
        let mut out = vec![0; edges.len()];
        for (arc, edge) in edges.iter().enumerate() {
            let slot = &mut next[edge.from.get()];
            out[*slot as usize] = arc as Arc;
            *slot += 1;
        }
        let tag = |node: NodeIndex| {
            arranged
                .member_at(node)
                .map_or(0, |member| member as u8 + 1)
        };
        let one_of_two = || edges.iter().step_by(2);
        Self {
            offsets,
            out,
            to: edges.iter().map(|edge| edge.to.get() as u32).collect(),
            policies: edges.iter().map(|edge| edge.usable().copied()).collect(),
            capacity: one_of_two()
                .map(|e| e.capacity.to_msat_saturating().get())
                .collect(),
            of_arm: one_of_two().map(|e| tag(e.from) + tag(e.to) > 0).collect(),
            member: graph.nodes().map(|(node, _)| tag(node)).collect(),
        }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(crate) fn from(&self, arc: Arc) -> u32 {
        self.to[arc as usize ^ 1]
    }

    /// The number of the member at a node.
    pub(crate) fn member_at(&self, node: u32) -> Option<usize> {
        usize::from(self.member[node as usize]).checked_sub(1)
    }

    pub(crate) fn row(&self, node: u32) -> core::ops::Range<usize> {
        self.offsets[node as usize] as usize..self.offsets[node as usize + 1] as usize
    }

    /// What the near end takes for sending so much over the arc; `None` where it does not.
    pub(crate) fn fee(&self, arc: Arc, amount: u64) -> Option<u64> {
        let policy = self.policies[arc as usize].as_ref()?;
        Some(policy.fee(Msat::new(amount))?.get())
    }

    /// Weighs every arc for one sender and one amount.
    pub(crate) fn weigh(&self, sender: SenderModel, amount: Msat) -> Weights {
        let arcs = 0..self.to.len() as Arc;
        let by_arc: Vec<u32> = arcs
            .map(|arc| self.weight(arc, sender, amount).unwrap_or(FAR))
            .collect();
        let row = |arc: &Arc| Weight {
            to: self.to[*arc as usize],
            arc: *arc,
            cost: by_arc[*arc as usize],
        };
        let rows = self.out.iter().map(row).collect();
        let amount = amount.get();
        Weights {
            amount,
            rows,
            by_arc,
        }
    }

    fn weight(&self, arc: Arc, sender: SenderModel, amount: Msat) -> Option<u32> {
        let policy = self.policies[arc as usize].as_ref()?;
        let fits = policy.htlc_minimum <= amount && amount <= policy.htlc_maximum;
        let capacity = Msat::new(self.capacity[arc as usize / 2]).to_sat_floor();
        let hop = sender.hop(amount, capacity).filter(|_| fits)?;
        let cost = sender.charge(policy, amount).saturating_add(hop);
        // Nobody pays four million sat for a payment, so what does not fit is no way.
        u32::try_from(cost).ok().filter(|cost| *cost < FAR)
    }

    /// The cheapest cost from every node, as a forwarder, to the payee; [`FAR`] for none (Dijkstra).
    pub(crate) fn costs_to(&self, payee: u32, weights: &Weights) -> Vec<u32> {
        let mut costs = vec![FAR; self.nodes()];
        let mut queue = BinaryHeap::from([Reverse((0, payee))]);
        costs[payee as usize] = 0;
        while let Some(Reverse((so_far, node))) = queue.pop() {
            if so_far > costs[node as usize] {
                continue;
            }
            for out in &weights.rows[self.row(node)] {
                let cost = so_far.saturating_add(weights.by_arc[out.arc as usize ^ 1]);
                if cost < costs[out.to as usize] {
                    costs[out.to as usize] = cost;
                    queue.push(Reverse((cost, out.to)));
                }
            }
        }
        costs
    }
}

/// One arc as a sender weighs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub(crate) to: u32,
    pub(crate) arc: Arc,
    /// In msat, with the near end's charge; [`FAR`] where the amount cannot pass. The payer's own
    /// first hop costs alike over all its channels, and so counts as nothing.
    pub(crate) cost: u32,
}

/// Every arc as one sender weighs it for one amount.
pub(crate) struct Weights {
    pub(crate) amount: u64,
    /// In the rows of [`Net::row`].
    pub(crate) rows: Vec<Weight>,
    /// The same costs by arc.
    by_arc: Vec<u32>,
}

#[cfg(test)]
impl Weights {
    pub(crate) fn cost_of(&self, arc: Arc) -> u32 {
        self.by_arc[arc as usize]
    }
}
