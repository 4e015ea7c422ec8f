//! Locks: who may open to a target, from when and until when.

use super::fold::Folded;
use hive_types::limits::{
    LOCK_BLOCKS, LOCK_FUNDED_BLOCKS, LOCK_HEIGHT_SLACK, LOCK_START_BLOCKS, LOCKS_PER_MEMBER,
};
use hive_types::{ActionId, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use hive_proto::Slot;

/// The exclusive right to open a channel to one target, as the chain granted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lock {
    /// Who may open.
    pub holder: NodeId,
    /// The holder's action.
    pub action: ActionId,
    /// The height that the lock names; every end of its life counts from it.
    pub height: BlockHeight,
    /// The decision that granted it.
    pub slot: Slot,
}

impl Lock {
    /// The height from which on the target is free without the holder's word.
    pub const fn until(&self, funding_published: bool) -> BlockHeight {
        if funding_published {
            self.height.plus(LOCK_FUNDED_BLOCKS)
        } else {
            self.height.plus(LOCK_BLOCKS)
        }
    }
}

/// Whether a target that is under `lock` is free for another one at height `now`: its channel was
/// seen, or the lock came to its end. A published funding makes the end later.
pub fn lock_is_free(
    lock: &Lock,
    now: BlockHeight,
    funding_published: bool,
    channel_seen: bool,
) -> bool {
    channel_seen || now >= lock.until(funding_published)
}

/// Whether the lock's holder may still start its open at `height`, which is its synced node's tip.
pub fn may_start(lock: &Lock, height: BlockHeight) -> bool {
    height < lock.height.plus(LOCK_START_BLOCKS)
}

/// What an acceptor knows of a target from its own node and from its fellows' records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetFacts {
    /// The tip of the acceptor's own node.
    pub tip: BlockHeight,
    /// Whether the present lock's funding was published.
    pub funding_published: bool,
    /// Whether the present lock's channel was seen.
    pub channel_seen: bool,
}

/// An acceptor does not grant this lock now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LockRefused {
    /// Another lock stands on the target.
    #[error("taken: {holder} may open to it until block {until}; choose another target")]
    Taken {
        /// Who holds the target.
        holder: NodeId,
        /// The height from which on it is free at the latest.
        until: BlockHeight,
    },
    /// The named height is not about now.
    #[error("the lock names block {named} and the tip is {tip}; name the tip")]
    Height {
        /// The height that the lock names.
        named: BlockHeight,
        /// The acceptor's tip.
        tip: BlockHeight,
    },
    /// The member holds as many locks as it may.
    #[error("a member holds at most {LOCKS_PER_MEMBER} locks; end one first")]
    Quota,
}

/// The part of judging a lock that depends on time and on the outside world: each acceptor asks its
/// own node, when deciding and never later.
///
/// # Errors
/// [`LockRefused`] says why this acceptor does not grant it.
pub fn judge_lock(
    folded: &Folded,
    target: &NodeId,
    height: BlockHeight,
    facts: TargetFacts,
) -> Result<(), LockRefused> {
    if height.get().abs_diff(facts.tip.get()) > LOCK_HEIGHT_SLACK {
        return Err(LockRefused::Height {
            named: height,
            tip: facts.tip,
        });
    }
    match folded.locks().get(target) {
        Some(lock)
            if !lock_is_free(lock, facts.tip, facts.funding_published, facts.channel_seen) =>
        {
            Err(LockRefused::Taken {
                holder: lock.holder,
                until: lock.until(facts.funding_published),
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_by_height_alone_and_later_when_funded() {
        let lock = Lock {
            holder: "03864ef025fde8fb587d989186ce6a4a186895ee44a926bfc370e2c366597a3f8f"
                .parse()
                .unwrap(),
            action: ActionId::from_bytes([1; 16]),
            height: BlockHeight::new(1_000),
            slot: Slot(1),
        };
        let at = BlockHeight::new;
        assert!(may_start(&lock, at(1_005)) && !may_start(&lock, at(1_006)));
        assert!(!lock_is_free(&lock, at(1_143), false, false));
        assert!(lock_is_free(&lock, at(1_144), false, false));
        assert!(!lock_is_free(&lock, at(3_015), true, false));
        assert!(lock_is_free(&lock, at(3_016), true, false));
        assert!(lock_is_free(&lock, at(1_000), true, true));
    }
}
