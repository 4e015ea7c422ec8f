//! The fleet as planning finds it: who may open, what is there already, what is spoken for.

use super::share::Shares;
use crate::graph::{Edge, Graph, NodeIndex};
use hive_types::{
    BlockHeight, ChannelPolicy, FellowView, FleetView, Intent, LocalSnapshot, Msat, NodeId, Sat,
    limits,
};
use std::collections::{BTreeMap, BTreeSet};

/// Weight of a funding transaction with two P2WPKH inputs, the P2WSH funding output and change:
/// 820 units, and room for a taproot change output.
pub(super) const OPEN_WEIGHT: u32 = 900;

/// Nodes refuse smaller channels: LND by default below 20,000 sat.
const SMALLEST_CHANNEL: Sat = Sat::new(20_000);

/// What a member may put into channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    pub(super) capital: u64,
    pub(super) slots: u32,
    pub(super) channel_min: u64,
    pub(super) channel_max: u64,
}

impl Means {
    pub(super) fn can_open(&self) -> bool {
        self.slots > 0 && self.channel_min <= self.capital.min(self.channel_max)
    }
}

pub(super) struct Member {
    pub(super) id: NodeId,
    pub(super) index: Option<NodeIndex>,
    pub(super) means: Means,
}

/// A channel between a member and an outside node, there or expected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attachment {
    /// The member's place in [`Scene::members`].
    pub(super) member: usize,
    pub(super) peer: NodeIndex,
    pub(super) capacity: Sat,
    /// The peer's policy towards the member; `None` while the channel is not in the graph.
    pub(super) inbound: Option<Option<ChannelPolicy>>,
    /// Whether the member's direction is usable, or will be.
    pub(super) outbound: bool,
}

pub(super) struct Scene {
    pub(super) members: Vec<Member>,
    pub(super) me: usize,
    pub(super) indices: BTreeSet<NodeIndex>,
    pub(super) attachments: Vec<Attachment>,
    /// Every (member, peer) that has a channel, also with peers that the graph does not hold.
    pub(super) paired: BTreeSet<(usize, NodeId)>,
    /// Targets that somebody else is about to open to, or anybody holds a lock on.
    pub(super) spoken_for: BTreeSet<NodeId>,
    /// What spoken-for opens will add to the fleet's holdings.
    pub(super) coming: BTreeMap<NodeId, u64>,
    /// This member's own announced targets.
    pub(super) own_intents: BTreeSet<NodeId>,
    pub(super) shares: Shares,
    pub(super) open_cost: Sat,
}

impl Scene {
    /// `None` when this member is not among the members.
    pub(super) fn of(graph: &Graph, fleet: &FleetView, local: &LocalSnapshot) -> Option<Self> {
        let own = fleet.me.filter(|me| *me == local.node_id)?;
        let me = fleet.members.iter().position(|m| m.node_id == own)?;
        let open_cost = local.feerate.fee_for(OPEN_WEIGHT);
        let members: Vec<Member> = fleet
            .members
            .iter()
            .map(|fellow| Member {
                id: fellow.node_id,
                index: graph.node_index(&fellow.node_id),
                means: means(fellow, fellow.node_id == own, local, open_cost),
            })
            .collect();
        let indices: BTreeSet<NodeIndex> = members.iter().filter_map(|m| m.index).collect();
        let mut scene = Self {
            shares: Shares::of(graph, &indices),
            members,
            me,
            indices,
            attachments: Vec::new(),
            paired: BTreeSet::new(),
            spoken_for: BTreeSet::new(),
            coming: BTreeMap::new(),
            own_intents: BTreeSet::new(),
            open_cost,
        };
        scene.add_public_channels(graph);
        scene.add_told_channels(graph, fleet, local);
        scene.add_locks(graph, fleet, local.height);
        scene.add_intents(graph, fleet, local.height);
        Some(scene)
    }

    fn add_public_channels(&mut self, graph: &Graph) {
        for place in 0..self.members.len() {
            let Some(index) = self.members[place].index else {
                continue;
            };
            for edge in graph.channels_of(index) {
                self.paired.insert((place, graph.node_id(edge.to)));
                if !self.indices.contains(&edge.to) {
                    self.attachments.push(public(graph, place, &edge));
                }
            }
        }
    }

    /// Channels that the graph does not show: those of fellows that were confirmed, and all of this
    /// node's own, young ones included. What is not confirmed counts for nothing.
    fn add_told_channels(&mut self, graph: &Graph, fleet: &FleetView, local: &LocalSnapshot) {
        for (place, fellow) in fleet.members.iter().enumerate() {
            let confirmed = fellow.channels.iter().filter(|channel| channel.confirmed);
            for channel in confirmed {
                self.expect(graph, place, channel.peer, channel.capacity);
            }
        }
        for channel in &local.channels {
            self.expect(graph, self.me, channel.peer, channel.capacity);
        }
    }

    fn add_locks(&mut self, graph: &Graph, fleet: &FleetView, height: BlockHeight) {
        for lock in fleet.locks.iter().filter(|lock| lock.until > height) {
            self.spoken_for.insert(lock.target);
            let holder = fleet.members.iter().position(|m| m.node_id == lock.holder);
            let Some(place) = holder else { continue };
            let mut intents = fleet.members[place].intents.iter();
            let told = intents.find(|intent| intent.target == lock.target);
            let capacity = told.map_or(SMALLEST_CHANNEL, |intent| intent.capacity);
            self.speak_for(graph, place, lock.target, capacity);
        }
    }

    /// Of two members that announce one target, the one that values it more has it, then the one
    /// with the smaller node id: both see the same, so one of them turns away.
    fn add_intents(&mut self, graph: &Graph, fleet: &FleetView, height: BlockHeight) {
        let mut winners: BTreeMap<NodeId, (usize, &Intent)> = BTreeMap::new();
        for (place, fellow) in fleet.members.iter().enumerate() {
            let live = fellow.intents.iter().take(limits::INTENTS_PER_MEMBER);
            for intent in live.filter(|intent| fellow.fresh && intent.until > height) {
                let best = winners.entry(intent.target).or_insert((place, intent));
                if intent.value_per_day > best.1.value_per_day {
                    *best = (place, intent);
                }
            }
        }
        for (target, (place, intent)) in winners {
            if self.spoken_for.contains(&target) {
                continue;
            }
            if place == self.me {
                self.own_intents.insert(target);
            } else {
                self.spoken_for.insert(target);
                self.speak_for(graph, place, target, intent.capacity);
            }
        }
    }

    fn speak_for(&mut self, graph: &Graph, place: usize, target: NodeId, capacity: Sat) {
        let sum = self.coming.entry(target).or_default();
        *sum = sum.saturating_add(capacity.get());
        let means = &mut self.members[place].means;
        means.capital = means.capital.saturating_sub(capacity.get());
        means.slots = means.slots.saturating_sub(1);
        self.expect(graph, place, target, capacity);
    }

    fn expect(&mut self, graph: &Graph, member: usize, peer: NodeId, capacity: Sat) {
        let new = self.paired.insert((member, peer));
        let index = graph.node_index(&peer);
        if let Some(peer) = index.filter(|peer| new && !self.indices.contains(peer)) {
            self.attachments.push(Attachment {
                member,
                peer,
                capacity,
                inbound: None,
                outbound: true,
            });
        }
    }

    /// What the fleet holds at a target or is about to.
    pub(super) fn holdings(&self, target: &NodeId) -> u64 {
        let coming = self.coming.get(target).copied().unwrap_or(0);
        self.shares.held(target).saturating_add(coming)
    }

    /// What an open costs on the chain, in msat.
    pub(super) fn open_cost_msat(&self) -> Msat {
        self.open_cost.to_msat_saturating()
    }
}

fn public(graph: &Graph, member: usize, edge: &Edge) -> Attachment {
    let back = graph.edge(edge.scid, edge.to);
    Attachment {
        member,
        peer: edge.to,
        capacity: edge.capacity,
        inbound: Some(back.and_then(|back| back.usable().copied())),
        outbound: edge.usable().is_some(),
    }
}

/// A stale member opens nothing. The own node's chain money bounds what it announced. Slots that the
/// capital cannot fill are none.
fn means(fellow: &FellowView, own: bool, local: &LocalSnapshot, open_cost: Sat) -> Means {
    let constraint = &fellow.constraint;
    let channel_min = constraint.channel_min.max(SMALLEST_CHANNEL).get();
    let mut capital = constraint.capital.get();
    let mut per_channel = channel_min;
    if own {
        let free = local
            .on_chain
            .confirmed
            .saturating_sub(local.on_chain.reserve);
        capital = capital.min(free.get());
        per_channel = per_channel.saturating_add(open_cost.get());
    }
    let affordable = u32::try_from(capital / per_channel).unwrap_or(u32::MAX);
    let slots = constraint.slots.min(affordable.max(1));
    if own {
        let fees = open_cost.get().saturating_mul(u64::from(slots));
        let free = local
            .on_chain
            .confirmed
            .saturating_sub(local.on_chain.reserve);
        capital = capital.min(free.get().saturating_sub(fees));
    }
    Means {
        capital,
        slots: if fellow.fresh { slots } else { 0 },
        channel_min,
        channel_max: constraint.channel_max.get(),
    }
}
