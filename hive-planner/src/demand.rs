//! Who pays whom, and how much: seeded samples of payments that plans and experiments are made from.
//!
//! Nobody publishes the demand of the network, so it is assumed, and every assumption has a name:
//! [`DemandModel`] says who pays and who is paid, [`AmountModel`] how much. A sample is drawn from a
//! seed, and a second one, disjoint from the first, scores what was planned on the first.
//!
//! ```
//! use hive_planner::demand::{AmountModel, Demand, DemandModel, draw, draw_apart};
//! use hive_planner::graph::GraphBuilder;
//! use hive_types::{ChannelPolicy, Msat, NodeId, Ppm, Sat, ShortChannelId};
//! use std::collections::BTreeSet;
//!
//! let id = |n: u64| format!("02{n:064x}").parse::<NodeId>();
//! let policy = ChannelPolicy {
//!     base: Msat::ZERO,
//!     rate: Ppm::new(100),
//!     cltv_delta: 40,
//!     htlc_minimum: Msat::new(1),
//!     htlc_maximum: Msat::new(1_000_000_000),
//!     disabled: false,
//!     inbound_base_msat: 0,
//!     inbound_ppm: 0,
//! };
//! let mut builder = GraphBuilder::new();
//! (0..9).try_for_each(|n| id(n).map(|id| builder.add_node(id)))?;
//! for n in 0..9 {
//!     let (scid, ends) = (ShortChannelId::from_u64(n), [id(n)?, id((n + 1) % 9)?]);
//!     builder.add_channel(scid, ends, Sat::new(1_000_000))?;
//!     builder.set_policy(scid, ends[0], &policy)?;
//!     builder.set_policy(scid, ends[1], &policy)?;
//! }
//! let graph = builder.build();
//!
//! let demand = Demand { payments: 30, payees: 4, seed: 7, ..Demand::default() };
//! let (nobody, unknown) = (BTreeSet::new(), BTreeSet::new());
//! let planned_on = draw(&graph, &nobody, &unknown, &demand)?;
//! assert_eq!(planned_on.len(), 30);
//! let scored_on = draw_apart(&graph, &nobody, &unknown, &demand, &planned_on)?;
//! assert!(scored_on.iter().all(|payment| planned_on.iter().all(|other| !other.same_ends(payment))));
//!
//! // Merchants must be known, or there is nobody to pay.
//! let shops = Demand { model: DemandModel::Merchant, amounts: AmountModel::Mixed, ..demand };
//! assert!(draw(&graph, &nobody, &unknown, &shops).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod amounts;
mod stream;

pub use amounts::{AmountClass, AmountModel, ParseAmountsError};
pub use stream::SplitMix;

use crate::graph::{Graph, NodeIndex};
use core::fmt;
use core::str::FromStr;
use hive_types::{Msat, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;

/// A payer that falls onto a pair that is to be avoided is drawn again so often. On networks so small
/// that nothing else is left, the payment is left out.
const REDRAWS: u32 = 32;

/// Of ten payments to anybody under [`DemandModel::Merchant`], this many go to merchants.
const TO_MERCHANTS_OF_TEN: u64 = 8;

/// Set apart from the stream of plans: samples that score draw from another one.
const SCORING_STREAM: u64 = 0x05c0_7e5a_3b1e_0d10;

/// Who pays and who is paid.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum DemandModel {
    /// Every node alike at both ends, as in Pickhardt and others, "Security and Privacy of Lightning
    /// Network Payments with Uncertain Channel Balances" (2021).
    Uniform,
    /// Payees by public capacity; payers half by capacity and half alike: money sits where much is
    /// paid, and people pay from small nodes too. The halves are this project's assumption.
    #[default]
    Capacity,
    /// Payers alike; of ten payments eight go to nodes that are marked as merchants, by their number
    /// of channels, and two to anybody: Béres, Seres and Benczúr, "A Cryptoeconomic Traffic Analysis
    /// of Bitcoin's Lightning Network" (2021), section 4. It takes marks from outside the graph.
    Merchant,
}

impl DemandModel {
    /// The name in settings and results.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Capacity => "capacity",
            Self::Merchant => "merchant",
        }
    }
}

impl fmt::Display for DemandModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DemandModel {
    type Err = DemandError;

    fn from_str(text: &str) -> Result<Self, DemandError> {
        let all = [Self::Uniform, Self::Capacity, Self::Merchant];
        let found = all.into_iter().find(|model| model.as_str() == text);
        found.ok_or_else(|| DemandError::UnknownModel(text.to_owned()))
    }
}

/// Why there is no sample.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DemandError {
    /// No demand model has this name.
    #[error("{0:?} is no demand model; use uniform, capacity or merchant")]
    UnknownModel(String),
    /// The graph's source does not say who is a merchant.
    #[error(
        "no node of the graph is marked as a merchant; use the capacity model or a graph with marks"
    )]
    NoMerchants,
}

/// What to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Who pays and who is paid.
    pub model: DemandModel,
    /// How much.
    pub amounts: AmountModel,
    /// Chooses the sample.
    pub seed: u64,
    /// Payments.
    pub payments: u32,
    /// Payees that are drawn for them, each with one amount. The ways to a payee take one search,
    /// however many pay it, so this bounds the time of a plan; more payees are a better sample.
    pub payees: u32,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            model: DemandModel::default(),
            amounts: AmountModel::default(),
            seed: 0,
            payments: 20_000,
            payees: 1_000,
        }
    }
}

/// One payment that somebody would make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payment {
    /// What is delivered.
    pub amount: Msat,
    /// Who is paid.
    pub payee: NodeIndex,
    /// Who pays.
    pub payer: NodeIndex,
}

impl Payment {
    /// Whether payer and payee are the same, whatever the amounts.
    pub fn same_ends(&self, other: &Self) -> bool {
        self.ends() == other.ends()
    }

    fn ends(&self) -> (NodeIndex, NodeIndex) {
        (self.payer, self.payee)
    }
}

/// Draws payments, in order of amount, payee and payer. Nodes of `without` neither pay nor are paid:
/// a fleet earns by the payments of others. Fewer come back only when there are no two nodes that
/// could pay one another.
///
/// # Errors
/// [`DemandError::NoMerchants`] when the model needs marks and `merchants` has none of the graph.
pub fn draw(
    graph: &Graph,
    without: &BTreeSet<NodeIndex>,
    merchants: &BTreeSet<NodeId>,
    demand: &Demand,
) -> Result<Vec<Payment>, DemandError> {
    let ends = Ends::of(graph, without, merchants, demand.model)?;
    Ok(ends.sample(demand, demand.seed, &BTreeSet::new()))
}

/// Draws a second sample like the first, by a stream of its own, of which no payment has the payer
/// and payee of one in `avoid`: on it a plan is scored that was made from `avoid`.
///
/// # Errors
/// As [`draw`].
pub fn draw_apart(
    graph: &Graph,
    without: &BTreeSet<NodeIndex>,
    merchants: &BTreeSet<NodeId>,
    demand: &Demand,
    avoid: &[Payment],
) -> Result<Vec<Payment>, DemandError> {
    let ends = Ends::of(graph, without, merchants, demand.model)?;
    let avoid = avoid.iter().map(Payment::ends).collect();
    Ok(ends.sample(demand, demand.seed ^ SCORING_STREAM, &avoid))
}

/// Nodes that can pay and nodes that can be paid.
struct Ends {
    model: DemandModel,
    payers: Weighted,
    payees: Weighted,
    /// With their numbers of channels for weights; empty under other models.
    merchants: Weighted,
}

impl Ends {
    fn of(
        graph: &Graph,
        without: &BTreeSet<NodeIndex>,
        merchants: &BTreeSet<NodeId>,
        model: DemandModel,
    ) -> Result<Self, DemandError> {
        let nodes = graph.node_count();
        let (mut pays, mut is_paid) = (vec![false; nodes], vec![false; nodes]);
        for edge in graph.edges().filter(|edge| edge.usable().is_some()) {
            pays[edge.from.get()] = true;
            is_paid[edge.to.get()] = true;
        }
        let (mut ends, mut known) = (Self::empty(model), false);
        for (node, id) in graph.nodes().filter(|(node, _)| !without.contains(node)) {
            let capacity = graph.capacity_of(node).get();
            if pays[node.get()] {
                ends.payers.add(node, capacity);
            }
            if is_paid[node.get()] {
                ends.payees.add(node, capacity);
                if model == DemandModel::Merchant && merchants.contains(&id) {
                    known = true;
                    ends.merchants.add(node, graph.degree_of(node) as u64);
                }
            }
        }
        match model == DemandModel::Merchant && !known {
            true => Err(DemandError::NoMerchants),
            false => Ok(ends),
        }
    }

    fn empty(model: DemandModel) -> Self {
        Self {
            model,
            payers: Weighted::default(),
            payees: Weighted::default(),
            merchants: Weighted::default(),
        }
    }

    fn sample(
        &self,
        demand: &Demand,
        seed: u64,
        avoid: &BTreeSet<(NodeIndex, NodeIndex)>,
    ) -> Vec<Payment> {
        let mut chance = SplitMix::new(seed);
        let payees = self.draw_payees(demand, &mut chance);
        let mut payments = Vec::with_capacity(demand.payments as usize);
        // Payees take turns, so that each has as many payments as any other.
        for (payee, amount) in payees.iter().cycle().take(demand.payments as usize) {
            let payer = (0..REDRAWS).find_map(|_| {
                let payer = self.draw_payer(&mut chance)?;
                (payer != *payee && !avoid.contains(&(payer, *payee))).then_some(payer)
            });
            payments.extend(payer.map(|payer| Payment {
                amount: *amount,
                payee: *payee,
                payer,
            }));
        }
        payments.sort_unstable();
        payments
    }

    /// Payees with the amount that each is paid. Classes of amounts share the payees as they share
    /// the payments, and each class has payees spread over all of their weight: a node with a hundredth
    /// of it is drawn for a hundredth of the payees, give or take one, so that samples differ little.
    fn draw_payees(&self, demand: &Demand, chance: &mut SplitMix) -> Vec<(NodeIndex, Msat)> {
        let count = u64::from(demand.payees.min(demand.payments));
        let classes = demand.amounts.classes();
        let total: u64 = classes.iter().map(|class| u64::from(class.weight)).sum();
        let (mut payees, mut sum, mut before) = (Vec::with_capacity(count as usize), 0, 0);
        for class in classes {
            sum += u64::from(class.weight);
            // The turns whose middle lies in this class's part of the whole.
            let until = (2 * count * sum + total) / (2 * total);
            let drawn = self.spread_payees(until - before, chance);
            payees.extend(drawn.into_iter().map(|payee| (payee, class.amount)));
            before = until;
        }
        payees
    }

    fn spread_payees(&self, count: u64, chance: &mut SplitMix) -> Vec<NodeIndex> {
        match self.model {
            DemandModel::Uniform => self.payees.spread(count, chance, false),
            DemandModel::Capacity => self.payees.spread(count, chance, true),
            DemandModel::Merchant => {
                let to_merchants = count * TO_MERCHANTS_OF_TEN / 10;
                let mut payees = self.merchants.spread(to_merchants, chance, true);
                payees.extend(self.payees.spread(count - to_merchants, chance, false));
                payees
            }
        }
    }

    fn draw_payer(&self, chance: &mut SplitMix) -> Option<NodeIndex> {
        let by_capacity = self.model == DemandModel::Capacity && chance.below(2) == 0;
        self.payers.draw(chance, by_capacity)
    }
}

/// Nodes with running sums of their weights.
#[derive(Default)]
struct Weighted {
    nodes: Vec<NodeIndex>,
    sums: Vec<u64>,
}

impl Weighted {
    fn add(&mut self, node: NodeIndex, weight: u64) {
        let sum = self.sums.last().copied().unwrap_or(0);
        self.sums.push(sum.saturating_add(weight));
        self.nodes.push(node);
    }

    fn draw(&self, chance: &mut SplitMix, by_weight: bool) -> Option<NodeIndex> {
        let total = self.sums.last().copied()?;
        let place = if by_weight && total > 0 {
            let point = chance.below(total);
            self.sums.partition_point(|sum| *sum <= point)
        } else {
            chance.below(self.nodes.len() as u64) as usize
        };
        self.nodes.get(place).copied()
    }

    /// One draw from each of `count` equal parts of the whole weight.
    fn spread(&self, count: u64, chance: &mut SplitMix, by_weight: bool) -> Vec<NodeIndex> {
        let total = self.sums.last().copied().unwrap_or(0);
        let by_weight = by_weight && total > 0;
        let whole = if by_weight {
            total
        } else {
            self.nodes.len() as u64
        };
        let part = |turn: u64| (u128::from(turn) * u128::from(whole) / u128::from(count)) as u64;
        let drawn = (0..count).filter_map(|turn| {
            // Parts narrower than one unit of weight hold their first.
            let width = (part(turn + 1) - part(turn)).max(1);
            let point = part(turn) + chance.below(width);
            let place = if by_weight {
                self.sums.partition_point(|sum| *sum <= point)
            } else {
                point as usize
            };
            self.nodes.get(place).copied()
        });
        drawn.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_from_nothing() {
        let (nobody, unknown) = (BTreeSet::new(), BTreeSet::new());
        let drawn = draw(&Graph::default(), &nobody, &unknown, &Demand::default());
        assert_eq!(drawn, Ok(Vec::new()));
    }

    #[test]
    fn classes_share_the_payees_by_their_weights() {
        let mut ends = Ends::empty(DemandModel::Uniform);
        for node in 0..50 {
            ends.payers.add(NodeIndex::new(node), 1);
            ends.payees.add(NodeIndex::new(node), 1);
        }
        let demand = Demand {
            amounts: AmountModel::Mixed,
            payments: 1_000,
            payees: 100,
            ..Demand::default()
        };
        let payments = ends.sample(&demand, 3, &BTreeSet::new());
        let classes = demand.amounts.classes();
        let total: u32 = classes.iter().map(|class| class.weight).sum();
        for class in classes {
            let drawn = payments.iter().filter(|p| p.amount == class.amount).count();
            assert_eq!(drawn as u32 * total, class.weight * 1_000, "{class:?}");
        }
    }

    #[test]
    fn payees_are_drawn_as_often_as_their_weight_says() {
        let mut ends = Ends::empty(DemandModel::Capacity);
        let weights = [1, 50, 7, 100, 42];
        for (node, weight) in weights.into_iter().enumerate() {
            ends.payers.add(NodeIndex::new(node), 1);
            ends.payees.add(NodeIndex::new(node), weight);
        }
        for (seed, model) in [(1, DemandModel::Capacity), (2, DemandModel::Uniform)] {
            ends.model = model;
            let mut chance = SplitMix::new(seed);
            let drawn = ends.spread_payees(1_000, &mut chance);
            for (node, weight) in weights.into_iter().enumerate() {
                let times = drawn.iter().filter(|payee| payee.get() == node).count() as u64;
                let due = if model == DemandModel::Uniform {
                    200
                } else {
                    5 * weight
                };
                assert!(times.abs_diff(due) <= 1, "{node}: {times} of {due}");
            }
        }
        assert_eq!(ends.spread_payees(0, &mut SplitMix::new(1)), []);
    }

    #[test]
    fn models_have_names() {
        for model in [
            DemandModel::Uniform,
            DemandModel::Capacity,
            DemandModel::Merchant,
        ] {
            assert_eq!(model.to_string().parse(), Ok(model));
        }
        let error = "none".parse::<DemandModel>().unwrap_err();
        assert!(error.to_string().contains("uniform"), "{error}");
    }
}
