//! An agent put together: configuration, store, control socket, state machine, driver.

use crate::backend::{BackendError, LightningBackend, NodeInfo};
use crate::chance;
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{BindError, Call, ControlServer};
use crate::driver::{Driver, DriverError, Surroundings};
use crate::http::ParseProxyError;
use crate::oracle::Oracle;
use crate::store::{Store, StoreError};
use crate::webhook::Webhook;
use hive_core::{Change, ChangeSet, Event, Fault, Hive};
use hive_types::limits::{BACKEND_RETRY, COMMAND_QUEUE};
use hive_types::{BootId, Network, NodeId};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{broadcast, mpsc};

/// The store's name for the node that it belongs to.
const META_NODE: &str = "agent.node";

/// The store's name for that node's network: one key makes the same node id on several.
const META_NETWORK: &str = "agent.network";

/// Why an agent does not run.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] BindError),
    /// The node.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The store was written beside another node: its ledger and its actions are not this one's.
    #[error("{} belongs to node {stored}, not to {found}; name another data_dir, or connect to that node", path.display())]
    OtherNode {
        /// The store.
        path: PathBuf,
        /// Whose it is.
        stored: String,
        /// Which node answers.
        found: NodeId,
    },
    /// The store was written on another network: its decisions and its ledger mean nothing here.
    #[error("{} was written on {stored}, and the node is on {found}; name another data_dir, or connect to the node on {stored}", path.display())]
    OtherNetwork {
        /// The store.
        path: PathBuf,
        /// Which network it is of.
        stored: String,
        /// Which network the node is on.
        found: Network,
    },
    /// The proxy.
    #[error(transparent)]
    Proxy(#[from] ParseProxyError),
    /// The system gives no random numbers.
    #[error("no random numbers from /dev/urandom: {0}; without them no key is safe")]
    Random(io::Error),
}

/// An agent that is ready to run.
pub struct Agent {
    driver: Driver<Hive>,
    server: ControlServer,
    calls: mpsc::Sender<Call>,
    webhook: Option<(Webhook, broadcast::Receiver<Event>)>,
}

impl Agent {
    /// Opens the store and the control socket, waits for the node, and restores the state machine.
    /// `clock` makes the clock for the boot that this begins. A node that does not answer yet is waited
    /// for; the caller drops this future to stop before that.
    ///
    /// # Errors
    /// [`AgentError`]; its text says what to do.
    pub async fn start(
        config: &Config,
        backend: Arc<dyn LightningBackend>,
        clock: impl FnOnce(BootId) -> Arc<dyn Clock>,
    ) -> Result<Self, AgentError> {
        let store = Arc::new(Store::open_bounded(&config.data_dir, config.store_bytes)?);
        let server = ControlServer::bind(&config.control_socket)?;
        let info = wait_for(&*backend).await?;
        let restored = store.load()?;
        claim(&store, &restored.meta, &info)?;
        tracing::info!(node = %info.node_id, version = info.version, network = %info.network,
            store = %store.path().display(), boot = store.boot().get(), "starting");
        if !info.synced {
            tracing::warn!(height = %info.height, "the node has not caught up with the chain; messages go on \
                meanwhile, and nothing is opened until it has");
        }
        let clock = clock(store.boot());
        let seed = chance::secret().map_err(AgentError::Random)?;
        let machine = Hive::new(config.for_machine(&info), seed, restored, clock.now());
        let hive = machine.hive();
        let around = Surroundings {
            backend,
            store,
            clock: clock.clone(),
        };
        let (calls, receiver) = mpsc::channel(COMMAND_QUEUE);
        let mut driver = Driver::new(machine, around, receiver);
        if let Some(oracle) = &config.oracle {
            driver = driver.with_oracle(Oracle::new(oracle, &config.http, clock.clone())?);
        }
        let mut told = None;
        if let Some(webhook) = &config.webhook {
            let webhook = Webhook::new(webhook, &config.http, clock, info.node_id, hive)?;
            driver = driver.with_webhook(&webhook);
            told = Some((webhook, driver.events()));
        }
        Ok(Self {
            driver,
            server,
            calls,
            webhook: told,
        })
    }

    /// Events from now on. Who lags behind loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.driver.events()
    }

    /// Where commands can be put besides the control socket: a plugin's RPCs, a demo.
    pub fn calls(&self) -> mpsc::Sender<Call> {
        self.calls.clone()
    }

    /// Runs until `stop` is ready.
    ///
    /// # Errors
    /// [`AgentError::Driver`] when the store failed on the way.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), AgentError> {
        let serving = tokio::spawn(self.server.serve(self.calls));
        // Ends with the driver, which alone sends events.
        if let Some((webhook, events)) = self.webhook {
            tokio::spawn(webhook.run(events));
        }
        let ended = self.driver.run(stop).await;
        serving.abort();
        // Aborted or at its end: either way the socket is gone when this returns.
        let _ = serving.await;
        Ok(ended?)
    }
}

/// The node's word on itself. Node and agent often start together, and a node whose own chain backend is
/// still starting refuses with any words; the agent waits unless only the operator can help.
async fn wait_for(backend: &dyn LightningBackend) -> Result<NodeInfo, BackendError> {
    let mut told = String::new();
    loop {
        match backend.info().await {
            Err(reason) if reason.fault() != Fault::Operator => {
                // A node may be away for a night: one line for each reason, not for each try.
                let text = reason.to_string();
                if text != told {
                    tracing::warn!(reason = text, "waiting for the node");
                    told = text;
                }
                tokio::time::sleep(Duration::from_millis(BACKEND_RETRY.get())).await;
            }
            known => return known,
        }
    }
}

/// A new store becomes this node's; another node's is refused, and so is one of another network.
fn claim(store: &Store, meta: &[(String, Vec<u8>)], info: &NodeInfo) -> Result<(), AgentError> {
    let path = || store.path().to_path_buf();
    let (node, network) = (info.node_id.to_string(), info.network.to_string());
    let known = |key: &str| {
        let found = meta.iter().find(|(name, _)| name == key);
        found.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
    };
    if let Some(stored) = known(META_NODE).filter(|stored| *stored != node) {
        return Err(AgentError::OtherNode {
            path: path(),
            stored,
            found: info.node_id,
        });
    }
    if let Some(stored) = known(META_NETWORK).filter(|stored| *stored != network) {
        return Err(AgentError::OtherNetwork {
            path: path(),
            stored,
            found: info.network,
        });
    }
    let own = [(META_NODE, node), (META_NETWORK, network)];
    let new = own.into_iter().filter(|(key, _)| known(key).is_none());
    let changes: Vec<Change> = new
        .map(|(key, text)| Change::Meta {
            key: key.into(),
            bytes: text.into_bytes(),
        })
        .collect();
    match changes.is_empty() {
        true => Ok(()),
        false => Ok(store.apply(&ChangeSet { changes })?),
    }
}
