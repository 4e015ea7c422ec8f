//! What the operator's hand does.

use super::{Gate, GateChange, Halt, Mode, Pending, Standing};
use crate::{
    limits::Limits,
    oracle::lowered,
    refusal::{Ending, Refusal},
};
use hive_types::{ActionId, LocalSnapshot, Millis, Now, Proposal, Sat};

impl Gate {
    /// The operator says yes. Checks everything except the lock, marks the proposal and gives it
    /// back; the caller then gets a fresh lock where one is needed and calls [`Gate::authorize`].
    ///
    /// # Errors
    /// When it was approved before, has ended, never was, or would not pass now. What would not pass
    /// now keeps waiting.
    pub fn approve(
        &mut self,
        now: Now,
        id: ActionId,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Result<Proposal, Refusal> {
        self.tick(now);
        let proposal = self.unapproved(id)?.proposal.clone();
        self.approve_as(now, id, proposal, local, standing)
    }

    /// A yes to no more than `amount`: an open's capacity, or what a rebalance moves. Else as
    /// [`Gate::approve`]; what waits from here on is the smaller proposal.
    ///
    /// # Errors
    /// [`Refusal::NotSmaller`] when the proposal has no amount or a smaller one, and whatever
    /// [`Gate::approve`] refuses of the smaller proposal.
    pub fn approve_lowered(
        &mut self,
        now: Now,
        id: ActionId,
        amount: Sat,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Result<Proposal, Refusal> {
        self.tick(now);
        let lower = lowered(&self.unapproved(id)?.proposal, amount);
        let lower = lower.ok_or(Refusal::NotSmaller { id, amount })?;
        self.approve_as(now, id, lower, local, standing)
    }

    fn unapproved(&self, id: ActionId) -> Result<&Pending, Refusal> {
        match self.queue.find(id)? {
            pending if pending.approved.is_some() => Err(Refusal::AlreadyApproved { id }),
            pending => Ok(pending),
        }
    }

    fn approve_as(
        &mut self,
        now: Now,
        id: ActionId,
        proposal: Proposal,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Result<Proposal, Refusal> {
        let at = self.clock.at(now);
        let want = self.check_all(at, id, &proposal, local, &standing)?;
        self.check_dry(at, &want)?;
        let approved = self.queue.approve(id, proposal, at);
        let approved = approved.ok_or(Refusal::UnknownProposal { id })?.clone();
        let proposal = approved.proposal.clone();
        self.changes.push(GateChange::Pending(approved));
        Ok(proposal)
    }

    /// What an approval would come to now. Nothing changes.
    ///
    /// [`Refusal::DryRun`] when it would be carried out, lock aside, else what [`Gate::approve`] would
    /// refuse it for.
    pub fn rehearse(
        &self,
        now: Now,
        id: ActionId,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Refusal {
        let at = self.clock.at(now);
        let checked = self
            .unapproved(id)
            .and_then(|pending| self.check_all(at, id, &pending.proposal, local, &standing));
        match checked {
            Ok(want) => self.rehearsed(at, &want),
            Err(refusal) => refusal,
        }
    }

    /// The oracle says no. What the operator approved already is not the oracle's any more.
    ///
    /// # Errors
    /// When nothing of this id waits, or it is approved.
    pub fn deny(&mut self, now: Now, id: ActionId) -> Result<(), Refusal> {
        self.tick(now);
        self.unapproved(id)?;
        self.end(id, Ending::Denied);
        Ok(())
    }

    /// In a dry run every check is made and nothing is permitted: where a permit would be given,
    /// [`Refusal::DryRun`] says what for. A setting like the limits, not a part of the state.
    pub fn set_dry_run(&mut self, is_dry: bool) {
        self.is_dry = is_dry;
    }

    /// The operator says no. An approval that was not carried out yet can still be taken back.
    ///
    /// # Errors
    /// When nothing of this id waits.
    pub fn reject(&mut self, now: Now, id: ActionId) -> Result<(), Refusal> {
        self.tick(now);
        self.queue.find(id)?;
        self.end(id, Ending::Rejected);
        Ok(())
    }

    /// Takes a proposal back that can't be carried out any more, because its lock went to another
    /// member, say. Says whether one waited; what has its permit is settled instead.
    pub fn withdraw(&mut self, id: ActionId) -> bool {
        let waited = self.queue.get(id).is_some();
        if waited {
            self.end(id, Ending::Withdrawn);
        }
        waited
    }

    /// Changes the mode. What waits keeps waiting for the operator, in both directions.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
        self.changes.push(GateChange::Mode(mode));
    }

    /// Replaces the operator's limits. What is reserved stays reserved; everything later, approved
    /// proposals included, meets the new limits. Limits live in the configuration, not in the state.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Does nothing new for `span`.
    pub fn pause(&mut self, now: Now, span: Millis) {
        self.tick(now);
        let until = self.clock.at(now).plus(span);
        self.set_halt(Halt {
            paused_until: Some(until),
            ..self.halt
        });
    }

    /// Ends a pause. The kill switch stays as it is.
    pub fn resume(&mut self) {
        self.set_halt(Halt {
            paused_until: None,
            ..self.halt
        });
    }

    /// The kill switch: does nothing new until [`Gate::release`].
    pub fn stop(&mut self) {
        self.set_halt(Halt {
            stopped: true,
            ..self.halt
        });
    }

    /// Releases the kill switch. A pause stays as it is.
    pub fn release(&mut self) {
        self.set_halt(Halt {
            stopped: false,
            ..self.halt
        });
    }

    pub(super) fn set_halt(&mut self, halt: Halt) {
        if halt != self.halt {
            self.halt = halt;
            self.changes.push(GateChange::Halt(halt));
        }
    }
}
