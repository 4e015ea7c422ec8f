//! The world of the demo: a network, the members' nodes in it, and a stranger.

use crate::failure::Failure;
use hive_node::config::OracleConfig;
use hive_planner::PlannerConfig;
use hive_planner::graph::Graph;
use hive_policy::{LimitSettings, Limits, Mode};
use hive_proto::tagged_hash;
use hive_sim::generate::{GeneratorConfig, generate};
use hive_sim::world::{NodeSpec, TrafficConfig, World, WorldConfig};
use hive_types::{
    Capabilities, ChannelPolicy, Constraint, FeeratePerKw, Millis, Msat, Network, NodeId, Ppm, Sat,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Nodes of the network that is made when no graph is given.
const NODES: u32 = 1_500;

/// Nodes of the network of a house beside the fleet's.
const SMALL_NODES: u32 = 300;

/// Channels of a node that is alone in its fleet.
const LONE_PEERS: usize = 3;

/// What a member's node begins with on chain; four outputs.
const WALLET: Sat = Sat::new(20_000_000);

/// Capacity of the channels that are there before the fleet.
pub(crate) const CHANNEL: Sat = Sat::new(4_000_000);

/// Largest nodes that members are not connected to at first: something must be left to open to. In a
/// small network a tenth of all.
const LARGEST_LEFT: usize = 30;

/// What members ask for forwarding to outsiders, about the median of the real network.
const RATE: Ppm = Ppm::new(100);

/// Payments in an hour all over the world.
const PAYMENTS_PER_HOUR: u32 = 1_500;

/// Between two plans of a member.
const PLAN_INTERVAL: Millis = Millis::from_secs(2_400);

/// Targets times nodes that a plan looks at.
const CANDIDATE_NODES: u32 = 1_500_000;

/// Members' names. Nobody in a house may have one of these: all stores lie side by side.
const NAMES: [&str; 12] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim",
    "leo",
];

/// The world before the fleet is founded.
pub(crate) struct Setting {
    pub(crate) world: World,
    pub(crate) members: Vec<(String, NodeId)>,
    pub(crate) stranger: NodeId,
    /// BOLT 9 bits of every node with an agent.
    pub(crate) features: Vec<u8>,
}

/// A network with the figures of the real one.
pub(crate) fn made_graph(seed: u64) -> Graph {
    generate(&GeneratorConfig {
        nodes: NODES,
        seed: seed_of("network", seed),
    })
}

/// A small network of its own for a house beside the fleet's.
pub(crate) fn small_graph(what: &str, seed: u64) -> Arc<Graph> {
    Arc::new(generate(&GeneratorConfig {
        nodes: SMALL_NODES,
        seed: seed_of(what, seed),
    }))
}

fn small_world(graph: &Arc<Graph>, what: &str, seed: u64) -> World {
    World::from_graph(
        graph,
        WorldConfig {
            seed: seed_of(what, seed),
            ..WorldConfig::default()
        },
    )
}

/// A small world in which one node with money on chain has channels with some peers.
pub(crate) fn lone_node(
    what: &str,
    seed: u64,
    wallet: Sat,
) -> Result<(World, NodeId, Arc<Graph>), Failure> {
    let graph = small_graph(what, seed);
    let mut world = small_world(&graph, what, seed);
    let mut spec = NodeSpec::agent(wallet);
    spec.policy = asking(&spec, RATE);
    let node = world.add_node(spec);
    let node = node.map_err(|error| impossible(&error))?;
    for peer in peers(&graph, LONE_PEERS)? {
        let half = Msat::new(CHANNEL.get() * 500);
        let settled = world.settled_channel(node, peer, CHANNEL, half);
        settled.map_err(|error| impossible(&error))?;
    }
    Ok((world, node, graph))
}

/// Some nodes in a small world that become a fleet.
pub(crate) struct Neighbourhood {
    pub(crate) world: World,
    pub(crate) graph: Arc<Graph>,
    pub(crate) members: Vec<NodeId>,
    /// Each member has channels with the peer at its own place and with that of the next one.
    pub(crate) peers: Vec<NodeId>,
}

/// A small world with a ring of nodes in it, connected as the fleet's members are.
/// Each holds so many thousandths of its channel to the next one.
pub(crate) fn neighbourhood(
    what: &str,
    seed: u64,
    count: usize,
    held_permille: u64,
) -> Result<Neighbourhood, Failure> {
    let graph = small_graph(what, seed);
    let peers = peers(&graph, count)?;
    let mut world = small_world(&graph, what, seed);
    let mut spec = NodeSpec::agent(Sat::new(1_000_000));
    spec.policy = asking(&spec, RATE);
    let members = (0..count).map(|_| world.add_node(spec.clone()));
    let members: Vec<NodeId> = members
        .collect::<Result<_, _>>()
        .map_err(|error| impossible(&error))?;
    for place in 0..count {
        let next = (place + 1) % count;
        let ends = [
            (members[next], 1_000 - held_permille),
            (peers[place], 500),
            (peers[next], 500),
        ];
        for (with, permille) in ends {
            let at_target = Msat::new(CHANNEL.get() * permille);
            let settled = world.settled_channel(members[place], with, CHANNEL, at_target);
            settled.map_err(|error| impossible(&error))?;
        }
    }
    Ok(Neighbourhood {
        world,
        graph,
        members,
        peers,
    })
}

/// A node's policy with no base fee and another rate.
fn asking(spec: &NodeSpec, rate: Ppm) -> ChannelPolicy {
    ChannelPolicy {
        base: Msat::ZERO,
        rate,
        ..spec.policy
    }
}

/// What a world refuses although it is made for it.
pub(crate) fn impossible(error: &dyn std::fmt::Display) -> Failure {
    Failure::Internal(format!("the world: {error}"))
}

/// 32 bytes for one use of the demo's seed.
pub(crate) fn seed_of(what: &str, seed: u64) -> [u8; 32] {
    tagged_hash("hive/demo", &[what.as_bytes(), &seed.to_le_bytes()]).to_bytes()
}

/// Puts the members into a network. Each has a channel with the next one, one with a peer of its own
/// and one with the next one's peer, so that there are circles to push liquidity around. Every second
/// member's channel with its own peer is nearly empty on its side.
pub(crate) fn build(graph: &Arc<Graph>, count: usize, seed: u64) -> Result<Setting, Failure> {
    let peers = peers(graph, count)?;
    let mut world = World::from_graph(
        graph,
        WorldConfig {
            seed: seed_of("world", seed),
            feerate: (FeeratePerKw::new(253), FeeratePerKw::from_sat_per_vbyte(4)),
            ..WorldConfig::default()
        },
    );
    let mut spec = NodeSpec::agent(WALLET);
    spec.policy = asking(&spec, RATE);
    let features = spec.features.clone();
    let mut members = Vec::new();
    for place in 0..count {
        let id = world.add_node(spec.clone());
        members.push((name(place), id.map_err(|error| impossible(&error))?));
    }
    let stranger = world
        .add_node(NodeSpec::agent(Sat::ZERO))
        .map_err(|error| impossible(&error))?;
    for place in 0..count {
        let next = (place + 1) % count;
        let (own, fellow) = (members[place].1, members[next].1);
        let dry = if place % 2 == 1 { 950 } else { 500 };
        for (with, permille) in [(peers[place], dry), (peers[next], 350), (fellow, 500)] {
            let at_target = Msat::new(CHANNEL.get() * permille);
            let settled = world.settled_channel(own, with, CHANNEL, at_target);
            settled.map_err(|error| impossible(&error))?;
        }
    }
    world.set_traffic(Some(TrafficConfig {
        per_hour: PAYMENTS_PER_HOUR,
        ..TrafficConfig::default()
    }));
    Ok(Setting {
        world,
        members,
        stranger,
        features,
    })
}

/// Well connected nodes that are not the very largest.
fn peers(graph: &Graph, count: usize) -> Result<Vec<NodeId>, Failure> {
    let mut nodes: Vec<_> = graph
        .nodes()
        .map(|(index, id)| (std::cmp::Reverse(graph.capacity_of(index)), id))
        .collect();
    nodes.sort_unstable();
    let peers: Vec<NodeId> = nodes
        .into_iter()
        .map(|(_, id)| id)
        .skip(LARGEST_LEFT.min(graph.node_count() / 10))
        .take(count)
        .collect();
    match peers.len() == count {
        true => Ok(peers),
        false => Err(Failure::Usage(format!(
            "the graph is too small for {count} members; take fewer members or a larger graph"
        ))),
    }
}

/// Whether some member of the fleet may be called so.
pub(crate) fn is_members_name(name: &str) -> bool {
    NAMES.contains(&name)
}

fn name(place: usize) -> String {
    let name = NAMES.get(place).map(|name| (*name).to_owned());
    name.unwrap_or_else(|| format!("member{}", place + 1))
}

/// What an operator sets.
pub(crate) struct Wishes {
    pub(crate) limits: LimitSettings,
    pub(crate) mode: Mode,
    pub(crate) planner: PlannerConfig,
    pub(crate) plan_interval: Millis,
    /// Money for new channels, and how many.
    pub(crate) capital: Sat,
    pub(crate) slots: u32,
    /// Whether the agent sets the fees that members agreed on.
    pub(crate) manage_fees: bool,
    /// Who is asked in oracle mode.
    pub(crate) oracle: Option<OracleConfig>,
}

impl Wishes {
    /// What the operators of the fleet's members set.
    pub(crate) fn usual(graph: &Graph) -> Self {
        Self {
            limits: LimitSettings {
                budget_per_day: Sat::new(20_000),
                capital_per_day: Sat::new(9_000_000),
                opens_per_day: 3,
                actions_per_hour: 60,
                channel_min: Sat::new(1_000_000),
                channel_max: Sat::new(3_000_000),
                // The sample of demand is small here, so the planner is never very sure.
                min_confidence: Ppm::ZERO,
                ..LimitSettings::default()
            },
            mode: Mode::Advisor,
            planner: planner(graph),
            plan_interval: PLAN_INTERVAL,
            capital: Sat::new(9_000_000),
            slots: 3,
            manage_fees: true,
            oracle: None,
        }
    }

    /// What operators set who open nothing.
    pub(crate) fn quiet(graph: &Graph) -> Self {
        let mut wishes = Self::usual(graph);
        wishes.plan_interval = Millis::from_days(30);
        (wishes.capital, wishes.slots) = (Sat::ZERO, 0);
        wishes
    }
}

/// The settings of one agent.
pub(crate) fn config(
    node_id: NodeId,
    name: &str,
    features: &[u8],
    wishes: &Wishes,
) -> Result<hive_core::Config, Failure> {
    let limits = Limits::new(wishes.limits.clone());
    let limits = limits.map_err(|error| Failure::Internal(error.to_string()))?;
    let constraint = Constraint {
        capital: wishes.capital,
        slots: wishes.slots,
        channel_min: limits.channel_min,
        channel_max: limits.channel_max,
    };
    Ok(hive_core::Config {
        node_id,
        network: Network::Regtest,
        software: concat!("hive demo ", env!("CARGO_PKG_VERSION")).to_owned(),
        addresses: vec![format!("{name}.example:9735")],
        capabilities: Capabilities::from_features(features),
        limits,
        mode: wishes.mode,
        planner: wishes.planner,
        constraint,
        plan_interval: wishes.plan_interval,
        sharing: BTreeMap::new(),
        oracle_secret: wishes.oracle.as_ref().map(|oracle| oracle.secret.clone()),
        dry_run: false,
        manage_fees: wishes.manage_fees,
    })
}

/// The planner with a smaller sample than an operator's, and the larger the network the fewer targets:
/// each plan takes a fraction of a second.
fn planner(graph: &Graph) -> PlannerConfig {
    let nodes = u32::try_from(graph.node_count()).unwrap_or(u32::MAX).max(1);
    PlannerConfig {
        payments: 9_216,
        payees: 96,
        candidates: (CANDIDATE_NODES / nodes).clamp(60, 200),
        work_limit: 12_000_000,
        // All the world's payments cross this small network: no channel may run dry of them.
        turnover: Ppm::new(u32::MAX),
        ..PlannerConfig::default()
    }
}
