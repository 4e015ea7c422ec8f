//! Static scoring: does the way that a sender would take pass the arm, and what does the arm earn by it.
//!
//! Every held-out payment is followed along the cheapest way over the whole network with the arm in it,
//! and priced to the millisatoshi from the payee backwards. Where ways cost the same the one with fewer
//! hops counts; beyond that the search decides, by rules that know nothing of arms.

use crate::placement::Arranged;
use hive_planner::demand::Payment;
use hive_planner::graph::{Edge, NodeIndex};
use hive_planner::routes::{Distances, Prices, SenderModel};
use hive_types::Msat;
use std::collections::{BTreeMap, BTreeSet};

/// Sums over payments to one payee, or over all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) payments: u64,
    /// Payments for which there is a way.
    pub(crate) reachable: u64,
    /// Payments that pass the arm.
    pub(crate) passing: u64,
    pub(crate) volume_msat: u64,
    pub(crate) passing_msat: u64,
    /// By member.
    pub(crate) earned_msat: Vec<u64>,
    /// Chances that a first attempt arrives, balances being equally likely anywhere: of all payments,
    /// and of those that pass the arm.
    pub(crate) chances: f64,
    pub(crate) passing_chances: f64,
    /// The members that any of these payments passed, as bits.
    pub(crate) passed: u64,
}

impl Sums {
    fn of(members: usize) -> Self {
        Self {
            earned_msat: vec![0; members],
            ..Self::default()
        }
    }

    fn add(&mut self, other: &Self) {
        self.payments += other.payments;
        self.reachable += other.reachable;
        self.passing += other.passing;
        self.volume_msat += other.volume_msat;
        self.passing_msat += other.passing_msat;
        let members = self.earned_msat.iter_mut().zip(&other.earned_msat);
        members.for_each(|(sum, more)| *sum += more);
        self.chances += other.chances;
        self.passing_chances += other.passing_chances;
        self.passed |= other.passed;
    }

    pub(crate) fn earned(&self) -> u64 {
        self.earned_msat.iter().sum()
    }

    pub(crate) fn share(&self) -> f64 {
        part(self.passing as f64, self.payments as f64).unwrap_or(0.0)
    }
}

/// A part of something; `None` of nothing.
pub(crate) fn part(of: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then_some(of / whole)
}

/// The payments of one arm, scored, payee by payee.
pub(crate) struct Scored {
    by_payee: Vec<Sums>,
    pub(crate) total: Sums,
}

/// Payments between nodes of the public graph, grouped by what one search answers.
pub(crate) struct Questions<'a> {
    sender: SenderModel,
    /// Runs of equal amount and payee, in order.
    runs: Vec<&'a [Payment]>,
}

impl<'a> Questions<'a> {
    /// The payments are in order, as the demand draws them.
    pub(crate) fn new(sender: SenderModel, payments: &'a [Payment]) -> Self {
        let same =
            |one: &Payment, next: &Payment| (one.amount, one.payee) == (next.amount, next.payee);
        Self {
            sender,
            runs: payments.chunk_by(same).collect(),
        }
    }

    /// Scores all payments with the arm in the network.
    pub(crate) fn ask(&self, arranged: &Arranged) -> Scored {
        let all = vec![true; self.runs.len()];
        let none = vec![Sums::default(); self.runs.len()];
        self.score(arranged, &BTreeSet::new(), &all, none)
    }

    /// Scores them once more with one member gone. Only payees whose payments passed it are searched
    /// again: whatever else is cheapest with it is cheapest without it.
    pub(crate) fn without_member(
        &self,
        arranged: &Arranged,
        before: &Scored,
        member: usize,
    ) -> Scored {
        let bit = 1u64 << member;
        let again: Vec<bool> = before
            .by_payee
            .iter()
            .map(|sums| sums.passed & bit != 0)
            .collect();
        let gone = arranged.members.get(member).copied().flatten();
        self.score(
            arranged,
            &gone.into_iter().collect(),
            &again,
            before.by_payee.clone(),
        )
    }

    /// Scores them once more with outside nodes gone.
    pub(crate) fn without(&self, arranged: &Arranged, gone: &BTreeSet<NodeIndex>) -> Scored {
        let all = vec![true; self.runs.len()];
        let none = vec![Sums::default(); self.runs.len()];
        self.score(arranged, gone, &all, none)
    }

    fn score(
        &self,
        arranged: &Arranged,
        gone: &BTreeSet<NodeIndex>,
        again: &[bool],
        mut by_payee: Vec<Sums>,
    ) -> Scored {
        let places: Vec<usize> = (0..self.runs.len()).filter(|place| again[*place]).collect();
        let same_amount = |one: &usize, next: &usize| self.amount(*one) == self.amount(*next);
        for class in places.chunk_by(same_amount) {
            let Some(amount) = class.first().map(|place| self.amount(*place)) else {
                continue;
            };
            let prices = Prices::new(&arranged.graph, self.sender, amount, gone);
            let payee = |place: &usize| {
                let payment = self.runs[*place].first()?;
                Some((arranged.moved[payment.payee.get()], *place))
            };
            let run_of: BTreeMap<NodeIndex, usize> = class.iter().filter_map(payee).collect();
            let payees: Vec<NodeIndex> = run_of.keys().copied().collect();
            let sums = prices.each_root(&payees, |payee, distances| {
                let run = run_of
                    .get(&payee)
                    .map_or(&[][..], |place| self.runs[*place]);
                self.follow(arranged, run, distances)
            });
            for (place, sums) in run_of.values().zip(sums) {
                by_payee[*place] = sums;
            }
        }
        let mut total = Sums::of(arranged.members.len());
        by_payee.iter().for_each(|sums| total.add(sums));
        Scored { by_payee, total }
    }

    fn amount(&self, run: usize) -> Msat {
        self.runs[run]
            .first()
            .map_or(Msat::ZERO, |payment| payment.amount)
    }

    fn follow(&self, arranged: &Arranged, payments: &[Payment], distances: &Distances<'_>) -> Sums {
        let mut sums = Sums::of(arranged.members.len());
        for payment in payments {
            let amount = payment.amount.get();
            sums.payments += 1;
            sums.volume_msat += amount;
            let payer = arranged.moved[payment.payer.get()];
            let Some(way) = distances.path(payer).filter(|way| !way.is_empty()) else {
                continue;
            };
            sums.reachable += 1;
            let (passed, chance) = self.follow_one(arranged, &way, amount, &mut sums.earned_msat);
            sums.chances += chance;
            if passed != 0 {
                sums.passing += 1;
                sums.passing_msat += amount;
                sums.passing_chances += chance;
                sums.passed |= passed;
            }
        }
        sums
    }

    /// Prices one way from its end, and credits members with what they take. Which members it passes,
    /// and the chance that balances allow it.
    fn follow_one(
        &self,
        arranged: &Arranged,
        way: &[Edge],
        amount: u64,
        earned: &mut [u64],
    ) -> (u64, f64) {
        let (mut crossing, mut passed, mut chance) = (amount, 0u64, 1.0);
        for (place, edge) in way.iter().enumerate().rev() {
            if place == 0 {
                // The payer knows its own balance, and pays itself nothing.
                break;
            }
            chance *= fits(edge, crossing);
            let before = &way[place - 1];
            let fee = self.fee(edge, before, crossing);
            if let Some(member) = arranged.member_at(edge.from) {
                passed |= 1 << member;
                earned[member] += fee;
            }
            crossing = crossing.saturating_add(fee);
        }
        (passed, chance)
    }

    /// What the node between two edges takes. Only LND's senders know of inbound fees.
    fn fee(&self, onward: &Edge, before: &Edge, crossing: u64) -> u64 {
        let outgoing = onward
            .usable()
            .and_then(|policy| policy.fee(Msat::new(crossing)));
        let outgoing = outgoing.map_or(0, Msat::get);
        if self.sender != SenderModel::Lnd || before.inbound == (0, 0) {
            return outgoing;
        }
        let taken = i128::from(crossing) + i128::from(outgoing);
        let (base, rate) = before.inbound;
        let inbound = i128::from(base) + taken * i128::from(rate) / 1_000_000;
        u64::try_from((i128::from(outgoing) + inbound).max(0)).unwrap_or(u64::MAX)
    }
}

/// The chance that so much lies on the near side of a channel, every balance being equally likely
/// (Pickhardt and others, 2021).
fn fits(edge: &Edge, amount: u64) -> f64 {
    let capacity = edge.capacity.to_msat_saturating().get();
    part(capacity.saturating_sub(amount) as f64, capacity as f64).unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
