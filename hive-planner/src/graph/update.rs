//! What gossip says after a graph was taken.

use super::{Graph, GraphBuilder};
use hive_types::{ChannelPolicy, NodeId, Sat, ShortChannelId};
use serde::{Deserialize, Serialize};

/// One change of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GraphUpdate {
    /// A channel was announced (BOLT 7 `channel_announcement`). Its ends need no announcement of
    /// their own.
    ChannelAdded {
        /// The channel.
        scid: ShortChannelId,
        /// Its ends, in any order.
        nodes: [NodeId; 2],
        /// The funding output's amount.
        capacity: Sat,
    },
    /// A channel's funding was spent.
    ChannelClosed {
        /// The channel.
        scid: ShortChannelId,
    },
    /// An end changed what it asks for (BOLT 7 `channel_update`).
    Policy {
        /// The channel.
        scid: ShortChannelId,
        /// The end that set it.
        from: NodeId,
        /// What it asks for now.
        policy: ChannelPolicy,
    },
}

impl Graph {
    /// The graph after these changes, in their order. What does not fit (a policy of an unknown
    /// channel, say) is passed over: gossip comes incomplete and repeats itself.
    pub fn updated(&self, updates: &[GraphUpdate]) -> Self {
        let mut builder = GraphBuilder::of(self);
        for update in updates {
            apply(&mut builder, update);
        }
        builder.build()
    }
}

fn apply(builder: &mut GraphBuilder, update: &GraphUpdate) {
    match update {
        GraphUpdate::ChannelAdded {
            scid,
            nodes,
            capacity,
        } => {
            nodes.iter().for_each(|node| builder.add_node(*node));
            // A contradiction keeps what is known: a scid has one funding output.
            let _ = builder.add_channel(*scid, *nodes, *capacity);
        }
        GraphUpdate::ChannelClosed { scid } => builder.remove_channel(*scid),
        GraphUpdate::Policy { scid, from, policy } => {
            let _ = builder.set_policy(*scid, *from, policy);
        }
    }
}
