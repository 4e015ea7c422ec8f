//! The network that is there before the fleet: nodes and channels of a graph, with drawn balances.

use super::rng::{Rng, hash_of};
use super::tx::{Owner, TxOut};
use super::{ChannelIx, ChannelState, NodeError, NodeIx, OpenError, World, WorldConfig};
use hive_planner::graph::Graph;
use hive_types::{
    BlockHeight, ChannelId, ChannelPolicy, Msat, NodeId, OutPoint, Sat, ShortChannelId, Txid,
};
use std::sync::Arc;

/// Share of a background channel's money at the smaller node id, in millionths at equal steps of
/// probability. Balances are not public: a modelling choice, with many channels almost all at one end.
const BALANCE_PPM: [u64; 9] = [
    10_000, 60_000, 180_000, 340_000, 500_000, 660_000, 820_000, 940_000, 990_000,
];

impl World {
    /// A world around a graph: its nodes route, pay and are paid; they have no keys and no programs.
    /// The balances of its channels are drawn from the seed.
    pub fn from_graph(graph: &Arc<Graph>, mut config: WorldConfig) -> Self {
        let newest = graph.channels().map(|channel| channel.scid.block()).max();
        let least = BlockHeight::new(newest.unwrap_or(0));
        config.height = config.height.max(least);
        let mut world = Self::new(config);
        world.gossip.set_base(graph.clone());
        for (_, id) in graph.nodes() {
            world
                .insert_node(id, None, false)
                .expect("a graph holds each node once, and the world was empty");
        }
        let mut rng = Rng::new(&world.config.seed, "balances");
        let pairs = graph.edges().collect::<Vec<_>>();
        for pair in pairs.chunks_exact(2) {
            let nodes = [pair[0].from.get(), pair[1].from.get()];
            let capacity = pair[0].capacity.get();
            let share = rng.quantile(&BALANCE_PPM);
            let opener = rng.below(2) as usize;
            let policies = [pair[0].policy, pair[1].policy];
            let ix = world.insert_settled(nodes, opener, capacity, share, pair[0].scid);
            for (side, policy) in policies.into_iter().enumerate() {
                let silent = ChannelPolicy {
                    disabled: true,
                    ..world.channels[ix].policy[side]
                };
                world.channels[ix].policy[side] = policy.unwrap_or(silent);
            }
            world.reroute(ix);
        }
        world
    }

    /// A channel that stands since before the world began and that everybody knows; `opener` and
    /// `target` share its money so that the target has `at_target`.
    ///
    /// # Errors
    /// [`OpenError::SameNode`], [`OpenError::NotEnough`] when `at_target` is above the capacity, or an
    /// unknown node.
    pub fn settled_channel(
        &mut self,
        opener: NodeId,
        target: NodeId,
        capacity: Sat,
        at_target: Msat,
    ) -> Result<ChannelId, OpenError> {
        self.standing_channel(opener, target, capacity, at_target, true)
    }

    /// As [`World::settled_channel`], but unannounced: only its two ends know of it.
    ///
    /// # Errors
    /// As there.
    pub fn private_channel(
        &mut self,
        opener: NodeId,
        target: NodeId,
        capacity: Sat,
        at_target: Msat,
    ) -> Result<ChannelId, OpenError> {
        self.standing_channel(opener, target, capacity, at_target, false)
    }

    fn standing_channel(
        &mut self,
        opener: NodeId,
        target: NodeId,
        capacity: Sat,
        at_target: Msat,
        public: bool,
    ) -> Result<ChannelId, OpenError> {
        let (from, to) = (self.ix(opener)?, self.ix(target)?);
        if from == to {
            return Err(OpenError::SameNode);
        }
        if at_target > capacity.to_msat_saturating() {
            return Err(OpenError::NotEnough {
                needed: at_target.to_sat_ceil(),
                available: capacity,
            });
        }
        let scid = self.free_scid();
        let mut nodes = [from, to];
        nodes.sort_by_key(|node| self.nodes[*node].id);
        let side = usize::from(nodes[1] == from);
        let ix = self.insert_settled(nodes, side, capacity.get(), 0, scid);
        let channel = &mut self.channels[ix];
        channel.balance[1 - side] = at_target.get();
        channel.balance[side] = capacity.get() * 1000 - at_target.get();
        let id = channel.id;
        channel.rest_ppm = (channel.balance[0] / capacity.get().max(1) * 1000) as u32;
        channel.public = public;
        channel.announced = public;
        self.reroute(ix);
        if public {
            self.gossip_channel(ix, super::gossip::Word::Announced);
        }
        self.tell_channel(ix);
        // Both run and share a channel: they are connected.
        let _ = self.connect(opener, target);
        Ok(id)
    }

    /// A place below the world's first block that no channel has.
    fn free_scid(&self) -> ShortChannelId {
        let block = self.config.height.get();
        let end = ShortChannelId::from_u64(u64::from(block + 1) << 40);
        let newest = self.channel_by_scid.range(..end).next_back();
        let newest = newest
            .filter(|(scid, _)| scid.block() == block)
            .map_or(1, |(scid, _)| scid.transaction() + 1);
        ShortChannelId::new(block, newest, 0)
            .expect("block heights and a count of channels fit into 24 bits")
    }

    /// A channel deep in the chain, its money made from nothing.
    fn insert_settled(
        &mut self,
        nodes: [NodeIx; 2],
        opener: usize,
        capacity: u64,
        share_ppm: u64,
        scid: ShortChannelId,
    ) -> ChannelIx {
        let parts: [&[u8]; 2] = [&self.config.seed, &scid.to_u64().to_le_bytes()];
        let funding = OutPoint {
            txid: Txid::from_bytes(hash_of("settled channel", &parts)),
            vout: 0,
        };
        let out = TxOut {
            amount: Sat::new(capacity),
            owner: Owner::Channel,
            csv: 0,
        };
        self.chain.mint(funding, out);
        let ix = self.insert_channel(nodes[opener], nodes[1 - opener], capacity, funding, true);
        let channel = &mut self.channels[ix];
        let first = (u128::from(capacity) * 1000 * u128::from(share_ppm) / 1_000_000) as u64;
        channel.balance = [first, capacity * 1000 - first];
        channel.rest_ppm = share_ppm as u32;
        channel.state = ChannelState::Normal;
        channel.scid = Some(scid);
        channel.confirmed = Some(scid.block().min(self.config.height.get()));
        channel.announced = true;
        self.channel_by_scid.insert(scid, ix);
        ix
    }

    /// Gives a node of the graph an event queue, a late view of the network and forward totals, as
    /// agents have; it still cannot sign.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn watch_node(&mut self, node: NodeId) -> Result<(), NodeError> {
        let ix = self.ix(node)?;
        if self.nodes[ix].agent.is_none() {
            self.nodes[ix].agent = Some(Box::new(super::agent::Agent {
                tip: self.chain.height().get(),
                ..super::agent::Agent::default()
            }));
            self.agents.push(ix);
            self.gossip.add_agent(ix);
        }
        Ok(())
    }
}
