//! The driver's part: starts, inputs, outputs in order, and crashes between any two steps.

use super::act::Task;
use super::agent::{Agent, CrashPoint, Defect, Disk, Record};
use super::{Fleet, Lie, adversary};
use crate::checkers::Sight;
use crate::world::{NodeEvent, hash_of};
use hive_core::{ActionState, Change, ChangeSet, Event, Hive, Input, Output, StoredAction};
use hive_types::limits::{GRAPH_SPACING, MESSAGE_TYPE, OBSERVE_INTERVAL, OBSERVE_SPACING};
use hive_types::{Action, NodeId};

/// Milliseconds until a node answers a request, at most.
pub(super) const NODE_MS: u64 = 50;

/// Milliseconds that a plan takes, at most.
const PLAN_MS: u64 = 20_000;

/// One plan of eight takes so much longer, on a machine with other things to do.
const PLAN_SLOWER: u64 = 15;

/// A wall clock that is ahead by more than this at a start opens spending windows that are not over.
const SLEPT_MS: i64 = 60_000;

/// What a driver does between two moments at which it may crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A write to the store.
    Write,
    /// Another output of the machine.
    Output,
    /// What an action needs was chosen and written down.
    Prepared,
    /// The node was told of the invoice of a payment to itself.
    Invoiced,
    /// The node was told to do it.
    Executed,
    /// The machine was told how it ended, and all that it answered was done.
    Told,
}

impl Fleet {
    /// Starts an agent from its disk: reconciles what was under way, then reads its node.
    pub fn boot(&mut self, agent: usize) {
        self.lives += 1;
        let (life, now) = (self.lives, self.world.now().get());
        let seed = hash_of("boot", &[&self.seed, &life.to_le_bytes()]);
        let this = &mut self.agents[agent];
        let fresh = Agent::new(this.node, this.config.clone());
        let old = std::mem::replace(this, fresh);
        this.disk = old.disk;
        this.disk.boots += 1;
        (this.skew, this.record) = (old.skew, old.record);
        this.skew_before = this.skew.min(old.skew_before);
        this.record.slept |= this.skew > this.skew_before + SLEPT_MS;
        (this.lie, this.defect) = (old.lie, old.defect);
        (this.life, this.booted_at) = (life, now);
        let snapshot = this.disk.stored.snapshot();
        let config = this.config_in_force();
        let at = self.now_of(agent);
        self.agents[agent].hive = Some(Hive::new(config, seed, snapshot, at));
        self.note(|| format!("m{agent} starts"));
        self.see(&Sight::Booted { agent });
        self.reconcile(agent);
        self.read_graph(agent);
        self.look(agent);
    }

    /// Stops an agent at once; what it was doing ends where it stands.
    pub fn crash(&mut self, agent: usize) {
        if self.agents[agent].hive.take().is_none() {
            return;
        }
        self.agents[agent].armed = None;
        self.agents[agent].counting = false;
        self.totals.crashes += 1;
        self.note(|| format!("m{agent} crashes"));
        self.see(&Sight::Crashed { agent });
    }

    /// Lets an agent crash at the next moment of this kind.
    pub fn crash_at(&mut self, agent: usize, point: CrashPoint) {
        self.agents[agent].armed = Some(point);
        self.agents[agent].counting = false;
    }

    /// A copy of an agent's disk.
    pub fn backup(&self, agent: usize) -> Disk {
        self.agents[agent].disk.clone()
    }

    /// Starts an agent from a copy of its disk instead of the disk.
    pub fn restore(&mut self, agent: usize, disk: Disk) {
        self.crash(agent);
        self.totals.restores += 1;
        self.note(|| format!("m{agent} is restored from an older disk"));
        self.agents[agent].disk = disk;
        self.agents[agent].record.restored = true;
        self.see(&Sight::Restored { agent });
        self.boot(agent);
    }

    /// Runs a copy of an agent's disk as a second agent on the same node.
    pub fn clone_agent(&mut self, agent: usize) -> usize {
        self.totals.clones += 1;
        self.note(|| format!("m{agent} is copied and runs twice"));
        self.agents[agent].record.cloned = true;
        let this = &self.agents[agent];
        let mut copy = Agent::new(this.node, this.config.clone());
        copy.disk = this.disk.clone();
        copy.record = this.record;
        self.agents.push(copy);
        let copy = self.agents.len() - 1;
        self.boot(copy);
        copy
    }

    /// Sets a wall clock off by so many milliseconds.
    pub fn set_skew(&mut self, agent: usize, millis: i64) {
        self.agents[agent].skew = millis;
    }

    /// Makes an agent lie on the wire from now on.
    pub fn set_lie(&mut self, agent: usize, lie: Option<Lie>) {
        self.agents[agent].record.liar |= lie.is_some();
        self.agents[agent].lie = lie;
    }

    /// As [`Fleet::set_lie`]; who squats starts anew, bound by no limits of its own.
    pub(crate) fn turn(&mut self, agent: usize, lie: Option<Lie>) {
        self.set_lie(agent, lie);
        if lie == Some(Lie::Squats) && self.agents[agent].is_up() {
            self.crash(agent);
            self.boot(agent);
        }
    }

    /// Lets an armed crash pass.
    pub fn disarm(&mut self, agent: usize) {
        self.agents[agent].armed = None;
    }

    /// Holds an agent that lies to every rule, for tests of checkers.
    #[doc(hidden)]
    pub fn pretend_honest(&mut self, agent: usize) {
        self.agents[agent].record = Record::default();
    }

    /// Holds an agent to nothing.
    pub fn mark_liar(&mut self, agent: usize) {
        self.agents[agent].record.liar = true;
    }

    /// Puts a defect into an agent's driver, for tests of checkers.
    pub fn set_defect(&mut self, agent: usize, defect: Option<Defect>) {
        self.agents[agent].defect = defect;
    }

    /// What is known of an agent's honesty.
    pub fn record(&self, agent: usize) -> Record {
        self.agents[agent].record
    }

    pub(super) fn node_event(&mut self, agent: usize, event: &NodeEvent) {
        if self.agents[agent].hive.is_none() {
            return;
        }
        match event {
            NodeEvent::PeerConnected { peer, features } => self.connected(agent, *peer, features),
            NodeEvent::PeerDisconnected { peer } => self.disconnected(agent, *peer),
            NodeEvent::Message { from, kind, bytes } if *kind == MESSAGE_TYPE => {
                let (from, bytes) = (*from, self.let_in(agent, bytes));
                let bytes = bytes.as_slice();
                self.input(agent, Input::Message { from, bytes });
            }
            NodeEvent::Message { .. } => {}
            NodeEvent::Block { .. } | NodeEvent::ChannelsChanged => self.observe(agent),
            NodeEvent::PaymentResult { hash, state } => self.payment_ended(agent, *hash, *state),
        }
    }

    fn connected(&mut self, agent: usize, peer: NodeId, features: &[u8]) {
        if self.agents[agent].peers.insert(peer) {
            self.input(agent, Input::PeerConnected { peer, features });
        }
    }

    fn disconnected(&mut self, agent: usize, peer: NodeId) {
        if self.agents[agent].peers.remove(&peer) {
            self.input(agent, Input::PeerDisconnected { peer });
        }
    }

    /// Has the node read soon, but not more often than drivers do.
    pub(super) fn observe(&mut self, agent: usize) {
        if std::mem::replace(&mut self.agents[agent].observing, true) {
            return;
        }
        let now = self.world.now().get();
        let last = self.agents[agent].observed_at;
        let earliest = last.map_or(0, |last| last + OBSERVE_SPACING.get());
        let wait = earliest.saturating_sub(now).max(NODE_MS);
        self.later(agent, wait, Task::Observe);
    }

    pub(super) fn observe_now(&mut self, agent: usize) {
        let this = &mut self.agents[agent];
        this.observing = false;
        this.observed_at = Some(self.world.now().get());
        let Ok(mut snapshot) = self.world.snapshot(this.node) else {
            return;
        };
        if self.agents[agent].lie == Some(Lie::Overstates) {
            adversary::overstate(&mut snapshot);
        }
        let this = &self.agents[agent];
        let known: Vec<NodeId> = this.peers.iter().copied().collect();
        let gone = known
            .into_iter()
            .filter(|peer| !snapshot.peers.iter().any(|view| view.node_id == *peer));
        for peer in gone.collect::<Vec<_>>() {
            self.disconnected(agent, peer);
        }
        for view in &snapshot.peers {
            self.connected(agent, view.node_id, &view.features);
        }
        self.input(agent, Input::Observed(&snapshot));
    }

    /// Reads the node from time to time in any case.
    pub(super) fn look(&mut self, agent: usize) {
        self.observe(agent);
        self.later(agent, OBSERVE_INTERVAL.get(), Task::Look);
    }

    /// Reads the graph when it is news, and again after a while.
    pub(super) fn read_graph(&mut self, agent: usize) {
        let node = self.agents[agent].node;
        let version = self.world.graph_version(node).ok();
        if version != self.agents[agent].graph
            && let Ok(graph) = self.world.graph_of(node)
        {
            self.agents[agent].graph = version;
            let graph = self.noisy(agent, graph);
            self.input(agent, Input::Graph(graph));
        }
        self.later(agent, GRAPH_SPACING.get(), Task::ReadGraph);
    }

    pub(super) fn input(&mut self, agent: usize, input: Input<'_>) {
        let now = self.now_of(agent);
        let Some(hive) = &mut self.agents[agent].hive else {
            return;
        };
        let outputs = hive.handle(now, input);
        self.see(&Sight::Handled {
            agent,
            outputs: &outputs,
        });
        for output in outputs {
            let step = match output {
                Output::Persist(_) => Step::Write,
                _ => Step::Output,
            };
            if let Output::Persist(changes) = &output {
                self.set_out(agent, changes);
                if opens(changes) {
                    self.begin_count(agent);
                }
            }
            if self.tears(agent, step) {
                self.totals.torn_writes += u64::from(step == Step::Write);
                return self.crash(agent);
            }
            self.perform(agent, output);
            if self.strikes(agent, step) {
                return self.crash(agent);
            }
        }
    }

    fn begin_count(&mut self, agent: usize) {
        let this = &mut self.agents[agent];
        this.counting |= matches!(this.armed, Some(CrashPoint::OpenSteps(_)));
    }

    /// Whether a crash strikes before this step is done.
    pub(super) fn tears(&self, agent: usize, step: Step) -> bool {
        let this = &self.agents[agent];
        match this.armed {
            Some(CrashPoint::TornWrite) => step == Step::Write,
            Some(CrashPoint::OpenSteps(0)) => this.counting && step == Step::Write,
            Some(CrashPoint::OnPath { step, is_before }) => is_before && this.is_next(step),
            _ => false,
        }
    }

    /// Whether a crash strikes after this step.
    pub(super) fn strikes(&mut self, agent: usize, step: Step) -> bool {
        let this = &mut self.agents[agent];
        let place = this.walk(step);
        match (&mut this.armed, step) {
            (Some(CrashPoint::AfterWrite), Step::Write)
            | (Some(CrashPoint::BeforeExecution), Step::Prepared)
            | (Some(CrashPoint::AfterExecution), Step::Executed) => true,
            (Some(CrashPoint::OnPath { step, is_before }), _) => {
                !*is_before && place == Some(*step)
            }
            (Some(CrashPoint::Steps(left)), _) => count_down(left),
            (Some(CrashPoint::OpenSteps(left)), _) if this.counting => count_down(left),
            _ => false,
        }
    }

    fn perform(&mut self, agent: usize, output: Output) {
        match output {
            Output::Persist(changes) => self.persist(agent, changes),
            Output::Send { to, bytes } => self.send(agent, to, bytes),
            Output::Connect { to, .. } => self.later(agent, NODE_MS, Task::Dial(to)),
            Output::SignWithNode { text } => self.later(agent, NODE_MS, Task::Sign(text)),
            Output::Act { id, permit } => {
                self.see(&Sight::Permitted {
                    agent,
                    permit: &permit,
                });
                self.later(agent, 0, Task::Act { id, permit });
            }
            Output::Observe => self.observe(agent),
            Output::Plan(request) => {
                let wait = self.plan_ms();
                self.later(agent, wait, Task::Plan(request));
            }
            // No member here has an oracle: its proposals wait for the operator.
            Output::Consult { .. } => {}
            Output::Reply { id, reply } => {
                self.replies.insert(id, reply);
            }
            Output::Emit(event) => self.emit(agent, event),
        }
    }

    /// How long a plan takes, from the seed. Mostly seconds; now and then minutes, so that much has
    /// changed when it comes.
    fn plan_ms(&self) -> u64 {
        let drawn = hash_of("plan", &[&self.seed, &self.sequence.to_le_bytes()]);
        let long = if drawn[0] < 32 { PLAN_SLOWER } else { 1 };
        long * (u64::from(u16::from_le_bytes([drawn[1], drawn[2]])) % PLAN_MS)
    }

    fn persist(&mut self, agent: usize, mut changes: ChangeSet) {
        self.spoil(agent, &mut changes);
        let forgets = |change: &Change| matches!(change, Change::ForgetFleet);
        let disk = &mut self.agents[agent].disk;
        let left = changes.changes.iter().any(forgets).then(|| disk.hive());
        disk.stored.apply(&changes);
        self.see(&Sight::Persisted {
            agent,
            changes: &changes,
            left: left.flatten(),
        });
    }

    /// Hands a frame to the link. An agent that lies, or whose driver has a defect, sends others.
    fn send(&mut self, agent: usize, to: NodeId, bytes: Vec<u8>) {
        let frames = match self.agents[agent].lie {
            Some(lie) => self.lie(agent, lie, to, bytes),
            None => self.defective(agent, bytes),
        };
        for bytes in frames {
            self.send_frame(agent, to, bytes);
        }
    }

    pub(super) fn send_frame(&mut self, agent: usize, to: NodeId, bytes: Vec<u8>) {
        self.totals.frames += 1;
        self.totals.bytes += bytes.len() as u64;
        self.totals.largest = self.totals.largest.max(bytes.len() as u64);
        self.trace.add(&bytes);
        self.see(&Sight::Sent {
            agent,
            to,
            bytes: &bytes,
            message: None,
        });
        let from = self.agents[agent].node;
        // A link that is gone loses the frame; reconciliation repeats what matters.
        let _ = self.world.send_message(from, to, MESSAGE_TYPE, bytes);
    }

    fn emit(&mut self, agent: usize, event: Event) {
        self.note(|| format!("m{agent} {event:?}"));
        self.events.push((self.world.now(), agent, event));
    }

    /// Whether a crash strikes before this step, which is then not taken.
    pub(super) fn stops(&mut self, agent: usize, step: Step) -> bool {
        let stops = self.tears(agent, step);
        if stops {
            self.crash(agent);
        }
        stops
    }

    pub(super) fn step(&mut self, agent: usize, step: Step) -> bool {
        let strikes = self.strikes(agent, step);
        if strikes {
            self.crash(agent);
        }
        strikes
    }
}

fn count_down(left: &mut u32) -> bool {
    *left = left.saturating_sub(1);
    *left == 0
}

/// Whether this write makes an open `acting`.
fn opens(changes: &ChangeSet) -> bool {
    let is_open = |action: &StoredAction| {
        action.state == ActionState::Acting && matches!(action.action(), Action::Open(_))
    };
    let mut changes = changes.changes.iter();
    changes.any(|change| matches!(change, Change::Action(action) if is_open(action)))
}
