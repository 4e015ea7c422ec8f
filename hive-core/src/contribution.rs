//! What members do for each other: forwarded for a fellow against forwarded by it, and who was there.
//! What is counted is told to fellows once in a slot of the chain.

use crate::command::{CommandError, ContributionRow, Reply};
use crate::hive::{Hive, Stage};
use crate::io::Change;
use crate::member::Membership;
use crate::orient::is_fresh;
use hive_policy::conduct::FlagKind;
use hive_policy::conduct::contribution::{self, Contributions, Share};
use hive_policy::conduct::presence::{self, Attested, Uptime};
use hive_proto::{RecordBody, Tally, TallyRow, VoteKind, codec, keys};
use hive_state::merged::Draft;
use hive_types::{LocalSnapshot, Msat, NodeId, Ppm, Sat};
use std::collections::{BTreeMap, BTreeSet};

/// The store's name for what was counted.
pub(crate) const META_CONTRIBUTIONS: &str = "contributions";

/// What was counted, as it was stored.
pub(crate) fn restored_contributions(bytes: Option<&Vec<u8>>) -> Contributions {
    let restored = bytes.and_then(|bytes| codec::decode(bytes).ok());
    restored.unwrap_or_default()
}

impl Hive {
    pub(crate) fn contribution(&mut self, node: Option<NodeId>) -> Result<Reply, CommandError> {
        let member = self.in_fleet()?;
        let fellows: Vec<NodeId> = member.fellows().collect();
        if let Some(node) = node.filter(|node| !fellows.contains(node)) {
            return Err(CommandError::NoMember { node });
        }
        let asked = fellows
            .into_iter()
            .filter(|fellow| node.is_none_or(|node| node == *fellow));
        Ok(Reply::Contribution(
            asked.map(|fellow| self.contribution_of(fellow)).collect(),
        ))
    }

    /// Both sides' counts. What decides is this node's own: nobody's word makes it larger.
    fn contribution_of(&self, fellow: NodeId) -> ContributionRow {
        let forwards = self.local.iter().flat_map(|local| &local.forwards);
        let forwards: Vec<_> = forwards.copied().collect();
        let own = self.contributions.volumes(&fellow, &forwards);
        let told = match &self.stage {
            Stage::Member(member) => told_of_me(member, &fellow),
            _ => None,
        };
        let agrees = told.map(|(given, taken)| {
            // It may count more that was for this node itself, not less than what was passed on.
            contribution::agrees(own.given, taken) && contribution::agrees(own.taken, given)
        });
        ContributionRow {
            node_id: fellow,
            days: u32::try_from(self.contributions.days()).unwrap_or(u32::MAX),
            forwarded_for: own.given,
            forwarded_by: own.taken,
            told_for: told.map(|(_, taken)| taken),
            told_by: told.map(|(given, _)| given),
            agrees,
            ratio_ppm: self.ratio(&fellow).map(Ppm::get),
        }
    }

    /// What a fellow forwards for this node against what this node forwards for it.
    pub(crate) fn ratio(&self, fellow: &NodeId) -> Option<Ppm> {
        let local = self.local.as_ref()?;
        let capacity = capacity_with(local, fellow);
        match self.contributions.share(fellow, &local.forwards, capacity) {
            Share::Known(ratio) => Some(ratio),
            Share::Unknown => None,
        }
    }

    /// A member's uptime by what others attest.
    pub(crate) fn uptime(&self, node: &NodeId) -> Option<Uptime> {
        let Stage::Member(member) = &self.stage else {
            return None;
        };
        let authors = member.folded().members().keys();
        let attested: BTreeMap<NodeId, Attested> = authors
            .filter_map(|author| Some((*author, attested(&tally_of(member, author)?))))
            .collect();
        presence::uptime(node, &attested)
    }

    /// Counts what the node forwarded and who is there, blames leeches and forgives them.
    pub(crate) fn tend_contributions(&mut self) {
        let (Stage::Member(member), Some(local)) = (&self.stage, &self.local) else {
            return;
        };
        if member.tier().is_none() || member.leaving.is_some() {
            return;
        }
        let fellows: BTreeSet<NodeId> = member.fellows().collect();
        let forwards = &local.forwards;
        let capacity = |fellow: &NodeId| capacity_with(local, fellow);
        let wall = self.now.wall;
        if self
            .contributions
            .observe(wall, &fellows, forwards, capacity)
        {
            self.out.store(Change::Meta {
                key: META_CONTRIBUTIONS.to_owned(),
                bytes: codec::encode(&self.contributions),
            });
        }
        fellows.iter().for_each(|fellow| self.judge_share(fellow));
        self.note_presence();
    }

    fn judge_share(&mut self, fellow: &NodeId) {
        let share = self.ratio(fellow).map_or(Share::Unknown, Share::Known);
        let was = self.flags.has(fellow, FlagKind::Leech);
        let is_leech = contribution::is_leech(share, was);
        if was && !is_leech {
            self.unflag(*fellow, FlagKind::Leech);
            self.withdraw_vote(*fellow, VoteKind::Expel);
        }
        let is_for_vote = self.contributions.is_for_vote(fellow);
        if (!is_leech || was) && !is_for_vote {
            return;
        }
        let row = self.contribution_of(*fellow);
        let evidence = format!(
            "in {} days we forwarded {} to it and it forwarded {} to us, {} of a million",
            row.days,
            row.forwarded_for,
            row.forwarded_by,
            row.ratio_ppm.unwrap_or_default()
        );
        if is_leech {
            self.flag(*fellow, FlagKind::Leech, &evidence);
        }
        if is_for_vote {
            self.propose_vote(*fellow, VoteKind::Expel, &evidence);
        }
    }

    /// Notes who is there in the running slot of the chain; once a slot what was noted is told.
    fn note_presence(&mut self) {
        let (Stage::Member(member), Some(local)) = (&self.stage, &self.local) else {
            return;
        };
        if !local.synced || !member.merged.may_write() {
            return;
        }
        let now = self.now.elapsed;
        let fellows: Vec<(NodeId, bool)> = member
            .fellows()
            .map(|fellow| (fellow, is_fresh(member, &fellow, now)))
            .collect();
        // After a restart it goes on from what it told last.
        let told = || tally_of(member, &member.me()).map(|tally| attested(&tally));
        let slot = presence::slot_of(local.height);
        let mut own = self.presence.take().or_else(told).unwrap_or_default();
        let begins = own.note(slot, &fellows);
        let tally = begins.then(|| self.tally(&own));
        self.presence = Some(own);
        if let Some(tally) = tally {
            self.write(Draft::new(keys::tally(), &tally, 0));
        }
    }

    fn tally(&self, own: &Attested) -> Tally {
        let forwards = self.local.iter().flat_map(|local| &local.forwards);
        let forwards: Vec<_> = forwards.copied().collect();
        let rows = own.seen.iter().map(|(fellow, (since, seen))| {
            let volumes = self.contributions.volumes(fellow, &forwards);
            TallyRow {
                fellow: *fellow,
                since: *since,
                seen: *seen,
                given: coarse(volumes.given),
                taken: coarse(volumes.taken),
            }
        });
        Tally {
            slot: own.slot,
            watched: own.watched,
            days: u8::try_from(self.contributions.days()).unwrap_or(u8::MAX),
            rows: rows.collect(),
        }
    }
}

/// What a fellow says that it forwarded to this node, and what this node forwarded to it.
fn told_of_me(member: &Membership, fellow: &NodeId) -> Option<(Msat, Msat)> {
    let tally = tally_of(member, fellow)?;
    let me = member.me();
    let row = tally.rows.iter().find(|row| row.fellow == me)?;
    Some((row.given, row.taken))
}

fn tally_of(member: &Membership, author: &NodeId) -> Option<Tally> {
    let held = member.merged.get(author, &keys::tally())?;
    Tally::decode(&held.record().fields().body).ok()
}

fn attested(tally: &Tally) -> Attested {
    let rows = tally.rows.iter();
    Attested {
        slot: tally.slot,
        watched: tally.watched,
        seen: rows
            .map(|row| (row.fellow, (row.since, row.seen)))
            .collect(),
    }
}

fn capacity_with(local: &LocalSnapshot, fellow: &NodeId) -> Sat {
    let channels = local.channels.iter();
    let with = channels.filter(|channel| channel.peer == *fellow);
    with.map(|channel| channel.capacity).sum()
}

/// Rounded down to four significant bits: enough to compare, too little to follow single payments.
fn coarse(volume: Msat) -> Msat {
    let bits = u64::BITS - volume.get().leading_zeros();
    let dropped = bits.saturating_sub(4);
    Msat::new(volume.get() >> dropped << dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_told_in_four_bits() {
        let coarse = |msat| coarse(Msat::new(msat)).get();
        assert_eq!([0, 1, 15, 16, 17, 31].map(coarse), [0, 1, 15, 16, 16, 30]);
        assert_eq!(coarse(u64::MAX), 15 << 60);
    }
}
