//! What each agent's node knows of the public network, late and each in its own order.

use super::rng::Rng;
use super::{ChannelIx, Event, NodeError, NodeIx, World};
use hive_planner::graph::{Graph, GraphUpdate};
use hive_types::{NodeId, Sat};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long gossip takes to reach a node, in milliseconds, at equal steps of probability: nodes pass
/// it on in batches each minute, so most hear within a few of them and some much later.
const DELAY_MS: [u64; 9] = [
    500, 5_000, 20_000, 45_000, 60_000, 75_000, 120_000, 240_000, 600_000,
];

/// What one agent's node has heard.
#[derive(Clone, Debug, Default)]
struct Heard {
    /// Everything before this place of the log.
    prefix: usize,
    /// And these later ones.
    later: BTreeSet<usize>,
    /// The graph of that, once asked for.
    graph: Option<Arc<Graph>>,
}

/// All gossip since the world began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gossip {
    base: Arc<Graph>,
    log: Vec<GraphUpdate>,
    heard: BTreeMap<NodeIx, Heard>,
    /// The graph after a prefix of the log, the newest that was asked for: shared by all who know no
    /// more, and the ground for those who do.
    common: Option<(usize, Arc<Graph>)>,
}

impl Gossip {
    pub(crate) fn set_base(&mut self, graph: Arc<Graph>) {
        self.base = graph;
    }

    /// A node's program starts with all that is public now.
    pub(crate) fn add_agent(&mut self, node: NodeIx) {
        let prefix = self.log.len();
        let heard = Heard {
            prefix,
            ..Heard::default()
        };
        self.heard.insert(node, heard);
    }

    fn hear(&mut self, node: NodeIx, place: usize) {
        let Some(heard) = self.heard.get_mut(&node) else {
            return;
        };
        if place >= heard.prefix {
            heard.later.insert(place);
        }
        while heard.later.remove(&heard.prefix) {
            heard.prefix += 1;
        }
        heard.graph = None;
    }

    fn common(&mut self, prefix: usize) -> Arc<Graph> {
        let (done, graph) = match &self.common {
            Some((done, graph)) if *done <= prefix => (*done, graph.clone()),
            _ => (0, self.base.clone()),
        };
        if done == prefix {
            return graph;
        }
        let graph = Arc::new(graph.updated(&self.log[done..prefix]));
        let newest = self.common.as_ref().is_none_or(|(done, _)| *done < prefix);
        if newest {
            self.common = Some((prefix, graph.clone()));
        }
        graph
    }
}

impl World {
    /// The public network as a node's program sees it. Nodes without a program see all of it at once.
    /// Cheap while nothing new was heard.
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn graph_of(&mut self, node: NodeId) -> Result<Arc<Graph>, NodeError> {
        let ix = self.ix(node)?;
        let gossip = &mut self.gossip;
        let all = gossip.log.len();
        let Some(heard) = gossip.heard.get(&ix) else {
            return Ok(gossip.common(all));
        };
        if let Some(graph) = &heard.graph {
            return Ok(graph.clone());
        }
        let prefix = heard.prefix;
        let later = heard
            .later
            .iter()
            .filter_map(|place| gossip.log.get(*place));
        let later: Vec<GraphUpdate> = later.copied().collect();
        let mut graph = gossip.common(prefix);
        if !later.is_empty() {
            graph = Arc::new(graph.updated(&later));
        }
        if let Some(heard) = gossip.heard.get_mut(&ix) {
            heard.graph = Some(graph.clone());
        }
        Ok(graph)
    }

    /// Counts what a node has heard: when it is the same as before, so is [`World::graph_of`].
    ///
    /// # Errors
    /// [`NodeError::Unknown`].
    pub fn graph_version(&self, node: NodeId) -> Result<u64, NodeError> {
        let ix = self.ix(node)?;
        let heard = self.gossip.heard.get(&ix);
        let count = heard.map_or(self.gossip.log.len(), |heard| {
            heard.prefix + heard.later.len()
        });
        Ok(count as u64)
    }

    pub(crate) fn hear(&mut self, node: NodeIx, place: usize) {
        self.gossip.hear(node, place);
        self.note("heard", &[node as u64, place as u64]);
    }

    /// Sends word of a channel, or of its policies, on its way to every agent's node.
    pub(crate) fn gossip_channel(&mut self, ix: ChannelIx, what: Word) {
        let channel = &self.channels[ix];
        let (Some(scid), nodes) = (channel.scid, channel.nodes) else {
            return;
        };
        let ids = nodes.map(|node| self.nodes[node].id);
        let policy = |side: usize| GraphUpdate::Policy {
            scid,
            from: ids[side],
            policy: channel.known_policy(side),
        };
        let updates = match what {
            Word::Closed => vec![GraphUpdate::ChannelClosed { scid }],
            Word::Policy(side) => vec![policy(side)],
            Word::Announced => {
                let added = GraphUpdate::ChannelAdded {
                    scid,
                    nodes: ids,
                    capacity: Sat::new(channel.capacity),
                };
                vec![added, policy(0), policy(1)]
            }
        };
        for update in updates {
            self.publish(update, nodes);
        }
    }

    fn publish(&mut self, update: GraphUpdate, origins: [NodeIx; 2]) {
        let place = self.gossip.log.len();
        self.gossip.log.push(update);
        let agents: Vec<NodeIx> = self.gossip.heard.keys().copied().collect();
        for node in agents {
            if origins.contains(&node) {
                self.hear(node, place);
                continue;
            }
            let id = self.nodes[node].id;
            let parts: [&[u8]; 2] = [id.as_bytes(), &(place as u64).to_le_bytes()];
            let delay = Rng::of(&self.config.seed, "gossip", &parts).quantile(&DELAY_MS);
            self.schedule(self.now + delay, Event::Gossip { node, place });
        }
    }
}

/// What there is to tell of a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Word {
    Announced,
    Policy(usize),
    Closed,
}
