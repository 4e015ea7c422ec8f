//! The simulated chain and Lightning network: no member runs here, members run on it.
//!
//! Virtual time in milliseconds, chance from one seed, everything ordered: the same seed and the same
//! calls give the same bytes. Somebody calls [`World::advance_to`]; nothing else moves time.
//!
//! ```
//! use hive_sim::world::{NodeSpec, World, WorldConfig};
//! use hive_types::Sat;
//!
//! let mut world = World::new(WorldConfig::default());
//! let alice = world.add_node(NodeSpec::agent(Sat::new(5_000_000)))?;
//! let bob = world.add_node(NodeSpec::agent(Sat::new(5_000_000)))?;
//! let inputs: Vec<_> = world.utxos(alice)?.iter().map(|utxo| utxo.outpoint).collect();
//! let (channel, _) = world.open_channel(alice, bob, Sat::new(1_000_000), &inputs, world.feerate(), true)?;
//! world.mine(6);
//! assert!(world.channel(channel).is_some_and(|channel| channel.announced));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
mod background;
mod chain;
mod channel;
mod config;
mod deeds;
mod direct;
mod explicit;
mod gossip;
mod lag;
mod life;
mod link;
mod node;
mod open;
mod payment;
mod probe;
mod rng;
mod route;
mod traffic;
mod tx;
mod wallet;

pub use agent::NodeEvent;
pub use chain::{Block, Chain, OutPointState, TxRecord};
pub use channel::{ChannelInfo, ChannelState, PolicyError};
pub use config::{BlockInterval, WorldConfig};
pub use direct::AlongError;
pub use explicit::{
    Invoice, InvoiceError, InvoiceState, PaymentState, RouteFailure, SendRouteError,
};
pub use link::{ConnectError, LinkFaults, LinkTotals, SendError};
pub use node::{Behaviour, NodeError, NodeSpec};
pub use open::{Funding, OpenError};
pub use payment::{FailureCode, Paid, PayError};
pub use traffic::{TrafficConfig, TrafficTotals};
pub use tx::{Owner, Tx, TxError, TxOut};
pub use wallet::Utxo;

use channel::Channel;
pub(crate) use channel::RESERVE_DIVISOR;
use explicit::Payments;
use gossip::Gossip;
use hive_types::{
    ChannelId, Digest, FeeratePerKw, Network, NodeId, OutPoint, ShortChannelId, Txid, UnixMillis,
};
use link::{Delivery, Links};
use node::Node;
use payment::Flights;

pub(crate) use rng::{Rng, Trace, hash_of};
use route::Router;
use std::collections::{BTreeMap, BTreeSet};
use traffic::Traffic;

/// A node's number: its place in the list of nodes.
pub(crate) type NodeIx = usize;
/// A channel's number: its place in the list of channels.
pub(crate) type ChannelIx = usize;

/// Confirmations after which a channel carries payments, as LND and Core Lightning ask for channels
/// of usual size.
pub const USABLE_DEPTH: u32 = 3;

/// Confirmations after which a channel is announced (BOLT 7).
pub const ANNOUNCE_DEPTH: u32 = 6;

/// How long a block takes to reach a node, in milliseconds at most.
const BLOCK_PROPAGATION_MS: u64 = 4_000;

/// Something that happens at its time.
#[derive(Clone, Debug)]
enum Event {
    /// A block is found.
    Mine,
    /// A node hears of a tip.
    BlockSeen { node: NodeIx, height: u32 },
    /// A node hears gossip.
    Gossip { node: NodeIx, place: usize },
    /// Word of a policy reaches the other end, and goes on its way to everybody.
    PolicyTold { channel: ChannelIx, side: usize },
    /// A payment that was under way ends.
    Resolve { flight: u64 },
    /// The traffic of the next span.
    Traffic { round: u64 },
    /// A message arrives.
    Deliver(Delivery),
}

/// The simulated chain and Lightning network.
#[derive(Clone, Debug)]
pub struct World {
    config: WorldConfig,
    now: u64,
    sequence: u64,
    queue: BTreeMap<(u64, u64), Event>,
    chain: Chain,
    feerate: u64,
    nodes: Vec<Node>,
    node_by_id: BTreeMap<NodeId, NodeIx>,
    /// Nodes that a program runs on, in the order in which they came.
    agents: Vec<NodeIx>,
    channels: Vec<Channel>,
    channel_by_id: BTreeMap<ChannelId, ChannelIx>,
    channel_by_scid: BTreeMap<ShortChannelId, ChannelIx>,
    channel_by_funding: BTreeMap<OutPoint, ChannelIx>,
    channel_by_close: BTreeMap<Txid, ChannelIx>,
    /// Channels whose state the next block may change.
    watched: BTreeSet<ChannelIx>,
    fundings: Vec<Funding>,
    links: Links,
    gossip: Gossip,
    router: Router,
    flights: Flights,
    traffic: Option<Traffic>,
    payments: Payments,
    mints: u64,
    block_rng: Rng,
    trace: Trace,
}

impl World {
    /// An empty world.
    pub fn new(config: WorldConfig) -> Self {
        let (low, high) = (config.feerate.0.get(), config.feerate.1.get());
        let mut world = Self {
            now: config.start.get(),
            sequence: 0,
            queue: BTreeMap::new(),
            chain: Chain::new(config.height.get()),
            feerate: u64::from(low).midpoint(u64::from(high)),
            nodes: Vec::new(),
            node_by_id: BTreeMap::new(),
            agents: Vec::new(),
            channels: Vec::new(),
            channel_by_id: BTreeMap::new(),
            channel_by_scid: BTreeMap::new(),
            channel_by_funding: BTreeMap::new(),
            channel_by_close: BTreeMap::new(),
            watched: BTreeSet::new(),
            fundings: Vec::new(),
            links: Links::new(&config),
            gossip: Gossip::default(),
            router: Router::default(),
            flights: Flights::default(),
            traffic: None,
            payments: Payments::default(),
            mints: 0,
            block_rng: Rng::new(&config.seed, "blocks"),
            trace: Trace::default(),
            config,
        };
        world.schedule_block();
        world
    }

    /// The moment.
    pub fn now(&self) -> UnixMillis {
        UnixMillis::new(self.now)
    }

    /// The network that nodes say they are on.
    pub fn network(&self) -> Network {
        Network::Regtest
    }

    /// When the next thing happens by itself; `None` when nothing does.
    pub fn next_event_at(&self) -> Option<UnixMillis> {
        let ((time, _), _) = self.queue.first_key_value()?;
        Some(UnixMillis::new(*time))
    }

    /// Lets everything up to `moment` happen, in order. Earlier moments change nothing.
    pub fn advance_to(&mut self, moment: UnixMillis) {
        while let Some(entry) = self.queue.first_entry() {
            let time = entry.key().0;
            if time > moment.get() {
                break;
            }
            let event = entry.remove();
            self.now = self.now.max(time);
            self.happen(event);
        }
        self.now = self.now.max(moment.get());
    }

    /// The chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The feerate that gets a transaction into the next blocks.
    pub fn feerate(&self) -> FeeratePerKw {
        FeeratePerKw::new(u32::try_from(self.feerate).unwrap_or(u32::MAX))
    }

    /// Every funding that was ever published, in order. Checkers read these, not the agents.
    pub fn fundings(&self) -> &[Funding] {
        &self.fundings
    }

    /// Hash over everything that happened so far: equal for equal seeds and calls.
    pub fn trace_hash(&self) -> Digest {
        Digest::from_bytes(self.trace.hash())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Mine => {
                self.mine_one(false);
                self.schedule_block();
            }
            Event::BlockSeen { node, height } => self.see_block(node, height),
            Event::Gossip { node, place } => self.hear(node, place),
            Event::PolicyTold { channel, side } => self.policy_told(channel, side),
            Event::Resolve { flight } => self.resolve(flight),
            Event::Traffic { round } => self.traffic_round(round),
            Event::Deliver(delivery) => self.deliver(delivery),
        }
    }

    fn schedule(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((at.max(self.now), self.sequence), event);
    }

    fn schedule_block(&mut self) {
        let wait = match self.config.blocks {
            BlockInterval::Manual => return,
            BlockInterval::Fixed(wait) => wait,
            BlockInterval::Random(mean) => self.block_rng.exponential(mean),
        };
        self.schedule(self.now + wait.max(1), Event::Mine);
    }

    /// Adds to the trace: a word for what happened and the numbers that tell it.
    fn note(&mut self, what: &str, numbers: &[u64]) {
        self.trace.add(&self.now.to_le_bytes());
        self.trace.add(what.as_bytes());
        for number in numbers {
            self.trace.add(&number.to_le_bytes());
        }
    }

    fn trace_bytes(&mut self, bytes: &[u8]) {
        self.trace.add(bytes);
    }

    /// Finds `count` blocks now.
    pub fn mine(&mut self, count: u32) {
        for _ in 0..count {
            self.mine_one(false);
        }
        self.see_all();
    }

    /// Replaces the newest `depth` blocks by a longer branch of `depth + 1`, all but the last of them
    /// empty: what was confirmed comes back later, at another place, unless it is
    /// [evicted](World::evict) meanwhile with [`World::disconnect_blocks`].
    pub fn reorg(&mut self, depth: u32) {
        self.disconnect_blocks(depth);
        for _ in 0..depth {
            self.mine_one(true);
        }
        self.mine_one(false);
        self.see_all();
    }

    /// The first half of a reorg: takes the newest blocks off. Mine the other branch afterwards.
    pub fn disconnect_blocks(&mut self, depth: u32) {
        for _ in 0..depth {
            let back = self.chain.disconnect();
            self.note("disconnect", &[back.len() as u64]);
            back.iter().for_each(|txid| self.tx_unconfirmed(txid));
        }
    }

    /// Drops a transaction and its descendants from the mempool, as when a conflicting one won.
    /// Returns whether it was there.
    pub fn evict(&mut self, txid: Txid) -> bool {
        let gone = self.chain.evict(txid);
        // Children first: a close without its funding is no close.
        gone.iter().rev().for_each(|txid| self.tx_gone(txid));
        !gone.is_empty()
    }

    fn mine_one(&mut self, empty: bool) {
        self.drift_feerate();
        // Miners fill their blocks: what pays a quarter of the going rate still finds its place.
        let floor = FeeratePerKw::new(self.feerate().get() / 4);
        let taken = self.chain.mine(UnixMillis::new(self.now), floor, empty);
        let height = self.chain.height().get();
        self.note("block", &[u64::from(height), taken.len() as u64]);
        taken.iter().for_each(|txid| self.tx_confirmed(txid));
        self.channels_after_block();
        for node in self.agents.clone() {
            let delay = self.block_rng.below(BLOCK_PROPAGATION_MS);
            let height = height.saturating_sub(self.lag_of(node));
            self.schedule(self.now + delay, Event::BlockSeen { node, height });
        }
    }

    /// A walk of at most one sixteenth per block.
    fn drift_feerate(&mut self) {
        let (low, high) = (self.config.feerate.0.get(), self.config.feerate.1.get());
        let step = self.feerate / 16;
        let next = (self.feerate + self.block_rng.between(0, 2 * step)).saturating_sub(step);
        self.feerate = next.clamp(u64::from(low), u64::from(high.max(low)));
    }

    fn ix(&self, node: NodeId) -> Result<NodeIx, NodeError> {
        let found = self.node_by_id.get(&node);
        found.copied().ok_or(NodeError::Unknown(node))
    }

    /// Whether every sat is somewhere: confirmed outputs and burned fees are what was minted, and
    /// each open channel's balances and HTLCs are its funding output.
    ///
    /// # Errors
    /// A sentence that names what does not add up.
    pub fn check_conservation(&self) -> Result<(), String> {
        let (minted, burned) = self.chain.supply();
        let held = self.chain.unspent_total() + u128::from(burned.get());
        if held != u128::from(minted.get()) {
            return Err(format!("{minted} were made, {held}sat are held or burned"));
        }
        for channel in &self.channels {
            self.check_channel(channel)?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl World {
    /// A defect put in to show that a checker finds it.
    pub(crate) fn lose(&mut self, place: &OutPoint) {
        self.chain.lose(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::Sat;

    fn world() -> World {
        let mut world = World::new(WorldConfig::default());
        let [alice, bob] = [1, 2].map(|_| {
            world
                .add_node(NodeSpec::agent(Sat::new(1_000_000)))
                .unwrap()
        });
        let half = hive_types::Msat::new(500_000_000);
        world
            .settled_channel(alice, bob, Sat::new(1_000_000), half)
            .unwrap();
        world.check_conservation().unwrap();
        world
    }

    #[test]
    fn the_check_sees_every_sat_that_is_missing_or_too_many() {
        let mut defect = world();
        defect.channels[0].balance[0] += 1;
        assert!(defect.check_conservation().unwrap_err().contains("holds"));
        let mut defect = world();
        defect.channels[0].in_flight[1] += 1_000;
        assert!(defect.check_conservation().is_err());
        let mut defect = world();
        defect.channels[0].funding.vout = 1;
        assert!(defect.check_conservation().unwrap_err().contains("funding"));
        let mut defect = world();
        let paid = defect.channels[0].funding;
        defect.chain.lose(&paid);
        assert!(defect.check_conservation().unwrap_err().contains("made"));
    }

    #[test]
    fn a_world_can_stand_behind_a_mutex() {
        fn movable<T: Send + 'static>(_: std::sync::Mutex<T>) {}
        movable(std::sync::Mutex::new(world()));
    }
}
