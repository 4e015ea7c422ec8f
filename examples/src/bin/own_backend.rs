//! Your own node behind The Hive: a backend is all that an agent needs of it.
//!
//! This one is a node of a few lines that lives in memory, signs, and knows nobody. A whole agent runs
//! beside it: store, control socket, state machine, driver. It founds a fleet and tells how it fares:
//! `cargo run -p examples --bin own_backend`
//!
//! When yours is written, hold it to `hive_node::conformance`: the same scenarios that run against the
//! embedded world, Core Lightning and LND.

use async_trait::async_trait;
use hive_node::Agent;
use hive_node::backend::{
    ActError, BackendError, BackendEvent, Done, Fault, LightningBackend, NodeInfo, NotDone,
    Prepared, Reconciled,
};
use hive_node::clock::SystemClock;
use hive_node::config::Config;
use hive_node::control::{Client, CommandName};
use hive_planner::graph::Graph;
use hive_policy::Authorized;
use hive_proto::NodeSignature;
use hive_types::{
    ActionId, BlockHeight, FeeratePerKw, LocalSnapshot, Network, NodeId, OnChain, Sat,
};
use secp256k1::{SECP256K1, SecretKey};
use serde_json::Value;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// A node that lives in memory.
struct TinyNode {
    id: NodeId,
    secret: SecretKey,
    has_started: AtomicBool,
}

impl TinyNode {
    fn new(secret: [u8; 32]) -> Result<Self, Box<dyn Error>> {
        let secret = SecretKey::from_slice(&secret)?;
        let id = NodeId::from_bytes(secret.public_key(SECP256K1).serialize())?;
        let has_started = AtomicBool::new(false);
        Ok(Self {
            id,
            secret,
            has_started,
        })
    }
}

#[async_trait]
impl LightningBackend for TinyNode {
    /// Who the node is. Asked once at start; the agent waits while this fails and may be retried.
    async fn info(&self) -> Result<NodeInfo, BackendError> {
        Ok(NodeInfo {
            node_id: self.id,
            network: Network::Regtest,
            alias: "tiny".into(),
            version: "tiny 0.1".into(),
            synced: true,
            height: BlockHeight::new(1),
            features: vec![],
            addresses: vec![],
        })
    }

    /// Everything about the node in one reading that is whole: money, channels, peers, forwards.
    async fn snapshot(&self) -> Result<LocalSnapshot, BackendError> {
        Ok(LocalSnapshot {
            node_id: self.id,
            network: Network::Regtest,
            height: BlockHeight::new(1),
            synced: true,
            on_chain: OnChain {
                confirmed: Sat::new(1_000_000),
                ..OnChain::default()
            },
            feerate: FeeratePerKw::new(253),
            channels: vec![],
            peers: vec![],
            forwards: vec![],
            peer_events: vec![],
        })
    }

    /// The network as the node knows it; build yours with `hive_planner::graph::GraphBuilder`.
    async fn graph(&self) -> Result<Arc<Graph>, BackendError> {
        Ok(Arc::default())
    }

    /// `signmessage` with the node key. Once per member key, so a slow or remote signer will do.
    async fn sign(&self, text: &str) -> Result<String, BackendError> {
        Ok(NodeSignature::sign(text, &self.secret).to_string())
    }

    /// Dials. Being connected already is success.
    async fn connect(&self, to: NodeId, _addresses: &[String]) -> Result<(), BackendError> {
        let reason = "this node knows nobody".into();
        Err(BackendError::PeerUnreachable { peer: to, reason })
    }

    /// Hands a custom message to the link. That it was handed over says nothing of its arrival.
    async fn send(&self, to: NodeId, _bytes: Vec<u8>) -> Result<(), BackendError> {
        Err(BackendError::NotConnected(to))
    }

    /// Chooses what makes the action repeatable, and moves nothing: the funding's inputs, a preimage.
    async fn prepare(&self, permit: &Authorized) -> Result<Prepared, NotDone> {
        let kind = permit.action().kind();
        Err(NotDone::new(
            Fault::Agent,
            format!("this node can't {kind}"),
        ))
    }

    /// The one place where money moves. The permit says what and how much, `prepared` is on disk by now.
    /// Say `NotDone` only when it is certain: everything else is `Unknown`, and is reconciled.
    async fn execute(
        &self,
        _id: ActionId,
        _permit: &Authorized,
        _prepared: &Prepared,
    ) -> Result<Done, ActError> {
        Err(NotDone::new(Fault::Agent, "this node prepares nothing").into())
    }

    /// What became of an action, asked after a crash or an `Unknown`: look for the inputs on the chain,
    /// for the payment by its hash.
    async fn reconcile(
        &self,
        _id: ActionId,
        _prepared: &Prepared,
    ) -> Result<Reconciled, BackendError> {
        Ok(Reconciled::NotDone)
    }

    /// Waits for the next event; the first one of new streams is `Restarted`.
    async fn next_event(&self) -> Result<BackendEvent, BackendError> {
        if !self.has_started.swap(true, Ordering::SeqCst) {
            return Ok(BackendEvent::Restarted);
        }
        std::future::pending().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let config = Config::in_folder(folder.path());
    let node = Arc::new(TinyNode::new([7; 32])?);
    let agent = Agent::start(&config, node, |boot| Arc::new(SystemClock::new(boot))).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(agent.run(async move {
        let _ = stopped.await;
    }));
    // What `hive init` and `hive status` do.
    let mut client = Client::connect(&config.control_socket).await?;
    println!(
        "{}",
        client.call(CommandName::HiveInit, &Value::Null).await?
    );
    loop {
        let answer = client.call(CommandName::HiveStatus, &Value::Null).await?;
        let status = &answer["status"];
        if status["stage"] == "member" {
            println!("{status:#}");
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(stop);
    Ok(running.await??)
}
