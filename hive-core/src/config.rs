//! What the operator sets. Checked where it is read; here it only has a shape.

use hive_planner::PlannerConfig;
use hive_policy::signature::Secret;
use hive_policy::{Limits, Mode};
use hive_proto::Sharing;
use hive_types::{Capabilities, ChannelId, Constraint, Millis, Network, NodeId, ShortChannelId};
use std::collections::BTreeMap;
use std::str::FromStr;
use thiserror::Error;

/// The channels that a setting means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChannelRef {
    /// One channel, by its BOLT 2 id, which splices keep.
    Channel(ChannelId),
    /// One channel, by its place in the chain when the setting was first read.
    Place(ShortChannelId),
    /// Every channel with this peer.
    Peer(NodeId),
}

impl FromStr for ChannelRef {
    type Err = ParseChannelRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let peer = text.parse().map(Self::Peer).ok();
        let channel = || text.parse().map(Self::Channel).ok();
        let place = || text.parse().map(Self::Place).ok();
        let found = peer.or_else(channel).or_else(place);
        found.ok_or_else(|| ParseChannelRefError(text.to_owned()))
    }
}

/// The text means no channel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is neither a node id (66 hex digits), nor a channel id (64), nor a short channel id such as 800000x12x1"
)]
pub struct ParseChannelRefError(String);

/// The machine's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// The own node.
    pub node_id: NodeId,
    /// The chain that it is on.
    pub network: Network,
    /// The agent's name and version, as the manifest shows them.
    pub software: String,
    /// Where fellows reach the node: `host:port`.
    pub addresses: Vec<String>,
    /// What the node is capable of, from its own feature bits.
    pub capabilities: Capabilities,
    /// What may be spent.
    pub limits: Limits,
    /// The mode of a new store. Later the stored one counts.
    pub mode: Mode,
    /// How plans are made.
    pub planner: PlannerConfig,
    /// What the member is willing to open. Capital is held to what the node has.
    pub constraint: Constraint,
    /// How long between two plans.
    pub plan_interval: Millis,
    /// What fellows are told of balances, by channel or by peer; others exactly. What is said of a
    /// channel counts before what is said of its peer.
    pub sharing: BTreeMap<ChannelRef, Sharing>,
    /// The secret that the oracle signs its answers with. Without one there is no mode oracle.
    pub oracle_secret: Option<Secret>,
    /// Whether everything is checked and said but nothing that moves money or changes a fee is done.
    pub dry_run: bool,
    /// Whether fees towards fellows are set to zero and restored on leaving.
    pub manage_fees: bool,
}
