//! The plan in words and numbers.

use super::budget::Budget;
use super::fleet_plan::{Destination, PlannedChannel};
use super::improve::candidate;
use super::lines::FULL;
use super::planner::{Candidate, Chosen, Far, Planner};
use hive_types::{Explanation, Msat, Ppm, Sat};
use std::cmp::Reverse;

/// When this many payments of the sample cross a channel, the plan is half sure of it.
const HALF_SURE_PAYMENTS: u64 = 20;

/// What the finished plan says of one channel.
struct Finding {
    chosen: Chosen,
    /// What the plan loses without it.
    value: u64,
    payments: u32,
    /// Of the planned payments, those that only this channel wins, [`FULL`] each.
    won: u64,
    /// Other rates, and what the plan would lose with them.
    rates: Vec<(Ppm, i64)>,
}

impl Planner<'_> {
    /// Every chosen channel with its reasons, the most valuable first.
    pub(super) fn explain_all(&mut self, budget: &mut Budget<'_>) -> Vec<PlannedChannel> {
        let findings = (0..self.chosen.len()).map(|at| self.find(at, budget));
        let mut findings: Vec<Finding> = findings.collect();
        findings.sort_by_key(|finding| {
            let chosen = &finding.chosen;
            (Reverse(finding.value), chosen.member, chosen.far)
        });
        findings
            .iter()
            .map(|finding| self.channel(finding))
            .collect()
    }

    fn find(&mut self, at: usize, budget: &mut Budget<'_>) -> Finding {
        let chosen = self.chosen[at];
        let (total, won) = (self.board.total(), self.board.won());
        let (without, won_without) = self.without(at, budget);
        let rates = self.config.rates.values().iter();
        let rates = rates.filter(|rate| **rate != chosen.rate && candidate(chosen.far).is_some());
        let rates = rates.map(|rate| {
            let other = self.total_at_rate(at, *rate, budget);
            (*rate, difference(other, total))
        });
        let rates = rates.collect();
        Finding {
            chosen,
            value: total.saturating_sub(without),
            payments: self.board.crossing(chosen.place),
            won: won.saturating_sub(won_without),
            rates,
        }
    }

    fn channel(&self, finding: &Finding) -> PlannedChannel {
        let chosen = &finding.chosen;
        let payments = u64::from(finding.payments);
        let (to, base, rate) = match chosen.far {
            Far::Fellow(fellow) => (Destination::Fellow(fellow), Msat::ZERO, Ppm::ZERO),
            Far::Candidate(place) => {
                let id = self.candidates[place].id;
                (
                    Destination::Outside(id),
                    self.config.assumed_base,
                    chosen.rate,
                )
            }
        };
        PlannedChannel {
            seat: chosen.member,
            to,
            capacity: chosen.capacity,
            base,
            rate,
            value_per_day: self.per_day(finding.value),
            confidence: Ppm::of(payments, payments + HALF_SURE_PAYMENTS),
            explanation: self.explain(finding),
        }
    }

    fn explain(&self, finding: &Finding) -> Explanation {
        let chosen = &finding.chosen;
        let value = self.per_day(finding.value);
        let cost = self.scene.problem.open_cost;
        let to = match chosen.far {
            Far::Fellow(fellow) => {
                let seat = self.scene.problem.seats.get(fellow);
                seat.map_or_else(String::new, |seat| {
                    format!("the fellow {}", seat.id.short())
                })
            }
            Far::Candidate(place) => self.candidates[place].id.short().to_string(),
        };
        let capacity = chosen.capacity;
        let summary = format!(
            "Open {capacity} to {to}: worth {value} a day to the fleet, for {cost} on the chain."
        );
        let all = u64::from(FULL) * self.board.sample.payments.max(1) as u64;
        let mut facts = vec![
            fact("share of demand won", Ppm::of(finding.won, all)),
            fact("marginal revenue per day", value),
            fact("on-chain cost at most", cost),
            fact("days to earn it back", self.days_to_earn_back(value)),
            fact(
                "payments of the sample that cross it",
                format!("{} of {}", finding.payments, self.board.sample.payments),
            ),
        ];
        if let Some(place) = candidate(chosen.far) {
            facts.extend(self.target_facts(chosen, &self.candidates[place]));
        }
        facts.extend([
            fact("assumed sender", format!("{:?}", self.config.sender)),
            fact("assumed demand", self.config.demand),
            fact("assumed payments", self.config.amounts),
        ]);
        facts.extend(self.alternatives(finding));
        Explanation { summary, facts }
    }

    fn target_facts(&self, chosen: &Chosen, target: &Candidate) -> Vec<(String, String)> {
        let held = self.scene.holdings(&target.id);
        let others = self
            .chosen
            .iter()
            .filter(|other| other.far == chosen.far && other.member != chosen.member);
        let planned: u64 = others.map(|other| other.capacity.get()).sum();
        let with = held
            .saturating_add(planned)
            .saturating_add(chosen.capacity.get());
        let public = target.public.get();
        let public_with = public.saturating_add(with.saturating_sub(held));
        let fee = format!("{} + {}", self.config.assumed_base, chosen.rate);
        let mut facts = vec![
            fact(
                "share of the target's public capacity before",
                Ppm::of(held, public),
            ),
            fact(
                "share of the target's public capacity after",
                Ppm::of(with, public_with),
            ),
            fact("share cap", self.config.share_cap),
            fact("target's public capacity", target.public),
            fact("fleet capacity there before", Sat::new(held)),
            fact("fellows' observations multiply by", target.worth),
            fact("assumed fleet fee", fee),
        ];
        if planned > 0 {
            facts.push(fact("planned there by fellows", Sat::new(planned)));
        }
        facts
    }

    fn days_to_earn_back(&self, value: Msat) -> u64 {
        self.scene.open_cost().get().div_ceil(value.get().max(1))
    }

    /// The partner of a pair start, the runner-up and other rates.
    fn alternatives(&self, finding: &Finding) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        if let Some(partner) = finding.chosen.partner {
            let id = self.candidates[partner].id;
            facts.push(fact("earns together with a channel to", id));
        }
        if let Some((place, gain)) = finding.chosen.runner_up {
            let id = self.candidates[place].id;
            let worth = self.per_day(u64::try_from(gain).unwrap_or(0));
            facts.push(fact("runner-up", format!("{id} at {worth} per day")));
        }
        for (rate, more) in &finding.rates {
            let sign = if *more > 0 { "+" } else { "-" };
            let worth = self.per_day(more.unsigned_abs());
            facts.push(fact(
                "at another rate",
                format!("{rate}: {sign}{worth} per day"),
            ));
        }
        facts
    }
}

fn difference(new: u64, old: u64) -> i64 {
    let apart = i64::try_from(new.abs_diff(old)).unwrap_or(i64::MAX);
    if new > old { apart } else { -apart }
}

fn fact(name: &str, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}
