//! Every check of the gate, in the order in which a refusal is given.

use super::{Gate, Mode, Standing, room, rules, rules::Want};
use crate::refusal::Refusal;
use hive_types::{Action, ActionId, ActionKind, LocalSnapshot, Millis, Proposal, UnixMillis};

impl Gate {
    pub(super) fn check_new(&self, id: ActionId) -> Result<(), Refusal> {
        let known = self.ledger.get(id).is_some()
            || self.queue.get(id).is_some()
            || self.queue.ending(id).is_some();
        if known {
            return Err(Refusal::DuplicateId { id });
        }
        Ok(())
    }

    pub(super) fn check_stopped(&self) -> Result<(), Refusal> {
        match self.halt.stopped {
            true => Err(Refusal::Stopped),
            false => Ok(()),
        }
    }

    pub(super) fn check_halt(&self, at: UnixMillis) -> Result<(), Refusal> {
        self.check_stopped()?;
        match self.halt.paused_until {
            Some(until) if at < until => Err(Refusal::Paused { until }),
            _ => Ok(()),
        }
    }

    /// Nothing else does, or waits to do, the same.
    pub(super) fn check_alone(&self, id: ActionId, want: &Want) -> Result<(), Refusal> {
        let kind = want.kind;
        if let Some(id) = self.ledger.under_way(&want.subject).next() {
            return Err(Refusal::UnderWay { kind, id });
        }
        if let Some(id) = self.queue.same(&want.subject, id) {
            return Err(Refusal::AlreadyPending { kind, id });
        }
        Ok(())
    }

    /// The same was not done a short while ago.
    pub(super) fn check_cooldown(&self, at: UnixMillis, want: &Want) -> Result<(), Refusal> {
        let (days, minutes) = (
            self.limits.open_cooldown_days,
            self.limits.rebalance_cooldown_minutes,
        );
        let (span, setting) = match want.kind {
            ActionKind::Open => (Millis::from_days(days.into()), "open_cooldown_days"),
            ActionKind::Rebalance => (
                Millis::from_secs(60 * u64::from(minutes)),
                "rebalance_cooldown_minutes",
            ),
            ActionKind::SetPolicy | ActionKind::Probe => return Ok(()),
        };
        let until = self.ledger.last(&want.subject).map(|last| last.plus(span));
        match until.filter(|until| at < *until) {
            None => Ok(()),
            Some(until) => Err(Refusal::Cooldown {
                kind: want.kind,
                left: until.since(at),
                setting: setting.to_owned(),
            }),
        }
    }

    /// Everything except consent and lock.
    pub(super) fn check_all(
        &self,
        at: UnixMillis,
        id: ActionId,
        proposal: &Proposal,
        local: &LocalSnapshot,
        standing: &Standing<'_>,
    ) -> Result<Want, Refusal> {
        self.check_halt(at)?;
        self.check_wanted(at, id, proposal, local, standing)
    }

    /// As [`Gate::check_all`], whether halted or not.
    pub(super) fn check_wanted(
        &self,
        at: UnixMillis,
        id: ActionId,
        proposal: &Proposal,
        local: &LocalSnapshot,
        standing: &Standing<'_>,
    ) -> Result<Want, Refusal> {
        let want = rules::judge(&self.limits, proposal, local, standing)?;
        self.check_alone(id, &want)?;
        self.check_cooldown(at, &want)?;
        self.check_room(at, &want, &proposal.action, local)?;
        Ok(want)
    }

    /// Somebody said yes: the operator to exactly this, or autonomous mode to something sure enough.
    pub(super) fn check_consent(&self, id: ActionId, proposal: &Proposal) -> Result<(), Refusal> {
        match self.queue.get(id) {
            Some(pending) if pending.approved.is_none() => Err(Refusal::NotApproved { id }),
            Some(pending) if pending.proposal != *proposal => {
                Err(Refusal::NotWhatWasApproved { id })
            }
            Some(_) => Ok(()),
            None => match (self.queue.ending(id), self.mode) {
                (Some(ending), _) => Err(Refusal::Ended { id, ending }),
                (None, Mode::Advisor | Mode::Oracle) => Err(Refusal::NotApproved { id }),
                (None, Mode::Autonomous) => {
                    self.check_new(id)?;
                    self.check_confidence(proposal)
                }
            },
        }
    }

    pub(super) fn check_confidence(&self, proposal: &Proposal) -> Result<(), Refusal> {
        let (confidence, min) = (proposal.confidence, self.limits.min_confidence);
        if confidence < min {
            return Err(Refusal::Confidence { confidence, min });
        }
        Ok(())
    }

    /// In a dry run this is where it ends: with what would be reserved.
    pub(super) fn check_dry(&self, at: UnixMillis, want: &Want) -> Result<(), Refusal> {
        match self.is_dry {
            true => Err(self.rehearsed(at, want)),
            false => Ok(()),
        }
    }

    pub(super) fn rehearsed(&self, at: UnixMillis, want: &Want) -> Refusal {
        let usage = self.ledger.usage(at);
        let budget = self.limits.budget_per_day.to_msat_saturating();
        Refusal::DryRun {
            kind: want.kind,
            cost: want.cost,
            cost_left: budget.saturating_sub(usage.cost()),
            capital: want.capital,
            capital_left: self.limits.capital_per_day.saturating_sub(usage.capital),
        }
    }

    /// What earlier spending left, and what the node is like now.
    pub(super) fn check_room(
        &self,
        at: UnixMillis,
        want: &Want,
        action: &Action,
        local: &LocalSnapshot,
    ) -> Result<(), Refusal> {
        rules::check_moment(action, local)?;
        let usage = self.ledger.usage(at);
        room::check_counts(&self.limits, &usage, want)?;
        room::check_money(&self.limits, &usage, want)?;
        room::check_on_chain(&self.limits, &usage, want, local)
    }
}
