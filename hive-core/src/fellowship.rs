//! A member's place in its fleet: the roster as it is stored, fundings told, checkpoints.

use crate::hive::{Hive, Stage};
use crate::io::{Change, MemberRow};
use crate::member::{Membership, WishFor};
use crate::start::META_SPONSOR;
use hive_proto::{DecisionBody, Funding, Manifest, VerifiedManifest, keys};
use hive_state::merged::Draft;
use hive_types::{ActionId, Capabilities, HiveId, NodeId, OutPoint, Tier};

impl Hive {
    /// Wishes for something that is not wished for already. A full queue is tried again later.
    pub(crate) fn wish_once(&mut self, body: DecisionBody) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let resource = body.resource();
        let waits = member
            .decider
            .waiting()
            .any(|(_, waiting)| waiting.resource() == resource);
        if !waits {
            let _ = self.wish_for(body, WishFor::Other);
        }
    }

    /// Tells fellows that a funding is published: the lock on its target lasts longer then.
    pub(crate) fn announce_funding(
        &mut self,
        target: NodeId,
        action: ActionId,
        outpoint: OutPoint,
    ) {
        if matches!(&self.stage, Stage::Member(member) if member.merged.may_write()) {
            let funding = Funding {
                target,
                action,
                outpoint,
            };
            self.write(Draft::new(keys::funding(&target), &funding, 0));
        }
    }

    pub(crate) fn forget_meta(&mut self, key: &str) {
        self.out.store(Change::Meta {
            key: key.to_owned(),
            bytes: Vec::new(),
        });
    }

    /// Proposes a checkpoint when one is due.
    pub(crate) fn tend_checkpoint(&mut self) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if member.tier() == Some(Tier::Full) && member.folded().checkpoint_due() {
            let state = member.folded().state_hash();
            self.wish_once(DecisionBody::Checkpoint { state });
        }
    }

    /// The roster is another one: whose records are kept, and the table of members.
    pub(crate) fn roster_changed(&mut self) {
        let wall = self.now.wall;
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        member.stirred = true;
        let hive = member.identity.hive();
        let seats: Vec<VerifiedManifest> = seats(member, &hive, self.config.network);
        member.merged.set_authors(seats, wall);
        member.know_readers();
        let keys = member.decider.folded().members().iter();
        let keys = keys.map(|(node, seat)| (*node, seat.epoch, seat.key.member_key()));
        member.merged.await_authors(keys);
        if member.tier().is_some() && member.sponsor.take().is_some() {
            self.forget_meta(META_SPONSOR);
        }
        self.store_merged();
        self.store_roster();
    }

    fn store_roster(&mut self) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let rows: Vec<MemberRow> = member
            .folded()
            .members()
            .iter()
            .map(|(node, seat)| {
                let profile = member
                    .merged
                    .manifest(node)
                    .map(|manifest| manifest.profile().clone());
                MemberRow {
                    node_id: *node,
                    tier: seat.tier,
                    epoch: seat.epoch.0,
                    member_key: seat.key.member_key().to_string(),
                    admitted_at: seat.admitted_at.0,
                    software: profile
                        .as_ref()
                        .map(|p| p.software.clone())
                        .unwrap_or_default(),
                    addresses: profile.map(|p| p.addresses).unwrap_or_default(),
                    capabilities: self
                        .confirmed(node)
                        .names()
                        .into_iter()
                        .map(str::to_owned)
                        .collect(),
                }
            })
            .collect();
        let gone: Vec<NodeId> = self
            .rows
            .iter()
            .filter(|node| member.folded().member(node).is_none())
            .copied()
            .collect();
        self.rows = rows.iter().map(|row| row.node_id).collect();
        gone.into_iter()
            .for_each(|node| self.out.store(Change::ForgetMember(node)));
        rows.into_iter()
            .for_each(|row| self.out.store(Change::Member(row)));
    }

    /// What a member claims and the live connection confirms.
    pub(crate) fn confirmed(&self, node: &NodeId) -> Capabilities {
        let Stage::Member(member) = &self.stage else {
            return Capabilities::NONE;
        };
        let claimed = member
            .merged
            .manifest(node)
            .map(|manifest| manifest.profile().capabilities);
        claimed
            .unwrap_or_default()
            .intersection(self.peers.features(node))
    }
}

/// The manifest of each seat: from the chain, or as merged where a checkpoint dropped it.
fn seats(
    member: &Membership,
    hive: &HiveId,
    network: hive_types::Network,
) -> Vec<VerifiedManifest> {
    let of_seat = |(node, seat): (&NodeId, &hive_state::decided::Seat)| {
        let known = member.merged.manifest(node);
        let fits = known.filter(|known| known.epoch() == seat.epoch);
        let fresh = || {
            let manifest: Manifest = Manifest::clone(seat.manifest.as_deref()?);
            manifest.verify(hive, network).ok()
        };
        fits.cloned().or_else(fresh).or_else(|| known.cloned())
    };
    member
        .folded()
        .members()
        .iter()
        .filter_map(of_seat)
        .collect()
}
