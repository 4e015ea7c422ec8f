//! What is seen of corridors: what fellows ask of this member, and what outsiders move through it.

use crate::event::Event;
use crate::hive::Hive;
use hive_policy::conduct::FlagKind;
use hive_policy::outflow::{self, Flow, Told};
use hive_policy::truth::{Agreed, Judgement, Look, Source};
use hive_proto::CorridorTerms;
use hive_types::{
    ChannelPolicy, FellowView, FleetView, LocalChannel, LocalSnapshot, Millis, NodeId, Ppm, Tier,
};
use std::collections::BTreeSet;

/// Time between two looks that counts at most: an agent that saw nothing for long knows nothing of it.
const LOOK_MOST: Millis = Millis::from_hours(1);

impl Hive {
    /// Judges what fellows ask, and guards against drains.
    pub(super) fn watch_corridors(&mut self, fleet: &FleetView, local: &LocalSnapshot) {
        if self.tier().is_some() && !self.is_restoring() {
            self.watch_fees(fleet, local);
            self.watch_outflow(fleet, local);
        }
    }

    fn watch_fees(&mut self, fleet: &FleetView, local: &LocalSnapshot) {
        let now = self.now.elapsed;
        let looked = self.corridors.looked.replace(now);
        let passed = looked.map_or(Millis::ZERO, |at| now.since(at).min(LOOK_MOST));
        let fellow = |node| fleet.members.iter().find(|fellow| fellow.node_id == node);
        let Some(me) = fleet.me.and_then(fellow) else {
            return;
        };
        let others = fleet.members.iter();
        let others = others.filter(|other| other.node_id != me.node_id);
        let mut looks = Vec::new();
        for other in others {
            let is_excused = self.truce(me.node_id, other, passed);
            let channels = local.channels.iter();
            let channels = channels.filter(|own| own.peer == other.node_id);
            looks.extend(channels.map(|own| self.look(me, other, own, is_excused)));
        }
        let is_member = |node: &NodeId| fellow(*node).is_some();
        self.corridors.truces.retain(is_member);
        let flags = self.flags.iter();
        let blamed: BTreeSet<NodeId> = flags
            .filter(|(_, kind, _)| *kind == FlagKind::Fees)
            .map(|(node, ..)| node)
            .collect();
        for judgement in self.corridors.truth.observe(now, &looks, &blamed) {
            self.judged_fees(judgement);
        }
    }

    /// Whether a fellow's fee is excused, as it says that it withdrew from this member; and an end to
    /// it where both did.
    fn truce(&mut self, me: NodeId, other: &FellowView, passed: Millis) -> bool {
        let node = other.node_id;
        let told = self.told_terms(&node, &me);
        let by_it = matches!(told, Some(CorridorTerms::Withdrawn(_)));
        let by_us = !other.privileges.free_corridor;
        let standing = self.corridors.truces.pass(node, passed, by_it, by_us);
        if standing.is_truce {
            self.corridors.truth.forget(&node);
            self.unflag(node, FlagKind::Fees);
        }
        standing.is_excused
    }

    fn look(&self, me: &FellowView, other: &FellowView, own: &LocalChannel, excused: bool) -> Look {
        let agreed = match (me.tier, other.tier) {
            (Tier::Full, Tier::Full) => match self.told_terms(&other.node_id, &me.node_id) {
                Some(CorridorTerms::Floor(rate)) => Agreed::AtMost(rate),
                _ => Agreed::Nothing,
            },
            _ => Agreed::Discount,
        };
        let update = own.remote_policy.map(|policy| (policy, Source::Update));
        let gossip = || Some((self.gossiped(own)?, Source::Gossip));
        Look {
            fellow: other.node_id,
            channel: own.channel_id,
            scid: own.scid,
            capacity: own.capacity,
            can_send: own.receivable,
            seen: update.or_else(gossip),
            agreed,
            is_usable: own.usable && self.peers.is_connected(&own.peer),
            is_fresh: other.fresh,
            is_excused: excused,
        }
    }

    /// The peer's policy as the graph has it.
    pub(super) fn gossiped(&self, own: &LocalChannel) -> Option<ChannelPolicy> {
        let graph = self.graph.as_ref()?;
        graph.edge(own.scid?, graph.node_index(&own.peer)?)?.policy
    }

    fn judged_fees(&mut self, judgement: Judgement) {
        match judgement {
            Judgement::Suspected { fellow, evidence } => {
                let (node, kind) = (fellow, FlagKind::Fees);
                self.out.emit(Event::Suspected {
                    node,
                    kind,
                    evidence,
                });
            }
            Judgement::Blamed { fellow, evidence } => {
                self.flag(fellow, FlagKind::Fees, &evidence);
            }
            Judgement::Right { fellow } => self.unflag(fellow, FlagKind::Fees),
        }
    }

    fn watch_outflow(&mut self, fleet: &FleetView, local: &LocalSnapshot) {
        let is_fellow = |node: &NodeId| {
            let mut members = fleet.members.iter();
            members.any(|member| member.node_id == *node && Some(*node) != fleet.me)
        };
        let now = self.now.elapsed;
        let told = told_of_outsiders(fleet, &is_fellow);
        let outflow = &mut self.corridors.outflow;
        for flow in outflow.observe(now, local, is_fellow, &told) {
            let text = match flow {
                Flow::Drains {
                    fellow,
                    net,
                    capacity,
                } => {
                    let end = self.raise_floor(fleet, fellow, local);
                    format!(
                        "outsiders moved {net} more to the fellow {fellow} than came back in a day, of \
                         {capacity} in the corridor; {end}"
                    )
                }
                Flow::Calm { fellow } => {
                    self.corridors.floors.remove(&fellow);
                    format!(
                        "outsiders drain the corridor to the fellow {fellow} no more; it is free again"
                    )
                }
            };
            self.out.audit(self.now.wall, "outflow", None, text.clone());
            self.out.emit(Event::Alert { text });
        }
    }

    /// A drained corridor asks a little; what the operator is told of it.
    fn raise_floor(&mut self, fleet: &FleetView, fellow: NodeId, local: &LocalSnapshot) -> String {
        let full = |node| {
            let mut members = fleet.members.iter();
            members.any(|member| member.node_id == node && member.tier == Tier::Full)
        };
        let is_free = fleet.me.is_some_and(full) && full(fellow);
        let before = local.channels.iter().filter(|own| own.peer == fellow);
        let before = before.filter_map(|own| self.saved_fees.get(&own.channel_id));
        let before = before.map(|policy| policy.rate).max().unwrap_or_default();
        let rate = outflow::floor(before);
        if !is_free || rate == Ppm::ZERO || !self.config.manage_fees {
            return "no floor fee is set there; look at its fee".to_owned();
        }
        self.corridors.floors.insert(fellow, rate);
        format!("it asks for {rate} until a day after that ends")
    }
}

/// What fellows say of their channels with outsiders, as far as the graph confirms them.
fn told_of_outsiders(fleet: &FleetView, is_fellow: &dyn Fn(&NodeId) -> bool) -> Vec<Told> {
    let fellows = fleet.members.iter();
    let fellows = fellows.filter(|fellow| fellow.fresh && is_fellow(&fellow.node_id));
    let told = fellows.flat_map(|fellow| {
        let known = fellow.channels.iter().filter(|told| told.confirmed);
        known.filter_map(|told| {
            Some(Told {
                fellow: fellow.node_id,
                peer: told.peer,
                channel: told.scid?,
                spendable: told.spendable?,
            })
        })
    });
    told.filter(|told| Some(told.peer) != fleet.me && !is_fellow(&told.peer))
        .collect()
}

/// Fees in words.
pub(super) fn fees_of(policy: Option<ChannelPolicy>) -> String {
    match policy {
        Some(policy) => format!("{} and {}", policy.base, policy.rate),
        None => "an unknown fee".to_owned(),
    }
}
