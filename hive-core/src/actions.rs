//! The life of an action: intended, acting, done or not done.

use crate::chance::Chance;
use crate::io::{ActionResult, ActionState, Change, StoredAction};
use crate::outbox::Outbox;
use hive_types::limits::RECENT_ACTIONS;
use hive_types::{ActionId, ActionKind, Proposal, UnixMillis};
use std::collections::BTreeMap;

/// Of the ended actions that are kept, these many go first where they open nothing: a lock is held by
/// the open that it is for until the channel is seen, and fees are set more often than channels opened.
const SMALL_FIRST: usize = RECENT_ACTIONS / 2;

/// Every action that is not done with, and [`RECENT_ACTIONS`] of those that are: what the store holds,
/// too.
#[derive(Default)]
pub(crate) struct Actions(BTreeMap<ActionId, StoredAction>);

impl Actions {
    /// After a restart an intention counts for nothing, as no permit was given, and is forgotten. What
    /// was acting is asked about by the driver.
    pub(crate) fn restore(stored: Vec<StoredAction>, out: &mut Outbox) -> Self {
        let (wanted, kept): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .partition(|action| action.state == ActionState::Intended);
        for action in wanted {
            out.store(Change::ForgetAction(action.id));
        }
        Self(kept.into_iter().map(|action| (action.id, action)).collect())
    }

    pub(crate) fn get(&self, id: &ActionId) -> Option<&StoredAction> {
        self.0.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &StoredAction> {
        self.0.values()
    }

    /// Actions that may have begun and whose end is not known.
    pub(crate) fn acting(&self) -> impl Iterator<Item = &StoredAction> {
        self.iter()
            .filter(|action| action.state == ActionState::Acting)
    }

    /// A random id that no action here has.
    pub(crate) fn fresh_id(&self, chance: &mut Chance) -> ActionId {
        loop {
            let id = ActionId::from_bytes(chance.bytes());
            if !self.0.contains_key(&id) {
                return id;
            }
        }
    }

    pub(crate) fn intend(
        &mut self,
        id: ActionId,
        proposal: Proposal,
        wall: UnixMillis,
        out: &mut Outbox,
    ) {
        let kind = proposal.action.kind();
        let state = ActionState::Intended;
        let action = StoredAction {
            id,
            kind,
            state,
            proposal,
            result: None,
            wall,
        };
        out.store(Change::Action(action.clone()));
        self.0.insert(id, action);
        self.forget_oldest(out);
    }

    pub(crate) fn set_state(
        &mut self,
        id: &ActionId,
        state: ActionState,
        result: Option<ActionResult>,
        wall: UnixMillis,
        out: &mut Outbox,
    ) {
        let Some(action) = self.0.get_mut(id) else {
            return;
        };
        action.state = state;
        action.wall = wall;
        action.result = result.or(action.result.take());
        out.store(Change::Action(action.clone()));
    }

    /// Drops an ended action that says nothing later.
    pub(crate) fn forget(&mut self, id: &ActionId, out: &mut Outbox) {
        if self.0.remove(id).is_some() {
            out.store(Change::ForgetAction(*id));
        }
    }

    fn forget_oldest(&mut self, out: &mut Outbox) {
        while let Some(id) = self.one_too_many() {
            self.0.remove(&id);
            out.store(Change::ForgetAction(id));
        }
    }

    fn one_too_many(&self) -> Option<ActionId> {
        let is_over = |action: &&StoredAction| {
            matches!(action.state, ActionState::Done | ActionState::NotDone)
        };
        let ended: Vec<&StoredAction> = self.0.values().filter(is_over).collect();
        if ended.len() <= RECENT_ACTIONS {
            return None;
        }
        let small = |action: &&&StoredAction| action.kind != ActionKind::Open;
        let spares_opens = ended.iter().filter(small).count() > SMALL_FIRST;
        let candidates = ended
            .iter()
            .filter(|action| !spares_opens || action.kind != ActionKind::Open);
        let oldest = candidates.min_by_key(|action| (action.wall, action.id));
        oldest.map(|action| action.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::{
        Action, Explanation, FeeratePerKw, Msat, NodeId, OpenChannel, Ppm, Probe, Sat,
    };

    fn proposal(is_open: bool) -> Proposal {
        let mut target = [2; 33];
        target[1] = 7;
        let action = match is_open {
            true => Action::Open(OpenChannel {
                target: NodeId::from_bytes(target).unwrap(),
                capacity: Sat::new(1),
                feerate_ceiling: FeeratePerKw::new(253),
                announce: true,
            }),
            false => Action::Probe(Probe {
                amount: Msat::new(1),
                hops: Vec::new(),
            }),
        };
        Proposal {
            action,
            cost: Msat::ZERO,
            value_per_day: Msat::ZERO,
            confidence: Ppm::ONE,
            explanation: Explanation::default(),
        }
    }

    /// Runs actions that end at once; gives what is left in memory and in a store.
    fn run(count: u32, is_open: impl Fn(u32) -> bool) -> (Actions, crate::Stored) {
        let (mut actions, mut out) = (Actions::default(), Outbox::default());
        let mut stored = crate::Stored::default();
        for number in 0..count {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            let (id, wall) = (ActionId::from_bytes(bytes), UnixMillis::new(number.into()));
            actions.intend(id, proposal(is_open(number)), wall, &mut out);
            actions.set_state(&id, ActionState::Done, None, wall, &mut out);
            for output in out.take() {
                if let crate::Output::Persist(changes) = output {
                    stored.apply(&changes);
                }
            }
        }
        (actions, stored)
    }

    #[test]
    fn t65_ended_actions_are_bounded_and_the_store_forgets_what_memory_forgets() {
        let many = 5 * RECENT_ACTIONS as u32;
        let (actions, stored) = run(many, |number| number % 50 == 0);
        assert!(actions.0.len() <= RECENT_ACTIONS + 1);
        assert_eq!(actions.0, stored.actions);
        // Opens are spared while there is enough else to forget: all 26 of them are there.
        let opens = actions
            .iter()
            .filter(|action| action.kind == ActionKind::Open);
        assert_eq!(opens.count() as u32, many.div_ceil(50));
        let newest = actions.iter().map(|action| action.wall).max();
        assert_eq!(newest, Some(UnixMillis::new(u64::from(many) - 1)));
    }

    #[test]
    fn t65_opens_alone_are_bounded_too() {
        let (actions, stored) = run(2 * RECENT_ACTIONS as u32, |_| true);
        assert!(actions.0.len() <= RECENT_ACTIONS + 1);
        assert_eq!(actions.0, stored.actions);
    }

    #[test]
    fn an_intention_is_forgotten_over_a_restart() {
        let (mut actions, mut out) = (Actions::default(), Outbox::default());
        let mut stored = crate::Stored::default();
        let id = ActionId::from_bytes([1; 16]);
        actions.intend(id, proposal(true), UnixMillis::new(1), &mut out);
        let mut apply = |out: &mut Outbox| {
            for output in out.take() {
                if let crate::Output::Persist(changes) = output {
                    stored.apply(&changes);
                }
            }
            stored.snapshot().actions
        };
        let restored = Actions::restore(apply(&mut out), &mut out);
        assert!(restored.0.is_empty());
        assert!(apply(&mut out).is_empty());
    }
}
