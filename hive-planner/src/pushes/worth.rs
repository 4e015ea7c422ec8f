//! What liquidity on a member's side of a channel is worth: much when the channel is about to run dry,
//! little or nothing when there is plenty.
//!
//! An msat that can be sent earns the member's rate once it is forwarded. How soon that happens decides
//! what it is worth now: what goes within a day counts in full, within three days two thirds of it,
//! within a week one third, what lasts longer nothing. Where no drain is known, shares of the capacity
//! stand in: full worth up to the low water mark, one third at last up to where refills end. So worth
//! falls with every msat that is there already: filling gains less and less, draining costs more and
//! more, and both are convex in the amount.
//!
//! Filling counts as a gain only where a channel runs low: dry within three days, or under the low water
//! mark where no drain is known. It is then filled further than that, so that pushes are few and large.

use super::channel::ChannelState;
use super::share_of;
use crate::config::PlannerConfig;
use hive_types::{Msat, Ppm, Sat};

/// Days until an msat is forwarded, for each of three parts of its worth.
const DRAIN_DAYS: [i64; 3] = [1, 3, 7];

/// The payment over which a member's base fee is spread to a rate: about the mean that was routed in
/// August 2023 (River, "The Lightning Network grew by 1212 %").
const USUAL_PAYMENT: Msat = Msat::new(50_000_000);

/// Rates above all of the amount count as that: nobody pays them, and costs stay in range.
const RATE_MAX: Ppm = Ppm::ONE;

/// Billionths of an msat per msat, the unit of the circulation's costs: fine enough for base fees
/// spread over large amounts.
pub(super) const PPB_PER_PPM: i64 = 1_000;

/// The worth of an owner's side by how much is on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Worth {
    /// What an msat earns when it is forwarded, in billionths.
    rate_ppb: i64,
    /// Up to the first level an msat is worth its whole rate, up to the second two thirds, up to the
    /// third one third, beyond nothing. In msat.
    levels: [i64; 3],
    /// Whether it is low enough to be filled.
    runs_low: bool,
}

/// How much of the pair's liquidity there is: parallel channels serve the same demand, and their peer
/// may use any of them (non-strict forwarding, BOLT 4).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub(super) capacity: Sat,
    pub(super) spendable: Msat,
    pub(super) drain_msat_per_day: Option<i64>,
}

impl Pair {
    /// Adds a channel of the same pair, as the owner on that side sees it.
    pub(super) fn add(&mut self, channel: &ChannelState, owner: usize) {
        let Some(side) = channel.sides.get(owner) else {
            return;
        };
        self.capacity = self.capacity.saturating_add(channel.capacity);
        self.spendable = self
            .spendable
            .saturating_add(side.spendable.unwrap_or_default());
        let drains = (self.drain_msat_per_day, side.drain_msat_per_day);
        self.drain_msat_per_day = match drains {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
    }
}

impl Pair {
    /// A level of the pair as one of this channel, which has its part, by capacity, in what all of them
    /// have too little or too much. For the pair's only channel it is the level itself.
    fn part_of(&self, level: i64, channel: &ChannelState, spendable: Msat) -> i64 {
        let apart = i128::from(level) - i128::from(amount(self.spendable));
        let whole = i128::from(self.capacity.get().max(1));
        let part = apart * i128::from(channel.capacity.get()) / whole;
        let level = i128::from(amount(spendable)) + part;
        i64::try_from(level.max(0)).unwrap_or(i64::MAX)
    }
}

impl Worth {
    /// The worth of what `owner` can send over the channel, which is one of the pair's.
    pub(super) fn of(
        channel: &ChannelState,
        owner: usize,
        pair: &Pair,
        config: &PlannerConfig,
    ) -> Self {
        let Some(side) = channel.sides.get(owner) else {
            return Self::default();
        };
        let spendable = side.spendable.unwrap_or_default();
        let rate = match side.policy {
            Some(policy) => spread(policy.base, policy.rate),
            None => spread(config.assumed_base, config.assumed_rate),
        };
        Self {
            rate_ppb: i64::from(rate.min(RATE_MAX).get()) * PPB_PER_PPM,
            levels: levels(pair, config).map(|level| pair.part_of(level, channel, spendable)),
            runs_low: runs_low(pair, config),
        }
    }

    /// What it is worth to have `to` instead of `from`, in msat times 10^9.
    pub(super) fn between(&self, from: i64, to: i64) -> i128 {
        match to > from && !self.runs_low {
            true => 0,
            false => self.up_to(to) - self.up_to(from),
        }
    }

    fn up_to(&self, there: i64) -> i128 {
        let thirds: i64 = self.levels.iter().map(|level| there.min(*level)).sum();
        i128::from(thirds) * i128::from(self.rate_ppb) / 3
    }

    /// How much more there could be before another msat is worth nothing.
    pub(super) fn wanted(&self, there: i64) -> i64 {
        let [.., last] = self.levels;
        match self.rate_ppb > 0 && self.runs_low {
            true => (last - there).max(0),
            false => 0,
        }
    }

    /// Widths and the worth of each msat in them, in billionths, for `room` more than `there`: the first
    /// is worth most.
    pub(super) fn filling(&self, there: i64, room: i64) -> [(i64, i64); 4] {
        let mut at = there;
        let end = there.saturating_add(room);
        let steps = [self.levels[0], self.levels[1], self.levels[2], end];
        let mut parts = 4;
        steps.map(|level| {
            let next = level.clamp(at, end);
            parts -= 1;
            let worth = if self.runs_low {
                self.rate_ppb * parts / 3
            } else {
                0
            };
            let step = (next - at, worth);
            at = next;
            step
        })
    }

    /// The same for `room` less than `there`: the first is worth least.
    pub(super) fn draining(&self, there: i64, room: i64) -> [(i64, i64); 4] {
        let mut at = there;
        let end = there.saturating_sub(room);
        let steps = [self.levels[2], self.levels[1], self.levels[0], end];
        let mut parts = -1;
        steps.map(|level| {
            let next = level.clamp(end, at);
            parts += 1;
            let step = (at - next, self.rate_ppb * parts / 3);
            at = next;
            step
        })
    }
}

/// The levels of a whole pair. Under the low water mark shares count as well as drains: a channel that
/// is dry shows no drain.
fn levels(pair: &Pair, config: &PlannerConfig) -> [i64; 3] {
    let whole = pair.capacity;
    let (low, full) = (config.low_water, config.refill_to.max(config.low_water));
    let middle = Ppm::new(low.get() / 2 + full.get() / 2);
    let by_share = [low, middle, full].map(|share| amount(share_of(whole, share)));
    match pair.drain_msat_per_day {
        None | Some(0) => by_share,
        Some(drain) if drain < 0 => [0; 3],
        Some(drain) => {
            let mark = share_of(whole, low);
            let most = amount(whole.to_msat_saturating().saturating_sub(mark));
            let by_drain = DRAIN_DAYS.map(|days| drain.saturating_mul(days).min(most));
            match is_under_mark(pair, config) {
                true => [0, 1, 2].map(|place: usize| by_drain[place].max(by_share[place])),
                false => by_drain,
            }
        }
    }
}

/// Whether a pair needs more than it has: less than the second level of the drain, or of the capacity
/// less than the low water mark.
fn runs_low(pair: &Pair, config: &PlannerConfig) -> bool {
    let there = amount(pair.spendable);
    match pair.drain_msat_per_day {
        Some(drain) if drain < 0 => false,
        Some(drain) if there < drain.saturating_mul(DRAIN_DAYS[1]) => true,
        _ => is_under_mark(pair, config),
    }
}

fn is_under_mark(pair: &Pair, config: &PlannerConfig) -> bool {
    pair.spendable < share_of(pair.capacity, config.low_water)
}

/// A base and a rate as one rate on the usual payment.
fn spread(base: Msat, rate: Ppm) -> Ppm {
    let of_base = Ppm::of(base.get(), USUAL_PAYMENT.get());
    Ppm::new(rate.get().saturating_add(of_base.get()))
}

/// An amount as the circulation counts it; more than all bitcoin counts as the most that it takes.
pub(super) fn amount(msat: Msat) -> i64 {
    i64::try_from(msat.get()).map_or(crate::circulation::AMOUNT_MAX / 8, |msat| {
        msat.min(crate::circulation::AMOUNT_MAX / 8)
    })
}
