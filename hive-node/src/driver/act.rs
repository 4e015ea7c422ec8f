//! Money, written ahead: prepare, store what was prepared, execute; and what became of it after a
//! crash.

use crate::backend::{
    ActError, BackendError, LightningBackend, NotDone, Patience, Prepared, Reconciled,
};
use crate::clock::Clock;
use crate::store::{Store, StoreError};
use hive_core::{ActionResult, Fault};
use hive_policy::Authorized;
use hive_types::{ActionId, ActionKind, BlockHeight};
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc::Sender};

/// The end of an action, or the store's failure that kept it from beginning.
#[derive(Debug)]
pub(super) enum Ended {
    Action { id: ActionId, result: ActionResult },
    Store(StoreError),
}

/// What every action needs.
#[derive(Clone)]
pub(super) struct Actor {
    pub(super) backend: Arc<dyn LightningBackend>,
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ended: Sender<Ended>,
    /// One open at a time: two that choose their inputs together could choose the same.
    pub(super) opening: Arc<Mutex<()>>,
}

impl Actor {
    /// Does one action to its end.
    pub(super) async fn act(self, id: ActionId, permit: Authorized) {
        let (result, prepared) = match self.attempt(id, &permit).await {
            Ok(attempt) => attempt,
            Err(error) => return self.tell(Ended::Store(error)).await,
        };
        let is_unknown = matches!(result, ActionResult::Unknown { .. });
        self.tell(Ended::Action { id, result }).await;
        if let Some(prepared) = prepared.filter(|_| is_unknown) {
            self.pursue(id, prepared).await;
        }
    }

    /// Nothing is executed before what was prepared is durable.
    async fn attempt(
        &self,
        id: ActionId,
        permit: &Authorized,
    ) -> Result<(ActionResult, Option<Prepared>), StoreError> {
        let is_open = permit.action().kind() == ActionKind::Open;
        let _opening = match is_open {
            true => Some(self.opening.lock().await),
            false => None,
        };
        let prepared = match self.backend.prepare(permit).await {
            Ok(prepared) => prepared,
            Err(reason) => return Ok((not_done(reason), None)),
        };
        let (store, row) = (self.store.clone(), prepared.clone());
        super::blocking(move || store.prepare(id, &row)).await?;
        if let Some(below) = permit.start_below()
            && let Err(reason) = self.begins_below(below).await
        {
            return Ok((not_done(NotDone::new(Fault::Node, reason)), None));
        }
        let result = match self.backend.execute(id, permit, &prepared).await {
            Ok(done) => ActionResult::Done(done),
            Err(ActError::NotDone(reason)) => not_done(reason),
            Err(ActError::Unknown { reason }) => ActionResult::Unknown { reason },
        };
        Ok((result, Some(prepared)))
    }

    /// A lock holds for a start at few heights, and the open may have waited for another: the node
    /// says just before the call whether it is in time.
    async fn begins_below(&self, below: BlockHeight) -> Result<(), String> {
        let info = self.backend.info().await;
        let info = info.map_err(|error| format!("the node does not tell its height: {error}"))?;
        if !info.synced {
            return Err("the node fell behind; the next plan tries again".to_owned());
        }
        if info.height >= below {
            let tip = info.height;
            return Err(format!(
                "the tip is {tip} and the lock starts opens below {below} only; the next plan asks for a new lock"
            ));
        }
        Ok(())
    }

    /// Asks the node until it knows what became of an action.
    pub(super) async fn pursue(self, id: ActionId, prepared: Prepared) {
        let mut patience = Patience::default();
        loop {
            let again = self.clock.now().elapsed.plus(patience.next_wait());
            self.clock.sleep_until(again).await;
            match self.backend.reconcile(id, &prepared).await {
                Ok(Reconciled::Unknown) => {}
                Ok(known) => {
                    let result = as_result(known, Fault::Node);
                    return self.tell(Ended::Action { id, result }).await;
                }
                Err(reason) => tracing::warn!(action = %id, %reason, "action not reconciled yet"),
            }
        }
    }

    /// What became of an action that was under way when the agent stopped. Where the node answers and
    /// does not tell, the end is unknown, and the operator may be who can change that.
    ///
    /// # Errors
    /// The node does not answer.
    pub(super) async fn end_of(
        &self,
        id: ActionId,
        prepared: Option<&Prepared>,
    ) -> Result<ActionResult, BackendError> {
        let Some(prepared) = prepared else {
            let reason = "the agent stopped before it began";
            return Ok(not_done(NotDone::new(Fault::Agent, reason)));
        };
        match self.backend.reconcile(id, prepared).await {
            Ok(known) => Ok(as_result(known, Fault::Agent)),
            Err(reason) if reason.fault() == Fault::Node => Err(reason),
            Err(reason) => Ok(ActionResult::Unknown {
                reason: reason.to_string(),
            }),
        }
    }

    async fn tell(&self, ended: Ended) {
        // An error means that the driver is gone; the next start reconciles.
        let _ = self.ended.send(ended).await;
    }
}

fn not_done(NotDone { reason, fault }: NotDone) -> ActionResult {
    ActionResult::NotDone {
        reason,
        fault: Some(fault),
    }
}

/// What the node told later. That it did nothing may be the fault of whoever was away meanwhile.
fn as_result(known: Reconciled, away: Fault) -> ActionResult {
    match known {
        Reconciled::Done(done) => ActionResult::Done(done),
        Reconciled::NotDone => not_done(NotDone::new(away, "the node never did it")),
        Reconciled::Unknown => ActionResult::Unknown {
            reason: "the node does not know yet".into(),
        },
    }
}
