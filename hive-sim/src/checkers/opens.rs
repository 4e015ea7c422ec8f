//! Channels: each funding had its certificate when it started, nothing is opened twice, nothing is
//! done without a permit, and each action has one effect.

use super::{Checker, Effect, Scene, Sight};
use crate::world::Funding;
use hive_policy::Authorized;
use hive_types::limits::{LOCK_BLOCKS, LOCK_START_BLOCKS};
use hive_types::{Action, ActionId, ChannelId, ChannelPolicy, Msat, NodeId, OutPoint, Sat};
use std::collections::{BTreeMap, BTreeSet};

/// A funding and the action that it was done for.
#[derive(Clone, Copy, Debug)]
struct Opened {
    action: ActionId,
    opener: NodeId,
    target: NodeId,
    channel: ChannelId,
}

/// Every funding of a member had a lock when it started: decided by a quorum, for this holder, this
/// target and this action, not ended, and the opener's tip was below its height plus six.
#[derive(Default)]
pub struct FundingsAreLocked {
    actions: BTreeMap<OutPoint, ActionId>,
    used: BTreeSet<ActionId>,
    looked_at: usize,
}

impl Checker for FundingsAreLocked {
    fn name(&self) -> &'static str {
        "every funding had its certificate"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        match sight {
            Sight::Executed {
                id,
                effect: Effect::Funded(outpoint),
                ..
            } => {
                self.actions.insert(*outpoint, *id);
                self.look(scene, found);
            }
            Sight::Settled => self.look(scene, found),
            _ => {}
        }
    }
}

impl FundingsAreLocked {
    fn look(&mut self, scene: &Scene<'_>, found: &mut Vec<String>) {
        let fundings = scene.world.fundings();
        for funding in fundings.get(self.looked_at..).unwrap_or_default() {
            if scene.is_honest(&funding.opener)
                && let Err(fault) = self.judge(scene, funding)
            {
                let (who, to) = (funding.opener.short(), funding.target.short());
                found.push(format!("{who} opened to {to}: {fault}"));
            }
        }
        self.looked_at = fundings.len();
    }

    fn judge(&mut self, scene: &Scene<'_>, funding: &Funding) -> Result<(), String> {
        let action = self.actions.get(&funding.outpoint);
        let action = action.ok_or("no action was executed for it")?;
        let grant = scene
            .chain
            .grant(action)
            .ok_or("no lock was decided for it")?;
        if grant.holder != funding.opener || grant.target != funding.target {
            return Err("the lock is another's".to_owned());
        }
        if !self.used.insert(*action) {
            return Err("the lock was used before".to_owned());
        }
        let (tip, last) = (funding.opener_height, grant.height.plus(LOCK_START_BLOCKS));
        if tip >= last {
            return Err(format!(
                "it started at {tip}, the lock's last height is below {last}"
            ));
        }
        let mut agents = scene
            .agents
            .iter()
            .filter(|agent| agent.node() == funding.opener);
        let head = agents.find_map(|agent| agent.disk().head());
        match scene.chain.unlock(action) {
            Some((slot, _)) if head >= Some(slot) => {
                Err("the lock had ended, and it knew".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// Two fundings to one target hold locks one after the other: the first had ended before the second
/// was decided.
#[derive(Default)]
pub struct NothingOpenedTwice {
    opened: Vec<Opened>,
}

impl Checker for NothingOpenedTwice {
    fn name(&self) -> &'static str {
        "no resource opened twice"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        let Sight::Executed {
            id,
            effect: Effect::Funded(outpoint),
            ..
        } = sight
        else {
            return;
        };
        let mut fundings = scene.world.fundings().iter().rev();
        let Some(funding) = fundings.find(|funding| funding.outpoint == *outpoint) else {
            return;
        };
        let new = Opened {
            action: *id,
            opener: funding.opener,
            target: funding.target,
            channel: funding.channel,
        };
        let same = self.opened.iter().filter(|old| old.target == new.target);
        for old in same {
            if scene.is_honest(&old.opener)
                && scene.is_honest(&new.opener)
                && !follows(scene, old, &new)
            {
                let (to, one, other) = (new.target.short(), old.opener.short(), new.opener.short());
                found.push(format!(
                    "{one} and {other} opened to {to} under overlapping locks"
                ));
            }
        }
        self.opened.push(new);
    }
}

/// Whether the first lock had ended when the second was decided: by the chain (an unlock, or its
/// holder is out), by height, or because the channel was seen.
fn follows(scene: &Scene<'_>, old: &Opened, new: &Opened) -> bool {
    let (Some(first), Some(second)) = (
        scene.chain.grant(&old.action),
        scene.chain.grant(&new.action),
    ) else {
        return false;
    };
    let links = scene.chain.links(&second.hive);
    let before = links.and_then(|links| links.get(&(second.slot - 1)));
    let released = before.is_some_and(|link| {
        let held = link.after.locks().get(&old.target);
        held.is_none_or(|lock| lock.action != old.action)
    });
    let ended = second.height >= first.height.plus(LOCK_BLOCKS);
    let channel = scene.world.channel(old.channel);
    let seen = channel.is_some_and(|channel| channel.scid.is_some());
    let in_order = first.hive != second.hive || first.slot < second.slot;
    in_order && first.target == old.target && (released || ended || seen)
}

/// What a permit allows.
struct Allowed {
    action: Action,
    cost: Msat,
    capital: Sat,
    effects: u32,
}

/// Each act on the world has a permit that allows it, within its cost, and happens once.
#[derive(Default)]
pub struct NothingUnpermitted {
    permits: BTreeMap<(NodeId, ActionId), Allowed>,
    funded: BTreeSet<OutPoint>,
    looked_at: usize,
}

impl Checker for NothingUnpermitted {
    fn name(&self) -> &'static str {
        "nothing without a permit, one effect per action"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        match sight {
            Sight::Permitted { agent, permit } => {
                found.extend(self.permit(scene.agent(*agent).node(), permit));
            }
            Sight::Executed { agent, id, effect } => {
                if let Effect::Funded(outpoint) = effect {
                    self.funded.insert(*outpoint);
                }
                let node = scene.agent(*agent).node();
                if let Err(fault) = self.execute(scene, node, *id, *effect) {
                    found.push(format!("{} did {effect:?} for {id}: {fault}", node.short()));
                }
            }
            Sight::Settled => self.look(scene, found),
            _ => {}
        }
    }
}

impl NothingUnpermitted {
    fn permit(&mut self, node: NodeId, permit: &Authorized) -> Option<String> {
        let allowed = Allowed {
            action: permit.action().clone(),
            cost: permit.cost(),
            capital: permit.capital(),
            effects: 0,
        };
        let before = self.permits.insert((node, permit.id()), allowed);
        before.map(|_| format!("{} has two permits for {}", node.short(), permit.id()))
    }

    fn execute(
        &mut self,
        scene: &Scene<'_>,
        node: NodeId,
        id: ActionId,
        effect: Effect,
    ) -> Result<(), String> {
        let allowed = self.permits.get_mut(&(node, id)).ok_or("no permit")?;
        allowed.effects += 1;
        if allowed.effects > 1 {
            return Err("the action had its effect before".to_owned());
        }
        match (&allowed.action, effect) {
            (Action::Open(open), Effect::Funded(outpoint)) => {
                let mut fundings = scene.world.fundings().iter().rev();
                let funding = fundings.find(|funding| funding.outpoint == outpoint);
                let funding = funding.ok_or("the world has no such funding")?;
                let fee = scene
                    .world
                    .chain()
                    .tx(&outpoint.txid)
                    .map(|record| record.tx.fee);
                let fee = fee.unwrap_or_default().to_msat_saturating();
                if funding.target != open.target || funding.capacity != allowed.capital {
                    return Err("another channel than permitted".to_owned());
                }
                if fee > allowed.cost {
                    return Err(format!("it costs {fee}, permitted is {}", allowed.cost));
                }
                Ok(())
            }
            (Action::Rebalance(_) | Action::Probe(_), Effect::Sent(_)) => Ok(()),
            (Action::SetPolicy(set), Effect::Policy(_, policy)) if set.policy == policy => Ok(()),
            _ => Err("something else than permitted".to_owned()),
        }
    }

    fn look(&mut self, scene: &Scene<'_>, found: &mut Vec<String>) {
        let fundings = scene.world.fundings();
        for funding in fundings.get(self.looked_at..).unwrap_or_default() {
            let is_members = scene
                .agents
                .iter()
                .any(|agent| agent.node() == funding.opener);
            if is_members && !self.funded.contains(&funding.outpoint) {
                found.push(format!(
                    "{} funded a channel by no act",
                    funding.opener.short()
                ));
            }
        }
        self.looked_at = fundings.len();
    }
}

/// How often policies are looked at, in milliseconds.
const POLICIES_MS: u64 = 600_000;

/// Members' policies change by permitted actions only.
#[derive(Default)]
pub struct PoliciesArePermitted {
    known: BTreeMap<(NodeId, ChannelId), ChannelPolicy>,
    next: u64,
}

impl Checker for PoliciesArePermitted {
    fn name(&self) -> &'static str {
        "policies change by permit only"
    }

    fn see(&mut self, scene: &Scene<'_>, sight: &Sight<'_>, found: &mut Vec<String>) {
        match sight {
            Sight::Executed {
                agent,
                effect: Effect::Policy(channel, policy),
                ..
            } => {
                let node = scene.agent(*agent).node();
                self.known.insert((node, *channel), *policy);
            }
            Sight::Settled if scene.at.get() >= self.next => {
                self.next = scene.at.get() + POLICIES_MS;
                self.look(scene, found);
            }
            Sight::Quiet => self.look(scene, found),
            _ => {}
        }
    }
}

impl PoliciesArePermitted {
    fn look(&mut self, scene: &Scene<'_>, found: &mut Vec<String>) {
        // A cheat sets what it likes.
        let honest = scene.agents.iter().filter(|agent| !agent.record().liar);
        let nodes: BTreeSet<NodeId> = honest.map(|agent| agent.node()).collect();
        for node in nodes {
            let Ok(snapshot) = scene.world.snapshot(node) else {
                continue;
            };
            for channel in snapshot.channels {
                let Some(mut now) = channel.local_policy else {
                    continue;
                };
                let known = self.known.entry((node, channel.channel_id)).or_insert(now);
                // The world cuts it to the capacity.
                now.htlc_maximum = now.htlc_maximum.max(known.htlc_maximum);
                if now != *known {
                    found.push(format!(
                        "{} has a policy on {} that no action set",
                        node.short(),
                        channel.channel_id
                    ));
                }
            }
        }
    }
}
