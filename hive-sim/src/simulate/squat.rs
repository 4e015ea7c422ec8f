//! From when on a squatter's locks tell what it is, by what was decided and by the chain alone.

use super::scene::Stage;
use hive_proto::Slot;
use hive_state::decided::Lock;
use hive_types::limits::{IDLE_LOCKS, LOCK_KEPT_BLOCKS, LOCK_START_BLOCKS, LOCK_WORD_BLOCKS};
use hive_types::{BlockHeight, NodeId};
use std::collections::BTreeMap;

/// Everybody has seen a lock idle, and what was decided before, by this many blocks later.
const SEEN_BLOCKS: u32 = 1;

/// The locks of one squatter that it never used, by the decision that granted them.
pub(super) struct Squat {
    /// Since when it holds those that could still be given back in time.
    fresh: BTreeMap<Slot, u64>,
    /// Those that are too late for that, ended or not.
    idle: BTreeMap<Slot, Idle>,
    is_evident: bool,
}

/// A lock that was neither used nor given back in time.
struct Idle {
    /// When it was taken.
    taken: u64,
    /// The height at which all fellows have seen that it is idle, and the newest decision then.
    since: BlockHeight,
    head: u64,
}

impl Squat {
    /// One that took no lock.
    pub(super) const NEW: Self = Self {
        fresh: BTreeMap::new(),
        idle: BTreeMap::new(),
        is_evident: false,
    };

    /// When it took the first lock that it neither used nor gave back in time, so far. One given back
    /// in time, after a restart say, is no misdeed.
    pub(super) fn began(&self) -> Option<u64> {
        let idle = self.idle.values().map(|idle| idle.taken);
        idle.chain(self.fresh.values().copied()).min()
    }

    /// Whether its locks are enough for everybody to blame it: two, or one that it kept on although
    /// other things were decided.
    pub(super) const fn is_evident(&self) -> bool {
        self.is_evident
    }

    /// Looks at its locks once more. What fellows have seen idle goes with a restart, and those that lag
    /// or are cut off see it later: while anything goes wrong no lock counts.
    pub(super) fn look(&mut self, stage: &Stage, member: usize) {
        let fleet = &stage.fleet;
        let (now, node) = (stage.elapsed(), fleet.node(member));
        let Some(hive) = fleet.agents()[member].disk().hive() else {
            return;
        };
        let links = fleet.chain().links(&hive);
        let Some((head, newest)) = links.and_then(|links| links.last_key_value()) else {
            return;
        };
        let height = fleet.world().chain().height();
        let locks = newest.after.locks().iter();
        let held: BTreeMap<Slot, BlockHeight> = locks
            .filter(|(target, lock)| lock.holder == node && !is_used(stage, lock, target))
            .map(|(_, lock)| (lock.slot, lock.height))
            .collect();
        self.fresh.retain(|slot, _| held.contains_key(slot));
        if !stage.is_well() {
            let idle = std::mem::take(&mut self.idle).into_iter();
            let still = idle.filter(|(slot, _)| held.contains_key(slot));
            self.fresh
                .extend(still.map(|(slot, idle)| (slot, idle.taken)));
        }
        for (slot, granted) in &held {
            if self.idle.contains_key(slot) {
                continue;
            }
            let taken = *self.fresh.entry(*slot).or_insert(now);
            let seen = LOCK_START_BLOCKS + LOCK_WORD_BLOCKS + SEEN_BLOCKS;
            if stage.is_well() && height >= granted.plus(seen) {
                self.fresh.remove(slot);
                let (since, head) = (height, *head);
                self.idle.insert(*slot, Idle { taken, since, head });
            }
        }
        let kept = self
            .idle
            .values()
            .filter(|idle| height >= idle.since.plus(LOCK_KEPT_BLOCKS) && *head > idle.head);
        self.is_evident = self.idle.len() + kept.count() >= IDLE_LOCKS;
    }
}

/// Whether the holder paid for a channel to the target under the lock. A reorganization may take the
/// tip below the height of the lock before it does.
fn is_used(stage: &Stage, lock: &Lock, target: &NodeId) -> bool {
    let mut fundings = stage.fleet.world().fundings().iter();
    fundings.any(|funding| {
        funding.opener == lock.holder
            && funding.target == *target
            && funding.height.plus(LOCK_START_BLOCKS) >= lock.height
    })
}
