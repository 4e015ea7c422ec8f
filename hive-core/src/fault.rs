//! Whose fault it was, and how long a target is left alone for it.

use crate::hive::Hive;
use crate::io::{ActionResult, ActionState};
use hive_types::limits::{OPEN_AWAY, OPEN_OWN_FAULT, OPEN_REFUSED};
use hive_types::{Action, BlockHeight, Millis, NodeId, UnixMillis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The span between two blocks that the difficulty of the chain aims at.
const BLOCK_INTERVAL: Millis = Millis::from_secs(600);

/// Who can set right what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The own node, or the way to it: it is silent or behind, its coins are too few or taken, its
    /// feerate is above what is permitted.
    Node,
    /// The other end refused.
    Peer,
    /// The other end can't be reached.
    PeerAway,
    /// The operator: a permission or an option is missing.
    Operator,
    /// This program: it stopped, or it and the node do not understand each other.
    Agent,
}

/// What opens to one target came to, oldest first.
#[derive(Default)]
struct Tries {
    /// Until when the target is left alone.
    until: UnixMillis,
    /// How often in a row it was not there.
    away: u32,
}

impl Tries {
    fn note(&mut self, at: UnixMillis, result: &ActionResult) {
        let span = match result {
            ActionResult::NotDone { fault, .. } => match fault {
                Some(Fault::Peer) => OPEN_REFUSED,
                Some(Fault::PeerAway) => {
                    self.away = self.away.saturating_add(1);
                    twice_as_long(self.away)
                }
                Some(Fault::Node | Fault::Operator | Fault::Agent) => OPEN_OWN_FAULT,
                None => Millis::ZERO,
            },
            ActionResult::Done(_) => {
                *self = Self::default();
                Millis::ZERO
            }
            ActionResult::Unknown { .. } => Millis::ZERO,
        };
        self.until = self.until.max(at.plus(span));
    }
}

/// Each time in a row a target is left alone for twice as long, up to as long as one that refuses.
fn twice_as_long(times: u32) -> Millis {
    let factor = 1u64
        .checked_shl(times.saturating_sub(1))
        .unwrap_or(u64::MAX);
    Millis::new(OPEN_AWAY.get().saturating_mul(factor)).min(OPEN_REFUSED)
}

impl Hive {
    /// Targets that are left alone after what opens to them came to, and the height from which on they
    /// are asked again. It is read from the actions that the store keeps, so a restart forgets nothing.
    pub(crate) fn cooldowns(&self) -> BTreeMap<NodeId, BlockHeight> {
        let mut ended: Vec<_> = self
            .actions
            .iter()
            .filter(|action| matches!(action.state, ActionState::Done | ActionState::NotDone))
            .filter_map(|action| match action.action() {
                Action::Open(open) => Some((action.wall, open.target, action.result.as_ref()?)),
                _ => None,
            })
            .collect();
        ended.sort_by_key(|(wall, ..)| *wall);
        let mut targets = BTreeMap::<NodeId, Tries>::new();
        for (wall, target, result) in ended {
            targets.entry(target).or_default().note(wall, result);
        }
        let (wall, height) = (self.now.wall, self.height());
        let cooling = targets.into_iter().filter_map(|(target, tries)| {
            let left = tries.until.since(wall).get();
            let blocks = u32::try_from(left.div_ceil(BLOCK_INTERVAL.get())).unwrap_or(u32::MAX);
            (blocks > 0).then(|| (target, height.plus(blocks)))
        });
        cooling.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_done(fault: Option<Fault>) -> ActionResult {
        let reason = "a test".to_owned();
        ActionResult::NotDone { reason, fault }
    }

    /// How long a target is left alone after these, an hour apart, counted from the last of them.
    fn span_after(faults: &[Option<Fault>]) -> Millis {
        let mut tries = Tries::default();
        let mut at = UnixMillis::new(1_700_000_000_000);
        for fault in faults {
            at = at.plus(Millis::from_hours(1));
            tries.note(at, &not_done(*fault));
        }
        tries.until.since(at)
    }

    #[test]
    fn a_refusal_counts_for_longest_and_an_own_fault_hardly() {
        assert_eq!(span_after(&[Some(Fault::Peer)]), OPEN_REFUSED);
        assert_eq!(span_after(&[Some(Fault::PeerAway)]), OPEN_AWAY);
        for own in [Fault::Node, Fault::Operator, Fault::Agent] {
            assert_eq!(span_after(&[Some(own)]), OPEN_OWN_FAULT);
        }
        assert_eq!(span_after(&[None]), Millis::ZERO);
    }

    #[test]
    fn who_is_away_again_and_again_is_asked_less_and_less() {
        let away = Some(Fault::PeerAway);
        let twice = Millis::new(2 * OPEN_AWAY.get());
        assert_eq!(span_after(&[away, away]), twice);
        assert_eq!(span_after(&[away, Some(Fault::Node), away]), twice);
        assert_eq!(span_after(&[away; 80]), OPEN_REFUSED);
    }

    #[test]
    fn an_own_fault_does_not_end_what_a_refusal_began() {
        let left = span_after(&[Some(Fault::Peer), Some(Fault::Node)]);
        let hour = Millis::from_hours(1);
        assert_eq!(left, Millis::new(OPEN_REFUSED.get() - hour.get()));
    }
}
