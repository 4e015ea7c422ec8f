//! One member: a node of the world, a store on disk, and a real driver between them.

use super::setting::{self, Wishes};
use super::story::Story;
use crate::embedded::{EmbeddedBackend, Ground, MemberClock};
use crate::failure::Failure;
use hive_core::{Hive, Reply, Status};
use hive_node::clock::Clock;
use hive_node::config::OracleConfig;
use hive_node::control::{Call, CommandName, ControlError, Request};
use hive_node::driver::{Driver, DriverError, Surroundings};
use hive_node::http::HttpConfig;
use hive_node::oracle::Oracle;
use hive_node::store::Store;
use hive_proto::{Record, tagged_hash};
use hive_types::limits::COMMAND_QUEUE;
use hive_types::{Millis, NodeId};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long an agent waits for its oracle, on the wall.
const ORACLE_PATIENCE: Millis = Millis::from_secs(2);

/// A member, its agent running or not.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) node: NodeId,
    pub(crate) backend: Arc<EmbeddedBackend>,
    folder: PathBuf,
    config: hive_core::Config,
    oracle: Option<OracleConfig>,
    seed: u64,
    running: Option<Running>,
}

struct Running {
    store: Arc<Store>,
    calls: mpsc::Sender<Call>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), DriverError>>,
}

/// What a member is made from.
pub(crate) struct Role<'a> {
    pub(crate) name: &'a str,
    pub(crate) node: NodeId,
    pub(crate) features: &'a [u8],
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    pub(crate) wishes: &'a Wishes,
}

impl Member {
    pub(crate) fn new(ground: &Arc<Ground>, role: Role<'_>) -> Result<Self, Failure> {
        let Role {
            name,
            node,
            features,
            folder,
            seed,
            wishes,
        } = role;
        let backend = EmbeddedBackend::new(ground.clone(), node, name, features.to_vec());
        Ok(Self {
            name: name.to_owned(),
            node,
            backend: Arc::new(backend),
            folder,
            config: setting::config(node, name, features, wishes)?,
            oracle: wishes.oracle.clone(),
            seed,
            running: None,
        })
    }

    /// Opens the store and starts the agent, as after any stop or crash.
    pub(crate) fn start(
        &mut self,
        ground: &Arc<Ground>,
        story: &Arc<Story>,
    ) -> Result<(), Failure> {
        let store = Arc::new(Store::open(&self.folder)?);
        let clock = Arc::new(MemberClock::new(ground.clone(), store.boot()));
        let boot = store.boot().get().to_le_bytes();
        let parts: [&[u8]; 3] = [&self.seed.to_le_bytes(), self.node.as_bytes(), &boot];
        let seed = tagged_hash("hive/demo agent", &parts).to_bytes();
        let machine = Hive::new(self.config.clone(), seed, store.load()?, clock.now());
        self.backend.restart_streams();
        let around = Surroundings {
            backend: self.backend.clone(),
            store: store.clone(),
            clock: clock.clone(),
        };
        let (calls, receiver) = mpsc::channel(COMMAND_QUEUE);
        let mut driver = Driver::new(machine, around, receiver);
        if let Some(oracle) = &self.oracle {
            let asked = Oracle::new(oracle, &oracle_http(), clock);
            let asked = asked.map_err(|error| Failure::Internal(error.to_string()))?;
            driver = driver.with_oracle(asked);
        }
        tokio::spawn(story.clone().follow(self.name.clone(), driver.events()));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(driver.run(async move {
            // Dropped is told, too.
            let _ = stopped.await;
        }));
        self.running = Some(Running {
            store,
            calls,
            stop,
            task,
        });
        Ok(())
    }

    /// The store, while the agent runs.
    pub(crate) fn store(&self) -> Option<&Arc<Store>> {
        self.running.as_ref().map(|running| &running.store)
    }

    /// The records in its store; those that can be read.
    pub(crate) fn records(&self) -> Vec<Record> {
        let read = self.store().and_then(|store| store.load().ok());
        let records = read.map(|read| read.records).unwrap_or_default();
        let records = records
            .into_iter()
            .filter_map(|one| Record::parse(one).ok());
        records.collect()
    }

    /// What its operator allows.
    pub(crate) const fn limits(&self) -> &hive_policy::Limits {
        &self.config.limits
    }

    /// Runs one command as `hive` would over the socket.
    pub(crate) async fn call(
        &self,
        command: CommandName,
        params: Value,
    ) -> Result<Value, ControlError> {
        let answer = self.hand_over(command, &params).await?;
        answer.await.map_err(|_| stopped())?
    }

    /// Runs commands at once: all are handed over before the first answer is awaited.
    pub(crate) async fn call_all(
        &self,
        command: CommandName,
        params: impl IntoIterator<Item = Value>,
    ) -> Vec<Result<Value, ControlError>> {
        let mut awaited = Vec::new();
        for params in params {
            awaited.push(self.hand_over(command, &params).await);
        }
        let mut answers = Vec::new();
        for answer in awaited {
            answers.push(match answer {
                Ok(answer) => answer.await.unwrap_or_else(|_| Err(stopped())),
                Err(error) => Err(error),
            });
        }
        answers
    }

    async fn hand_over(
        &self,
        command: CommandName,
        params: &Value,
    ) -> Result<oneshot::Receiver<Result<Value, ControlError>>, ControlError> {
        let request = Request::new(command, params)
            .map_err(|reason| ControlError::new("bad_params", reason, command.usage()))?;
        let running = self.running.as_ref().ok_or_else(stopped)?;
        let (reply, answer) = oneshot::channel();
        let call = Call { request, reply };
        running.calls.send(call).await.map_err(|_| stopped())?;
        Ok(answer)
    }

    /// A command's typed answer.
    pub(crate) async fn ask(
        &self,
        command: CommandName,
        params: Value,
    ) -> Result<Reply, ControlError> {
        let value = self.call(command, params).await?;
        let unread = |reason: serde_json::Error| {
            ControlError::new("internal", reason.to_string(), "report this")
        };
        serde_json::from_value(value).map_err(unread)
    }

    pub(crate) async fn status(&self) -> Option<Status> {
        match self.ask(CommandName::HiveStatus, Value::Null).await {
            Ok(Reply::Status(status)) => Some(status),
            _ => None,
        }
    }

    /// Stops the agent wherever it is, as a power cut would. Its node goes on.
    pub(crate) async fn crash(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        let Running {
            store, task, calls, ..
        } = running;
        task.abort();
        // Aborted or ended: it is over.
        let _ = task.await;
        drop(calls);
        closed(store).await;
    }

    /// Stops the agent in order.
    pub(crate) async fn stop(&mut self) -> Result<(), DriverError> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        drop(running.stop);
        let ended = running.task.await.unwrap_or_else(|error| Err(error.into()));
        closed(running.store).await;
        ended
    }
}

/// An oracle on this machine answers at once or not at all.
fn oracle_http() -> HttpConfig {
    HttpConfig {
        connect_timeout: ORACLE_PATIENCE,
        timeout: ORACLE_PATIENCE,
        ..HttpConfig::default()
    }
}

fn stopped() -> ControlError {
    ControlError::new("stopped", "the agent does not run", "start it")
}

/// Waits until nobody holds the store any more, so that it can be opened again.
async fn closed(store: Arc<Store>) {
    let held = Arc::downgrade(&store);
    drop(store);
    while held.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}
