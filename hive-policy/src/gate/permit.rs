//! The permit to act.

use super::ledger::LedgerEntry;
use hive_types::{Action, ActionId, BlockHeight, Msat, Sat};

/// A permit for one action, once. A backend executes nothing else.
///
/// Only the gate makes one, and only after it has reserved what the action may cost; dropping it
/// leaves the reservation until the action is settled. It can be read:
///
/// ```
/// use hive_policy::{Authorized, LedgerEntry};
/// use hive_types::{Action, ActionId, Msat, Sat};
///
/// fn read(permit: &Authorized, entry: &LedgerEntry) -> (ActionId, Action, Msat, Sat) {
///     assert_eq!(permit.id(), entry.id);
///     (permit.id(), permit.action().clone(), permit.cost(), permit.capital())
/// }
/// ```
///
/// It can't be built:
///
/// ```compile_fail,E0451
/// use hive_policy::Authorized;
/// use hive_types::{Action, ActionId, Msat, Sat};
///
/// fn forge(id: ActionId, action: Action) -> Authorized {
///     Authorized { id, action, cost: Msat::ZERO, capital: Sat::ZERO, start_below: None }
/// }
/// ```
///
/// nor called into being:
///
/// ```compile_fail,E0624
/// use hive_policy::{Authorized, LedgerEntry};
/// use hive_types::Action;
///
/// fn forge(entry: &LedgerEntry, action: Action) -> Authorized {
///     Authorized::for_reservation(entry, action, None)
/// }
/// ```
///
/// nor copied, to act twice:
///
/// ```compile_fail,E0308
/// fn twice(permit: &hive_policy::Authorized) -> hive_policy::Authorized {
///     permit.clone()
/// }
/// ```
///
/// nor read from a file or taken from nowhere:
///
/// ```compile_fail,E0277
/// fn read<T: serde::de::DeserializeOwned>(_: Option<T>) {}
/// read(None::<hive_policy::Authorized>);
/// ```
///
/// ```compile_fail,E0277
/// fn empty<T: Default>(_: Option<T>) {}
/// empty(None::<hive_policy::Authorized>);
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a reservation is held for this permit until the action is settled"]
pub struct Authorized {
    id: ActionId,
    action: Action,
    cost: Msat,
    capital: Sat,
    start_below: Option<BlockHeight>,
}

impl Authorized {
    /// The one constructor: a permit is the other half of a reservation.
    pub(super) fn for_reservation(
        entry: &LedgerEntry,
        action: Action,
        start_below: Option<BlockHeight>,
    ) -> Self {
        Self {
            id: entry.id,
            action,
            cost: entry.reserved,
            capital: entry.capital,
            start_below,
        }
    }

    /// The action's id, to settle it by.
    pub const fn id(&self) -> ActionId {
        self.id
    }

    /// What may be done.
    pub const fn action(&self) -> &Action {
        &self.action
    }

    /// The most that it may cost: on-chain fee or routing fees. A backend that can't stay under it
    /// does not start.
    pub const fn cost(&self) -> Msat {
        self.cost
    }

    /// Own money that goes into a channel; zero for what opens none.
    pub const fn capital(&self) -> Sat {
        self.capital
    }

    /// An open begins only while its node is synced and its tip below this; whoever executes it asks
    /// the node just before. Later the fleet may have given its lock to another.
    pub const fn start_below(&self) -> Option<BlockHeight> {
        self.start_below
    }
}
