//! Test payments over corridors: now and then one for each, and what they find.

use super::watch::fees_of;
use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::{ActionResult, Done, ProbeFailure, ProbeFailureKind};
use hive_policy::Standing;
use hive_policy::corridor::link::{self, Approach};
use hive_types::limits::{LINK_TEST_INTERVAL, LINK_TEST_RETRY};
use hive_types::{
    Action, ChannelPolicy, Explanation, FleetView, LocalChannel, LocalSnapshot, Millis, Msat,
    NodeId, Ppm, Probe, Proposal,
};

impl Hive {
    /// Sends the test that is due, one at a time.
    pub(super) fn test_links(&mut self, fleet: &FleetView, local: &LocalSnapshot) {
        let now = self.now.elapsed;
        if !self.reconciled() || !local.synced {
            return;
        }
        for fellow in &fleet.members {
            let node = fellow.node_id;
            let mut own = local.channels.iter();
            let Some(corridor) = own.find(|own| own.peer == node && own.usable) else {
                self.corridors.tests.remove(&node);
                continue;
            };
            // New ones wait for up to an interval, so that a fleet that starts does not test at once.
            let Some(due) = self.corridors.tests.get(&node).copied() else {
                let first = Millis::new(self.chance.below(LINK_TEST_INTERVAL.get()));
                self.rest_link(node, first);
                continue;
            };
            if due <= now && fellow.privileges.free_corridor {
                self.rest_link(node, LINK_TEST_RETRY);
                if self.test_link(fleet, local, corridor) {
                    return;
                }
            }
        }
    }

    fn test_link(&mut self, fleet: &FleetView, local: &LocalSnapshot, own: &LocalChannel) -> bool {
        let Some(told) = own.remote_policy.or_else(|| self.gossiped(own)) else {
            return false;
        };
        let approaches = self.approaches(fleet, local, own.peer);
        let Some(by) = self.chance.choose(&approaches, 1).pop() else {
            return false;
        };
        let Some(probe) = link::test(local.node_id, own, &told, &by) else {
            return false;
        };
        let proposal = Proposal {
            explanation: Explanation {
                summary: format!("test what the fellow {} demands of this node", own.peer),
                facts: Vec::new(),
            },
            action: Action::Probe(probe),
            cost: Msat::ZERO,
            value_per_day: Msat::ZERO,
            confidence: Ppm::ONE,
        };
        let id = self.new_action_id();
        let standing = Standing {
            tier: self.tier(),
            reconciled: true,
            lock: None,
            banned: &fleet.banned,
        };
        let permit = self
            .gate
            .authorize_probe(self.now, id, &proposal, local, standing);
        // A refusal is no news: another test comes by itself.
        let Ok(permit) = permit else {
            return false;
        };
        self.act(id, proposal, permit);
        true
    }

    /// Ways to a fellow over other own peers, as the graph has them. A surcharge on the way in would
    /// look like the fellow's demand.
    fn approaches(
        &self,
        fleet: &FleetView,
        local: &LocalSnapshot,
        fellow: NodeId,
    ) -> Vec<Approach> {
        let Some(graph) = self.graph.as_ref() else {
            return Vec::new();
        };
        let Some(to) = graph.node_index(&fellow) else {
            return Vec::new();
        };
        let peers = local.channels.iter().filter(|own| {
            let is_surcharged = own
                .remote_policy
                .is_some_and(|policy| policy.inbound_base_msat > 0 || policy.inbound_ppm > 0);
            own.usable && own.peer != fellow && !is_surcharged && !fleet.banned.contains(&own.peer)
        });
        let mut ways = Vec::new();
        for own in peers {
            let Some((scid, from)) = own.scid.zip(graph.node_index(&own.peer)) else {
                continue;
            };
            let edges = graph.between(from, to);
            let edges = edges.filter(|edge| edge.inbound.0 <= 0 && edge.inbound.1 <= 0);
            ways.extend(edges.filter_map(|edge| {
                Some(Approach {
                    own: scid,
                    via: own.peer,
                    channel: edge.scid,
                    policy: *edge.usable()?,
                })
            }));
        }
        ways
    }

    fn rest_link(&mut self, fellow: NodeId, wait: Millis) {
        let until = self.now.elapsed.plus(wait);
        self.corridors.tests.insert(fellow, until);
    }

    /// A test payment has ended: one that says something rests the corridor for a day.
    pub(crate) fn link_tested(&mut self, action: &Action, result: &ActionResult) {
        let (Action::Probe(probe), ActionResult::Done(Done::Probed { arrived, failure })) =
            (action, result)
        else {
            return;
        };
        let [_, fellow, last] = probe.hops.as_slice() else {
            return;
        };
        let fellow = fellow.to;
        if last.to != self.config.node_id {
            return;
        }
        let demands = failure.filter(|failure| {
            failure.kind == ProbeFailureKind::FeeInsufficient
                && failure.at == Some(fellow)
                && failure.channel == Some(last.channel)
        });
        if *arrived || demands.is_some() {
            self.rest_link(fellow, LINK_TEST_INTERVAL);
        }
        if let Some(failure) = demands {
            self.tell_demand(fellow, probe, &failure);
        }
    }

    /// Told as a fault, never held against the fellow: a node that is behind with its own updates does
    /// so, too.
    fn tell_demand(&mut self, node: NodeId, probe: &Probe, failure: &ProbeFailure) {
        let is_fellow = matches!(&self.stage, Stage::Member(member) if member.is_fellow(&node));
        let mut own = self.local.iter().flat_map(|local| &local.channels);
        let corridor = own.find(|own| own.scid == failure.channel && own.peer == node);
        let Some(corridor) = corridor.filter(|_| is_fellow) else {
            return;
        };
        let told = corridor.remote_policy.or_else(|| self.gossiped(corridor));
        let channel = probe.hops.last().map(|hop| hop.channel.to_string());
        let said = |policy: Option<ChannelPolicy>| policy.map(|policy| (policy.base, policy.rate));
        let demand = match said(failure.policy) {
            // Core Lightning and LND send the update along that they think in force.
            Some(fees) if Some(fees) != said(told) => format!(
                "demands {} where its update says {}",
                fees_of(failure.policy),
                fees_of(told)
            ),
            _ => format!(
                "refuses for its fee what its update asks for: {}",
                fees_of(told)
            ),
        };
        let text = format!(
            "fault: a test payment of {} found that channel {} of the fellow {node} {demand}; tell its \
             operator. It is not held against the fellow",
            probe.amount,
            channel.unwrap_or_default(),
        );
        self.out.audit(self.now.wall, "fault", None, text.clone());
        self.out.emit(Event::Alert { text });
    }
}
