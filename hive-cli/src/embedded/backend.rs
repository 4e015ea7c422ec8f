//! One node of the world as a backend.

use super::Ground;
use async_trait::async_trait;
use hive_node::backend::{
    ActError, BackendError, BackendEvent, Done, LightningBackend, NodeInfo, NotDone, Prepared,
    Reconciled,
};
use hive_planner::graph::Graph;
use hive_policy::Authorized;
use hive_sim::world::{ConnectError, NodeEvent, SendError};
use hive_types::limits::MESSAGE_TYPE;
use hive_types::{ActionId, LocalSnapshot, NodeId};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What left a node over its links.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) largest: u64,
}

/// A node of the world, with a name in the story that is told of it.
pub(crate) struct EmbeddedBackend {
    pub(super) ground: Arc<Ground>,
    pub(super) node: NodeId,
    alias: String,
    features: Vec<u8>,
    address: String,
    is_new_stream: AtomicBool,
    graph: AtomicU64,
    meter: Mutex<Meter>,
    /// The next open goes no further than this, as if the agent's machine stopped right then.
    pub(super) fuse: Mutex<Option<oneshot::Sender<ActionId>>>,
}

impl EmbeddedBackend {
    pub(crate) fn new(ground: Arc<Ground>, node: NodeId, alias: &str, features: Vec<u8>) -> Self {
        Self {
            ground,
            node,
            alias: alias.to_owned(),
            features,
            address: format!("{alias}.example:9735"),
            is_new_stream: AtomicBool::new(true),
            graph: AtomicU64::new(0),
            meter: Mutex::default(),
            fuse: Mutex::default(),
        }
    }

    /// What left this node so far.
    pub(crate) fn meter(&self) -> Meter {
        *held(&self.meter)
    }

    /// Lets the agent's machine stop when it is about to hand its next open to the node. The receiver
    /// hears which open that is.
    pub(crate) fn stop_before_next_open(&self) -> oneshot::Receiver<ActionId> {
        let (sender, receiver) = oneshot::channel();
        *held(&self.fuse) = Some(sender);
        receiver
    }

    /// Takes [`EmbeddedBackend::stop_before_next_open`] back.
    pub(crate) fn go_on(&self) {
        *held(&self.fuse) = None;
    }

    /// What a restarted agent finds: the node's streams begin anew.
    pub(crate) fn restart_streams(&self) {
        let mut world = self.ground.world();
        while world.poll_event(self.node).is_some() {}
        self.is_new_stream.store(true, Ordering::SeqCst);
    }

    fn poll(&self) -> Option<BackendEvent> {
        if self.is_new_stream.swap(false, Ordering::SeqCst) {
            return Some(BackendEvent::Restarted);
        }
        let mut world = self.ground.world();
        let graph = world.graph_version(self.node).unwrap_or_default();
        if self.graph.swap(graph, Ordering::SeqCst) != graph {
            return Some(BackendEvent::GraphChanged);
        }
        while let Some(event) = world.poll_event(self.node) {
            if let Some(event) = as_event(event) {
                return Some(event);
            }
        }
        None
    }
}

/// Events of the world in the words of backends; other message types are nobody's business here.
fn as_event(event: NodeEvent) -> Option<BackendEvent> {
    Some(match event {
        NodeEvent::PeerConnected { peer, features } => BackendEvent::PeerConnected {
            peer,
            features,
            address: None,
        },
        NodeEvent::PeerDisconnected { peer } => BackendEvent::PeerDisconnected { peer },
        NodeEvent::Message { from, kind, bytes } if kind == MESSAGE_TYPE => {
            BackendEvent::Message { from, bytes }
        }
        NodeEvent::Message { .. } | NodeEvent::PaymentResult { .. } => return None,
        NodeEvent::Block { height } => BackendEvent::Block { height },
        NodeEvent::ChannelsChanged => BackendEvent::Changed,
    })
}

#[async_trait]
impl LightningBackend for EmbeddedBackend {
    async fn info(&self) -> Result<NodeInfo, BackendError> {
        let snapshot = self.snapshot().await?;
        Ok(NodeInfo {
            node_id: self.node,
            network: snapshot.network,
            alias: self.alias.clone(),
            version: concat!("embedded world ", env!("CARGO_PKG_VERSION")).to_owned(),
            synced: snapshot.synced,
            height: snapshot.height,
            features: self.features.clone(),
            addresses: vec![self.address.clone()],
        })
    }

    async fn snapshot(&self) -> Result<LocalSnapshot, BackendError> {
        let snapshot = self.ground.world().snapshot(self.node);
        snapshot.map_err(|error| BackendError::Refused(error.to_string()))
    }

    async fn graph(&self) -> Result<Arc<Graph>, BackendError> {
        let graph = self.ground.world().graph_of(self.node);
        graph.map_err(|error| BackendError::Refused(error.to_string()))
    }

    async fn sign(&self, text: &str) -> Result<String, BackendError> {
        let signature = self.ground.world().sign_message(self.node, text);
        signature.map_err(|error| BackendError::Refused(error.to_string()))
    }

    async fn connect(&self, to: NodeId, _: &[String]) -> Result<(), BackendError> {
        let connected = self.ground.world().connect(self.node, to);
        self.ground.ring();
        connected.map_err(|error| match error {
            ConnectError::Node(_) | ConnectError::SameNode => {
                BackendError::Refused(error.to_string())
            }
            ConnectError::Offline(_) | ConnectError::Blocked(_) => BackendError::PeerUnreachable {
                peer: to,
                reason: error.to_string(),
            },
        })
    }

    async fn send(&self, to: NodeId, bytes: Vec<u8>) -> Result<(), BackendError> {
        let size = bytes.len() as u64;
        let sent = self
            .ground
            .world()
            .send_message(self.node, to, MESSAGE_TYPE, bytes);
        match sent {
            Ok(()) => {
                let mut meter = held(&self.meter);
                meter.frames += 1;
                meter.bytes += size;
                meter.largest = meter.largest.max(size);
                Ok(())
            }
            Err(SendError::NotConnected(peer)) => Err(BackendError::NotConnected(peer)),
            Err(error) => Err(BackendError::Refused(error.to_string())),
        }
    }

    async fn prepare(&self, permit: &Authorized) -> Result<Prepared, NotDone> {
        self.prepare_action(permit)
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
        _: ActionId,
        prepared: &Prepared,
    ) -> Result<Reconciled, BackendError> {
        Ok(self.reconcile_action(prepared))
    }

    async fn next_event(&self) -> Result<BackendEvent, BackendError> {
        let mut bell = self.ground.listen(self.node);
        loop {
            if let Some(event) = self.poll() {
                return Ok(event);
            }
            if bell.changed().await.is_err() {
                return Err(BackendError::Unreachable("the world is over".into()));
            }
        }
    }
}

/// What stands behind these locks is whole after every statement.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
