//! Doing better than the greedy choice: exchanging what was chosen, one or two channels at a time.
//!
//! Each step is weighed by the whole objective and kept only when that rises, so the search ends.

use super::board::Piece;
use super::budget::Budget;
use super::planner::{Chosen, Far, Offer, Planner};
use super::share::room;
use crate::demand::SplitMix;
use hive_types::{Ppm, Sat};

/// Of the offers for a place, this many are weighed by the whole objective.
const TRIED: usize = 3;

/// Passes over the plan; one that changes nothing ends them, mostly the third.
const PASSES: usize = 6;

/// An announced open gives way only when the whole plan gains this many hundredths of what the open
/// brings.
const STICKINESS: u64 = 10;

/// One part of so many of a plan is thrown away for a new attempt.
const KICKED_PART: usize = 4;

impl Planner<'_> {
    /// Improves until nothing gains any more, or the budget ends.
    pub(super) fn improve(&mut self, budget: &mut Budget<'_>) {
        for _ in 0..PASSES {
            let before = self.board.worth();
            self.replace_all(budget);
            self.exchange_all(budget);
            self.tune_rates(budget);
            self.shift_capital(budget);
            if self.board.worth() <= before || !budget.goes_on() {
                break;
            }
        }
    }

    /// Throws part of the plan away and builds it anew; keeps the better plan of the two. By turns the
    /// part is two channels of a member's, all of them with one at random to begin anew, or drawn from
    /// the whole; chance from the seed draws it.
    pub(super) fn kick(&mut self, turn: usize, chance: &mut SplitMix, budget: &mut Budget<'_>) {
        let mut other = self.clone();
        let any = chance.below(other.chosen.len() as u64) as usize;
        let member = other.chosen.get(any).map_or(0, |chosen| chosen.member);
        match turn % 3 {
            0 => other.start_again(member, chance, budget),
            1 => other.begin_anywhere(member, chance, budget),
            _ => {
                for _ in 0..other.chosen.len().div_ceil(KICKED_PART) {
                    let at = chance.below(other.chosen.len() as u64) as usize;
                    other.remove(at, budget);
                }
            }
        }
        other.fill(budget);
        other.improve(budget);
        if other.board.worth() > self.board.worth() {
            *self = other;
        }
    }

    /// Puts two channels that are best together in the place of two of a member's.
    fn start_again(&mut self, member: usize, chance: &mut SplitMix, budget: &mut Budget<'_>) {
        for _ in 0..2 {
            self.remove_one(member, chance, budget);
        }
        if let Some(pair) = self.start_of(member, budget) {
            self.take_pair(&pair, budget);
        }
    }

    /// Removes one of a member's channels; says whether it had any.
    fn remove_one(
        &mut self,
        member: usize,
        chance: &mut SplitMix,
        budget: &mut Budget<'_>,
    ) -> bool {
        let own = self.chosen.iter().enumerate();
        let own = own.filter(|(_, chosen)| chosen.member == member);
        let own: Vec<usize> = own.map(|(at, _)| at).collect();
        let drawn = chance.below(own.len() as u64) as usize;
        let at = own.get(drawn).copied();
        match at {
            Some(at) => {
                self.remove(at, budget);
                true
            }
            None => false,
        }
    }

    /// Takes all of a member's channels away and gives it any one.
    fn begin_anywhere(&mut self, member: usize, chance: &mut SplitMix, budget: &mut Budget<'_>) {
        while self.remove_one(member, chance, budget) {}
        let drawn = chance.below(self.candidates.len() as u64) as usize;
        if let Some(offer) = self.offer(member, drawn) {
            self.take(&offer, None, budget);
        }
    }

    /// Takes each chosen channel out in turn and puts the best one in its place.
    fn replace_all(&mut self, budget: &mut Budget<'_>) {
        for at in 0..self.chosen.len() {
            if !budget.goes_on() {
                break;
            }
            self.replace(at, budget);
        }
    }

    fn replace(&mut self, at: usize, budget: &mut Budget<'_>) {
        let before = self.board.worth();
        let old = self.remove(at, budget);
        let alone = before.saturating_sub(self.board.worth());
        let mut best = (before.saturating_add(self.constancy(&old, alone)), None);
        let offers = self.offers_for(old.member, budget);
        for offer in offers
            .iter()
            .filter(|offer| offer.far != old.far)
            .take(TRIED)
        {
            let total = self.total_with(offer, budget);
            if total > best.0 {
                best = (total, Some(*offer));
            }
        }
        let others = offers.iter().filter(|offer| offer.far != old.far);
        let runner_up = others.filter_map(|offer| match offer.far {
            Far::Candidate(place) => Some((place, offer.gain.value)),
            Far::Fellow(_) => None,
        });
        let runner_up = match best.1 {
            Some(_) => {
                candidate(old.far).map(|place| (place, i64::try_from(alone).unwrap_or(i64::MAX)))
            }
            None => runner_up.clone().next(),
        };
        match best.1 {
            Some(offer) => {
                self.take(&offer, None, budget);
                // Its former partner is on its own now.
                let partner = candidate(old.far);
                for chosen in &mut self.chosen {
                    if chosen.member == old.member && chosen.partner == partner {
                        chosen.partner = None;
                    }
                }
            }
            None => self.put_back(&old, budget),
        }
        if let Some(mut chosen) = self.chosen.pop() {
            chosen.runner_up = runner_up;
            self.chosen.insert(at, chosen);
        }
    }

    /// What a replacement must bring on top, when the open was announced.
    fn constancy(&self, chosen: &Chosen, alone: u64) -> u64 {
        let id = candidate(chosen.far).map(|place| self.candidates[place].id);
        let kept = id.is_some_and(|id| self.scene.problem.kept.contains(&(chosen.member, id)));
        if kept { alone / 100 * STICKINESS } else { 0 }
    }

    /// What the plan would be worth with one more channel.
    fn total_with(&mut self, offer: &Offer, budget: &mut Budget<'_>) -> u64 {
        let piece = self.piece(offer.member, offer.far, offer.capacity, self.rate);
        let Some(piece) = piece else { return 0 };
        let place = self.board.add(piece);
        self.count_settling(budget);
        let total = self.board.worth();
        self.board.exchange(place, None);
        self.board.settle();
        total
    }

    fn put_back(&mut self, old: &Chosen, budget: &mut Budget<'_>) {
        let Some(piece) = self.piece(old.member, old.far, old.capacity, old.rate) else {
            return;
        };
        let place = self.board.add(piece);
        self.count_settling(budget);
        self.chosen.push(Chosen { place, ..*old });
        self.recount(old.member);
    }

    /// Lets two members exchange a target each, their capacities staying where they are.
    fn exchange_all(&mut self, budget: &mut Budget<'_>) {
        for one in 0..self.chosen.len() {
            for two in one + 1..self.chosen.len() {
                if !budget.goes_on() {
                    return;
                }
                if self.may_exchange(one, two) {
                    let (a, b) = (self.chosen[one], self.chosen[two]);
                    let (a, b) = (
                        Chosen {
                            far: b.far,
                            rate: b.rate,
                            ..a
                        },
                        Chosen {
                            far: a.far,
                            rate: a.rate,
                            ..b
                        },
                    );
                    self.try_change(&[(one, a), (two, b)], budget);
                }
            }
        }
    }

    fn may_exchange(&self, one: usize, two: usize) -> bool {
        let (one, two) = (&self.chosen[one], &self.chosen[two]);
        let (Some(a), Some(b)) = (candidate(one.far), candidate(two.far)) else {
            return false;
        };
        let has = |member: usize, far: Far| {
            let chosen = self.chosen.iter();
            let id = |far| candidate(far).map(|place| self.candidates[place].id);
            chosen
                .clone()
                .any(|chosen| (chosen.member, chosen.far) == (member, far))
                || id(far).is_some_and(|id| self.scene.paired.contains(&(member, id)))
        };
        // Announced opens stay with who announced them.
        let kept = |chosen: &Chosen, place: usize| {
            let id = self.candidates[place].id;
            self.scene.problem.kept.contains(&(chosen.member, id))
        };
        one.member != two.member
            && a != b
            && !has(one.member, two.far)
            && !has(two.member, one.far)
            && !kept(one, a)
            && !kept(two, b)
    }

    /// Tries other rates on each channel.
    fn tune_rates(&mut self, budget: &mut Budget<'_>) {
        for at in 0..self.chosen.len() {
            for rate in self.config.rates.values() {
                let old = self.chosen[at];
                if old.rate != *rate && candidate(old.far).is_some() && budget.goes_on() {
                    self.try_change(&[(at, Chosen { rate: *rate, ..old })], budget);
                }
            }
        }
    }

    /// Moves capital to a channel that cannot carry all that comes, or gives one another size of the grid.
    fn shift_capital(&mut self, budget: &mut Budget<'_>) {
        for from in 0..self.chosen.len() {
            self.try_sizes(from, budget);
            for to in 0..self.chosen.len() {
                if !budget.goes_on() {
                    return;
                }
                let (one, two) = (self.chosen[from], self.chosen[to]);
                let short = self.board.is_short(two.place);
                if from == to || one.member != two.member || !short {
                    continue;
                }
                if let Some([less, more]) = self.shifted(one.capacity, two.capacity) {
                    let smaller = Chosen {
                        capacity: less,
                        ..one
                    };
                    let larger = Chosen {
                        capacity: more,
                        ..two
                    };
                    self.try_change(&[(from, smaller), (to, larger)], budget);
                }
            }
        }
    }

    /// Half of one capacity moved to the other; with a grid, each one step further on it.
    fn shifted(&self, less: Sat, more: Sat) -> Option<[Sat; 2]> {
        let sizes = self.config.sizes.values();
        if sizes.is_empty() {
            let part = Sat::new(less.get() / 2);
            return Some([less.saturating_sub(part), more.saturating_add(part)]);
        }
        let less = sizes.iter().rev().find(|size| **size < less)?;
        let more = sizes.iter().find(|size| **size > more)?;
        Some([*less, *more])
    }

    fn try_sizes(&mut self, at: usize, budget: &mut Budget<'_>) {
        for size in self.config.sizes.values() {
            let old = self.chosen[at];
            if old.capacity != *size && budget.goes_on() {
                self.try_change(
                    &[(
                        at,
                        Chosen {
                            capacity: *size,
                            ..old
                        },
                    )],
                    budget,
                );
            }
        }
    }

    /// Puts the changes on the board and keeps them when the whole is worth more and nothing breaks a
    /// bound.
    fn try_change(&mut self, changes: &[(usize, Chosen)], budget: &mut Budget<'_>) -> bool {
        let before = self.board.worth();
        let olds: Vec<(usize, Chosen)> = changes
            .iter()
            .map(|(at, _)| (*at, self.chosen[*at]))
            .collect();
        self.chosen_become(changes);
        let mut better = self.is_within_bounds(changes);
        if better {
            self.pieces_become(changes);
            self.count_settling(budget);
            better = self.board.worth() > before;
            if !better {
                self.pieces_become(&olds);
            }
        }
        if !better {
            self.chosen_become(&olds);
        }
        better
    }

    fn chosen_become(&mut self, changes: &[(usize, Chosen)]) {
        for (at, new) in changes {
            self.chosen[*at] = *new;
        }
        changes.iter().for_each(|(_, new)| self.recount(new.member));
    }

    fn pieces_become(&mut self, changes: &[(usize, Chosen)]) {
        for (_, new) in changes {
            let piece = self.piece(new.member, new.far, new.capacity, new.rate);
            self.board.exchange(new.place, piece);
        }
        self.board.settle();
    }

    /// Whether the capacities of these channels are allowed and paid for.
    fn is_within_bounds(&self, changes: &[(usize, Chosen)]) -> bool {
        changes.iter().all(|(at, new)| {
            let means = &self.means[new.member];
            let spent = self
                .chosen
                .iter()
                .filter(|chosen| chosen.member == new.member);
            let spent: u128 = spent.map(|chosen| u128::from(chosen.capacity.get())).sum();
            let had = u128::from(self.scene.means[new.member].capital);
            let size = new.capacity.get();
            let sized = (means.channel_min..=means.channel_max).contains(&size);
            sized && spent <= had && self.is_under_the_cap(*at, new)
        })
    }

    fn is_under_the_cap(&self, at: usize, new: &Chosen) -> bool {
        let Some(place) = candidate(new.far) else {
            return true;
        };
        let target = &self.candidates[place];
        let others = self.chosen.iter().enumerate();
        let others = others.filter(|(other, chosen)| *other != at && chosen.far == new.far);
        let planned: u64 = others.map(|(_, chosen)| chosen.capacity.get()).sum();
        let held = self.scene.holdings(&target.id).saturating_add(planned);
        let public = Sat::new(target.public.get().saturating_add(planned));
        new.capacity <= room(public, held, self.config.share_cap)
    }

    /// What the plan would be worth with another rate on a channel.
    pub(super) fn total_at_rate(&mut self, at: usize, rate: Ppm, budget: &mut Budget<'_>) -> u64 {
        let old = self.chosen[at];
        self.pieces_become(&[(at, Chosen { rate, ..old })]);
        self.count_settling(budget);
        let total = self.board.total();
        self.pieces_become(&[(at, old)]);
        total
    }

    /// What the plan would be worth without a channel, and the payments that it would win.
    pub(super) fn without(&mut self, at: usize, budget: &mut Budget<'_>) -> (u64, u64) {
        let place = self.chosen[at].place;
        let piece: Option<Piece> = self.board.exchange(place, None);
        self.board.settle();
        self.count_settling(budget);
        let found = (self.board.total(), self.board.won());
        self.board.exchange(place, piece);
        self.board.settle();
        found
    }
}

pub(super) fn candidate(far: Far) -> Option<usize> {
    match far {
        Far::Candidate(place) => Some(place),
        Far::Fellow(_) => None,
    }
}
