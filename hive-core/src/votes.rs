//! Votes on members: promotion and expulsion by an explicit majority of all full members.

use crate::command::{CommandError, VoteProposal};
use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::Change;
use crate::member::Membership;
use hive_proto::{DecisionBody, RecordBody, Vote, VoteKind, VoteText, codec, keys};
use hive_state::merged::Draft;
use hive_types::limits::{FLAG_EVIDENCE_CHARS, majority};
use hive_types::{NodeId, Tier};
use std::collections::BTreeMap;

/// The store's name for votes that the operator may want to cast.
const META_PROPOSALS: &str = "vote_proposals";

/// Votes that the operator may want to cast: one of each kind on each member at most.
#[derive(Default)]
pub(crate) struct VoteProposals(BTreeMap<(NodeId, VoteKind), VoteProposal>);

impl VoteProposals {
    /// As they were stored.
    pub(crate) fn restored(meta: &BTreeMap<String, Vec<u8>>) -> Self {
        let rows = meta.get(META_PROPOSALS);
        let rows: Option<Vec<VoteProposal>> = rows.and_then(|bytes| codec::decode(bytes).ok());
        let rows = rows.into_iter().flatten();
        Self(rows.map(|row| ((row.subject, row.kind), row)).collect())
    }

    /// In order of subjects.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &VoteProposal> {
        self.0.values()
    }
}

impl Hive {
    /// Proposes a vote to the operator, once for as long as its reason stands. Nothing is cast.
    pub(crate) fn propose_vote(&mut self, subject: NodeId, kind: VoteKind, reason: &str) {
        let reason: String = reason.chars().take(FLAG_EVIDENCE_CHARS).collect();
        let Stage::Member(member) = &self.stage else {
            return;
        };
        let is_open = member.tier() == Some(Tier::Full) && is_open(member, &subject, kind);
        if !is_open || self.vote_proposals.0.contains_key(&(subject, kind)) {
            return;
        }
        let row = VoteProposal {
            subject,
            kind,
            reason: reason.clone(),
            since: self.now.wall,
        };
        self.vote_proposals.0.insert((subject, kind), row);
        self.store_proposals();
        let line = format!("propose to {} {subject}: {reason}", verb(kind));
        self.out.audit(self.now.wall, "vote", None, line);
        self.out.emit(Event::VoteProposed {
            subject,
            kind,
            reason,
        });
    }

    /// The reason for a vote is gone: it is not proposed any more.
    pub(crate) fn withdraw_vote(&mut self, subject: NodeId, kind: VoteKind) {
        if self.vote_proposals.0.remove(&(subject, kind)).is_some() {
            self.store_proposals();
        }
    }

    /// Drops proposals that were decided, or whose subject is no member any more.
    fn tend_proposals(&mut self) {
        let Stage::Member(member) = &self.stage else {
            return;
        };
        if member.tier().is_none() {
            return;
        }
        let before = self.vote_proposals.0.len();
        self.vote_proposals
            .0
            .retain(|(subject, kind), _| is_open(member, subject, *kind));
        if self.vote_proposals.0.len() != before {
            self.store_proposals();
        }
    }

    /// In no fleet any more: there is nobody to vote on.
    pub(crate) fn forget_proposals(&mut self) {
        self.vote_proposals.0.clear();
        self.forget_meta(META_PROPOSALS);
    }

    fn store_proposals(&mut self) {
        let rows: Vec<&VoteProposal> = self.vote_proposals.rows().collect();
        let (key, bytes) = (META_PROPOSALS.to_owned(), codec::encode(&rows));
        self.out.store(Change::Meta { key, bytes });
    }

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
        self.tend_proposals();
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
}

/// Whether a vote on this member could change anything.
fn is_open(member: &Membership, subject: &NodeId, kind: VoteKind) -> bool {
    let seat = member.folded().member(subject);
    let fits = seat.is_some_and(|seat| kind == VoteKind::Expel || seat.tier == Tier::Probationary);
    fits && *subject != member.me()
}

const fn verb(kind: VoteKind) -> &'static str {
    match kind {
        VoteKind::Promote => "promote",
        VoteKind::Expel => "expel",
    }
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
