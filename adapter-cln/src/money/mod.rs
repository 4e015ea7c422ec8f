//! What moves money or sets fees: prepared, executed, found again. Nothing outside of this folder names a
//! request that spends.

mod blame;
mod fund;
mod given;
mod look;
mod open;
mod payment;
mod policy;
mod probe;

use crate::rpc::{CallError, Rpc};
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Prepared, Reconciled};
use hive_policy::Authorized;
use hive_types::{Action, ActionId};
use look::Sought;

/// Chooses what makes the action repeatable; nothing moves.
///
/// # Errors
/// [`NotDone`] when the action is not possible now.
pub(crate) async fn prepare(rpc: &Rpc, permit: &Authorized) -> Result<Prepared, NotDone> {
    match permit.action() {
        Action::Open(open) => open::prepare(rpc, open, permit).await,
        Action::SetPolicy(set) => policy::prepare(rpc, set).await,
        Action::Rebalance(_) | Action::Probe(_) => Prepared::payment(),
    }
}

/// Does what the permit allows.
///
/// # Errors
/// [`ActError`]: not done, or not known.
pub(crate) async fn execute(
    rpc: &Rpc,
    id: ActionId,
    permit: &Authorized,
    prepared: &Prepared,
) -> Result<Done, ActError> {
    match (permit.action(), prepared) {
        (
            Action::Open(open),
            Prepared::Open {
                inputs,
                channels_before,
                ..
            },
        ) => {
            let sought = Sought {
                target: Some(open.target),
                inputs,
                channels_before,
            };
            open::execute(rpc, id, open, permit, sought).await
        }
        (Action::Rebalance(moved), Prepared::Payment { preimage, .. }) => {
            payment::rebalance(rpc, id, moved, permit, preimage).await
        }
        (Action::Probe(probe), Prepared::Payment { payment_hash, .. }) => {
            probe::probe(rpc, probe, *payment_hash).await
        }
        (Action::SetPolicy(set), Prepared::Policy { before, .. }) => {
            policy::execute(rpc, set, *before).await
        }
        _ => Err(NotDone::new(Fault::Agent, "prepared for another kind of action").into()),
    }
}

/// Asks the node what became of an action.
///
/// # Errors
/// [`BackendError`] when it does not answer.
pub(crate) async fn reconcile(
    rpc: &Rpc,
    id: ActionId,
    prepared: &Prepared,
) -> Result<Reconciled, BackendError> {
    match prepared {
        Prepared::Open {
            target,
            inputs,
            channels_before,
            ..
        } => {
            let sought = Sought {
                target: *target,
                inputs,
                channels_before,
            };
            open::reconcile(rpc, id, sought).await
        }
        Prepared::Payment { payment_hash, .. } => payment::reconcile(rpc, id, *payment_hash).await,
        Prepared::Policy {
            channel,
            policy,
            before,
        } => policy::reconcile(rpc, *channel, *policy, *before).await,
    }
}

/// A reading failed before anything was done.
fn not_read(error: impl Into<BackendError>) -> NotDone {
    let error = error.into();
    NotDone::new(
        error.fault(),
        format!("the node could not be asked: {error}"),
    )
}

/// What is not known for certain.
fn unknown(reason: impl Into<String>) -> ActError {
    ActError::Unknown {
        reason: reason.into(),
    }
}

/// A call that acts had no effect where the node says no or was never reached; else nobody knows.
fn acted(error: CallError) -> ActError {
    let said = error.to_string();
    match error {
        CallError::Unsent(_) | CallError::Refused { .. } => {
            NotDone::new(BackendError::from(error).fault(), said).into()
        }
        CallError::Lost(_) | CallError::Reply(_) => unknown(said),
    }
}

#[cfg(test)]
mod tests;
