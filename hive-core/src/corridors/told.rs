//! What members tell each other of their corridors: withdrawals and floors.

use crate::hive::{Hive, Stage};
use hive_policy::conduct::FlagKind;
use hive_policy::corridor::{FeePlan, Passage, passage};
use hive_proto::{Corridor, CorridorTerms, RecordBody, WithdrawnFor, keys};
use hive_state::merged::Draft;
use hive_types::{FleetView, LocalSnapshot, NodeId};
use std::collections::BTreeSet;

impl Hive {
    /// What `author` tells of its corridor to `fellow`.
    pub(super) fn told_terms(&self, author: &NodeId, fellow: &NodeId) -> Option<CorridorTerms> {
        let Stage::Member(member) = &self.stage else {
            return None;
        };
        let held = member.merged.get(author, &keys::corridor(fellow))?;
        let told = Corridor::decode(&held.record().fields().body).ok()?;
        (told.fellow == *fellow).then_some(told.terms)
    }

    /// Tells fellows where this member asks anything else than was agreed, before it does; and that it
    /// asks what was agreed again, once it does.
    pub(super) fn tell_corridors(
        &mut self,
        fleet: &FleetView,
        local: &LocalSnapshot,
        plan: &FeePlan,
    ) {
        let may_write = matches!(&self.stage, Stage::Member(member) if member.merged.may_write());
        let me = fleet.me.and_then(|me| {
            let mut members = fleet.members.iter();
            members.find(|member| member.node_id == me)
        });
        let Some(me) = me.filter(|_| may_write && !self.config.dry_run) else {
            return;
        };
        let peers: BTreeSet<NodeId> = local.channels.iter().map(|own| own.peer).collect();
        let fellows = fleet.members.iter();
        let fellows = fellows.filter(|fellow| peers.contains(&fellow.node_id));
        for fellow in fellows {
            let node = fellow.node_id;
            let terms = match passage(me, fellow, &self.corridors.floors) {
                Passage::Withdrawn => CorridorTerms::Withdrawn(self.withdrawn_for(&node)),
                Passage::Floor(rate) => CorridorTerms::Floor(rate),
                // The fee is still on its way down.
                _ if plan.set.iter().any(|change| change.peer == node) => continue,
                _ => CorridorTerms::Agreed,
            };
            let told = self.told_terms(&me.node_id, &node);
            if told.unwrap_or(CorridorTerms::Agreed) != terms {
                let corridor = Corridor {
                    fellow: node,
                    terms,
                };
                self.write(Draft::new(keys::corridor(&node), &corridor, 0));
            }
        }
    }

    fn withdrawn_for(&self, node: &NodeId) -> WithdrawnFor {
        if self.flags.has(node, FlagKind::Fees) {
            WithdrawnFor::Fees
        } else {
            WithdrawnFor::BlackHole
        }
    }
}
