//! How long to wait for a node that does not answer.

use hive_types::Millis;
use hive_types::limits::{BACKEND_RETRY, BACKEND_RETRY_MAX};

/// The wait before each next try: twice as long each time, up to a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patience {
    tries: u32,
}

impl Patience {
    /// How long to wait now.
    pub fn next_wait(&mut self) -> Millis {
        let doubled = BACKEND_RETRY.get().checked_shl(self.tries);
        self.tries = self.tries.saturating_add(1).min(32);
        let most = BACKEND_RETRY_MAX.get();
        Millis::new(doubled.unwrap_or(most).min(most))
    }
}
