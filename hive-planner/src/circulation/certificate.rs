//! Whether flows are what they are said to be, by means that have nothing in common with the solver.

use super::{ArcId, Flow, Network};
use thiserror::Error;

/// What is wrong with flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    /// Flows or potentials are not those of this network.
    #[error("the flows belong to another network; solve this one")]
    Shape,
    /// An arc carries less than its lower or more than its upper bound.
    #[error("arc {} carries {carried}, out of its bounds", arc.get())]
    OutOfBounds {
        /// The arc.
        arc: ArcId,
        /// What it carries.
        carried: i64,
    },
    /// More leaves a node than enters it, beyond its supply.
    #[error("node {node} is off balance by {by}")]
    OffBalance {
        /// The node.
        node: usize,
        /// By how much.
        by: i128,
    },
    /// The arcs do not cost what the flows say.
    #[error("the arcs cost {actual}, not what the flows say")]
    WrongCost {
        /// What they cost.
        actual: i128,
    },
    /// The potentials show that another amount over this arc would cost less.
    #[error("arc {} should carry another amount: a unit is worth {reduced_cost}", arc.get())]
    NotOptimal {
        /// The arc.
        arc: ArcId,
        /// Cost and price difference.
        reduced_cost: i128,
    },
}

impl Flow {
    /// Checks bounds, balances, the cost and, for flows that claim it, optimality: complementary
    /// slackness with the potentials proves that no flows of this network cost less.
    ///
    /// # Errors
    /// The first [`Flaw`].
    pub fn verify(&self, network: &Network) -> Result<(), Flaw> {
        self.check_fit(network)?;
        match self.optimal {
            true => self.check_slackness(network),
            false => Ok(()),
        }
    }

    fn check_fit(&self, network: &Network) -> Result<(), Flaw> {
        let fits = (self.flows.len(), self.potentials.len());
        if fits != (network.arcs().len(), network.nodes()) {
            return Err(Flaw::Shape);
        }
        let supplies = network.supplies().iter();
        let mut excess: Vec<i128> = supplies.map(|supply| i128::from(*supply)).collect();
        let mut actual = 0;
        for (place, (arc, carried)) in network.arcs().iter().zip(&self.flows).enumerate() {
            if !(arc.lower..=arc.upper).contains(carried) {
                let (arc, carried) = (ArcId(place as u32), *carried);
                return Err(Flaw::OutOfBounds { arc, carried });
            }
            excess[arc.from] -= i128::from(*carried);
            excess[arc.to] += i128::from(*carried);
            actual += i128::from(arc.cost) * i128::from(*carried);
        }
        if let Some(node) = excess.iter().position(|by| *by != 0) {
            let by = excess[node];
            return Err(Flaw::OffBalance { node, by });
        }
        match actual == self.cost {
            true => Ok(()),
            false => Err(Flaw::WrongCost { actual }),
        }
    }

    fn check_slackness(&self, network: &Network) -> Result<(), Flaw> {
        for (place, (arc, carried)) in network.arcs().iter().zip(&self.flows).enumerate() {
            let price = |node: usize| i128::from(self.potentials[node]);
            let reduced_cost = i128::from(arc.cost) + price(arc.from) - price(arc.to);
            let more_helps = reduced_cost < 0 && *carried < arc.upper;
            let less_helps = reduced_cost > 0 && *carried > arc.lower;
            if more_helps || less_helps {
                let arc = ArcId(place as u32);
                return Err(Flaw::NotOptimal { arc, reduced_cost });
            }
        }
        Ok(())
    }
}
