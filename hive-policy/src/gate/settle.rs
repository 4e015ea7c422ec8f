//! What became of actions.

use super::{EntryState, Gate};
use hive_types::{ActionId, Msat, Now};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It happened.
    Done {
        /// What it cost.
        spent: Msat,
    },
    /// It did not happen and will not.
    NotDone,
    /// Nobody knows yet: the reservation stays.
    Unknown,
}

/// A settlement that does not fit the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettleError {
    /// No such action.
    #[error("action {0} has no reservation; it was never authorized or ended long ago")]
    UnknownAction(ActionId),
    /// Settled otherwise before.
    #[error("action {0} was settled with another outcome before; the first one stands")]
    AlreadySettled(ActionId),
    /// Cost more than its permit said. What it cost is in the ledger, and the kill switch is on.
    #[error(
        "action {id} cost {spent}, its permit said at most {reserved}; all is stopped, look at the node before releasing the kill switch"
    )]
    Overspent {
        /// The action.
        id: ActionId,
        /// What was reserved.
        reserved: Msat,
        /// What it cost.
        spent: Msat,
    },
}

impl Gate {
    /// Books what became of an action. The same outcome may be said twice.
    ///
    /// # Errors
    /// [`SettleError`]: an unknown action, another outcome than before, or a cost above the permit.
    pub fn settle(
        &mut self,
        now: Now,
        id: ActionId,
        settlement: Settlement,
    ) -> Result<(), SettleError> {
        self.tick(now);
        let found = self.ledger.get(id).cloned();
        let mut entry = found.ok_or(SettleError::UnknownAction(id))?;
        let at = self.clock.at(now);
        let state = match (entry.state, settlement) {
            (_, Settlement::Unknown) => return Ok(()),
            (EntryState::Reserved, Settlement::Done { spent }) => EntryState::Settled { spent, at },
            (EntryState::Reserved, Settlement::NotDone) => EntryState::Released,
            (EntryState::Settled { spent: old, .. }, Settlement::Done { spent })
                if old == spent =>
            {
                return Ok(());
            }
            (EntryState::Released, Settlement::NotDone) => return Ok(()),
            _ => return Err(SettleError::AlreadySettled(id)),
        };
        entry.state = state;
        let reserved = entry.reserved;
        self.put(entry);
        match settlement {
            Settlement::Done { spent } if spent > reserved => {
                self.stop();
                Err(SettleError::Overspent {
                    id,
                    reserved,
                    spent,
                })
            }
            _ => Ok(()),
        }
    }
}
