//! Hearing statements: whose word counts on what, and the answers of the acceptor.

use super::output::{DeciderOutput, Ignored};
use super::{Decider, acceptance, departure_of, reseating};
use crate::decided::acceptor::{Prepared, Proposed};
use crate::decided::certificate::acceptor_key;
use crate::decided::judge::{Judge, Standing};
use core::cmp::Ordering;
use hive_proto::{
    Ballot, DecisionBody, SealDomain, Sealed, SignedDecision, Statement, VerifyingKey, codec,
};
use hive_types::limits::{PROPOSALS_PER_MEMBER, ROUND_JUMP};
use hive_types::{Digest, Elapsed, NodeId};

/// Things that one member may ask for in one slot: its own queue, and as many that it finishes for
/// others.
const RESOURCES_PER_SLOT: usize = 2 * PROPOSALS_PER_MEMBER;

/// Characters kept of another member's reason.
const REASON_CHARS: usize = 200;

impl Decider {
    /// Hears a statement.
    pub fn handle(
        &mut self,
        now: Elapsed,
        sealed: &Sealed,
        judge: &dyn Judge,
    ) -> Vec<DeciderOutput> {
        let mut out = Vec::new();
        if let Err(why) = self.hear(now, sealed, judge, &mut out) {
            let from = sealed.author;
            out.push(DeciderOutput::Ignored { from, why });
        }
        out
    }

    fn hear(
        &mut self,
        now: Elapsed,
        sealed: &Sealed,
        judge: &dyn Judge,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        let statement: Statement = codec::decode(&sealed.body).map_err(|_| Ignored::Malformed)?;
        let from = sealed.author;
        if from == self.me.node {
            return Err(Ignored::Stale);
        }
        self.compare_acceptances(sealed, &statement, out);
        match statement.slot().cmp(&self.durable.slot) {
            Ordering::Less => self.offer(sealed, &statement, out),
            Ordering::Greater => self.fall_behind(sealed, out),
            Ordering::Equal => {
                if !self.taking_part {
                    return Err(Ignored::NotTakingPart);
                }
                let key = self.voice(sealed, &statement)?;
                self.check_seal(sealed, &key)?;
                self.answer(now, sealed, statement, judge, out)
            }
        }
    }

    /// Also acceptances of slots that are decided, and those for others that somebody hands on as proof.
    fn compare_acceptances(
        &mut self,
        sealed: &Sealed,
        statement: &Statement,
        out: &mut Vec<DeciderOutput>,
    ) {
        let Statement::Accepted {
            slot,
            ballot,
            decision,
        } = statement
        else {
            return;
        };
        let is_full = self.folded().quorum().members().contains(&sealed.author);
        if let Ok(Some(key)) = self.seat_key(sealed)
            && is_full
            && self.check_seal(sealed, &key).is_ok()
        {
            out.extend(self.heard.note(sealed, *slot, *ballot, *decision));
        }
    }

    fn check_seal(&self, sealed: &Sealed, key: &VerifyingKey) -> Result<(), Ignored> {
        sealed
            .verify(SealDomain::Statement, self.folded().hive(), key)
            .map_err(|_| Ignored::Seal)
    }

    fn seat_key(&self, sealed: &Sealed) -> Result<Option<VerifyingKey>, Ignored> {
        let seat = self.folded().member(&sealed.author);
        let seat = seat.ok_or(Ignored::Stranger)?;
        Ok((seat.epoch == sealed.epoch).then_some(seat.key))
    }

    /// A member still works on a slot that is decided. Late answers are no sign of that.
    fn offer(
        &self,
        sealed: &Sealed,
        statement: &Statement,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        if !matches!(
            statement,
            Statement::Prepare { .. } | Statement::Propose { .. }
        ) {
            return Err(Ignored::Stale);
        }
        let key = self.seat_key(sealed)?.ok_or(Ignored::Epoch)?;
        self.check_seal(sealed, &key)?;
        out.push(DeciderOutput::Offer {
            to: sealed.author,
            from: statement.slot(),
        });
        Ok(())
    }

    /// Somebody is ahead. One that is not known here may be a member since.
    fn fall_behind(&self, sealed: &Sealed, out: &mut Vec<DeciderOutput>) -> Result<(), Ignored> {
        if let Ok(Some(key)) = self.seat_key(sealed) {
            self.check_seal(sealed, &key)?;
        }
        out.push(DeciderOutput::NeedChain {
            from: self.durable.slot,
            ask: sealed.author,
        });
        Ok(())
    }

    /// The key under which this author counts in this statement.
    fn voice(&self, sealed: &Sealed, statement: &Statement) -> Result<VerifyingKey, Ignored> {
        let from = sealed.author;
        let seated = self.seat_key(sealed)?;
        if self.left.contains(&from) && !self.concerns(&from, statement, &departure_of(&from)) {
            return Err(Ignored::Departed);
        }
        match self.newer.get(&from) {
            None => seated.ok_or(Ignored::Epoch),
            Some(newer)
                if newer.epoch() == sealed.epoch
                    && self.concerns(&from, statement, &reseating(newer)) =>
            {
                Ok(*newer.key())
            }
            Some(_) => Err(Ignored::Epoch),
        }
    }

    /// Whether a statement by `from` is about `resource` and nothing else.
    fn concerns(&self, from: &NodeId, statement: &Statement, resource: &Digest) -> bool {
        match statement {
            Statement::Prepare { resource: on, .. } => on == resource,
            Statement::Propose { ballot, .. } => *ballot == self.ballot_of(ballot, resource, from),
            _ => self.attempt.as_ref().is_some_and(|attempt| {
                let proposed = attempt.core.proposed();
                let on = proposed.map_or(attempt.resource, |value| value.decision.body.resource());
                on == *resource
            }),
        }
    }

    fn ballot_of(&self, like: &Ballot, resource: &Digest, proposer: &NodeId) -> Ballot {
        Ballot::new(like.round, &self.durable.previous, resource, *proposer)
    }

    fn answer(
        &mut self,
        now: Elapsed,
        sealed: &Sealed,
        statement: Statement,
        judge: &dyn Judge,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        let from = sealed.author;
        match statement {
            Statement::Prepare {
                previous,
                ballot,
                resource,
                ..
            } => {
                if previous != self.durable.previous {
                    return Err(Ignored::Fork);
                }
                self.on_prepare(now, from, ballot, resource, out)
            }
            Statement::Promise {
                ballot, accepted, ..
            } => self.on_promise(now, from, ballot, accepted, judge, out),
            Statement::Propose {
                ballot, decision, ..
            } => self.on_propose(now, from, ballot, &decision, judge, out),
            Statement::Accepted {
                ballot, decision, ..
            } => self.on_accepted(sealed, ballot, decision, out),
            Statement::Behind {
                ballot, promised, ..
            } => self.on_behind(ballot, promised),
            Statement::Declined {
                ballot,
                decision,
                reason,
                ..
            } => self.on_declined(now, from, ballot, decision, reason, out),
        }
    }

    fn reply(&self, to: NodeId, statement: &Statement) -> DeciderOutput {
        let sealed = self.seal(statement);
        DeciderOutput::Send { to, sealed }
    }

    /// A round that is far above what is known moves the bound by one jump and is not heard itself, so
    /// that an honest fleet that got there is followed and a liar can't reach the end in one step.
    fn check_round(&mut self, ballot: &Ballot) -> Result<(), Ignored> {
        let promised = self.durable.acceptor.promised().map_or(0, |at| at.round);
        let bound = promised.max(self.seen_round).saturating_add(ROUND_JUMP);
        if ballot.round > bound {
            self.seen_round = bound;
            return Err(Ignored::Ballot);
        }
        Ok(())
    }

    fn on_prepare(
        &mut self,
        now: Elapsed,
        from: NodeId,
        ballot: Ballot,
        resource: Digest,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        if ballot != self.ballot_of(&ballot, &resource, &from) {
            return Err(Ignored::Ballot);
        }
        self.check_round(&ballot)?;
        if !self.answers_on(&resource) {
            return Err(Ignored::NotTakingPart);
        }
        let asked = self.asked.entry(from).or_default();
        if !asked.contains(&resource) && asked.len() >= RESOURCES_PER_SLOT {
            return Err(Ignored::Quota);
        }
        asked.insert(resource);
        let slot = self.durable.slot;
        match self.durable.acceptor.on_prepare(ballot) {
            Prepared::Promise(accepted) => {
                self.stand_back(now);
                out.push(self.persist());
                let accepted = accepted.map(|(at, value)| (at, Box::new(value)));
                let promise = Statement::Promise {
                    slot,
                    ballot,
                    accepted,
                };
                out.push(self.reply(from, &promise));
            }
            Prepared::Behind(promised) => out.push(self.behind(from, ballot, promised)),
        }
        Ok(())
    }

    fn behind(&self, to: NodeId, ballot: Ballot, promised: Ballot) -> DeciderOutput {
        let slot = self.durable.slot;
        self.reply(
            to,
            &Statement::Behind {
                slot,
                ballot,
                promised,
            },
        )
    }

    /// Somebody else is at it: leaves it a round's time before trying in a higher one.
    fn stand_back(&mut self, now: Elapsed) {
        let until = now.plus(self.courtesy());
        self.retry_at = self.retry_at.max(until);
        self.finish_at = self.finish_at.max(until);
    }

    fn on_propose(
        &mut self,
        now: Elapsed,
        from: NodeId,
        ballot: Ballot,
        signed: &SignedDecision,
        judge: &dyn Judge,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        let resource = signed.decision.body.resource();
        let fresh =
            signed.decision.author == from && ballot == self.ballot_of(&ballot, &resource, &from);
        let promised = self.durable.acceptor.promised() == Some(&ballot);
        if ballot.proposer != from || !(fresh || promised) {
            return Err(Ignored::Ballot);
        }
        self.check_round(&ballot)?;
        if !self.answers_on(&resource) {
            return Err(Ignored::NotTakingPart);
        }
        let repeated = self.durable.acceptor.accepted() == Some(&(ballot, signed.clone()));
        let standing = if fresh {
            Standing::Fresh
        } else {
            Standing::Adopted
        };
        if !repeated && let Err(reason) = self.verdict(signed, standing, judge) {
            self.declined.insert(signed.decision.hash());
            out.push(self.reply(
                from,
                &Statement::Declined {
                    slot: self.durable.slot,
                    ballot,
                    decision: signed.decision.hash(),
                    reason,
                },
            ));
            return Ok(());
        }
        self.accept(now, from, ballot, signed, out)
    }

    fn verdict(
        &self,
        signed: &SignedDecision,
        standing: Standing,
        judge: &dyn Judge,
    ) -> Result<(), String> {
        let checked = self.folded().check_signed(signed);
        checked.map_err(|invalid| invalid.to_string())?;
        judge.judge(self.folded(), &signed.decision, standing)
    }

    fn accept(
        &mut self,
        now: Elapsed,
        from: NodeId,
        ballot: Ballot,
        signed: &SignedDecision,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        match self.durable.acceptor.on_propose(ballot, signed) {
            Proposed::Accepted => {
                self.stand_back(now);
                out.push(self.persist());
                let accepted = Statement::Accepted {
                    slot: self.durable.slot,
                    ballot,
                    decision: signed.decision.hash(),
                };
                out.push(self.reply(from, &accepted));
                Ok(())
            }
            Proposed::Behind(promised) => {
                out.push(self.behind(from, ballot, promised));
                Ok(())
            }
            Proposed::Conflict => Err(Ignored::Ballot),
        }
    }

    /// A promise counts from full members, and what it reports counts when its author could propose
    /// it: a made-up acceptance is no way to have something decided that nobody asked for.
    fn on_promise(
        &mut self,
        now: Elapsed,
        from: NodeId,
        ballot: Ballot,
        accepted: Option<(Ballot, Box<SignedDecision>)>,
        judge: &dyn Judge,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        let possible = accepted
            .as_ref()
            .is_none_or(|(_, value)| self.folded().check_signed(value).is_ok());
        let counts = possible && self.folded().quorum().members().contains(&from);
        let attempt = self.attempt.as_mut();
        let attempt = attempt.filter(|attempt| counts && *attempt.core.ballot() == ballot);
        let attempt = attempt.ok_or(Ignored::Stale)?;
        let accepted = accepted.map(|(at, value)| (at, *value));
        attempt.core.on_promise(from, accepted);
        self.advance(now, judge, out);
        Ok(())
    }

    fn on_accepted(
        &mut self,
        sealed: &Sealed,
        ballot: Ballot,
        hash: Digest,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        let attempt = self.attempt.as_ref();
        let proposed = attempt
            .filter(|attempt| *attempt.core.ballot() == ballot)
            .and_then(|attempt| attempt.core.proposed())
            .filter(|value| value.decision.hash() == hash)
            .ok_or(Ignored::Stale)?;
        let body: &DecisionBody = &proposed.decision.body;
        acceptor_key(self.folded(), body, &sealed.author, sealed.epoch).ok_or(Ignored::Epoch)?;
        if let Some(attempt) = &mut self.attempt {
            attempt.core.on_accepted(sealed.author, acceptance(sealed));
        }
        self.conclude(out);
        Ok(())
    }

    /// The next attempt goes above what was promised, by a bounded step.
    fn on_behind(&mut self, ballot: Ballot, promised: Ballot) -> Result<(), Ignored> {
        let attempt = self.attempt.as_ref();
        if attempt.is_none_or(|attempt| *attempt.core.ballot() != ballot) {
            return Err(Ignored::Stale);
        }
        let bound = ballot.round.saturating_add(ROUND_JUMP);
        self.seen_round = self.seen_round.max(promised.round.min(bound));
        Ok(())
    }

    fn on_declined(
        &mut self,
        now: Elapsed,
        from: NodeId,
        ballot: Ballot,
        hash: Digest,
        reason: String,
        out: &mut Vec<DeciderOutput>,
    ) -> Result<(), Ignored> {
        if !self.folded().quorum().members().contains(&from) {
            return Err(Ignored::Stranger);
        }
        let attempt = self.attempt.as_mut().filter(|attempt| {
            let proposed = attempt.core.proposed();
            *attempt.core.ballot() == ballot
                && proposed.is_some_and(|value| value.decision.hash() == hash)
        });
        let attempt = attempt.ok_or(Ignored::Stale)?;
        let reason = reason.chars().take(REASON_CHARS).collect();
        attempt.declines.insert(from, reason);
        self.declined.insert(hash);
        self.give_up(now, out);
        Ok(())
    }
}
