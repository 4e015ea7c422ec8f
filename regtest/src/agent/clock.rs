//! The clock that agents share.

use crate::failure::{Context, Outcome};
use hive_node::clock::{Clock, ScaledClock};
use hive_types::{BootId, Millis, UnixMillis};
use std::env;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The variable that says how fast agents' clocks run.
pub(crate) const SPEED: &str = "HIVE_REGTEST_SPEED";

/// How fast they run without it: a minute each second.
const DEFAULT_SPEED: u32 = 60;

/// A clock that runs faster than the machine's and that all agents of a world share: written as
/// `<speed>@<milliseconds>`, the moment from which it runs fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedClock {
    speed: u32,
    origin: UnixMillis,
}

impl SharedClock {
    /// A clock that begins now, as fast as the environment says.
    ///
    /// # Errors
    /// When that is no speed.
    pub(crate) fn from_environment() -> Outcome<Self> {
        let speed = match env::var(SPEED) {
            Ok(text) => text.parse().during(SPEED)?,
            Err(_) => DEFAULT_SPEED,
        };
        let origin = machine_time();
        Ok(Self { speed, origin })
    }

    /// How many seconds pass in one.
    pub fn speed(&self) -> u32 {
        self.speed
    }

    /// The same wall time, at another speed from now on. A speed of one or none shows the machine's time.
    pub(crate) fn at_speed(self, speed: u32) -> Self {
        let (real, shown) = (machine_time(), self.shown());
        // What the new clock must have begun at to show this now.
        let ahead = shown.since(real).get() / u64::from(speed.max(2) - 1);
        Self {
            speed,
            origin: UnixMillis::new(real.get().saturating_sub(ahead)),
        }
    }

    fn shown(self) -> UnixMillis {
        let real = machine_time().since(self.origin).get();
        let passed = Millis::new(real.saturating_mul(self.speed.into()));
        self.origin.plus(passed)
    }

    /// The clock of an agent that begins a boot now. All show the same wall time.
    pub(crate) fn at(self, boot: BootId) -> Arc<dyn Clock> {
        Arc::new(ScaledClock::new(boot, self.shown(), self.speed))
    }
}

impl fmt::Display for SharedClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.speed, self.origin.get())
    }
}

impl FromStr for SharedClock {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (speed, origin) = text.split_once('@').unwrap_or((text, ""));
        Ok(Self {
            speed: speed.parse()?,
            origin: UnixMillis::new(origin.parse()?),
        })
    }
}

fn machine_time() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    UnixMillis::new(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_survives_its_text_and_runs_fast() {
        let clock = SharedClock {
            speed: 60,
            origin: UnixMillis::new(machine_time().get() - 10_000),
        };
        assert_eq!(clock.to_string().parse(), Ok(clock));
        assert!("60".parse::<SharedClock>().is_err());
        let faster = clock.at_speed(240);
        let apart = faster.shown().get().abs_diff(clock.shown().get());
        assert!(apart < 60_000, "{apart} ms apart");
        let shown = clock.at(BootId::new(1)).now().wall;
        assert!(
            shown >= clock.origin.plus(Millis::new(600_000)),
            "{shown:?}"
        );
    }
}
