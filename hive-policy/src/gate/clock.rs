//! Time for windows that never reopen.

use hive_types::{BootId, Elapsed, Now, UnixMillis, limits::GATE_CLOCK_STEP};
use serde::{Deserialize, Serialize};

/// Where the gate's clock stood, for the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockMark {
    /// Gate time.
    pub gate: UnixMillis,
    /// The latest wall time ever read.
    pub wall: UnixMillis,
}

/// Gate time: begins at the first wall time and never goes back.
///
/// Within a boot only `elapsed` moves it: a wall clock that is set forward opens no window early, one
/// that is set back opens none again. Between boots it moves by what the wall clock gained on the
/// latest wall time ever read, and not at all when the wall clock lost.
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
            _ => now.wall.since(self.mark.wall),
        };
        self.mark.gate.plus(gained)
    }

    /// Moves to `now` and gives gate time.
    pub(super) fn advance(&mut self, now: Now) -> UnixMillis {
        self.mark = ClockMark {
            gate: self.at(now),
            wall: self.mark.wall.max(now.wall),
        };
        let elapsed = match self.anchor {
            Some((boot, elapsed)) if boot == now.boot => elapsed.max(now.elapsed),
            _ => now.elapsed,
        };
        self.anchor = Some((now.boot, elapsed));
        self.mark.gate
    }

    /// The mark to store, when the stored one is too old or `force` asks for it.
    pub(super) fn unstored(&mut self, force: bool) -> Option<ClockMark> {
        let stale = self.mark.gate.since(self.stored.gate) >= GATE_CLOCK_STEP
            || self.mark.wall.since(self.stored.wall) >= GATE_CLOCK_STEP;
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
}
