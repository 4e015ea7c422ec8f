//! Members that run the real machine on the simulated world.
//!
//! [`Fleet`] plays the driver: outputs in order, none before a write ahead of it is durable, every
//! action prepared and written down before it is executed, unfinished actions reconciled with the
//! node first after a start. Time is the world's; chance comes from one seed; nothing has no order.
//!
//! ```
//! use hive_core::Command;
//! use hive_sim::fleet::{Fleet, member_config};
//! use hive_sim::world::{NodeSpec, World, WorldConfig};
//! use hive_types::{Millis, Sat};
//!
//! let mut world = World::new(WorldConfig::default());
//! let node = world.add_node(NodeSpec::agent(Sat::new(1_000_000)))?;
//! let mut fleet = Fleet::new(world, [7; 32]);
//! let founder = fleet.add(node, member_config(node));
//! fleet.command(founder, Command::Init)?;
//! fleet.run_for(Millis::from_secs(5));
//! assert_eq!(fleet.status(founder).stage, "member");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod act;
mod adversary;
mod agent;
mod defect;
mod drive;
mod lie;
mod noise;
mod path;
mod totals;

pub use adversary::Adversary;
pub use agent::{Agent, CrashPoint, Defect, Disk, Prepared, Record};
pub use drive::Step;
pub use lie::{Cheat, Lie};
pub use totals::FleetTotals;

use crate::checkers::{Checker, Chronicle, Sight, Violation, Watch};
use crate::world::{Trace, World};
use act::Task;
use hive_core::{Command, CommandError, CommandId, Config, Event, Input, Reply, Status};
use hive_planner::PlannerConfig;
use hive_policy::{LimitSettings, Limits, Mode};
use hive_types::{
    BootId, Capabilities, Constraint, Digest, Elapsed, Millis, Network, NodeId, Now, Ppm, Sat,
    UnixMillis,
};
use std::collections::BTreeMap;

/// Settings of a member that suits small worlds: autonomous, with the default limits, plans often and
/// looks at little.
pub fn member_config(node: NodeId) -> Config {
    let limits = Limits::new(LimitSettings {
        channel_max: Sat::new(2_000_000),
        min_confidence: Ppm::ZERO,
        // Members open early; there must be something left to go wrong later.
        opens_per_day: 3,
        ..LimitSettings::default()
    });
    Config {
        node_id: node,
        network: Network::Regtest,
        software: "hive-sim".to_owned(),
        addresses: vec![format!("{}.sim:9735", node.short())],
        capabilities: Capabilities::ANCHORS,
        limits: limits.expect("a smaller largest channel contradicts no default"),
        mode: Mode::Autonomous,
        planner: small_planner(),
        constraint: Constraint {
            capital: Sat::new(5_000_000),
            slots: 4,
            channel_min: Sat::new(500_000),
            channel_max: Sat::new(2_000_000),
        },
        plan_interval: Millis::from_secs(900),
        sharing: BTreeMap::new(),
        oracle_secret: None,
        dry_run: false,
        manage_fees: true,
    }
}

/// A planner that is done within a millisecond or two on a hundred nodes.
fn small_planner() -> PlannerConfig {
    PlannerConfig {
        payments: 400,
        payees: 20,
        candidates: 12,
        work_limit: 20_000,
        // The network is a hundredth of the real one and pays as much: its channels would always be
        // dry, and its few payments all alike.
        turnover: Ppm::new(u32::MAX),
        doubt: Ppm::new(125_000),
        ..PlannerConfig::default()
    }
}

/// Members on a world.
pub struct Fleet {
    world: World,
    agents: Vec<Agent>,
    queue: BTreeMap<(u64, u64), Due>,
    sequence: u64,
    lives: u64,
    commands: u64,
    replies: BTreeMap<CommandId, Result<Reply, CommandError>>,
    events: Vec<(UnixMillis, usize, Event)>,
    seed: [u8; 32],
    watch: Watch,
    totals: FleetTotals,
    trace: Trace,
    lines: Option<Vec<String>>,
    start: u64,
    /// How far agents' graphs differ from the network.
    noise: Ppm,
}

/// A task of an agent's life.
struct Due {
    agent: usize,
    life: u64,
    task: Task,
}

impl Fleet {
    /// A fleet without members.
    pub fn new(world: World, seed: [u8; 32]) -> Self {
        let start = world.now().get();
        Self {
            world,
            agents: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            lives: 0,
            commands: 0,
            replies: BTreeMap::new(),
            events: Vec::new(),
            seed,
            watch: Watch::default(),
            totals: FleetTotals::default(),
            trace: Trace::default(),
            lines: None,
            start,
            noise: Ppm::ZERO,
        }
    }

    /// Has a checker watch everything from now on.
    pub fn watch_with(&mut self, checker: Box<dyn Checker>) {
        self.watch.add(checker);
    }

    /// What checkers found so far.
    pub fn violations(&self) -> &[Violation] {
        self.watch.violations()
    }

    /// The fleet's chain as it was verified from disks, once a checker watches.
    pub const fn chain(&self) -> &Chronicle {
        self.watch.chain()
    }

    /// What keeps the fleet from agreement now, by the disks; nothing when all honest members that
    /// run hold the same. Needs a checker that watches.
    pub fn unconverged(&self) -> Vec<String> {
        self.watch
            .unconverged(self.world.now(), &self.world, &self.agents)
    }

    /// Has checkers judge what must hold long after faults stopped.
    pub fn judge_quiet(&mut self) {
        self.see(&Sight::Quiet);
    }

    /// Keeps a line for each thing worth one, for [`Fleet::take_lines`].
    pub fn keep_lines(&mut self) {
        self.lines = Some(Vec::new());
    }

    /// The lines since the last call.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Adds a member's agent and starts it.
    pub fn add(&mut self, node: NodeId, config: Config) -> usize {
        self.agents.push(Agent::new(node, config));
        let agent = self.agents.len() - 1;
        self.boot(agent);
        agent
    }

    /// The world.
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// The world, to do something to it.
    pub const fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// All agents, in the order in which they were added.
    pub fn agents(&self) -> &[Agent] {
        &self.agents
    }

    /// The node of an agent.
    pub fn node(&self, agent: usize) -> NodeId {
        self.agents[agent].node
    }

    /// What happened so far, in numbers.
    pub const fn totals(&self) -> &FleetTotals {
        &self.totals
    }

    pub(crate) const fn totals_mut(&mut self) -> &mut FleetTotals {
        &mut self.totals
    }

    /// Events of all agents in order.
    pub fn events(&self) -> &[(UnixMillis, usize, Event)] {
        &self.events
    }

    /// Whether an agent emitted an event for which `is` is true.
    pub fn heard(&self, agent: usize, is: impl Fn(&Event) -> bool) -> bool {
        let mut events = self.events.iter();
        events.any(|(_, by, event)| *by == agent && is(event))
    }

    /// The moment.
    pub fn now(&self) -> UnixMillis {
        self.world.now()
    }

    /// Hash over everything that happened: equal for equal seeds and calls.
    pub fn trace_hash(&self) -> Digest {
        let mut trace = self.trace.clone();
        trace.add(self.world.trace_hash().as_bytes());
        Digest::from_bytes(trace.hash())
    }

    /// The agent's sense of time.
    fn now_of(&self, agent: usize) -> Now {
        let (world, this) = (self.world.now().get(), &self.agents[agent]);
        Now {
            wall: UnixMillis::new(world.saturating_add_signed(this.skew)),
            elapsed: Elapsed::new(world - this.booted_at),
            boot: BootId::new(this.disk.boots),
        }
    }

    /// Lets everything in a span happen.
    pub fn run_for(&mut self, span: Millis) {
        self.run_until(self.now().plus(span));
    }

    /// Lets everything up to a moment happen, in order.
    pub fn run_until(&mut self, moment: UnixMillis) {
        while let Some(next) = self.next_at().filter(|next| *next <= moment.get()) {
            self.world.advance_to(UnixMillis::new(next));
            self.settle();
        }
        self.world.advance_to(moment);
        self.settle();
    }

    /// When the next thing happens by itself.
    fn next_at(&self) -> Option<u64> {
        let world = self.world.next_event_at().map(UnixMillis::get);
        let task = self.queue.first_key_value().map(|((at, _), _)| *at);
        let wakes = self.agents.iter().filter_map(Agent::wake_at);
        let next = wakes.chain(world).chain(task).min()?;
        Some(next.max(self.world.now().get()))
    }

    /// Everything that is due now.
    fn settle(&mut self) {
        loop {
            self.drain_events();
            if !self.run_task() && !self.run_tick() {
                break;
            }
        }
        self.see(&Sight::Settled);
    }

    fn drain_events(&mut self) {
        loop {
            let nodes: Vec<NodeId> = self.world.agents_with_events().collect();
            if nodes.is_empty() {
                return;
            }
            for node in nodes {
                while let Some(event) = self.world.poll_event(node) {
                    for agent in 0..self.agents.len() {
                        if self.agents[agent].node == node {
                            self.node_event(agent, &event);
                        }
                    }
                }
            }
        }
    }

    fn run_task(&mut self) -> bool {
        let now = self.world.now().get();
        let Some(entry) = self
            .queue
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        else {
            return false;
        };
        let due = entry.remove();
        let this = &self.agents[due.agent];
        if this.hive.is_some() && this.life == due.life {
            self.perform_task(due.agent, due.task);
        }
        true
    }

    fn run_tick(&mut self) -> bool {
        let now = self.world.now().get();
        let due = |agent: &Agent| agent.wake_at().is_some_and(|wake| wake <= now);
        let Some(agent) = self.agents.iter().position(due) else {
            return false;
        };
        self.agents[agent].ticked_at = Some(now);
        self.input(agent, Input::Tick);
        true
    }

    fn later(&mut self, agent: usize, wait: u64, task: Task) {
        self.sequence += 1;
        let life = self.agents[agent].life;
        let at = self.world.now().get() + wait;
        self.queue
            .insert((at, self.sequence), Due { agent, life, task });
    }

    /// Asks an agent something.
    ///
    /// # Errors
    /// The agent's own refusal, or [`CommandError::Busy`] when it does not run or crashed over it.
    pub fn command(&mut self, agent: usize, command: Command) -> Result<Reply, CommandError> {
        if matches!(command, Command::Leave | Command::Refound) {
            self.agents[agent].record.leaves = true;
        }
        self.command_unasked(agent, command)
    }

    /// As [`Fleet::command`], behind the operator's back: a departure counts as unwanted.
    ///
    /// # Errors
    /// As [`Fleet::command`].
    #[doc(hidden)]
    pub fn command_unasked(
        &mut self,
        agent: usize,
        command: Command,
    ) -> Result<Reply, CommandError> {
        self.commands += 1;
        let id = CommandId(self.commands);
        let is_plan = matches!(command, Command::Plan);
        self.input(agent, Input::Command { id, command });
        if is_plan && !self.replies.contains_key(&id) {
            self.finish_plan(agent);
        }
        self.replies.remove(&id).unwrap_or(Err(CommandError::Busy))
    }

    /// Makes the plan that an agent has asked for now, instead of later.
    fn finish_plan(&mut self, agent: usize) {
        let life = self.agents[agent].life;
        let mut queue = self.queue.iter();
        let under_way = queue.find(|(_, due)| {
            (due.agent, due.life) == (agent, life) && matches!(due.task, Task::Plan(_))
        });
        let under_way = under_way.map(|(key, _)| *key);
        if let Some(due) = under_way.and_then(|key| self.queue.remove(&key)) {
            self.perform_task(agent, due.task);
        }
    }

    /// How an agent fares; of one that does not run, the stage is `down`.
    pub fn status(&mut self, agent: usize) -> Status {
        match self.command(agent, Command::Status) {
            Ok(Reply::Status(status)) => status,
            _ => self.down(agent),
        }
    }

    fn down(&self, agent: usize) -> Status {
        Status {
            node_id: self.agents[agent].node,
            hive: None,
            stage: "down".to_owned(),
            tier: None,
            members: 0,
            connected: 0,
            head: 0,
            mode: Mode::Advisor,
            paused_until: None,
            height: Default::default(),
            synced: false,
            pending: 0,
            acting: 0,
            state: String::new(),
            alerts: Vec::new(),
            votes_proposed: Vec::new(),
        }
    }

    /// Shows checkers something.
    pub(crate) fn see(&mut self, sight: &Sight<'_>) {
        self.watch
            .see(self.world.now(), &self.world, &self.agents, sight);
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let at = self.world.now().get() - self.start;
        if let Some(lines) = &mut self.lines {
            let (secs, millis) = (at / 1000, at % 1000);
            let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
            lines.push(format!(
                "{hours:02}:{minutes:02}:{secs:02}.{millis:03} {}",
                line()
            ));
        }
    }
}

impl Agent {
    /// When the machine wants to be called, on the world's clock: at most once a millisecond.
    fn wake_at(&self) -> Option<u64> {
        let wake = self.hive.as_ref()?.next_wake();
        if wake == Elapsed::NEVER {
            return None;
        }
        let at = self.booted_at.saturating_add(wake.get());
        Some(self.ticked_at.map_or(at, |last| at.max(last + 1)))
    }
}
