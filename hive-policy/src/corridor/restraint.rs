//! How often fees may change, and what to do when something else changes them back.
//!
//! Nodes relay few updates of a channel, so each channel has an allowance of changes that grows with
//! time ([`FEE_CHANGE_COST`]). Joining, promotion and leaving need none of it. And an operator may run
//! another tool that sets fees: what it changes back is set again [`FEE_TRIES`] times, then the operator
//! is told once and the channel is left as it is, until the agreement is another one or the fee was
//! right for [`FEE_UNDONE_MEMORY`].

use super::{FeeChange, FeePlan, Passage, same_fees};
use hive_types::limits::{
    FEE_CHANGE_COST, FEE_CHANGE_CREDIT, FEE_SETTLE, FEE_TRIES, FEE_UNDONE_MEMORY,
};
use hive_types::{ChannelId, ChannelPolicy, Elapsed, LocalSnapshot, Millis};
use std::collections::BTreeMap;

/// What to do about a fee that is not as agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Set it.
    Set,
    /// Not now: too many changes, or the last one has hardly begun.
    Wait,
    /// Something else keeps changing it back: tell the operator, and leave it.
    Tell,
    /// The operator was told.
    Leave,
}

/// What was set on each channel, and what became of it. Times are of the running boot; what something
/// else changed back is given out and in again over a restart.
#[derive(Clone, Debug, Default)]
pub struct Restraint {
    tended: BTreeMap<ChannelId, Tended>,
}

#[derive(Clone, Copy, Debug)]
struct Tended {
    passage: Option<Passage>,
    set: Option<Set>,
    credit: Millis,
    at: Elapsed,
    undone: u8,
    right_since: Option<Elapsed>,
}

/// A change that was begun.
#[derive(Clone, Copy, Debug)]
struct Set {
    policy: ChannelPolicy,
    at: Elapsed,
    /// Whether it was in force.
    is_settled: bool,
}

impl Tended {
    const fn new(at: Elapsed) -> Self {
        Self {
            passage: None,
            set: None,
            credit: FEE_CHANGE_CREDIT,
            at,
            undone: 0,
            right_since: None,
        }
    }

    fn grow(&mut self, now: Elapsed) {
        let grown = self.credit.get().saturating_add(now.since(self.at).get());
        self.credit = Millis::new(grown).min(FEE_CHANGE_CREDIT);
        self.at = now;
    }

    /// Whether this change follows from joining, promotion or leaving.
    fn is_turn(&self, to: Passage) -> bool {
        self.passage
            .is_none_or(|from| membership(from) != membership(to))
    }
}

/// Between full members, between others, and outside of a fleet.
const fn membership(passage: Passage) -> u8 {
    match passage {
        Passage::Outside => 0,
        Passage::Discounted => 1,
        Passage::Free | Passage::Floor(_) | Passage::Withdrawn => 2,
    }
}

impl Restraint {
    /// Goes on from what [`Restraint::undone`] gave before a restart.
    pub fn restore(undone: BTreeMap<ChannelId, u8>, now: Elapsed) -> Self {
        let tended = undone.into_iter().map(|(channel, undone)| {
            let tended = Tended {
                undone,
                ..Tended::new(now)
            };
            (channel, tended)
        });
        Self {
            tended: tended.collect(),
        }
    }

    /// How often something else changed back what was set, where it did.
    pub fn undone(&self) -> BTreeMap<ChannelId, u8> {
        let undone = self.tended.iter().filter(|(_, tended)| tended.undone > 0);
        undone.map(|(id, tended)| (*id, tended.undone)).collect()
    }

    /// Whether a channel is left to something else that keeps changing it.
    pub fn is_left(&self, channel: &ChannelId) -> bool {
        let tended = self.tended.get(channel);
        tended.is_some_and(|tended| tended.undone > FEE_TRIES)
    }

    /// Notes which channels ask what they should: those that a plan does not change.
    pub fn note_right(&mut self, now: Elapsed, local: &LocalSnapshot, plan: &FeePlan) {
        let own = |id: &ChannelId| local.channels.iter().any(|own| own.channel_id == *id);
        self.tended.retain(|id, _| own(id));
        for (id, tended) in &mut self.tended {
            if plan.set.iter().any(|change| change.channel_id == *id) {
                tended.right_since = None;
                continue;
            }
            if let Some(set) = &mut tended.set {
                set.is_settled = true;
            }
            let since = *tended.right_since.get_or_insert(now);
            if now.since(since) >= FEE_UNDONE_MEMORY {
                tended.undone = 0;
            }
        }
    }

    /// Notes that the node has set what was asked for.
    pub fn note_done(&mut self, channel: &ChannelId) {
        let tended = self.tended.get_mut(channel);
        if let Some(set) = tended.and_then(|tended| tended.set.as_mut()) {
            set.is_settled = true;
        }
    }

    /// Notes that the node has set nothing: the change was not one.
    pub fn note_failed(&mut self, channel: &ChannelId) {
        if let Some(tended) = self.tended.get_mut(channel) {
            let credit = tended.credit.get().saturating_add(FEE_CHANGE_COST.get());
            tended.credit = Millis::new(credit).min(FEE_CHANGE_CREDIT);
        }
    }

    /// Whether a change that is wanted should be made now.
    pub fn advise(&mut self, now: Elapsed, change: &FeeChange) -> Advice {
        let tended = self.tended.entry(change.channel_id);
        let tended = tended.or_insert_with(|| Tended::new(now));
        tended.grow(now);
        let is_known = tended.passage.is_some();
        if tended.is_turn(change.passage) {
            // A restart is no turn: what was counted before still counts.
            if is_known {
                tended.undone = 0;
            }
            return tended.unless_left(Advice::Set);
        }
        if change.passage == Passage::Outside {
            // Leaving restores whatever it takes; only the node's own pace holds it.
            let begun = tended.set.map(|set| now.since(set.at));
            let is_early = begun.is_some_and(|passed| passed < FEE_SETTLE);
            return if is_early { Advice::Wait } else { Advice::Set };
        }
        if let Some(set) = &mut tended.set {
            if now.since(set.at) < FEE_SETTLE {
                return Advice::Wait;
            }
            if set.is_settled && same_fees(&set.policy, &change.set.policy) {
                set.is_settled = false;
                tended.undone = tended.undone.saturating_add(1);
                if tended.undone == FEE_TRIES + 1 {
                    return Advice::Tell;
                }
            }
        }
        let advice = if tended.credit < FEE_CHANGE_COST {
            Advice::Wait
        } else {
            Advice::Set
        };
        tended.unless_left(advice)
    }

    /// Notes that a change was permitted and begins.
    pub fn note_begun(&mut self, now: Elapsed, change: &FeeChange) {
        let tended = self.tended.entry(change.channel_id);
        let tended = tended.or_insert_with(|| Tended::new(now));
        tended.grow(now);
        if !tended.is_turn(change.passage) {
            let left = tended.credit.get().saturating_sub(FEE_CHANGE_COST.get());
            tended.credit = Millis::new(left);
        }
        tended.passage = Some(change.passage);
        tended.set = Some(Set {
            policy: change.set.policy,
            at: now,
            is_settled: false,
        });
    }
}

impl Tended {
    fn unless_left(&self, advice: Advice) -> Advice {
        if self.undone > FEE_TRIES {
            Advice::Leave
        } else {
            advice
        }
    }
}
