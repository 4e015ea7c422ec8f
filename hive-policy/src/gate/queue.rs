//! What waits for the operator. Waiting reserves nothing: it counts against no budget and holds no
//! lock, and an approval is checked like a new proposal.

use super::ledger::Subject;
use crate::refusal::{Ending, Refusal};
use hive_types::{
    ActionId, Proposal, UnixMillis,
    limits::{APPROVAL_LIFETIME, APPROVED_LIFETIME, ENDED_PROPOSALS, PENDING_PROPOSALS},
};
use serde::{Deserialize, Serialize};

/// A proposal that waits for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its id, to approve or reject it by.
    pub id: ActionId,
    /// What would be done.
    pub proposal: Proposal,
    /// When it was put to the operator, in gate time.
    pub asked: UnixMillis,
    /// When it was approved, in gate time; it then waits for its lock only.
    pub approved: Option<UnixMillis>,
}

impl Pending {
    /// When it ends by itself, in gate time.
    pub fn expires(&self) -> UnixMillis {
        match self.approved {
            Some(approved) => approved.plus(APPROVED_LIFETIME),
            None => self.asked.plus(APPROVAL_LIFETIME),
        }
    }
}

/// A proposal that waits no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its id.
    pub id: ActionId,
    /// How it ended.
    pub ending: Ending,
}

/// Proposals in the order in which they were put, and the last ones that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Queue {
    waiting: Vec<Pending>,
    ended: Vec<Ended>,
}

impl Queue {
    pub(super) fn restore(waiting: Vec<Pending>, ended: Vec<Ended>) -> Self {
        Self { waiting, ended }
    }

    pub(super) fn waiting(&self) -> &[Pending] {
        &self.waiting
    }

    pub(super) fn ended(&self) -> &[Ended] {
        &self.ended
    }

    pub(super) fn get(&self, id: ActionId) -> Option<&Pending> {
        self.waiting.iter().find(|pending| pending.id == id)
    }

    pub(super) fn ending(&self, id: ActionId) -> Option<Ending> {
        let mut same = self.ended.iter().filter(|ended| ended.id == id);
        same.next().map(|ended| ended.ending)
    }

    /// The proposal, or why there is none.
    pub(super) fn find(&self, id: ActionId) -> Result<&Pending, Refusal> {
        self.get(id).ok_or_else(|| match self.ending(id) {
            Some(ending) => Refusal::Ended { id, ending },
            None => Refusal::UnknownProposal { id },
        })
    }

    /// The waiting proposal, other than `except`, that would do the same.
    pub(super) fn same(&self, subject: &Subject, except: ActionId) -> Option<ActionId> {
        let mut others = self.waiting.iter().filter(|pending| pending.id != except);
        others
            .find(|pending| Subject::of(&pending.proposal.action).as_ref() == Some(subject))
            .map(|pending| pending.id)
    }

    pub(super) fn push(&mut self, pending: Pending) -> Result<(), Refusal> {
        if self.waiting.len() >= PENDING_PROPOSALS {
            return Err(Refusal::QueueFull {
                limit: PENDING_PROPOSALS,
            });
        }
        self.waiting.push(pending);
        Ok(())
    }

    /// Marks as approved, as what was approved.
    pub(super) fn approve(
        &mut self,
        id: ActionId,
        proposal: Proposal,
        at: UnixMillis,
    ) -> Option<&Pending> {
        let pending = self.waiting.iter_mut().find(|pending| pending.id == id)?;
        pending.proposal = proposal;
        pending.approved = Some(at);
        Some(pending)
    }

    pub(super) fn end(&mut self, ended: Ended) {
        self.waiting.retain(|pending| pending.id != ended.id);
        note_ended(&mut self.ended, ended);
    }

    pub(super) fn overdue(&self, at: UnixMillis) -> Vec<ActionId> {
        let overdue = self
            .waiting
            .iter()
            .filter(|pending| pending.expires() <= at);
        overdue.map(|pending| pending.id).collect()
    }
}

/// Keeps the newest endings.
pub(super) fn note_ended(ended: &mut Vec<Ended>, new: Ended) {
    ended.push(new);
    if ended.len() > ENDED_PROPOSALS {
        ended.remove(0);
    }
}
