//! One seed of one cell: every arm on the same payments.

use crate::arms::{Brief, Placed, Scores, place};
use crate::dynamics::{Ground, Run};
use crate::failure::{Losses, Outside};
use crate::placement::{Arranged, End, Placement, arrange};
use crate::reach::within_two_hops;
use crate::score::{Questions, Scored, Sums, part};
use crate::{Arm, EvaluateError, Metric, Observer, OpenedChannel, PlanFacts, Settings};
use hive_planner::demand::{Demand, Payment, draw_apart};
use std::collections::{BTreeMap, BTreeSet};

/// What one arm gave under one seed.
pub(crate) struct Outcome {
    pub(crate) facts: PlanFacts,
    pub(crate) metrics: BTreeMap<Metric, f64>,
    pub(crate) losses: Vec<Losses>,
    /// Empty unless asked for.
    pub(crate) dynamics: Vec<Run>,
}

/// What planning took, as far as the observer knows.
#[derive(Clone, Copy)]
struct PlanCost {
    millis: Option<u64>,
    peak_bytes: Option<u64>,
}

/// Counts steps for whoever watches.
pub(crate) struct Steps<'a> {
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

impl Steps<'_> {
    pub(crate) fn step(&mut self, what: &str) {
        self.observer.progress(self.done, self.total, what);
        self.done += 1;
    }
}

/// Plans with every arm, then draws payments that no plan has seen, then scores every arm on them.
pub(crate) fn run(
    brief: &Brief<'_>,
    scores: &Scores,
    outside: &Outside,
    steps: &mut Steps<'_>,
) -> Result<Vec<Outcome>, EvaluateError> {
    let mut placed = Vec::new();
    let mut seen: Vec<Payment> = Vec::new();
    for arm in &brief.settings.arms {
        steps.step(&format!("{arm}: placing channels"));
        let begun = steps.observer.millis();
        let one = place(brief, *arm, scores)?;
        let ended = steps.observer.millis();
        let cost = PlanCost {
            millis: ended
                .zip(begun)
                .map(|(ended, begun)| ended.saturating_sub(begun)),
            peak_bytes: steps.observer.peak_bytes(),
        };
        one.placement.check(*arm, brief.seed, brief.settings)?;
        seen.extend(one.samples.iter().flatten().copied());
        placed.push((*arm, one, cost));
    }
    let held_out = held_out(brief)?;
    let samples = placed.iter().flat_map(|(_, one, _)| &one.samples);
    check_fresh(&held_out, samples, brief.seed)?;
    let unseen = unseen(&held_out, &seen);
    let questions = Questions::new(brief.sender, &held_out);
    let score = |(arm, one, cost): (Arm, Placed, PlanCost)| {
        let arranged = arrange(brief.network.graph, &one.placement, arm.is_one_house());
        steps.step(&format!("{arm}: following held-out payments"));
        let scored = questions.ask(&arranged);
        let mut metrics = measure(brief.settings, &one.placement, &arranged, &scored.total);
        flatter(brief, &one.samples, &arranged, &scored, &mut metrics);
        if !unseen.is_empty() {
            let unseen = Questions::new(brief.sender, &unseen).ask(&arranged).total;
            metrics.insert(Metric::UnseenShare, unseen.share());
        }
        let losses = if brief.settings.failures {
            steps.step(&format!("{arm}: failing nodes"));
            outside.losses(
                brief.network.graph,
                &questions,
                &arranged,
                &one.placement,
                &scored,
            )
        } else {
            Vec::new()
        };
        let dynamics = brief.settings.dynamics.as_ref().map(|dynamics| {
            steps.step(&format!("{arm}: moving balances"));
            let payments = thin(&held_out, dynamics.payees);
            Ground::new(&arranged, brief.sender, &payments).run_all(
                arm,
                brief.settings,
                dynamics,
                brief.seed,
            )
        });
        let facts = facts(&one.placement, cost);
        Outcome {
            facts,
            metrics,
            losses,
            dynamics: dynamics.unwrap_or_default(),
        }
    };
    Ok(placed.into_iter().map(score).collect())
}

/// Payments drawn like those that plans are made from, by a stream of their own.
///
/// Pairs that a plan has seen are not left out: under demand by capacity the busiest pairs are in every
/// sample, and payments without them would be another demand, the more so the larger the plan's sample.
fn held_out(brief: &Brief<'_>) -> Result<Vec<Payment>, EvaluateError> {
    let (network, settings) = (brief.network, brief.settings);
    let demand = Demand {
        model: brief.demand,
        amounts: brief.amounts,
        seed: brief.seed,
        payments: settings.held_out,
        payees: settings.payees,
    };
    let nobody = BTreeSet::new();
    let drawn = draw_apart(network.graph, &nobody, network.merchants, &demand, &[]);
    let refuse = |why: String| EvaluateError::NoDemand {
        demand: brief.demand.to_string(),
        why,
    };
    let drawn = drawn.map_err(|error| refuse(error.to_string()))?;
    if drawn.is_empty() {
        return Err(refuse("it has no two nodes that can pay each other".into()));
    }
    Ok(drawn)
}

/// Refuses to score plans on what they were made from.
fn check_fresh<'a>(
    held_out: &[Payment],
    mut samples: impl Iterator<Item = &'a Vec<Payment>>,
    seed: u64,
) -> Result<(), EvaluateError> {
    let payments = held_out.len();
    let same = samples.any(|sample| payments > 1 && sample == held_out);
    (!same)
        .then_some(())
        .ok_or(EvaluateError::Leak { seed, payments })
}

/// Those payments whose payer and payee no plan of this seed has seen together.
fn unseen(held_out: &[Payment], seen: &[Payment]) -> Vec<Payment> {
    let ends = |payment: &Payment| (payment.payer, payment.payee);
    let seen: BTreeSet<_> = seen.iter().map(ends).collect();
    let fresh = held_out
        .iter()
        .filter(|payment| !seen.contains(&ends(payment)));
    fresh.copied().collect()
}

/// The payments of so many payees, spread evenly over all of them.
fn thin(payments: &[Payment], payees: u32) -> Vec<Payment> {
    let runs: Vec<&[Payment]> = payments
        .chunk_by(|one, next| (one.amount, one.payee) == (next.amount, next.payee))
        .collect();
    let keep = (payees as usize).clamp(1, runs.len().max(1));
    let kept = (0..keep).filter_map(|turn| runs.get(turn * runs.len() / keep));
    kept.flat_map(|run| run.iter().copied()).collect()
}

fn measure(
    settings: &Settings,
    placement: &Placement,
    arranged: &Arranged,
    sums: &Sums,
) -> BTreeMap<Metric, f64> {
    let mut metrics = BTreeMap::new();
    let payments = sums.payments as f64;
    let a_day = settings.payments_per_day as f64 / payments.max(1.0);
    let revenue = sums.earned() as f64 / 1_000.0 * a_day;
    let opens = open_cost(settings, placement);
    let (any, one) = within_two_hops(arranged);
    let mut put = |metric, value: Option<f64>| {
        metrics.extend(value.map(|value| (metric, value)));
    };
    put(Metric::PaymentShare, Some(sums.share()));
    put(
        Metric::VolumeShare,
        part(sums.passing_msat as f64, sums.volume_msat as f64),
    );
    put(Metric::Revenue, Some(revenue));
    put(Metric::OpenCost, Some(opens));
    put(Metric::NetRevenue, Some(revenue - opens));
    put(
        Metric::SuccessRate,
        part(sums.passing_chances, sums.passing as f64),
    );
    put(Metric::SuccessRateOfAll, part(sums.chances, payments));
    put(Metric::Reachable, part(sums.reachable as f64, payments));
    put(Metric::WithinTwoHops, any);
    put(Metric::WithinTwoHopsOfOne, one);
    put(
        Metric::LargestMember,
        concentration(&sums.earned_msat).map(|(largest, _)| largest),
    );
    put(
        Metric::Herfindahl,
        concentration(&sums.earned_msat).map(|(_, herfindahl)| herfindahl),
    );
    metrics
}

/// What the arm's opens cost a day over their life, in sat.
pub(crate) fn open_cost(settings: &Settings, placement: &Placement) -> f64 {
    let cost = settings.open_cost.get() as f64 * placement.opens.len() as f64;
    cost / f64::from(settings.open_life_days.max(1))
}

/// The largest member's part of the revenue, and the sum of all parts' squares.
pub(crate) fn concentration(earned_msat: &[u64]) -> Option<(f64, f64)> {
    let total = earned_msat.iter().sum::<u64>() as f64;
    let parts = || earned_msat.iter().map(|earned| *earned as f64 / total);
    let largest = parts().fold(0.0, f64::max);
    (total > 0.0).then(|| (largest, parts().map(|part| part * part).sum()))
}

/// How the plan fares on the payments that it was made from, for plans with one sample.
fn flatter(
    brief: &Brief<'_>,
    samples: &[Vec<Payment>],
    arranged: &Arranged,
    scored: &Scored,
    metrics: &mut BTreeMap<Metric, f64>,
) {
    if let [sample] = samples {
        let own = Questions::new(brief.sender, sample).ask(arranged).total;
        metrics.insert(Metric::InSampleShare, own.share());
        let optimism = part(own.share(), scored.total.share());
        metrics.extend(optimism.map(|optimism| (Metric::Optimism, optimism)));
    }
}

fn facts(placement: &Placement, cost: PlanCost) -> PlanFacts {
    let targets = placement.targets();
    let channel = |open: &crate::placement::Open| OpenedChannel {
        member: open.member as u32,
        to: match open.to {
            End::Outside(node) => node.to_string(),
            End::Fellow(fellow) => format!("member {fellow}"),
        },
        capacity_sat: open.capacity.get(),
    };
    PlanFacts {
        opens: placement.opens.len() as u32,
        links: placement.links() as u32,
        capital_sat: placement.capital().get(),
        targets: targets.len() as u32,
        shared_targets: targets.values().filter(|members| members.len() > 1).count() as u32,
        settled: placement.settled,
        millis: cost.millis,
        peak_bytes: cost.peak_bytes,
        channels: placement.opens.iter().map(channel).collect(),
        notes: placement.notes.clone(),
    }
}

#[cfg(test)]
mod tests;
