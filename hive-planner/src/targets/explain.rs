//! The plan in words and numbers.

use super::board::SURE;
use super::greedy::{Planned, Planner};
use super::scene::OPEN_WEIGHT;
use super::{ExpectedOpen, Plan, PlanNote, Work};
use hive_types::{
    Action, Explanation, FeeratePerKw, LocalSnapshot, NodeId, OpenChannel, Ppm, Proposal, Sat,
};
use std::collections::BTreeSet;

/// When this many payments of the sample become cheaper, the plan is half sure of a target.
const HALF_SURE_PAYMENTS: u64 = 20;

impl Planner<'_> {
    /// The plan, with this member's part as proposals.
    pub(super) fn report(
        &self,
        local: &LocalSnapshot,
        capped: BTreeSet<NodeId>,
        work: Work,
    ) -> Plan {
        let own = |planned: &&Planned| planned.member == self.scene.me;
        let mut mine: Vec<&Planned> = self.planned.iter().filter(own).collect();
        mine.sort_by_key(|planned| core::cmp::Reverse(planned.gain));
        let proposals = mine.iter().map(|planned| self.proposal(planned, local));
        Plan {
            proposals: proposals.collect(),
            expected: self.planned.iter().map(|p| self.expected(p)).collect(),
            capped,
            notes: self.notes(mine.is_empty(), work),
            revenue_after: self.revenue(),
            work,
            ..Plan::default()
        }
    }

    fn expected(&self, planned: &Planned) -> ExpectedOpen {
        ExpectedOpen {
            member: self.scene.members[planned.member].id,
            target: self.candidates[planned.candidate].id,
            capacity: planned.capacity,
            value_per_day: self.per_day(planned.gain),
        }
    }

    fn notes(&self, nothing: bool, work: Work) -> Vec<PlanNote> {
        let means = &self.scene.members[self.scene.me].means;
        let reason = if !nothing {
            None
        } else if means.slots == 0 {
            Some(PlanNote::NoSlots)
        } else if means.channel_max < means.channel_min {
            Some(PlanNote::SizesCross {
                channel_min: Sat::new(means.channel_min),
                channel_max: Sat::new(means.channel_max),
            })
        } else if means.capital < means.channel_min {
            Some(PlanNote::TooLittleCapital {
                capital: Sat::new(means.capital),
                channel_min: Sat::new(means.channel_min),
            })
        } else if self.board.pairs.is_empty() {
            Some(PlanNote::NoDemand)
        } else if self.candidates.is_empty() {
            Some(PlanNote::NoCandidates)
        } else {
            Some(PlanNote::NothingPays {
                open_cost: self.scene.open_cost,
                payback_days: self.config.payback_days,
            })
        };
        let cut = work.cut.then_some(PlanNote::WorkLimit);
        reason.into_iter().chain(cut).collect()
    }

    fn proposal(&self, planned: &Planned, local: &LocalSnapshot) -> Proposal {
        let candidate = &self.candidates[planned.candidate];
        let ceiling = self.feerate_ceiling(local);
        let payments = u64::from(planned.payments);
        Proposal {
            action: Action::Open(OpenChannel {
                target: candidate.id,
                capacity: planned.capacity,
                feerate_ceiling: ceiling,
                announce: true,
            }),
            cost: ceiling.fee_for(OPEN_WEIGHT).to_msat_saturating(),
            value_per_day: self.per_day(planned.gain),
            confidence: Ppm::of(payments, payments + HALF_SURE_PAYMENTS),
            explanation: self.explain(planned, ceiling),
        }
    }

    fn feerate_ceiling(&self, local: &LocalSnapshot) -> FeeratePerKw {
        let now = u64::from(local.feerate.get());
        let more = now * u64::from(self.config.feerate_headroom.get()) / 1_000_000;
        FeeratePerKw::new(u32::try_from(now + more).unwrap_or(u32::MAX))
    }

    fn explain(&self, planned: &Planned, ceiling: FeeratePerKw) -> Explanation {
        let candidate = &self.candidates[planned.candidate];
        let value = self.per_day(planned.gain);
        let summary = format!(
            "Open {} to {}: worth {value} a day to the fleet, for {} on the chain.",
            planned.capacity,
            candidate.id.short(),
            ceiling.fee_for(OPEN_WEIGHT),
        );
        let held = self.scene.holdings(&candidate.id);
        let capacity = planned.capacity.get();
        let share = Ppm::of(
            held.saturating_add(capacity),
            candidate.public.get().saturating_add(capacity),
        );
        let demand = Ppm::of(planned.gain, SURE * self.board.pairs.len() as u64);
        let mut facts = vec![
            fact("share of demand won", demand),
            fact("marginal revenue per day", value),
            fact("on-chain cost at most", ceiling.fee_for(OPEN_WEIGHT)),
            fact("days to earn it back", self.days_to_earn_back(planned)),
            fact("share of the target's public capacity after", share),
            fact("share cap", self.config.share_cap),
            fact("target's public capacity", candidate.public),
            fact(
                "target's public channels",
                self.graph
                    .node_index(&candidate.id)
                    .map_or(0, |node| self.graph.degree_of(node)),
            ),
            fact("fleet capacity there before", Sat::new(held)),
            fact(
                "payments of the sample that become cheaper",
                format!("{} of {}", planned.payments, self.board.pairs.len()),
            ),
            fact(
                "fellows' observations multiply by",
                Ppm::new(candidate.evidence),
            ),
            fact("assumed fleet fee", self.assumed_fee()),
            fact("assumed sender", format!("{:?}", self.config.sender)),
            fact("assumed payment", self.config.amount()),
        ];
        facts.extend(self.alternatives(planned));
        Explanation { summary, facts }
    }

    fn assumed_fee(&self) -> String {
        format!(
            "{} + {}",
            self.config.assumed_base, self.config.assumed_rate
        )
    }

    fn days_to_earn_back(&self, planned: &Planned) -> u64 {
        let cost = self.scene.open_cost_msat().get();
        cost.div_ceil(self.per_day(planned.gain).get().max(1))
    }

    /// The partner of a pair start, the runner-up and what fellows are expected to take.
    fn alternatives(&self, planned: &Planned) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        if let Some(partner) = planned.partner {
            let id = self.candidates[partner].id;
            facts.push(fact("earns together with a channel to", id));
        }
        if let Some((place, gain)) = planned.runner_up {
            let id = self.candidates[place].id;
            let worth = format!("{id} at {} per day", self.per_day(gain));
            facts.push(fact("runner-up", worth));
        }
        let others = self.planned.iter();
        for other in others.filter(|other| other.member != self.scene.me) {
            let expected = self.expected(other);
            let text = format!(
                "{} opens {} to {}",
                expected.member.short(),
                expected.capacity,
                expected.target
            );
            facts.push(fact("expected of a fellow", text));
        }
        facts
    }
}

fn fact(name: &str, value: impl ToString) -> (String, String) {
    (name.into(), value.to_string())
}
