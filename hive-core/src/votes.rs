//! Votes on members: promotion and expulsion by an explicit majority of all full members.

use crate::command::CommandError;
use crate::hive::{Hive, Stage};
use crate::member::Membership;
use hive_proto::{DecisionBody, RecordBody, Vote, VoteKind, VoteText, keys};
use hive_state::merged::Draft;
use hive_types::limits::majority;
use hive_types::{NodeId, Tier};

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
