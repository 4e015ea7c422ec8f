//! What holds when faults have stopped long ago: all have the newest, and nothing hangs.

use super::roster::hive_of;
use super::{Checker, Scene, Sight};
use crate::fleet::Agent;
use hive_core::ActionState;
use hive_policy::EntryState;
use hive_types::limits::{LOCK_BLOCKS, LOCK_FUNDED_BLOCKS};
use hive_types::{Action, ActionId, BlockHeight, NodeId, ShortChannelId, Tier};
use std::collections::BTreeMap;

/// All honest disks hold the same records of each member, an honest author's own among them, and the
/// same newest decision.
#[derive(Default)]
pub struct ConvergedIsNewest;

impl Checker for ConvergedIsNewest {
    fn name(&self) -> &'static str {
        "converged means newest"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        if matches!(sight, Sight::Quiet) {
            found.extend(unconverged(scene));
        }
    }
}

/// Why the fleet has not converged yet; nothing when it has.
pub(crate) fn unconverged(scene: &Scene<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let honest: Vec<&Agent> = scene.honest().map(|(_, agent)| agent).collect();
    for agent in &honest {
        let Some(newest) = hive_of(agent).and_then(|hive| scene.chain.newest(&hive)) else {
            continue;
        };
        let head = newest.certificate.decision.decision.slot.0;
        let who = agent.node().short();
        if agent.disk().head() != Some(head) {
            faults.push(format!(
                "{who} is at decision {:?} of {head}",
                agent.disk().head()
            ));
        }
        if newest.after.member(&agent.node()).is_none() {
            faults.push(format!("{who} believes that it is a member and is not"));
        }
        for author in newest.after.members().keys() {
            let is_its =
                |other: &&&Agent| other.node() == *author && hive_of(other) == hive_of(agent);
            let is_full = |node: &NodeId| {
                let seat = newest.after.member(node);
                seat.is_some_and(|seat| seat.tier == Tier::Full)
            };
            let reads_all = |other: &&&Agent| is_full(&other.node());
            let others = honest.iter().find(reads_all).or(honest.first());
            let Some(source) = honest.iter().find(is_its).or(others) else {
                continue;
            };
            // Balances and observations are for full members and their author only.
            let all = |agent: &Agent| is_full(&agent.node()) || agent.node() == *author;
            let (mut here, mut there) = (records(agent, author), records(source, author));
            if !all(agent) || !all(source) {
                here.retain(|_, bytes| is_for_all(bytes));
                there.retain(|_, bytes| is_for_all(bytes));
            }
            if here != there {
                let differ = |(key, bytes): &(&&[u8], &&[u8])| here.get(**key) != Some(*bytes);
                let kinds = there
                    .iter()
                    .filter(differ)
                    .filter_map(|(key, _)| key.first());
                let kinds: Vec<u8> = kinds.copied().collect();
                faults.push(format!(
                    "{who} does not have what {} has: kinds {kinds:?}",
                    author.short()
                ));
            }
        }
    }
    faults
}

fn records<'a>(agent: &'a Agent, author: &NodeId) -> BTreeMap<&'a [u8], &'a [u8]> {
    let all = agent.disk().stored.records.iter();
    let own = all.filter(|((of, _), _)| of == author);
    own.map(|((_, key), bytes)| (key.as_slice(), bytes.as_slice()))
        .collect()
}

fn is_for_all(bytes: &[u8]) -> bool {
    let record = hive_proto::Record::parse(bytes.to_vec());
    record.is_ok_and(|record| record.fields().kind.is_for_all())
}

/// Every intent, reservation and lock has ended, or has a reason that the chain shows.
#[derive(Default)]
pub struct NothingHangs {
    since: BTreeMap<(NodeId, ActionId), u64>,
}

/// An action that is not done with after this many milliseconds without faults hangs. An hour: a
/// payment under way may wait for that.
const HANGS_MS: u64 = 3_600_000;

impl Checker for NothingHangs {
    fn name(&self) -> &'static str {
        "every intent and reservation ends"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        match sight {
            Sight::Persisted { agent, changes, .. } => {
                let node = scene.agent(*agent).node();
                for change in &changes.changes {
                    if let hive_core::Change::Action(action) = change {
                        self.since
                            .entry((node, action.id))
                            .or_insert(scene.at.get());
                    }
                }
            }
            Sight::Quiet => {
                for (_, agent) in scene.honest() {
                    self.look(scene, agent, found);
                }
            }
            _ => {}
        }
    }
}

/// A holder whose own graph leaves the channel out waits twelve blocks for it; two more are for deciding.
const SEEN_WITHIN_BLOCKS: u32 = 14;

fn scid_is_older(scene: &Scene<'_>, scid: Option<ShortChannelId>) -> bool {
    let mined = scid.map(|scid| BlockHeight::new(scid.block()));
    mined.is_some_and(|mined| scene.world.chain().height() >= mined.plus(SEEN_WITHIN_BLOCKS))
}

impl NothingHangs {
    fn look(&self, scene: &Scene<'_>, agent: &Agent, found: &mut Vec<String>) {
        let (who, stored) = (agent.node().short(), &agent.disk().stored);
        let old = |id: &ActionId| {
            let since = self.since.get(&(agent.node(), *id)).copied();
            scene.at.get().saturating_sub(since.unwrap_or_default()) > HANGS_MS
        };
        for action in stored.actions.values() {
            let is_payment = matches!(action.action(), Action::Rebalance(_) | Action::Probe(_));
            if action.state == ActionState::Acting && old(&action.id) && !is_payment {
                found.push(format!("{who} still acts on {}", action.id));
            }
        }
        for entry in &stored.gate.ledger {
            let over = stored.actions.get(&entry.id).is_none_or(|action| {
                matches!(action.state, ActionState::Done | ActionState::NotDone)
            });
            if entry.state == EntryState::Reserved && over {
                found.push(format!(
                    "{who} reserves money for {}, which is over",
                    entry.id
                ));
            }
        }
        let newest = hive_of(agent).and_then(|hive| scene.chain.newest(&hive));
        let locks = newest.into_iter().flat_map(|link| link.after.locks());
        for (target, lock) in locks.filter(|(_, lock)| lock.holder == agent.node()) {
            let funded = stored
                .actions
                .get(&lock.action)
                .is_some_and(|action| action.state == ActionState::Done);
            let blocks = if funded {
                LOCK_FUNDED_BLOCKS
            } else {
                LOCK_BLOCKS
            };
            let ended = scene.world.chain().height() >= lock.height.plus(blocks);
            let seen = scene.world.fundings().iter().any(|funding| {
                let shown = scene.world.channel(funding.channel);
                let shown = shown.filter(|channel| channel.announced);
                funding.opener == lock.holder
                    && funding.target == *target
                    && scid_is_older(scene, shown.and_then(|channel| channel.scid))
            });
            if old(&lock.action) && !ended && (seen || !funded) {
                found.push(format!("{who} still holds the lock on {}", target.short()));
            }
        }
    }
}
