//! What fellows claim in their heartbeats, held against the own node's channels and graph.

use crate::hive::{Hive, Stage};
use crate::member::Membership;
use crate::orient::{heartbeat_of, is_fresh};
use hive_planner::graph::Graph;
use hive_policy::conduct::{Balances, Claims, Compared, FlagKind};
use hive_proto::{Heartbeat, Share, keys};
use hive_types::limits::CLAIM_YOUNG_BLOCKS;
use hive_types::{Elapsed, LocalSnapshot, Msat, NodeId, ShortChannelId};
use std::collections::BTreeMap;

/// What is remembered of claims in this boot.
#[derive(Default)]
pub(crate) struct ClaimWatch {
    fellows: BTreeMap<NodeId, Claims>,
    /// Own balances of channels with fellows.
    balances: BTreeMap<ShortChannelId, Balances>,
}

impl Hive {
    /// Compares fellows' heartbeats with what is known, blames false claims and forgives right ones.
    pub(crate) fn tend_claims(&mut self) {
        let (Stage::Member(member), Some(local)) = (&mut self.stage, &self.local) else {
            return;
        };
        let (now, graph) = (self.now.elapsed, self.graph.as_deref());
        let mut watch = std::mem::take(&mut member.claims);
        watch.note_balances(member, local, now);
        let fellows: Vec<NodeId> = member.fellows().collect();
        watch.fellows.retain(|fellow, _| fellows.contains(fellow));
        for fellow in &fellows {
            let Some(version) = beat_version(member, fellow) else {
                continue;
            };
            let is_due = watch
                .fellows
                .get(fellow)
                .is_none_or(|claims| claims.is_due(version, now));
            if !is_due || !local.synced || !is_fresh(member, fellow, now) {
                continue;
            }
            let Some(beat) = heartbeat_of(&member.merged, fellow) else {
                continue;
            };
            let mut compared = watch.compare(fellow, &beat, local, graph, now);
            compared.version = version;
            watch.fellows.entry(*fellow).or_default().hear(compared);
        }
        let judged = watch.fellows.iter().map(|(fellow, claims)| {
            let evidence = claims.are_false().then(|| claims.evidence().to_owned());
            (*fellow, evidence, claims.are_right())
        });
        let judged: Vec<_> = judged.collect();
        member.claims = watch;
        for (fellow, evidence, is_right) in judged {
            match evidence {
                Some(evidence) => self.flag(fellow, FlagKind::Claims, &evidence),
                None if is_right => self.unflag(fellow, FlagKind::Claims),
                None => {}
            }
        }
    }
}

impl ClaimWatch {
    fn note_balances(&mut self, member: &Membership, local: &LocalSnapshot, now: Elapsed) {
        let mut kept = BTreeMap::new();
        for channel in &local.channels {
            let Some(scid) = channel.scid.filter(|_| member.is_fellow(&channel.peer)) else {
                continue;
            };
            let mut balances = self.balances.remove(&scid).unwrap_or_default();
            balances.note(now, channel.spendable);
            kept.insert(scid, balances);
        }
        self.balances = kept;
    }

    fn compare(
        &self,
        fellow: &NodeId,
        beat: &Heartbeat,
        local: &LocalSnapshot,
        graph: Option<&Graph>,
        now: Elapsed,
    ) -> Compared {
        let mut compared = Compared {
            at: now,
            ..Compared::default()
        };
        for (scid, share) in beat.announced() {
            let mut own = local.channels.iter();
            if let Some(own) = own.find(|own| own.scid == Some(*scid)) {
                if own.peer == *fellow {
                    self.weigh(*scid, *share, own, &mut compared);
                } else {
                    let said = format!("tells of {scid}, which is ours with another node");
                    compared.contradiction = compared.contradiction.or(Some(said));
                }
                continue;
            }
            let Some(graph) = graph else { continue };
            match graph.channel(*scid) {
                Some(channel) => {
                    compared.told += 1;
                    let ends = channel.nodes.map(|end| graph.node_id(end));
                    if !ends.contains(fellow) {
                        let said = format!("tells of {scid}, a channel between two other nodes");
                        compared.contradiction = compared.contradiction.or(Some(said));
                    }
                }
                // Too young to be known everywhere, or ahead of a tip that lags.
                None if scid.block() + CLAIM_YOUNG_BLOCKS > local.height.get() => {}
                None => {
                    compared.told += 1;
                    compared.unknown += 1;
                }
            }
        }
        compared
    }

    /// Holds a claim on a channel with ourselves against our own balance.
    fn weigh(
        &self,
        scid: ShortChannelId,
        share: Share,
        own: &hive_types::LocalChannel,
        compared: &mut Compared,
    ) {
        let claimed = share.spendable(own.capacity);
        let balances = self.balances.get(&scid);
        let excess = balances.and_then(|kept| kept.excess(compared.at, own.capacity, claimed));
        let Some(excess) = excess else {
            compared.is_open = true;
            return;
        };
        if excess > Msat::ZERO && compared.contradiction.is_none() {
            compared.contradiction = Some(format!(
                "says that it can send {claimed} over {scid}, {excess} more than our side leaves"
            ));
        }
    }
}

/// Which heartbeat a member's newest is.
fn beat_version(member: &Membership, node: &NodeId) -> Option<(u64, u64)> {
    let version = |key: Vec<u8>| {
        let held = member.merged.get(node, &key)?;
        let version = held.record().fields().version;
        Some((version.epoch.0, version.counter.0))
    };
    version(keys::heartbeat_full()).max(version(keys::heartbeat_change()))
}
