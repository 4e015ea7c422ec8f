use super::*;
use crate::backend::{ActError, NodeInfo, NotDone, Prepared, Reconciled};
use crate::clock::SystemClock;
use async_trait::async_trait;
use hive_core::Done;
use hive_policy::Authorized;
use hive_types::{ActionId, BootId};
use tokio::sync::mpsc;

/// A node that only tells of messages.
struct Messages(tokio::sync::Mutex<mpsc::Receiver<BackendEvent>>);

const SILENT: &str = "nothing else is asked";

#[async_trait]
impl LightningBackend for Messages {
    async fn info(&self) -> Result<NodeInfo, BackendError> {
        Err(BackendError::Refused(SILENT.into()))
    }

    async fn snapshot(&self) -> Result<LocalSnapshot, BackendError> {
        Err(BackendError::Refused(SILENT.into()))
    }

    async fn graph(&self) -> Result<Arc<Graph>, BackendError> {
        Err(BackendError::Refused(SILENT.into()))
    }

    async fn sign(&self, _: &str) -> Result<String, BackendError> {
        Err(BackendError::Refused(SILENT.into()))
    }

    async fn connect(&self, _: NodeId, _: &[String]) -> Result<(), BackendError> {
        Err(BackendError::Refused(SILENT.into()))
    }

    async fn send(&self, _: NodeId, _: Vec<u8>) -> Result<(), BackendError> {
        Err(BackendError::Refused(SILENT.into()))
    }

    async fn prepare(&self, _: &Authorized) -> Result<Prepared, NotDone> {
        Err(BackendError::Refused(SILENT.into()).into())
    }

    async fn execute(&self, _: ActionId, _: &Authorized, _: &Prepared) -> Result<Done, ActError> {
        Err(NotDone::from(BackendError::Refused(SILENT.into())).into())
    }

    async fn reconcile(&self, _: ActionId, _: &Prepared) -> Result<Reconciled, BackendError> {
        Err(BackendError::Refused(SILENT.into()))
    }

    async fn next_event(&self) -> Result<BackendEvent, BackendError> {
        match self.0.lock().await.recv().await {
            Some(event) => Ok(event),
            None => std::future::pending().await,
        }
    }
}

/// A busy machine takes nothing for a while: what comes meanwhile stays with the backend, whose queue
/// is bounded by peer and by size and drops a flooder's messages, not everybody's.
#[tokio::test]
async fn messages_wait_with_the_backend_while_the_machine_is_busy() {
    const COUNT: u8 = 100;
    let (sender, receiver) = mpsc::channel(COUNT.into());
    let from = NodeId::from_bytes([2; 33]).unwrap();
    for byte in 0..COUNT {
        let bytes = vec![byte];
        let message = BackendEvent::Message { from, bytes };
        sender.try_send(message).unwrap();
    }
    let backend = Arc::new(Messages(tokio::sync::Mutex::new(receiver)));
    let clock = Arc::new(SystemClock::new(BootId::new(1)));
    let (queue, mut machine) = mpsc::channel(1);
    let pump = tokio::spawn(Reads::new(backend, clock, queue).pump());
    // All that can move without the machine has moved.
    while sender.capacity() < 2 {
        tokio::task::yield_now().await;
    }
    let mut rounds = 0;
    while rounds < 1_000 && sender.capacity() < usize::from(COUNT) {
        tokio::task::yield_now().await;
        rounds += 1;
    }
    assert_eq!(sender.capacity(), 2, "one is queued, one in hand");
    for expected in 0..COUNT {
        let Some(FromNode::Message { bytes, .. }) = machine.recv().await else {
            panic!("no message {expected}");
        };
        assert_eq!(bytes, [expected]);
    }
    pump.abort();
}
