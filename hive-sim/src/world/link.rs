//! Connections between nodes and custom messages over them, with faults.

use super::rng::Rng;
use super::{Event, NodeError, NodeEvent, NodeIx, World, WorldConfig};
use hive_types::{NodeId, limits};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// What a link does to messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFaults {
    /// Messages lost, of one million.
    pub loss_ppm: u32,
    /// Messages that arrive twice, of one million.
    pub duplicate_ppm: u32,
    /// Messages that are held back and overtaken, of one million.
    pub reorder_ppm: u32,
    /// How long those are held back, in milliseconds at most.
    pub reorder_ms: u64,
    /// Added to every message's way, in milliseconds.
    pub delay_ms: u64,
}

/// What links did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkTotals {
    /// Messages handed to a link.
    pub sent: u64,
    /// Messages that an agent received, repeats included.
    pub delivered: u64,
    /// Messages that never arrived: lost, blocked, or their receiver was gone.
    pub lost: u64,
    /// Messages that were doubled.
    pub duplicated: u64,
    /// Messages that were held back.
    pub reordered: u64,
    /// Bytes handed to a link.
    pub bytes: u64,
    /// The largest message.
    pub largest: u64,
}

/// Why no connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A node does not connect to itself.
    #[error("a node cannot connect to itself")]
    SameNode,
    /// One of the two is not running.
    #[error("node {0} is offline; try again later")]
    Offline(NodeId),
    /// The way is blocked.
    #[error("node {0} cannot be reached from here; try again later")]
    Blocked(NodeId),
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// No connection.
    #[error("node {0} is not connected; connect first")]
    NotConnected(NodeId),
    /// More than BOLT 8 carries.
    #[error("{0} bytes do not fit into one message of at most 65533")]
    TooLarge(usize),
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    from: NodeIx,
    to: NodeIx,
    /// The connection that carries it: what is under way when that ends is lost.
    connection: u64,
    kind: u16,
    bytes: Vec<u8>,
}

/// All links.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    rng: Rng,
    faults: LinkFaults,
    pair_faults: BTreeMap<(NodeIx, NodeIx), LinkFaults>,
    /// One-way: from the first to the second nothing arrives.
    blocked: BTreeSet<(NodeIx, NodeIx)>,
    /// Number of the connection of each pair, smaller number first.
    connections: BTreeMap<(NodeIx, NodeIx), u64>,
    connected: u64,
    rtt: BTreeMap<(NodeIx, NodeIx), u64>,
    /// When the last message of each direction arrives: BOLT 8 keeps their order.
    last: BTreeMap<(NodeIx, NodeIx), u64>,
    totals: LinkTotals,
}

impl Links {
    pub(crate) fn new(config: &WorldConfig) -> Self {
        Self {
            rng: Rng::new(&config.seed, "links"),
            faults: config.faults,
            pair_faults: BTreeMap::new(),
            blocked: BTreeSet::new(),
            connections: BTreeMap::new(),
            connected: 0,
            rtt: BTreeMap::new(),
            last: BTreeMap::new(),
            totals: LinkTotals::default(),
        }
    }
}

fn pair(a: NodeIx, b: NodeIx) -> (NodeIx, NodeIx) {
    (a.min(b), a.max(b))
}

impl World {
    /// Connects two nodes; a connection that stands already stays.
    ///
    /// # Errors
    /// [`ConnectError`] when one is unknown or offline, or the way is blocked in one direction.
    pub fn connect(&mut self, a: NodeId, b: NodeId) -> Result<(), ConnectError> {
        let (from, to) = (self.ix(a)?, self.ix(b)?);
        if from == to {
            return Err(ConnectError::SameNode);
        }
        for node in [from, to] {
            if !self.nodes[node].online {
                return Err(ConnectError::Offline(self.nodes[node].id));
            }
        }
        if self.links.connections.contains_key(&pair(from, to)) {
            return Ok(());
        }
        let blocked = &self.links.blocked;
        if blocked.contains(&(from, to)) || blocked.contains(&(to, from)) {
            return Err(ConnectError::Blocked(b));
        }
        self.link_up(from, to);
        Ok(())
    }

    fn link_up(&mut self, a: NodeIx, b: NodeIx) {
        self.links.connected += 1;
        let number = self.links.connected;
        self.links.connections.insert(pair(a, b), number);
        self.note("connected", &[a as u64, b as u64]);
        for (node, other) in [(a, b), (b, a)] {
            self.nodes[node].peers.insert(other);
            let event = NodeEvent::PeerConnected {
                peer: self.nodes[other].id,
                features: self.nodes[other].features.clone(),
            };
            self.tell(node, event);
        }
    }

    /// Ends a connection; what is under way on it is lost.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn disconnect(&mut self, a: NodeId, b: NodeId) -> Result<(), NodeError> {
        let (a, b) = (self.ix(a)?, self.ix(b)?);
        self.link_down(a, b);
        Ok(())
    }

    fn link_down(&mut self, a: NodeIx, b: NodeIx) {
        if self.links.connections.remove(&pair(a, b)).is_none() {
            return;
        }
        self.links.last.remove(&(a, b));
        self.links.last.remove(&(b, a));
        self.note("disconnected", &[a as u64, b as u64]);
        for (node, other) in [(a, b), (b, a)] {
            self.nodes[node].peers.remove(&other);
            let peer = self.nodes[other].id;
            self.tell(node, NodeEvent::PeerDisconnected { peer });
        }
    }

    /// Whether two nodes are connected.
    pub fn is_connected(&self, a: NodeId, b: NodeId) -> bool {
        let found = |id| self.node_by_id.get(&id).copied();
        let (Some(a), Some(b)) = (found(a), found(b)) else {
            return false;
        };
        self.links.connections.contains_key(&pair(a, b))
    }

    /// Stops a node or starts it again. A stopped one loses its connections, unread events and
    /// messages under way, and carries no payment; a started one connects to its channel peers.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn set_online(&mut self, node: NodeId, online: bool) -> Result<(), NodeError> {
        let ix = self.ix(node)?;
        if self.nodes[ix].online == online {
            return Ok(());
        }
        self.note(if online { "online" } else { "offline" }, &[ix as u64]);
        if !online {
            for peer in self.nodes[ix].peers.clone() {
                self.link_down(ix, peer);
            }
            self.nodes[ix].online = false;
            if let Some(agent) = self.nodes[ix].agent.as_mut() {
                agent.events.clear();
                agent.changed = false;
            }
            return Ok(());
        }
        self.nodes[ix].online = true;
        for channel in self.nodes[ix].channels.clone() {
            let channel = &self.channels[channel];
            let peer = self.nodes[channel.nodes[1 - channel.side(ix)]].id;
            // A peer that is offline or blocked connects later, from its side.
            let _ = self.connect(node, peer);
        }
        let height = self.chain.height().get().saturating_sub(self.lag_of(ix));
        self.see_block(ix, height);
        Ok(())
    }

    /// Whether a node runs.
    pub fn is_online(&self, node: NodeId) -> bool {
        let ix = self.node_by_id.get(&node);
        ix.is_some_and(|ix| self.nodes[*ix].online)
    }

    /// Hands a custom message (BOLT 1) to the link. That it was sent says nothing of its arrival.
    ///
    /// # Errors
    /// [`SendError`] when there is no connection or the message is too large.
    pub fn send_message(
        &mut self,
        from: NodeId,
        to: NodeId,
        kind: u16,
        bytes: Vec<u8>,
    ) -> Result<(), SendError> {
        let (a, b) = (self.ix(from)?, self.ix(to)?);
        if bytes.len() > limits::FRAME_BYTES {
            return Err(SendError::TooLarge(bytes.len()));
        }
        let connection = self.links.connections.get(&pair(a, b)).copied();
        let connection = connection.ok_or(SendError::NotConnected(to))?;
        let totals = &mut self.links.totals;
        totals.sent += 1;
        totals.bytes += bytes.len() as u64;
        totals.largest = totals.largest.max(bytes.len() as u64);
        let faults = self.faults_of(a, b);
        let lost = self.links.rng.chance(faults.loss_ppm);
        if lost || self.links.blocked.contains(&(a, b)) {
            self.links.totals.lost += 1;
            self.note("lost", &[a as u64, b as u64]);
            return Ok(());
        }
        let delivery = Delivery {
            from: a,
            to: b,
            connection,
            kind,
            bytes,
        };
        if self.links.rng.chance(faults.duplicate_ppm) {
            self.links.totals.duplicated += 1;
            let at = self.arrival(a, b, &faults);
            self.schedule(at, Event::Deliver(delivery.clone()));
        }
        let at = self.arrival(a, b, &faults);
        self.schedule(at, Event::Deliver(delivery));
        Ok(())
    }

    fn arrival(&mut self, from: NodeIx, to: NodeIx, faults: &LinkFaults) -> u64 {
        let one_way = self.rtt_of(from, to) / 2;
        let jitter = self.links.rng.below(one_way / 8 + 2);
        let at = self.now + one_way + jitter + faults.delay_ms;
        if self.links.rng.chance(faults.reorder_ppm) {
            self.links.totals.reordered += 1;
            return at + self.links.rng.between(1, faults.reorder_ms.max(1));
        }
        let last = self.links.last.entry((from, to)).or_default();
        *last = at.max(*last);
        *last
    }

    /// The base round trip of a pair: its own figure, whatever else happens.
    fn rtt_of(&mut self, a: NodeIx, b: NodeIx) -> u64 {
        let (low, high) = self.config.rtt_ms;
        let pair = pair(a, b);
        let mut ids = [self.nodes[a].id, self.nodes[b].id];
        ids.sort();
        let seed = &self.config.seed;
        *self.links.rtt.entry(pair).or_insert_with(|| {
            let parts: [&[u8]; 2] = [ids[0].as_bytes(), ids[1].as_bytes()];
            Rng::of(seed, "rtt", &parts).between(low, high)
        })
    }

    /// The base round trip of a pair of nodes in milliseconds, jitter and faults left out.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn rtt_ms(&mut self, a: NodeId, b: NodeId) -> Result<u64, NodeError> {
        let (a, b) = (self.ix(a)?, self.ix(b)?);
        Ok(self.rtt_of(a, b))
    }

    pub(crate) fn deliver(&mut self, delivery: Delivery) {
        let Delivery { from, to, .. } = delivery;
        let connection = self.links.connections.get(&pair(from, to));
        if connection != Some(&delivery.connection) {
            self.links.totals.lost += 1;
            self.note("lost", &[from as u64, to as u64]);
            return;
        }
        self.links.totals.delivered += 1;
        self.note("message", &[from as u64, to as u64]);
        self.trace_bytes(&delivery.bytes);
        let event = NodeEvent::Message {
            from: self.nodes[from].id,
            kind: delivery.kind,
            bytes: delivery.bytes,
        };
        self.tell(to, event);
    }

    fn faults_of(&self, from: NodeIx, to: NodeIx) -> LinkFaults {
        let own = self.links.pair_faults.get(&(from, to));
        own.copied().unwrap_or(self.links.faults)
    }

    /// What all links do, except those with faults of their own.
    pub fn set_faults(&mut self, faults: LinkFaults) {
        self.links.faults = faults;
    }

    /// What the link from one node to another does, in this direction; `None` for what all do.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn set_pair_faults(
        &mut self,
        from: NodeId,
        to: NodeId,
        faults: Option<LinkFaults>,
    ) -> Result<(), NodeError> {
        let key = (self.ix(from)?, self.ix(to)?);
        match faults {
            Some(faults) => self.links.pair_faults.insert(key, faults),
            None => self.links.pair_faults.remove(&key),
        };
        Ok(())
    }

    /// Blocks the way from one node to another, or frees it. A standing connection does not notice:
    /// its messages are lost in this direction. New connections need both ways.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn set_blocked(
        &mut self,
        from: NodeId,
        to: NodeId,
        blocked: bool,
    ) -> Result<(), NodeError> {
        let key = (self.ix(from)?, self.ix(to)?);
        if blocked {
            self.links.blocked.insert(key);
        } else {
            self.links.blocked.remove(&key);
        }
        Ok(())
    }

    /// What links did so far.
    pub fn link_totals(&self) -> LinkTotals {
        self.links.totals
    }
}
