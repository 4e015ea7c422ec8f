//! Outside peers to keep away from: the operator's own bans and allowances, what fellows say, and what of
//! it holds here.

use crate::command::{BanRow, BanWord, CommandError, Reply};
use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::Change;
use hive_policy::bans::{self, BanList};
use hive_proto::{Ban, RecordBody, RecordKind, codec, keys};
use hive_state::merged::Draft;
use hive_types::limits::{BAN_LIFETIME, BANS_TOLD, EVIDENCE_LIFETIME};
use hive_types::{BanReason, FellowView, FleetView, Millis, NodeId, Toxicity, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};

/// The store's names for the operator's bans and allowances: one row for each peer.
const META_BAN: &str = "ban/";
const META_ALLOW: &str = "allow/";

/// How often it is looked whether a ban has ended by itself.
const LOOK_AGAIN: Millis = Millis::from_secs(600);

/// What holds here now, to tell when it changes.
#[derive(Default)]
pub(crate) struct Banned {
    peers: BTreeSet<NodeId>,
    /// Words on outside peers came since this was looked at.
    pub(crate) stirred: bool,
    next_look: hive_types::Elapsed,
}

impl Hive {
    /// Keeps away from a peer by the operator's word, and tells fellows.
    pub(crate) fn ban(&mut self, peer: NodeId, reason: &str) -> Result<Reply, CommandError> {
        if self.in_fleet().is_ok_and(|member| member.is_fellow(&peer)) {
            return Err(refused(
                "a fellow is not banned but expelled; use hive-expel",
            ));
        }
        let until = self.now.wall.plus(BAN_LIFETIME);
        let banned = self.bans.ban(self.now, peer, reason, until);
        banned.map_err(|error| refused(&error.to_string()))?;
        self.store_ban(&peer);
        self.out
            .audit(self.now.wall, "ban", None, format!("{peer}: {reason}"));
        let evidence = self.watch.toxicity(self.now, &peer);
        let evidence = evidence.unwrap_or(Toxicity {
            last_seen: self.now.wall,
            ..Toxicity::default()
        });
        let reason = bans::gravest(&evidence).unwrap_or(BanReason::Operator);
        self.tell_ban(peer, reason, evidence, until);
        self.note_bans();
        Ok(Reply::Done(format!(
            "banned {peer}: no new channels, no probes and no pushes; channels stay"
        )))
    }

    /// Ends the own ban of a peer and forgives what the own node saw of it.
    pub(crate) fn unban(&mut self, peer: NodeId) -> Result<Reply, CommandError> {
        let had_own = self.bans.unban(peer);
        let had_seen = self.watch.toxicity(self.now, &peer).is_some();
        self.watch.forgive(self.now, &peer);
        let fellows = bans::effective(self.now, &self.words(), &self.bans).contains(&peer);
        if !had_own && !had_seen {
            let reason = match fellows {
                true => format!(
                    "{peer} is banned by fellows' evidence; hive-allow puts it on the allow-list"
                ),
                false => format!("{peer} is not banned by this node"),
            };
            return Err(refused(&reason));
        }
        self.store_ban(&peer);
        self.store_watch();
        self.lift_ban(peer);
        self.tell_word(peer);
        self.out
            .audit(self.now.wall, "unban", None, peer.to_string());
        self.note_bans();
        Ok(Reply::Done(match fellows {
            true => format!(
                "no longer banned by this node, but by fellows' evidence: {peer}; hive-allow ends that"
            ),
            false => format!("no longer banned: {peer}"),
        }))
    }

    /// Never keeps away from a peer, whoever says what.
    pub(crate) fn allow(&mut self, peer: NodeId) -> Result<Reply, CommandError> {
        let allowed = self.bans.allow(peer);
        allowed.map_err(|error| refused(&error.to_string()))?;
        self.store_ban(&peer);
        self.lift_ban(peer);
        self.out
            .audit(self.now.wall, "allow", None, peer.to_string());
        self.note_bans();
        Ok(Reply::Done(format!("never banned from now on: {peer}")))
    }

    /// Takes a peer off the allow-list.
    pub(crate) fn disallow(&mut self, peer: NodeId) -> Result<Reply, CommandError> {
        if !self.bans.disallow(peer) {
            return Err(refused(&format!("{peer} is not on the allow-list")));
        }
        self.store_ban(&peer);
        self.out
            .audit(self.now.wall, "disallow", None, peer.to_string());
        self.note_bans();
        Ok(Reply::Done(format!("off the allow-list: {peer}")))
    }

    /// Tells all fellows at once that this member keeps away from a peer, and why.
    pub(crate) fn tell_ban(
        &mut self,
        peer: NodeId,
        reason: BanReason,
        evidence: Toxicity,
        until: UnixMillis,
    ) {
        if !self.has_room_for_ban(&peer) {
            return;
        }
        let ban = Ban {
            peer,
            reason,
            evidence,
            until,
            lifted: false,
        };
        let secs = until.since(self.now.wall).as_secs();
        let expiry = u32::try_from(secs).unwrap_or(u32::MAX);
        self.write_to_all(Draft::new(keys::ban(&peer), &ban, expiry));
    }

    /// The ban that this member told, as long as it stands.
    pub(crate) fn told_ban(&self, peer: &NodeId) -> Option<Ban> {
        let Stage::Member(member) = &self.stage else {
            return None;
        };
        let held = member.merged.get(&member.me(), &keys::ban(peer))?;
        let ban = Ban::decode(&held.record().fields().body).ok()?;
        (!ban.lifted && ban.until > self.now.wall).then_some(ban)
    }

    fn lift_ban(&mut self, peer: NodeId) {
        if let Some(told) = self.told_ban(&peer) {
            let expiry = u32::try_from(EVIDENCE_LIFETIME.as_secs()).unwrap_or(u32::MAX);
            let ban = Ban {
                lifted: true,
                ..told
            };
            self.write_to_all(Draft::new(keys::ban(&peer), &ban, expiry));
        }
    }

    /// A member tells a bounded number of bans; those beyond it hold for itself alone.
    fn has_room_for_ban(&self, peer: &NodeId) -> bool {
        let Stage::Member(member) = &self.stage else {
            return false;
        };
        let me = member.me();
        let told = member
            .merged
            .newest_of(&me, RecordKind::BAN, self.now.elapsed, BANS_TOLD);
        let is_told = member.merged.get(&me, &keys::ban(peer)).is_some();
        member.merged.may_write() && (is_told || told.count() < BANS_TOLD)
    }

    /// What members say of outside peers, and who they are: all that a ban depends on.
    fn words(&self) -> FleetView {
        let Stage::Member(member) = &self.stage else {
            return FleetView::default();
        };
        let seats = member.folded().members().iter();
        let fellow = |(node, seat): (&NodeId, &hive_state::decided::Seat)| FellowView {
            node_id: *node,
            tier: seat.tier,
            fresh: true,
            privileges: Default::default(),
            channels: Vec::new(),
            constraint: Default::default(),
            intents: Vec::new(),
        };
        FleetView {
            me: Some(member.me()),
            members: seats.map(fellow).collect(),
            observations: self.observations(member),
            ..FleetView::default()
        }
    }

    /// Looks at bans when there is a reason to.
    pub(crate) fn tend_bans(&mut self) {
        if self.banned.stirred || self.now.elapsed >= self.banned.next_look {
            self.note_bans();
        }
    }

    /// Tells the operator which peers this member keeps away from since it last looked, and which no
    /// more.
    fn note_bans(&mut self) {
        self.banned.stirred = false;
        self.banned.next_look = self.now.elapsed.plus(LOOK_AGAIN);
        let fleet = self.words();
        let now: BTreeSet<NodeId> = bans::effective(self.now, &fleet, &self.bans);
        let before = std::mem::replace(&mut self.banned.peers, now.clone());
        for peer in now.difference(&before) {
            let row = self.ban_row(*peer, &fleet, true);
            let by = row.words.iter().filter(|word| word.counts);
            let by: BTreeSet<NodeId> = by.map(|word| word.author).collect();
            let by = by.into_iter().collect();
            self.out.emit(Event::PeerBanned {
                peer: *peer,
                reason: row.reason,
                by,
            });
        }
        for peer in before.difference(&now) {
            self.out.emit(Event::PeerUnbanned { peer: *peer });
        }
    }

    /// Every peer that is banned, allowed or accused, with what speaks against it.
    pub(crate) fn ban_rows(&self) -> Reply {
        let fleet = self.words();
        let banned = bans::effective(self.now, &fleet, &self.bans);
        let accused = fleet.observations.iter();
        let accused = accused.filter(|word| word.toxicity.is_some_and(|found| !found.is_empty()));
        let mut peers: BTreeSet<NodeId> = accused.map(|word| word.peer).collect();
        peers.extend(&banned);
        peers.extend(self.bans.allowed());
        let rows = peers.into_iter();
        Reply::Bans(
            rows.map(|peer| self.ban_row(peer, &fleet, banned.contains(&peer)))
                .collect(),
        )
    }

    fn ban_row(&self, peer: NodeId, fleet: &FleetView, banned: bool) -> BanRow {
        let own = self
            .bans
            .bans(self.now)
            .find(|(at, _)| **at == peer)
            .map(|(_, ban)| ban.clone());
        let words: Vec<BanWord> = fleet
            .observations
            .iter()
            .filter(|word| word.peer == peer)
            .filter_map(|word| {
                let evidence = word.toxicity.filter(|found| !found.is_empty())?;
                let author = word.author;
                Some(BanWord {
                    author,
                    evidence,
                    counts: bans::counts(self.now, fleet, word),
                })
            })
            .collect();
        let grave = words.iter().filter(|word| word.counts);
        let reason = grave.filter_map(|word| bans::gravest(&word.evidence)).min();
        BanRow {
            peer,
            banned,
            allowed: self.bans.is_allowed(peer),
            reason: reason.unwrap_or(BanReason::Operator),
            said: own.as_ref().map(|ban| ban.reason.clone()),
            until: own.map(|ban| ban.until),
            words,
        }
    }

    fn store_ban(&mut self, peer: &NodeId) {
        let ban = self.bans.get(peer).map(codec::encode).unwrap_or_default();
        let allowed = if self.bans.is_allowed(*peer) {
            vec![1]
        } else {
            Vec::new()
        };
        for (prefix, bytes) in [(META_BAN, ban), (META_ALLOW, allowed)] {
            let key = format!("{prefix}{peer}");
            self.out.store(Change::Meta { key, bytes });
        }
    }
}

/// The operator's bans and allowances as they were stored.
pub(crate) fn restored_bans(meta: &BTreeMap<String, Vec<u8>>) -> BanList {
    let of = |prefix: &'static str| {
        meta.iter().filter_map(move |(key, bytes)| {
            let peer: NodeId = key.strip_prefix(prefix)?.parse().ok()?;
            Some((peer, bytes))
        })
    };
    let bans = of(META_BAN).filter_map(|(peer, bytes)| Some((peer, codec::decode(bytes).ok()?)));
    BanList::restore(bans, of(META_ALLOW).map(|(peer, _)| peer))
}

fn refused(reason: &str) -> CommandError {
    CommandError::Refused {
        reason: reason.to_owned(),
    }
}
