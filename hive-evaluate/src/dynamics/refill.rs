//! Rebalancing by the planner's own circulation, carried out on balances that it does not see.

use super::DayFacts;
use super::net::{Arc, Net};
use super::traffic::Traffic;
use crate::Rebalancing;
use crate::placement::Arranged;
use hive_planner::PlannerConfig;
use hive_planner::graph::{Edge, NodeIndex};
use hive_planner::pushes::{ChannelState, Move, RebalanceRequest, Scope, Side, rebalance};
use hive_types::{Msat, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// A new observation of a drain counts one part in so many: about the last day at four a day.
const DRAIN_MEMORY: i64 = 4;

/// Channels that members may use for rebalancing, and who stands at their ends.
pub(crate) struct Book {
    /// Channels of members first known by balance, then those between their peers, each with its place
    /// in the [`Net`].
    channels: Vec<(usize, ChannelState)>,
    places: BTreeMap<u64, usize>,
    nodes: BTreeMap<NodeId, u32>,
    members: BTreeSet<NodeId>,
}

impl Book {
    pub(crate) fn new(arranged: &Arranged) -> Self {
        let graph = &arranged.graph;
        let own: BTreeSet<NodeIndex> = arranged.members.iter().flatten().copied().collect();
        let peers = own.iter().flat_map(|member| graph.channels_of(*member));
        let near: BTreeSet<NodeIndex> = peers.map(|edge| edge.to).chain(own.clone()).collect();
        let mut book = Self {
            channels: Vec::new(),
            places: BTreeMap::new(),
            nodes: near
                .iter()
                .map(|node| (graph.node_id(*node), node.get() as u32))
                .collect(),
            members: own.iter().map(|member| graph.node_id(*member)).collect(),
        };
        let edges: Vec<Edge> = graph.edges().collect();
        for (place, ends) in edges.chunks_exact(2).enumerate() {
            let [one, other] = ends else { continue };
            if near.contains(&one.from) && near.contains(&one.to) {
                let side = |edge: &Edge| Side {
                    node: graph.node_id(edge.from),
                    spendable: None,
                    policy: edge.policy,
                    drain_msat_per_day: None,
                };
                let sides = [side(one), side(other)];
                let state = ChannelState {
                    scid: one.scid,
                    capacity: one.capacity,
                    sides,
                };
                book.channels.push((place, state));
                book.places.insert(one.scid.to_u64(), place);
            }
        }
        book
    }

    /// The channels as members know them now. Drains are of the last refill's time.
    fn known(
        &self,
        net: &Net,
        traffic: &mut Traffic<'_>,
        drains: &[i64],
        now: u32,
    ) -> Vec<ChannelState> {
        let now_known = self.channels.iter().map(|(place, state)| {
            let mut state = *state;
            if net.of_arm[*place] {
                for (end, side) in state.sides.iter_mut().enumerate() {
                    let arc = (place << 1 | end) as Arc;
                    let drain = if end == 0 {
                        drains[*place]
                    } else {
                        -drains[*place]
                    };
                    side.spendable = Some(Msat::new(traffic.ledger.spendable(net, arc, now)));
                    side.drain_msat_per_day = Some(drain);
                }
            }
            state
        });
        now_known.collect()
    }

    fn arc(&self, net: &Net, channel: u64, to: NodeId) -> Option<Arc> {
        let place = *self.places.get(&channel)?;
        let to = *self.nodes.get(&to)?;
        let forth = (place << 1) as Arc;
        [forth, forth ^ 1]
            .into_iter()
            .find(|arc| net.to[*arc as usize] == to)
    }
}

/// Who refills, and what the arm's channels lose a day.
pub(crate) struct Refills<'a> {
    book: &'a Book,
    rebalancing: Rebalancing,
    /// What each refill may cost, of all members together; what is left over is kept for later ones.
    budget: Msat,
    saved: Msat,
    config: &'a PlannerConfig,
    a_day: u32,
    /// By channel, out of the smaller node id's side, in msat a day.
    drains: Vec<i64>,
    seen: bool,
}

impl<'a> Refills<'a> {
    pub(crate) fn new(
        book: &'a Book,
        rebalancing: Rebalancing,
        budget: Msat,
        config: &'a PlannerConfig,
        (a_day, channels): (u32, usize),
    ) -> Self {
        let drains = vec![0; channels];
        Self {
            book,
            rebalancing,
            budget,
            saved: Msat::ZERO,
            config,
            a_day,
            drains,
            seen: false,
        }
    }

    /// Looks at the channels and moves what is worth moving. A move over a channel that cannot carry it
    /// fails, costs nothing and is not tried again before the next refill.
    pub(crate) fn refill(
        &mut self,
        net: &Net,
        traffic: &mut Traffic<'_>,
        now: u32,
        facts: &mut DayFacts,
    ) {
        self.observe(traffic);
        let scope = match self.rebalancing {
            Rebalancing::Off => return,
            Rebalancing::Local => Scope::Local,
            Rebalancing::Fleet => Scope::Fleet,
        };
        self.saved = self.saved.saturating_add(self.budget);
        let before = facts.rebalance_fee_msat;
        let channels = self.book.known(net, traffic, &self.drains, now);
        let moves = rebalance(&RebalanceRequest {
            channels: &channels,
            members: &self.book.members,
            scope,
            budget: self.saved,
            config: self.config,
        });
        for found in &moves {
            self.carry_out(found, net, traffic, now, facts);
        }
        let spent = Msat::new(facts.rebalance_fee_msat - before);
        self.saved = self.saved.saturating_sub(spent);
    }

    fn observe(&mut self, traffic: &mut Traffic<'_>) {
        let part = if self.seen { DRAIN_MEMORY } else { 1 };
        for (drain, drained) in self.drains.iter_mut().zip(&mut traffic.drained) {
            let a_day = core::mem::take(drained) * i64::from(self.a_day);
            *drain += (a_day - *drain) / part;
        }
        self.seen = true;
    }

    fn carry_out(
        &self,
        found: &Move,
        net: &Net,
        traffic: &mut Traffic<'_>,
        now: u32,
        facts: &mut DayFacts,
    ) {
        let hops = found.hops.iter();
        let steps: Option<Vec<(Arc, u64)>> = hops
            .map(|hop| {
                Some((
                    self.book.arc(net, hop.channel.to_u64(), hop.to)?,
                    hop.amount.get(),
                ))
            })
            .collect();
        let Some(steps) = steps else { return };
        let mut all = steps.iter();
        if !all.all(|(arc, amount)| traffic.ledger.spendable(net, *arc, now) >= *amount) {
            facts.rebalances_failed += 1;
            return;
        }
        steps
            .iter()
            .for_each(|(arc, amount)| traffic.ledger.send(*arc, *amount));
        // What a member takes from another stays in the house.
        let between = steps.windows(2).filter_map(|pair| match pair {
            [(_, before), (arc, amount)] => Some((net.member_at(net.from(*arc)), before - amount)),
            _ => None,
        });
        let outside = between.filter(|(member, _)| member.is_none());
        facts.rebalance_fee_msat += outside.map(|(_, fee)| fee).sum::<u64>();
        facts.rebalance_msat += found.amount.get();
        facts.rebalances += 1;
    }
}

#[cfg(test)]
mod tests;
