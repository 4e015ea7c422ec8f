//! Questions to the oracle: each is asked beside the driver and answered once, whatever happens.

use super::BlockingJob;
use crate::oracle::Oracle;
use hive_core::OracleAnswer;
use hive_policy::oracle::DecisionPacket;
use hive_types::ActionId;
use hive_types::limits::PENDING_PROPOSALS;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// What came of a question.
pub(super) struct Advice {
    pub(super) action: ActionId,
    pub(super) answer: Result<OracleAnswer, String>,
    /// The driver waits for it, until it is taken.
    _job: BlockingJob,
}

/// Asks, where there is somebody to ask.
pub(super) struct Consultant {
    pub(super) oracle: Option<Oracle>,
    sender: Sender<Advice>,
    advice: Receiver<Advice>,
}

impl Consultant {
    pub(super) fn new() -> Self {
        let (sender, advice) = mpsc::channel(PENDING_PROPOSALS);
        Self {
            oracle: None,
            sender,
            advice,
        }
    }

    /// The work of asking; [`Self::next`] gives what came of it.
    pub(super) fn ask(&self, packet: Box<DecisionPacket>) -> impl Future<Output = ()> + 'static {
        let (oracle, sender) = (self.oracle.clone(), self.sender.clone());
        let job = BlockingJob::begin();
        async move {
            let answer = match oracle {
                Some(oracle) => oracle.ask(&packet).await,
                None => Err("no oracle is set; set oracle.url and oracle.secret_file".to_owned()),
            };
            let advice = Advice {
                action: packet.action,
                answer,
                _job: job,
            };
            // An error means that the driver is gone.
            let _ = sender.send(advice).await;
        }
    }

    /// Waits for an answer. The wait may be given up and begun again.
    pub(super) async fn next(&mut self) -> Option<Advice> {
        self.advice.recv().await
    }
}
