//! What the operator's hand does.

use super::{Gate, GateChange, Halt, Mode, Standing};
use crate::{
    limits::Limits,
    refusal::{Ending, Refusal},
};
use hive_types::{ActionId, LocalSnapshot, Millis, Now, Proposal};

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
        let at = self.clock.at(now);
        let pending = self.queue.find(id)?;
        if pending.approved.is_some() {
            return Err(Refusal::AlreadyApproved { id });
        }
        self.check_all(at, id, &pending.proposal, local, &standing)?;
        let approved = self.queue.approve(id, at);
        let approved = approved.ok_or(Refusal::UnknownProposal { id })?.clone();
        let proposal = approved.proposal.clone();
        self.changes.push(GateChange::Pending(approved));
        Ok(proposal)
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
