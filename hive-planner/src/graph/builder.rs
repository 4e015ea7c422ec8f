//! Putting a graph together from parts that come in any order.

use super::policy::PackedPolicy;
use super::{ChannelRow, Graph, HalfEdge};
use hive_types::{ChannelPolicy, Msat, NodeId, Sat, ShortChannelId};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// A part does not fit the graph; the builder is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// A channel names a node that was not added.
    #[error("channel {scid} ends at {node}, which is no node of this graph; add the node first")]
    UnknownNode {
        /// The channel.
        scid: ShortChannelId,
        /// Its unknown end.
        node: NodeId,
    },
    /// A channel came twice with other ends.
    #[error("channel {scid} is listed twice with different ends; export the graph again")]
    Contradiction {
        /// The channel.
        scid: ShortChannelId,
    },
    /// A policy names a channel that was not added.
    #[error(
        "a policy is for channel {scid}, which this graph does not hold; add the channel first"
    )]
    UnknownChannel {
        /// The channel.
        scid: ShortChannelId,
    },
    /// A policy comes from a node that is not an end of its channel.
    #[error(
        "a policy of channel {scid} is by {node}, which is not one of its ends; export the graph again"
    )]
    NotAnEnd {
        /// The channel.
        scid: ShortChannelId,
        /// Who set the policy.
        node: NodeId,
    },
    /// A base fee takes more than the 32 bits that BOLT 7 gives it.
    #[error(
        "channel {scid} has a base fee of {base}, above the {} that BOLT 7 can carry; leave the policy out",
        u32::MAX
    )]
    BaseFee {
        /// The channel.
        scid: ShortChannelId,
        /// The fee.
        base: Msat,
    },
}

struct Draft {
    ends: [NodeId; 2],
    capacity: Sat,
    policies: [PackedPolicy; 2],
}

/// Collects nodes, channels and policies, then makes a [`Graph`].
///
/// Parallel channels are kept. Channels from a node to itself are dropped and counted, with their
/// policies: no payment gains by them.
#[derive(Default)]
pub struct GraphBuilder {
    nodes: BTreeSet<NodeId>,
    channels: BTreeMap<ShortChannelId, Draft>,
    self_loops: BTreeSet<ShortChannelId>,
    addressless: BTreeSet<NodeId>,
}

impl GraphBuilder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node; one that is there already stays.
    pub fn add_node(&mut self, node: NodeId) {
        self.nodes.insert(node);
    }

    /// Says that a node of the graph tells nobody where it is: for sources that know addresses at all.
    pub fn set_addressless(&mut self, node: NodeId) {
        self.addressless.insert(node);
    }

    /// The nodes that were added, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().copied()
    }

    /// Adds a channel between two nodes that are there, in any order. When it is there already, it
    /// takes the new capacity and keeps its policies.
    ///
    /// # Errors
    /// [`BuildError::UnknownNode`] and [`BuildError::Contradiction`].
    pub fn add_channel(
        &mut self,
        scid: ShortChannelId,
        ends: [NodeId; 2],
        capacity: Sat,
    ) -> Result<(), BuildError> {
        if let Some(node) = ends.into_iter().find(|end| !self.nodes.contains(end)) {
            return Err(BuildError::UnknownNode { scid, node });
        }
        let ends = [ends[0].min(ends[1]), ends[0].max(ends[1])];
        if let Some(draft) = self.channels.get_mut(&scid) {
            if draft.ends != ends {
                return Err(BuildError::Contradiction { scid });
            }
            draft.capacity = capacity;
        } else if ends[0] == ends[1] {
            self.self_loops.insert(scid);
        } else {
            let draft = Draft {
                ends,
                capacity,
                policies: Default::default(),
            };
            self.channels.insert(scid, draft);
        }
        Ok(())
    }

    /// Sets what `from` asks for on a channel that is there; a later one replaces an earlier one.
    ///
    /// # Errors
    /// [`BuildError::UnknownChannel`], [`BuildError::NotAnEnd`] and [`BuildError::BaseFee`].
    pub fn set_policy(
        &mut self,
        scid: ShortChannelId,
        from: NodeId,
        policy: &ChannelPolicy,
    ) -> Result<(), BuildError> {
        if self.self_loops.contains(&scid) {
            return Ok(());
        }
        let draft = self.channels.get_mut(&scid);
        let draft = draft.ok_or(BuildError::UnknownChannel { scid })?;
        let end = draft.ends.iter().position(|end| *end == from);
        let end = end.ok_or(BuildError::NotAnEnd { scid, node: from })?;
        let base = policy.base;
        draft.policies[end] =
            PackedPolicy::pack(policy).ok_or(BuildError::BaseFee { scid, base })?;
        Ok(())
    }

    /// Whether the channel is there.
    pub fn has_channel(&self, scid: ShortChannelId) -> bool {
        self.channels.contains_key(&scid)
    }

    /// Takes a channel away; its nodes stay.
    pub fn remove_channel(&mut self, scid: ShortChannelId) {
        self.channels.remove(&scid);
    }

    /// Channels from a node to itself that were dropped.
    pub fn self_loops(&self) -> usize {
        self.self_loops.len()
    }

    /// The graph of everything that was added.
    pub fn build(self) -> Graph {
        let nodes: Vec<NodeId> = self.nodes.into_iter().collect();
        let place = |id: &NodeId| {
            let found = nodes.binary_search(id);
            found.expect("add_channel lets no channel in before its ends") as u32
        };
        let mut channels = Vec::with_capacity(self.channels.len());
        let mut policies = Vec::with_capacity(2 * self.channels.len());
        for (scid, draft) in &self.channels {
            channels.push(ChannelRow {
                scid: scid.to_u64(),
                capacity: draft.capacity.get(),
                nodes: [place(&draft.ends[0]), place(&draft.ends[1])],
            });
            policies.extend(draft.policies);
        }
        let (offsets, half_edges) = rows(nodes.len(), &channels);
        Graph {
            nodes,
            channels,
            policies,
            offsets,
            half_edges,
            addressless: self.addressless.into_iter().collect(),
        }
    }

    /// Everything that a graph holds, to build on.
    pub fn of(graph: &Graph) -> Self {
        let drafts = graph.channels.iter().zip(graph.policies.chunks_exact(2));
        let drafts = drafts.map(|(row, policies)| {
            let draft = Draft {
                ends: row.nodes.map(|place| graph.nodes[place as usize]),
                capacity: Sat::new(row.capacity),
                policies: [policies[0], policies[1]],
            };
            (ShortChannelId::from_u64(row.scid), draft)
        });
        Self {
            nodes: graph.nodes.iter().copied().collect(),
            channels: drafts.collect(),
            self_loops: BTreeSet::new(),
            addressless: graph.addressless.iter().copied().collect(),
        }
    }
}

/// Counting sort of both ends of every channel by node, then each row by neighbour.
fn rows(nodes: usize, channels: &[ChannelRow]) -> (Vec<u32>, Vec<HalfEdge>) {
    let mut offsets = vec![0u32; nodes + 1];
    for end in channels.iter().flat_map(|row| row.nodes) {
        offsets[end as usize + 1] += 1;
    }
    for place in 0..nodes {
        offsets[place + 1] += offsets[place];
    }
    let empty = HalfEdge {
        neighbour: 0,
        arc: 0,
    };
    let mut half_edges = vec![empty; 2 * channels.len()];
    let mut next = offsets.clone();
    for (row, channel) in channels.iter().enumerate() {
        for end in 0..2 {
            let slot = &mut next[channel.nodes[end] as usize];
            half_edges[*slot as usize] = HalfEdge {
                neighbour: channel.nodes[end ^ 1],
                arc: (row << 1 | end) as u32,
            };
            *slot += 1;
        }
    }
    for place in 0..nodes {
        let row = offsets[place] as usize..offsets[place + 1] as usize;
        half_edges[row].sort_unstable_by_key(|half| (half.neighbour, half.arc));
    }
    (offsets, half_edges)
}
