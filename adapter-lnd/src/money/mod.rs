//! What moves money or sets fees: prepared, executed, found again. No other room names such a request.

mod abandoned;
mod became;
mod blame;
mod coins;
mod open;
#[cfg(test)]
mod opens_tests;
mod payment;
mod policy;
mod probe;
mod route;

use crate::LndBackend;
use became::Begun;
use hive_node::backend::{ActError, BackendError, Done, Fault, NotDone, Prepared, Reconciled};
use hive_policy::Authorized;
use hive_types::{Action, ActionId};

impl LndBackend {
    pub(crate) async fn prepare_action(&self, permit: &Authorized) -> Result<Prepared, NotDone> {
        match permit.action() {
            Action::Open(wanted) => open::prepare(self, wanted, permit.cost()).await,
            Action::SetPolicy(set) => policy::prepare(&self.link, set).await,
            Action::Rebalance(_) | Action::Probe(_) => Prepared::payment(),
        }
    }

    pub(crate) async fn execute_action(
        &self,
        id: ActionId,
        permit: &Authorized,
        prepared: &Prepared,
    ) -> Result<Done, ActError> {
        match (permit.action(), prepared) {
            (
                Action::Open(wanted),
                Prepared::Open {
                    target,
                    begun: at,
                    inputs,
                    ..
                },
            ) => {
                let begun = Begun {
                    id,
                    target: *target,
                    at: *at,
                    inputs,
                };
                open::execute(self, wanted, permit.cost(), begun).await
            }
            (Action::SetPolicy(set), Prepared::Policy { before, .. }) => {
                policy::execute(&self.link, set, *before).await
            }
            (
                Action::Rebalance(moved),
                Prepared::Payment {
                    preimage,
                    payment_hash,
                },
            ) => {
                payment::execute(
                    &self.link,
                    id,
                    moved,
                    permit.cost(),
                    *preimage,
                    *payment_hash,
                )
                .await
            }
            (Action::Probe(probe), Prepared::Payment { payment_hash, .. }) => {
                probe::execute(&self.link, probe, *payment_hash).await
            }
            _ => Err(NotDone::new(Fault::Agent, "prepared for another kind of action").into()),
        }
    }

    pub(crate) async fn reconcile_action(
        &self,
        id: ActionId,
        prepared: &Prepared,
    ) -> Result<Reconciled, BackendError> {
        match prepared {
            Prepared::Open {
                target,
                begun: at,
                inputs,
                ..
            } => {
                let begun = Begun {
                    id,
                    target: *target,
                    at: *at,
                    inputs,
                };
                became::reconcile(&self.link, &begun).await
            }
            Prepared::Payment { payment_hash, .. } => {
                payment::reconcile(&self.link, *payment_hash).await
            }
            Prepared::Policy {
                channel,
                policy,
                before,
            } => policy::reconcile(&self.link, *channel, policy, *before).await,
        }
    }
}

/// What is known of an action whose end was not seen.
fn unknown(reason: impl Into<String>) -> ActError {
    ActError::Unknown {
        reason: reason.into(),
    }
}
