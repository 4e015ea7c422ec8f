//! What the operator sets. Checked where it is read; here it only has a shape.

use hive_planner::PlannerConfig;
use hive_policy::signature::Secret;
use hive_policy::{Limits, Mode};
use hive_proto::Sharing;
use hive_types::{Capabilities, Constraint, Millis, Network, NodeId};
use std::collections::BTreeMap;

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
    /// What fellows are told of balances, by peer; others exactly.
    pub sharing: BTreeMap<NodeId, Sharing>,
    /// The secret that the oracle signs its answers with. Without one there is no mode oracle.
    pub oracle_secret: Option<Secret>,
    /// Whether everything is checked and said but nothing that moves money or changes a fee is done.
    pub dry_run: bool,
    /// Whether fees towards fellows are set to zero and restored on leaving.
    pub manage_fees: bool,
}
