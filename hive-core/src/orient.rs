//! Orient: the fleet as this member sees it, from the chain, from what is merged, and from its own
//! graph. What fellows say of themselves is held to what the graph shows.

use crate::answer::free_capital;
use crate::hive::{Hive, Stage};
use crate::member::Membership;
use hive_planner::graph::Graph;
use hive_policy::bans;
use hive_proto::{
    Ban, Heartbeat, HeartbeatChange, Observation, RecordBody, RecordKind, Share, keys, per_member,
};
use hive_state::decided::Seat;
use hive_types::limits::HEARTBEAT_STALE;
use hive_types::{
    BlockHeight, Constraint, FellowChannel, FellowView, FleetView, Intent, LocalSnapshot, NodeId,
    ObservationView, ShortChannelId, Tier, Toxicity,
};

impl Hive {
    /// The fleet for planner and policy.
    pub(crate) fn fleet_view(&self) -> FleetView {
        let Stage::Member(member) = &self.stage else {
            return FleetView::default();
        };
        let folded = member.folded();
        let members = folded
            .members()
            .iter()
            .map(|(node, seat)| self.fellow(member, node, seat));
        let locks = folded
            .locks()
            .keys()
            .filter_map(|target| self.lock_view(target));
        let mut fleet = FleetView {
            me: Some(member.me()),
            members: members.collect(),
            locks: locks.collect(),
            observations: self.observations(member),
            banned: Vec::new(),
        };
        fleet.banned = bans::effective(self.now, &fleet, &self.bans)
            .into_iter()
            .collect();
        fleet
    }

    fn fellow(&self, member: &Membership, node: &NodeId, seat: &Seat) -> FellowView {
        let is_me = *node == member.me();
        let beat = heartbeat_of(&member.merged, node);
        let fresh = is_fresh(member, node, self.now.elapsed);
        let told = beat.map(|beat| told_channels(&beat, node, self.graph.as_deref()));
        let own = || self.local.as_ref().map(own_channels);
        let channels = if is_me { own() } else { told };
        let mut channels = channels.unwrap_or_default();
        for channel in &mut channels {
            channel.drain_msat_per_day = member.drains.of(node, channel);
        }
        let height = self
            .local
            .as_ref()
            .map(|local| local.height)
            .unwrap_or_default();
        FellowView {
            node_id: *node,
            tier: seat.tier,
            // Who is on trial hears no heartbeats, and takes a connection for a sign of life.
            fresh: is_me
                || fresh
                || (member.tier() != Some(Tier::Full) && self.peers.is_connected(node)),
            privileges: self.privileges(node),
            channels,
            constraint: if is_me {
                self.own_constraint()
            } else {
                constraint_of(member, node)
            },
            intents: intents_of(member, node, self.now.elapsed, height),
        }
    }

    /// What this member is willing to open, as far as its money and its limits go.
    pub(crate) fn own_constraint(&self) -> Constraint {
        let Some(local) = &self.local else {
            return Constraint::default();
        };
        let limits = self.gate.limits();
        let reserve = limits.on_chain_reserve.max(local.on_chain.reserve);
        let willing = self.config.constraint;
        Constraint {
            capital: free_capital(willing.capital, local.on_chain.confirmed, reserve),
            slots: willing.slots.min(limits.opens_per_day),
            channel_min: willing.channel_min.max(limits.channel_min),
            channel_max: willing.channel_max.min(limits.channel_max),
        }
    }
}

impl Hive {
    /// What members say of outside peers. What the own node saw is taken from where it is counted.
    pub(crate) fn observations(&self, member: &Membership) -> Vec<ObservationView> {
        let (me, now) = (member.me(), self.now);
        let mut all: Vec<ObservationView> = Vec::new();
        for author in member.folded().members().keys().copied() {
            let is_me = author == me;
            let words = newest_bodies::<Observation>(member, &author, now.elapsed);
            let words = words.map(|seen| ObservationView {
                author,
                peer: seen.peer,
                toxicity: seen.toxicity.filter(|_| !is_me),
                opportunity: seen.opportunity,
            });
            all.extend(words.filter(|word| word.toxicity.is_some() || word.opportunity.is_some()));
            let bans = newest_bodies::<Ban>(member, &author, now.elapsed);
            let bans = bans.filter(|ban| !is_me && !ban.lifted && ban.until > now.wall);
            all.extend(bans.map(|ban| toxic(author, ban.peer, ban.evidence)));
        }
        // Members are for flags and votes.
        let is_outside = |(peer, _): &(NodeId, Toxicity)| member.folded().member(peer).is_none();
        let seen = self.watch.toxicities(now).filter(is_outside);
        all.extend(seen.map(|(peer, found)| toxic(me, peer, found)));
        all.sort_by_key(|view| (view.peer, view.author));
        all
    }
}

const fn toxic(author: NodeId, peer: NodeId, found: Toxicity) -> ObservationView {
    ObservationView {
        author,
        peer,
        toxicity: Some(found),
        opportunity: None,
    }
}

/// Whether a member's heartbeat is recent.
pub(crate) fn is_fresh(member: &Membership, node: &NodeId, now: hive_types::Elapsed) -> bool {
    member.merged.live(node).any(|held| {
        let kind = held.record().fields().kind;
        let is_beat = kind == RecordKind::HEARTBEAT_FULL || kind == RecordKind::HEARTBEAT_CHANGE;
        is_beat && now.since(held.arrived()) < HEARTBEAT_STALE
    })
}

/// The newest heartbeat of a member: its full one, with the changes that name it.
pub(crate) fn heartbeat_of(
    merged: &hive_state::merged::Merged,
    node: &NodeId,
) -> Option<Heartbeat> {
    let full = merged.get(node, &keys::heartbeat_full())?.record().fields();
    let beat = Heartbeat::decode(&full.body).ok()?;
    let changed = || {
        let change = merged
            .get(node, &keys::heartbeat_change())?
            .record()
            .fields();
        let change = HeartbeatChange::decode(&change.body).ok()?;
        let names_it = change.base == full.version.counter;
        names_it.then(|| change.apply(&beat).ok()).flatten()
    };
    changed().or(Some(beat))
}

fn told_channels(beat: &Heartbeat, node: &NodeId, graph: Option<&Graph>) -> Vec<FellowChannel> {
    let announced = beat.announced().iter();
    let announced = announced.filter_map(|(scid, share)| told_channel(*scid, *share, node, graph?));
    let unannounced = beat.unannounced().iter().map(|channel| FellowChannel {
        scid: None,
        peer: channel.peer,
        capacity: channel.capacity,
        spendable: Some(channel.share.spendable(channel.capacity)),
        drain_msat_per_day: None,
        confirmed: false,
    });
    announced.chain(unannounced).collect()
}

/// A channel counts when the graph shows it and the member is one of its ends; what the member can
/// send over it is a share of the capacity that the graph shows.
fn told_channel(
    scid: ShortChannelId,
    share: Share,
    node: &NodeId,
    graph: &Graph,
) -> Option<FellowChannel> {
    let channel = graph.channel(scid)?;
    let ends = channel.nodes.map(|end| graph.node_id(end));
    let peer = match ends {
        [one, other] if one == *node => other,
        [one, other] if other == *node => one,
        _ => return None,
    };
    let spendable = Some(share.spendable(channel.capacity));
    Some(FellowChannel {
        scid: Some(scid),
        peer,
        capacity: channel.capacity,
        spendable,
        drain_msat_per_day: None,
        confirmed: true,
    })
}

fn own_channels(local: &LocalSnapshot) -> Vec<FellowChannel> {
    let own = local.channels.iter().map(|channel| FellowChannel {
        scid: channel.scid,
        peer: channel.peer,
        capacity: channel.capacity,
        spendable: Some(channel.spendable),
        drain_msat_per_day: None,
        confirmed: true,
    });
    own.collect()
}

fn constraint_of(member: &Membership, node: &NodeId) -> Constraint {
    let held = member.merged.get(node, &keys::constraint());
    held.and_then(|held| Constraint::decode(&held.record().fields().body).ok())
        .unwrap_or_default()
}

fn newest_bodies<'a, B: RecordBody + 'a>(
    member: &'a Membership,
    node: &'a NodeId,
    now: hive_types::Elapsed,
) -> impl Iterator<Item = B> + 'a {
    let limit = per_member(B::KIND).unwrap_or(usize::MAX);
    let held = member.merged.newest_of(node, B::KIND, now, limit);
    held.filter_map(|held| B::decode(&held.record().fields().body).ok())
}

fn intents_of(
    member: &Membership,
    node: &NodeId,
    now: hive_types::Elapsed,
    height: BlockHeight,
) -> Vec<Intent> {
    newest_bodies::<Intent>(member, node, now)
        .filter(|intent| intent.until > height)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_planner::graph::GraphBuilder;
    use hive_types::{Msat, Sat};
    use std::collections::BTreeMap;

    fn node(number: u8) -> NodeId {
        NodeId::from_bytes([2; 33].map(|byte| byte.max(number.min(3)))).unwrap()
    }

    #[test]
    fn t28_a_member_can_claim_no_more_than_the_graph_shows() {
        let (liar, peer): (NodeId, NodeId) = (node(2), node(3));
        let [own, others, unknown] = ["1x1x1", "2x2x2", "3x3x3"].map(|scid| scid.parse().unwrap());
        let mut builder = GraphBuilder::new();
        let stranger: NodeId = format!("02{:064x}", 9).parse().unwrap();
        [liar, peer, stranger].into_iter().for_each(|node| {
            builder.add_node(node);
        });
        let capacity = Sat::new(10_000_000);
        builder.add_channel(own, [liar, peer], capacity).unwrap();
        builder
            .add_channel(others, [peer, stranger], capacity)
            .unwrap();
        let graph = builder.build();
        // The most that a heartbeat can say of any channel: all of it.
        let all = Share::from_steps(255);
        let claims = BTreeMap::from([(own, all), (others, all), (unknown, all)]);
        let beat = Heartbeat::new(claims, Vec::new()).unwrap();
        let told = told_channels(&beat, &liar, Some(&graph));
        let expected = FellowChannel {
            scid: Some(own),
            peer,
            capacity,
            spendable: Some(Msat::new(10_000_000_000)),
            drain_msat_per_day: None,
            confirmed: true,
        };
        assert_eq!(told, [expected]);
        assert!(told_channels(&beat, &liar, None).is_empty());
    }
}
