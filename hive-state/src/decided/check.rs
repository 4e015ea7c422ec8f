//! What a decision must fulfil as a plain function of the chain before it: the same for everybody,
//! at any time. What depends on time or on the outside world is for [`super::Judge`] alone.

use super::fold::Folded;
use hive_proto::{
    Decision, DecisionBody, Epoch, Manifest, ManifestError, Record, RecordKind, SignedDecision,
    Slot, Ticket, VerifiedManifest, VerifyingKey, Vote, VoteKind,
};
use hive_types::limits::{CHECKPOINT_EVERY, LOCKS_PER_MEMBER, MEMBERS, STATE_BYTES, majority};
use hive_types::{Digest, NodeId, Tier};
use std::collections::BTreeSet;
use thiserror::Error;

/// The decision can't follow this chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    /// Not the next number, or after another decision.
    #[error("slot {} does not follow this chain; ask for what is missing", .0.0)]
    Position(Slot),
    /// A charter is decision 0 and nothing else is.
    #[error("a charter is decision 0, by the founder, for up to {MEMBERS} members")]
    Charter,
    /// Its author may not propose this.
    #[error("{0} may not propose this; a full member, or the one that it is about, may")]
    Author(NodeId),
    /// The author's seal does not match its seat.
    #[error("the decision is not sealed by the key of {0}'s seat")]
    AuthorSeal(NodeId),
    /// The manifest does not count.
    #[error("manifest: {0}")]
    Manifest(ManifestError),
    /// The ticket does not count here.
    #[error("ticket: {0}")]
    Ticket(TicketFault),
    /// It is a member already.
    #[error("{0} is a member already")]
    Member(NodeId),
    /// It is no member.
    #[error("{0} is no member")]
    NoMember(NodeId),
    /// It was expelled, or its key was.
    #[error("{0} was expelled, and an expelled node or key never returns")]
    Expelled(NodeId),
    /// The epoch was used before.
    #[error("epoch {} is not above the one that counted last; sign a new manifest", .0.0)]
    OldEpoch(Epoch),
    /// As many members as the charter allows.
    #[error("the fleet has as many members as its charter allows")]
    Full,
    /// The state would no longer fit into a snapshot.
    #[error("the fleet's history is full; found it again with hive-refound")]
    HistoryFull,
    /// The tier is what was asked for already.
    #[error("{0} is a full member already")]
    FullAlready(NodeId),
    /// The votes are no majority of the full members on this roster.
    #[error("votes: {0}")]
    Votes(VoteFault),
    /// The departure record is not the leaver's.
    #[error("the departure is not signed by {0} under its present key")]
    Departure(NodeId),
    /// A lock on oneself.
    #[error("a member can't lock itself")]
    OwnNode,
    /// As many locks as a member may hold.
    #[error("a member holds at most {LOCKS_PER_MEMBER} locks; unlock one first")]
    LockQuota,
    /// The author holds no such lock.
    #[error("the author holds no lock on {0} for that action")]
    NotHolder(NodeId),
    /// The checkpoint names another state.
    #[error("the checkpoint's hash is not that of the state before it")]
    State,
    /// The newest checkpoint is too near.
    #[error(
        "a checkpoint follows the one before after {CHECKPOINT_EVERY} decisions at the earliest"
    )]
    TooSoon,
}

/// Why a ticket admits nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TicketFault {
    /// For another fleet or chain.
    #[error("it is for another hive")]
    Foreign,
    /// Its issuer is no full member, or has a newer key.
    #[error("its issuer is no full member under that key; ask for a new one")]
    Issuer,
    /// The issuer did not sign it.
    #[error("its signature does not match")]
    Signature,
    /// It was used.
    #[error("it was redeemed before; ask for a new one")]
    Redeemed,
    /// It names another guest.
    #[error("it is for another node")]
    Guest,
    /// The manifest does not claim what the ticket asks for.
    #[error("the manifest lacks a capability that it asks for")]
    Capabilities,
}

/// Why votes do not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VoteFault {
    /// On another question, member or roster.
    #[error("{0}'s is on another question or another roster; vote again")]
    Text(NodeId),
    /// Not a full member under that key.
    #[error("{0} has no vote under that key")]
    Voter(NodeId),
    /// The same voter twice.
    #[error("{0} votes twice")]
    Twice(NodeId),
    /// The seal does not match.
    #[error("{0} did not sign this vote")]
    Signature(NodeId),
    /// Fewer than a majority of all full members.
    #[error("{votes} of {needed}; silence is no vote")]
    TooFew {
        /// Votes that came.
        votes: usize,
        /// Votes that a majority takes.
        needed: usize,
    },
}

impl From<TicketFault> for Invalid {
    fn from(fault: TicketFault) -> Self {
        Self::Ticket(fault)
    }
}

impl From<VoteFault> for Invalid {
    fn from(fault: VoteFault) -> Self {
        Self::Votes(fault)
    }
}

impl Folded {
    /// Checks a decision that is to follow this state, and its author's seal.
    ///
    /// # Errors
    /// [`Invalid`] says what is wrong.
    pub fn check_signed(&self, signed: &SignedDecision) -> Result<(), Invalid> {
        self.check_position(&signed.decision)?;
        let author = signed.decision.author;
        self.author_key(signed)
            .and_then(|key| signed.verify(self.hive(), &key).ok())
            .ok_or(Invalid::AuthorSeal(author))?;
        self.check(&signed.decision)
    }

    /// Checks a decision that is to follow this state, apart from its author's seal.
    ///
    /// # Errors
    /// [`Invalid`] says what is wrong.
    pub fn check(&self, decision: &Decision) -> Result<(), Invalid> {
        self.check_position(decision)?;
        let author = &decision.author;
        match &decision.body {
            DecisionBody::Charter { .. } => Err(Invalid::Charter),
            DecisionBody::Admit { ticket, manifest } => self.check_admit(author, ticket, manifest),
            DecisionBody::Promote { node, votes } => self.check_promote(author, node, votes),
            DecisionBody::Expel { node, votes } => self.check_expel(author, node, votes),
            DecisionBody::Depart { node, departure } => self.check_depart(author, node, departure),
            DecisionBody::Reseat { manifest } => self.check_reseat(author, manifest),
            DecisionBody::Lock { target, .. } => self.check_lock(author, target),
            DecisionBody::Unlock { target, action, .. } => match self.locks.get(target) {
                Some(lock) if lock.holder == *author && lock.action == *action => Ok(()),
                _ => Err(Invalid::NotHolder(*target)),
            },
            DecisionBody::Checkpoint { state } => self.check_checkpoint(author, state),
        }
    }

    fn check_position(&self, decision: &Decision) -> Result<(), Invalid> {
        if decision.slot != self.head.next() || decision.previous != self.head_hash {
            return Err(Invalid::Position(decision.slot));
        }
        match self.members.contains_key(&decision.author) {
            true => Ok(()),
            false => Err(Invalid::Author(decision.author)),
        }
    }

    /// The key that seals what this author proposes: its seat's. Its own re-seating may be sealed by
    /// the key that it introduces, for its old one may be lost.
    fn author_key(&self, signed: &SignedDecision) -> Option<VerifyingKey> {
        let author = signed.decision.author;
        let seat = self.members.get(&author)?;
        if signed.epoch == seat.epoch {
            return Some(seat.key);
        }
        let (epoch, key) = reseated(&signed.decision.body, &author)?;
        (epoch == signed.epoch).then_some(key)
    }

    fn is_full(&self, node: &NodeId) -> bool {
        self.members
            .get(node)
            .is_some_and(|seat| seat.tier == Tier::Full)
    }

    fn full_author(&self, author: &NodeId) -> Result<(), Invalid> {
        match self.is_full(author) {
            true => Ok(()),
            false => Err(Invalid::Author(*author)),
        }
    }

    fn verified(&self, manifest: &Manifest) -> Result<VerifiedManifest, Invalid> {
        manifest
            .clone()
            .verify(self.hive(), self.network())
            .map_err(Invalid::Manifest)
    }

    fn check_admit(
        &self,
        author: &NodeId,
        ticket: &Ticket,
        manifest: &Manifest,
    ) -> Result<(), Invalid> {
        self.full_author(author)?;
        let guest = self.verified(manifest)?;
        let node = guest.node_id();
        if self.members.contains_key(&node) {
            return Err(Invalid::Member(node));
        }
        let key = guest.key().member_key();
        if self.expelled.contains_key(&node) || self.expelled.values().any(|out| *out == key) {
            return Err(Invalid::Expelled(node));
        }
        if self
            .departed
            .get(&node)
            .is_some_and(|last| guest.epoch() <= *last)
        {
            return Err(Invalid::OldEpoch(guest.epoch()));
        }
        self.check_ticket(ticket, &guest)?;
        let members_max = usize::from(self.parameters().members_max).min(MEMBERS);
        if self.members.len() >= members_max {
            return Err(Invalid::Full);
        }
        if self.encode().len() + ADMISSION_BYTES > STATE_BYTES {
            return Err(Invalid::HistoryFull);
        }
        Ok(())
    }

    fn check_ticket(&self, ticket: &Ticket, guest: &VerifiedManifest) -> Result<(), TicketFault> {
        let body = ticket.body();
        if body.hive != *self.hive() || body.network != self.network() {
            return Err(TicketFault::Foreign);
        }
        if self.redeemed.contains_key(&body.id) {
            return Err(TicketFault::Redeemed);
        }
        if body.guest.is_some_and(|named| named != guest.node_id()) {
            return Err(TicketFault::Guest);
        }
        if !guest.profile().capabilities.contains(body.required) {
            return Err(TicketFault::Capabilities);
        }
        let issuer = self.members.get(&body.issuer);
        let issuer = issuer.filter(|seat| seat.tier == Tier::Full && seat.epoch == body.epoch);
        let key = issuer.ok_or(TicketFault::Issuer)?.key;
        ticket.verify(&key).map_err(|_| TicketFault::Signature)
    }

    fn check_promote(&self, author: &NodeId, node: &NodeId, votes: &[Vote]) -> Result<(), Invalid> {
        self.full_author(author)?;
        let seat = self.members.get(node).ok_or(Invalid::NoMember(*node))?;
        if seat.tier == Tier::Full {
            return Err(Invalid::FullAlready(*node));
        }
        Ok(self.check_votes(VoteKind::Promote, node, votes)?)
    }

    fn check_expel(&self, author: &NodeId, node: &NodeId, votes: &[Vote]) -> Result<(), Invalid> {
        self.full_author(author)?;
        if !self.members.contains_key(node) {
            return Err(Invalid::NoMember(*node));
        }
        Ok(self.check_votes(VoteKind::Expel, node, votes)?)
    }

    fn check_votes(&self, kind: VoteKind, node: &NodeId, votes: &[Vote]) -> Result<(), VoteFault> {
        let needed = majority(self.full_members().count());
        if votes.len() < needed {
            return Err(VoteFault::TooFew {
                votes: votes.len(),
                needed,
            });
        }
        let roster = self.roster_hash();
        let mut voters = BTreeSet::new();
        for vote in votes {
            let voter = vote.voter;
            let text = &vote.text;
            if text.kind != kind || text.subject != *node || text.roster != roster {
                return Err(VoteFault::Text(voter));
            }
            if !voters.insert(voter) {
                return Err(VoteFault::Twice(voter));
            }
            let seat = self.members.get(&voter);
            let seat = seat.filter(|seat| seat.tier == Tier::Full && seat.epoch == vote.epoch);
            let key = seat.ok_or(VoteFault::Voter(voter))?.key;
            vote.verify(self.hive(), &key)
                .map_err(|_| VoteFault::Signature(voter))?;
        }
        Ok(())
    }

    fn check_depart(
        &self,
        author: &NodeId,
        node: &NodeId,
        departure: &[u8],
    ) -> Result<(), Invalid> {
        if author != node {
            self.full_author(author)?;
        }
        let seat = self.members.get(node).ok_or(Invalid::NoMember(*node))?;
        let signed_by_leaver = || {
            let record = Record::parse(departure.to_vec()).ok()?;
            let fields = record.fields();
            let its_own = fields.author == *node
                && fields.kind == RecordKind::DEPARTURE
                && fields.version.epoch == seat.epoch;
            (its_own && record.verify(self.hive(), &seat.key).is_ok()).then_some(())
        };
        signed_by_leaver().ok_or(Invalid::Departure(*node))
    }

    fn check_reseat(&self, author: &NodeId, manifest: &Manifest) -> Result<(), Invalid> {
        let newer = self.verified(manifest)?;
        let node = newer.node_id();
        if *author != node {
            self.full_author(author)?;
        }
        let seat = self.members.get(&node).ok_or(Invalid::NoMember(node))?;
        if newer.epoch() <= seat.epoch {
            return Err(Invalid::OldEpoch(newer.epoch()));
        }
        let key = newer.key().member_key();
        match self.expelled.values().any(|out| *out == key) {
            true => Err(Invalid::Expelled(node)),
            false => Ok(()),
        }
    }

    /// Whether the target is free is not for here: an older lock may have ended by height, and heights
    /// are of the outside world. The count is: a holder ends a lock before it takes a third.
    fn check_lock(&self, author: &NodeId, target: &NodeId) -> Result<(), Invalid> {
        if author == target {
            return Err(Invalid::OwnNode);
        }
        let others = self.locks.iter();
        let held = others.filter(|(on, lock)| lock.holder == *author && *on != target);
        match held.count() < LOCKS_PER_MEMBER {
            true => Ok(()),
            false => Err(Invalid::LockQuota),
        }
    }

    fn check_checkpoint(&self, author: &NodeId, state: &Digest) -> Result<(), Invalid> {
        self.full_author(author)?;
        if !self.checkpoint_due() {
            return Err(Invalid::TooSoon);
        }
        match *state == self.state_hash() {
            true => Ok(()),
            false => Err(Invalid::State),
        }
    }

    /// Whether the next decision may be a checkpoint.
    pub const fn checkpoint_due(&self) -> bool {
        self.head.next().0 >= self.checkpoint.0.saturating_add(CHECKPOINT_EVERY)
    }
}

/// What an admission adds to the state at most: a seat, a redeemed ticket, two locks.
const ADMISSION_BYTES: usize = 512;

/// The epoch and key that a decision gives `node`, when it re-seats it.
pub(crate) fn reseated(body: &DecisionBody, node: &NodeId) -> Option<(Epoch, VerifyingKey)> {
    let DecisionBody::Reseat { manifest } = body else {
        return None;
    };
    let certification = manifest.certification();
    if certification.node != *node {
        return None;
    }
    let key = VerifyingKey::new(&certification.member_key).ok()?;
    Some((certification.epoch, key))
}
