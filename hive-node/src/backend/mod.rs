//! What the agent asks of a Lightning node, and nothing more.
//!
//! A backend does as it is told and decides nothing. Money moves only in [`LightningBackend::execute`],
//! which takes a permit that hive-policy alone can make. The [conformance suite](crate::conformance)
//! says in code what the words here say.

pub mod bolt4;
mod outcome;
mod patience;
mod queue;

pub use hive_core::{Done, Fault, ProbeFailure, ProbeFailureKind};
pub use outcome::{ActError, BackendError, BackendEvent, NodeInfo, NotDone, Prepared, Reconciled};
pub use patience::Patience;
pub use queue::EventQueue;

use async_trait::async_trait;
use hive_planner::graph::Graph;
use hive_policy::Authorized;
use hive_types::{ActionId, LocalSnapshot, NodeId};
use std::sync::Arc;

/// A Lightning node, as the agent sees it.
///
/// Calls may run at the same time, except [`LightningBackend::next_event`], which one task calls.
/// A call that is dropped before it returns may or may not have had its effect; the driver drops none
/// but at the end of the process, and reconciles after.
#[async_trait]
pub trait LightningBackend: Send + Sync {
    /// What the node says of itself.
    ///
    /// # Errors
    /// [`BackendError`] when the node does not answer, or not so that it can be understood.
    async fn info(&self) -> Result<NodeInfo, BackendError>;

    /// Funds, channels, peers and forwards, read in one go: a channel that opens meanwhile is in it
    /// with its funds taken off, or neither.
    ///
    /// # Errors
    /// [`BackendError`] when the node does not answer, or not so that it can be understood.
    async fn snapshot(&self) -> Result<LocalSnapshot, BackendError>;

    /// The network graph as the node knows it, with inbound fees and disabled directions.
    ///
    /// # Errors
    /// [`BackendError`] when the node does not answer, or not so that it can be understood.
    async fn graph(&self) -> Result<Arc<Graph>, BackendError>;

    /// Signs with the node key: zbase32 of a recoverable ECDSA signature over
    /// `SHA256(SHA256("Lightning Signed Message:" || text))`, as `signmessage` does on every
    /// implementation. LND signs no empty text.
    ///
    /// # Errors
    /// [`BackendError`] when the node does not answer or refuses.
    async fn sign(&self, text: &str) -> Result<String, BackendError>;

    /// Connects to a peer at one of the addresses (`host:port`), or at those that the node knows.
    /// Being connected already is success.
    ///
    /// # Errors
    /// [`BackendError`] when no address answers.
    async fn connect(&self, to: NodeId, addresses: &[String]) -> Result<(), BackendError>;

    /// Hands a message to the link with a connected peer: `bytes` follow the two bytes of type
    /// [`MESSAGE_TYPE`](hive_types::limits::MESSAGE_TYPE). Success does not mean that it arrived.
    /// Messages to one peer keep their order.
    ///
    /// # Errors
    /// [`BackendError::NotConnected`] without a link to the peer.
    async fn send(&self, to: NodeId, bytes: Vec<u8>) -> Result<(), BackendError>;

    /// Chooses what makes the action repeatable without harm: the funding inputs of an open, the
    /// preimage of a payment. Moves and reserves nothing. The caller stores the result durably before
    /// it calls [`LightningBackend::execute`].
    ///
    /// # Errors
    /// [`NotDone`] when the action is not possible now: too few funds, an unknown channel.
    async fn prepare(&self, permit: &Authorized) -> Result<Prepared, NotDone>;

    /// Does what the permit allows, with what was prepared. Repeating it with the same `prepared`
    /// never has the effect twice.
    ///
    /// # Errors
    /// [`ActError::NotDone`] when it certainly had no effect and will have none, and
    /// [`ActError::Unknown`] whenever that is not certain.
    async fn execute(
        &self,
        id: ActionId,
        permit: &Authorized,
        prepared: &Prepared,
    ) -> Result<Done, ActError>;

    /// What became of an action that may have been executed, asked after a crash or after
    /// [`ActError::Unknown`]. Of a payment that is not settled it makes sure that it never settles
    /// before it says [`Reconciled::NotDone`].
    ///
    /// # Errors
    /// [`BackendError`] when the node does not answer, or not so that it can be understood.
    async fn reconcile(
        &self,
        id: ActionId,
        prepared: &Prepared,
    ) -> Result<Reconciled, BackendError>;

    /// Waits for the next event. After [`BackendEvent::Restarted`] events may have been missed.
    ///
    /// # Errors
    /// [`BackendError`] when the node's streams ended; the caller waits and calls again, and the first
    /// event of new streams is [`BackendEvent::Restarted`].
    async fn next_event(&self) -> Result<BackendEvent, BackendError>;

    /// What the operator should know of the node or of the way to it while both work, each a line that says
    /// what to do. `hive-status` shows them; one that is over is not among them any more.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
