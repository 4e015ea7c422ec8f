//! LND as a backend of the agent.

use crate::connect::{Link, Source, SourceError};
use crate::permissions::Grants;
use crate::proto::lnrpc::{SendCustomMessageRequest, SignMessageRequest};
use crate::snapshot::{Reader, peers};
use crate::streams::Streams;
use crate::{dial, graph, info};
use async_trait::async_trait;
use hive_node::backend::{
    ActError, BackendError, BackendEvent, Done, EventQueue, LightningBackend, NodeInfo, NotDone,
    Prepared, Reconciled,
};
use hive_planner::graph::Graph;
use hive_policy::Authorized;
use hive_types::limits::MESSAGE_TYPE;
use hive_types::{ActionId, LocalSnapshot, NodeId};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;
use tonic::Code;

/// An LND. Its streams are followed until it is dropped.
#[derive(Debug)]
pub struct LndBackend {
    pub(crate) link: Link,
    reader: Arc<Reader>,
    pub(crate) queue: Arc<EventQueue>,
    grants: Arc<Grants>,
    /// Opens that LND was asked for in this run: few, since each is within the operator's limits.
    pub(crate) opens: Mutex<BTreeSet<ActionId>>,
    following: JoinHandle<()>,
}

impl LndBackend {
    /// Reads the credentials, then connects, and again by itself whenever that is needed: what a peer sends
    /// from then on is kept for [`LightningBackend::next_event`].
    ///
    /// # Errors
    /// [`SourceError`]: one line that says what to write instead.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(source: Source) -> Result<Self, SourceError> {
        let streams = Arc::new(Streams {
            link: Link::new(source)?,
            queue: Arc::default(),
            reader: Arc::default(),
            grants: Arc::default(),
        });
        Ok(Self {
            link: streams.link.clone(),
            reader: streams.reader.clone(),
            queue: streams.queue.clone(),
            grants: streams.grants.clone(),
            opens: Mutex::default(),
            following: tokio::spawn(streams.run()),
        })
    }
}

impl Drop for LndBackend {
    fn drop(&mut self) {
        self.following.abort();
    }
}

#[async_trait]
impl LightningBackend for LndBackend {
    async fn info(&self) -> Result<NodeInfo, BackendError> {
        info::as_info(&info::ask(&self.link).await?)
    }

    async fn snapshot(&self) -> Result<LocalSnapshot, BackendError> {
        self.reader.read(&self.link).await
    }

    async fn graph(&self) -> Result<Arc<Graph>, BackendError> {
        graph::read(&self.link).await
    }

    /// LND signs no empty text.
    async fn sign(&self, text: &str) -> Result<String, BackendError> {
        let request = SignMessageRequest {
            msg: text.as_bytes().to_vec(),
        };
        let mut client = self.link.lightning();
        let call = "/lnrpc.Lightning/SignMessage";
        let said = self.link.ask(call, client.sign_message(request)).await?;
        Ok(said.signature)
    }

    async fn connect(&self, to: NodeId, addresses: &[String]) -> Result<(), BackendError> {
        dial::to_fellow(&self.link, to, addresses).await
    }

    async fn send(&self, to: NodeId, bytes: Vec<u8>) -> Result<(), BackendError> {
        let request = SendCustomMessageRequest {
            peer: to.as_bytes().to_vec(),
            r#type: MESSAGE_TYPE.into(),
            data: bytes,
        };
        let mut client = self.link.lightning();
        match self.link.wait(client.send_custom_message(request)).await {
            Ok(_) => Ok(()),
            Err(status) if is_gone(&status) => Err(BackendError::NotConnected(to)),
            Err(status) => {
                let call = "/lnrpc.Lightning/SendCustomMessage";
                Err(self.link.error(call, &status))
            }
        }
    }

    async fn prepare(&self, permit: &Authorized) -> Result<Prepared, NotDone> {
        self.grants.admit(&self.link, permit.action().kind())?;
        self.prepare_action(permit).await
    }

    async fn execute(
        &self,
        id: ActionId,
        permit: &Authorized,
        prepared: &Prepared,
    ) -> Result<Done, ActError> {
        self.execute_action(id, permit, prepared).await
    }

    async fn reconcile(
        &self,
        id: ActionId,
        prepared: &Prepared,
    ) -> Result<Reconciled, BackendError> {
        self.reconcile_action(id, prepared).await
    }

    async fn next_event(&self) -> Result<BackendEvent, BackendError> {
        Ok(self.queue.next(|| peers(&self.link)).await)
    }

    fn warnings(&self) -> Vec<String> {
        self.link.warnings.all()
    }
}

/// The peer is not there, or left while the message was on its way.
fn is_gone(status: &tonic::Status) -> bool {
    status.code() == Code::NotFound
        || status.message().contains("not connected")
        || status.message().contains("disconnected")
        || status.message().contains("peer exiting")
}
