//! Balances that move: payments one after another, retries, depletion, rebalancing.
//!
//! Hidden balances are drawn, the same for every arm. Senders know the network and their own balances;
//! of others they learn what fails during one payment, and forget it after. Each attempt takes the
//! cheapest way without the arcs that have failed, found exactly. The arm's channels keep what
//! payments do to them; all others drift back, since traffic that is not simulated moves them too.
//!
//! What is left out: inbound fees, payments in parts, parallel HTLCs, forwarding over a parallel
//! channel than the one asked for, senders that remember between payments.

mod balances;
mod net;
mod traffic;
mod way;

pub(crate) use balances::{BIMODAL_SCALE_MSAT, HALF_LIFE_SECONDS, RESERVE_PART};

use crate::placement::Arranged;
use crate::{Balances, Day, Dynamics, Rebalancing};
use balances::Ledger;
use hive_planner::demand::Payment;
use hive_planner::routes::SenderModel;
use net::{Net, Weights};
use rayon::prelude::*;
use traffic::{DAY_SECONDS, Map, Pair, Tally, Traffic};
use way::{Scratch, Wish, cheapest};

/// Times a day at which members look at their channels and refill them.
pub(crate) const REFILLS_A_DAY: u32 = 4;

/// Keeps the balances' chance apart from that of the payments.
const BALANCE_STREAM: u64 = 0xba1a_9ce5_0000_0001;

/// Every combination that is run.
pub(crate) const RUNS: [(Balances, Rebalancing); 6] = [
    (Balances::Uniform, Rebalancing::Off),
    (Balances::Uniform, Rebalancing::Local),
    (Balances::Uniform, Rebalancing::Fleet),
    (Balances::Bimodal, Rebalancing::Off),
    (Balances::Bimodal, Rebalancing::Local),
    (Balances::Bimodal, Rebalancing::Fleet),
];

/// One arm under one seed, one start and one way of rebalancing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DayFacts {
    pub(crate) tally: Tally,
    pub(crate) rebalance_fee_msat: u64,
    pub(crate) rebalance_msat: u64,
    pub(crate) depleted: f64,
}

/// What stays the same for all runs of one arm under one seed.
pub(crate) struct Ground {
    net: Net,
    classes: Vec<Weights>,
    trees: Vec<Vec<u32>>,
    pairs: Vec<Pair>,
    members: usize,
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
        Self {
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
    pub(crate) fn run_all(&self, settings: &Dynamics, seed: u64) -> Vec<Vec<DayFacts>> {
        let runs = RUNS.par_iter();
        runs.map(|(balances, rebalancing)| self.run(settings, *balances, *rebalancing, seed))
            .collect()
    }

    fn run(
        &self,
        settings: &Dynamics,
        balances: Balances,
        rebalancing: Rebalancing,
        seed: u64,
    ) -> Vec<DayFacts> {
        let map = self.map();
        let ledger = Ledger::new(&self.net, balances, seed ^ BALANCE_STREAM);
        let mut traffic = Traffic::new(&map, ledger, self.members, settings.attempts, seed);
        let _ = rebalancing;
        let days = 0..settings.days;
        let day = |day: u32| {
            let mut facts = DayFacts::default();
            for payment in 0..settings.payments_per_day {
                let passed = u64::from(payment) * u64::from(DAY_SECONDS)
                    / u64::from(settings.payments_per_day);
                traffic.pay(day * DAY_SECONDS + passed as u32);
            }
            facts.tally = traffic.take_tally();
            facts.depleted = traffic.ledger.depleted(&self.net);
            facts
        };
        days.map(day).collect()
    }
}

/// The way that a sender tries first.
fn first(
    net: &Net,
    weights: &Weights,
    (payer, payee): (u32, u32),
    to_payee: &[u32],
    scratch: &mut Scratch,
) -> Vec<net::Arc> {
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
pub(crate) fn gather_days(runs: &[&Vec<DayFacts>]) -> Vec<Day> {
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
