//! Minimum-cost circulation: how to move amounts around a network so that it costs least.
//!
//! A [`Network`] has nodes and arcs; an arc carries between its lower and its upper bound, at a cost
//! for each unit. Costs below zero are gains. [`solve`] finds flows of least cost that keep every
//! node's balance, by the network simplex method in whole numbers: the answer is exact, it carries
//! the potentials that prove it optimal ([`Flow::verify`]), and it is the same wherever it is computed.
//!
//! Convex costs, those that rise with the amount, are parallel arcs: [`Network::add_convex`].
//!
//! ```
//! use hive_planner::circulation::{Network, Segment, WORK_LIMIT, cycles, solve};
//!
//! // Moving a unit around 0 -> 1 -> 2 -> 0 costs 30 and gains 100 for the first five, 40 for the next
//! // five, 10 for the rest.
//! let mut network = Network::new(3);
//! network.add(0, 1, 20, 10)?;
//! network.add(1, 2, 20, 20)?;
//! let gains = [(5, -100), (5, -40), (10, -10)];
//! network.add_convex(2, 0, &gains.map(|(width, cost)| Segment { width, cost }))?;
//! let flow = solve(&network, WORK_LIMIT)?;
//! assert_eq!(flow.cost, 5 * (30 - 100) + 5 * (30 - 40));
//! flow.verify(&network)?;
//! assert_eq!(cycles(&network, &flow.flows).iter().map(|cycle| cycle.amount).sum::<i64>(), 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificate;
mod cycles;
mod simplex;
mod tree;

pub use certificate::Flaw;
pub use cycles::{Cycle, cycles};
pub use simplex::solve;

use thiserror::Error;

/// Bounds and supplies are within this: far above all bitcoin in millisatoshi (2^61 of them), so that
/// sums of two fit 64 bits.
pub const AMOUNT_MAX: i64 = 1 << 61;

/// Costs are within this. Potentials add up costs along a path, and so stay within 64 bits for
/// [`NODES_MAX`] nodes.
pub const COST_MAX: i64 = 1 << 40;

/// Nodes of a network at most: many times the public network.
pub const NODES_MAX: usize = 1 << 19;

/// Arcs of a network at most, so that one number of 32 bits names each, artificial ones included.
pub const ARCS_MAX: usize = 1 << 28;

/// Steps that the problem of a fleet may take.
pub const WORK_LIMIT: u64 = hive_types::limits::CIRCULATION_STEPS;

/// The problem can't be stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// An arc or a supply names a node that is not there.
    #[error("node {node} is not one of the network's {nodes}; number nodes from 0")]
    UnknownNode {
        /// The number.
        node: usize,
        /// How many there are.
        nodes: usize,
    },
    /// A bound, a width or a supply beyond [`AMOUNT_MAX`], or an upper bound under the lower one.
    #[error(
        "bounds from {lower} to {upper} are no range within ±{AMOUNT_MAX}; count in a larger unit"
    )]
    Bounds {
        /// The lower bound.
        lower: i64,
        /// The upper bound.
        upper: i64,
    },
    /// A cost beyond [`COST_MAX`].
    #[error("a cost of {cost} is beyond ±{COST_MAX}; count in a larger unit")]
    Cost {
        /// The cost.
        cost: i64,
    },
    /// Segments whose costs fall: that is not convex, and no circulation finds its optimum.
    #[error("segments must rise in cost; {cost} follows {before}")]
    NotConvex {
        /// The cost of a segment.
        before: i64,
        /// The lower cost of the next one.
        cost: i64,
    },
    /// More than [`ARCS_MAX`] arcs.
    #[error("more than {ARCS_MAX} arcs; leave out those that cannot help")]
    TooManyArcs,
}

/// There is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SolveError {
    /// No flows fit all bounds and supplies.
    #[error("no flows fit all bounds and supplies; widen the bounds")]
    Infeasible,
    /// The work limit was reached before any flows were found that fit.
    #[error("the work limit was reached before flows were found that fit; raise it")]
    OutOfWork,
    /// More than [`NODES_MAX`] nodes.
    #[error("more than {NODES_MAX} nodes; leave out those that no cycle visits")]
    TooManyNodes,
    /// Supplies and lower bounds of a node add up beyond [`AMOUNT_MAX`].
    #[error("supplies and lower bounds add up beyond {AMOUNT_MAX}; count in a larger unit")]
    TooLarge,
}

/// An arc's number in its network, from 0 in the order of adding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArcId(u32);

impl ArcId {
    /// The number.
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// One arc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arc {
    /// The node that it leaves.
    pub from: usize,
    /// The node that it enters.
    pub to: usize,
    /// The least that it carries.
    pub lower: i64,
    /// The most that it carries.
    pub upper: i64,
    /// What a unit costs.
    pub cost: i64,
}

/// A piece of a convex cost: the next `width` units cost `cost` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// How many units.
    pub width: i64,
    /// What each costs.
    pub cost: i64,
}

/// Nodes and arcs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    supplies: Vec<i64>,
    arcs: Vec<Arc>,
}

impl Network {
    /// Nodes numbered from 0, without arcs and supplies.
    pub fn new(nodes: usize) -> Self {
        Self {
            supplies: vec![0; nodes],
            arcs: Vec::new(),
        }
    }

    /// Adds an arc that carries up to `upper`.
    ///
    /// # Errors
    /// As [`Network::add_bounded`].
    pub fn add(
        &mut self,
        from: usize,
        to: usize,
        upper: i64,
        cost: i64,
    ) -> Result<ArcId, NetworkError> {
        self.add_bounded(Arc {
            from,
            to,
            lower: 0,
            upper,
            cost,
        })
    }

    /// Adds an arc. It may join two nodes that are joined already, or a node with itself.
    ///
    /// # Errors
    /// [`NetworkError`] when a node is not there, a number out of range, or there are too many.
    pub fn add_bounded(&mut self, arc: Arc) -> Result<ArcId, NetworkError> {
        self.check_node(arc.from)?;
        self.check_node(arc.to)?;
        let (lower, upper, cost) = (arc.lower, arc.upper, arc.cost);
        if lower < -AMOUNT_MAX || upper > AMOUNT_MAX || lower > upper {
            return Err(NetworkError::Bounds { lower, upper });
        }
        if !(-COST_MAX..=COST_MAX).contains(&cost) {
            return Err(NetworkError::Cost { cost });
        }
        if self.arcs.len() >= ARCS_MAX {
            return Err(NetworkError::TooManyArcs);
        }
        self.arcs.push(arc);
        Ok(ArcId((self.arcs.len() - 1) as u32))
    }

    /// Adds a way whose cost rises with the amount, as one arc for each segment.
    ///
    /// # Errors
    /// As [`Network::add_bounded`], and [`NetworkError::NotConvex`]. Then some of the segments may have
    /// been added.
    pub fn add_convex(
        &mut self,
        from: usize,
        to: usize,
        segments: &[Segment],
    ) -> Result<Vec<ArcId>, NetworkError> {
        let mut before = -COST_MAX;
        let mut added = Vec::with_capacity(segments.len());
        for Segment { width, cost } in segments.iter().copied() {
            if cost < before {
                return Err(NetworkError::NotConvex { before, cost });
            }
            added.push(self.add(from, to, width, cost)?);
            before = cost;
        }
        Ok(added)
    }

    /// What more leaves the node than enters it; zero unless set. Below zero, more enters.
    ///
    /// # Errors
    /// [`NetworkError::UnknownNode`], and [`NetworkError::Bounds`] beyond [`AMOUNT_MAX`].
    pub fn set_supply(&mut self, node: usize, supply: i64) -> Result<(), NetworkError> {
        self.check_node(node)?;
        if !(-AMOUNT_MAX..=AMOUNT_MAX).contains(&supply) {
            let (lower, upper) = (supply, supply);
            return Err(NetworkError::Bounds { lower, upper });
        }
        self.supplies[node] = supply;
        Ok(())
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.supplies.len()
    }

    /// The arcs in order of their ids.
    pub fn arcs(&self) -> &[Arc] {
        &self.arcs
    }

    /// The supplies in order of nodes.
    pub fn supplies(&self) -> &[i64] {
        &self.supplies
    }

    fn check_node(&self, node: usize) -> Result<(), NetworkError> {
        let nodes = self.nodes();
        match node < nodes {
            true => Ok(()),
            false => Err(NetworkError::UnknownNode { node, nodes }),
        }
    }
}

/// What [`solve`] did, in units that are the same on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Changes of the spanning tree.
    pub pivots: u64,
    /// Arcs priced and nodes moved.
    pub steps: u64,
}

/// Flows that fit a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What each arc carries, in order of arc ids.
    pub flows: Vec<i64>,
    /// A price for each node. Where the flows are optimal, an arc whose cost and price difference
    /// come out above zero carries its least, one below zero its most.
    pub potentials: Vec<i64>,
    /// The sum of what all arcs cost.
    pub cost: i128,
    /// Whether the work limit allowed to reach the optimum.
    pub optimal: bool,
    /// What it took.
    pub work: Work,
}
