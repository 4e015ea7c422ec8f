//! Time for windows that never reopen.

use hive_types::{
    BootId, Elapsed, Millis, Now, UnixMillis,
    limits::{GATE_CLOCK_SKEW, GATE_CLOCK_STEP},
};
use serde::{Deserialize, Serialize};

/// Where the gate's clock stood, for the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockMark {
    /// Gate time.
    pub gate: UnixMillis,
    /// The latest wall time ever read, moved along with gate time since.
    pub wall: UnixMillis,
    /// Whether this boot began with a wall clock behind that. How long the agent was down is then
    /// not known, nor by how much the wall clock will be set right.
    #[serde(default)]
    pub unsure: bool,
}

/// Gate time: begins at the first wall time and never goes back.
///
/// Within a boot only `elapsed` moves it: a wall clock that is set forward opens no window early, one
/// that is set back opens none again. Between boots it moves by what the wall clock gained on the
/// latest wall time ever read, moved along, so no span is counted twice, whatever the wall clock did
/// meanwhile. Where the wall clock is behind that, the time between the boots is not counted at all,
/// neither before this boot nor before the next: a limit may then hold for longer than it says.
///
/// What nobody can tell is a clock that was wrong from the beginning, or one that lost a part of the
/// time between two boots, from a shorter stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    mark: ClockMark,
    stored: ClockMark,
    anchor: Option<(BootId, Elapsed)>,
}

impl Clock {
    pub(super) const fn restore(mark: ClockMark) -> Self {
        Self {
            mark,
            stored: mark,
            anchor: None,
        }
    }

    /// Gate time at `now`.
    pub(super) fn at(&self, now: Now) -> UnixMillis {
        let gained = match self.anchor {
            Some((boot, elapsed)) if boot == now.boot => now.elapsed.since(elapsed),
            _ if self.mark.unsure => Millis::ZERO,
            _ => now.wall.since(self.mark.wall),
        };
        self.mark.gate.plus(gained)
    }

    /// Moves to `now` and gives gate time.
    pub(super) fn advance(&mut self, now: Now) -> UnixMillis {
        let gate = self.at(now);
        let along = self.mark.wall.plus(gate.since(self.mark.gate));
        let (elapsed, unsure) = match self.anchor {
            Some((boot, elapsed)) if boot == now.boot => {
                (elapsed.max(now.elapsed), self.mark.unsure)
            }
            _ => (now.elapsed, now.wall < self.mark.wall),
        };
        self.mark = ClockMark {
            gate,
            wall: along.max(now.wall),
            unsure,
        };
        self.anchor = Some((now.boot, elapsed));
        self.mark.gate
    }

    /// The mark to store, when the stored one is too old or `force` asks for it.
    pub(super) fn unstored(&mut self, force: bool) -> Option<ClockMark> {
        let skew = |mark: ClockMark| mark.wall.since(mark.gate);
        let stale = self.mark.unsure != self.stored.unsure
            || self.mark.gate.since(self.stored.gate) >= GATE_CLOCK_STEP
            || skew(self.mark).get() >= skew(self.stored).get() + GATE_CLOCK_SKEW.get();
        if self.mark == self.stored || !(stale || force) {
            return None;
        }
        self.stored = self.mark;
        Some(self.mark)
    }

    pub(super) const fn mark(&self) -> ClockMark {
        self.mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(boot: u64, wall: u64, elapsed: u64) -> Now {
        Now {
            wall: UnixMillis::new(wall),
            elapsed: Elapsed::new(elapsed),
            boot: BootId::new(boot),
        }
    }

    #[test]
    fn a_stepped_wall_clock_moves_nothing_within_a_boot() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(now(1, 1_000, 5)).get(), 1_000);
        assert_eq!(clock.advance(now(1, 9_000_000, 15)).get(), 1_010);
        assert_eq!(clock.advance(now(1, 0, 25)).get(), 1_020);
        assert_eq!(clock.advance(now(1, 0, 20)).get(), 1_020);
    }

    #[test]
    fn between_boots_only_a_gain_on_the_latest_wall_time_counts() {
        let mut clock = Clock::default();
        clock.advance(now(1, 1_000, 0));
        clock.advance(now(1, 5_000, 10));
        let mut back = Clock::restore(clock.mark());
        assert_eq!(back.advance(now(2, 2_000, 0)).get(), 1_010);
        let mut forth = Clock::restore(clock.mark());
        assert_eq!(forth.advance(now(2, 6_000, 0)).get(), 2_010);
    }

    #[test]
    fn no_span_counts_twice_when_the_wall_clock_was_behind_for_a_while() {
        let mut clock = Clock::default();
        clock.advance(now(1, 1_000_000, 0));
        clock.advance(now(1, 500, 7_000));
        let mut restored = Clock::restore(clock.mark());
        assert_eq!(restored.advance(now(2, 1_007_000, 0)).get(), 1_007_000);
    }

    #[test]
    fn what_a_clock_that_was_behind_gains_between_boots_does_not_count() {
        let mut clock = Clock::default();
        clock.advance(now(1, 1_000_000, 0));
        // Down for a long time, and the wall clock starts behind; something is spent here.
        let mut behind = Clock::restore(clock.mark());
        let spent = behind.advance(now(2, 999_000, 0));
        // Down again for a second, and the wall clock is set right meanwhile.
        let mut right = Clock::restore(behind.mark());
        assert_eq!(right.advance(now(3, 90_000_000, 0)), spent);
        // From here on the wall clock is as good as before.
        let mut next = Clock::restore(right.mark());
        assert_eq!(
            next.advance(now(4, 90_005_000, 0)).get(),
            spent.get() + 5_000
        );
    }

    #[test]
    fn a_step_is_stored_at_once_and_plain_time_now_and_then() {
        let mut clock = Clock::default();
        clock.advance(now(1, 1_000_000, 0));
        assert!(clock.unstored(true).is_some());
        clock.advance(now(1, 1_060_000, 60_000));
        assert_eq!(clock.unstored(false), None);
        clock.advance(now(1, 1_063_000, 61_000));
        assert!(clock.unstored(false).is_some());
        clock.advance(now(1, 1_063_000, 61_000 + GATE_CLOCK_STEP.get()));
        assert!(clock.unstored(false).is_some());
    }
}
