//! Balances that move: payments one after another, retries, depletion, rebalancing.
//!
//! Hidden balances are drawn, the same for every arm. Senders know the network and their own balances;
//! of others they learn what fails during one payment, and forget it after. Each attempt takes the
//! cheapest way without the arcs that have failed, found exactly. The arm's channels keep what
//! payments do to them; all others drift back, since traffic that is not simulated moves them too.
//!
//! What is left out: payments in parts, HTLCs that overlap in time, senders that remember between
//! payments.

mod balances;
mod net;
mod refill;
mod traffic;
mod way;

pub(crate) use balances::{BIMODAL_SCALE_MSAT, HALF_LIFE_SECONDS, RESERVE_PART};

use crate::placement::Arranged;
use crate::{Arm, Balances, Day, Dynamics, Rebalancing, Settings};
use balances::Ledger;
use hive_planner::PlannerConfig;
use hive_planner::demand::Payment;
use hive_planner::routes::SenderModel;
use hive_types::Msat;
use net::{Net, Weight, Weights};
use rayon::prelude::*;
use refill::{Book, Refills};
use traffic::{DAY_SECONDS, Map, Pair, Tally, Traffic};
use way::{Scratch, Wish, cheapest};

/// Times a day at which members look at their channels and refill them.
pub(crate) const REFILLS_A_DAY: u32 = 4;

/// Keeps the balances' chance apart from that of the payments.
const BALANCE_STREAM: u64 = 0xba1a_9ce5_0000_0001;

/// What is run for an arm. Only members of one house refill together; a single node, and members who
/// know nothing of each other, refill alone.
pub(crate) fn runs(arm: Arm) -> Vec<(Balances, Rebalancing)> {
    let together = arm.is_one_house() && arm != Arm::Whale;
    let mut all = Vec::new();
    for balances in [Balances::Uniform, Balances::Bimodal] {
        all.extend([Rebalancing::Off, Rebalancing::Local].map(|who| (balances, who)));
        all.extend(together.then_some((balances, Rebalancing::Fleet)));
    }
    all
}

/// One day of one arm under one seed, one start and one way of rebalancing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DayFacts {
    pub(crate) tally: Tally,
    pub(crate) rebalance_fee_msat: u64,
    pub(crate) rebalance_msat: u64,
    pub(crate) rebalances: u64,
    /// Moves that a channel between others could not carry.
    pub(crate) rebalances_failed: u64,
    pub(crate) depleted: f64,
}

/// One combination's days.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) balances: Balances,
    pub(crate) rebalancing: Rebalancing,
    pub(crate) days: Vec<DayFacts>,
}

/// What stays the same for all runs of one arm under one seed.
pub(crate) struct Ground {
    net: Net,
    classes: Vec<Weights>,
    trees: Vec<Vec<u32>>,
    pairs: Vec<Pair>,
    members: usize,
    book: Book,
}

impl Ground {
    /// Searches once for each payee and amount. The payments are in order of amount and payee.
    pub(crate) fn new(arranged: &Arranged, sender: SenderModel, payments: &[Payment]) -> Self {
        let net = Net::new(arranged);
        let mut classes = Vec::new();
        let mut runs: Vec<(usize, &[Payment])> = Vec::new();
        for class in payments.chunk_by(|one, next| one.amount == next.amount) {
            let amount = class.first().map(|payment| payment.amount);
            let weights = amount.map(|amount| net.weigh(sender, amount));
            let payees = class.chunk_by(|one, next| one.payee == next.payee);
            runs.extend(payees.map(|run| (classes.len(), run)));
            classes.extend(weights);
        }
        let place = |node: hive_planner::graph::NodeIndex| arranged.moved[node.get()].get() as u32;
        let answers = runs.par_iter().enumerate().map_init(
            || Scratch::new(net.nodes()),
            |scratch, (tree, (class, run))| {
                let payee = run.first().map_or(0, |payment| place(payment.payee));
                let costs = net.costs_to(payee, &classes[*class]);
                let pairs = run.iter().map(|payment| {
                    let payer = place(payment.payer);
                    let first_way = first(&net, &classes[*class], (payer, payee), &costs, scratch);
                    Pair {
                        payer,
                        payee,
                        class: *class,
                        tree,
                        first_way,
                    }
                });
                (pairs.collect::<Vec<Pair>>(), costs)
            },
        );
        let (pairs, trees): (Vec<Vec<Pair>>, Vec<Vec<u32>>) = answers.unzip();
        let pairs = pairs.into_iter().flatten().collect();
        let members = arranged.members.len();
        let book = Book::new(arranged);
        Self {
            book,
            net,
            classes,
            trees,
            pairs,
            members,
        }
    }

    fn map(&self) -> Map<'_> {
        Map {
            net: &self.net,
            classes: &self.classes,
            trees: &self.trees,
            pairs: &self.pairs,
        }
    }

    /// Runs every combination, each on the same payments and balances.
    pub(crate) fn run_all(
        &self,
        arm: Arm,
        settings: &Settings,
        dynamics: &Dynamics,
        seed: u64,
    ) -> Vec<Run> {
        let config = PlannerConfig {
            assumed_base: settings.fee_base,
            assumed_rate: settings.fee_rate,
            // The budget bounds what is spent, and no refill costs more than it can earn once.
            push_fee_rate: settings.planner.push_fee_rate.max(settings.fee_rate),
            push_fee_max: dynamics.rebalance_budget.to_msat_saturating(),
            ..settings.planner
        };
        let runs = runs(arm).into_par_iter();
        let run = |(balances, rebalancing)| Run {
            balances,
            rebalancing,
            days: self.run(dynamics, &config, (balances, rebalancing), seed),
        };
        runs.map(run).collect()
    }

    fn run(
        &self,
        settings: &Dynamics,
        config: &PlannerConfig,
        (balances, rebalancing): (Balances, Rebalancing),
        seed: u64,
    ) -> Vec<DayFacts> {
        let map = self.map();
        let ledger = Ledger::new(&self.net, balances, seed ^ BALANCE_STREAM);
        let mut traffic = Traffic::new(&map, ledger, self.members, settings.attempts, seed);
        let a_day = u64::from(REFILLS_A_DAY);
        let budget = settings.rebalance_budget.to_msat_saturating().get() / a_day;
        let shape = (REFILLS_A_DAY, self.net.capacity.len());
        let mut refills = Refills::new(&self.book, rebalancing, Msat::new(budget), config, shape);
        let day = |day: u32| {
            let mut facts = DayFacts::default();
            for part in 0..REFILLS_A_DAY {
                let begins = day * DAY_SECONDS + part * (DAY_SECONDS / REFILLS_A_DAY);
                let payments = settings.payments_per_day / REFILLS_A_DAY;
                for payment in 0..payments {
                    let passed = u64::from(payment) * u64::from(DAY_SECONDS)
                        / u64::from(REFILLS_A_DAY)
                        / u64::from(payments);
                    traffic.pay(begins + passed as u32);
                }
                let ends = begins + DAY_SECONDS / REFILLS_A_DAY;
                refills.refill(&self.net, &mut traffic, ends, &mut facts);
            }
            facts.tally = traffic.take_tally();
            facts.depleted = traffic.ledger.depleted(&self.net);
            facts
        };
        (0..settings.days).map(day).collect()
    }
}

/// The way that a sender tries first.
fn first(
    net: &Net,
    weights: &Weights,
    (payer, payee): (u32, u32),
    to_payee: &[u32],
    scratch: &mut Scratch,
) -> Vec<Weight> {
    let mut way = Vec::new();
    let wish = Wish {
        payer,
        payee,
        to_payee,
        failed: &[],
    };
    cheapest(net, weights, wish, |_| true, scratch, &mut way);
    way
}

/// Day by day, the mean over runs with other seeds.
pub(crate) fn gather_days(runs: &[&[DayFacts]]) -> Vec<Day> {
    let days = runs.iter().map(|run| run.len()).min().unwrap_or(0);
    let day = |day: usize| {
        let mean = |of: fn(&DayFacts) -> f64| {
            runs.iter().map(|run| of(&run[day])).sum::<f64>() / runs.len() as f64
        };
        Day {
            revenue_sat: mean(|day| day.tally.earned_msat.iter().sum::<u64>() as f64 / 1_000.0),
            rebalance_sat: mean(|day| day.rebalance_fee_msat as f64 / 1_000.0),
            payment_share: mean(|day| {
                day.tally.forwarded as f64 / day.tally.payments.max(1) as f64
            }),
            success_rate_of_all: mean(|day| {
                day.tally.delivered as f64 / day.tally.payments.max(1) as f64
            }),
            depleted: mean(|day| day.depleted),
        }
    };
    (0..days).map(day).collect()
}

/// What the first way of each payment costs its sender, for comparison with other searches.
#[cfg(test)]
pub(crate) fn cost_of_cheapest(
    arranged: &Arranged,
    sender: SenderModel,
    payments: &[Payment],
) -> Vec<Option<u64>> {
    let ground = Ground::new(arranged, sender, payments);
    let cost = |pair: &Pair| {
        let onward = pair.first_way.iter().skip(1);
        let sum: u64 = onward.map(|step| u64::from(step.cost)).sum();
        let first_hop = sender.first_hop(Msat::new(ground.classes[pair.class].amount));
        (!pair.first_way.is_empty()).then_some(first_hop + sum)
    };
    ground.pairs.iter().map(cost).collect()
}
