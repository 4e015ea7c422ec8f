//! From outcomes, seed by seed, to estimates and paired ratios.

use crate::dynamics::{DayFacts, Run, gather_days};
use crate::score::part;
use crate::statistics::{ratios, summarize, summarize_ratios};
use crate::trial::{Outcome, concentration};
use crate::{
    Arm, ArmResult, DynamicsResult, Estimate, Failure, FailureResult, Metric, PairedRatio,
    Rebalancing, Setting, Settings,
};
use hive_planner::AmountModel;
use hive_planner::routes::SenderModel;
use std::collections::{BTreeMap, BTreeSet};

/// Arms that are set against others, and of what. Only pairs that were both run give ratios.
const PAIRS: [(Arm, Arm); 10] = [
    (Arm::Fleet, Arm::Whale),
    (Arm::Fleet, Arm::Uncoordinated),
    (Arm::Fleet, Arm::Autopilot),
    (Arm::Fleet, Arm::Preferential),
    (Arm::Fleet, Arm::Predecessor),
    (Arm::Fleet, Arm::Random),
    (Arm::FleetNoLinks, Arm::Fleet),
    (Arm::FleetUnique, Arm::Fleet),
    (Arm::FleetNoLinks, Arm::Whale),
    (Arm::Uncoordinated, Arm::Whale),
];

const COMPARED: [Metric; 5] = [
    Metric::PaymentShare,
    Metric::UnseenShare,
    Metric::VolumeShare,
    Metric::Revenue,
    Metric::NetRevenue,
];

const COMPARED_DYNAMIC: [Metric; 3] = [Metric::PaymentShare, Metric::Revenue, Metric::NetRevenue];

type Values = BTreeMap<Metric, f64>;

/// Everything of a cell but its name. The outcomes come by seed and then by arm.
pub(crate) fn gather(
    settings: &Settings,
    outcomes: &[Vec<Outcome>],
) -> (Vec<ArmResult>, Vec<PairedRatio>) {
    let arms: Vec<ArmResult> = settings
        .arms
        .iter()
        .enumerate()
        .map(|(place, arm)| {
            let own: Vec<&Outcome> = outcomes.iter().filter_map(|seed| seed.get(place)).collect();
            let values: Vec<&Values> = own.iter().map(|outcome| &outcome.metrics).collect();
            ArmResult {
                arm: *arm,
                plans: own.iter().map(|outcome| outcome.facts.clone()).collect(),
                metrics: estimates(&values),
                failures: failures(&own),
                dynamics: dynamics(&own),
            }
        })
        .collect();
    let ratios = all_ratios(&arms);
    (arms, ratios)
}

/// One estimate for each metric that any seed has.
fn estimates(values: &[&Values]) -> Vec<Estimate> {
    let metrics: BTreeSet<Metric> = values
        .iter()
        .flat_map(|seed| seed.keys().copied())
        .collect();
    let estimate = |metric: Metric| {
        let per_seed: Vec<Option<f64>> = values
            .iter()
            .map(|seed| seed.get(&metric).copied())
            .collect();
        let summary = summarize(&per_seed);
        Estimate {
            metric,
            per_seed,
            summary,
        }
    };
    metrics.into_iter().map(estimate).collect()
}

fn failures(outcomes: &[&Outcome]) -> Vec<FailureResult> {
    let kinds: BTreeSet<&Failure> = outcomes
        .iter()
        .flat_map(|o| &o.losses)
        .map(|l| &l.failure)
        .collect();
    let result = |failure: &Failure| {
        let each: Vec<_> = outcomes
            .iter()
            .map(|outcome| {
                outcome
                    .losses
                    .iter()
                    .find(|losses| losses.failure == *failure)
            })
            .collect();
        let known: BTreeSet<&str> = each
            .iter()
            .flatten()
            .map(|losses| losses.what.as_str())
            .collect();
        let payments: Vec<Option<f64>> = each
            .iter()
            .map(|l| l.and_then(|l| l.payments_kept))
            .collect();
        let revenue: Vec<Option<f64>> = each
            .iter()
            .map(|l| l.and_then(|l| l.revenue_kept))
            .collect();
        FailureResult {
            failure: failure.clone(),
            what: known
                .first()
                .filter(|_| known.len() == 1)
                .map(|what| what.to_string()),
            nodes: each
                .iter()
                .flatten()
                .map(|losses| losses.nodes)
                .max()
                .unwrap_or(0),
            payments_kept: summarize(&payments),
            payments_kept_per_seed: payments,
            revenue_kept: summarize(&revenue),
            revenue_kept_per_seed: revenue,
        }
    };
    kinds.into_iter().map(result).collect()
}

fn dynamics(outcomes: &[&Outcome]) -> Vec<DynamicsResult> {
    let first = outcomes
        .first()
        .map_or(&[][..], |outcome| &outcome.dynamics);
    first.iter().map(|run| dynamics_of(outcomes, run)).collect()
}

/// The runs of all seeds that are like this one.
fn dynamics_of(outcomes: &[&Outcome], like: &Run) -> DynamicsResult {
    let (balances, rebalancing) = (like.balances, like.rebalancing);
    let alike = |run: &&Run| (run.balances, run.rebalancing) == (balances, rebalancing);
    let (mut runs, mut values) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        if let Some(run) = outcome.dynamics.iter().find(alike) {
            let open_cost = outcome
                .metrics
                .get(&Metric::OpenCost)
                .copied()
                .unwrap_or(0.0);
            values.push(over_days(&run.days, open_cost));
            runs.push(&run.days[..]);
        }
    }
    DynamicsResult {
        balances,
        rebalancing,
        metrics: estimates(&values.iter().collect::<Vec<_>>()),
        days: gather_days(&runs),
    }
}

/// One seed's metrics over all its days.
fn over_days(days: &[DayFacts], open_cost: f64) -> Values {
    let count = days.len().max(1) as f64;
    let sum = |of: fn(&DayFacts) -> u64| days.iter().map(of).sum::<u64>() as f64;
    let payments = sum(|day| day.tally.payments);
    let revenue = sum(|day| day.tally.earned_msat.iter().sum()) / 1_000.0 / count;
    let rebalance = sum(|day| day.rebalance_fee_msat) / 1_000.0 / count;
    let members = days.first().map_or(0, |day| day.tally.earned_msat.len());
    let of_member = |member: usize| {
        let earned = days
            .iter()
            .filter_map(|day| day.tally.earned_msat.get(member));
        earned.sum::<u64>()
    };
    let earned: Vec<u64> = (0..members).map(of_member).collect();
    let shares = concentration(&earned);
    let all = [
        (
            Metric::PaymentShare,
            part(sum(|day| day.tally.forwarded), payments),
        ),
        (
            Metric::VolumeShare,
            part(
                sum(|day| day.tally.forwarded_msat),
                sum(|day| day.tally.volume_msat),
            ),
        ),
        (Metric::Revenue, Some(revenue)),
        (Metric::OpenCost, Some(open_cost)),
        (Metric::RebalanceCost, Some(rebalance)),
        (
            Metric::RebalanceFailures,
            part(
                sum(|day| day.rebalances_failed),
                sum(|day| day.rebalances + day.rebalances_failed),
            ),
        ),
        (
            Metric::RebalanceVolume,
            Some(sum(|day| day.rebalance_msat) / 1_000.0 / count),
        ),
        (Metric::NetRevenue, Some(revenue - rebalance - open_cost)),
        (
            Metric::SuccessRate,
            part(
                sum(|day| day.tally.tried_delivered),
                sum(|day| day.tally.tried),
            ),
        ),
        (
            Metric::SuccessRateOfAll,
            part(sum(|day| day.tally.delivered), payments),
        ),
        (Metric::LargestMember, shares.map(|(largest, _)| largest)),
        (Metric::Herfindahl, shares.map(|(_, herfindahl)| herfindahl)),
    ];
    all.into_iter()
        .filter_map(|(metric, value)| Some((metric, value?)))
        .collect()
}

fn all_ratios(arms: &[ArmResult]) -> Vec<PairedRatio> {
    let find = |arm: Arm| arms.iter().find(|result| result.arm == arm);
    let pairs = PAIRS
        .iter()
        .filter_map(|(above, below)| find(*above).zip(find(*below)));
    pairs
        .flat_map(|(above, below)| ratios_of(above, below))
        .collect()
}

fn ratios_of(above: &ArmResult, below: &ArmResult) -> Vec<PairedRatio> {
    let mut all = Vec::new();
    let mut add = |setting: Setting, metrics: &[Metric], one: &[Estimate], other: &[Estimate]| {
        for metric in metrics {
            let of = |estimates: &[Estimate]| {
                let found = estimates.iter().find(|estimate| estimate.metric == *metric);
                found.map(|estimate| estimate.per_seed.clone())
            };
            if let (Some(one), Some(other)) = (of(one), of(other)) {
                all.push(pair((above.arm, below.arm), *metric, setting, &one, &other));
            }
        }
    };
    add(Setting::Static, &COMPARED, &above.metrics, &below.metrics);
    for one in &above.dynamics {
        let like = |who: Rebalancing| {
            let mut others = below.dynamics.iter();
            others.find(|other| (other.balances, other.rebalancing) == (one.balances, who))
        };
        // Who has nobody to refill with does it alone.
        let Some(other) = like(one.rebalancing).or_else(|| like(Rebalancing::Local)) else {
            continue;
        };
        let setting = Setting::Dynamic {
            balances: one.balances,
            rebalancing: one.rebalancing,
        };
        add(setting, &COMPARED_DYNAMIC, &one.metrics, &other.metrics);
    }
    all
}

fn pair(
    (numerator, denominator): (Arm, Arm),
    metric: Metric,
    setting: Setting,
    above: &[Option<f64>],
    below: &[Option<f64>],
) -> PairedRatio {
    let per_seed = ratios(above, below);
    let (summary, scale) = summarize_ratios(&per_seed);
    PairedRatio {
        numerator,
        denominator,
        metric,
        setting,
        undefined: per_seed.iter().filter(|ratio| ratio.is_none()).count() as u32,
        per_seed,
        summary,
        scale,
    }
}

/// What the figures of this cell cannot say by themselves.
pub(crate) fn notes(settings: &Settings, arms: &[ArmResult]) -> Vec<String> {
    let mut notes = Vec::new();
    for result in arms {
        let fewest = result
            .plans
            .iter()
            .map(|plan| plan.opens)
            .min()
            .unwrap_or(0);
        if fewest < settings.opens() {
            notes.push(format!(
                "{} opened only {fewest} of its {} channels under one seed or more",
                result.arm,
                settings.opens()
            ));
        }
        let said: BTreeSet<&String> = result.plans.iter().flat_map(|plan| &plan.notes).collect();
        notes.extend(
            said.into_iter()
                .map(|note| format!("{}: {note}", result.arm)),
        );
        let flattered = result
            .metric(Metric::Optimism)
            .and_then(|estimate| estimate.summary.mean);
        if flattered.is_some_and(|ratio| ratio <= 1.0) {
            notes.push(format!(
                "{} scores no lower on held-out payments than on those that it was planned on; with \
                 samples of this size that is chance or a defect",
                result.arm
            ));
        }
    }
    notes
}

/// The name of a sender model in settings.
pub(crate) fn word(sender: &SenderModel) -> String {
    match sender {
        SenderModel::FeeOnly => "feeonly",
        SenderModel::Lnd => "lnd",
        SenderModel::Ldk => "ldk",
    }
    .into()
}

/// A model of amounts with its unit.
pub(crate) fn amount(amounts: AmountModel) -> String {
    match amounts {
        AmountModel::Fixed(amount) if amount.get() % 1_000 == 0 => {
            amount.to_sat_floor().to_string()
        }
        AmountModel::Fixed(amount) => amount.to_string(),
        other => other.to_string(),
    }
}
