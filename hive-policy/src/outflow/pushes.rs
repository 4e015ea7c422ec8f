//! Which flows through a corridor are the fellow's own pushes.
//!
//! A push of the fellow P by the shared peer S is seen here as a forward from S to P, and in P's heartbeats as a
//! fall of what P can send to S. The two come in any order: an HTLC is gone from P's channel at once and here
//! only when it settles, a heartbeat comes up to minutes late. Each msat of a fall excuses one of a flow.
//!
//! The word is P's, and P can lie: it sees every HTLC that comes over the corridor. What it gains by that is
//! bounded by the caller's `most` in any day.

use hive_types::limits::{CORRIDOR_PUSH_TOLD, CORRIDOR_PUSH_UNDER_WAY};
use hive_types::{Elapsed, Millis, Msat, NodeId, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};

/// Flows and falls are summed up by this: a pair of nodes never holds more than some hundred sums.
const SLICE: Millis = Millis::from_secs(60);

/// What was excused counts against the bound for a day.
const DAY: Millis = Millis::from_days(1);

/// What a fellow says that it can send to an outsider over one of its channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The fellow.
    pub fellow: NodeId,
    /// The outsider.
    pub peer: NodeId,
    /// Their channel, as the graph confirms it.
    pub channel: ShortChannelId,
    /// What the fellow can send over it.
    pub spendable: Msat,
}

/// Fellow and outsider.
type Pair = (NodeId, NodeId);

/// Msat by slice of time.
type Sums = BTreeMap<u64, u64>;

/// What fellows told last, and what is neither excused nor counted yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Pushes {
    told: BTreeMap<(NodeId, NodeId, ShortChannelId), Msat>,
    /// Who tells of a channel with whom.
    pairs: BTreeSet<Pair>,
    /// What came from the outsider to the fellow.
    flows: BTreeMap<Pair, Sums>,
    /// What left the fellow's channels with the outsider.
    falls: BTreeMap<Pair, Sums>,
    /// What was excused, by fellow.
    excused: BTreeMap<NodeId, Sums>,
}

impl Pushes {
    /// Takes in what fellows say now. A channel that is no longer told has fallen by nothing.
    pub(super) fn hear(&mut self, now: Elapsed, told: &[Told]) {
        let slice = slice(now);
        let key = |told: &Told| (told.fellow, told.peer, told.channel);
        for one in told {
            let before = self.told.get(&key(one)).copied().unwrap_or_default();
            let fallen = before.saturating_sub(one.spendable);
            if !fallen.is_zero() {
                let sums = self.falls.entry((one.fellow, one.peer)).or_default();
                add(sums, slice, fallen.get());
            }
        }
        self.pairs = told.iter().map(|one| (one.fellow, one.peer)).collect();
        self.told = told.iter().map(|one| (key(one), one.spendable)).collect();
    }

    /// Whether the fellow tells of a channel with this outsider: what comes from there may be its own.
    pub(super) fn may_pay(&self, fellow: NodeId, peer: NodeId) -> bool {
        self.pairs.contains(&(fellow, peer))
    }

    /// So much came from an outsider to a fellow.
    pub(super) fn arrived(&mut self, now: Elapsed, fellow: NodeId, peer: NodeId, moved: Msat) {
        if !moved.is_zero() {
            let sums = self.flows.entry((fellow, peer)).or_default();
            add(sums, slice(now), moved.get());
        }
    }

    /// Excuses what fellows paid, `most` msat of a fellow in a day, and gives what was waited for in vain, by
    /// fellow.
    pub(super) fn drains(
        &mut self,
        now: Elapsed,
        most: impl Fn(&NodeId) -> u64,
    ) -> BTreeMap<NodeId, u64> {
        for sums in self.excused.values_mut() {
            expired(sums, now, DAY);
        }
        for ((fellow, peer), flows) in &mut self.flows {
            let Some(falls) = self.falls.get_mut(&(*fellow, *peer)) else {
                continue;
            };
            let excused = self.excused.entry(*fellow).or_default();
            let room = most(fellow).saturating_sub(sum(excused));
            let matched = sum(flows).min(sum(falls)).min(room);
            take(flows, matched);
            take(falls, matched);
            add(excused, slice(now), matched);
        }
        let mut drains = BTreeMap::new();
        for ((fellow, _), flows) in &mut self.flows {
            let late = expired(flows, now, CORRIDOR_PUSH_TOLD);
            let drained: &mut u64 = drains.entry(*fellow).or_default();
            *drained = drained.saturating_add(late);
        }
        for falls in self.falls.values_mut() {
            expired(falls, now, CORRIDOR_PUSH_UNDER_WAY);
        }
        self.flows.retain(|_, sums| !sums.is_empty());
        self.falls.retain(|_, sums| !sums.is_empty());
        self.excused.retain(|_, sums| sum(sums) > 0);
        drains
    }
}

const fn slice(at: Elapsed) -> u64 {
    at.get() / SLICE.get()
}

fn add(sums: &mut Sums, slice: u64, msat: u64) {
    let held = sums.entry(slice).or_default();
    *held = held.saturating_add(msat);
}

fn sum(sums: &Sums) -> u64 {
    sums.values().fold(0, |all, one| all.saturating_add(*one))
}

/// Takes so much away, the oldest first.
fn take(sums: &mut Sums, mut msat: u64) {
    for held in sums.values_mut() {
        let taken = msat.min(*held);
        *held -= taken;
        msat -= taken;
    }
    sums.retain(|_, held| *held > 0);
}

/// Drops what is older than this, and gives how much it was.
fn expired(sums: &mut Sums, now: Elapsed, age: Millis) -> u64 {
    let oldest = slice(now).saturating_sub(age.get() / SLICE.get());
    let kept = sums.split_off(&oldest);
    let dropped = std::mem::replace(sums, kept);
    sum(&dropped)
}
