//! Twenty proposals and budget for two, with a crash at every point where one can strike.

use crate::common::*;
use hive_policy::{
    Authorized, EntryState, Gate, GateState, Limits, Mode, Refusal, Settlement, Verdict,
};
use hive_types::{ActionId, Msat, Proposal, Sat};
use std::collections::BTreeMap;

const MOVE: u64 = 100_000_000;
const FEE: u64 = 1_000_000;
/// Attempts of one run.
const TRIES: usize = 100;
/// No crash strikes after this point, so that every run comes to an end.
const LAST_CRASH: usize = 100;

fn budget_for_two() -> Limits {
    wide(|settings| {
        settings.budget_per_day = Sat::new(2_000);
        settings.cost_per_action = Msat::new(FEE);
    })
}

/// A member and its node. Points are counted where a crash may strike: before what a call changed is
/// stored, after it is stored, and after the node has acted.
struct Member<'a> {
    gate: Gate,
    stored: GateState,
    /// What the node did, by action: the truth.
    done: BTreeMap<ActionId, u32>,
    crashes: &'a dyn Fn(usize) -> bool,
    points: usize,
    number: u64,
}

/// The agent is gone.
#[derive(Debug)]
struct Crash;

impl<'a> Member<'a> {
    fn new(mode: Mode, crashes: &'a dyn Fn(usize) -> bool) -> Self {
        let mut gate = Gate::new(budget_for_two(), mode);
        let mut stored = GateState::default();
        restart(&mut gate, &mut stored);
        Self {
            gate,
            stored,
            done: BTreeMap::new(),
            crashes,
            points: 0,
            number: 0,
        }
    }

    fn point(&mut self) -> Result<(), Crash> {
        self.points += 1;
        match (self.crashes)(self.points) {
            true => Err(Crash),
            false => Ok(()),
        }
    }

    fn store(&mut self) -> Result<(), Crash> {
        self.point()?;
        for change in self.gate.take_changes() {
            self.stored.apply(change);
        }
        self.point()
    }

    fn act(&mut self, permit: &Authorized) -> Result<(), Crash> {
        self.store()?;
        *self.done.entry(permit.id()).or_default() += 1;
        self.point()?;
        let spent = permit.cost();
        let settled = self
            .gate
            .settle(after(1), permit.id(), Settlement::Done { spent });
        assert_eq!(settled, Ok(()));
        self.store()
    }

    /// One proposal, from the planner to its settlement.
    fn try_one(&mut self, proposal: &Proposal) -> Result<(), Crash> {
        self.number += 1;
        let action = id(self.number);
        match self
            .gate
            .consider(after(1), action, proposal, &local(), full())
        {
            Verdict::Execute(permit) => self.act(&permit),
            Verdict::Ask(_) | Verdict::Consult(_) => {
                self.store()?;
                self.carry_out(action)
            }
            // What a crash left waiting is approved then.
            Verdict::Refuse(Refusal::AlreadyPending { id, .. }) => self.carry_out(id),
            Verdict::NeedsLock | Verdict::Refuse(_) => self.store(),
        }
    }

    fn carry_out(&mut self, action: ActionId) -> Result<(), Crash> {
        // An approval that a crash kept from being carried out is there already.
        let _ = self.gate.approve(after(1), action, &local(), full());
        self.store()?;
        let mut waiting = self.gate.pending().iter();
        let pending = waiting.find(|pending| pending.id == action).unwrap();
        let proposal = pending.proposal.clone();
        let permit = self
            .gate
            .authorize(after(1), action, &proposal, &local(), full());
        permit.map_or(Ok(()), |permit| self.act(&permit))
    }

    /// A new start: what was stored, and for each action without an end the node's word.
    fn start_again(&mut self) -> Result<(), Crash> {
        self.gate = Gate::restore(budget_for_two(), self.stored.clone());
        let open: Vec<ActionId> = self
            .gate
            .ledger()
            .filter(|entry| entry.state == EntryState::Reserved)
            .map(|entry| entry.id)
            .collect();
        for action in open {
            let settlement = match self.done.contains_key(&action) {
                true => Settlement::Done {
                    spent: Msat::new(FEE),
                },
                false => Settlement::NotDone,
            };
            self.gate.settle(after(1), action, settlement).unwrap();
            self.store()?;
        }
        Ok(())
    }

    /// Tries all twenty again and again: what crashes kept from being done has its chance.
    fn run(&mut self) {
        let all: Vec<Proposal> = (0..20)
            .map(|number| rebalance(10 + number, 30 + number, MOVE, FEE))
            .collect();
        for proposal in all.iter().cycle().take(TRIES) {
            let mut gone = self.try_one(proposal).is_err();
            while gone {
                gone = self.start_again().is_err();
            }
            let spent = self.gate.usage(after(1)).cost();
            assert!(spent <= Msat::new(2 * FEE), "{spent}");
            assert!(self.done.len() <= 2, "{:?}", self.done);
        }
        assert!(
            self.done.values().all(|times| *times == 1),
            "{:?}",
            self.done
        );
        assert_eq!(self.done.len(), 2, "both are done in the end");
    }
}

#[test]
fn t40_budget_for_two_is_spent_once_whatever_point_a_crash_strikes() {
    let mut tried = 0;
    for mode in [Mode::Autonomous, Mode::Advisor, Mode::Oracle] {
        let mut clean = Member::new(mode, &|_| false);
        clean.run();
        for point in 1..=clean.points {
            Member::new(mode, &|at| at == point).run();
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried} points are too few");
}

/// Crashes that follow each other, also while the agent starts again.
#[test]
fn t40_budget_for_two_is_spent_once_over_many_crashes() {
    for mode in [Mode::Autonomous, Mode::Advisor, Mode::Oracle] {
        for (every, offset) in (2..12).flat_map(|every| (0..every).map(move |at| (every, at))) {
            let crashes = move |at: usize| at < LAST_CRASH && at % every == offset;
            Member::new(mode, &crashes).run();
        }
    }
}
