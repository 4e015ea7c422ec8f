//! Clocks. The state machine takes time as an argument; here is where it is read.

use async_trait::async_trait;
use hive_types::{BootId, Elapsed, Millis, Now, UnixMillis};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::Instant;

/// Where a driver reads the time and waits for a moment.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The moment, `elapsed` never earlier than in any call before.
    fn now(&self) -> Now;

    /// Returns once [`Clock::now`] has reached `moment`; never for [`Elapsed::NEVER`].
    /// Cancel safe.
    async fn sleep_until(&self, moment: Elapsed);
}

/// The machine's clocks: the monotonic one for `elapsed`, the wall clock for `wall`.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
    boot: BootId,
}

impl SystemClock {
    /// A clock whose `elapsed` starts now.
    pub fn new(boot: BootId) -> Self {
        let start = Instant::now();
        Self { start, boot }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now {
            wall: wall(),
            elapsed: Elapsed::new(millis(self.start.elapsed())),
            boot: self.boot,
        }
    }

    async fn sleep_until(&self, moment: Elapsed) {
        // A sum that does not fit lies beyond the life of the machine.
        match self.start.checked_add(Duration::from_millis(moment.get())) {
            Some(instant) if moment != Elapsed::NEVER => tokio::time::sleep_until(instant).await,
            _ => std::future::pending().await,
        }
    }
}

/// A clock that runs faster than the machine's: simulated hours in seconds, for the demo.
#[derive(Clone, Copy, Debug)]
pub struct ScaledClock {
    start: Instant,
    wall: UnixMillis,
    factor: u32,
    boot: BootId,
}

impl ScaledClock {
    /// A clock that starts at `wall` and counts `factor` milliseconds in each one that passes.
    /// A factor of zero counts as one.
    pub fn new(boot: BootId, wall: UnixMillis, factor: u32) -> Self {
        Self::starting_at(Instant::now(), boot, wall, factor)
    }

    /// As [`ScaledClock::new`], counting from `start`: clocks that share it agree, whenever they
    /// were made.
    pub fn starting_at(start: Instant, boot: BootId, wall: UnixMillis, factor: u32) -> Self {
        let factor = factor.max(1);
        Self {
            start,
            wall,
            factor,
            boot,
        }
    }
}

#[async_trait]
impl Clock for ScaledClock {
    fn now(&self) -> Now {
        // Microseconds first: a large factor would otherwise move in leaps.
        let micros = self.start.elapsed().as_micros() * u128::from(self.factor);
        let elapsed = u64::try_from(micros / 1000).unwrap_or(u64::MAX);
        Now {
            wall: self.wall.plus(Millis::new(elapsed)),
            elapsed: Elapsed::new(elapsed),
            boot: self.boot,
        }
    }

    async fn sleep_until(&self, moment: Elapsed) {
        if moment == Elapsed::NEVER {
            return std::future::pending().await;
        }
        let micros = u128::from(moment.get()) * 1000;
        let real = micros.div_ceil(u128::from(self.factor));
        let real = Duration::from_micros(u64::try_from(real).unwrap_or(u64::MAX));
        match self.start.checked_add(real) {
            Some(instant) => tokio::time::sleep_until(instant).await,
            None => std::future::pending().await,
        }
    }
}

/// A clock that moves only when told to, for tests and for worlds with virtual time.
#[derive(Debug)]
pub struct ManualClock {
    elapsed: watch::Sender<Elapsed>,
    wall: Mutex<UnixMillis>,
    boot: BootId,
}

impl ManualClock {
    /// A clock that stands at the start of `boot`.
    pub fn new(boot: BootId, wall: UnixMillis) -> Self {
        Self {
            elapsed: watch::Sender::new(Elapsed::ZERO),
            wall: Mutex::new(wall),
            boot,
        }
    }

    /// Moves both clocks forward and wakes who waits.
    pub fn advance(&self, span: Millis) {
        self.set_wall(self.now().wall.plus(span));
        self.elapsed
            .send_modify(|elapsed| *elapsed = elapsed.plus(span));
    }

    /// Sets the wall clock alone, forward or back.
    pub fn set_wall(&self, wall: UnixMillis) {
        *lock(&self.wall) = wall;
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Now {
        Now {
            wall: *lock(&self.wall),
            elapsed: *self.elapsed.borrow(),
            boot: self.boot,
        }
    }

    async fn sleep_until(&self, moment: Elapsed) {
        if moment == Elapsed::NEVER {
            return std::future::pending().await;
        }
        let mut elapsed = self.elapsed.subscribe();
        // An error means that the sender is gone; it lives as long as `self`.
        let _ = elapsed.wait_for(|elapsed| *elapsed >= moment).await;
    }
}

/// The machine's wall clock, whatever clock a driver goes by; 1970 on a machine whose clock stands before that.
pub fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixMillis::new(millis(since.unwrap_or_default()))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A plain value is whole even if a thread panicked while holding it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const BOOT: BootId = BootId::new(3);

    #[tokio::test(start_paused = true)]
    async fn system_clock_wakes_at_the_moment() {
        let clock = SystemClock::new(BOOT);
        assert_eq!(clock.now().boot, BOOT);
        clock.sleep_until(Elapsed::new(5_000)).await;
        assert!(clock.now().elapsed >= Elapsed::new(5_000));
        let forever = clock.sleep_until(Elapsed::NEVER);
        let day = Duration::from_secs(86_400);
        assert!(tokio::time::timeout(day, forever).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn scaled_clock_runs_faster() {
        let clock = ScaledClock::new(BOOT, UnixMillis::new(1_000), 3_600);
        let start = Instant::now();
        clock.sleep_until(Elapsed::new(3_600_000)).await;
        assert!(clock.now().elapsed >= Elapsed::new(3_600_000));
        assert!(clock.now().wall >= UnixMillis::new(3_601_000));
        assert!(start.elapsed() < Duration::from_millis(1_010));
    }

    #[tokio::test]
    async fn manual_clock_moves_when_told_to() {
        let clock = Arc::new(ManualClock::new(BOOT, UnixMillis::new(10)));
        let waiting = clock.clone();
        let sleeper = tokio::spawn(async move { waiting.sleep_until(Elapsed::new(50)).await });
        clock.advance(Millis::new(49));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.set_wall(UnixMillis::new(5));
        clock.advance(Millis::new(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now().elapsed, Elapsed::new(50));
        assert_eq!(clock.now().wall, UnixMillis::new(6));
    }
}
