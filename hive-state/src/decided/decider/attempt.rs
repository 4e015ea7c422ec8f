//! Proposing: one attempt at the open slot, from its prepare to its certificate.

use super::output::{DeciderOutput, WishEnd, WishId};
use super::{Decider, LEFT, acceptance, departure_of};
use crate::decided::acceptor::{Prepared, Proposed};
use crate::decided::judge::{Judge, Standing};
use crate::decided::proposer::{Origin, Proposer};
use hive_proto::{Acceptance, Ballot, Certificate, SignedDecision, Statement};
use hive_types::limits::{ROUND_RESEND, ROUND_TIMEOUT};
use hive_types::{Digest, Elapsed, Millis, NodeId};
use std::collections::BTreeMap;

/// A running attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// The wish that it serves; none when it finishes what others began.
    pub(super) wish: Option<WishId>,
    pub(super) resource: Digest,
    pub(super) core: Proposer<NodeId, Ballot, SignedDecision, Acceptance>,
    /// The running phase's question.
    question: Statement,
    pub(super) declines: BTreeMap<NodeId, String>,
    resend_at: Elapsed,
    deadline: Elapsed,
}

impl Attempt {
    pub(super) fn wake(&self) -> Elapsed {
        self.resend_at.min(self.deadline)
    }
}

impl Decider {
    /// Ends an attempt whose time is over. The next one waits longer each time, at random.
    pub(super) fn expire(&mut self, now: Elapsed) {
        if self
            .attempt
            .take_if(|attempt| now >= attempt.deadline)
            .is_some()
        {
            self.fail(now);
        }
    }

    fn fail(&mut self, now: Elapsed) {
        self.attempt = None;
        self.failures = self.failures.saturating_add(1);
        let bound = ROUND_TIMEOUT.get() << self.failures.min(3);
        let wait = self.jitter(Millis::new(bound / 2));
        self.retry_at = self.retry_at.max(now.plus(wait));
        self.finish_at = self.finish_at.max(self.retry_at);
    }

    /// Starts on the first wish that is possible.
    pub(super) fn begin(&mut self, now: Elapsed, judge: &dyn Judge, out: &mut Vec<DeciderOutput>) {
        while let Some(wish) = self.wishes.front() {
            let (id, decision) = (wish.id, self.draft(&wish.body));
            let signed =
                SignedDecision::sign(decision, self.me.epoch, &self.me.secret, &self.hive());
            match self.possible(&signed, judge) {
                Ok(()) => return self.attempt(now, Some(id), signed, judge, out),
                Err(reason) => {
                    let end = WishEnd::Impossible(reason);
                    self.wishes.pop_front();
                    out.push(DeciderOutput::WishEnded { id, end });
                }
            }
        }
    }

    fn possible(&self, signed: &SignedDecision, judge: &dyn Judge) -> Result<(), String> {
        let me = &self.me.node;
        if self.left.contains(me) && signed.decision.body.resource() != departure_of(me) {
            return Err(LEFT.into());
        }
        let checked = self.folded().check_signed(signed);
        checked.map_err(|invalid| invalid.to_string())?;
        judge.judge(self.folded(), &signed.decision, Standing::Fresh)
    }

    /// Finishes what was accepted here and seems to be left alone.
    pub(super) fn finish(&mut self, now: Elapsed, judge: &dyn Judge, out: &mut Vec<DeciderOutput>) {
        if let Some((_, decision)) = self.durable.acceptor.accepted() {
            let decision = decision.clone();
            self.attempt(now, None, decision, judge, out);
        }
    }

    fn attempt(
        &mut self,
        now: Elapsed,
        wish: Option<WishId>,
        decision: SignedDecision,
        judge: &dyn Judge,
        out: &mut Vec<DeciderOutput>,
    ) {
        let (slot, previous) = (self.durable.slot, self.durable.previous);
        let resource = decision.decision.body.resource();
        let promised = self.durable.acceptor.promised().map_or(0, |at| at.round);
        let highest = promised.max(self.durable.round).max(self.seen_round);
        let round = highest.saturating_add(1);
        let ballot = Ballot::new(round, &previous, &resource, self.me.node);
        self.durable.round = round;
        let mut core = Proposer::new(ballot, decision);
        if self.answers_on(&resource)
            && let Prepared::Promise(accepted) = self.durable.acceptor.on_prepare(ballot)
        {
            core.on_promise(self.me.node, accepted);
        }
        out.push(self.persist());
        self.attempt = Some(Attempt {
            wish,
            resource,
            core,
            question: Statement::Prepare {
                slot,
                previous,
                ballot,
                resource,
            },
            declines: BTreeMap::new(),
            resend_at: now.plus(ROUND_RESEND),
            deadline: now.plus(ROUND_TIMEOUT),
        });
        self.ask(out);
        self.advance(now, judge, out);
    }

    /// Puts the running question to everybody who has not answered it.
    fn ask(&self, out: &mut Vec<DeciderOutput>) {
        let Some(attempt) = &self.attempt else { return };
        let sealed = self.seal(&attempt.question);
        for to in self.folded().quorum().members() {
            let answered = attempt.core.heard(to) || attempt.declines.contains_key(to);
            if *to != self.me.node && !answered {
                let (to, sealed) = (*to, sealed.clone());
                out.push(DeciderOutput::Send { to, sealed });
            }
        }
    }

    pub(super) fn resend(&mut self, now: Elapsed, out: &mut Vec<DeciderOutput>) {
        if let Some(attempt) = &mut self.attempt
            && now >= attempt.resend_at
        {
            attempt.resend_at = now.plus(ROUND_RESEND);
            self.ask(out);
        }
    }

    /// Proposes once a quorum promised. After a failure every second attempt hears more members before
    /// it takes over what some have declined: with enough promises it may be free to be dropped.
    pub(super) fn advance(
        &mut self,
        now: Elapsed,
        judge: &dyn Judge,
        out: &mut Vec<DeciderOutput>,
    ) {
        let quorum = self.folded().quorum();
        let patient = self.failures % 2 == 1;
        let declined = &self.declined;
        let wait = |value: &SignedDecision| patient && declined.contains(&value.decision.hash());
        let choice = self
            .attempt
            .as_mut()
            .and_then(|attempt| attempt.core.choose(&quorum, wait));
        if let Some((decision, origin)) = choice {
            self.propose(now, decision, origin, judge, out);
        }
    }

    fn propose(
        &mut self,
        now: Elapsed,
        decision: SignedDecision,
        origin: Origin,
        judge: &dyn Judge,
        out: &mut Vec<DeciderOutput>,
    ) {
        let Some(attempt) = &mut self.attempt else {
            return;
        };
        let ballot = *attempt.core.ballot();
        attempt.resend_at = now.plus(ROUND_RESEND);
        attempt.question = Statement::Propose {
            slot: self.durable.slot,
            ballot,
            decision: Box::new(decision.clone()),
        };
        let standing = match origin {
            Origin::Own if attempt.wish.is_some() => Standing::Fresh,
            _ => Standing::Adopted,
        };
        self.accept_own(now, ballot, &decision, standing, judge, out);
        self.ask(out);
        self.conclude(out);
        self.give_up(now, out);
    }

    fn accept_own(
        &mut self,
        now: Elapsed,
        ballot: Ballot,
        decision: &SignedDecision,
        standing: Standing,
        judge: &dyn Judge,
        out: &mut Vec<DeciderOutput>,
    ) {
        if !self.answers_on(&decision.decision.body.resource()) {
            return;
        }
        let me = self.me.node;
        if let Err(reason) = judge.judge(self.folded(), &decision.decision, standing) {
            self.declined.insert(decision.decision.hash());
            if let Some(attempt) = &mut self.attempt {
                attempt.declines.insert(me, reason);
            }
        } else if self.durable.acceptor.on_propose(ballot, decision) == Proposed::Accepted {
            out.push(self.persist());
            self.finish_at = now.plus(self.courtesy());
            let accepted = Statement::Accepted {
                slot: self.durable.slot,
                ballot,
                decision: decision.decision.hash(),
            };
            let proof = acceptance(&self.seal(&accepted));
            if let Some(attempt) = &mut self.attempt {
                attempt.core.on_accepted(me, proof);
            }
        }
    }

    /// Makes the certificate when a quorum accepted.
    pub(super) fn conclude(&mut self, out: &mut Vec<DeciderOutput>) {
        let quorum = self.folded().quorum();
        let Some(attempt) = &self.attempt else { return };
        let (Some(decision), Some(acceptances)) =
            (attempt.core.proposed(), attempt.core.decided(&quorum))
        else {
            return;
        };
        let certificate = Certificate {
            decision: decision.clone(),
            ballot: *attempt.core.ballot(),
            acceptances: acceptances.values().copied().collect(),
        };
        match self.learn(&certificate) {
            Ok(outputs) => out.extend(outputs),
            // Every part was checked when it came; an attempt that still does not hold is begun anew.
            Err(_) => self.attempt = None,
        }
    }

    /// Ends an attempt that so many declined that no quorum is left.
    pub(super) fn give_up(&mut self, now: Elapsed, out: &mut Vec<DeciderOutput>) {
        let quorum = self.folded().quorum();
        let hopeless =
            |attempt: &mut Attempt| !quorum.reached(|node| !attempt.declines.contains_key(node));
        let Some(attempt) = self.attempt.take_if(hopeless) else {
            return;
        };
        let own = attempt.core.proposed() == Some(attempt.core.own());
        match attempt.wish {
            Some(id) if own => {
                self.wishes.retain(|wish| wish.id != id);
                let reason = attempt.declines.into_values().next().unwrap_or_default();
                let end = WishEnd::Declined(reason);
                out.push(DeciderOutput::WishEnded { id, end });
            }
            _ => self.fail(now),
        }
    }
}
