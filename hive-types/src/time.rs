//! Time as an argument: nothing in the pure crates reads a clock.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A span of time in milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(u64);

impl Millis {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Wraps milliseconds.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// From seconds, held at the largest span.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// From hours, held at the largest span.
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_secs(hours.saturating_mul(3600))
    }

    /// From days of 24 hours, held at the largest span.
    pub const fn from_days(days: u64) -> Self {
        Self::from_hours(days.saturating_mul(24))
    }

    /// Milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whole seconds.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            millis if millis < 1000 => write!(f, "{millis} ms"),
            millis if millis < 120_000 => write!(f, "{} s", millis / 1000),
            millis if millis < 7_200_000 => write!(f, "{} min", millis / 60_000),
            millis if millis < 172_800_000 => write!(f, "{} h", millis / 3_600_000),
            millis => write!(f, "{} days", millis / 86_400_000),
        }
    }
}

/// Milliseconds since this boot of the agent. Never goes back within a boot; all timers use it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Elapsed(u64);

impl Elapsed {
    /// The start of the boot.
    pub const ZERO: Self = Self(0);
    /// Later than anything.
    pub const NEVER: Self = Self(u64::MAX);

    /// Wraps milliseconds since boot.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since boot.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The moment `span` later, held at [`Elapsed::NEVER`].
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span since `earlier`, zero when that lies ahead.
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// The wall clock: milliseconds since 1970-01-01 UTC. For display, for the expiry of outside things
/// and for spending windows. No order and no membership depends on it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// Wraps milliseconds since 1970.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The moment `span` later, held at the largest one.
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span since `earlier`, zero when that lies ahead.
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// Which run of the agent this is; the store counts them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BootId(u64);

impl BootId {
    /// Wraps the count of boots.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The count of boots.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The moment at which the state machine is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The wall clock, which may be wrong and may go back.
    pub wall: UnixMillis,
    /// Time since boot, which never goes back within `boot`.
    pub elapsed: Elapsed,
    /// The run of the agent that `elapsed` belongs to.
    pub boot: BootId,
}
