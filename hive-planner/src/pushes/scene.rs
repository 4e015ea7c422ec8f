//! The channels that a member can plan with, from its node, its fellows' word and the graph.

use super::channel::{ChannelState, Side, Way};
use super::model::Model;
use super::{RebalanceRequest, Scope};
use crate::config::PlannerConfig;
use crate::graph::{Edge, Graph};
use hive_types::{
    ChannelPolicy, FellowView, FleetView, LocalChannel, LocalSnapshot, Msat, NodeId, Sat,
    ShortChannelId, Tier, limits,
};
use std::collections::{BTreeMap, BTreeSet};

/// Members and channels that a plan may use.
pub(super) struct Scene {
    /// Full members with a recent heartbeat that nothing speaks against, this one included.
    pub(super) members: BTreeSet<NodeId>,
    /// Their channels in order of short channel ids, then those between outsiders.
    pub(super) channels: Vec<ChannelState>,
}

impl Scene {
    pub(super) fn new(
        graph: &Graph,
        fleet: &FleetView,
        local: &LocalSnapshot,
        config: &PlannerConfig,
    ) -> Self {
        let is_me = |member: &FellowView| Some(member.node_id) == fleet.me;
        let able = fleet.members.iter();
        let is_apt = |m: &&FellowView| is_me(m) || (m.fresh && m.privileges.pushes);
        let able = able.filter(|m| m.tier == Tier::Full && is_apt(m));
        let members: BTreeSet<NodeId> = able.clone().map(|member| member.node_id).collect();
        // Nothing is planned with members that are away, on trial or blamed for something that costs them
        // pushes, neither for them nor through them; nor with peers that are banned.
        let all = fleet.members.iter().map(|member| member.node_id);
        let avoided = all.filter(|member| !members.contains(member));
        let avoided = avoided.chain(fleet.banned.iter().copied()).collect();
        let mut found = BTreeMap::new();
        for member in able {
            match is_me(member) {
                true => add_own(&mut found, graph, local, member),
                false => add_told(&mut found, graph, local, member),
            }
        }
        let mut scene = Self {
            members,
            channels: found.into_values().collect(),
        };
        scene.leave_out(&avoided);
        scene.add_outside(graph, config, &avoided);
        scene
    }

    fn leave_out(&mut self, avoided: &BTreeSet<NodeId>) {
        self.channels
            .retain(|channel| !channel.sides.iter().any(|s| avoided.contains(&s.node)));
    }

    /// Adds channels from peers that members have a surplus towards to peers from whom members' sides
    /// can be filled, as many as are allowed, the cheapest first.
    fn add_outside(&mut self, graph: &Graph, config: &PlannerConfig, avoided: &BTreeSet<NodeId>) {
        if config.push_outside_hops < 2 {
            return;
        }
        let (surplus, needy) = self.peers(config);
        let size = config.push_min.to_msat_saturating();
        let mut edges: Vec<(Msat, Edge)> = Vec::new();
        for peer in needy.iter().filter_map(|peer| graph.node_index(peer)) {
            let leaving = graph.channels_of(peer);
            let into = leaving.filter_map(|edge| graph.edge(edge.scid, edge.to));
            edges.extend(into.filter_map(|edge| {
                let source = graph.node_id(edge.from);
                let joins = surplus.contains(&source) && !avoided.contains(&source);
                let fee = edge.usable().filter(|_| joins)?.fee(size)?;
                Some((fee, edge))
            }));
        }
        edges.sort_by_key(|(fee, edge)| (*fee, edge.scid, edge.from));
        edges.truncate(limits::PUSH_OUTSIDE_CHANNELS);
        let known: BTreeSet<ShortChannelId> = self.channels.iter().map(|c| c.scid).collect();
        let mut added = BTreeSet::new();
        for (_, edge) in edges {
            if !known.contains(&edge.scid) && added.insert(edge.scid) {
                self.channels.push(outside(graph, &edge));
            }
        }
    }

    /// Outside peers that members have a surplus towards, and those from whom members' sides want to
    /// be filled.
    fn peers(&self, config: &PlannerConfig) -> (BTreeSet<NodeId>, BTreeSet<NodeId>) {
        let request = RebalanceRequest {
            channels: &self.channels,
            members: &self.members,
            scope: Scope::Fleet,
            budget: Msat::ZERO,
            config,
        };
        let model = Model::new(&request, &self.members);
        let (mut surplus, mut needy) = (BTreeSet::new(), BTreeSet::new());
        for way in (0..self.channels.len()).flat_map(Way::both) {
            let (near, far) = model.channel(way).ends(way);
            match (model.is_member(&near.node), model.is_member(&far.node)) {
                (true, false) if model.room(way) > 0 => surplus.insert(far.node),
                (false, true) if model.wanted(way) > 0 => needy.insert(near.node),
                _ => false,
            };
        }
        (surplus, needy)
    }
}

/// The own node's channels as it says itself, with the drains that it told its fellows.
fn add_own(
    found: &mut BTreeMap<ShortChannelId, ChannelState>,
    graph: &Graph,
    local: &LocalSnapshot,
    me: &FellowView,
) {
    let usable = local.channels.iter().filter(|channel| channel.usable);
    for (channel, scid) in usable.filter_map(|channel| Some((channel, channel.scid?))) {
        let told = me.channels.iter().find(|told| told.scid == Some(scid));
        let mine = Side {
            node: local.node_id,
            spendable: Some(channel.spendable),
            policy: channel
                .local_policy
                .or(policy_of(graph, scid, &local.node_id)),
            drain_msat_per_day: told.and_then(|told| told.drain_msat_per_day),
        };
        let theirs = Side {
            node: channel.peer,
            spendable: Some(channel.receivable),
            policy: channel
                .remote_policy
                .or(policy_of(graph, scid, &channel.peer)),
            drain_msat_per_day: None,
        };
        put(found, scid, channel.capacity, [mine, theirs]);
    }
}

/// A fellow's channels as far as it shows them and the graph confirms them.
fn add_told(
    found: &mut BTreeMap<ShortChannelId, ChannelState>,
    graph: &Graph,
    local: &LocalSnapshot,
    fellow: &FellowView,
) {
    let unusable = |scid: ShortChannelId| {
        let mut own = local.channels.iter();
        own.any(|own: &LocalChannel| own.scid == Some(scid) && !own.usable)
    };
    let confirmed = fellow.channels.iter().filter(|told| told.confirmed);
    for (told, scid) in confirmed.filter_map(|told| Some((told, told.scid?))) {
        // Of a channel with the own node its node's word counts.
        if told.peer == local.node_id || unusable(scid) {
            continue;
        }
        let side = |node: NodeId| Side {
            node,
            spendable: None,
            policy: policy_of(graph, scid, &node),
            drain_msat_per_day: None,
        };
        let mine = Side {
            spendable: told.spendable,
            drain_msat_per_day: told.drain_msat_per_day,
            ..side(fellow.node_id)
        };
        put(found, scid, told.capacity, [mine, side(told.peer)]);
    }
}

/// Puts a channel in; where its other end put it in already, only what this end says of itself.
fn put(
    found: &mut BTreeMap<ShortChannelId, ChannelState>,
    scid: ShortChannelId,
    capacity: Sat,
    sides: [Side; 2],
) {
    let new = ChannelState {
        scid,
        capacity,
        sides,
    };
    let [mine, _] = sides;
    let held = found.entry(scid).or_insert(new);
    for side in held.sides.iter_mut().filter(|s| s.node == mine.node) {
        *side = mine;
    }
}

fn policy_of(graph: &Graph, scid: ShortChannelId, from: &NodeId) -> Option<ChannelPolicy> {
    graph.edge(scid, graph.node_index(from)?)?.policy
}

/// A channel between outsiders, with both policies as the graph has them.
fn outside(graph: &Graph, edge: &Edge) -> ChannelState {
    let side = |node| {
        let node = graph.node_id(node);
        Side {
            node,
            spendable: None,
            policy: policy_of(graph, edge.scid, &node),
            drain_msat_per_day: None,
        }
    };
    ChannelState {
        scid: edge.scid,
        capacity: edge.capacity,
        sides: [side(edge.from), side(edge.to)],
    }
}
