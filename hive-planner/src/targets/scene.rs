//! The seats as planning finds them: who may open, what is there already, what is coming.

use super::PlanNote;
use super::problem::{Problem, Seat};
use super::share::Shares;
use crate::graph::{Edge, Graph, NodeIndex};
use hive_types::{ChannelPolicy, Msat, NodeId, Sat};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes refuse smaller channels: LND by default below 20,000 sat.
pub(super) const SMALLEST_CHANNEL: Sat = Sat::new(20_000);

/// What a seat may put into channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Means {
    pub(super) capital: u64,
    pub(super) slots: u32,
    pub(super) channel_min: u64,
    pub(super) channel_max: u64,
}

impl Means {
    /// Slots that the capital cannot fill are none.
    pub(super) fn of(seat: &Seat) -> Self {
        let channel_min = seat.channel_min.max(SMALLEST_CHANNEL).get();
        let affordable = u32::try_from(seat.capital.get() / channel_min).unwrap_or(u32::MAX);
        Self {
            capital: seat.capital.get(),
            slots: seat.slots.min(affordable.max(1)),
            channel_min,
            channel_max: seat.channel_max.get(),
        }
    }

    /// Why nothing can be opened with these means, if so.
    pub(super) fn why_idle(&self) -> Option<PlanNote> {
        let channel_min = Sat::new(self.channel_min);
        if self.slots == 0 {
            Some(PlanNote::NoSlots)
        } else if self.channel_max < self.channel_min {
            Some(PlanNote::SizesCross {
                channel_min,
                channel_max: Sat::new(self.channel_max),
            })
        } else if self.capital < self.channel_min {
            Some(PlanNote::TooLittleCapital {
                capital: Sat::new(self.capital),
                channel_min,
            })
        } else {
            None
        }
    }

    pub(super) fn take(&mut self, capacity: Sat) {
        self.capital = self.capital.saturating_sub(capacity.get());
        self.slots = self.slots.saturating_sub(1);
    }
}

/// A channel between a seat and an outside node, there or coming.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attachment {
    /// The seat's place.
    pub(super) seat: usize,
    pub(super) peer: NodeIndex,
    pub(super) capacity: Sat,
    pub(super) policies: Policies,
}

/// What a channel that is there charges.
#[derive(Clone, Copy, Debug)]
pub(super) enum Policies {
    /// It is not in the graph: what the plan assumes, and what the peer usually charges.
    Assumed,
    /// As the graph shows; a direction that nobody can use has none.
    Public {
        /// The peer's towards the seat.
        inbound: Option<ChannelPolicy>,
        /// The seat's towards the peer.
        outbound: Option<ChannelPolicy>,
    },
}

pub(super) struct Scene<'a> {
    pub(super) problem: &'a Problem,
    /// By seat; absent while the graph does not hold its node.
    pub(super) nodes: Vec<Option<NodeIndex>>,
    /// Of the seats that are in the graph.
    pub(super) indices: BTreeSet<NodeIndex>,
    /// By seat, what is left after what is coming.
    pub(super) means: Vec<Means>,
    pub(super) attachments: Vec<Attachment>,
    /// Every (seat, peer) that has a channel, also with peers that the graph does not hold.
    pub(super) paired: BTreeSet<(usize, NodeId)>,
    /// What coming opens will add to the fleet's holdings.
    coming: BTreeMap<NodeId, u64>,
    pub(super) shares: Shares,
}

impl<'a> Scene<'a> {
    pub(super) fn of(graph: &Graph, problem: &'a Problem) -> Self {
        let seats = problem.seats.iter();
        let nodes: Vec<_> = seats.clone().map(|s| graph.node_index(&s.id)).collect();
        let indices: BTreeSet<NodeIndex> = nodes.iter().flatten().copied().collect();
        let mut scene = Self {
            problem,
            shares: Shares::of(graph, &indices),
            nodes,
            indices,
            means: seats.map(Means::of).collect(),
            attachments: Vec::new(),
            paired: BTreeSet::new(),
            coming: BTreeMap::new(),
        };
        scene.add_public_channels(graph);
        scene.add_unseen_channels(graph);
        scene
    }

    fn add_public_channels(&mut self, graph: &Graph) {
        for (seat, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            for edge in graph.channels_of(*node) {
                self.paired.insert((seat, graph.node_id(edge.to)));
                if !self.indices.contains(&edge.to) {
                    self.attachments.push(public(graph, seat, &edge));
                }
            }
        }
    }

    fn add_unseen_channels(&mut self, graph: &Graph) {
        for (place, seat) in self.problem.seats.iter().enumerate() {
            for channel in &seat.unseen {
                if channel.coming {
                    let sum = self.coming.entry(channel.peer).or_default();
                    *sum = sum.saturating_add(channel.capacity.get());
                    self.means[place].take(channel.capacity);
                }
                let new = self.paired.insert((place, channel.peer));
                let peer = graph.node_index(&channel.peer).filter(|_| new);
                if let Some(peer) = peer.filter(|peer| !self.indices.contains(peer)) {
                    self.attachments.push(Attachment {
                        seat: place,
                        peer,
                        capacity: channel.capacity,
                        policies: Policies::Assumed,
                    });
                }
            }
        }
    }

    /// What the fleet holds at a target or is about to.
    pub(super) fn holdings(&self, target: &NodeId) -> u64 {
        let coming = self.coming.get(target).copied().unwrap_or(0);
        self.shares.held(target).saturating_add(coming)
    }

    /// What an open costs on the chain.
    pub(super) fn open_cost(&self) -> Msat {
        self.problem.open_cost.to_msat_saturating()
    }
}

fn public(graph: &Graph, seat: usize, edge: &Edge) -> Attachment {
    let back = graph.edge(edge.scid, edge.to);
    Attachment {
        seat,
        peer: edge.to,
        capacity: edge.capacity,
        policies: Policies::Public {
            inbound: back.and_then(|back| back.usable().copied()),
            outbound: edge.usable().copied(),
        },
    }
}
