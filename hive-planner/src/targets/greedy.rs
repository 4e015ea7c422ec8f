//! Choosing channels for the whole fleet, the members in turn.
//!
//! Every member starts before any grows: a choice of the best channel for anybody would let one member
//! grow strong and leave the rest what it left over. In turn the fleet earns more, and loses less when
//! it loses a member.

use super::board::{Gain, Piece};
use super::budget::Budget;
use super::improve::candidate;
use super::planner::{Far, Offer, Planner};
use super::reach::Reach;
use super::sample::{FAR, plus};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Of the candidates, this many of the best entries and as many of the best exits are tried as the
/// first of the two channels that a member starts with; the second may be any.
const START_CANDIDATES: usize = 8;

fn worth(offers: &[Offer; 2]) -> i64 {
    offers.iter().map(|offer| offer.rank).sum()
}

impl Planner<'_> {
    /// Runs until nobody can or wants to open more, or the budget ends.
    pub(super) fn fill(&mut self, budget: &mut Budget<'_>) {
        let mut at_work: Vec<usize> = (0..self.means.len()).collect();
        while !at_work.is_empty() && budget.goes_on() {
            at_work.retain(|member| self.grow(*member, budget));
        }
    }

    /// Gives a member its next channel, or its first two; says whether it got any.
    fn grow(&mut self, member: usize, budget: &mut Budget<'_>) -> bool {
        if self.means[member].slots == 0 || !budget.goes_on() {
            return false;
        }
        let offers = match self.board.is_cut_off(member) {
            true => Vec::new(),
            false => self.offers_for(member, budget),
        };
        if let Some(best) = offers.first() {
            self.take(best, None, budget);
            return true;
        }
        // What one more channel cannot bring, two more may.
        let pair = self.start_of(member, budget);
        pair.inspect(|pair| self.take_pair(pair, budget)).is_some()
    }

    pub(super) fn take_pair(&mut self, [one, two]: &[Offer; 2], budget: &mut Budget<'_>) {
        let place = |offer: &Offer| candidate(offer.far);
        self.take(one, place(two), budget);
        // The first channel changes what is left for the second, but leaves enough for it.
        let fits = place(two).and_then(|candidate| self.capacity(two.member, candidate));
        if let Some(capacity) = fits {
            self.take(&Offer { capacity, ..*two }, place(one), budget);
        }
    }

    /// The offers for a member that pay for themselves, the best first.
    pub(super) fn offers_for(&self, member: usize, budget: &mut Budget<'_>) -> Vec<Offer> {
        let places = 0..self.candidates.len();
        let places: Vec<(usize, usize)> = places.map(|place| (member, place)).collect();
        let mut offers: Vec<Offer> = self.offers(&places, budget).into_iter().flatten().collect();
        if self.scene.problem.links {
            let fellows = 0..self.means.len();
            offers.extend(fellows.filter_map(|fellow| self.link(member, fellow, budget)));
        }
        offers.retain(|offer| self.pays(offer.gain.value, 1));
        offers.sort_by_key(|offer| (Reverse(offer.rank), offer.far));
        offers
    }

    /// What a link would bring, found by putting it on the board.
    pub(super) fn link(
        &self,
        member: usize,
        fellow: usize,
        budget: &mut Budget<'_>,
    ) -> Option<Offer> {
        let means = &self.means[member];
        let linked = self
            .scene
            .problem
            .seats
            .get(fellow)
            .is_some_and(|seat| self.scene.paired.contains(&(member, seat.id)));
        let chosen = self.chosen.iter().any(|chosen| {
            let ends = (chosen.member, chosen.far);
            ends == (member, Far::Fellow(fellow)) || ends == (fellow, Far::Fellow(member))
        });
        let idle = self.board.is_bare(member) || self.board.is_bare(fellow);
        if member == fellow || means.slots == 0 || linked || chosen || idle || !budget.goes_on() {
            return None;
        }
        let capacity = self.size(means, u64::MAX)?;
        let far = Far::Fellow(fellow);
        let piece = self.piece(member, far, capacity, self.rate)?;
        let mut board = self.board.clone();
        board.add(piece);
        self.count_settling(budget);
        let value = |total: u64| i64::try_from(total).unwrap_or(i64::MAX);
        let rank = value(board.worth()).saturating_sub(value(self.board.worth()));
        Some(Offer {
            member,
            far,
            capacity,
            gain: Gain {
                value: rank,
                payments: 0,
            },
            rank,
        })
    }

    /// The best two channels for a member by which nothing passes yet.
    pub(super) fn start_of(&self, member: usize, budget: &mut Budget<'_>) -> Option<[Offer; 2]> {
        let means = &self.means[member];
        if means.slots < 2 || means.capital / 2 < means.channel_min {
            return None;
        }
        let firsts = self.start_candidates(member, budget);
        let mut best: Option<[Offer; 2]> = None;
        for first in firsts {
            if !budget.goes_on() {
                break;
            }
            let Some(one) = self.offer(member, first) else {
                continue;
            };
            let mut with = self.clone();
            with.take(&one, None, budget);
            let places: Vec<(usize, usize)> = (0..self.candidates.len())
                .map(|place| (member, place))
                .collect();
            let offers = with.offers(&places, budget).into_iter().flatten();
            let two = offers.max_by_key(|offer| (offer.rank, Reverse(offer.far)));
            let Some(two) = two else { continue };
            let sum = one.rank.saturating_add(two.rank);
            let so_far = best.as_ref().map_or(0, worth);
            if sum > so_far && self.pays(one.gain.value.saturating_add(two.gain.value), 2) {
                best = Some([one, two]);
            }
        }
        best
    }

    /// Candidates that bring payments in, or out, most cheaply if the other side were as good as the
    /// best of all.
    fn start_candidates(&self, member: usize, budget: &mut Budget<'_>) -> Vec<usize> {
        let lines = (0..self.candidates.len()).filter_map(|place| {
            let capacity = self.capacity(member, place)?;
            match self.piece(member, Far::Candidate(place), capacity, self.rate)? {
                Piece::Line(line) => Some((place, line)),
                Piece::Link(..) => None,
            }
        });
        let lines: Vec<_> = lines.collect();
        let sample = self.board.sample;
        let mut ideal = Reach::far(sample.payers.len(), sample.payees.len());
        for (place, line) in &lines {
            ideal.join(sample, &self.board.ways[line.way], line, *place as u32);
        }
        budget.compare(3 * lines.len() * sample.pairs.len());
        let ranked = |arriving: bool| {
            let promises = lines.par_iter().map(|(place, line)| {
                let ways = &self.board.ways[line.way];
                let promise = match arriving {
                    true => {
                        let mut enter = vec![FAR; sample.payers.len()];
                        line.arrivals(sample, ways, |payer, cost| enter[payer] = cost);
                        self.board.promise(&enter, &ideal.leave)
                    }
                    false => {
                        let leave = ways.depart.iter().enumerate();
                        let leave = leave.map(|(payee, depart)| {
                            plus(*depart, line.terms[sample.payee_class(payee)].leave)
                        });
                        self.board
                            .promise(&ideal.enter, &leave.collect::<Vec<u32>>())
                    }
                };
                (Reverse(promise), *place)
            });
            let mut promises: Vec<_> = promises.collect();
            promises.sort_unstable();
            promises
        };
        let mut chosen = BTreeSet::new();
        for arriving in [true, false] {
            let best = ranked(arriving).into_iter().take(START_CANDIDATES);
            chosen.extend(best.map(|(_, place)| place));
        }
        chosen.into_iter().collect()
    }
}
