//! Choosing channels for the whole fleet, one or two at a time, then trying to do better.

use super::board::{Board, Ends, SURE};
use super::scene::{Means, Scene};
use super::share::room;
use super::weigh::{Reach, Weighing, Work, liquidity};
use crate::config::PlannerConfig;
use crate::graph::Graph;
use hive_types::{Msat, NodeId, Sat};
use std::collections::BTreeMap;

/// Of the candidates, this many of the best entries and as many of the best exits are tried as the
/// two channels that a member starts with.
const START_CANDIDATES: usize = 12;

/// An announced open of the own node counts for a tenth more: small changes of the graph between two
/// plans do not turn it over.
const STICKINESS: u64 = 1_100_000;

/// Passes over the plan that look for something better in each place. The second one seldom finds any.
const SWAP_PASSES: usize = 2;

/// A node that the fleet could open to.
pub(super) struct Candidate {
    pub(super) id: NodeId,
    pub(super) public: Sat,
    pub(super) reach: Reach,
    /// Millionths by which observations multiply its worth.
    pub(super) evidence: u32,
}

/// A channel that the plan has somebody open.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) member: usize,
    pub(super) candidate: usize,
    pub(super) capacity: Sat,
    /// Payments won of the sample, [`SURE`] each, after evidence and liquidity.
    pub(super) gain: u64,
    /// Payments of the sample that become cheaper.
    pub(super) payments: u32,
    /// The other channel of a pair start, which earns only with this one.
    pub(super) partner: Option<usize>,
    /// The next best target for the same member and its gain.
    pub(super) runner_up: Option<(usize, u64)>,
}

pub(super) struct Planner<'a> {
    pub(super) graph: &'a Graph,
    pub(super) scene: &'a Scene,
    pub(super) config: &'a PlannerConfig,
    pub(super) weighing: &'a Weighing<'a>,
    pub(super) candidates: Vec<Candidate>,
    pub(super) board: Board,
    pub(super) means: Vec<Means>,
    pub(super) planned: Vec<Planned>,
}

/// One offer in a round: what a member gains by a candidate.
#[derive(Clone, Copy)]
struct Offer {
    member: usize,
    candidate: usize,
    capacity: Sat,
    gain: u64,
    payments: u32,
}

impl Planner<'_> {
    /// Runs until nobody can or wants to open more, or the budget of work ends.
    pub(super) fn run(&mut self, work: &mut Work) {
        while work.has(self.config) {
            let single = self.best_single(work);
            let pair = self.best_start(work);
            let worth = |offers: &[Offer]| offers.iter().map(|offer| offer.gain).sum::<u64>();
            let single_worth = single.as_ref().map_or(0, |(offer, _)| offer.gain);
            match (single, pair) {
                (_, Some(pair)) if worth(&pair) / 2 > single_worth => self.take_pair(pair, work),
                (Some((offer, runner_up)), _) => self.take(offer, None, runner_up, work),
                _ => break,
            }
        }
        for _ in 0..SWAP_PASSES {
            if !self.swap_all(work) {
                break;
            }
        }
    }

    /// The capacity that a member would give a candidate now; `None` when it cannot or may not.
    fn capacity(&self, member: usize, candidate: &Candidate) -> Option<Sat> {
        let means = &self.means[member];
        let taken = self.planned.iter();
        let taken = taken.map(|planned| self.candidates[planned.candidate].id);
        let free = means.slots > 0
            && !self.scene.paired.contains(&(member, candidate.id))
            && taken.into_iter().all(|id| id != candidate.id);
        free.then_some(())?;
        let held = self.scene.holdings(&candidate.id);
        let room = room(candidate.public, held, self.config.share_cap).get();
        let even = means.capital / u64::from(means.slots);
        let wanted = even.max(means.channel_min).min(means.channel_max);
        let capacity = wanted.min(means.capital).min(room);
        (capacity >= means.channel_min).then(|| Sat::new(capacity))
    }

    fn offer(&self, member: usize, place: usize, work: &mut Work) -> Option<(Offer, Ends)> {
        let candidate = &self.candidates[place];
        let capacity = self.capacity(member, candidate)?;
        let ends = self.weighing.planned(&candidate.reach, capacity);
        let (gain, payments) = self.board.gain(member, &ends);
        work.compare(self.board.pairs.len());
        let offer = Offer {
            member,
            candidate: place,
            capacity,
            gain: self.adjusted(member, place, capacity, gain),
            payments,
        };
        Some((offer, ends))
    }

    /// A gain after evidence, liquidity and, for the own node's announced opens, constancy.
    fn adjusted(&self, member: usize, place: usize, capacity: Sat, gain: u64) -> u64 {
        let candidate = &self.candidates[place];
        let own = member == self.scene.me && self.scene.own_intents.contains(&candidate.id);
        let constancy = if own { STICKINESS } else { 1_000_000 };
        let factors = [
            u64::from(candidate.evidence),
            u64::from(liquidity(self.config, capacity).get()),
            constancy,
        ];
        let scaled = factors.iter().fold(u128::from(gain), |gain, factor| {
            gain * u128::from(*factor) / 1_000_000
        });
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }

    /// The best offer that pays for itself, and the same member's next best target.
    fn best_single(&self, work: &mut Work) -> Option<(Offer, Option<(usize, u64)>)> {
        let mut best: Option<Offer> = None;
        let mut second: BTreeMap<usize, Vec<(usize, u64)>> = BTreeMap::new();
        for member in 0..self.means.len() {
            if self.means[member].slots == 0 || self.board.is_cut_off(member) {
                continue;
            }
            for place in 0..self.candidates.len() {
                let Some((offer, _)) = self.offer(member, place, work) else {
                    continue;
                };
                if !self.pays(offer.gain, 1) {
                    continue;
                }
                let offers = second.entry(member).or_default();
                offers.push((place, offer.gain));
                if best.is_none_or(|best| offer.gain > best.gain) {
                    best = Some(offer);
                }
            }
        }
        let best = best?;
        let others = second.remove(&best.member).unwrap_or_default().into_iter();
        let others = others.filter(|(place, _)| *place != best.candidate);
        let runner_up = others.max_by_key(|(place, gain)| (*gain, core::cmp::Reverse(*place)));
        Some((best, runner_up))
    }

    /// The best two channels for a member by which nothing passes yet.
    fn best_start(&self, work: &mut Work) -> Option<[Offer; 2]> {
        let mut best: Option<[Offer; 2]> = None;
        for member in 0..self.means.len() {
            let means = &self.means[member];
            let able = means.slots >= 2 && means.capital / 2 >= means.channel_min;
            if !able || !self.board.is_cut_off(member) {
                continue;
            }
            let offers = self.start_offers(member, work);
            for (place, (one, one_ends)) in offers.iter().enumerate() {
                for (two, two_ends) in &offers[place + 1..] {
                    if !work.has(self.config) {
                        return best;
                    }
                    let both = self.both(one, one_ends, two, two_ends, work);
                    let gain = both[0].gain + both[1].gain;
                    let so_far = best.map_or(0, |best| best[0].gain + best[1].gain);
                    if gain > so_far && self.pays(gain, 2) {
                        best = Some(both);
                    }
                }
            }
        }
        best
    }

    /// Two offers taken together, the gain halved between them.
    fn both(
        &self,
        one: &Offer,
        one_ends: &Ends,
        two: &Offer,
        two_ends: &Ends,
        work: &mut Work,
    ) -> [Offer; 2] {
        let mut ends = one_ends.clone();
        ends.join(two_ends);
        let (gain, payments) = self.board.gain(one.member, &ends);
        work.compare(2 * self.board.pairs.len());
        let half = |offer: &Offer| Offer {
            gain: self.adjusted(offer.member, offer.candidate, offer.capacity, gain / 2),
            payments,
            ..*offer
        };
        [half(one), half(two)]
    }

    /// Candidates that bring payments in, or out, most cheaply if the other side were as good as the
    /// best of all.
    fn start_offers(&self, member: usize, work: &mut Work) -> Vec<(Offer, Ends)> {
        let places = 0..self.candidates.len();
        let offers: Vec<(Offer, Ends)> = places
            .filter_map(|place| self.offer(member, place, work))
            .collect();
        let mut ideal = Ends::far(self.board.pairs.len());
        offers.iter().for_each(|(_, ends)| ideal.join(ends));
        let promise = |ends: &Ends, arriving: bool| {
            let tried = match arriving {
                true => (&ends.arrive, &ideal.depart),
                false => (&ideal.arrive, &ends.depart),
            };
            self.board.promise(tried.0, tried.1)
        };
        let mut chosen = std::collections::BTreeSet::new();
        for arriving in [true, false] {
            let ranked = offers.iter().enumerate();
            let mut ranked: Vec<(u64, usize)> = ranked
                .map(|(place, (_, ends))| (promise(ends, arriving), place))
                .collect();
            ranked.sort_by_key(|(promise, place)| (core::cmp::Reverse(*promise), *place));
            chosen.extend(
                ranked
                    .iter()
                    .take(START_CANDIDATES)
                    .map(|(_, place)| *place),
            );
        }
        work.compare(2 * offers.len() * self.board.pairs.len());
        let mut offers: Vec<Option<(Offer, Ends)>> = offers.into_iter().map(Some).collect();
        let chosen = chosen.into_iter();
        chosen
            .filter_map(|place| offers.get_mut(place)?.take())
            .collect()
    }

    fn take_pair(&mut self, [one, two]: [Offer; 2], work: &mut Work) {
        // The first channel changes what is left for the second, but leaves enough for it.
        self.take(one, Some(two.candidate), None, work);
        let fits = self.capacity(two.member, &self.candidates[two.candidate]);
        if let Some(capacity) = fits {
            self.take(Offer { capacity, ..two }, Some(one.candidate), None, work);
        }
    }

    fn take(
        &mut self,
        offer: Offer,
        partner: Option<usize>,
        runner_up: Option<(usize, u64)>,
        work: &mut Work,
    ) {
        let reach = &self.candidates[offer.candidate].reach;
        let ends = self.weighing.planned(reach, offer.capacity);
        self.board.attach(offer.member, &ends);
        work.compare(self.board.settling());
        let means = &mut self.means[offer.member];
        means.capital = means.capital.saturating_sub(offer.capacity.get());
        means.slots = means.slots.saturating_sub(1);
        self.planned.push(Planned {
            member: offer.member,
            candidate: offer.candidate,
            capacity: offer.capacity,
            gain: offer.gain,
            payments: offer.payments,
            partner,
            runner_up,
        });
    }

    /// Whether the gain earns the on-chain cost of so many opens back in time.
    fn pays(&self, gain: u64, opens: u64) -> bool {
        let earned = u128::from(self.per_day(gain).get()) * u128::from(self.config.payback_days);
        let cost = u128::from(self.scene.open_cost_msat().get()) * u128::from(opens);
        gain > 0 && earned >= cost
    }

    /// What the whole fleet earns in a day by the board as it stands.
    pub(super) fn revenue(&self) -> Msat {
        self.per_day(self.board.total())
    }

    /// A gain as revenue in a day.
    pub(super) fn per_day(&self, gain: u64) -> Msat {
        let fee = self.config.assumed_rate.fee_on(self.config.amount());
        let fee = fee
            .unwrap_or_default()
            .saturating_add(self.config.assumed_base);
        let payments = u128::from(self.config.payments_per_day) * u128::from(gain);
        let sample = u128::from(SURE) * self.board.pairs.len().max(1) as u128;
        let revenue = payments * u128::from(fee.get()) / sample;
        Msat::new(u64::try_from(revenue).unwrap_or(u64::MAX))
    }

    /// Takes each planned channel out in turn and puts the best one in its place; says whether
    /// anything changed.
    fn swap_all(&mut self, work: &mut Work) -> bool {
        let mut changed = false;
        for place in 0..self.planned.len() {
            if self.planned[place].partner.is_none() && work.has(self.config) {
                changed |= self.swap(place, work);
            }
        }
        changed
    }

    fn swap(&mut self, place: usize, work: &mut Work) -> bool {
        let old = self.planned.remove(place);
        let means = &mut self.means[old.member];
        means.capital += old.capacity.get();
        means.slots += 1;
        self.rebuild(work);
        let offers = (0..self.candidates.len())
            .filter_map(|candidate| self.offer(old.member, candidate, work))
            .map(|(offer, _)| offer);
        let best = offers.reduce(|best, offer| if offer.gain > best.gain { offer } else { best });
        let kept = self.offer(old.member, old.candidate, work);
        let kept = kept.map_or(0, |(offer, _)| offer.gain);
        let better = best.filter(|best| best.gain > kept && self.pays(best.gain, 1));
        let changed = better.is_some();
        let next = match better {
            Some(offer) => Planned {
                candidate: offer.candidate,
                capacity: offer.capacity,
                gain: offer.gain,
                payments: offer.payments,
                runner_up: Some((old.candidate, kept)),
                ..old
            },
            None => old,
        };
        let means = &mut self.means[next.member];
        means.capital = means.capital.saturating_sub(next.capacity.get());
        means.slots -= 1;
        self.planned.insert(place, next);
        self.rebuild(work);
        changed
    }

    fn rebuild(&mut self, work: &mut Work) {
        self.board.restore();
        for planned in &self.planned {
            let reach = &self.candidates[planned.candidate].reach;
            let ends = self.weighing.planned(reach, planned.capacity);
            self.board.join(planned.member, &ends);
            work.compare(self.board.pairs.len());
        }
        self.board.settle();
        work.compare(self.board.settling());
    }
}
