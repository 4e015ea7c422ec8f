//! The oracle's part: what it was asked, and what its answer comes to.
//!
//! Questions live in memory and in one mode only: after a restart or a change of mode no answer to
//! them counts, and what they were about waits for the operator, as it does all the while.

use crate::event::Event;
use crate::hive::{Hive, Stage};
use crate::io::{OracleAnswer, Output};
use hive_policy::oracle::{Advised, Context, DecisionPacket, judge};
use hive_policy::{Mode, Pending, Refusal};
use hive_types::limits::ORACLE_LIFETIME;
use hive_types::{ActionId, Elapsed, FleetView, Nonce};
use std::collections::{BTreeMap, BTreeSet};

/// A question that is open.
struct Question {
    packet: Box<DecisionPacket>,
    deadline: Elapsed,
}

/// The questions that are open, and what the oracle said yes to that waits for its lock; as many as
/// proposals may wait.
#[derive(Default)]
pub(crate) struct Questions {
    open: BTreeMap<ActionId, Question>,
    approved: BTreeSet<ActionId>,
}

impl Questions {
    /// When the next one ends without an answer.
    pub(crate) fn next_wake(&self) -> Elapsed {
        let deadlines = self.open.values().map(|question| question.deadline);
        deadlines.min().unwrap_or(Elapsed::NEVER)
    }

    /// The operator decided: whatever the oracle says later counts for nothing.
    pub(crate) fn close(&mut self, id: &ActionId) {
        self.open.remove(id);
    }
}

impl Hive {
    /// Asks the oracle about what waits for the operator.
    pub(crate) fn consult(&mut self, pending: &Pending, fleet: &FleetView) {
        let id = pending.id;
        if self.config.oracle_secret.is_none() {
            let reason = "no secret is set by which to know its answer; set oracle.secret_file";
            return self.fall_back(id, reason.to_owned());
        }
        let nonce = Nonce::from_bytes(self.chance.bytes());
        let (Some(local), Stage::Member(member)) = (&self.local, &self.stage) else {
            return;
        };
        let hive = member.identity.hive();
        let context = Context {
            gate: &self.gate,
            local,
            fleet,
            hive,
        };
        let packet = DecisionPacket::new(self.now, id, nonce, &pending.proposal, context);
        let packet = Box::new(packet);
        let question = Question {
            packet: packet.clone(),
            deadline: self.now.elapsed.plus(ORACLE_LIFETIME),
        };
        self.questions.open.insert(id, question);
        let summary = &pending.proposal.explanation.summary;
        let text = format!("asked the oracle: {summary}");
        self.out.audit(self.now.wall, "consult", Some(id), text);
        self.out.emit(Event::Consulted {
            id,
            proposal: Box::new(pending.proposal.clone()),
        });
        self.out.push(Output::Consult { packet });
    }

    /// The oracle answered, or could not be asked. The first answer to a question is the only one
    /// that is looked at.
    pub(crate) fn advice(&mut self, id: ActionId, answer: Result<OracleAnswer, String>) {
        let Some(question) = self.questions.open.remove(&id) else {
            let reason = "an answer came to no open question; it counts for nothing";
            let reason = reason.to_owned();
            self.out.emit(Event::OracleFailed { id, reason });
            return;
        };
        match self.judged(&question, answer) {
            Err(reason) => self.fall_back(id, reason),
            Ok(Advised::Deny { reason }) => self.denied(id, reason),
            Ok(Advised::Approve { amount, reason }) => {
                let by = format!("approved by the oracle: {reason}");
                match self.approve(id, amount, by) {
                    Ok(_) => self.advised_yes(id, reason),
                    Err(refusal @ Refusal::DryRun { .. }) => self.would_do(id, &refusal),
                    Err(refusal) => self.fall_back(id, format!("it approved, but: {refusal}")),
                }
            }
        }
    }

    fn judged(
        &self,
        question: &Question,
        answer: Result<OracleAnswer, String>,
    ) -> Result<Advised, String> {
        let answer = answer?;
        if self.gate.mode() != Mode::Oracle {
            return Err("the mode is not oracle any more".to_owned());
        }
        let secret = self.config.oracle_secret.as_ref();
        let secret = secret.ok_or("no secret is set by which to know its answer")?;
        let OracleAnswer { body, signature } = answer;
        judge(&question.packet, secret, &body, &signature, self.now.wall)
            .map_err(|error| error.to_string())
    }

    fn advised_yes(&mut self, id: ActionId, reason: String) {
        let waiting = self.gate.pending().iter().map(|pending| pending.id);
        let waiting: BTreeSet<ActionId> = waiting.collect();
        let approved = &mut self.questions.approved;
        approved.insert(id);
        approved.retain(|id| waiting.contains(id));
        self.out.emit(Event::Advised {
            id,
            approved: true,
            reason,
        });
    }

    fn would_do(&mut self, id: ActionId, refusal: &Refusal) {
        let mut waiting = self.gate.pending().iter();
        let pending = waiting.find(|pending| pending.id == id);
        if let Some(proposal) = pending.map(|pending| pending.proposal.clone()) {
            self.rehearsed(id, &proposal, refusal);
        }
    }

    fn denied(&mut self, id: ActionId, reason: String) {
        let target = self.pending_target(&id);
        if let Err(refusal) = self.gate.deny(self.now, id) {
            return self.fall_back(id, format!("it denied, but: {refusal}"));
        }
        if let Some(target) = target {
            self.retract_intent(&target);
        }
        let text = format!("denied by the oracle: {reason}");
        self.out.audit(self.now.wall, "deny", Some(id), text);
        self.out.emit(Event::Advised {
            id,
            approved: false,
            reason,
        });
    }

    /// As in advisor mode from here on: what was asked about waits for the operator.
    fn fall_back(&mut self, id: ActionId, reason: String) {
        let text = format!("the operator decides, the oracle did not: {reason}");
        self.out.audit(self.now.wall, "oracle", Some(id), text);
        self.out.emit(Event::OracleFailed { id, reason });
        let mut waiting = self.gate.pending().iter();
        let pending = waiting.find(|pending| pending.id == id && pending.approved.is_none());
        if let Some(pending) = pending {
            let proposal = Box::new(pending.proposal.clone());
            self.out.emit(Event::Proposed { id, proposal });
        }
    }

    /// Ends what was not answered in time, also when whoever should ask broke down.
    pub(crate) fn tend_questions(&mut self) {
        let now = self.now.elapsed;
        let late = self.questions.open.iter();
        let late: Vec<ActionId> = late
            .filter(|(_, question)| question.deadline <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.questions.open.remove(&id);
            self.fall_back(id, "no answer came in time".to_owned());
        }
    }

    /// The mode changed: no answer to an earlier question counts, and no yes that was not carried out.
    pub(crate) fn drop_questions(&mut self) {
        let Questions { open, approved } = std::mem::take(&mut self.questions);
        for (id, _) in open {
            self.fall_back(id, "the mode was changed meanwhile".to_owned());
        }
        for id in approved {
            let target = self.pending_target(&id);
            if !self.gate.withdraw(id) {
                continue;
            }
            if let Some(target) = target {
                self.retract_intent(&target);
            }
            let text = "the oracle's approval ended with its mode".to_owned();
            self.out.audit(self.now.wall, "withdraw", Some(id), text);
        }
    }
}
