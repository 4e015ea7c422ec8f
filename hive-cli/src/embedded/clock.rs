//! Virtual time, and the clocks that members read it by.

use async_trait::async_trait;
use hive_node::clock::Clock;
use hive_types::{BootId, Elapsed, Millis, Now, UnixMillis};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Ground;

/// A moment that moves only when it is told to, and who waits for which.
pub(crate) struct VirtualTime(Mutex<Inner>);

struct Inner {
    now: UnixMillis,
    sleeps: u64,
    sleepers: BTreeMap<(UnixMillis, u64), Waker>,
}

impl VirtualTime {
    pub(crate) fn new(now: UnixMillis) -> Self {
        Self(Mutex::new(Inner {
            now,
            sleeps: 0,
            sleepers: BTreeMap::new(),
        }))
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.inner().now
    }

    /// The first moment that somebody waits for.
    pub(crate) fn next_sleeper(&self) -> Option<UnixMillis> {
        let inner = self.inner();
        let first = inner.sleepers.first_key_value();
        first.map(|((moment, _), _)| *moment)
    }

    /// Moves on to a moment and wakes who waits for it. Time never goes back.
    pub(crate) fn set(&self, moment: UnixMillis) {
        let mut inner = self.inner();
        inner.now = inner.now.max(moment);
        let first_later = (UnixMillis::new(inner.now.get() + 1), 0);
        let later = inner.sleepers.split_off(&first_later);
        let due = std::mem::replace(&mut inner.sleepers, later);
        drop(inner);
        due.into_values().for_each(Waker::wake);
    }

    /// Waits for a moment.
    pub(crate) const fn sleep_until(&self, moment: UnixMillis) -> Sleep<'_> {
        Sleep {
            time: self,
            moment,
            number: None,
        }
    }

    /// Waits for a while.
    pub(crate) async fn sleep(&self, span: Millis) {
        self.sleep_until(self.now().plus(span)).await;
    }

    /// Every statement leaves it whole.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a moment; gone from the list of sleepers when dropped.
pub(crate) struct Sleep<'a> {
    time: &'a VirtualTime,
    moment: UnixMillis,
    number: Option<u64>,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.time.inner();
        if inner.now >= self.moment {
            return Poll::Ready(());
        }
        let number = self.number.unwrap_or_else(|| {
            inner.sleeps += 1;
            inner.sleeps
        });
        let waker = context.waker().clone();
        inner.sleepers.insert((self.moment, number), waker);
        drop(inner);
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.time.inner().sleepers.remove(&(self.moment, number));
        }
    }
}

/// The clock of one run of one member's agent.
pub(crate) struct MemberClock {
    ground: Arc<Ground>,
    start: UnixMillis,
    boot: BootId,
}

impl MemberClock {
    /// A clock whose `elapsed` starts now.
    pub(crate) fn new(ground: Arc<Ground>, boot: BootId) -> Self {
        let start = ground.now();
        Self {
            ground,
            start,
            boot,
        }
    }
}

#[async_trait]
impl Clock for MemberClock {
    fn now(&self) -> Now {
        let wall = self.ground.now();
        Now {
            wall,
            elapsed: Elapsed::new(wall.get() - self.start.get()),
            boot: self.boot,
        }
    }

    async fn sleep_until(&self, moment: Elapsed) {
        let moment = match self.start.get().checked_add(moment.get()) {
            Some(millis) if moment != Elapsed::NEVER => UnixMillis::new(millis),
            _ => return std::future::pending().await,
        };
        self.ground.time().sleep_until(moment).await;
    }
}
