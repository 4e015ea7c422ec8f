//! Channels: two balances, two policies, a life from funding to closing.

use super::tx::{Owner, Tx, TxOut};
use super::{ANNOUNCE_DEPTH, ChannelIx, NodeError, NodeEvent, NodeIx, USABLE_DEPTH, World};
use hive_types::{
    ChannelId, ChannelPolicy, LocalChannel, Msat, NodeId, OutPoint, Sat, ShortChannelId, Txid,
};
use thiserror::Error;

/// What the opener pays for a commitment transaction and keeps back for it: 1,124 weight units at
/// LND's ceiling of 10 sat/vB for anchor channels, and two anchors of 330 sat.
pub(crate) const COMMITMENT_SAT: u64 = 2_810 + 660;
const COMMITMENT_WEIGHT: u32 = 1_124;
/// Each side keeps this part of the capacity (BOLT 2 `channel_reserve_satoshis`): one hundredth.
pub(crate) const RESERVE_DIVISOR: u64 = 100;
/// Blocks for which the side that closes by force waits for its money.
const TO_SELF_DELAY: u32 = 144;
/// Outputs below this are left out of a commitment transaction.
const DUST: u64 = 354;

/// Where a channel is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChannelState {
    /// The funding is published and not yet deep enough.
    AwaitingConfirmations,
    /// Carries payments while both ends are online.
    Normal,
    /// A commitment transaction waits for a block.
    Closing,
    /// Over: closed in a block, or its funding will never confirm.
    Closed,
}

/// The whole truth about a channel. Index 0 is the end with the smaller node id (BOLT 7 `node_id_1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// BOLT 2 channel id.
    pub id: ChannelId,
    /// Its place in the chain, once confirmed.
    pub scid: Option<ShortChannelId>,
    /// The funding output.
    pub funding: OutPoint,
    /// The ends.
    pub nodes: [NodeId; 2],
    /// Who opened it.
    pub opener: NodeId,
    /// All that it holds.
    pub capacity: Sat,
    /// What each end owns, HTLCs that it offered taken off.
    pub balances: [Msat; 2],
    /// What lies in HTLCs that each end offered.
    pub in_flight: [Msat; 2],
    /// HTLCs under way.
    pub htlcs: u32,
    /// Each end's policy as it announces it.
    pub policies: [ChannelPolicy; 2],
    /// Where it is in its life.
    pub state: ChannelState,
    /// Whether the network knows it.
    pub announced: bool,
}

/// Why a policy was not set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// No such node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// No such channel, or a closed one, or one of others.
    #[error("node {0} has no channel {1}; read its channels again")]
    NotYours(NodeId, ChannelId),
}

/// A channel.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) funding: OutPoint,
    pub(crate) nodes: [NodeIx; 2],
    pub(crate) opener: usize,
    pub(crate) capacity: u64,
    /// Msat of each end, HTLCs that it offered taken off.
    pub(crate) balance: [u64; 2],
    /// Msat in HTLCs that each end offered.
    pub(crate) in_flight: [u64; 2],
    pub(crate) htlcs: u32,
    pub(crate) policy: [ChannelPolicy; 2],
    /// What an end that lies asks for in truth.
    pub(crate) demanded: [Option<ChannelPolicy>; 2],
    /// What others still believe while word of an end's newer policy is under way.
    pub(crate) stale: [Option<ChannelPolicy>; 2],
    pub(crate) state: ChannelState,
    pub(crate) scid: Option<ShortChannelId>,
    pub(crate) confirmed: Option<u32>,
    pub(crate) public: bool,
    pub(crate) announced: bool,
    pub(crate) close: Option<Txid>,
    /// Where the balance of the first end drifts to, in millionths, between outside nodes.
    pub(crate) rest_ppm: u32,
}

impl Channel {
    /// 0 or 1: which end `node` is.
    pub(crate) fn side(&self, node: NodeIx) -> usize {
        usize::from(self.nodes[1] == node)
    }

    /// The policy of an end as others know it.
    pub(crate) fn known_policy(&self, side: usize) -> ChannelPolicy {
        self.stale[side].unwrap_or(self.policy[side])
    }

    /// What an end can send now: reserve, and the opener's commitment fee, taken off.
    pub(crate) fn spendable(&self, side: usize) -> u64 {
        let reserve = self.capacity * 1000 / RESERVE_DIVISOR;
        let commitment = if side == self.opener {
            COMMITMENT_SAT * 1000
        } else {
            0
        };
        self.balance[side].saturating_sub(reserve + commitment)
    }
}

impl World {
    /// A new channel, all of it the opener's.
    pub(crate) fn insert_channel(
        &mut self,
        opener: NodeIx,
        target: NodeIx,
        capacity: u64,
        funding: OutPoint,
        public: bool,
    ) -> ChannelIx {
        let mut nodes = [opener, target];
        nodes.sort_by_key(|node| self.nodes[*node].id);
        let opener = usize::from(nodes[1] == opener);
        let mut balance = [0; 2];
        balance[opener] = capacity * 1000;
        let policy = nodes.map(|node| clamp(self.nodes[node].policy, capacity));
        // BOLT 2: the funding's id, its last two bytes mixed with the output's index.
        let mut id = *funding.txid.as_bytes();
        let vout = (funding.vout as u16).to_be_bytes();
        id[30] ^= vout[0];
        id[31] ^= vout[1];
        let id = ChannelId::from_bytes(id);
        let ix = self.channels.len();
        self.channels.push(Channel {
            id,
            funding,
            nodes,
            opener,
            capacity,
            balance,
            in_flight: [0; 2],
            htlcs: 0,
            policy,
            demanded: [None; 2],
            stale: [None; 2],
            state: ChannelState::AwaitingConfirmations,
            scid: None,
            confirmed: None,
            public,
            announced: false,
            close: None,
            rest_ppm: 500_000,
        });
        self.channel_by_id.insert(id, ix);
        self.channel_by_funding.insert(funding, ix);
        for node in nodes {
            self.nodes[node].channels.push(ix);
        }
        self.router.add_channel(ix, nodes);
        ix
    }

    /// Sets the policy that a node announces, and asks for, on one of its channels. The peer knows it
    /// at once, the network when gossip brings it; both later after [`World::set_policy_lag`].
    ///
    /// # Errors
    /// [`PolicyError`] when the channel is not an open one of this node.
    pub fn set_policy(
        &mut self,
        node: NodeId,
        channel: ChannelId,
        policy: ChannelPolicy,
    ) -> Result<(), PolicyError> {
        let (ix, side) = self.own_channel(node, channel)?;
        let channel = &mut self.channels[ix];
        let before = channel.policy[side];
        channel.policy[side] = clamp(policy, channel.capacity);
        self.note("policy", &[ix as u64, side as u64]);
        self.spread_policy(ix, side, before);
        self.reroute(ix);
        self.tell_channel(ix);
        Ok(())
    }

    /// Makes a node ask for another policy than the one that it announces, or stop that.
    ///
    /// # Errors
    /// [`PolicyError`] when the channel is not an open one of this node.
    pub fn set_hidden_policy(
        &mut self,
        node: NodeId,
        channel: ChannelId,
        policy: Option<ChannelPolicy>,
    ) -> Result<(), PolicyError> {
        let (ix, side) = self.own_channel(node, channel)?;
        self.channels[ix].demanded[side] = policy;
        Ok(())
    }

    pub(crate) fn own_channel(
        &self,
        node: NodeId,
        channel: ChannelId,
    ) -> Result<(ChannelIx, usize), PolicyError> {
        let owner = self.ix(node)?;
        let ix = self.channel_by_id.get(&channel).copied();
        let ix = ix.filter(|ix| self.nodes[owner].channels.contains(ix));
        let ix = ix.ok_or(PolicyError::NotYours(node, channel))?;
        Ok((ix, self.channels[ix].side(owner)))
    }

    /// Lets a node close a channel by force: its HTLCs fail, each end's balance goes on chain, the
    /// opener pays, the closer waits 144 blocks. Returns whether it was open.
    ///
    /// # Errors
    /// [`PolicyError`] when the channel is not an open one of this node.
    pub fn force_close(&mut self, node: NodeId, channel: ChannelId) -> Result<Txid, PolicyError> {
        let (ix, side) = self.own_channel(node, channel)?;
        if let Some(close) = self.channels[ix].close {
            return Ok(close);
        }
        self.drop_htlcs(ix);
        let tx = self.commitment_tx(ix, side);
        let txid = self.chain.publish(tx);
        let txid = txid.expect("an open channel's funding output is unspent");
        let channel = &mut self.channels[ix];
        channel.close = Some(txid);
        channel.state = ChannelState::Closing;
        self.channel_by_close.insert(txid, ix);
        self.count_force_close(ix, side);
        self.note("force close", &[ix as u64, side as u64]);
        self.reroute(ix);
        self.tell_channel(ix);
        Ok(txid)
    }

    fn commitment_tx(&self, ix: ChannelIx, closer: usize) -> Tx {
        let channel = &self.channels[ix];
        let mut fee = channel.capacity;
        let mut outputs = Vec::new();
        for side in 0..2 {
            let commitment = if side == channel.opener {
                COMMITMENT_SAT
            } else {
                0
            };
            let amount = (channel.balance[side] / 1000).saturating_sub(commitment);
            if amount < DUST {
                continue;
            }
            fee -= amount;
            outputs.push(TxOut {
                amount: Sat::new(amount),
                owner: Owner::Wallet(channel.nodes[side]),
                csv: if side == closer { TO_SELF_DELAY } else { 0 },
            });
        }
        Tx {
            inputs: vec![channel.funding],
            outputs,
            fee: Sat::new(fee),
            weight: COMMITMENT_WEIGHT,
        }
    }

    /// A channel by its id, closed ones too.
    pub fn channel(&self, id: ChannelId) -> Option<ChannelInfo> {
        self.channel_by_id.get(&id).map(|ix| self.channel_info(*ix))
    }

    /// The id of the channel at a place in the chain.
    pub fn channel_at(&self, scid: ShortChannelId) -> Option<ChannelId> {
        let ix = self.channel_by_scid.get(&scid)?;
        Some(self.channels[*ix].id)
    }

    /// Every channel that ever was, in the order in which they came.
    pub fn channels(&self) -> impl Iterator<Item = ChannelInfo> {
        (0..self.channels.len()).map(|ix| self.channel_info(ix))
    }

    fn channel_info(&self, ix: ChannelIx) -> ChannelInfo {
        let channel = &self.channels[ix];
        ChannelInfo {
            id: channel.id,
            scid: channel.scid,
            funding: channel.funding,
            nodes: channel.nodes.map(|node| self.nodes[node].id),
            opener: self.nodes[channel.nodes[channel.opener]].id,
            capacity: Sat::new(channel.capacity),
            balances: channel.balance.map(Msat::new),
            in_flight: channel.in_flight.map(Msat::new),
            htlcs: channel.htlcs,
            policies: channel.policy,
            state: channel.state,
            announced: channel.announced,
        }
    }

    /// The channel as one end sees it; `None` when it is closed.
    pub(crate) fn local_channel(&self, node: NodeIx, ix: ChannelIx) -> Option<LocalChannel> {
        let channel = &self.channels[ix];
        if channel.state == ChannelState::Closed {
            return None;
        }
        let side = channel.side(node);
        let peer = channel.nodes[1 - side];
        let depth_at = |end| {
            let confirmed = channel.confirmed;
            confirmed.map_or(0, |height| (self.tip_of(end) + 1).saturating_sub(height))
        };
        let depth = depth_at(node);
        // Each end says `channel_ready` (BOLT 2) once its own tip is high enough: a channel with a node
        // that lags behind works for neither.
        let is_ready = depth.min(depth_at(peer)) >= USABLE_DEPTH;
        let normal = channel.state == ChannelState::Normal && is_ready;
        Some(LocalChannel {
            channel_id: channel.id,
            scid: channel.scid.filter(|_| depth >= USABLE_DEPTH),
            funding: channel.funding,
            peer: self.nodes[peer].id,
            capacity: Sat::new(channel.capacity),
            spendable: Msat::new(channel.spendable(side)),
            receivable: Msat::new(channel.spendable(1 - side)),
            usable: normal && self.nodes[node].online && self.nodes[peer].online,
            announced: channel.announced && depth >= ANNOUNCE_DEPTH,
            opened_by_us: channel.opener == side,
            local_policy: Some(channel.policy[side]),
            remote_policy: Some(channel.known_policy(1 - side)).filter(|_| normal),
            htlcs: channel.htlcs,
        })
    }

    /// Tells both ends to look at their channels.
    pub(crate) fn tell_channel(&mut self, ix: ChannelIx) {
        let nodes = self.channels[ix].nodes;
        for node in nodes {
            self.tell(node, NodeEvent::ChannelsChanged);
        }
    }

    pub(crate) fn check_channel(&self, channel: &Channel) -> Result<(), String> {
        let held: u64 = channel.balance.iter().chain(&channel.in_flight).sum();
        let open = channel.close.is_none() && channel.state != ChannelState::Closed;
        if open && held != channel.capacity * 1000 {
            let (id, capacity) = (channel.id, channel.capacity);
            return Err(format!("channel {id} of {capacity}sat holds {held}msat"));
        }
        let funding = self.chain.output(&channel.funding).map(|out| out.amount);
        if open && funding != Some(Sat::new(channel.capacity)) {
            return Err(format!("channel {} has no funding output", channel.id));
        }
        Ok(())
    }
}

fn clamp(mut policy: ChannelPolicy, capacity: u64) -> ChannelPolicy {
    let capacity = Msat::new(capacity * 1000);
    policy.htlc_maximum = policy.htlc_maximum.min(capacity);
    policy
}
