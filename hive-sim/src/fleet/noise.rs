//! Nodes know the network each in its own way: some channels are missing, some policies are old.

use super::Fleet;
use crate::world::Rng;
use hive_planner::graph::{Graph, GraphUpdate};
use hive_types::{NodeId, Ppm};
use std::sync::Arc;

impl Fleet {
    /// From now on each agent's graph differs from the network by so many channels of a million: of
    /// half of them it does not know, of the others it knows old policies. Which ones follows from
    /// seed and node and stays so: nobody catches up. A node knows its own channels.
    pub fn set_graph_noise(&mut self, share: Ppm) {
        self.noise = share;
    }

    /// The network as the agent's node has it.
    pub(super) fn noisy(&self, agent: usize, graph: Arc<Graph>) -> Arc<Graph> {
        if self.noise == Ppm::ZERO {
            return graph;
        }
        let node = self.agents[agent].node;
        let updates: Vec<GraphUpdate> = graph
            .channels()
            .map(|channel| (channel.scid, channel.nodes.map(|end| graph.node_id(end))))
            .filter(|(_, ends)| !ends.contains(&node))
            .flat_map(|(scid, ends)| {
                let parts: [&[u8]; 2] = [node.as_bytes(), &scid.to_u64().to_le_bytes()];
                let mut rng = Rng::of(&self.seed, "noise", &parts);
                match () {
                    () if !rng.chance(self.noise.get()) => Vec::new(),
                    () if rng.chance(500_000) => vec![GraphUpdate::ChannelClosed { scid }],
                    () => ends
                        .iter()
                        .filter_map(|end| old_policy(&graph, scid, *end, &mut rng))
                        .collect(),
                }
            })
            .collect();
        Arc::new(graph.updated(&updates))
    }
}

/// What an end asked for once: up to twice as much as today.
fn old_policy(
    graph: &Graph,
    scid: hive_types::ShortChannelId,
    from: NodeId,
    rng: &mut Rng,
) -> Option<GraphUpdate> {
    let mut policy = graph.edge(scid, graph.node_index(&from)?)?.policy?;
    let rate = u64::from(policy.rate.get());
    policy.rate = Ppm::new(u32::try_from(rng.below(2 * rate + 1)).unwrap_or(u32::MAX));
    Some(GraphUpdate::Policy { scid, from, policy })
}
