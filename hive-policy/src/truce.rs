//! Withdrawn corridors: how long they excuse, and how two members that withdrew from each other find
//! back.
//!
//! A member that takes the free corridor from a fellow says so in a record, so that the fellow does not
//! blame it for the fee. That would be a licence to charge, so it is bounded: an excuse lasts
//! [`WITHDRAWAL_EXCUSE`] at a stretch and grows back over [`WITHDRAWAL_REST`] without a withdrawal.
//!
//! When both have withdrawn from each other, each waits for the other to be right first. So after a
//! [`TRUCE`] of it each takes its own blame back and asks what was agreed; who is wrong then is
//! suspected anew, and the next truce takes twice as long, up to [`TRUCE_MAX`].

use hive_types::limits::{FEE_UNDONE_MEMORY, TRUCE, TRUCE_MAX};
use hive_types::limits::{WITHDRAWAL_EXCUSE, WITHDRAWAL_REST};
use hive_types::{Millis, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was used of excuses and truces, by fellow. Counts time that this agent ran, so that no clock
/// can lengthen an excuse; a stored one goes on where it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truces(BTreeMap<NodeId, Truce>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Truce {
    /// Of the fellow's excuse.
    used: Millis,
    /// Time for which both have withdrawn.
    mutual: Millis,
    /// How long the next truce takes to come.
    wait: Millis,
    /// Time since the last withdrawal of either.
    quiet: Millis,
}

impl Default for Truce {
    fn default() -> Self {
        Self {
            used: Millis::ZERO,
            mutual: Millis::ZERO,
            wait: TRUCE,
            quiet: Millis::ZERO,
        }
    }
}

/// What holds towards a fellow after some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its withdrawal is excused.
    pub is_excused: bool,
    /// Both withdrew long enough: this member takes its blame back.
    pub is_truce: bool,
}

impl Truces {
    /// Counts `passed` for a fellow: whether it says that it withdrew from this member, and whether this
    /// member has withdrawn from it.
    pub fn pass(&mut self, fellow: NodeId, passed: Millis, by_it: bool, by_us: bool) -> Standing {
        if !by_it && !by_us && !self.0.contains_key(&fellow) {
            return Standing {
                is_excused: false,
                is_truce: false,
            };
        }
        let truce = self.0.entry(fellow).or_default();
        truce.count(passed, by_it);
        let is_excused = by_it && truce.used < WITHDRAWAL_EXCUSE;
        let is_truce = by_it && by_us && truce.count_mutual(passed);
        truce.quiet = match by_it || by_us {
            true => Millis::ZERO,
            false => plus(truce.quiet, passed),
        };
        if truce.used == Millis::ZERO && truce.quiet >= FEE_UNDONE_MEMORY {
            self.0.remove(&fellow);
        }
        Standing {
            is_excused,
            is_truce,
        }
    }

    /// Keeps what concerns these nodes only.
    pub fn retain(&mut self, is_kept: impl Fn(&NodeId) -> bool) {
        self.0.retain(|node, _| is_kept(node));
    }
}

impl Truce {
    fn count(&mut self, passed: Millis, by_it: bool) {
        self.used = if by_it {
            plus(self.used, passed).min(WITHDRAWAL_EXCUSE)
        } else {
            let back = u128::from(passed.get()) * u128::from(WITHDRAWAL_EXCUSE.get())
                / u128::from(WITHDRAWAL_REST.get());
            let back = u64::try_from(back).unwrap_or(u64::MAX);
            Millis::new(self.used.get().saturating_sub(back))
        };
    }

    fn count_mutual(&mut self, passed: Millis) -> bool {
        self.mutual = plus(self.mutual, passed);
        let is_over = self.mutual >= self.wait;
        if is_over {
            self.mutual = Millis::ZERO;
            self.wait = plus(self.wait, self.wait).min(TRUCE_MAX);
        }
        is_over
    }
}

const fn plus(one: Millis, other: Millis) -> Millis {
    Millis::new(one.get().saturating_add(other.get()))
}
