//! A plan in the making: what is chosen so far, what that leaves, and what may still be chosen.

use super::board::{Board, Gain, Piece};
use super::budget::Budget;
use super::lines::{FULL, Maker};
use super::scene::{Means, Scene};
use super::share::room;
use crate::config::PlannerConfig;
use hive_types::{Msat, NodeId, Ppm, Sat};
use rayon::prelude::*;

/// Gains that are found between two looks at the budget.
pub(super) const STEP: usize = 64;

/// An announced open counts for a tenth more: small changes of the graph between two plans, and
/// graphs that differ a little between members, do not turn it over.
const STICKINESS: i64 = 110;

/// A node that the fleet could open to.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) id: NodeId,
    pub(super) public: Sat,
    /// Its place among the ways.
    pub(super) way: usize,
    /// By what observations multiply its worth.
    pub(super) worth: Ppm,
}

/// The far end of a chosen channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Far {
    /// A candidate.
    Candidate(usize),
    /// A fellow.
    Fellow(usize),
}

/// A chosen channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) member: usize,
    pub(super) far: Far,
    pub(super) capacity: Sat,
    pub(super) rate: Ppm,
    /// Its place on the board.
    pub(super) place: usize,
    /// The other channel of a pair start, which earns only with this one.
    pub(super) partner: Option<usize>,
    /// The next best candidate for the same member, and what it would bring instead.
    pub(super) runner_up: Option<(usize, i64)>,
}

/// One channel that could be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) member: usize,
    pub(super) far: Far,
    pub(super) capacity: Sat,
    pub(super) gain: Gain,
    /// The gain by which offers compare: with what keeps announced opens in place.
    pub(super) rank: i64,
}

#[derive(Clone)]
pub(super) struct Planner<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) config: &'a PlannerConfig,
    pub(super) maker: &'a Maker<'a>,
    pub(super) candidates: &'a [Candidate],
    pub(super) board: Board<'a>,
    pub(super) means: Vec<Means>,
    pub(super) chosen: Vec<Chosen>,
    /// The rate that new channels begin with.
    pub(super) rate: Ppm,
}

impl Planner<'_> {
    /// The capacity that a member would give a candidate now; `None` when it cannot or may not.
    pub(super) fn capacity(&self, member: usize, candidate: usize) -> Option<Sat> {
        let means = &self.means[member];
        let target = &self.candidates[candidate];
        let paired = self.scene.paired.contains(&(member, target.id));
        let far = Far::Candidate(candidate);
        let same = || self.chosen.iter().filter(|chosen| chosen.far == far);
        let taken = match self.config.strictly_unique {
            true => same().next().is_some(),
            false => same().any(|chosen| chosen.member == member),
        };
        if means.slots == 0 || paired || taken {
            return None;
        }
        let planned: u64 = same().map(|chosen| chosen.capacity.get()).sum();
        let held = self.scene.holdings(&target.id).saturating_add(planned);
        let public = Sat::new(target.public.get().saturating_add(planned));
        let room = room(public, held, self.config.share_cap).get();
        self.size(means, room)
    }

    /// An even part of what the member has left, or the grid's size nearest below it.
    pub(super) fn size(&self, means: &Means, room: u64) -> Option<Sat> {
        let even = means.capital / u64::from(means.slots.max(1));
        let most = means.capital.min(room).min(means.channel_max);
        let fits = |size: &u64| (means.channel_min..=most).contains(size);
        let sizes = self.config.sizes.values();
        if sizes.is_empty() {
            let wanted = even.max(means.channel_min);
            return Some(wanted.min(most)).filter(fits).map(Sat::new);
        }
        let fitting = || sizes.iter().map(|size| size.get()).filter(fits);
        let below = fitting().filter(|size| *size <= even).max();
        below.or_else(|| fitting().min()).map(Sat::new)
    }

    pub(super) fn piece(&self, member: usize, far: Far, capacity: Sat, rate: Ppm) -> Option<Piece> {
        match far {
            Far::Candidate(place) => {
                let candidate = self.candidates.get(place)?;
                let worth = candidate.worth;
                let line = self
                    .maker
                    .planned(member, candidate.way, capacity, rate, worth);
                Some(Piece::Line(line))
            }
            Far::Fellow(fellow) => Some(Piece::Link([member, fellow], self.maker.link(capacity))),
        }
    }

    /// What a candidate would bring a member; `None` when it cannot have it.
    pub(super) fn offer(&self, member: usize, candidate: usize) -> Option<Offer> {
        let capacity = self.capacity(member, candidate)?;
        let far = Far::Candidate(candidate);
        let Some(Piece::Line(line)) = self.piece(member, far, capacity, self.rate) else {
            return None;
        };
        let gain = self.board.gain(&line);
        let id = self.candidates[candidate].id;
        let kept = self.scene.problem.kept.contains(&(member, id));
        Some(Offer {
            member,
            far,
            capacity,
            gain,
            rank: if kept {
                gain.value / 100 * STICKINESS
            } else {
                gain.value
            },
        })
    }

    /// Offers of these members and candidates, in their order. Those that come after the end of the
    /// budget are left out.
    pub(super) fn offers(
        &self,
        places: &[(usize, usize)],
        budget: &mut Budget<'_>,
    ) -> Vec<Option<Offer>> {
        let mut offers = Vec::with_capacity(places.len());
        for step in places.chunks(STEP) {
            if !budget.goes_on() {
                break;
            }
            let found = step
                .par_iter()
                .map(|(member, candidate)| self.offer(*member, *candidate));
            let found: Vec<Option<Offer>> = found.collect();
            budget.compare(found.len() * self.board.sample.pairs.len());
            offers.extend(found);
        }
        offers
    }

    pub(super) fn take(&mut self, offer: &Offer, partner: Option<usize>, budget: &mut Budget<'_>) {
        let (member, far, capacity) = (offer.member, offer.far, offer.capacity);
        let Some(piece) = self.piece(member, far, capacity, self.rate) else {
            return;
        };
        let place = self.board.add(piece);
        self.count_settling(budget);
        self.chosen.push(Chosen {
            member,
            far,
            capacity,
            rate: self.rate,
            place,
            partner,
            runner_up: None,
        });
        self.recount(member);
    }

    /// What a member has left beside what is chosen.
    pub(super) fn recount(&mut self, member: usize) {
        let mut means = self.scene.means[member];
        let chosen = self.chosen.iter().filter(|chosen| chosen.member == member);
        chosen.for_each(|chosen| means.take(chosen.capacity));
        self.means[member] = means;
    }

    /// Takes a chosen channel off the board and gives its means back.
    pub(super) fn remove(&mut self, at: usize, budget: &mut Budget<'_>) -> Chosen {
        let chosen = self.chosen.remove(at);
        self.board.exchange(chosen.place, None);
        self.board.settle();
        self.count_settling(budget);
        self.recount(chosen.member);
        chosen
    }

    /// Settling compares every payment once for each member and twice more.
    pub(super) fn count_settling(&self, budget: &mut Budget<'_>) {
        let times = self.means.len() + 2;
        budget.compare(times * self.board.sample.pairs.len());
    }

    /// Whether the gain earns the on-chain cost of so many opens back in time.
    pub(super) fn pays(&self, gain: i64, opens: u64) -> bool {
        let earned = u128::from(self.per_day(gain.unsigned_abs()).get());
        let earned = earned * u128::from(self.config.payback_days);
        let cost = u128::from(self.scene.open_cost().get()) * u128::from(opens);
        gain > 0 && earned >= cost
    }

    /// A value over the sample as revenue in a day.
    pub(super) fn per_day(&self, value: u64) -> Msat {
        per_day(self.config, value, self.board.sample.payments)
    }
}

/// A value over a sample of so many payments as revenue in a day.
pub(super) fn per_day(config: &PlannerConfig, value: u64, payments: usize) -> Msat {
    let day = u128::from(config.payments_per_day) * u128::from(value);
    let sample = u128::from(FULL) * payments.max(1) as u128;
    Msat::new(u64::try_from(day / sample).unwrap_or(u64::MAX))
}
