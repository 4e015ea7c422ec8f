//! A finished plan on payments that it was not made from.

use super::board::{Board, Piece};
use super::budget::Budget;
use super::fleet_plan::HeldOut;
use super::lines::{FULL, Maker};
use super::planner::{Far, Planner, per_day};
use super::problem::Watch;
use super::sample::Sample;
use super::scene::Scene;
use super::weigh::board_of;
use crate::config::PlannerConfig;
use crate::demand::{Demand, Payment, draw_apart};
use crate::graph::{Graph, NodeIndex};
use hive_types::Ppm;
use std::collections::BTreeSet;

/// Of a normal distribution, 95 % lie within this many hundredths of a standard deviation.
const NORMAL_95_IN_100: u128 = 196;

/// The second sample and what it is to be like.
pub(super) struct HeldOutDemand<'a> {
    pub(super) graph: &'a Graph,
    pub(super) scene: &'a Scene<'a>,
    pub(super) demand: &'a Demand,
    pub(super) planned_on: &'a [Payment],
    pub(super) config: &'a PlannerConfig,
}

impl HeldOutDemand<'_> {
    /// The plan's share and revenue on the second sample. `None` when there is nobody left to pay, or
    /// when whoever watches ends it.
    pub(super) fn score(&self, planner: &Planner<'_>, watch: Watch<'_>) -> Option<HeldOut> {
        let (graph, scene, config) = (self.graph, self.scene, self.config);
        let merchants = &scene.problem.merchants;
        let members = &scene.indices;
        let payments = draw_apart(graph, members, merchants, self.demand, self.planned_on).ok()?;
        let mut budget = Budget::new(u64::MAX, watch);
        let wanted = self.wanted(planner);
        let sample = Sample::of(graph, &payments, members, &wanted, config, &mut budget);
        let ways = sample.ways(graph, &wanted, &mut budget);
        if budget.work.cut || sample.payments == 0 {
            return None;
        }
        let maker = Maker {
            sample: &sample,
            config,
        };
        let mut board = board_of(graph, scene, &sample, &ways, config);
        for chosen in &planner.chosen {
            let piece = match chosen.far {
                Far::Fellow(fellow) => {
                    Piece::Link([chosen.member, fellow], maker.link(chosen.capacity))
                }
                Far::Candidate(place) => {
                    let candidate = &planner.candidates[place];
                    let node = graph.node_index(&candidate.id);
                    let way = ways.iter().position(|ways| Some(ways.node) == node)?;
                    let (capacity, rate) = (chosen.capacity, chosen.rate);
                    let worth = candidate.worth;
                    Piece::Line(maker.planned(chosen.member, way, capacity, rate, worth))
                }
            };
            board.add(piece);
        }
        Some(summary(&board, config))
    }

    fn wanted(&self, planner: &Planner<'_>) -> Vec<NodeIndex> {
        let peers = self.scene.attachments.iter().map(|a| a.peer);
        let targets = planner.chosen.iter().filter_map(|chosen| match chosen.far {
            Far::Candidate(place) => self.graph.node_index(&planner.candidates[place].id),
            Far::Fellow(_) => None,
        });
        let wanted: BTreeSet<NodeIndex> = peers.chain(targets).collect();
        wanted.into_iter().collect()
    }
}

/// Payments to one payee share most of their way, so payees, not payments, are what was drawn
/// independently: the interval comes from how much payees differ.
fn summary(board: &Board<'_>, config: &PlannerConfig) -> HeldOut {
    let sums = board.by_payee();
    let payments = board.sample.payments;
    let won: Vec<u64> = sums.iter().map(|(won, _)| *won).collect();
    let value: Vec<u64> = sums.iter().map(|(_, value)| *value).collect();
    let all = u64::from(FULL) * payments as u64;
    let share = |won: u64| Ppm::of(won, all);
    let revenue = |value: u64| per_day(config, value, payments);
    let (won, won_half) = (won.iter().sum::<u64>(), half_interval(&won));
    let (value, value_half) = (value.iter().sum::<u64>(), half_interval(&value));
    HeldOut {
        payments: payments as u32,
        share: share(won),
        share_low: share(won.saturating_sub(won_half)),
        share_high: share(won.saturating_add(won_half)),
        revenue: revenue(value),
        revenue_low: revenue(value.saturating_sub(value_half)),
        revenue_high: revenue(value.saturating_add(value_half)),
    }
}

/// Half of the 95 % interval around the sum of independent values: the normal approximation.
fn half_interval(values: &[u64]) -> u64 {
    let count = values.len() as u128;
    let sum: u128 = values.iter().map(|value| u128::from(*value)).sum();
    let mean = sum / count.max(1);
    let squares = values.iter().map(|value| {
        let apart = u128::from(*value).abs_diff(mean);
        apart.saturating_mul(apart)
    });
    let squares = squares.fold(0u128, u128::saturating_add);
    let variance = (squares / count.saturating_sub(1).max(1)).saturating_mul(count);
    let half = variance.isqrt().saturating_mul(NORMAL_95_IN_100) / 100;
    u64::try_from(half).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_a_sum_of_independent_values() {
        // 100 values, half 0 and half 2: deviation about 1, that of the sum about 10.
        let values: Vec<u64> = (0..100).map(|n| n % 2 * 2_000).collect();
        assert!(
            half_interval(&values).abs_diff(19_698) < 10,
            "{}",
            half_interval(&values)
        );
        assert_eq!(half_interval(&[7; 50]), 0);
        assert_eq!(half_interval(&[]), 0);
        assert_eq!(half_interval(&[u64::MAX]), 0);
    }
}
