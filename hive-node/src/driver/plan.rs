//! Plans are made on a thread of their own: one takes seconds, and the driver goes on meanwhile.

use super::BlockingJob;
use hive_core::{PlanRequest, Planned};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Builder;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// The maker of plans.
pub(super) struct Planner {
    sender: Sender<Planned>,
    made: Receiver<Planned>,
    /// The plan that the driver waits for; the machine has one under way at most.
    under_way: Option<BlockingJob>,
}

impl Planner {
    pub(super) fn new() -> Self {
        let (sender, made) = mpsc::channel(1);
        Self {
            sender,
            made,
            under_way: None,
        }
    }

    /// Starts making a plan; [`Self::next`] gives it, or says that it failed. The thread is nobody's:
    /// a plan changes nothing, so an agent that stops does not wait for one.
    pub(super) fn start(&mut self, request: PlanRequest) {
        self.under_way = Some(BlockingJob::begin());
        let (id, sender) = (request.id(), self.sender.clone());
        let work = move || {
            let made = catch_unwind(AssertUnwindSafe(|| request.perform()));
            let made = made.unwrap_or_else(|_| Planned::failed(id, "the planner broke down"));
            // An error means that the driver is gone.
            let _ = sender.blocking_send(made);
        };
        if let Err(error) = Builder::new().name("hive-plan".to_owned()).spawn(work) {
            let failed = Planned::failed(id, format!("the system gives no thread: {error}"));
            // There is room: no other plan is under way.
            let _ = self.sender.try_send(failed);
        }
    }

    /// Waits for the plan that was started. The wait may be given up and begun again.
    pub(super) async fn next(&mut self) -> Option<Planned> {
        let made = self.made.recv().await;
        self.under_way = None;
        made
    }
}
