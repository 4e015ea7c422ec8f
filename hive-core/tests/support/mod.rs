//! A handful of machines on an ideal network: messages arrive in order after one step of time.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "test support; each test uses its part"
)]

use hive_core::{
    ActionResult, Command, CommandError, CommandId, Config, Done, Event, Hive, Input, Output,
    PlanRequest, Reply, Snapshot, Stored,
};
use hive_planner::PlannerConfig;
use hive_planner::graph::{Graph, GraphBuilder};
use hive_policy::signature::Secret;
use hive_policy::{LimitSettings, Limits, Mode};
use hive_proto::{NodeSignature, Ticket};
use hive_types::{
    Action, ActionId, BlockHeight, BootId, Capabilities, ChannelId, ChannelPolicy, Constraint,
    Elapsed, FeeratePerKw, LocalSnapshot, Millis, Msat, Network, NodeId, Now, OnChain, OutPoint,
    Ppm, Sat, ShortChannelId, Tier, Txid, UnixMillis,
};
use secp256k1::{PublicKey, SECP256K1, SecretKey};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(crate) const START: u64 = 1_760_000_000_000;

pub(crate) struct Peer {
    pub(crate) id: NodeId,
    secret: SecretKey,
    pub(crate) hive: Option<Hive>,
    pub(crate) stored: Stored,
    pub(crate) boot: u64,
    booted_at: u64,
    pub(crate) events: Vec<Event>,
    pub(crate) acts: Vec<(ActionId, Action)>,
    pub(crate) local: LocalSnapshot,
    /// How far its wall clock is ahead.
    pub(crate) skew_millis: i64,
}

pub(crate) struct Net {
    pub(crate) peers: Vec<Peer>,
    pub(crate) millis: u64,
    pub(crate) links: BTreeSet<(usize, usize)>,
    pub(crate) wire: VecDeque<(usize, usize, Vec<u8>)>,
    pub(crate) cut: BTreeSet<usize>,
    /// Whether permitted actions succeed at once.
    pub(crate) acts_succeed: bool,
    /// Whether plans wait here until a test makes them.
    pub(crate) holds_plans: bool,
    pub(crate) plans: Vec<(usize, PlanRequest)>,
    /// What members asked their oracles.
    pub(crate) questions: Vec<(usize, hive_policy::oracle::DecisionPacket)>,
    /// Whether machines that boot from here on only say what they would do.
    pub(crate) dry_run: bool,
    /// Whether they know their oracle's secret.
    pub(crate) has_oracle: bool,
    commands: u64,
    replies: BTreeMap<CommandId, Result<Reply, CommandError>>,
}

pub(crate) fn secret(number: u8) -> SecretKey {
    let mut bytes = [0; 32];
    bytes[31] = number + 1;
    SecretKey::from_slice(&bytes).unwrap()
}

pub(crate) fn node_id(number: u8) -> NodeId {
    let key = PublicKey::from_secret_key(SECP256K1, &secret(number));
    NodeId::from_bytes(key.serialize()).unwrap()
}

/// What every machine here shares with its oracle.
pub(crate) fn oracle_secret() -> Secret {
    Secret::new(vec![7; 32]).unwrap()
}

fn config(id: NodeId, mode: Mode) -> Config {
    Config {
        node_id: id,
        network: Network::Regtest,
        software: "test".to_owned(),
        addresses: vec!["127.0.0.1:9735".to_owned()],
        capabilities: Capabilities::ANCHORS,
        limits: Limits::new(LimitSettings::default()).unwrap(),
        mode,
        planner: PlannerConfig::default(),
        constraint: Constraint {
            capital: Sat::new(10_000_000),
            slots: 4,
            channel_min: Sat::new(500_000),
            channel_max: Sat::new(5_000_000),
        },
        plan_interval: Millis::from_secs(600),
        sharing: BTreeMap::new(),
        oracle_secret: None,
        dry_run: false,
        manage_fees: true,
    }
}

fn snapshot(id: NodeId) -> LocalSnapshot {
    LocalSnapshot {
        node_id: id,
        network: Network::Regtest,
        height: BlockHeight::new(800_000),
        synced: true,
        on_chain: OnChain {
            confirmed: Sat::new(20_000_000),
            ..OnChain::default()
        },
        feerate: FeeratePerKw::new(500),
        channels: Vec::new(),
        peers: Vec::new(),
        forwards: Vec::new(),
        peer_events: Vec::new(),
    }
}

/// Two halves that only a member could join: an open is worth proposing.
pub(crate) fn halves() -> Graph {
    let mut builder = GraphBuilder::new();
    let nodes: Vec<NodeId> = (10..50).map(node_id).collect();
    nodes.iter().for_each(|node| {
        builder.add_node(*node);
    });
    let policy = ChannelPolicy {
        base: Msat::new(1_000),
        rate: Ppm::new(500),
        cltv_delta: 40,
        htlc_minimum: Msat::new(1),
        htlc_maximum: Msat::new(5_000_000_000),
        disabled: false,
        inbound_base_msat: 0,
        inbound_ppm: 0,
    };
    for half in [0..20usize, 20..40] {
        for (place, at) in half.clone().enumerate().skip(1) {
            let hub = nodes[half.start];
            let scid = ShortChannelId::new(700_000 + at as u32, place as u32, 0).unwrap();
            let ends = [hub, nodes[at]];
            builder
                .add_channel(scid, ends, Sat::new(20_000_000))
                .unwrap();
            for end in ends {
                builder.set_policy(scid, end, &policy).unwrap();
            }
        }
    }
    builder.build()
}

impl Net {
    /// Machines that are all connected to each other and have read their nodes.
    pub(crate) fn new(count: u8, mode: Mode) -> Self {
        let mut net = Self {
            peers: Vec::new(),
            millis: 0,
            links: BTreeSet::new(),
            wire: VecDeque::new(),
            cut: BTreeSet::new(),
            acts_succeed: true,
            holds_plans: false,
            plans: Vec::new(),
            questions: Vec::new(),
            dry_run: false,
            has_oracle: true,
            commands: 0,
            replies: BTreeMap::new(),
        };
        (0..count).for_each(|number| net.add(number, mode));
        net
    }

    /// One more machine, connected to all others.
    pub(crate) fn add(&mut self, number: u8, mode: Mode) {
        let id = node_id(number);
        self.peers.push(Peer {
            id,
            secret: secret(number),
            hive: None,
            stored: Stored::default(),
            boot: 0,
            booted_at: 0,
            events: Vec::new(),
            acts: Vec::new(),
            local: snapshot(id),
            skew_millis: 0,
        });
        let index = self.peers.len() - 1;
        self.boot(index, mode);
        (0..index).for_each(|other| self.connect(index, other));
    }

    pub(crate) fn boot(&mut self, index: usize, mode: Mode) {
        let millis = self.millis;
        let peer = &mut self.peers[index];
        peer.boot += 1;
        peer.booted_at = millis;
        let seed = [peer.boot as u8 ^ (index as u8) << 4; 32];
        let restored: Snapshot = peer.stored.snapshot();
        let now = Self::now_of(peer, millis);
        let config = Config {
            dry_run: self.dry_run,
            oracle_secret: self.has_oracle.then(oracle_secret),
            ..config(peer.id, mode)
        };
        peer.hive = Some(Hive::new(config, seed, restored, now));
        let local = peer.local.clone();
        self.input(index, Input::Observed(&local));
    }

    pub(crate) fn crash(&mut self, index: usize) {
        self.peers[index].hive = None;
        for other in 0..self.peers.len() {
            self.disconnect(index, other);
        }
        self.wire
            .retain(|(from, to, _)| *from != index && *to != index);
    }

    fn now_of(peer: &Peer, millis: u64) -> Now {
        Now {
            wall: UnixMillis::new((START + millis).saturating_add_signed(peer.skew_millis)),
            elapsed: Elapsed::new(millis - peer.booted_at),
            boot: BootId::new(peer.boot),
        }
    }

    pub(crate) fn connect(&mut self, one: usize, other: usize) {
        if !self.links.insert((one.min(other), one.max(other))) {
            return;
        }
        let features = [0b1000_0000, 0, 0];
        let (a, b) = (self.peers[one].id, self.peers[other].id);
        self.input(
            one,
            Input::PeerConnected {
                peer: b,
                features: &features,
            },
        );
        self.input(
            other,
            Input::PeerConnected {
                peer: a,
                features: &features,
            },
        );
    }

    pub(crate) fn disconnect(&mut self, one: usize, other: usize) {
        if self.links.remove(&(one.min(other), one.max(other))) {
            let (a, b) = (self.peers[one].id, self.peers[other].id);
            self.input(one, Input::PeerDisconnected { peer: b });
            self.input(other, Input::PeerDisconnected { peer: a });
        }
    }

    pub(crate) fn input(&mut self, index: usize, input: Input<'_>) {
        let millis = self.millis;
        let peer = &mut self.peers[index];
        let now = Self::now_of(peer, millis);
        let Some(hive) = &mut peer.hive else { return };
        let outputs = hive.handle(now, input);
        self.perform(index, outputs);
    }

    fn perform(&mut self, index: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Persist(changes) => self.peers[index].stored.apply(&changes),
                Output::Send { to, bytes } => {
                    let to = self.peers.iter().position(|peer| peer.id == to);
                    self.wire.extend(to.map(|to| (index, to, bytes)));
                }
                Output::Connect { to, .. } => {
                    let to = self.peers.iter().position(|peer| peer.id == to);
                    let reachable = |index: &usize| self.peers[*index].hive.is_some();
                    if let Some(to) = to.filter(reachable)
                        && !self.cut.contains(&to)
                        && !self.cut.contains(&index)
                    {
                        self.connect(index, to);
                    }
                }
                Output::SignWithNode { text } => {
                    let zbase = NodeSignature::sign(&text, &self.peers[index].secret).to_string();
                    self.input(
                        index,
                        Input::NodeSigned {
                            text: &text,
                            signature: Ok(&zbase),
                        },
                    );
                }
                Output::Act { id, permit } => {
                    self.peers[index].acts.push((id, permit.action().clone()));
                    if self.acts_succeed {
                        self.input(
                            index,
                            Input::Completed {
                                id,
                                result: succeed(id, permit.action()),
                            },
                        );
                    }
                }
                Output::Observe => {
                    let local = self.peers[index].local.clone();
                    self.input(index, Input::Observed(&local));
                }
                Output::Plan(request) if self.holds_plans => self.plans.push((index, *request)),
                Output::Plan(request) => self.input(index, Input::Planned(request.perform())),
                Output::Consult { packet } => self.questions.push((index, *packet)),
                Output::Reply { id, reply } => {
                    self.replies.insert(id, reply);
                }
                Output::Emit(event) => self.peers[index].events.push(event),
            }
        }
    }

    /// Lets time pass in steps of 100 ms; each step delivers what was on the wire before it.
    pub(crate) fn run(&mut self, secs: u64) {
        (0..secs * 10).for_each(|_| self.step());
    }

    pub(crate) fn step(&mut self) {
        self.millis += 100;
        for (from, to, bytes) in std::mem::take(&mut self.wire) {
            if self.links.contains(&(from.min(to), from.max(to))) {
                let from = self.peers[from].id;
                self.input(
                    to,
                    Input::Message {
                        from,
                        bytes: &bytes,
                    },
                );
            }
        }
        for index in 0..self.peers.len() {
            let elapsed = self.millis - self.peers[index].booted_at;
            let wake = self.peers[index].hive.as_ref().map(Hive::next_wake);
            if wake.is_some_and(|wake| wake.get() <= elapsed) {
                self.input(index, Input::Tick);
            }
        }
    }

    pub(crate) fn command(
        &mut self,
        index: usize,
        command: Command,
    ) -> Result<Reply, CommandError> {
        let id = self.ask(index, command);
        self.answer(id).unwrap()
    }

    pub(crate) fn ask(&mut self, index: usize, command: Command) -> CommandId {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.input(index, Input::Command { id, command });
        id
    }

    pub(crate) fn answer(&mut self, id: CommandId) -> Option<Result<Reply, CommandError>> {
        self.replies.remove(&id)
    }

    /// Makes the plans that wait.
    pub(crate) fn make_plans(&mut self) {
        for (index, request) in std::mem::take(&mut self.plans) {
            self.input(index, Input::Planned(request.perform()));
        }
    }

    pub(crate) fn ticket(&mut self, index: usize, tier: Tier) -> Ticket {
        let invite = Command::Invite {
            tier,
            guest: None,
            lifetime: Millis::from_hours(24),
            required: Capabilities::NONE,
        };
        match self.command(index, invite) {
            Ok(Reply::Ticket(text)) => text.parse().unwrap(),
            other => panic!("no ticket: {other:?}"),
        }
    }

    /// The first machine founds, all others join with its tickets.
    pub(crate) fn fleet(count: u8, mode: Mode) -> Self {
        let mut net = Self::new(count, mode);
        net.command(0, Command::Init).unwrap();
        for index in 1..count.into() {
            let ticket = net.ticket(0, Tier::Full);
            net.command(index, Command::Join { ticket }).unwrap();
            net.run(5);
        }
        net
    }

    pub(crate) fn status(&mut self, index: usize) -> hive_core::Status {
        match self.command(index, Command::Status) {
            Ok(Reply::Status(status)) => status,
            other => panic!("no status: {other:?}"),
        }
    }

    pub(crate) fn tiers(&mut self, index: usize) -> BTreeMap<NodeId, Tier> {
        match self.command(index, Command::Members) {
            Ok(Reply::Members(rows)) => rows
                .into_iter()
                .map(|row| (row.node_id, row.tier))
                .collect(),
            _ => BTreeMap::new(),
        }
    }
}

fn succeed(id: ActionId, action: &Action) -> ActionResult {
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(id.as_bytes());
    ActionResult::Done(match action {
        Action::Open(_) => Done::Opened {
            channel_id: ChannelId::from_bytes(hash),
            funding: OutPoint {
                txid: Txid::from_bytes(hash),
                vout: 0,
            },
            fee: Sat::new(200),
        },
        Action::Rebalance(moved) => Done::Paid { fee: moved.fee },
        Action::SetPolicy(_) => Done::Set { before: None },
        Action::Probe(_) => Done::Probed {
            arrived: true,
            failure: None,
        },
    })
}
