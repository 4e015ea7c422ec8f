//! Who forwards for whom: counted from the own node's settled forwards, by the day.
//!
//! Of a fellow X two volumes count. `given` is what this node forwarded to X, for nothing, over its own
//! side of their corridor. `taken` is what X forwarded to this node over X's side, and this node
//! forwarded on. The ratio is `taken / given`: what X forwards for us against what we forward for X.
//!
//! What goes in a circle is left out: forwards from X back to X, and of what went from X to another
//! peer and, on the same day, from that peer to X, the smaller of both on both sides. Own payments,
//! probes and rebalances are no forwards.

use hive_types::limits::{
    CONTRIBUTION_DAYS, CONTRIBUTION_MIN, CONTRIBUTION_SLACK, CONTRIBUTION_VOLUME, LEECH_OVER,
    LEECH_RATIO, LEECH_VOTE_AFTER, LEECH_VOTE_RATIO,
};
use hive_types::{ForwardTotals, Millis, Msat, NodeId, Ppm, Sat, UnixMillis};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const DAY: Millis = Millis::from_days(1);

/// What two members did for each other, circles left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volumes {
    /// Forwarded to the fellow.
    pub given: Msat,
    /// Forwarded by the fellow to this node.
    pub taken: Msat,
}

impl Volumes {
    fn plus(self, other: Self) -> Self {
        Self {
            given: self.given.saturating_add(other.given),
            taken: self.taken.saturating_add(other.taken),
        }
    }
}

/// What a fellow's ratio says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Too little was forwarded to it, or it was counted for too short a time.
    Unknown,
    /// `taken / given`.
    Known(Ppm),
}

/// The counting of one member. Nodes tell totals since they began; a day's volume is what they grew by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contributions {
    /// When the running day began.
    since: Option<UnixMillis>,
    /// Fellows that the running day counts.
    fellows: BTreeSet<NodeId>,
    /// Totals by pair of peers when it began, of pairs with a fellow.
    base: BTreeMap<(NodeId, NodeId), Msat>,
    /// Days that ended, newest last.
    days: Vec<BTreeMap<NodeId, Volumes>>,
    /// Days that a fellow's ratio was under [`LEECH_VOTE_RATIO`] when they ended, in a row.
    low_days: BTreeMap<NodeId, u32>,
}

impl Contributions {
    /// Looks at the node's totals: whom it counts, and whether a day has ended. Returns whether there
    /// is something to store. `capacity` is that of all channels with a fellow.
    pub fn observe(
        &mut self,
        wall: UnixMillis,
        fellows: &BTreeSet<NodeId>,
        forwards: &[ForwardTotals],
        capacity: impl Fn(&NodeId) -> Sat,
    ) -> bool {
        let is_gone = |fellow: &NodeId| !fellows.contains(fellow);
        let mut changed = self.fellows.iter().any(is_gone);
        self.fellows.retain(|fellow| fellows.contains(fellow));
        self.low_days.retain(|fellow, _| fellows.contains(fellow));
        for fellow in fellows {
            // What was forwarded before somebody was a fellow does not count.
            if self.fellows.insert(*fellow) {
                let theirs = forwards.iter().filter(|totals| is_with(totals, fellow));
                let theirs = theirs.map(|totals| ((totals.from, totals.to), totals.volume));
                self.base.extend(theirs);
                changed = true;
            }
        }
        let since = *self.since.get_or_insert(wall);
        if wall < since {
            // A clock that was set back would hold the day open.
            self.since = Some(wall);
        }
        if wall.since(since) < DAY {
            return changed;
        }
        self.end_day(wall, forwards);
        for fellow in fellows {
            match self.share(fellow, forwards, capacity(fellow)) {
                Share::Known(ratio) if ratio < LEECH_VOTE_RATIO => {
                    *self.low_days.entry(*fellow).or_default() += 1;
                }
                _ => drop(self.low_days.remove(fellow)),
            }
        }
        true
    }

    fn end_day(&mut self, wall: UnixMillis, forwards: &[ForwardTotals]) {
        let day = self.fellows.iter();
        let day = day.map(|fellow| (*fellow, self.today(fellow, forwards)));
        self.days.push(day.collect());
        if self.days.len() > CONTRIBUTION_DAYS {
            self.days.remove(0);
        }
        let fellows = &self.fellows;
        let theirs = forwards
            .iter()
            .filter(|totals| fellows.contains(&totals.from) || fellows.contains(&totals.to));
        self.base = theirs
            .map(|totals| ((totals.from, totals.to), totals.volume))
            .collect();
        self.since = Some(wall);
    }

    /// The running day's volumes, circles left out.
    fn today(&self, fellow: &NodeId, forwards: &[ForwardTotals]) -> Volumes {
        let mut by_peer: BTreeMap<NodeId, Volumes> = BTreeMap::new();
        for totals in forwards.iter().filter(|totals| is_with(totals, fellow)) {
            let before = self.base.get(&(totals.from, totals.to)).copied();
            // A node that counts anew begins below what it had: that part is lost, not doubled.
            let volume = totals.volume.saturating_sub(before.unwrap_or_default());
            let is_taken = totals.from == *fellow;
            let peer = if is_taken { totals.to } else { totals.from };
            let with_peer = by_peer.entry(peer).or_default();
            let side = if is_taken {
                &mut with_peer.taken
            } else {
                &mut with_peer.given
            };
            *side = side.saturating_add(volume);
        }
        let straight = by_peer.into_values().map(|both| {
            let circled = both.given.min(both.taken);
            Volumes {
                given: both.given.saturating_sub(circled),
                taken: both.taken.saturating_sub(circled),
            }
        });
        straight.fold(Volumes::default(), Volumes::plus)
    }

    /// What was counted of a fellow in all days that are kept.
    pub fn volumes(&self, fellow: &NodeId, forwards: &[ForwardTotals]) -> Volumes {
        let days = self.days.iter().filter_map(|day| day.get(fellow).copied());
        let today = self
            .fellows
            .contains(fellow)
            .then(|| self.today(fellow, forwards));
        days.chain(today).fold(Volumes::default(), Volumes::plus)
    }

    /// Whole days that are counted.
    pub fn days(&self) -> usize {
        self.days.len()
    }

    /// What a fellow's ratio says. No data is no ratio, and never one (case T53).
    pub fn share(&self, fellow: &NodeId, forwards: &[ForwardTotals], capacity: Sat) -> Share {
        let volumes = self.volumes(fellow, forwards);
        let least = CONTRIBUTION_VOLUME.max(capacity.to_msat_saturating());
        let counted = DAY.get().saturating_mul(self.days.len() as u64);
        if volumes.given < least || counted < CONTRIBUTION_MIN.get() {
            return Share::Unknown;
        }
        Share::Known(Ppm::of(volumes.taken.get(), volumes.given.get()))
    }

    /// Whether a vote on a fellow is to be proposed: its ratio was very low for a week.
    pub fn is_for_vote(&self, fellow: &NodeId) -> bool {
        let days = self.low_days.get(fellow).copied().unwrap_or_default();
        DAY.get().saturating_mul(days.into()) >= LEECH_VOTE_AFTER.get()
    }
}

fn is_with(totals: &ForwardTotals, fellow: &NodeId) -> bool {
    (totals.from == *fellow) != (totals.to == *fellow)
}

/// Whether a fellow is a leech, given whether it was taken for one before.
pub fn is_leech(share: Share, was: bool) -> bool {
    match share {
        Share::Unknown => false,
        Share::Known(ratio) if was => ratio <= LEECH_OVER,
        Share::Known(ratio) => ratio < LEECH_RATIO,
    }
}

/// Whether both sides counted the same, as far as days that begin at different hours allow.
pub fn agrees(one: Msat, other: Msat) -> bool {
    let (less, more) = (one.min(other), one.max(other));
    let slack = CONTRIBUTION_SLACK.fee_on(more).unwrap_or(more);
    more.saturating_sub(less) <= slack.max(CONTRIBUTION_VOLUME)
}
