//! Rosters are prefixes of one chain, and nobody honest is out without a reason in it.

use super::{Checker, Scene, Sight};
use crate::fleet::Agent;
use hive_core::{Change, ChangeSet};
use hive_proto::DecisionBody;
use hive_types::{HiveId, NodeId};

/// Each honest disk's table of members is what the chain says up to the disk's newest decision.
#[derive(Default)]
pub struct RostersAreOneChain;

impl Checker for RostersAreOneChain {
    fn name(&self) -> &'static str {
        "rosters are prefixes of one chain"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        let Sight::Persisted { agent, changes, .. } = sight else {
            return;
        };
        let agent = scene.agent(*agent);
        if agent.is_honest() && touches_roster(changes) {
            found.extend(differs(scene, agent));
        }
    }
}

fn touches_roster(changes: &ChangeSet) -> bool {
    let mut changes = changes.changes.iter();
    changes.any(|change| {
        matches!(
            change,
            Change::Member(_) | Change::ForgetMember(_) | Change::Decision { .. }
        )
    })
}

fn differs(scene: &Scene<'_>, agent: &Agent) -> Option<String> {
    let hive = hive_of(agent)?;
    let head = agent.disk().head()?;
    let Some(link) = scene.chain.links(&hive).and_then(|links| links.get(&head)) else {
        return Some(format!(
            "{} is at decision {head}, which nobody made",
            agent.node().short()
        ));
    };
    let table = agent.disk().stored.members.values();
    let table = table.map(|row| (row.node_id, row.tier, row.epoch));
    let chain = link.after.members().iter();
    let chain = chain.map(|(node, seat)| (*node, seat.tier, seat.epoch.0));
    (!table.eq(chain)).then(|| {
        format!(
            "{}'s table of members is not the roster after decision {head}",
            agent.node().short()
        )
    })
}

/// An honest node goes only by its own departure, which its operator wanted, or by votes.
#[derive(Default)]
pub struct NobodyOutUnheard {
    looked_at: usize,
}

impl Checker for NobodyOutUnheard {
    fn name(&self) -> &'static str {
        "no honest member out without departure or certificate"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        let Sight::Persisted { agent, changes, .. } = sight else {
            return;
        };
        let links = scene.chain.all().count();
        if links > self.looked_at {
            self.looked_at = links;
            found.extend(scene.chain.all().filter_map(|link| {
                match &link.certificate.decision.decision.body {
                    DecisionBody::Depart { node, .. } => unwanted(scene, node),
                    _ => None,
                }
            }));
        }
        let agent = scene.agent(*agent);
        let forgets = changes
            .changes
            .iter()
            .any(|change| matches!(change, Change::ForgetFleet));
        if forgets
            && agent.is_honest()
            && !agent.record().leaves
            && !was_expelled(scene, &agent.node())
        {
            found.push(format!(
                "{} forgot its fleet without having left it",
                agent.node().short()
            ));
        }
    }
}

fn unwanted(scene: &Scene<'_>, node: &NodeId) -> Option<String> {
    let mut agents = scene.agents.iter().filter(|agent| agent.node() == *node);
    let wanted = agents.any(|agent| agent.record().leaves);
    (scene.is_honest(node) && !wanted).then(|| {
        format!(
            "{} is out by a departure that its operator never wanted",
            node.short()
        )
    })
}

fn was_expelled(scene: &Scene<'_>, node: &NodeId) -> bool {
    scene.chain.all().any(|link| {
        matches!(&link.certificate.decision.decision.body, DecisionBody::Expel { node: out, .. } if out == node)
    })
}

/// The fleet of an agent, if it is in one.
pub(crate) fn hive_of(agent: &Agent) -> Option<HiveId> {
    agent.disk().hive()
}
