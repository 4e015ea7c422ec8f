//! The life of an action: intended, acting, done or not done.

use crate::chance::Chance;
use crate::io::{ActionResult, ActionState, Change, StoredAction};
use crate::outbox::Outbox;
use hive_types::{ActionId, Proposal, UnixMillis};
use std::collections::BTreeMap;

/// Ended actions that are kept in memory, for replies; the store keeps them all.
const ENDED_KEPT: usize = 256;

/// Every action that is not done with, and the last ones that are.
#[derive(Default)]
pub(crate) struct Actions(BTreeMap<ActionId, StoredAction>);

impl Actions {
    /// After a restart an intention counts for nothing: no permit was given. What was acting is asked
    /// about by the driver.
    pub(crate) fn restore(stored: Vec<StoredAction>) -> Self {
        let kept = stored
            .into_iter()
            .filter(|action| action.state != ActionState::Intended);
        Self(kept.map(|action| (action.id, action)).collect())
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
        self.forget_oldest();
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
    pub(crate) fn forget(&mut self, id: &ActionId) {
        self.0.remove(id);
    }

    fn forget_oldest(&mut self) {
        let is_over = |action: &&StoredAction| {
            matches!(action.state, ActionState::Done | ActionState::NotDone)
        };
        if self.0.values().filter(is_over).count() > ENDED_KEPT {
            let oldest = self
                .0
                .values()
                .filter(is_over)
                .min_by_key(|action| (action.wall, action.id));
            let oldest = oldest.map(|action| action.id);
            oldest.and_then(|id| self.0.remove(&id));
        }
    }
}
