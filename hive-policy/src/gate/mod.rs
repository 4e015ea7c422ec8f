//! The one gate that every action passes: reserve first, then act, then settle.

mod clock;
mod ledger;
mod permit;
mod queue;
mod room;
mod rules;
mod state;

pub use clock::ClockMark;
pub use ledger::{EntryState, LedgerEntry, Subject, Usage};
pub use permit::Authorized;
pub use queue::{Ended, Pending};
pub use state::{GateChange, GateState, Halt};

use crate::{
    corridor::{self, SavedFees},
    limits::Limits,
    refusal::{Ending, Refusal},
};
use clock::Clock;
use hive_types::{
    Action, ActionId, ActionKind, LocalSnapshot, LockView, Millis, Msat, NodeId, Now, Proposal,
    SetPolicy, Tier, UnixMillis,
};
use ledger::Ledger;
use queue::Queue;
use rules::Want;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Who decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The operator: everything is proposed, nothing is done without an approval.
    #[default]
    Advisor,
    /// The gate: what is inside the limits is done.
    Autonomous,
}

/// How this member stands towards its fleet and its own node at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Its tier; `None` outside of a fleet.
    pub tier: Option<Tier>,
    /// Whether the node's real state is known since the start: every action that was open then has
    /// been reconciled, and a restored backup has caught up.
    pub reconciled: bool,
    /// The lock that the fleet granted for the open in question.
    pub lock: Option<&'a LockView>,
    /// Outside peers that this member keeps away from.
    pub banned: &'a [NodeId],
}

/// What the gate says to a proposal.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an ignored verdict leaves a reservation or a question open"]
pub enum Verdict {
    /// Do it now. What it may cost is reserved.
    Execute(Authorized),
    /// It may pass, but an open needs the fleet's lock: get it, then [`Gate::authorize`]. Nothing is
    /// reserved.
    NeedsLock,
    /// The operator is asked. Nothing is reserved.
    Ask(Pending),
    /// No, and why.
    Refuse(Refusal),
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It happened.
    Done {
        /// What it cost.
        spent: Msat,
    },
    /// It did not happen and will not.
    NotDone,
    /// Nobody knows yet: the reservation stays.
    Unknown,
}

/// A settlement that does not fit the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettleError {
    /// No such action.
    #[error("action {0} has no reservation; it was never authorized or ended long ago")]
    UnknownAction(ActionId),
    /// Settled otherwise before.
    #[error("action {0} was settled with another outcome before; the first one stands")]
    AlreadySettled(ActionId),
    /// Cost more than its permit said. What it cost is in the ledger, and the kill switch is on.
    #[error(
        "action {id} cost {spent}, its permit said at most {reserved}; all is stopped, look at the node before releasing the kill switch"
    )]
    Overspent {
        /// The action.
        id: ActionId,
        /// What was reserved.
        reserved: Msat,
        /// What it cost.
        spent: Msat,
    },
}

/// Decides what this node does. Holds the ledger, what waits for the operator, mode and halt; all of
/// it comes back through [`Gate::restore`] from the changes that [`Gate::take_changes`] gave.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: Limits,
    mode: Mode,
    halt: Halt,
    clock: Clock,
    ledger: Ledger,
    queue: Queue,
    changes: Vec<GateChange>,
}

impl Gate {
    /// A gate that has done nothing yet. Its mode is a durable change like any later one.
    pub fn new(limits: Limits, mode: Mode) -> Self {
        let mut gate = Self::restore(limits, GateState::default());
        gate.set_mode(mode);
        gate
    }

    /// The gate as it was when `state` was stored.
    pub fn restore(limits: Limits, state: GateState) -> Self {
        Self {
            limits,
            mode: state.mode,
            halt: state.halt,
            clock: Clock::restore(state.clock),
            ledger: Ledger::restore(state.ledger),
            queue: Queue::restore(state.pending, state.ended),
            changes: Vec::new(),
        }
    }

    /// Everything that a restored gate needs.
    pub fn state(&self) -> GateState {
        GateState {
            mode: self.mode,
            halt: self.halt,
            clock: self.clock.mark(),
            ledger: self.ledger.iter().cloned().collect(),
            pending: self.queue.waiting().to_vec(),
            ended: self.queue.ended().to_vec(),
        }
    }

    /// The changes since the last call, in order. They are stored before any effect of the calls
    /// that made them goes out; a permit whose reservation is not stored must not leave.
    pub fn take_changes(&mut self) -> Vec<GateChange> {
        if let Some(mark) = self.clock.unstored(!self.changes.is_empty()) {
            self.changes.push(GateChange::Clock(mark));
        }
        std::mem::take(&mut self.changes)
    }

    /// Lets time pass: proposals expire, a pause ends, old entries stop to count. Every call that
    /// takes a `Now` does this first.
    pub fn tick(&mut self, now: Now) {
        let at = self.clock.advance(now);
        for id in self.queue.overdue(at) {
            self.end(id, Ending::Expired);
        }
        for id in self.ledger.close(at) {
            self.changes.push(GateChange::LedgerClosed(id));
        }
        if self.halt.paused_until.is_some_and(|until| until <= at) {
            self.set_halt(Halt {
                paused_until: None,
                ..self.halt
            });
        }
    }

    /// Judges a new proposal: does it, asks the operator, or refuses.
    ///
    /// In advisor mode everything is asked that the limits would allow at all, also what today's
    /// budget no longer holds: an approval checks that again. In autonomous mode, what is less sure
    /// than the operator wants is asked, everything else is done or refused.
    pub fn consider(
        &mut self,
        now: Now,
        id: ActionId,
        proposal: &Proposal,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Verdict {
        self.tick(now);
        self.weigh(now, id, proposal, local, &standing)
            .unwrap_or_else(Verdict::Refuse)
    }

    fn weigh(
        &mut self,
        now: Now,
        id: ActionId,
        proposal: &Proposal,
        local: &LocalSnapshot,
        standing: &Standing<'_>,
    ) -> Result<Verdict, Refusal> {
        let at = self.clock.at(now);
        self.check_new(id)?;
        self.check_halt(at)?;
        let want = rules::judge(&self.limits, proposal, local, standing)?;
        self.check_alone(id, &want)?;
        if self.mode == Mode::Advisor {
            return self.ask(at, id, proposal);
        }
        self.check_room(at, &want, &proposal.action, local)?;
        if self.check_confidence(proposal).is_err() {
            return self.ask(at, id, proposal);
        }
        if rules::check_lock(id, &proposal.action, local, standing).is_err() {
            return Ok(Verdict::NeedsLock);
        }
        let permit = self.reserve(now, id, &proposal.action, want);
        Ok(Verdict::Execute(permit))
    }

    /// Whether an action would pass now, lock and approval aside. Reserves nothing; called before a
    /// lock is sought, so that no lock is taken for what can't be paid.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Gate::authorize`] would give.
    pub fn check(
        &self,
        now: Now,
        id: ActionId,
        proposal: &Proposal,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Result<(), Refusal> {
        let at = self.clock.at(now);
        self.check_all(at, id, proposal, local, &standing).map(drop)
    }

    /// Checks everything, with nothing taken over from an earlier check, then reserves and gives the
    /// permit. In advisor mode, and for what was put to the operator in any mode, only after
    /// [`Gate::approve`], and only for exactly what was approved.
    ///
    /// # Errors
    /// The first [`Refusal`]; nothing is reserved then, and an approval stays for another try until
    /// it expires.
    pub fn authorize(
        &mut self,
        now: Now,
        id: ActionId,
        proposal: &Proposal,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Result<Authorized, Refusal> {
        self.tick(now);
        self.check_consent(id, proposal)?;
        let want = self.check_all(self.clock.at(now), id, proposal, local, &standing)?;
        rules::check_lock(id, &proposal.action, local, &standing)?;
        let permit = self.reserve(now, id, &proposal.action, want);
        if self.queue.get(id).is_some() {
            self.end(id, Ending::Authorized);
        }
        Ok(permit)
    }

    /// A permit to set a channel's fees back to what they were before joining. It is free and undoes
    /// what the hive did, so it passes in every mode, while paused or stopped, when opted out, and
    /// outside of a fleet: leaving always works.
    ///
    /// # Errors
    /// [`Refusal::NotSaved`] when [`corridor::restore_changes`] would not set exactly this,
    /// [`Refusal::DuplicateId`] when the id was used.
    pub fn authorize_restore(
        &mut self,
        now: Now,
        id: ActionId,
        set: &SetPolicy,
        saved: &SavedFees,
        local: &LocalSnapshot,
    ) -> Result<Authorized, Refusal> {
        self.tick(now);
        self.check_new(id)?;
        let plan = corridor::restore_changes(local, saved);
        if !plan.set.iter().any(|change| change.set == *set) {
            let channel = set.channel;
            return Err(Refusal::NotSaved { channel });
        }
        let want = Want {
            kind: ActionKind::SetPolicy,
            subject: Subject::SetPolicy(set.channel),
            cost: Msat::ZERO,
            capital: hive_types::Sat::ZERO,
            in_flight: Msat::ZERO,
        };
        Ok(self.reserve(now, id, &Action::SetPolicy(*set), want))
    }

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

    /// Books what became of an action. The same outcome may be said twice.
    ///
    /// # Errors
    /// [`SettleError`]: an unknown action, another outcome than before, or a cost above the permit.
    pub fn settle(
        &mut self,
        now: Now,
        id: ActionId,
        settlement: Settlement,
    ) -> Result<(), SettleError> {
        self.tick(now);
        let found = self.ledger.get(id).cloned();
        let mut entry = found.ok_or(SettleError::UnknownAction(id))?;
        let at = self.clock.at(now);
        let state = match (entry.state, settlement) {
            (_, Settlement::Unknown) => return Ok(()),
            (EntryState::Reserved, Settlement::Done { spent }) => EntryState::Settled { spent, at },
            (EntryState::Reserved, Settlement::NotDone) => EntryState::Released,
            (EntryState::Settled { spent: old, .. }, Settlement::Done { spent })
                if old == spent =>
            {
                return Ok(());
            }
            (EntryState::Released, Settlement::NotDone) => return Ok(()),
            _ => return Err(SettleError::AlreadySettled(id)),
        };
        entry.state = state;
        let reserved = entry.reserved;
        self.put(entry);
        match settlement {
            Settlement::Done { spent } if spent > reserved => {
                self.stop();
                Err(SettleError::Overspent {
                    id,
                    reserved,
                    spent,
                })
            }
            _ => Ok(()),
        }
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

    /// The limits in force.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The mode in force.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Pause and kill switch.
    pub const fn halt(&self) -> Halt {
        self.halt
    }

    /// What waits for the operator, oldest first.
    pub fn pending(&self) -> &[Pending] {
        self.queue.waiting()
    }

    /// Entries that still count, in order of ids.
    pub fn ledger(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.ledger.iter()
    }

    /// What the windows hold at `now`.
    pub fn usage(&self, now: Now) -> Usage {
        self.ledger.usage(self.clock.at(now))
    }

    /// When something next happens by itself, in gate time: a proposal expires or a pause ends.
    pub fn next_deadline(&self) -> Option<UnixMillis> {
        let expiries = self.queue.waiting().iter().map(Pending::expires);
        expiries.chain(self.halt.paused_until).min()
    }

    fn check_new(&self, id: ActionId) -> Result<(), Refusal> {
        let known = self.ledger.get(id).is_some()
            || self.queue.get(id).is_some()
            || self.queue.ending(id).is_some();
        if known {
            return Err(Refusal::DuplicateId { id });
        }
        Ok(())
    }

    fn check_halt(&self, at: UnixMillis) -> Result<(), Refusal> {
        if self.halt.stopped {
            return Err(Refusal::Stopped);
        }
        match self.halt.paused_until {
            Some(until) if at < until => Err(Refusal::Paused { until }),
            _ => Ok(()),
        }
    }

    /// Nothing else does, or waits to do, the same.
    fn check_alone(&self, id: ActionId, want: &Want) -> Result<(), Refusal> {
        let kind = want.kind;
        if let Some(id) = self.ledger.under_way(&want.subject) {
            return Err(Refusal::UnderWay { kind, id });
        }
        if let Some(id) = self.queue.same(&want.subject, id) {
            return Err(Refusal::AlreadyPending { kind, id });
        }
        Ok(())
    }

    /// Everything except consent and lock.
    fn check_all(
        &self,
        at: UnixMillis,
        id: ActionId,
        proposal: &Proposal,
        local: &LocalSnapshot,
        standing: &Standing<'_>,
    ) -> Result<Want, Refusal> {
        self.check_halt(at)?;
        let want = rules::judge(&self.limits, proposal, local, standing)?;
        self.check_alone(id, &want)?;
        self.check_room(at, &want, &proposal.action, local)?;
        Ok(want)
    }

    /// Somebody said yes: the operator to exactly this, or autonomous mode to something sure enough.
    fn check_consent(&self, id: ActionId, proposal: &Proposal) -> Result<(), Refusal> {
        match self.queue.get(id) {
            Some(pending) if pending.approved.is_none() => Err(Refusal::NotApproved { id }),
            Some(pending) if pending.proposal != *proposal => {
                Err(Refusal::NotWhatWasApproved { id })
            }
            Some(_) => Ok(()),
            None => match (self.queue.ending(id), self.mode) {
                (Some(ending), _) => Err(Refusal::Ended { id, ending }),
                (None, Mode::Advisor) => Err(Refusal::NotApproved { id }),
                (None, Mode::Autonomous) => {
                    self.check_new(id)?;
                    self.check_confidence(proposal)
                }
            },
        }
    }

    fn check_confidence(&self, proposal: &Proposal) -> Result<(), Refusal> {
        let (confidence, min) = (proposal.confidence, self.limits.min_confidence);
        if confidence < min {
            return Err(Refusal::Confidence { confidence, min });
        }
        Ok(())
    }

    /// What earlier spending left, and what the node is like now.
    fn check_room(
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

    fn ask(
        &mut self,
        at: UnixMillis,
        id: ActionId,
        proposal: &Proposal,
    ) -> Result<Verdict, Refusal> {
        let pending = Pending {
            id,
            proposal: proposal.clone(),
            asked: at,
            approved: None,
        };
        self.queue.push(pending.clone())?;
        self.changes.push(GateChange::Pending(pending.clone()));
        Ok(Verdict::Ask(pending))
    }

    fn end(&mut self, id: ActionId, ending: Ending) {
        let ended = Ended { id, ending };
        self.queue.end(ended);
        self.changes.push(GateChange::PendingGone(ended));
    }

    /// The one place where permits are made: each with its reservation.
    fn reserve(&mut self, now: Now, id: ActionId, action: &Action, want: Want) -> Authorized {
        let entry = LedgerEntry {
            id,
            kind: want.kind,
            subject: want.subject,
            reserved: want.cost,
            capital: want.capital,
            in_flight: want.in_flight,
            at: self.clock.at(now),
            wall: now.wall,
            state: EntryState::Reserved,
        };
        let permit = Authorized::for_reservation(&entry, action.clone());
        self.put(entry);
        permit
    }

    fn put(&mut self, entry: LedgerEntry) {
        self.changes.push(GateChange::Ledger(entry.clone()));
        self.ledger.put(entry);
    }

    fn set_halt(&mut self, halt: Halt) {
        if halt != self.halt {
            self.halt = halt;
            self.changes.push(GateChange::Halt(halt));
        }
    }
}
