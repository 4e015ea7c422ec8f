//! The plan for all seats.

use super::board::Board;
use super::budget::Budget;
use super::fleet_plan::FleetPlan;
use super::lines::Maker;
use super::planner::{Candidate, Planner};
use super::problem::{Problem, Watch};
use super::scene::Scene;
use super::score;
use super::weigh::Weighed;
use super::{PlanNote, Work};
use crate::config::PlannerConfig;
use crate::demand::{Demand, DemandError, DemandModel, Payment, SplitMix, draw};
use crate::graph::Graph;
use hive_types::Ppm;

/// Chance of new attempts comes from the plan's seed by a stream of its own.
const KICK_STREAM: u64 = 0x6b1c_6b1c_6b1c_6b1c;

/// Where a plan takes little, this many new attempts are made without being asked for,
const CHEAP_KICKS: u32 = 96;
/// as long as it took less than this, which is under a second,
const CHEAP_WORK: u64 = 1_000_000;
/// and less than one part in so many of what it may take.
const CHEAP_PART: u64 = 4;

/// Plans channels for every seat of the problem.
///
/// Equal arguments give equal plans, bit for bit, on any number of threads, as long as `watch` lets
/// them end. Seats, closed targets and unseen peers need not be in the graph.
pub fn plan_fleet(
    graph: &Graph,
    problem: &Problem,
    config: &PlannerConfig,
    watch: Watch<'_>,
) -> FleetPlan {
    let mut budget = Budget::new(config.work_limit, watch);
    let scene = Scene::of(graph, problem);
    let capped = scene.shares.capped(&problem.capped, config);
    let (payments, demand, fallback) = demand(graph, &scene, config);
    let weighed = Weighed::of(graph, &scene, &payments, &capped, config, &mut budget);
    let board = weighed.board(graph, &scene, config);
    let maker = Maker {
        sample: &weighed.sample,
        config,
    };
    budget.work.payments = weighed.sample.payments as u32;
    budget.work.candidates = weighed.candidates.len() as u32;
    let start = Start {
        scene: &scene,
        config,
        maker: &maker,
        candidates: &weighed.candidates,
        board,
    };
    let mut planner = start.best_plan(&mut budget);
    planner.drop_what_does_not_pay(&mut budget);
    let before = planner.per_day(start.board.total());
    let mut plan = FleetPlan {
        channels: planner.explain_all(&mut budget),
        revenue_before: before,
        revenue_after: planner.per_day(planner.board.total()),
        share_after: planner.share(),
        capped,
        work: budget.work,
        notes: fallback.into_iter().collect(),
        held_out: None,
    };
    plan.notes.extend(planner.why_so_little(budget.work));
    if config.hold_out {
        let held_out = score::HeldOutDemand {
            graph,
            scene: &scene,
            demand: &demand,
            planned_on: &payments,
            config,
        };
        plan.held_out = held_out.score(&planner, watch);
    }
    plan
}

/// The sample, what it was drawn by, and what had to be assumed instead.
fn demand(
    graph: &Graph,
    scene: &Scene<'_>,
    config: &PlannerConfig,
) -> (Vec<Payment>, Demand, Option<PlanNote>) {
    let demand = config.demand_sample();
    let drawn = |demand: &Demand| draw(graph, &scene.indices, &scene.problem.merchants, demand);
    match drawn(&demand) {
        Ok(payments) => (payments, demand, None),
        Err(DemandError::NoMerchants | DemandError::UnknownModel(_)) => {
            let by_capacity = Demand {
                model: DemandModel::Capacity,
                ..demand
            };
            let payments = drawn(&by_capacity).unwrap_or_default();
            (payments, by_capacity, Some(PlanNote::NoMerchants))
        }
    }
}

/// What every attempt begins with.
struct Start<'a> {
    scene: &'a Scene<'a>,
    config: &'a PlannerConfig,
    maker: &'a Maker<'a>,
    candidates: &'a [Candidate],
    board: Board<'a>,
}

impl<'a> Start<'a> {
    fn planner(&self, rate: Ppm) -> Planner<'a> {
        Planner {
            scene: self.scene,
            config: self.config,
            maker: self.maker,
            candidates: self.candidates,
            board: self.board.clone(),
            means: self.scene.means.clone(),
            chosen: Vec::new(),
            rate,
        }
    }

    /// Begins with each rate, improves the best of them, and makes new attempts at its parts.
    fn best_plan(&self, budget: &mut Budget<'_>) -> Planner<'a> {
        let mut best = self.begun(self.config.assumed_rate, budget);
        for rate in self.config.rates.values() {
            if *rate != self.config.assumed_rate && budget.goes_on() {
                let other = self.begun(*rate, budget);
                if other.board.worth() > best.board.worth() {
                    best = other;
                }
            }
        }
        best.improve(budget);
        let mut chance = SplitMix::new(self.config.seed ^ KICK_STREAM);
        for turn in 0..self.config.kicks.max(CHEAP_KICKS) as usize {
            let asked = turn < self.config.kicks as usize;
            let bound = CHEAP_WORK.min(self.config.work_limit / CHEAP_PART);
            let cheap = budget.work.settled < bound;
            if best.chosen.is_empty() || !(asked || cheap) || !budget.goes_on() {
                break;
            }
            best.kick(turn, &mut chance, budget);
        }
        best
    }

    fn begun(&self, rate: Ppm, budget: &mut Budget<'_>) -> Planner<'a> {
        let mut planner = self.planner(rate);
        if !self.candidates.is_empty() {
            planner.fill(budget);
        }
        planner
    }
}

impl Planner<'_> {
    /// Of all payments, the share that the fleet wins.
    fn share(&self) -> Ppm {
        let all = super::lines::FULL as u64 * self.board.sample.payments as u64;
        Ppm::of(self.board.won(), all)
    }

    /// Takes out what no longer earns its cost, now that all else is there; the least worth first.
    fn drop_what_does_not_pay(&mut self, budget: &mut Budget<'_>) {
        loop {
            let total = self.board.total();
            let values = (0..self.chosen.len()).map(|at| {
                let (without, _) = self.without(at, budget);
                (
                    i64::try_from(total.saturating_sub(without)).unwrap_or(i64::MAX),
                    at,
                )
            });
            let values: Vec<(i64, usize)> = values.collect();
            let least = values
                .into_iter()
                .min()
                .filter(|(value, _)| !self.pays(*value, 1));
            let Some((_, at)) = least else { break };
            self.remove(at, budget);
        }
    }

    /// Why there is nothing to open.
    fn why_so_little(&self, work: Work) -> Vec<PlanNote> {
        let mut idle = self.scene.means.iter().map(|means| means.why_idle());
        let first = self.scene.means.first().and_then(|means| means.why_idle());
        let reason = if !self.chosen.is_empty() {
            None
        } else if idle.all(|reason| reason.is_some()) {
            first
        } else if self.board.sample.payments == 0 {
            Some(PlanNote::NoDemand)
        } else if self.candidates.is_empty() {
            Some(PlanNote::NoCandidates)
        } else {
            Some(PlanNote::NothingPays {
                open_cost: self.scene.problem.open_cost,
                payback_days: self.config.payback_days,
            })
        };
        let cut = work.cut.then_some(PlanNote::WorkLimit);
        reason.into_iter().chain(cut).collect()
    }
}
