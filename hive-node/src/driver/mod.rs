//! The driver: one task that feeds the state machine and does what it says, in order.
//!
//! It decides nothing. What it guarantees: outputs are performed in order, and none is started before
//! a [`Output::Persist`] ahead of it is durable; every action is prepared and written down before it
//! is executed; actions that were under way when the agent stopped are reconciled with the node before
//! anything else; a dead link and a plan under way make nobody wait; and after a write to the store
//! has failed, nothing is done any more.

mod act;
mod consult;
mod outbox;
mod plan;
mod reads;
mod stop;

pub use stop::stop_signal;

use crate::backend::{LightningBackend, Patience, Prepared};
use crate::clock::Clock;
use crate::control::{self, Call, ControlError, Wanted};
use crate::oracle::Oracle;
use crate::store::{Store, StoreError};
use crate::webhook::{Watch, Webhook};
use act::{Actor, Ended};
use consult::Consultant;
use hive_core::{ActionResult, CommandError, CommandId, Event, Input, Output, Reply};
use hive_types::limits::{EVENT_BACKLOG, EVENT_QUEUE};
use hive_types::{ActionId, Elapsed, NodeId, Now};
use outbox::Outboxes;
use plan::Planner;
use reads::{EventCount, FromNode, Reads};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use thiserror::Error;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot};
use tokio::task::JoinSet;

/// What the driver drives: [`hive_core::Hive`], or a script in tests.
pub trait Machine: Send {
    /// Takes one input and says what to do, in order. Never fails, never blocks.
    fn handle(&mut self, now: Now, input: Input<'_>) -> Vec<Output>;

    /// When it wants [`Input::Tick`] next.
    fn next_wake(&self) -> Elapsed;
}

impl Machine for hive_core::Hive {
    fn handle(&mut self, now: Now, input: Input<'_>) -> Vec<Output> {
        Self::handle(self, now, input)
    }

    fn next_wake(&self) -> Elapsed {
        Self::next_wake(self)
    }
}

/// Why the driver ended other than by being told to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DriverError {
    /// The store took no more; nothing was done after.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A task broke down. What it did is reconciled at the next start.
    #[error("a part of the agent broke down ({0}); start it again and report this")]
    Task(String),
}

impl From<tokio::task::JoinError> for DriverError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Task(error.to_string())
    }
}

/// The world around the machine.
#[derive(Clone)]
pub struct Surroundings {
    /// The node.
    pub backend: Arc<dyn LightningBackend>,
    /// The store.
    pub store: Arc<Store>,
    /// The clock; its boot is the store's.
    pub clock: Arc<dyn Clock>,
}

/// Drives one machine. Made by [`Driver::new`], run once by [`Driver::run`].
pub struct Driver<M> {
    machine: M,
    around: Surroundings,
    reads: Arc<Reads>,
    from_node: mpsc::Receiver<FromNode>,
    outboxes: Arc<Outboxes>,
    actor: Actor,
    ended: mpsc::Receiver<Ended>,
    signed_sender: mpsc::Sender<Signed>,
    signed: mpsc::Receiver<Signed>,
    planner: Planner,
    consultant: Consultant,
    webhook: Option<Watch>,
    calls: mpsc::Receiver<Call>,
    waiting: BTreeMap<CommandId, oneshot::Sender<control::Reply>>,
    next_command: u64,
    peers: BTreeMap<NodeId, PeerState>,
    dialling: Arc<std::sync::Mutex<BTreeSet<NodeId>>>,
    events: broadcast::Sender<Event>,
    tasks: JoinSet<()>,
}

/// Events between the task that asks the node for them and the machine. Few: what waits, waits with the
/// backend, which bounds it by peer and by size.
const FROM_NODE: usize = 16;

/// What the driver last heard of a peer's link, and when.
#[derive(Clone, Copy, Debug)]
struct PeerState {
    connected: bool,
    at: EventCount,
}

/// The node's answer to a request for a signature.
struct Signed {
    text: String,
    signature: Result<String, String>,
}

impl<M: Machine> Driver<M> {
    /// Puts a machine, restored from the store, into its surroundings. Commands come by `calls`.
    pub fn new(machine: M, around: Surroundings, calls: mpsc::Receiver<Call>) -> Self {
        let (queue, from_node) = mpsc::channel(FROM_NODE);
        let (ended_sender, ended) = mpsc::channel(EVENT_QUEUE);
        let (signed_sender, signed) = mpsc::channel(EVENT_QUEUE);
        let (backend, clock) = (around.backend.clone(), around.clock.clone());
        let actor = Actor {
            backend: backend.clone(),
            store: around.store.clone(),
            clock: clock.clone(),
            ended: ended_sender,
            opening: Arc::new(Mutex::new(())),
        };
        Self {
            machine,
            reads: Reads::new(backend.clone(), clock.clone(), queue),
            from_node,
            outboxes: Outboxes::new(backend, clock),
            actor,
            ended,
            signed_sender,
            signed,
            planner: Planner::new(),
            consultant: Consultant::new(),
            webhook: None,
            calls,
            waiting: BTreeMap::new(),
            next_command: 0,
            peers: BTreeMap::new(),
            dialling: Arc::default(),
            events: broadcast::Sender::new(EVENT_BACKLOG),
            tasks: JoinSet::new(),
            around,
        }
    }

    /// The same driver with somebody to ask in oracle mode. Without, each question fails at once.
    #[must_use]
    pub fn with_oracle(mut self, oracle: Oracle) -> Self {
        self.consultant.oracle = Some(oracle);
        self
    }

    /// The same driver, whose status tells how this webhook fares. The caller runs the webhook, with
    /// [`Driver::events`].
    #[must_use]
    pub fn with_webhook(mut self, webhook: &Webhook) -> Self {
        self.webhook = Some(webhook.watch());
        self
    }

    /// Events from now on. Who lags behind loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Runs until `stop` is ready, finishing what is being written. When the store fails, goes on
    /// answering commands with that error, and does nothing else, until `stop` is ready.
    ///
    /// # Errors
    /// [`DriverError::Store`] when the store failed on the way.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), DriverError> {
        let mut stop = pin!(stop);
        let ended = match self.recover(stop.as_mut()).await {
            Ok(true) => self.drive(stop.as_mut()).await,
            other => other.map(drop),
        };
        self.tasks.shutdown().await;
        match ended {
            // A task may have met the failure just before the end.
            Ok(()) => match self.around.store.failure() {
                Some(error) => Err(error.into()),
                None => Ok(()),
            },
            Err(DriverError::Store(error)) => {
                tracing::error!(code = error.code(), %error, "nothing is done any more");
                self.refuse_calls(error.clone(), stop).await;
                Err(error.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Asks the node what became of every action that was under way. `false` when stopped meanwhile.
    async fn recover(
        &mut self,
        mut stop: impl Future<Output = ()> + Unpin,
    ) -> Result<bool, DriverError> {
        let store = self.around.store.clone();
        let unfinished = blocking(move || store.unfinished()).await?;
        for (id, prepared) in unfinished {
            let Some(result) = self.end_of(id, prepared.as_ref(), &mut stop).await else {
                return Ok(false);
            };
            tracing::info!(action = %id, ?result, "reconciled");
            if let (ActionResult::Unknown { .. }, Some(prepared)) = (&result, prepared) {
                self.tasks.spawn(self.actor.clone().pursue(id, prepared));
            }
            self.input(Input::Completed { id, result }).await?;
        }
        Ok(true)
    }

    /// How an action ended. Waits for as long as the node does not answer: nothing else is done before.
    async fn end_of(
        &mut self,
        id: ActionId,
        prepared: Option<&Prepared>,
        mut stop: impl Future<Output = ()> + Unpin,
    ) -> Option<ActionResult> {
        let (actor, clock) = (self.actor.clone(), self.around.clock.clone());
        let mut patience = Patience::default();
        let mut reason = String::new();
        loop {
            let asked = actor.end_of(id, prepared);
            match self.meanwhile(asked, &mut stop, &reason).await? {
                Ok(result) => return Some(result),
                Err(error) => {
                    let span = patience.next_wait();
                    tracing::warn!(action = %id, reason = %error, again_in = %span, "action not reconciled");
                    reason = format!(": {error}");
                    let again = clock.sleep_until(clock.now().elapsed.plus(span));
                    self.meanwhile(again, &mut stop, &reason).await?;
                }
            }
        }
    }

    /// What comes of `work`; commands are put off until then. `None` when stopped meanwhile.
    async fn meanwhile<T>(
        &mut self,
        work: impl Future<Output = T>,
        mut stop: impl Future<Output = ()> + Unpin,
        reason: &str,
    ) -> Option<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                () = &mut stop => return None,
                Some(call) = self.calls.recv() => answer(call.reply, Err(starting(reason))),
                done = &mut work => return Some(done),
            }
        }
    }

    async fn drive(
        &mut self,
        mut stop: impl Future<Output = ()> + Unpin,
    ) -> Result<(), DriverError> {
        self.tasks.spawn(self.reads.clone().pump());
        self.tasks.spawn(self.reads.clone().watch_node());
        self.tasks.spawn(self.reads.clone().watch_graph());
        let clock = self.around.clock.clone();
        loop {
            let wake = clock.sleep_until(self.machine.next_wake());
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = wake => self.input(Input::Tick).await?,
                Some(event) = self.from_node.recv() => self.take(event).await?,
                Some(ended) = self.ended.recv() => self.take_ended(ended).await?,
                Some(signed) = self.signed.recv() => self.take_signed(&signed).await?,
                Some(made) = self.planner.next() => self.input(Input::Planned(made)).await?,
                Some(advice) = self.consultant.next() => {
                    let (action, answer) = (advice.action, advice.answer.clone());
                    self.input(Input::Advice { action, answer }).await?;
                }
                Some(call) = self.calls.recv() => self.take_call(call).await?,
                Some(task) = self.tasks.join_next() => task?,
            }
        }
    }

    async fn take(&mut self, event: FromNode) -> Result<(), DriverError> {
        match event {
            FromNode::Connected { peer, features, at } => self.connected(peer, &features, at).await,
            FromNode::Disconnected { peer, at } => self.disconnected(peer, at).await,
            FromNode::Message { from, bytes } => {
                let bytes = &bytes;
                self.input(Input::Message { from, bytes }).await
            }
            FromNode::Graph(graph) => self.input(Input::Graph(graph)).await,
            FromNode::Observed { snapshot, since } => {
                self.compare_peers(&snapshot.peers, since).await?;
                self.input(Input::Observed(&snapshot)).await
            }
        }
    }

    async fn connected(
        &mut self,
        peer: NodeId,
        features: &[u8],
        at: EventCount,
    ) -> Result<(), DriverError> {
        let state = PeerState {
            connected: true,
            at,
        };
        self.peers.insert(peer, state);
        self.input(Input::PeerConnected { peer, features }).await
    }

    async fn disconnected(&mut self, peer: NodeId, at: EventCount) -> Result<(), DriverError> {
        let state = PeerState {
            connected: false,
            at,
        };
        self.peers.insert(peer, state);
        self.outboxes.clear(peer);
        self.input(Input::PeerDisconnected { peer }).await
    }

    /// A reading of the node tells of links whose events were missed: those from before this start,
    /// or from while the node's streams were broken. What an event said after the reading began is
    /// newer.
    async fn compare_peers(
        &mut self,
        read: &[hive_types::PeerView],
        since: EventCount,
    ) -> Result<(), DriverError> {
        for peer in read {
            let known = self.peers.get(&peer.node_id);
            if known.is_none_or(|known| !known.connected && known.at <= since) {
                self.connected(peer.node_id, &peer.features, since).await?;
            }
        }
        let is_read = |peer: &NodeId| read.iter().any(|view| view.node_id == *peer);
        let older = self.peers.iter().filter(|(_, state)| state.at <= since);
        let gone = older.filter(|(peer, _)| !is_read(peer));
        let gone: Vec<(NodeId, bool)> =
            gone.map(|(peer, state)| (*peer, state.connected)).collect();
        for (peer, was_connected) in gone {
            if was_connected {
                self.disconnected(peer, since).await?;
            }
            self.peers.remove(&peer);
        }
        Ok(())
    }

    async fn take_ended(&mut self, ended: Ended) -> Result<(), DriverError> {
        match ended {
            Ended::Action { id, result } => self.input(Input::Completed { id, result }).await,
            Ended::Store(error) => Err(error.into()),
        }
    }

    async fn take_signed(&mut self, signed: &Signed) -> Result<(), DriverError> {
        let signature = signed.signature.as_deref().map_err(String::as_str);
        let text = &signed.text;
        self.input(Input::NodeSigned { text, signature }).await
    }

    async fn take_call(&mut self, call: Call) -> Result<(), DriverError> {
        let command = match call.request.wanted() {
            Ok(Wanted::Machine(command)) => *command,
            Ok(Wanted::Log { limit, action }) => {
                let shown = log(self.around.store.clone(), limit, action);
                answer(call.reply, shown.await);
                return Ok(());
            }
            Err(error) => {
                answer(call.reply, Err(error));
                return Ok(());
            }
        };
        // Callers that gave up leave nothing behind.
        self.waiting.retain(|_, reply| !reply.is_closed());
        self.next_command += 1;
        let id = CommandId(self.next_command);
        self.waiting.insert(id, call.reply);
        self.input(Input::Command { id, command }).await
    }

    async fn input(&mut self, input: Input<'_>) -> Result<(), DriverError> {
        let outputs = self.machine.handle(self.around.clock.now(), input);
        for output in outputs {
            self.perform(output).await?;
        }
        Ok(())
    }

    /// Starts one output; finishes it when it is a `Persist`. Nothing after a failed one is started.
    async fn perform(&mut self, output: Output) -> Result<(), DriverError> {
        match output {
            Output::Persist(changes) => {
                let store = self.around.store.clone();
                blocking(move || store.apply(&changes)).await?;
            }
            Output::Send { to, bytes } => {
                if self.outboxes.push(to, bytes) {
                    self.tasks.spawn(self.outboxes.clone().empty(to));
                }
            }
            Output::Connect { to, addresses } => self.connect(to, addresses),
            Output::SignWithNode { text } => self.sign(text),
            Output::Act { id, permit } => {
                self.tasks.spawn(self.actor.clone().act(id, permit));
            }
            Output::Observe => self.reads.observe.notify_one(),
            Output::Plan(request) => self.planner.start(*request),
            Output::Consult { packet } => {
                self.tasks.spawn(self.consultant.ask(packet));
            }
            Output::Reply { id, reply } => self.reply(&id, reply),
            Output::Emit(event) => self.emit(event),
        }
        Ok(())
    }

    fn reply(&mut self, id: &CommandId, mut reply: Result<Reply, CommandError>) {
        let Some(waiting) = self.waiting.remove(id) else {
            return;
        };
        if let Ok(Reply::Status(status)) = &mut reply {
            status.alerts.extend(self.reads.alerts());
            status.alerts.extend(self.around.backend.warnings());
            let webhook = self.webhook.as_ref();
            let told = webhook.map(|webhook| webhook.now().alerts());
            status.alerts.extend(told.unwrap_or_default());
        }
        answer(waiting, control::reply(reply));
    }

    /// Dials, unless a dial to the same node is under way.
    fn connect(&mut self, to: NodeId, addresses: Vec<String>) {
        if !held(&self.dialling).insert(to) {
            return;
        }
        let (backend, dialling) = (self.around.backend.clone(), self.dialling.clone());
        self.tasks.spawn(async move {
            if let Err(reason) = backend.connect(to, &addresses).await {
                tracing::debug!(peer = %to, %reason, "not connected");
            }
            held(&dialling).remove(&to);
        });
    }

    fn sign(&mut self, text: String) {
        let (backend, sender) = (self.around.backend.clone(), self.signed_sender.clone());
        self.tasks.spawn(async move {
            let signature = backend.sign(&text).await.map_err(|error| error.to_string());
            // An error means that the driver is gone.
            let _ = sender.send(Signed { text, signature }).await;
        });
    }

    fn emit(&self, event: Event) {
        match serde_json::to_string(&event) {
            Ok(text) => tracing::info!(event = text),
            Err(_) => tracing::info!(?event),
        }
        // An error means that nobody listens.
        let _ = self.events.send(event);
    }

    async fn refuse_calls(&mut self, error: StoreError, stop: impl Future<Output = ()>) {
        for (_, waiting) in std::mem::take(&mut self.waiting) {
            answer(waiting, Err(store_failed(&error)));
        }
        let mut stop = pin!(stop);
        loop {
            let call = tokio::select! {
                () = &mut stop => return,
                call = self.calls.recv() => call,
            };
            let Some(call) = call else {
                return stop.await;
            };
            let reply = match call.request.wanted() {
                Ok(Wanted::Log { limit, action }) => {
                    log(self.around.store.clone(), limit, action).await
                }
                _ => Err(store_failed(&error)),
            };
            answer(call.reply, reply);
        }
    }
}

async fn log(store: Arc<Store>, limit: u32, action: Option<ActionId>) -> control::Reply {
    let log = blocking(move || store.audit_log(limit, action)).await;
    let log = log.map_err(|error| store_failed(&error))?;
    serde_json::to_value(log)
        .map_err(|reason| ControlError::new("internal", reason.to_string(), "report this"))
}

/// Work of stores and planners in this process that drivers wait for now.
static BLOCKING_JOBS: AtomicUsize = AtomicUsize::new(0);

/// How many writes and plans drivers in this process wait for. A world with virtual time stands
/// still until there are none: a disk or a processor that is slow must not look like a member that is.
pub fn blocking_jobs() -> usize {
    BLOCKING_JOBS.load(Ordering::SeqCst)
}

/// Counts from before the work is handed over until its result is taken, or nobody wants it any more.
struct BlockingJob;

impl BlockingJob {
    fn begin() -> Self {
        BLOCKING_JOBS.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for BlockingJob {
    fn drop(&mut self) {
        BLOCKING_JOBS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs the store's work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let _job = BlockingJob::begin();
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Interrupted(error.to_string())))
}

/// The other end may have given up waiting.
fn answer(to: oneshot::Sender<control::Reply>, reply: control::Reply) {
    let _ = to.send(reply);
}

fn starting(reason: &str) -> ControlError {
    ControlError::new(
        "starting",
        format!("the agent asks its node what became of earlier actions{reason}"),
        "see that the node runs, and try again in a minute",
    )
}

fn store_failed(error: &StoreError) -> ControlError {
    let text = error.to_string();
    let (message, what_to_do) = text.split_once("; ").unwrap_or((&text, "see the log"));
    ControlError::new(error.code(), message, what_to_do)
}

/// A set of ids is whole after every statement.
fn held<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    let held = mutex.lock();
    held.unwrap_or_else(std::sync::PoisonError::into_inner)
}
