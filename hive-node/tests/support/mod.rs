//! A node and a state machine that do as a test says and write down what they see.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "each test file uses a part of this"
)]

pub(crate) mod server;

use async_trait::async_trait;
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use hive_core::{
    ActionState, Change, ChangeSet, Command, CommandId, Done, Input, Output, Reply, StoredAction,
};
use hive_node::backend::{
    ActError, BackendError, BackendEvent, LightningBackend, NodeInfo, NotDone, Prepared, Reconciled,
};
use hive_node::clock::{Clock, ManualClock};
use hive_node::control::{self, Call, Client, ClientError, CommandName, Request};
use hive_node::driver::{Driver, DriverError, Machine, Surroundings};
use hive_node::store::Store;
use hive_planner::graph::Graph;
use hive_planner::graph::GraphBuilder;
use hive_policy::corridor::SavedFees;
use hive_policy::{Authorized, Gate, Limits, Mode, Standing};
use hive_proto::NodeSignature;
use hive_types::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

pub(crate) fn node(number: u8) -> NodeId {
    let mut bytes = [number; 33];
    bytes[0] = 2;
    NodeId::from_bytes(bytes).unwrap()
}

pub(crate) fn id(number: u8) -> ActionId {
    ActionId::from_bytes([number; 16])
}

pub(crate) fn meta(key: &str, bytes: &[u8]) -> Output {
    let changes = vec![Change::Meta {
        key: key.into(),
        bytes: bytes.into(),
    }];
    Output::Persist(ChangeSet { changes })
}

pub(crate) fn send(to: u8, bytes: &[u8]) -> Output {
    Output::Send {
        to: node(to),
        bytes: bytes.into(),
    }
}

/// Waits until the condition holds; panics when it never does.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..20_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never: {what}");
}

/// Why a founder's command is not done yet: its node was not read, or did not sign.
const YET: [&str; 2] = ["starting", "no_fleet"];

/// Repeats a command until the agent is ready for it.
pub(crate) async fn when_started(client: &mut Client, command: CommandName) {
    loop {
        match client.call(command, &serde_json::Value::Null).await {
            Err(ClientError::Refused(error)) if YET.contains(&error.code.as_str()) => {}
            answer => return drop(answer.unwrap()),
        }
    }
}

/// What a fake node did, and what it saw of the store while doing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A frame, and the names in the store's `meta` at that moment.
    Sent(NodeId, Vec<u8>, Vec<String>),
    Connected(NodeId),
    Prepared(ActionId),
    /// An execution, and whether what was prepared was stored by then.
    Executed(ActionId, bool),
    Reconciled(ActionId),
}

pub(crate) struct FakeNode {
    /// The store that frames and executions are compared with, where a test has it.
    pub(crate) store: Option<Arc<Store>>,
    /// The node's key, where a test needs true signatures.
    pub(crate) key: Option<SecretKey>,
    pub(crate) seen: Mutex<Vec<Seen>>,
    /// Peers whose link takes frames and never hands them on.
    pub(crate) dead: Mutex<BTreeSet<NodeId>>,
    /// Peers whose link hands on a frame for each permit.
    pub(crate) slow: Mutex<BTreeMap<NodeId, Arc<Semaphore>>>,
    pub(crate) snapshot: Mutex<LocalSnapshot>,
    pub(crate) graph: Mutex<Arc<Graph>>,
    /// What the node answers before it tells of itself.
    pub(crate) no_info: Mutex<VecDeque<BackendError>>,
    /// Why the graph can't be read, while it can't.
    pub(crate) no_graph: Mutex<Option<BackendError>>,
    /// What the operator should know.
    pub(crate) warnings: Mutex<Vec<String>>,
    /// What was permitted and executed, in order.
    pub(crate) executed: Mutex<Vec<Action>>,
    pub(crate) executions: Mutex<VecDeque<Result<Done, ActError>>>,
    pub(crate) reconciliations: Mutex<VecDeque<Result<Reconciled, BackendError>>>,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<BackendEvent>>,
    event_sender: mpsc::UnboundedSender<BackendEvent>,
}

impl FakeNode {
    pub(crate) fn new(store: Option<Arc<Store>>) -> Arc<Self> {
        Arc::new(Self::plain(store))
    }

    /// A node with a true key.
    pub(crate) fn with_key(byte: u8) -> Arc<Self> {
        let key = SecretKey::from_slice(&[byte; 32]).unwrap();
        let public = key.public_key(&Secp256k1::new()).serialize();
        let mut node = Self::plain(None);
        node.key = Some(key);
        node.snapshot.get_mut().unwrap().node_id = NodeId::from_bytes(public).unwrap();
        Arc::new(node)
    }

    fn plain(store: Option<Arc<Store>>) -> Self {
        let (event_sender, events) = mpsc::unbounded_channel();
        Self {
            store,
            key: None,
            seen: Mutex::default(),
            dead: Mutex::default(),
            slow: Mutex::default(),
            snapshot: Mutex::new(snapshot(&[])),
            graph: Mutex::default(),
            no_info: Mutex::default(),
            no_graph: Mutex::default(),
            warnings: Mutex::default(),
            executed: Mutex::default(),
            executions: Mutex::default(),
            reconciliations: Mutex::default(),
            events: tokio::sync::Mutex::new(events),
            event_sender,
        }
    }

    pub(crate) fn event(&self, event: BackendEvent) {
        self.event_sender.send(event).unwrap();
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Frames that went to a peer, in order.
    pub(crate) fn sent_to(&self, peer: NodeId) -> Vec<Vec<u8>> {
        let to_peer = |seen: Seen| match seen {
            Seen::Sent(to, bytes, _) if to == peer => Some(bytes),
            _ => None,
        };
        self.seen().into_iter().filter_map(to_peer).collect()
    }

    fn note(&self, seen: Seen) {
        self.seen.lock().unwrap().push(seen);
    }
}

#[async_trait]
impl LightningBackend for FakeNode {
    async fn info(&self) -> Result<NodeInfo, BackendError> {
        if let Some(reason) = self.no_info.lock().unwrap().pop_front() {
            return Err(reason);
        }
        let snapshot = self.snapshot.lock().unwrap().clone();
        Ok(NodeInfo {
            node_id: snapshot.node_id,
            network: snapshot.network,
            alias: "scripted".into(),
            version: "1".into(),
            synced: snapshot.synced,
            height: snapshot.height,
            features: vec![],
            addresses: vec![],
        })
    }

    async fn snapshot(&self) -> Result<LocalSnapshot, BackendError> {
        Ok(self.snapshot.lock().unwrap().clone())
    }

    async fn graph(&self) -> Result<Arc<Graph>, BackendError> {
        match self.no_graph.lock().unwrap().clone() {
            Some(reason) => Err(reason),
            None => Ok(self.graph.lock().unwrap().clone()),
        }
    }

    async fn sign(&self, text: &str) -> Result<String, BackendError> {
        if let Some(key) = &self.key {
            return Ok(NodeSignature::sign(text, key).to_string());
        }
        match text {
            "refuse" => Err(BackendError::Refused("no".into())),
            text => Ok(format!("signed {text}")),
        }
    }

    async fn connect(&self, to: NodeId, _: &[String]) -> Result<(), BackendError> {
        self.note(Seen::Connected(to));
        if self.dead.lock().unwrap().contains(&to) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn send(&self, to: NodeId, bytes: Vec<u8>) -> Result<(), BackendError> {
        if self.dead.lock().unwrap().contains(&to) {
            std::future::pending::<()>().await;
        }
        let slow = self.slow.lock().unwrap().get(&to).cloned();
        if let Some(slow) = slow {
            slow.acquire().await.unwrap().forget();
        }
        let meta = self
            .store
            .iter()
            .flat_map(|store| store.load().unwrap().meta);
        let names = meta.map(|(name, _)| name).collect();
        self.note(Seen::Sent(to, bytes, names));
        Ok(())
    }

    async fn prepare(&self, permit: &Authorized) -> Result<Prepared, NotDone> {
        self.note(Seen::Prepared(permit.id()));
        Ok(policy_prepared())
    }

    async fn execute(
        &self,
        id: ActionId,
        permit: &Authorized,
        prepared: &Prepared,
    ) -> Result<Done, ActError> {
        self.executed.lock().unwrap().push(permit.action().clone());
        let row = (id, Some(prepared.clone()));
        let mut stores = self.store.iter();
        let is_stored = stores.any(|store| store.unfinished().unwrap().contains(&row));
        self.note(Seen::Executed(id, is_stored));
        let next = self.executions.lock().unwrap().pop_front();
        next.unwrap_or(Ok(Done::Set { before: None }))
    }

    async fn reconcile(&self, id: ActionId, _: &Prepared) -> Result<Reconciled, BackendError> {
        self.note(Seen::Reconciled(id));
        let next = self.reconciliations.lock().unwrap().pop_front();
        next.unwrap_or(Ok(Reconciled::Unknown))
    }

    async fn next_event(&self) -> Result<BackendEvent, BackendError> {
        let event = self.events.lock().await.recv().await;
        event.ok_or_else(|| BackendError::Unreachable("the test is over".into()))
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }
}

/// What a scripted machine does with a command, and the inputs that it got, as text.
type Script = Box<dyn FnMut(CommandId, Command) -> Vec<Output> + Send>;

pub(crate) struct ScriptedMachine {
    pub(crate) script: Script,
    pub(crate) inputs: Arc<Mutex<Vec<String>>>,
}

impl Machine for ScriptedMachine {
    fn handle(&mut self, _: Now, input: Input<'_>) -> Vec<Output> {
        let text = match &input {
            Input::Observed(_) => "Observed".into(),
            Input::Graph(_) => "Graph".into(),
            input => format!("{input:?}"),
        };
        self.inputs.lock().unwrap().push(text);
        match input {
            Input::Command { id, command } => (self.script)(id, command),
            _ => Vec::new(),
        }
    }

    fn next_wake(&self) -> Elapsed {
        Elapsed::NEVER
    }
}

/// A driver that runs in the background.
pub(crate) struct Run {
    pub(crate) node: Arc<FakeNode>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) inputs: Arc<Mutex<Vec<String>>>,
    pub(crate) calls: mpsc::Sender<Call>,
    pub(crate) folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), DriverError>>,
}

/// What a test sets up before the driver starts.
pub(crate) struct Setup {
    pub(crate) node: Arc<FakeNode>,
    pub(crate) store: Arc<Store>,
    folder: TempDir,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::bounded(1 << 30)
    }

    pub(crate) fn bounded(store_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open_bounded(folder.path(), store_bytes).unwrap());
        Self {
            node: FakeNode::new(Some(store.clone())),
            store,
            folder,
        }
    }

    /// Starts the driver with a machine that answers commands by the script.
    pub(crate) fn start(
        self,
        script: impl FnMut(CommandId, Command) -> Vec<Output> + Send + 'static,
    ) -> Run {
        let inputs = Arc::default();
        let machine = ScriptedMachine {
            script: Box::new(script),
            inputs: Arc::clone(&inputs),
        };
        let clock = Arc::new(ManualClock::new(self.store.boot(), UnixMillis::new(1_000)));
        let around = Surroundings {
            backend: self.node.clone(),
            store: self.store.clone(),
            clock: clock.clone() as Arc<dyn Clock>,
        };
        let (calls, receiver) = mpsc::channel(8);
        let driver = Driver::new(machine, around, receiver);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(driver.run(async move {
            let _ = stopped.await;
        }));
        Run {
            node: self.node,
            store: self.store,
            clock,
            inputs,
            calls,
            folder: self.folder,
            stop: Some(stop),
            task,
        }
    }
}

impl Run {
    /// Runs a command; the script decides what that means.
    pub(crate) async fn call(&self, command: CommandName) -> control::Reply {
        let request = Request::new(command, &serde_json::Value::Null).unwrap();
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { request, reply }).await.unwrap();
        answer.await.unwrap()
    }

    pub(crate) fn inputs(&self) -> Vec<String> {
        self.inputs.lock().unwrap().clone()
    }

    /// Waits for an input whose text contains this.
    pub(crate) async fn input(&self, text: &str) {
        let found = || self.inputs().iter().any(|input| input.contains(text));
        eventually(text, found).await;
    }

    /// Stops the driver and tells how it ended.
    pub(crate) async fn stop(mut self) -> (Result<(), DriverError>, Arc<FakeNode>, Arc<Store>) {
        drop(self.stop.take());
        (self.task.await.unwrap(), self.node, self.store)
    }
}

pub(crate) fn done(id: CommandId) -> Output {
    let reply = Ok(Reply::Done("done".into()));
    Output::Reply { id, reply }
}

/// A row for an action that is about to be executed.
pub(crate) fn acting(number: u8) -> Output {
    let changes = vec![Change::Action(stored(number))];
    Output::Persist(ChangeSet { changes })
}

pub(crate) fn stored(number: u8) -> StoredAction {
    StoredAction {
        id: id(number),
        kind: ActionKind::SetPolicy,
        state: ActionState::Acting,
        proposal: Proposal {
            action: Action::SetPolicy(SetPolicy {
                channel: ShortChannelId::from_u64(1),
                policy: policy(5),
            }),
            cost: Msat::ZERO,
            value_per_day: Msat::ZERO,
            confidence: Ppm::ONE,
            explanation: Explanation::default(),
        },
        result: None,
        wall: UnixMillis::new(1),
    }
}

/// Two halves that only this node could join: an open is worth proposing.
pub(crate) fn halves() -> Graph {
    let key = |number: u8| {
        let key = SecretKey::from_slice(&[number; 32]).unwrap();
        let public = key.public_key(&Secp256k1::new());
        NodeId::from_bytes(public.serialize()).unwrap()
    };
    let mut builder = GraphBuilder::new();
    let nodes: Vec<NodeId> = (10..50).map(key).collect();
    nodes.iter().for_each(|node| {
        builder.add_node(*node);
    });
    let policy = ChannelPolicy {
        base: Msat::new(1_000),
        htlc_maximum: Msat::new(5_000_000_000),
        ..policy(500)
    };
    for half in [0..20usize, 20..40] {
        for (place, at) in half.clone().enumerate().skip(1) {
            let ends = [nodes[half.start], nodes[at]];
            let block = 700_000 + u32::try_from(at).unwrap();
            let place = u32::try_from(place).unwrap();
            let scid = ShortChannelId::new(block, place, 0).unwrap();
            let capacity = Sat::new(20_000_000);
            builder.add_channel(scid, ends, capacity).unwrap();
            for end in ends {
                builder.set_policy(scid, end, &policy).unwrap();
            }
        }
    }
    builder.build()
}

/// What the scripted node prepares, whatever is asked.
pub(crate) fn policy_prepared() -> Prepared {
    Prepared::Policy {
        channel: "812x3x1".parse().unwrap(),
        policy: policy(0),
        before: None,
    }
}

fn policy(rate: u32) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::ZERO,
        rate: Ppm::new(rate),
        cltv_delta: 40,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(1_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    }
}

/// A real permit from a real gate: to set one channel's fees back.
pub(crate) fn permit(number: u8) -> Authorized {
    let scid = ShortChannelId::from_u64(1);
    let channel_id = ChannelId::from_bytes([1; 32]);
    let mut local = snapshot(&[]);
    local.channels.push(LocalChannel {
        channel_id,
        scid: Some(scid),
        funding: OutPoint {
            txid: Txid::from_bytes([1; 32]),
            vout: 0,
        },
        peer: node(9),
        capacity: Sat::new(1_000),
        spendable: Msat::ZERO,
        receivable: Msat::ZERO,
        usable: true,
        announced: true,
        opened_by_us: true,
        local_policy: Some(policy(0)),
        remote_policy: None,
        htlcs: 0,
    });
    let saved = SavedFees::from([(channel_id, policy(5))]);
    let set = SetPolicy {
        channel: scid,
        policy: policy(5),
    };
    let mut gate = Gate::new(Limits::default(), Mode::Advisor);
    gate.authorize_restore(Now::default(), id(number), &set, &saved, &local)
        .unwrap()
}

/// A permit to open, by a lock at the height of [`snapshot`].
pub(crate) fn open_permit(number: u8) -> Authorized {
    let target = node(9);
    let mut local = snapshot(&[]);
    local.on_chain.confirmed = Sat::new(50_000_000);
    let open = OpenChannel {
        target,
        capacity: Sat::new(1_000_000),
        feerate_ceiling: local.feerate,
        announce: true,
    };
    let proposal = Proposal {
        action: Action::Open(open),
        cost: Msat::new(1_000_000),
        value_per_day: Msat::new(1_000),
        confidence: Ppm::ONE,
        explanation: Explanation::default(),
    };
    let lock = LockView {
        target,
        holder: local.node_id,
        action: id(number),
        height: local.height,
        until: local.height.plus(144),
        funding: None,
    };
    let standing = Standing {
        tier: Some(Tier::Full),
        reconciled: true,
        lock: Some(&lock),
        banned: &[],
    };
    let mut gate = Gate::new(Limits::default(), Mode::Autonomous);
    let (now, id) = (Now::default(), id(number));
    gate.authorize(now, id, &proposal, &local, standing)
        .unwrap()
}

pub(crate) fn snapshot(peers: &[u8]) -> LocalSnapshot {
    let view = |number: &u8| PeerView {
        node_id: node(*number),
        features: vec![],
    };
    LocalSnapshot {
        node_id: node(1),
        network: Network::Regtest,
        height: BlockHeight::new(100),
        synced: true,
        on_chain: OnChain::default(),
        feerate: FeeratePerKw::new(253),
        channels: vec![],
        peers: peers.iter().map(view).collect(),
        forwards: vec![],
        peer_events: vec![],
    }
}
