//! A member's life in its fleet: votes, bans, a new key, leaving, and what others' leaving means.

use crate::command::CommandError;
use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::identity::META_IDENTITY;
use crate::io::{Change, MemberRow};
use crate::member::{Membership, WishFor};
use crate::start::{META_EPOCH, META_SPONSOR};
use hive_policy::bans::BanList;
use hive_proto::{
    Ban, BanReason, DecisionBody, Departure, DepartureReason, Epoch, Funding, Item, Manifest,
    RecordBody, RecordKind, VerifiedManifest, Vote, VoteKind, VoteText, codec, keys,
};
use hive_state::merged::Draft;
use hive_types::limits::{BAN_LIFETIME, majority};
use hive_types::{ActionId, Capabilities, HiveId, Millis, NodeId, OutPoint, Ppm, Tier, Toxicity};

/// The store's name for the operator's bans.
pub(crate) const META_BANS: &str = "bans";

/// How long a leaving member waits for the fleet to decide its departure. Its record alone ends its
/// duties; the decision only shrinks the quorum.
const LEAVE_TIMEOUT: Millis = Millis::from_secs(60);

impl Hive {
    /// Signs and spreads a vote; whoever holds enough of them proposes the decision.
    pub(crate) fn cast_vote(
        &mut self,
        subject: NodeId,
        kind: VoteKind,
    ) -> Result<(), CommandError> {
        let Stage::Member(member) = &self.stage else {
            return Err(CommandError::NoFleet);
        };
        let roster = member.folded().roster_hash();
        let text = VoteText {
            kind,
            subject,
            roster,
        };
        let (me, epoch, hive) = (member.me(), member.identity.epoch(), member.identity.hive());
        let vote = Vote::sign(text, me, epoch, &member.identity.secret, &hive);
        let written = self.write(Draft::new(keys::vote(kind, &subject), &vote, 0));
        written
            .map(|_| self.tend_votes())
            .ok_or(CommandError::Starting {
                waiting_for: "a fellow that returns this member's newest records".to_owned(),
            })
    }

    /// Proposes what a majority of all full members voted for. Any full member that sees the votes
    /// does; the decision is made once.
    pub(crate) fn tend_votes(&mut self) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if member.tier() != Some(Tier::Full) {
            return;
        }
        let needed = majority(member.folded().full_members().count());
        let roster = member.folded().roster_hash();
        let mut wanted = Vec::new();
        for (node, seat) in member.folded().members() {
            let promote = (seat.tier == Tier::Probationary).then_some(VoteKind::Promote);
            for kind in promote.into_iter().chain([VoteKind::Expel]) {
                let votes = votes_on(member, kind, node, roster);
                if votes.len() >= needed {
                    wanted.push((kind, *node, votes));
                }
            }
        }
        for (kind, node, votes) in wanted {
            let body = match kind {
                VoteKind::Promote => DecisionBody::Promote { node, votes },
                VoteKind::Expel => DecisionBody::Expel { node, votes },
            };
            self.wish_once(body);
        }
    }

    /// Wishes for something that is not wished for already. A full queue is tried again later.
    fn wish_once(&mut self, body: DecisionBody) {
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

    pub(crate) fn set_ban(
        &mut self,
        peer: NodeId,
        reason: Option<&str>,
    ) -> Result<(), CommandError> {
        let until = self.now.wall.plus(BAN_LIFETIME);
        if let Some(reason) = reason {
            self.bans
                .ban(self.now, peer, reason, until)
                .map_err(|error| CommandError::Refused {
                    reason: error.to_string(),
                })?;
        } else if !self.bans.unban(peer) {
            let reason = format!("{peer} is not banned by this node");
            return Err(CommandError::Refused { reason });
        }
        self.store_bans();
        let evidence = Toxicity {
            force_closes: 0,
            stuck_htlcs: 0,
            failure_rate: Ppm::ZERO,
            last_seen: self.now.wall,
        };
        let lifted = reason.is_none();
        let ban = Ban {
            peer,
            reason: BanReason::Operator,
            evidence,
            until,
            lifted,
        };
        if matches!(&self.stage, Stage::Member(member) if member.merged.may_write()) {
            self.write(Draft::new(keys::ban(&peer), &ban, 0));
        }
        Ok(())
    }

    fn store_bans(&mut self) {
        let bytes = codec::encode(&self.bans);
        self.out.store(Change::Meta {
            key: META_BANS.to_owned(),
            bytes,
        });
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

    /// Leaves: the departure is a record first, then the fleet's decision, and never depends on anyone.
    pub(crate) fn leave(&mut self) -> Result<String, CommandError> {
        let Stage::Member(member) = &self.stage else {
            return Err(CommandError::NoFleet);
        };
        let me = member.me();
        let is_alone = member.fellows().next().is_none();
        let departure = Departure {
            node: me,
            reason: DepartureReason::Operator,
        };
        self.write(Draft::new(keys::departure(), &departure, 0));
        if is_alone || self.connected_fellows(None).is_empty() {
            self.out_of_fleet();
            return Ok("left; fees are being restored".to_owned());
        }
        self.spread_to_all(&keys::departure());
        self.propose_departure(me);
        if let Stage::Member(member) = &mut self.stage {
            let outputs = member.decider.note_departure(me);
            member.leaving = Some(self.now.elapsed.plus(LEAVE_TIMEOUT));
            self.perform(outputs);
        }
        Ok("leaving; fees are being restored and fellows are told".to_owned())
    }

    /// A departure is everybody's business: it goes to each connected fellow at once.
    fn spread_to_all(&mut self, key: &[u8]) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let Some(held) = member.merged.get(&member.me(), key) else {
            return;
        };
        let item = Item::Record(held.record().bytes().to_vec());
        let delta = hive_proto::Delta {
            hops: 1,
            items: vec![item],
            want: Vec::new(),
            more: false,
        };
        let message = hive_proto::Message::Delta(delta);
        for fellow in self.connected_fellows(None) {
            self.out.send(fellow, &message);
        }
    }

    /// Departures that are known and not decided yet.
    pub(crate) fn tend_departures(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let is_gone = |node: &NodeId| {
            let held = member.merged.get(node, &keys::departure());
            held.is_some_and(|held| held.record().fields().kind == RecordKind::DEPARTURE)
        };
        let gone: Vec<NodeId> = member
            .folded()
            .members()
            .keys()
            .copied()
            .filter(is_gone)
            .collect();
        for node in gone {
            let Stage::Member(member) = &mut self.stage else {
                return;
            };
            let outputs = member.decider.note_departure(node);
            self.perform(outputs);
            self.propose_departure(node);
        }
    }

    fn propose_departure(&mut self, node: NodeId) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let Some(held) = member.merged.get(&node, &keys::departure()) else {
            return;
        };
        let departure = held.record().bytes().to_vec();
        self.wish_once(DecisionBody::Depart { node, departure });
    }

    /// Leaving has waited long enough for the fleet.
    pub(crate) fn tend_leaving(&mut self) {
        let due = matches!(&self.stage, Stage::Member(member)
            if member.leaving.is_some_and(|deadline| self.now.elapsed >= deadline));
        if due {
            self.out_of_fleet();
        }
    }

    /// In no fleet any more: its state is forgotten, money and fees are not.
    pub(crate) fn out_of_fleet(&mut self) {
        let departure = self.own_departure();
        let Stage::Member(member) = std::mem::replace(&mut self.stage, Stage::Alone) else {
            return;
        };
        self.remember_epoch(member.identity.hive(), member.identity.epoch());
        self.out.store(Change::ForgetFleet);
        self.keep_departure(departure);
        for key in [META_IDENTITY, META_SPONSOR, crate::decide::META_CHECKPOINT] {
            self.forget_meta(key);
        }
        self.out.audit(
            self.now.wall,
            "leave",
            None,
            format!("out of the hive {}", member.identity.hive()),
        );
        self.out.emit(Event::Left);
        self.tend_fees();
    }

    pub(crate) fn forget_meta(&mut self, key: &str) {
        self.out.store(Change::Meta {
            key: key.to_owned(),
            bytes: Vec::new(),
        });
    }

    /// A node that comes back needs an epoch above those it had.
    fn remember_epoch(&mut self, hive: HiveId, epoch: Epoch) {
        self.epochs.insert(hive, epoch);
        let bytes = codec::encode(&self.epochs);
        self.out.store(Change::Meta {
            key: META_EPOCH.to_owned(),
            bytes,
        });
    }

    pub(crate) fn next_epoch(&self, hive: &HiveId) -> Epoch {
        Epoch(self.epochs.get(hive).map_or(1, |epoch| epoch.0 + 1))
    }

    /// Begins a new epoch: a fresh member key that the node certifies and the fleet seats.
    pub(crate) fn rotate_key(&mut self) -> Result<String, CommandError> {
        let Stage::Member(member) = &self.stage else {
            return Err(CommandError::NoFleet);
        };
        if member.new_key.is_some() {
            return Err(CommandError::Busy);
        }
        let known = member.merged.epoch(&member.me()).unwrap_or_default();
        let epoch = Epoch(known.max(member.identity.epoch()).0 + 1);
        let key = self.new_key(member.identity.hive(), epoch);
        self.ask_node_to_sign(&key);
        if let Stage::Member(member) = &mut self.stage {
            member.new_key = Some(key);
        }
        Ok(format!(
            "beginning epoch {}; the node signs its new member key",
            epoch.0
        ))
    }

    /// The node certified a new member key: the old one is void, records go on under the new one, and
    /// the fleet is asked to seat it.
    pub(crate) fn key_certified(&mut self, identity: crate::identity::Identity) {
        let network = self.config.network;
        let now = self.now;
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let Ok(verified) = identity.manifest.clone().verify(&identity.hive(), network) else {
            return;
        };
        member.new_key = None;
        member.merged.begin_epoch(verified.clone(), now);
        let is_restored = member.start.is_restored();
        let rotating = match is_restored {
            true => Ok(()),
            false => member
                .decider
                .rotate(&verified, identity.secret.clone())
                .map(drop),
        };
        member.door.set_manifest(verified.clone());
        member.identity = identity.clone();
        member.heart = Default::default();
        let bytes = member.identity.encode();
        self.out.store(Change::Meta {
            key: META_IDENTITY.to_owned(),
            bytes,
        });
        self.out.audit(
            now.wall,
            "epoch",
            None,
            format!("member key of epoch {}", identity.epoch().0),
        );
        self.store_merged();
        self.spread(
            vec![Item::Epoch(Box::new(identity.manifest))],
            hive_types::limits::RELAY_HOPS,
            None,
        );
        if is_restored {
            self.renew_voice();
        }
        if rotating.is_err() {
            self.alert("too many proposals wait; run hive-rotate-key again in a minute".to_owned());
        }
        self.tend_decisions();
    }

    /// The fleet seated a member's new key.
    pub(crate) fn reseated(&mut self, node: NodeId) {
        if node == self.config.node_id {
            self.end_restoring();
        }
    }

    /// Asks the fleet to seat members whose node has certified a newer key. Any full member does, for
    /// one that lost its memory must not speak before it is seated.
    pub(crate) fn tend_epochs(&mut self) {
        let Stage::Member(member) = &mut self.stage else {
            return;
        };
        let newer: Vec<VerifiedManifest> = member
            .folded()
            .members()
            .iter()
            .filter_map(|(node, seat)| {
                let manifest = member.merged.manifest(node)?;
                (manifest.epoch() > seat.epoch).then(|| manifest.clone())
            })
            .collect();
        let is_full = member.tier() == Some(Tier::Full);
        for manifest in newer {
            let Stage::Member(member) = &mut self.stage else {
                return;
            };
            member.decider.note_epoch(manifest.clone());
            if is_full {
                let manifest = Box::new(manifest.into_manifest());
                self.wish_once(DecisionBody::Reseat { manifest });
            }
        }
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

    /// Founds the fleet anew, alone, when its majority is lost for good.
    pub(crate) fn refound(&mut self) -> Result<String, CommandError> {
        if !matches!(self.stage, Stage::Member(_)) {
            return Err(CommandError::NoFleet);
        }
        self.out_of_fleet();
        self.found()
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

/// Votes of full members on this roster, one each.
fn votes_on(
    member: &Membership,
    kind: VoteKind,
    subject: &NodeId,
    roster: hive_types::Digest,
) -> Vec<Vote> {
    let text = VoteText {
        kind,
        subject: *subject,
        roster,
    };
    let full = member.folded().full_members();
    let votes = full.filter_map(|(node, seat)| {
        let held = member.merged.get(node, &keys::vote(kind, subject))?;
        let vote = Vote::decode(&held.record().fields().body).ok()?;
        let counts = vote.text == text && vote.voter == *node && vote.epoch == seat.epoch;
        counts.then_some(vote)
    });
    votes.collect()
}

/// The operator's bans as they were stored.
pub(crate) fn restored_bans(bytes: &[u8]) -> BanList {
    codec::decode(bytes).unwrap_or_default()
}
