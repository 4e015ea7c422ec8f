//! One lightningd as a backend.

use crate::calls::{Connect, Listclosedchannels, Listpeers, Sendcustommsg, Signmessage};
use crate::events::Events;
use crate::forwards::Counted;
use crate::gossip;
use crate::hex;
use crate::limits::GOSSIP_LOOK;
use crate::money;
use crate::rpc::{CallError, Rpc};
use crate::snapshot;
use crate::version::{self, Judgement};
use async_trait::async_trait;
use hive_node::backend::{
    ActError, BackendError, BackendEvent, Done, LightningBackend, NodeInfo, NotDone, Prepared,
    Reconciled,
};
use hive_planner::graph::Graph;
use hive_policy::Authorized;
use hive_types::limits::MESSAGE_TYPE;
use hive_types::{ActionId, LocalSnapshot, NodeId};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// lightningd's code for a request that does not fit the state of things: no such peer, not connected.
const INVALID_REQUEST: i32 = -32_600;

/// Where a lightningd is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClnNode {
    /// Its RPC socket.
    pub rpc_path: PathBuf,
    /// Its file of gossip.
    pub gossip_store: PathBuf,
}

impl ClnNode {
    /// The node whose folder of its network this is, `~/.lightning/bitcoin` say.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            rpc_path: folder.join("lightning-rpc"),
            gossip_store: folder.join("gossip_store"),
        }
    }
}

/// A Core Lightning node, reached over its RPC socket; what it tells by itself comes through [`Events`].
#[derive(Debug)]
pub struct ClnBackend {
    pub(crate) rpc: Rpc,
    gossip_store: PathBuf,
    events: Events,
    counted: Mutex<Counted>,
    /// The newest reading of the graph, for what only gossip says of the own channels.
    graph: RwLock<Option<Arc<Graph>>>,
    listening: Mutex<Listening>,
    /// What there is to say about the node's version.
    about_version: RwLock<Option<String>>,
}

/// What the one task that takes events remembers of the gossip file.
#[derive(Debug, Default)]
struct Listening {
    /// The file as it was when it was last looked at.
    gossip: Option<gossip::Mark>,
    /// When to look at it again.
    look_at: Option<Instant>,
}

impl ClnBackend {
    /// Nothing is opened and nothing asked before the first call.
    pub fn new(node: ClnNode, events: Events) -> Self {
        Self {
            rpc: Rpc::new(&node.rpc_path),
            gossip_store: node.gossip_store,
            events,
            counted: Mutex::default(),
            graph: RwLock::default(),
            listening: Mutex::default(),
            about_version: RwLock::default(),
        }
    }

    fn last_graph(&self) -> Option<Arc<Graph>> {
        let graph = self.graph.read().unwrap_or_else(PoisonError::into_inner);
        graph.clone()
    }

    async fn is_linked(&self, peer: NodeId) -> Result<bool, BackendError> {
        let id = Some(peer);
        let peers = self.rpc.call(&Listpeers { id }).await?.peers;
        Ok(peers.iter().any(|one| one.id == peer && one.connected))
    }

    /// Whether the gossip file is another one than at the last look.
    fn gossip_changed(&self, listening: &mut Listening) -> bool {
        let now = gossip::mark(&self.gossip_store);
        let before = std::mem::replace(&mut listening.gossip, now);
        before != now
    }
}

#[async_trait]
impl LightningBackend for ClnBackend {
    async fn info(&self) -> Result<NodeInfo, BackendError> {
        let info = snapshot::info(&self.rpc).await?;
        let version = info.version.trim_start_matches(snapshot::IMPLEMENTATION);
        let warning = match version::judge(version) {
            Judgement::Fine => None,
            Judgement::Untried(text) => Some(text),
            Judgement::TooOld(reason) => return Err(BackendError::Unfit(reason)),
        };
        let about = self.about_version.write();
        *about.unwrap_or_else(PoisonError::into_inner) = warning;
        Ok(info)
    }

    async fn snapshot(&self) -> Result<LocalSnapshot, BackendError> {
        // One reading at a time: each goes on where the last one stopped counting.
        let mut counted = self.counted.lock().await;
        let graph = self.last_graph();
        let reading = snapshot::read(&self.rpc, graph.as_deref()).await?;
        let closed = self.rpc.call(&Listclosedchannels {}).await?.closedchannels;
        let mut snapshot = reading.snapshot;
        counted.look(&reading.channels, &closed, snapshot.height);
        counted.catch_up(&self.rpc).await?;
        snapshot.forwards = counted.totals();
        snapshot.peer_events = counted.deeds(&reading.channels);
        Ok(snapshot)
    }

    async fn graph(&self) -> Result<Arc<Graph>, BackendError> {
        let graph = Arc::new(gossip::read(&self.rpc, &self.gossip_store).await?);
        let mut last = self.graph.write().unwrap_or_else(PoisonError::into_inner);
        *last = Some(graph.clone());
        Ok(graph)
    }

    async fn sign(&self, text: &str) -> Result<String, BackendError> {
        let signed = self.rpc.call(&Signmessage { message: text }).await?;
        Ok(signed.zbase)
    }

    async fn connect(&self, to: NodeId, addresses: &[String]) -> Result<(), BackendError> {
        if self.is_linked(to).await? {
            return Ok(());
        }
        let mut reasons = Vec::new();
        // Last of all without an address: the node may know more of them.
        for address in addresses.iter().map(Some).chain([None]) {
            let (host, port) = address.map_or((None, None), |address| split(address));
            match self.rpc.call(&Connect { id: to, host, port }).await {
                Ok(_) => return Ok(()),
                Err(CallError::Refused { message, .. }) => reasons.push(message),
                Err(error) => return Err(error.into()),
            }
        }
        Err(BackendError::PeerUnreachable {
            peer: to,
            reason: reasons.join("; "),
        })
    }

    async fn send(&self, to: NodeId, bytes: Vec<u8>) -> Result<(), BackendError> {
        let mut framed = MESSAGE_TYPE.to_be_bytes().to_vec();
        framed.extend_from_slice(&bytes);
        let message = Sendcustommsg {
            node_id: to,
            msg: hex::encode(&framed),
        };
        match self.rpc.call(&message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_refusal(&[INVALID_REQUEST]) => {
                Err(BackendError::NotConnected(to))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn prepare(&self, permit: &Authorized) -> Result<Prepared, NotDone> {
        money::prepare(&self.rpc, permit).await
    }

    async fn execute(
        &self,
        id: ActionId,
        permit: &Authorized,
        prepared: &Prepared,
    ) -> Result<Done, ActError> {
        money::execute(&self.rpc, id, permit, prepared).await
    }

    async fn reconcile(
        &self,
        id: ActionId,
        prepared: &Prepared,
    ) -> Result<Reconciled, BackendError> {
        money::reconcile(&self.rpc, id, prepared).await
    }

    async fn next_event(&self) -> Result<BackendEvent, BackendError> {
        let mut listening = self.listening.lock().await;
        // Begun once: a look at the file does not cut a reading of the peers short.
        let mut next = pin!(self.events.queue.next(|| snapshot::peers(&self.rpc)));
        loop {
            let look_at = *listening.look_at.get_or_insert_with(next_look);
            // The look comes first: a node that is never quiet has news of the graph too.
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(look_at) => {
                    listening.look_at = Some(next_look());
                    if self.gossip_changed(&mut listening) {
                        self.events.queue.push(BackendEvent::GraphChanged);
                    }
                }
                event = &mut next => return Ok(event),
            }
        }
    }

    fn warnings(&self) -> Vec<String> {
        let about = self.about_version.read();
        let about = about.unwrap_or_else(PoisonError::into_inner).clone();
        about.into_iter().collect()
    }
}

fn next_look() -> Instant {
    Instant::now() + Duration::from_millis(GOSSIP_LOOK.get())
}

/// Host and port of `host:port`; without a port the node takes the network's own.
fn split(address: &str) -> (Option<String>, Option<u16>) {
    let parts = address.rsplit_once(':');
    let port = parts.and_then(|(_, port)| port.parse().ok());
    match (parts, port) {
        (Some((host, _)), Some(port)) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            (Some(host.to_owned()), Some(port))
        }
        _ => (Some(address.to_owned()), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fall_apart() {
        let parts = |text: &str| {
            let (host, port) = split(text);
            (host.unwrap(), port)
        };
        assert_eq!(parts("a.onion:9735"), ("a.onion".into(), Some(9735)));
        assert_eq!(parts("[::1]:1"), ("::1".into(), Some(1)));
        assert_eq!(parts("host"), ("host".into(), None));
    }
}
