//! The network as payments cross it: channels in rows, weighed for one sender.
//!
//! Parallel channels make one lane: by BOLT 4 a forwarder may use any channel to the next node, so a
//! sender weighs them together (LND by the dearest, others by the cheapest) and a payment passes when
//! any of them can carry it.

use crate::placement::Arranged;
use hive_planner::graph::{Edge, NodeIndex};
use hive_planner::routes::SenderModel;
use hive_types::{ChannelPolicy, Msat};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// A lane that this amount cannot use, or a node from which there is no way.
pub(crate) const FAR: u32 = u32::MAX;

/// LND `models.maxFeeRate`: inbound rates beyond ten times the amount count as this.
const INBOUND_RATE_MAX: i32 = 10_000_000;

/// A channel as one of its ends sees it: twice the channel's place, plus one for the larger node id.
/// The other end sees `arc ^ 1`.
pub(crate) type Arc = u32;

/// All channels from one node to another, by the place of the first of them in [`Net::out`].
pub(crate) type Lane = u32;

/// Both directions of every channel.
pub(crate) struct Net {
    /// Every arc, by the node that it leaves, then by the one that it reaches.
    out: Vec<Arc>,
    /// Where each lane ends in `out`, by its beginning; zero where no lane begins.
    ends: Vec<u32>,
    /// Lanes by the node that they leave.
    lanes: Vec<Lane>,
    /// Where each node's lanes begin in `lanes`.
    offsets: Vec<u32>,
    pub(crate) to: Vec<u32>,
    policies: Vec<Option<ChannelPolicy>>,
    /// The inbound fee that the far end puts on what arrives over the arc: base and rate.
    inbound: Vec<(i32, i32)>,
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
        let (mut out, mut ends, mut lanes) = (Vec::new(), Vec::new(), Vec::new());
        let mut offsets = vec![0];
        for (node, _) in graph.nodes() {
            let row: Vec<Edge> = graph.channels_of(node).collect();
            for parallel in row.chunk_by(|one, next| one.to == next.to) {
                lanes.push(out.len() as Lane);
                out.extend(parallel.iter().map(|edge| edge.index.get() as Arc));
                ends.resize(out.len(), out.len() as u32);
            }
            offsets.push(lanes.len() as u32);
        }
        let tag = |node: NodeIndex| {
            arranged
                .member_at(node)
                .map_or(0, |member| member as u8 + 1)
        };
        let one_of_two = || edges.iter().step_by(2);
        Self {
            out,
            ends,
            lanes,
            offsets,
            to: edges.iter().map(|edge| edge.to.get() as u32).collect(),
            policies: edges.iter().map(|edge| edge.usable().copied()).collect(),
            inbound: edges.iter().map(|edge| edge.inbound).collect(),
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

    /// The node's lanes, as places in [`Weights::rows`].
    pub(crate) fn row(&self, node: u32) -> Range<usize> {
        self.offsets[node as usize] as usize..self.offsets[node as usize + 1] as usize
    }

    /// The channels of a lane, in order of short channel ids.
    pub(crate) fn arcs(&self, lane: Lane) -> &[Arc] {
        &self.out[lane as usize..self.ends[lane as usize] as usize]
    }

    /// Whether the near end forwards over this channel at all.
    pub(crate) fn is_open(&self, arc: Arc) -> bool {
        self.policies[arc as usize].is_some()
    }

    /// What the node between two arcs takes for sending so much on. Only LND's senders know of inbound
    /// fees.
    pub(crate) fn fee(&self, sender: SenderModel, before: Arc, onward: Arc, amount: u64) -> u64 {
        let policy = self.policies[onward as usize].as_ref();
        let outgoing = policy.and_then(|policy| policy.fee(Msat::new(amount)));
        let outgoing = outgoing.map_or(0, Msat::get);
        let inbound = self.inbound_fee(sender, before, amount.saturating_add(outgoing));
        outgoing.saturating_add_signed(inbound)
    }

    fn inbound_fee(&self, sender: SenderModel, arc: Arc, amount: u64) -> i64 {
        let (base, rate) = self.inbound[arc as usize];
        if sender != SenderModel::Lnd || (base, rate) == (0, 0) {
            return 0;
        }
        let rate = rate.clamp(-INBOUND_RATE_MAX, INBOUND_RATE_MAX);
        let part = i128::from(amount) * i128::from(rate) / 1_000_000;
        i64::try_from(part + i128::from(base)).unwrap_or(0)
    }

    /// Weighs every lane for one sender and one amount.
    pub(crate) fn weigh(&self, sender: SenderModel, amount: Msat) -> Weights {
        let weigh = |lane: &Lane| self.weigh_lane(*lane, sender, amount);
        let mut weights = Weights {
            sender,
            amount: amount.get(),
            rows: self.lanes.iter().map(weigh).collect(),
            back: vec![FAR; self.lanes.len()],
        };
        for node in 0..self.nodes() as u32 {
            for place in self.row(node) {
                let other = self.row(weights.rows[place].to);
                let back = weights.rows[other.clone()].binary_search_by_key(&node, |row| row.to);
                let back = back.ok().map(|at| weights.rows[other.start + at].cost);
                weights.back[place] = back.unwrap_or(FAR);
            }
        }
        weights
    }

    /// What parallel channels count for together.
    fn weigh_lane(&self, lane: Lane, sender: SenderModel, amount: Msat) -> Weight {
        let arcs = self.arcs(lane);
        let first = arcs.first().copied().unwrap_or(0);
        let parts = arcs
            .iter()
            .filter_map(|arc| self.parts(*arc, sender, amount));
        let joined = if sender == SenderModel::Lnd {
            parts.reduce(|old, new| {
                let dearer = if new.asks() > old.asks() { new } else { old };
                Parts {
                    rest: old.rest.max(new.rest),
                    ..dearer
                }
            })
        } else {
            parts.reduce(|old, new| if new.cost() < old.cost() { new } else { old })
        };
        let to = self.to[first as usize];
        // Nobody pays four million sat for a payment, so what does not fit is no way.
        let fits = |cost: u64| u32::try_from(cost).ok().filter(|cost| *cost < FAR);
        let usable = joined.and_then(|parts| {
            let own = fits(u64::try_from(parts.inbound).unwrap_or(0))?;
            Some(Weight {
                to,
                lane,
                arc: parts.arc,
                cost: fits(parts.cost())?,
                own,
            })
        });
        usable.unwrap_or(Weight {
            to,
            lane,
            arc: first,
            cost: FAR,
            own: FAR,
        })
    }

    fn parts(&self, arc: Arc, sender: SenderModel, amount: Msat) -> Option<Parts> {
        let policy = self.policies[arc as usize].as_ref()?;
        let capacity = Msat::new(self.capacity[arc as usize / 2]).to_sat_floor();
        let hop = sender
            .hop(amount, capacity)
            .filter(|_| policy.admits(amount))?;
        let fee = policy.fee(amount).map_or(u64::MAX, Msat::get);
        let rest = (sender.charge(policy, amount) - fee).saturating_add(hop);
        let inbound = self.inbound_fee(sender, arc, amount.get());
        Some(Parts {
            arc,
            fee,
            rest,
            inbound,
        })
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
            let row = self.row(node);
            for (lane, back) in weights.rows[row.clone()].iter().zip(&weights.back[row]) {
                let cost = so_far.saturating_add(*back);
                if cost < costs[lane.to as usize] {
                    costs[lane.to as usize] = cost;
                    queue.push(Reverse((cost, lane.to)));
                }
            }
        }
        costs
    }
}

/// What one channel counts for, in msat.
#[derive(Clone, Copy)]
struct Parts {
    arc: Arc,
    fee: u64,
    /// Timelock, attempt, liquidity.
    rest: u64,
    inbound: i64,
}

impl Parts {
    /// What the two ends take, for choosing the dearest.
    fn asks(&self) -> i64 {
        i64::try_from(self.fee)
            .unwrap_or(i64::MAX)
            .saturating_add(self.inbound)
    }

    /// An inbound discount never makes a step negative. LND floors it at the far node's own fee, which
    /// depends on the way on; for single steps this is the same but where a discount exceeds that fee.
    fn cost(&self) -> u64 {
        self.fee
            .saturating_add_signed(self.inbound)
            .saturating_add(self.rest)
    }
}

/// One lane as a sender weighs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    pub(crate) to: u32,
    pub(crate) lane: Lane,
    /// The channel whose policy the sender pays.
    pub(crate) arc: Arc,
    /// In msat, with the near end's charge; [`FAR`] where the amount cannot pass.
    pub(crate) cost: u32,
    /// The same for the near end itself, which pays itself nothing: what the far end adds. A first
    /// hop's own cost is the same over all of a payer's channels and left out.
    pub(crate) own: u32,
}

/// Every lane as one sender weighs it for one amount.
pub(crate) struct Weights {
    pub(crate) sender: SenderModel,
    pub(crate) amount: u64,
    /// In the rows of [`Net::row`].
    pub(crate) rows: Vec<Weight>,
    /// What the lane the other way costs.
    back: Vec<u32>,
}
