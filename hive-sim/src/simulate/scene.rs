//! The world and the members of a run, and how faults strike them.

use super::SimConfig;
use super::rogues::Rogues;
use crate::checkers::Violation;
use crate::faults::Fault;
use crate::fleet::{CrashPoint, Disk, Fleet, member_config};
use crate::generate::{GeneratorConfig, generate};
use crate::world::{LinkFaults, NodeSpec, Rng, TrafficConfig, World, WorldConfig, hash_of};
use hive_core::Command;
use hive_proto::{Epoch, MemberSecret, Ticket, TicketBody};
use hive_types::limits::MESSAGE_TYPE;
use hive_types::{Capabilities, Millis, Msat, NodeId, Ppm, Sat, TicketId, Tier, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Members' graphs differ from the network by one channel of twenty.
const GRAPH_NOISE: Ppm = Ppm::new(50_000);

/// A run in progress.
pub(super) struct Stage {
    pub(super) fleet: Fleet,
    pub(super) members: usize,
    pub(super) rng: Rng,
    pub(super) is_calm: bool,
    start: UnixMillis,
    stranger: NodeId,
    /// The agent of the stranger that forges tickets, once there is one.
    forger: Option<usize>,
    backups: BTreeMap<usize, Disk>,
    copies: BTreeSet<usize>,
    /// When an agent that is down is started again.
    starts: BTreeMap<usize, UnixMillis>,
    nodes_down: BTreeSet<usize>,
}

impl Stage {
    pub(super) fn new(config: &SimConfig) -> Self {
        let seed = config.bytes();
        let network = GeneratorConfig {
            nodes: config.nodes,
            seed,
        };
        let graph = Arc::new(generate(&network));
        let mut world = World::from_graph(
            &graph,
            WorldConfig {
                seed,
                ..WorldConfig::default()
            },
        );
        let mut rng = Rng::new(&seed, "scene");
        let outside: Vec<NodeId> = graph.nodes().map(|(_, node)| node).collect();
        let nodes = settle(&mut world, &mut rng, &outside, config.members);
        let stranger = world
            .add_node(NodeSpec::agent(Sat::ZERO))
            .expect("a new key from the seed");
        world.set_traffic(Some(TrafficConfig {
            per_hour: config.payments_per_hour,
            round_ms: 60_000,
            ..TrafficConfig::default()
        }));
        let start = world.now();
        let mut fleet = Fleet::new(world, seed);
        if config.faults {
            fleet.set_graph_noise(GRAPH_NOISE);
        }
        for node in nodes {
            fleet.add(node, member_config(node));
        }
        Self {
            fleet,
            members: config.members,
            rng,
            is_calm: false,
            start,
            stranger,
            forger: None,
            backups: BTreeMap::new(),
            copies: BTreeSet::new(),
            starts: BTreeMap::new(),
            nodes_down: BTreeSet::new(),
        }
    }

    /// When the run began.
    pub(super) const fn start(&self) -> UnixMillis {
        self.start
    }

    /// Milliseconds since the beginning.
    pub(super) fn elapsed(&self) -> u64 {
        self.fleet.now().since(self.start).get()
    }

    /// Whether faults are over and every member's agent runs.
    pub(super) fn is_well(&self) -> bool {
        let mut agents = self.fleet.agents().iter().take(self.members);
        self.is_calm && agents.all(crate::fleet::Agent::is_up)
    }

    /// Whether an agent is a copy that somebody else's disk was run in.
    pub(super) fn has_copy(&self, member: usize) -> bool {
        let node = self.fleet.node(member);
        let mut copies = self.copies.iter();
        copies.any(|copy| self.fleet.node(*copy) == node && self.fleet.agents()[*copy].is_up())
    }

    pub(super) fn strike(&mut self, fault: &Fault) {
        self.fleet.note(|| format!("fault: {fault:?}"));
        match fault {
            Fault::Links(links) => self.fleet.world_mut().set_faults(*links),
            Fault::Partition(side) => {
                self.fleet.totals_mut().partitions += 1;
                self.divide(|one, other| side.contains(&one) != side.contains(&other));
            }
            Fault::Heal => self.divide(|_, _| false),
            Fault::OneWay(one, other) => {
                self.fleet.totals_mut().one_way_blocks += 1;
                self.block(*one, *other, true);
            }
            Fault::Crash(member, point) => self.crash_at(*member, *point),
            Fault::NodeDown(member, lasts) => self.node_down(*member, *lasts),
            Fault::Backup(member) => drop(self.backups.insert(*member, self.fleet.backup(*member))),
            Fault::Restore(member) => {
                // A copy from before the member joined is no backup of a member.
                let backup = self.backups.remove(member);
                if let Some(disk) = backup.filter(|disk| disk.head().is_some()) {
                    self.node_up(*member);
                    self.fleet.restore(*member, disk);
                }
            }
            Fault::Clone(member) => drop(self.copies.insert(self.fleet.clone_agent(*member))),
            Fault::Step(member, millis) => {
                self.fleet.totals_mut().clock_steps += 1;
                self.fleet.set_skew(*member, *millis);
            }
            Fault::Lag(member, blocks) => {
                self.fleet.totals_mut().lags += u64::from(*blocks > 0);
                let node = self.fleet.node(*member);
                let _ = self.fleet.world_mut().set_lag(node, *blocks);
            }
            Fault::Reorg(depth) => {
                self.fleet.totals_mut().reorgs += 1;
                self.fleet.world_mut().reorg(*depth);
            }
            Fault::Leave(member) => {
                self.fleet.totals_mut().leaves += 1;
                let _ = self.fleet.command(*member, Command::Leave);
            }
            Fault::Lie(member, lie) => self.fleet.set_lie(*member, Some(*lie)),
            Fault::Flood(member, frames) => self.flood(*member, *frames),
            Fault::ForgedTicket => self.forge_ticket(),
        }
    }

    /// Blocks the ways between members for which `apart` says so and frees all others.
    fn divide(&mut self, apart: impl Fn(usize, usize) -> bool) {
        for one in 0..self.members {
            for other in 0..self.members {
                if one != other {
                    self.block(one, other, apart(one, other));
                }
            }
        }
    }

    fn block(&mut self, one: usize, other: usize, blocked: bool) {
        let (from, to) = (self.fleet.node(one), self.fleet.node(other));
        let _ = self.fleet.world_mut().set_blocked(from, to, blocked);
    }

    fn crash_at(&mut self, member: usize, point: CrashPoint) {
        self.fleet.crash_at(member, point);
    }

    fn node_down(&mut self, member: usize, lasts: u64) {
        self.fleet.crash(member);
        let node = self.fleet.node(member);
        let _ = self.fleet.world_mut().set_online(node, false);
        self.nodes_down.insert(member);
        self.starts
            .insert(member, self.fleet.now().plus(Millis::new(lasts)));
    }

    fn node_up(&mut self, member: usize) {
        if self.nodes_down.remove(&member) {
            let node = self.fleet.node(member);
            let _ = self.fleet.world_mut().set_online(node, true);
        }
    }

    /// Starts agents again that have been down for a while.
    pub(super) fn tend(&mut self) {
        for member in 0..self.members {
            if self.fleet.agents()[member].is_up() {
                self.starts.remove(&member);
                continue;
            }
            let now = self.fleet.now();
            let wait = Millis::new(self.rng.between(2_000, 240_000));
            let start = *self.starts.entry(member).or_insert(now.plus(wait));
            if now >= start || self.is_calm {
                self.starts.remove(&member);
                self.node_up(member);
                self.fleet.boot(member);
            }
        }
    }

    /// Nothing goes wrong any more: links are well, copies are stopped, liars have stopped lying.
    pub(super) fn calm_down(&mut self, rogues: &Rogues) {
        self.fleet.note(|| "faults stop".to_owned());
        self.fleet.world_mut().set_faults(LinkFaults::default());
        self.divide(|_, _| false);
        for copy in self.copies.clone() {
            self.fleet.crash(copy);
        }
        for member in 0..self.members {
            let node = self.fleet.node(member);
            let _ = self.fleet.world_mut().set_lag(node, 0);
            self.fleet.set_skew(member, 0);
            if self.fleet.agents()[member].lies() && !rogues.is_one(member) {
                self.fleet.set_lie(member, None);
                // What it muddled up in its own memory goes with a restart.
                self.fleet.crash(member);
            }
            self.fleet.disarm(member);
        }
    }

    /// Garbage of the protocol's type from a stranger.
    fn flood(&mut self, member: usize, frames: u32) {
        let (from, to) = (self.stranger, self.fleet.node(member));
        let world = self.fleet.world_mut();
        if world.connect(from, to).is_err() {
            return;
        }
        for frame in 0..frames {
            let noise = hash_of("flood", &[&frame.to_le_bytes()]);
            let bytes = match frame % 3 {
                0 => noise.to_vec(),
                1 => [b"HIVE\x01\x10".as_slice(), &noise].concat(),
                _ => vec![noise[0]; 2_000],
            };
            let _ = world.send_message(from, to, MESSAGE_TYPE, bytes);
        }
    }

    /// A ticket that names the founder as its issuer and is signed by somebody else.
    fn forge_ticket(&mut self) {
        let founder = self.fleet.node(0);
        let Some(manifest) = self.fleet.agents()[0].disk().manifest() else {
            return;
        };
        let node = self.stranger;
        let forger = match self.forger {
            Some(forger) => forger,
            None => self.fleet.add(node, member_config(node)),
        };
        self.forger = Some(forger);
        self.fleet.mark_liar(forger);
        let Some(secret) = MemberSecret::from_bytes(&hash_of("forger", &[])) else {
            return;
        };
        let body = TicketBody {
            hive: manifest.certification().hive,
            network: manifest.certification().network,
            issuer: founder,
            epoch: Epoch(1),
            id: TicketId::from_bytes([9; 16]),
            tier: Tier::Full,
            required: Capabilities::NONE,
            expires: self.fleet.now().plus(Millis::from_hours(24)),
            guest: None,
            contacts: vec![(founder, String::new())],
        };
        if let Ok(ticket) = Ticket::sign(body, &secret) {
            let _ = self.fleet.command(forger, Command::Join { ticket });
        }
    }

    /// In the end everybody is in who wants to be, and nobody else.
    pub(super) fn judge_roster(&self) -> Vec<Violation> {
        let mut manifests = self
            .fleet
            .agents()
            .iter()
            .filter_map(|agent| agent.disk().manifest());
        let newest = manifests
            .find_map(|manifest| self.fleet.chain().newest(&manifest.certification().hive));
        let Some(newest) = newest else {
            return vec![self.violation("no fleet was founded".to_owned())];
        };
        let roster = newest.after.members();
        let members: BTreeSet<NodeId> = (0..self.members)
            .map(|member| self.fleet.node(member))
            .collect();
        let missing = members.iter().filter(|node| !roster.contains_key(node));
        let strangers = roster.keys().filter(|node| !members.contains(node));
        missing
            .map(|node| format!("{} is not in the fleet at the end", node.short()))
            .chain(
                strangers.map(|node| format!("{} is in the fleet and is a stranger", node.short())),
            )
            .map(|text| self.violation(text))
            .collect()
    }

    fn violation(&self, text: String) -> Violation {
        Violation {
            checker: "everybody is in, nobody else".to_owned(),
            at_ms: self.fleet.now().get(),
            text,
        }
    }
}

/// Members' nodes: each shares outside peers with the next one and has a lopsided channel with it.
fn settle(world: &mut World, rng: &mut Rng, outside: &[NodeId], members: usize) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    for _ in 0..members {
        let sats = Sat::new(rng.between(4_000_000, 12_000_000));
        nodes.push(
            world
                .add_node(NodeSpec::agent(sats))
                .expect("a new key from the seed"),
        );
    }
    let first = rng.below(outside.len() as u64) as usize;
    for (index, node) in nodes.iter().enumerate() {
        for peer in 0..2 {
            let peer = outside[(first + 3 * (index + peer)) % outside.len()];
            let part = Msat::new(rng.between(100_000_000, 900_000_000));
            world
                .settled_channel(*node, peer, Sat::new(1_000_000), part)
                .expect("both nodes are there");
        }
        let next = nodes[(index + 1) % nodes.len()];
        if next != *node {
            let part = Msat::new(rng.between(50_000_000, 950_000_000));
            world
                .settled_channel(*node, next, Sat::new(1_000_000), part)
                .expect("both nodes are there");
        }
    }
    nodes
}
