//! The one gate that every action passes: reserve first, then act, then settle.

mod checks;
mod clock;
mod ledger;
mod operator;
mod permit;
mod probe;
mod queue;
mod room;
mod rules;
mod settle;
mod state;

pub use clock::ClockMark;
pub use ledger::{EntryState, LedgerEntry, Subject, Usage};
pub use permit::Authorized;
pub use queue::{Ended, Pending};
pub use settle::{SettleError, Settlement};
pub use state::{GateChange, GateState, Halt};

use crate::{
    corridor::{self, SavedFees, Terms},
    limits::Limits,
    refusal::{Ending, Refusal},
};
use clock::Clock;
use hive_types::{
    Action, ActionId, ActionKind, BlockHeight, Elapsed, LocalSnapshot, LockView, Msat, NodeId, Now,
    Proposal, Sat, SetPolicy, Tier, UnixMillis,
};
use ledger::Ledger;
use queue::Queue;
use rules::Want;
use serde::{Deserialize, Serialize};

/// Who decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The operator: everything is proposed, nothing is done without an approval.
    #[default]
    Advisor,
    /// The gate: what is inside the limits is done.
    Autonomous,
    /// The oracle: what is inside the limits is asked of it ([`crate::oracle`]) and waits for the
    /// operator meanwhile. Its clear yes is an approval; anything else leaves it to the operator.
    Oracle,
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
    /// The operator is asked, and the oracle may answer instead: see [`crate::oracle`]. Nothing is
    /// reserved.
    Consult(Pending),
    /// No, and why.
    Refuse(Refusal),
}

/// Decides what this node does. Holds the ledger, what waits for the operator, mode and halt; all of
/// it comes back through [`Gate::restore`] from the changes that [`Gate::take_changes`] gave.
///
/// A gate can't be copied: two of them would spend one budget twice.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    is_dry: bool,
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
            is_dry: false,
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
    /// than the operator wants is asked, everything else is done or refused. In oracle mode the same
    /// is asked of the oracle instead of done.
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
        self.check_cooldown(at, &want)?;
        if self.mode == Mode::Advisor {
            return self.ask(at, id, proposal).map(Verdict::Ask);
        }
        self.check_room(at, &want, &proposal.action, local)?;
        if self.check_confidence(proposal).is_err() {
            return self.ask(at, id, proposal).map(Verdict::Ask);
        }
        if self.mode == Mode::Oracle {
            return self.ask(at, id, proposal).map(Verdict::Consult);
        }
        self.check_dry(at, &want)?;
        let Ok(start_below) = rules::check_lock(id, &proposal.action, local, standing) else {
            return Ok(Verdict::NeedsLock);
        };
        let permit = self.reserve(now, id, &proposal.action, want, start_below)?;
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
    /// permit. In advisor and oracle mode, and for what was put to the operator in any mode, only after
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
        self.check_dry(self.clock.at(now), &want)?;
        let start_below = rules::check_lock(id, &proposal.action, local, &standing)?;
        let permit = self.reserve(now, id, &proposal.action, want, start_below)?;
        if self.queue.get(id).is_some() {
            self.end(id, Ending::Authorized);
        }
        Ok(permit)
    }

    /// A permit to set the fee that members agreed on joining. Joining with fee management switched on
    /// is the operator's consent, so it passes in advisor mode too. It spends nothing, so it passes while
    /// paused: a member that asks what was not agreed loses its own free corridors. Kill switch, opt-outs
    /// and rates hold. The fee from before has to be saved first, so that leaving can restore it.
    ///
    /// # Errors
    /// [`Refusal::NotAgreed`] when [`corridor::fee_changes`] would not set exactly this with the fee
    /// before it saved, and whatever [`Gate::authorize`] refuses.
    pub fn authorize_agreed(
        &mut self,
        now: Now,
        id: ActionId,
        proposal: &Proposal,
        terms: &Terms<'_>,
        local: &LocalSnapshot,
        standing: Standing<'_>,
    ) -> Result<Authorized, Refusal> {
        self.tick(now);
        self.check_new(id)?;
        let Action::SetPolicy(set) = proposal.action else {
            return Err(Refusal::NotApproved { id });
        };
        let plan = corridor::fee_changes(terms, local);
        let mut agreed = plan.set.iter().filter(|change| change.set == set);
        if !agreed.any(|change| terms.saved.contains_key(&change.channel_id)) {
            let channel = set.channel;
            return Err(Refusal::NotAgreed { channel });
        }
        self.check_stopped()?;
        let want = self.check_wanted(self.clock.at(now), id, proposal, local, &standing)?;
        self.reserve(now, id, &proposal.action, want, None)
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
        // Setting a fee twice does no harm, but a third unknown outcome says that nobody answers.
        let subject = Subject::SetPolicy(set.channel);
        if let Some(id) = self.ledger.under_way(&subject).nth(1) {
            let kind = ActionKind::SetPolicy;
            return Err(Refusal::UnderWay { kind, id });
        }
        let plan = corridor::restore_changes(local, saved);
        if !plan.set.iter().any(|change| change.set == *set) {
            let channel = set.channel;
            return Err(Refusal::NotSaved { channel });
        }
        let want = Want {
            kind: ActionKind::SetPolicy,
            subject,
            cost: Msat::ZERO,
            capital: Sat::ZERO,
            in_flight: Msat::ZERO,
        };
        self.reserve(now, id, &Action::SetPolicy(*set), want, None)
    }

    /// The limits in force.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The mode in force.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether nothing is permitted, only said.
    pub const fn is_dry(&self) -> bool {
        self.is_dry
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

    /// Gate time at `now`: what [`Pending::expires`] and [`Halt::paused_until`] are compared with.
    pub fn time(&self, now: Now) -> UnixMillis {
        self.clock.at(now)
    }

    /// When something next happens by itself: a proposal expires or a pause ends.
    pub fn next_wake(&self, now: Now) -> Elapsed {
        let expiries = self.queue.waiting().iter().map(Pending::expires);
        let deadline = expiries.chain(self.halt.paused_until).min();
        // Within a boot gate time passes as `elapsed` does.
        deadline.map_or(Elapsed::NEVER, |at| {
            now.elapsed.plus(at.since(self.clock.at(now)))
        })
    }

    fn ask(
        &mut self,
        at: UnixMillis,
        id: ActionId,
        proposal: &Proposal,
    ) -> Result<Pending, Refusal> {
        let pending = Pending {
            id,
            proposal: proposal.clone(),
            asked: at,
            approved: None,
        };
        self.queue.push(pending.clone())?;
        self.changes.push(GateChange::Pending(pending.clone()));
        Ok(pending)
    }

    fn end(&mut self, id: ActionId, ending: Ending) {
        let ended = Ended { id, ending };
        self.queue.end(ended);
        self.changes.push(GateChange::PendingGone(ended));
    }

    /// The one place where permits are made: each with its reservation, and none in a dry run.
    fn reserve(
        &mut self,
        now: Now,
        id: ActionId,
        action: &Action,
        want: Want,
        start_below: Option<BlockHeight>,
    ) -> Result<Authorized, Refusal> {
        self.check_dry(self.clock.at(now), &want)?;
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
        let permit = Authorized::for_reservation(&entry, action.clone(), start_below);
        self.put(entry);
        Ok(permit)
    }

    fn put(&mut self, entry: LedgerEntry) {
        self.changes.push(GateChange::Ledger(entry.clone()));
        self.ledger.put(entry);
    }
}
